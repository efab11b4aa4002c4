package recipe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/run"
	"mattis/train"
)

// Session trains a recipe in a run directory: it measures, writes checkpoints
// and goes on where an earlier session ended.
type Session struct {
	*Training
	Dir      *run.Writer
	Refused  []error          // checkpoints that were damaged, newest first
	Warnings []string         // reasons why bits may differ from an uninterrupted run
	Watch    []train.Observer // told after measures and checkpoints
	Measured func(run.Metric) // told of every measure; may be nil
	saved    int              // step of the newest checkpoint, -1 for none
	total    int              // step at the end
	cut      bool             // the measures of the present step were given up
}

// Begin prepares a new run of the recipe in the empty run directory. env says
// what runs it; the seed and the digest of the data are filled in.
func Begin(r *Recipe, split *data.Split, dir *run.Writer, e compute.Engine, env run.Session) (*Session, error) {
	t, err := r.Build(split, e)
	if err != nil {
		return nil, err
	}
	// The recipe comes last: a directory that has one can be resumed.
	if err := dir.WriteEnvironment(run.Environment{Session: env, Seed: r.Seed, Data: split.Train.Digest()}); err != nil {
		return nil, err
	}
	if err := dir.WriteRecipe(r.YAML()); err != nil {
		return nil, err
	}
	return newSession(t, dir, -1), nil
}

func newSession(t *Training, dir *run.Writer, saved int) *Session {
	s := &Session{Training: t, Dir: dir, saved: saved}
	s.total = t.Trainer.Steps(t.Recipe.Train.Epochs)
	return s
}

// Initialize sets the parameters to those of another run's newest checkpoint,
// whose shapes have to agree. The newer ones that were damaged are in refused.
func (t *Training) Initialize(from *run.Directory) (refused []error, err error) {
	c, refused, err := from.Newest()
	if err != nil {
		return refused, err
	}
	if err := restore(t.Machine.Engine(), t.Machine.Params(), c.File); err != nil {
		return refused, fmt.Errorf("%s: %w", c.Path, err)
	}
	return refused, nil
}

// Initialize is that of Training, and writes the checkpoint of the start: no recipe
// says where these parameters came from.
func (s *Session) Initialize(from *run.Directory) error {
	refused, err := s.Training.Initialize(from)
	s.Refused = append(s.Refused, refused...)
	if err != nil {
		return err
	}
	return s.save()
}

// Continue prepares to go on with the run in the directory, from its newest
// good checkpoint or from the start if there is none. Settings may change the epochs, the
// checkpoints, the measures and the places of the data.
func Continue(dir *run.Writer, e compute.Engine, env run.Session, settings ...string) (*Session, error) {
	text, err := dir.Recipe()
	if err != nil {
		return nil, err
	}
	source := dir.Path() + "/recipe.yaml"
	old, err := Parse(source, text)
	if err != nil {
		return nil, err
	}
	r, err := Parse(source, text, settings...)
	if err != nil {
		return nil, err
	}
	if r.Digest() != old.Digest() {
		return nil, fmt.Errorf("%s: a run goes on with its own recipe; only train.epochs, train.checkpoint, measure and where the data lie may be set (to train another recipe from here: mattis train RECIPE --init %s)", dir.Path(), dir.Path())
	}
	r.Name = filepath.Base(dir.Path()) // its file is recipe.yaml in every directory
	begun, err := dir.Environment()
	if err != nil {
		return nil, err
	}
	split, former, err := r.LoadDataOf(begun.Data)
	if err != nil {
		return nil, err
	}
	t, err := r.Build(split, e)
	if err != nil {
		return nil, err
	}
	c, refused, err := dir.Newest()
	saved := -1
	switch {
	case errors.Is(err, run.ErrNoCheckpoint):
	case err != nil:
		return nil, err
	default:
		if err := t.resume(c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Path, err)
		}
		saved = c.Step
	}
	s := newSession(t, dir, saved)
	s.Refused = refused
	if former {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the data are split as the version split them that began this run: %d rows of the test set and %d of the validation set have equal ones in the training set", split.Copies("test"), split.Copies("validation")))
	}
	if s.Done() { // nothing is to be done, so nothing is to be changed
		return s, nil
	}
	if err := s.reopen(env, text); err != nil {
		return nil, err
	}
	return s, nil
}

