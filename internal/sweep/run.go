package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"mattis/compute"
	"mattis/internal/share"
	"mattis/recipe"
	"mattis/run"
	"mattis/train"
)

// Options say how a sweep is made.
type Options struct {
	Out     string // folder of the run directories and the table
	Threads int    // workers; nothing depends on it but the time
	// Part is the share of the points that are trained, and Shared has each trained by the process
	// that comes to it first. Either trains and writes no table.
	Part   share.Part
	Shared bool
	// Engine returns an engine of so many threads. It is closed when it has a Close method.
	Engine      func(threads int) compute.Engine
	Environment run.Session
	// Progress is told the share of the work that is done and how many points are ready of how many;
	// calls do not overlap. May be nil.
	Progress func(share float64, ready, of int)
	// Session is told of every training that begins, and what it returns is called when the training
	// ends. May be nil.
	Session func(*recipe.Session) (ended func())
	// Failed is told of every point that fails; calls do not overlap. May be nil.
	Failed func(p Point, message string)
}

// Partial reports whether points are trained and no table is written.
func (o Options) Partial() bool { return o.Shared || !o.Part.Whole() }

// Outcome is what a call has come to.
type Outcome struct {
	Results   []Result // of all points, in their order; none of a part
	Made      int      // points of the call
	Failed    int
	Elsewhere int // points that other processes train at the moment
}

// making is a call under way.
type making struct {
	*Sweep
	Options
	mutex  sync.Mutex
	shares map[string]float64 // by key
	failed map[string]string  // messages by key
	of     int
}

// Run trains the points that are not ready yet; those that were begun go on. A point that fails stops
// no other, and those that are no recipes fail before the first is trained. The table is written unless this is a part.
func (s *Sweep) Run(ctx context.Context, o Options) (Outcome, error) {
	mine := share.Of(s.Points, o.Part)
	m := &making{Sweep: s, Options: o, shares: map[string]float64{}, failed: map[string]string{}, of: len(mine)}
	if err := os.MkdirAll(o.Out, 0o777); err != nil {
		return Outcome{}, err
	}
	m.tell()
	var able []Point
	for _, p := range mine { // what is no recipe is told before the first is trained
		if p.fault == "" {
			able = append(able, p)
			continue
		}
		m.fail(p, p.fault)
		m.note(p, 1)
	}
	locked, err := share.Do(ctx, able, o.Threads, m.point)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Made: len(mine), Failed: len(m.failed), Elsewhere: len(locked)}
	if o.Partial() {
		return out, nil
	}
	if len(locked) > 0 {
		return out, fmt.Errorf("%d of %d points are trained by other processes at the moment, such as %s; "+
			"sweep again when they have ended", len(locked), len(s.Points), filepath.Join(o.Out, locked[0].Key))
	}
	if out.Results, err = m.results(); err != nil {
		return out, err
	}
	return out, s.writeTable(o.Out, out.Results)
}

func (m *making) tell() {
	if m.Progress == nil {
		return
	}
	sum, ready := 0.0, 0
	for _, x := range m.shares {
		sum += x
		if x == 1 {
			ready++
		}
	}
	m.Progress(sum/float64(max(1, m.of)), ready, m.of)
}

func (m *making) note(p Point, share float64) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.shares[p.Key] = max(m.shares[p.Key], share)
	m.tell()
}

// point trains one point. What fails of it alone is kept and no error.
func (m *making) point(ctx context.Context, threads int, p Point) error {
	dir := filepath.Join(m.Out, p.Key)
	err := m.train(ctx, threads, p, dir)
	var stop *stopping
	switch {
	case errors.As(err, &stop), errors.Is(err, run.ErrLocked):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		m.fail(p, strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", "; "), dir+": "))
	}
	m.note(p, 1)
	return nil
}

// fail keeps and tells why a point fails.
func (m *making) fail(p Point, message string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.failed[p.Key] = message
	if m.Failed != nil {
		m.Failed(p, message)
	}
}

// stopping is an error of the sweep, and not of a point.
type stopping struct{ error }

func (m *making) train(ctx context.Context, threads int, p Point, path string) error {
	r, err := recipe.Load(m.Recipe, p.settings...)
	if err != nil {
		return err
	}
	e := m.Engine(threads)
	if c, ok := e.(interface{ Close() }); ok {
		defer c.Close()
	}
	env := m.Environment
	env.Threads = threads
	var begin func(w *run.Writer) (*recipe.Session, error)
	if was, err := run.Open(path); err == nil {
		same, err := r.Same(was)
		if err == nil && !same {
			err = fmt.Errorf("%s: it was trained with another recipe than the sweep has now; "+
				"remove it or choose another --out", path)
		}
		if err != nil {
			return &stopping{err}
		}
		begin = func(w *run.Writer) (*recipe.Session, error) { return recipe.Continue(w, e, env) }
	} else {
		split, err := r.LoadData()
		if err != nil {
			return err
		}
		if _, err := r.Build(split, e); err != nil { // what is wrong is found before there is a directory
			return err
		}
		begin = func(w *run.Writer) (*recipe.Session, error) {
			if _, err := run.Open(path); err == nil { // another process has begun it meanwhile
				return recipe.Continue(w, e, env)
			}
			return recipe.Begin(r, split, w, e, env)
		}
	}
	w, err := run.Take(path)
	if err != nil {
		return err
	}
	defer w.Close()
	s, err := begin(w)
	if err != nil {
		return err
	}
	if s.Done() {
		return nil
	}
	if m.Session != nil {
		defer m.Session(s)()
	}
	s.Watch = append(s.Watch, observe(func(ev train.Event) {
		m.note(p, min(0.999, float64(ev.Step)/float64(max(1, s.Steps()))))
	}))
	return s.Run(ctx)
}

// observe makes an observer of a function.
type observe func(train.Event)

// Observe calls the function.
func (f observe) Observe(ev train.Event) error { f(ev); return nil }
