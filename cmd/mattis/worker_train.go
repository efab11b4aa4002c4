package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"mattis/data"
	"mattis/recipe"
	"mattis/run"
	"mattis/tensorfile"
	"mattis/train"
)

// The files of a run directory in which a worker keeps the rows that it was given.
const (
	trainingRows = "training-rows.npy"
	testRows     = "test-rows.npy"
)

// mostKept bounds the training rows that estimates of log Z look at later.
const mostKept = 2000

// fit trains a recipe on rows in a run directory, as mattis train does. On the way it sends the
// events epoch, measure and note. Where the client asks it to stop, the machine is that of the
// checkpoint which it leaves.
func (w *worker) fit(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	split, err := r.split()
	if err != nil {
		return nil, nil, err
	}
	rec, err := r.recipe(split)
	if err != nil {
		return nil, nil, err
	}
	need, err := roomFor(rec, split, w.threads)
	if err != nil {
		return nil, nil, err
	}
	debug.SetGCPercent(gcPercent(need))
	dir, err := run.Create(r.Run)
	if err != nil {
		return nil, nil, fmt.Errorf("run directory %w", err)
	}
	defer func() {
		dir.Close()
		if run.Unused(dir.Path()) { // the recipe came to nothing
			os.RemoveAll(dir.Path())
		}
	}()
	s, err := recipe.Begin(rec, split, dir, w.engine, environment(w.engine.Threads(), w.arm))
	if err != nil {
		return nil, nil, err
	}
	if r.Keep {
		if err := keepRows(dir.Path(), split); err != nil {
			return nil, nil, err
		}
	}
	w.adopt(nil, nil, nil) // what it held before gives way
	var sending error
	tell := func(event string, head map[string]any) {
		if sending == nil {
			sending = w.send(r, event, head)
		}
	}
	s.Told = func(text string) { tell("note", map[string]any{"text": text}) }
	s.Measured = func(m run.Metric) { tell("measure", map[string]any{"metric": m}) }
	s.Watch = append(s.Watch, observer(func(ev train.Event) error {
		if ev.EpochEnd {
			tell("epoch", map[string]any{"epoch": ev.Epoch, "step": ev.Step, "seconds": ev.Seconds})
		}
		return sending
	}))
	err = s.Run(ctx)
	interrupted := errors.Is(err, context.Canceled)
	if err != nil && !interrupted {
		return nil, nil, err
	}
	if r.Keep && !interrupted {
		if err := drawFigures(s); err != nil {
			tell("note", map[string]any{"text": err.Error()})
		}
	}
	l := s.Learner()
	w.adopt(l.Model, l, some(split.Train, rec))
	w.by = r.by()
	head := w.shape()
	head["interrupted"], head["run"], head["stopped"] = interrupted, s.Dir.Path(), s.Stopped()
	head["seconds"], head["recipe"] = s.Trainer.Seconds, string(rec.YAML())
	return head, nil, nil
}

// observer is a train.Observer of one function.
type observer func(train.Event) error

func (o observer) Observe(ev train.Event) error { return o(ev) }

// by names the recipe that a request brings.
func (r *request) by() string { return fmt.Sprintf("%q %q %q", r.RecipeName, r.Recipe, r.Settings) }

// recipe returns the request's recipe for the rows that came with it.
func (r *request) recipe(split *data.Split) (*recipe.Recipe, error) {
	source := "{name: none}"
	if r.Keep {
		source = fmt.Sprintf("{name: npy, path: %s}", trainingRows)
		if split.Test != nil {
			source = fmt.Sprintf("{name: npy, path: %s, test_path: %s}", trainingRows, testRows)
		}
	}
	settings := append(r.Settings, "data="+source)
	if r.Keep && r.Height > 0 {
		settings = append(settings, fmt.Sprintf("data.height=%d", r.Height), fmt.Sprintf("data.width=%d", r.Width))
	}
	parse := func() (*recipe.Recipe, error) {
		if r.RecipeName != "" {
			return recipe.Load(r.RecipeName, settings...)
		}
		return recipe.ParseNew("recipe", []byte(r.Recipe), settings...)
	}
	rec, err := parse()
	if split.Test == nil {
		if err == nil && rec.Train.Best.Split != nil && *rec.Train.Best.Split == "test" {
			return nil, wrongRequest("train.best: %s on test chooses the best checkpoint, and there are no test rows: give some "+
				"(fit's test=), or set train.best to {measure: none} and train.stop.patience to 0", rec.Train.Best.Measure)
		}
		settings = append(settings, "measure.test=[]")
		rec, err = parse()
	}
	if err != nil {
		return nil, requestError{err}
	}
	return rec, restricted(rec, split.Train.Visible)
}

// restricted returns an error unless the recipe's machine of so many visible spins is a restricted
// one: what a worker answers, it answers in the terms of these.
func restricted(r *recipe.Recipe, visible int) error {
	g, err := r.Graph(visible)
	if err != nil {
		return requestError{err}
	}
	if !g.IsRestricted() {
		return wrongRequest("machine.kind: %s is no restricted machine, and a worker holds no other: mattis train trains it, and load_run reads what it leaves", r.Machine.Kind)
	}
	return nil
}

