package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mattis/compute"
	"mattis/eval"
	"mattis/recipe"
	"mattis/rng"
	"mattis/run"
	"mattis/train"
)

// Point is one number that an instance gives.
type Point struct {
	Name  string  `json:"name"`
	X     float64 `json:"x"`
	Value float64 `json:"value"`
}

// record is instance.json: the mark of a finished instance.
type record struct {
	Seconds  float64  `json:"seconds"`  // of one worker
	Settings []string `json:"settings"` // what the instance was drawn with; a training has its recipe
	Points   []Point  `json:"points"`
}

const recordName = "instance.json"

// instance is one seed of an arm.
type instance struct {
	study     *study
	arm       *arm
	seed      uint64
	precision compute.Precision // of a training
	dir       string

	finished bool // what follows is there
	record
	metrics []run.Metric // of a training
}

func (i *instance) key() string { return fmt.Sprintf("%s-%d", i.arm.name, i.seed) }

// work is what an instance is given to do and where its points go.
type work struct {
	ctx       context.Context
	engine    compute.Engine
	miniature bool
	precision compute.Precision // of trainings
	key       rng.Key           // of the instance: of its arm's name and its seed
	progress  func(share float64)
	points    []Point
}

func (w *work) add(name string, x, value float64) {
	w.points = append(w.points, Point{name, x, value})
}

// trained is a machine after its training.
type trained struct {
	*recipe.Training
	dir string
}

// settingsOf returns the arm's settings at its scale.
func (a *arm) settingsOf(miniature bool) []string {
	s := slices.Clone(a.settings)
	if miniature {
		s = append(s, a.miniature...)
	}
	return s
}

// recipeOf returns the complete recipe of an instance.
func (i *instance) recipeOf(miniature bool) (*recipe.Recipe, error) {
	settings := append(i.arm.settingsOf(miniature), "train.checkpoint.keep=1", fmt.Sprintf("seed=%d", i.seed))
	r, err := recipe.Load(i.arm.recipe, withPrecision(settings, i.precision)...)
	if err != nil {
		return nil, fmt.Errorf("arm %s: %w", i.arm.name, err)
	}
	return r, nil
}

// withPrecision adds the precision to the settings of a training where it is another than the recipe's.
func withPrecision(settings []string, p compute.Precision) []string {
	if p == compute.Single {
		return settings
	}
	return append(settings, "train.precision="+p.String())
}

// locate finds the instance's directory: where one of the figures that share the study has it, or a
// new one of the figure itself. It reads the record of a finished instance.
func (i *instance) locate(out, figure string, miniature bool) (finished bool, err error) {
	for _, name := range i.study.sharing(figure) {
		dir := filepath.Join(out, name, "instances", i.key())
		if _, err := os.Stat(dir); err == nil {
			i.dir = dir
			break
		}
	}
	if i.dir == "" {
		i.dir = filepath.Join(out, figure, "instances", i.key())
		return false, nil
	}
	return i.read(miniature)
}

