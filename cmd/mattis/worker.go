package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
)

// workerProtocol is the number of what frames say. A client of another number is refused by its own
// side.
const workerProtocol = 1

// workerCommand is how programs in other languages use a machine without a file between: it holds
// one in memory and answers requests on its standard input, until that ends. No person types it.
func workerCommand() *cobra.Command {
	var threads int
	cmd := &cobra.Command{
		Use:    "worker",
		Short:  "Hold a machine for the Python package and answer its requests",
		Hidden: true,
		Long: `Hold a machine in memory and answer requests on the standard input, frames of JSON and npy arrays
(cmd/mattis/frames.go has their form), until it ends. The Python package mattis starts one for each object.`,
		Example: `  pip install ./python && python -c "import mattis; print(mattis.BoltzmannMachine().binary_path())"`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			engine, arm, err := newEngine(threads)
			if err != nil {
				return err
			}
			defer engine.Close()
			outliveReaders()
			w := &worker{engine: engine, arm: arm, threads: threads, out: bufio.NewWriter(cmd.OutOrStdout())}
			return w.serve(cmd.Context(), bufio.NewReaderSize(cmd.InOrStdin(), 1<<16))
		},
	}
	cmd.Flags().IntVar(&threads, "threads", 0, "threads; 0 takes one a core. Results do not depend on it")
	return cmd
}

// worker holds the machine of one client.
type worker struct {
	engine  *cpu.Engine
	arm     string
	threads int
	out     *bufio.Writer

	model    *recipe.Model   // nil before there is one
	learner  *recipe.Learner // whose model that is; nil before it has learned here
	by       string          // the recipe and settings that the learner has, as the client gave them
	rows     *data.Set       // some of the training rows, for estimates of log Z; nil for none
	constant *float64        // see energyConstant

	mu      sync.Mutex
	current int64 // the request under way, 0 for none
	cancel  context.CancelFunc
}

// request is the head of a frame of the client. Each op has use for some of the fields.
type request struct {
	ID     int64    `json:"id"`
	Op     string   `json:"op"`
	Bodies []int64  `json:"bodies"`
	Names  []string `json:"names"` // what each body is: train, test, rows, flips, state. Rows may come in several bodies

	Recipe     string   `json:"recipe"`      // YAML
	RecipeName string   `json:"recipe_name"` // a file or a built-in one, in place of it
	Settings   []string `json:"settings"`    // path=value, laid over it
	Run        string   `json:"run"`         // directory to make or to open
	Keep       bool     `json:"keep"`        // the run directory is for people: with its rows and figures
	Height     int      `json:"height"`      // of the images that rows are, 0 for plain rows
	Width      int      `json:"width"`
	Checkpoint string   `json:"checkpoint"` // as --checkpoint
	Step       int      `json:"step"`       // of a state

	Count   int    `json:"count"`
	Steps   int    `json:"steps"`
	Chains  int    `json:"chains"`
	From    string `json:"from"`
	Sampler string `json:"sampler"`
	Sample  bool   `json:"sample"`
	Seed    uint64 `json:"seed"`
	Measure string `json:"measure"`

	arrays [][]byte
}

// requestError is a request that is wrong in itself.
type requestError struct{ error }

func wrongRequest(format string, args ...any) error { return requestError{fmt.Errorf(format, args...)} }

// ops are the requests by name.
var ops = map[string]func(w *worker, ctx context.Context, r *request) (map[string]any, [][]byte, error){
	"hello": (*worker).hello, "fit": (*worker).fit, "partial_fit": (*worker).partialFit,
	"load": (*worker).load, "open": (*worker).open, "state": (*worker).state, "parameters": (*worker).parameters,
	"transform": (*worker).transform, "free_energy": (*worker).freeEnergy, "score_samples": (*worker).scoreSamples,
	"log_partition": (*worker).logPartition, "gibbs": (*worker).gibbs, "sample": (*worker).sample, "reconstruct": (*worker).reconstruct,
}