// keepRows leaves the rows in the run directory, so that it can be resumed and judged.
func keepRows(dir string, split *data.Split) error {
	for name, set := range map[string]*data.Set{trainingRows: split.Train, testRows: split.Test} {
		if set == nil {
			continue
		}
		err := run.WriteFile(filepath.Join(dir, name), func(out io.Writer) error {
			return tensorfile.WriteNPY(out, tensorfile.New("", set.Spins, set.Rows, set.Visible))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// some returns rows of the set in an order that the recipe's seed chooses.
func some(set *data.Set, r *recipe.Recipe) *data.Set {
	order := make([]int32, set.Rows)
	data.Order(order, r.Key())
	return set.Take(order[:min(mostKept, set.Rows)])
}

// partialFit does one update on the rows as one batch: of the machine that there is, or of one that
// begins with them.
func (w *worker) partialFit(_ context.Context, r *request) (map[string]any, [][]byte, error) {
	split, err := r.split()
	if err != nil {
		return nil, nil, err
	}
	l := w.learner
	if l == nil && w.model != nil {
		if l, err = w.model.Learner(); err != nil {
			return nil, nil, err
		}
	}
	if l == nil || w.by != r.by() {
		rec, err := r.recipe(split)
		if err != nil {
			return nil, nil, err
		}
		if l == nil {
			if _, err := roomFor(rec, split, w.threads); err != nil {
				return nil, nil, err
			}
			l, err = rec.Learner(split.Train, w.engine)
		} else {
			l, err = l.GoOn(rec)
		}
		if err != nil {
			return nil, nil, requestError{err}
		}
	}
	if v := l.Visible(); split.Train.Visible != v {
		return nil, nil, wrongRequest("rows of %d values, the machine has %d visible spins", split.Train.Visible, v)
	}
	if err := l.Update(split.Train); err != nil {
		w.adopt(nil, nil, nil) // nothing that a NaN has gone through is worth keeping
		return nil, nil, err
	}
	kept := w.rows
	switch {
	case kept == nil:
		kept = some(split.Train, l.Recipe)
	case kept.Rows < mostKept:
		more := split.Train
		n := min(mostKept-kept.Rows, more.Rows)
		joined := *kept
		joined.Rows += n
		joined.Spins = append(kept.Spins[:len(kept.Spins):len(kept.Spins)], more.Spins[:n*more.Visible]...)
		kept = &joined
	}
	w.adopt(l.Model, l, kept)
	w.by = r.by()
	head := w.shape()
	head["recipe"] = string(l.Recipe.YAML())
	return head, nil, nil
}

// state returns the machine and what it goes on from, as a checkpoint's file and some training
// rows; load takes them.
func (w *worker) state(context.Context, *request) (map[string]any, [][]byte, error) {
	l := w.learner
	if l == nil {
		var err error
		if l, err = w.model.Learner(); err != nil {
			return nil, nil, err
		}
	}
	var file bytes.Buffer
	if err := run.WriteSealed(&file, l.State()); err != nil {
		return nil, nil, err
	}
	bodies := [][]byte{file.Bytes()}
	if w.rows != nil {
		bodies = append(bodies, npy(w.rows.Spins, w.rows.Rows, w.rows.Visible))
	}
	return map[string]any{"step": l.Step, "recipe": string(l.Recipe.YAML())}, bodies, nil
}

// load takes what state returned as the machine.
func (w *worker) load(_ context.Context, r *request) (map[string]any, [][]byte, error) {
	rec, err := recipe.Parse("the state's recipe", []byte(r.Recipe))
	if err != nil {
		return nil, nil, err
	}
	var m *recipe.Model
	for i, name := range r.Names {
		if name != "state" {
			continue
		}
		f, _, err := run.ReadSealed(bytes.NewReader(r.arrays[i]), int64(len(r.arrays[i])))
		if err != nil {
			return nil, nil, fmt.Errorf("the state: %w", err)
		}
		if m, err = rec.ReadModel(f, r.Step, w.engine); err != nil {
			return nil, nil, fmt.Errorf("the state: %w", err)
		}
	}
	if m == nil {
		return nil, nil, wrongRequest("load: no body is a state")
	}
	rows, err := r.set("rows", false)
	if err != nil {
		return nil, nil, err
	}
	w.adopt(m, nil, rows)
	return w.shape(), nil, nil
}

// open takes the machine of a run directory.
func (w *worker) open(_ context.Context, r *request) (map[string]any, [][]byte, error) {
	if err := checkCheckpoint(r.Checkpoint); err != nil {
		return nil, nil, err
	}
	d, err := run.Open(filepath.Clean(r.Run))
	if err != nil {
		return nil, nil, err
	}
	step, err := stepOf(d, r.Checkpoint)
	if err != nil {
		return nil, nil, err
	}
	if err := enoughMemory(r.Run, modelCopies*float64(d.CheckpointSize(step))); err != nil {
		return nil, nil, err
	}
	m, refused, err := recipe.LoadModel(d, step, w.engine)
	for _, e := range refused {
		if err := w.send(r, "note", map[string]any{"text": "damaged checkpoint passed over: " + e.Error()}); err != nil {
			return nil, nil, err
		}
	}
	if err == nil {
		err = restricted(m.Recipe, m.Visible())
	}
	if err != nil {
		return nil, nil, err
	}
	var kept *data.Set
	if split, err := m.LoadData(); err == nil {
		kept = some(split.Train, m.Recipe)
	}
	w.adopt(m, nil, kept)
	head := w.shape()
	head["recipe"] = string(m.Recipe.YAML())
	return head, nil, nil
}

// shape says what the machine is.
func (w *worker) shape() map[string]any {
	layers := w.model.Machine.Layers()
	return map[string]any{"step": w.model.Step, "epoch": w.model.Epoch, "visible": layers[0], "hidden": layers[1], "height": w.model.Height, "width": w.model.Width}
}