// resume sets the training to a checkpoint.
func (t *Training) resume(c *run.Checkpoint) error {
	m := c.File.Metadata
	if m["format"] != formatName {
		return fmt.Errorf("format %q, want %q", m["format"], formatName)
	}
	if m["converted"] != "" {
		return errors.New("a converted machine has no optimizer and no chains to go on with: mattis train RECIPE --init DIR starts from it")
	}
	if m["recipe"] != t.Recipe.Digest() {
		return errors.New("it was written by another recipe than the directory's, or by a version that knew other fields (mattis train RECIPE --init DIR starts from its parameters)")
	}
	if m["data"] != t.Split.Train.Digest() {
		return errors.New("it was trained on other data than the recipe reads now")
	}
	if err := restore(t.Machine.Engine(), t.Trainer.State(), c.File); err != nil {
		return err
	}
	t.Trainer.Step = c.Step
	return nil
}

// reopen brings the directory's files to the state of the checkpoint.
func (s *Session) reopen(env run.Session, oldRecipe []byte) error {
	before, err := s.Dir.Environment()
	if err != nil {
		return err
	}
	if !before.Known() {
		s.Warnings = append(s.Warnings, s.Dir.Path()+" has no env.json: what wrote this run is not known, and bits may differ from an uninterrupted run")
	}
	last := before.Last()
	for _, d := range []struct{ what, was, is string }{{"version", last.Version, env.Version}, {"arm", last.Arm, env.Arm}, {"Go", last.Go, env.Go}} {
		if before.Known() && d.was != d.is {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s %s wrote this run, now it is %s: bits may differ from an uninterrupted run", d.what, d.was, d.is))
		}
	}
	keep := s.saved
	if s.Trainer.Step == 0 && !s.Done() { // the start is measured again
		keep = -1
	}
	if err := s.Dir.CutMetrics(keep); err != nil {
		return err
	}
	metrics, err := s.Dir.Metrics()
	if err != nil {
		return err
	}
	for _, m := range metrics {
		s.Trainer.Seconds = max(s.Trainer.Seconds, m.Seconds)
	}
	if text := s.Recipe.YAML(); string(text) != string(oldRecipe) {
		if err := s.Dir.WriteRecipe(text); err != nil {
			return err
		}
	}
	env.Step = s.Trainer.Step
	return s.Dir.AppendSession(env)
}

// Done reports whether there is nothing left to train.
func (s *Session) Done() bool { return s.Trainer.Step >= s.total && s.saved >= 0 }

// Steps returns the number of updates at the end of the training.
func (s *Session) Steps() int { return s.total }

// Run trains to the recipe's last epoch. When the context is cancelled it
// writes a checkpoint after the update under way and returns the context's error.
func (s *Session) Run(ctx context.Context) error {
	patient, stop := outlasting(ctx, measuresEnd)
	defer stop()
	s.Trainer.Observers = append([]train.Observer{&measurer{s, patient}, &saver{s, time.Now()}}, s.Watch...)
	err := s.Trainer.Run(ctx, s.Recipe.Train.Epochs)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		if s.cut { // a checkpoint has the measures of its step: the one before this step serves
			return err
		}
		if saveErr := s.save(); saveErr != nil {
			return saveErr
		}
		return err
	}
	var bad *train.NonFinite
	if errors.As(err, &bad) {
		if s.saved < 0 {
			return fmt.Errorf("%w (no checkpoint was written before)", err)
		}
		return fmt.Errorf("%w (the last good checkpoint is that of update %d)", err, s.saved)
	}
	if err != nil {
		return err
	}
	if s.saved < 0 { // no epochs at all: the checkpoint of the start
		return s.save()
	}
	return nil
}

func (s *Session) save() error {
	if s.saved == s.Trainer.Step {
		return nil
	}
	if err := s.Dir.Save(s.Trainer.Step, s.checkpoint()); err != nil {
		return err
	}
	s.saved = s.Trainer.Step
	return s.Dir.Keep(s.Recipe.Train.Checkpoint.Keep)
}