// serve answers requests until the input ends, which is no error between two of them.
func (w *worker) serve(ctx context.Context, in *bufio.Reader) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	frames, failed := make(chan *frame, 1), make(chan error, 1)
	go w.read(in, frames, failed, end)
	for {
		select {
		case f, ok := <-frames:
			if !ok {
				return <-failed
			}
			if err := w.answer(ctx, f); err != nil {
				return unread(err)
			}
		case <-ctx.Done():
			select {
			case err := <-failed:
				return err
			default:
				return ctx.Err() // a signal
			}
		}
	}
}

// read passes frames on while requests are worked on, so that the end of the input and a wish to
// stop are seen at once.
func (w *worker) read(in *bufio.Reader, frames chan<- *frame, failed chan<- error, end func()) {
	defer close(frames)
	for {
		f, err := readFrame(in)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			failed <- err
			end()
			return
		}
		var head struct {
			ID int64  `json:"id"`
			Op string `json:"op"`
		}
		if json.Unmarshal(f.head, &head) == nil && head.Op == "stop" {
			w.mu.Lock()
			if w.cancel != nil && w.current == head.ID {
				w.cancel()
			}
			w.mu.Unlock()
			continue
		}
		frames <- f
	}
}

// answer does what a frame asks for and sends what comes of it. The error is that of sending.
func (w *worker) answer(ctx context.Context, f *frame) error {
	r := &request{arrays: f.bodies}
	err := f.refuse
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(f.head))
		dec.DisallowUnknownFields()
		if err = dec.Decode(r); err != nil {
			err = wrongRequest("a request that is not understood: %w", err)
		}
	} else {
		var head struct{ ID int64 }
		if json.Unmarshal(f.head, &head) == nil {
			r.ID = head.ID
		}
	}
	var head map[string]any
	var bodies [][]byte
	if err == nil {
		ctx, cancel := context.WithCancel(ctx)
		w.under(r.ID, cancel)
		head, bodies, err = w.do(ctx, r)
		w.under(0, nil)
		cancel()
	}
	if err != nil {
		return w.send(r, "error", map[string]any{"kind": kindOf(err), "message": strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")})
	}
	if head == nil {
		head = map[string]any{}
	}
	return w.send(r, "done", head, bodies...)
}

func (w *worker) under(id int64, cancel context.CancelFunc) {
	w.mu.Lock()
	w.current, w.cancel = id, cancel
	w.mu.Unlock()
}

func (w *worker) do(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	op, ok := ops[r.Op]
	switch {
	case !ok:
		return nil, nil, wrongRequest("no request is called %q", r.Op)
	case len(r.Names) != len(r.arrays):
		return nil, nil, wrongRequest("%s: %d names of %d bodies", r.Op, len(r.Names), len(r.arrays))
	case w.model == nil && needsModel(r.Op):
		return nil, nil, wrongRequest("%s: there is no machine yet", r.Op)
	}
	return op(w, ctx, r)
}

func needsModel(op string) bool {
	switch op {
	case "hello", "fit", "partial_fit", "load", "open":
		return false
	}
	return true
}

// kindOf says whose fault an error is: value where the request or the recipe asks for what is not
// possible, interrupted where the client asked to stop, none where a number cannot be had, memory,
// or failed.
func kindOf(err error) string {
	var field *recipe.FieldError
	var none *eval.NoValue
	var request requestError
	var usage usageError
	var wide *data.WidthError
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &none):
		return "none"
	case errors.As(err, &request), errors.As(err, &field), errors.As(err, &usage), errors.As(err, &wide):
		return "value"
	case errors.As(err, new(memoryError)):
		return "memory"
	}
	return "failed"
}

// send sends a frame about a request: an event on the way, or how it ended.
func (w *worker) send(r *request, event string, head map[string]any, bodies ...[]byte) error {
	head["id"], head["event"] = r.ID, event
	return writeFrame(w.out, head, bodies...)
}

// adopt takes a model, and the learner whose it is, as the worker's.
func (w *worker) adopt(m *recipe.Model, l *recipe.Learner, rows *data.Set) {
	w.model, w.learner, w.rows, w.constant, w.by = m, l, rows, nil, ""
}

// hello says who answers.
func (w *worker) hello(context.Context, *request) (map[string]any, [][]byte, error) {
	return map[string]any{"protocol": workerProtocol, "version": version(), "threads": w.engine.Threads(), "arm": w.arm}, nil, nil
}