// read reads the record and the metrics of a finished instance. It is an error where the directory
// holds another instance than this one.
func (i *instance) read(miniature bool) (finished bool, err error) {
	other := fmt.Errorf("%s: it was made with other settings than this figure has; remove it or choose another --out", i.dir)
	if i.arm.recipe != "" {
		d, err := run.Open(i.dir)
		if err != nil {
			return false, i.unbegun()
		}
		r, err := i.recipeOf(miniature)
		if err != nil {
			return false, err
		}
		same, err := r.Same(d)
		if err != nil {
			return false, err
		}
		if !same {
			return false, other
		}
		if i.metrics, err = d.Metrics(); err != nil {
			return false, err
		}
	}
	b, err := os.ReadFile(filepath.Join(i.dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, &i.record); err != nil {
		return false, fmt.Errorf("%s: damaged: %w; remove it, and what it lacks is made again", filepath.Join(i.dir, recordName), err)
	}
	if !slices.Equal(i.Settings, i.arm.settingsOf(miniature)) {
		return false, other
	}
	i.finished = true
	return true, nil
}

// unbegun refuses a directory without a recipe that holds more than a training has before it
// begins. Another process may be about to begin it.
func (i *instance) unbegun() error {
	if run.Unused(i.dir) {
		return nil
	}
	if _, err := run.Open(i.dir); err == nil { // it has begun since
		return nil
	}
	return fmt.Errorf("%s: is no run directory and holds files; remove it or choose another --out", i.dir)
}

// take locks the directory, so that no other process makes the instance, and makes it where it is
// not there. The error is run.ErrLocked where another process has it. A training has a writer.
func (i *instance) take() (w *run.Writer, release func() error, err error) {
	if i.arm.recipe == "" {
		release, err = run.Hold(i.dir)
		return nil, release, err
	}
	if w, err = run.Take(i.dir); err != nil {
		return nil, nil, err
	}
	return w, w.Close, nil
}

// perform does the instance, or what is left of it, and records it.
func (i *instance) perform(ctx context.Context, o Options, engine compute.Engine, progress func(share float64)) error {
	start := time.Now()
	w := &work{ctx: ctx, engine: engine, miniature: o.Miniature, precision: i.precision, progress: progress}
	w.key = rng.Key(i.seed).Fold(nameKey(i.arm.name))
	dir, release, err := i.take()
	if err != nil {
		return i.fault(ctx, err)
	}
	defer release()
	if finished, err := i.read(o.Miniature); err != nil || finished { // by another process, meanwhile
		return err
	}
	if dir != nil {
		err = i.train(w, o, dir)
	} else {
		err = i.arm.draw(w)
	}
	if err != nil {
		return i.fault(ctx, err)
	}
	i.Points, i.Settings = w.points, i.arm.settingsOf(o.Miniature)
	i.Seconds = time.Since(start).Seconds()
	if n := len(i.metrics); n > 0 { // training time of earlier sessions too
		i.Seconds = max(i.Seconds, i.metrics[n-1].Seconds)
	}
	i.finished = true
	return writeJSON(filepath.Join(i.dir, recordName), i.record)
}

// fault names the directory in an error of making the instance.
func (i *instance) fault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if strings.HasPrefix(err.Error(), i.dir) {
		return err
	}
	return fmt.Errorf("%s: %w", i.dir, err)
}

// nameKey folds a name into a number.
func nameKey(name string) (n uint64) {
	for _, c := range []byte(name) {
		n = n*131 + uint64(c)
	}
	return n
}

// train trains the instance in its run directory, from where an earlier session ended.
func (i *instance) train(w *work, o Options, dir *run.Writer) error {
	r, err := i.recipeOf(o.Miniature)
	if err != nil {
		return err
	}
	env := o.Environment
	env.Threads = 1
	var s *recipe.Session
	if _, openErr := run.Open(i.dir); openErr == nil {
		s, err = recipe.Continue(dir, w.engine, env)
	} else {
		split, loadErr := r.LoadData()
		if loadErr != nil {
			return loadErr
		}
		s, err = recipe.Begin(r, split, dir, w.engine, env)
	}
	if err != nil {
		return err
	}
	if o.Session != nil {
		defer o.Session(s)()
	}
	if !s.Done() {
		s.Watch = append(s.Watch, observe(func(ev train.Event) { w.progress(float64(ev.Step) / float64(max(1, s.Steps()))) }))
		if err := s.Run(w.ctx); err != nil {
			return err
		}
		for _, g := range s.Gaps { // a figure does not do without
			if none := (*eval.NoValue)(nil); !errors.As(g.Err, &none) {
				return g.Err
			}
		}
	}
	if i.arm.after != nil {
		if err := i.arm.after(w, &trained{s.Training, i.dir}); err != nil {
			return err
		}
	}
	i.metrics, err = dir.Metrics()
	return err
}

// observe makes an observer of a function.
type observe func(train.Event)

// Observe calls the function.
func (f observe) Observe(ev train.Event) error { f(ev); return nil }

// writeJSON sets the file to x in one step.
func writeJSON(path string, x any) error {
	return run.WriteFile(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(x)
	})
}

// setting returns the value of a setting of an arm that is not trained.
func setting(settings []string, name string) string {
	for _, s := range slices.Backward(settings) {
		if value, ok := strings.CutPrefix(s, name+"="); ok {
			return value
		}
	}
	panic("experiment: no setting " + name)
}