// measuresEnd is how long measures under way go on after the training was cancelled, so that its last checkpoint
// has them. What takes longer is given up.
const measuresEnd = 10 * time.Second

// outlasting returns a context that is cancelled so long after ctx.
func outlasting(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return later, func() { stop(); cancel() }
}

// saver writes checkpoints when they are due.
type saver struct {
	*Session
	last time.Time
}

func (s *saver) Observe(ev train.Event) error {
	c := s.Recipe.Train.Checkpoint
	due := ev.Step > 0 && (ev.Step == s.total ||
		c.Epochs > 0 && ev.EpochEnd && ev.Epoch%c.Epochs == 0 ||
		c.Minutes > 0 && time.Since(s.last).Minutes() >= c.Minutes)
	if !due {
		return nil
	}
	s.last = time.Now()
	return s.save()
}

// measurer measures when it is due and keeps the results in metrics.jsonl. It
// comes before the saver, so that the measures of a checkpoint's step are there when the checkpoint is.
type measurer struct {
	*Session
	ctx context.Context
}

func (m *measurer) Observe(ev train.Event) error {
	r := m.Recipe.Measure
	last := ev.Step == m.total
	if !ev.EpochEnd || !(last || ev.Step == 0 || r.Every > 0 && ev.Epoch%r.Every == 0) {
		return nil
	}
	var memo eval.Memo
	for _, w := range m.Recipe.Wanted(m.Split, last) {
		x, err := m.Measure(m.ctx, w.Measure, w.Set, ev.Drawn, &memo)
		var none *eval.NoValue
		if errors.As(err, &none) {
			continue
		}
		if err != nil {
			if m.ctx.Err() != nil {
				m.cut = true
				return m.ctx.Err()
			}
			return fmt.Errorf("measure %w", err)
		}
		line := run.Metric{Step: ev.Step, Epoch: ev.Epoch, Seconds: ev.Seconds, Name: x.Measure, Split: x.Split, Value: x.Value, Stderr: x.Stderr, Detail: x.Detail}
		if err := m.Dir.Append(line); err != nil {
			return err
		}
		if m.Measured != nil {
			m.Measured(line)
		}
	}
	return nil
}

// Wanted is a measure and the set it is taken on, "" where it needs none.
type Wanted struct{ Measure, Set string }

// Wanted returns what the recipe measures at the end of an epoch, or of the last one, on the sets that the
// split has. A nil split leaves the measures that need data out.
func (r *Recipe) Wanted(split *data.Split, last bool) []Wanted {
	var list []Wanted
	each := func(names []string, sets ...string) {
		for _, w := range onSets(names, split, sets) {
			if !slices.Contains(list, w) {
				list = append(list, w)
			}
		}
	}
	each(r.Measure.Test, "test")
	each(r.Measure.Train, "train")
	if last {
		each(r.Measure.Last, "test", "train")
	}
	return list
}

// onSets pairs the names of measures, which have been checked, with the sets that the split has.
func onSets(names []string, split *data.Split, sets []string) []Wanted {
	var list []Wanted
	for _, n := range names {
		measure, err := eval.Named(n)
		if err != nil {
			panic(err)
		}
		if measure.Data != eval.NeedsData {
			list = append(list, Wanted{n, ""})
			continue
		}
		for _, set := range sets {
			if split.Set(set) != nil {
				list = append(list, Wanted{n, set})
			}
		}
	}
	return list
}

// Measure returns the value of a measure on the set "train", "test" or "validation" ("" where it needs none). drawn is what the
// estimator returned last; memo may be nil.
func (t *Training) Measure(ctx context.Context, name, set string, drawn bm.Batch, memo *eval.Memo) (eval.Result, error) {
	measure, err := eval.Named(name)
	if err != nil {
		return eval.Result{}, err
	}
	return measure.Run(ctx, eval.Subject{
		Machine: t.Machine, Split: t.Split, SetName: set, Drawn: drawn, Kind: t.Trainer.Negative.Kind(), Memo: memo,
		Key: t.Recipe.measureKey(t.Trainer.Step),
	}, t.Recipe.Measure.Options)
}
