// Package service answers requests to trained machines over HTTP: scores, features, samples,
// reconstructions and log Z of the machines of some run directories.
//
// An answer depends on the request, its seed and the checkpoint that it names, never on what else is
// asked at the time, and is what the command of that name gives, bit for bit.
package service

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mattis/compute"
	"mattis/guard"
	"mattis/recipe"
	"mattis/run"
)

// Options bound what a service takes on. All of them are needed.
type Options struct {
	Token     string        // that requests have to show, "" for none
	MaxBody   int64         // bytes of a request's body
	MaxRows   int           // rows of a request, and samples
	MaxSteps  int           // sweeps of a chain before a sample
	MaxQueue  int           // requests that wait or are worked on at a time
	MaxMemory int64         // bytes that the rows and answers of these take
	MaxTime   time.Duration // that a request may use the engine
	Look      time.Duration // between two looks for a newer checkpoint

	Version string
	// Room returns an error where something takes more bytes than there are.
	Room func(what string, bytes float64) error
	// Measurable returns an error where a measure takes more memory than there is.
	Measurable func(j *recipe.Judge, list []recipe.Wanted) error
	Told       func(line string) // what the operator should know
}

// Source is a run directory to serve.
type Source struct {
	Name string
	Dir  *run.Directory
	Step func() (int, error) // of the checkpoint to serve, below 0 for the newest good one
}

// Service is the handler of all requests. Its engine is its own.
type Service struct {
	Options
	engine    compute.Engine
	turn      turn
	runs      []*served // by name
	batcher   batcher
	long      chan struct{} // one for each request that draws or measures
	measuring chan struct{} // one for the request that measures
	queued    atomic.Int64
	memory    atomic.Int64
	meters    *meters
	openAPI   []byte
}

// mostLong is how many requests that draw or measure take turns at the engine; others wait.
const mostLong = 4

// New returns the service of the runs, whose machines it loads.
func New(e compute.Engine, sources []Source, o Options) (*Service, error) {
	s := &Service{Options: o, engine: e, turn: newTurn(), long: make(chan struct{}, mostLong), measuring: make(chan struct{}, 1)}
	s.meters = newMeters(s)
	s.batcher.service = s
	for _, x := range sources {
		r := &served{Source: x, service: s}
		if slices.ContainsFunc(s.runs, func(other *served) bool { return other.Name == x.Name }) {
			return nil, fmt.Errorf("%s: two runs are called %s, which is how requests name them; rename one", x.Dir.Path(), x.Name)
		}
		if err := r.load(context.Background()); err != nil {
			return nil, err
		}
		s.runs = append(s.runs, r)
	}
	slices.SortFunc(s.runs, func(a, b *served) int { return strings.Compare(a.Name, b.Name) })
	s.openAPI = s.document()
	return s, nil
}

// Run loads newer checkpoints as they come, until the context ends.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.Look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, r := range s.runs {
				r.look(ctx, now)
			}
		}
	}
}

// Serving says in words what is served.
func (s *Service) Serving() string {
	var words []string
	for _, r := range s.runs {
		words = append(words, fmt.Sprintf("%s (update %d)", r.Name, r.now.Load().Step))
	}
	return strings.Join(words, ", ")
}

// HTTPServer returns the server with its bounds on slow and endless requests.
func (s *Service) HTTPServer() *http.Server { return guard.Server(s, bodyPatience) }

// How long the bytes of a request may take to come and those of an answer to go.
const (
	bodyPatience   = 30 * time.Second
	answerPatience = 30 * time.Second
	slowest        = 256 << 10 // bytes a second beside that
)

// find returns the run of the name, or nil.
func (s *Service) find(name string) *served {
	for _, r := range s.runs {
		if r.Name == name {
			return r
		}
	}
	return nil
}
