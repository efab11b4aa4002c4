package recipe

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
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
	Taken    Taken            // what a machine with other layers than that which it starts from has of it
	Warnings []string         // reasons why bits may differ from an uninterrupted run
	Watch    []train.Observer // told after checkpoints and measures
	Measured func(run.Metric) // told of every measure; may be nil
	Told     func(string)     // told in a line what a user should know while training goes on; may be nil
	History  run.History      // all values that metrics.jsonl has, those of earlier sessions too
	Gaps     []Gap            // why measures gave no value, each reason once

	saved int         // step of the newest checkpoint, -1 for none
	total int         // step at the end
	asked atomic.Bool // for a checkpoint

	now      train.Event    // the last one
	owed     []Wanted       // measures of its step that are still to be taken
	begun    int            // step at the start of the session
	there    map[Wanted]int // step of the last line of a measure in metrics.jsonl
	never    map[Wanted]error
	drawKept bool      // there may be a file of the last draw
	followed time.Time // when the directory was last looked for

	report *run.Report // state.json; nil before Run
	chosen             // the best checkpoint
	looks              // whether it has diverged
}

// Gap is a measure that gave no value, and why: an *eval.NoValue, or what failed.
type Gap struct {
	Wanted
	Step int // 0 where it was known from the start
	Err  error
}

// Begin prepares a new run of the recipe in the empty run directory. env says
// what runs it; the seed and the digest of the data are filled in.
func Begin(r *Recipe, split *data.Split, dir *run.Writer, e compute.Engine, env run.Session) (*Session, error) {
	return BeginFrom(r, split, dir, e, env, nil)
}

// BeginFrom is Begin with the parameters of another run's newest checkpoint (see Initialize). The run has a
// checkpoint of its start before it can be resumed. A nil from is Begin.
func BeginFrom(r *Recipe, split *data.Split, dir *run.Writer, e compute.Engine, env run.Session, from *run.Directory) (*Session, error) {
	t, err := r.Build(split, e)
	if err != nil {
		return nil, err
	}
	t.start = t.reference()
	var refused []error
	var taken Taken
	if from != nil {
		if taken, refused, err = t.Initialize(from); err != nil {
			return nil, err
		}
	}
	// The recipe comes last: a directory that has one can be resumed.
	env.Recipe, env.Paths = r.Name, r.paths()
	begun := run.Environment{Session: env, Seed: r.Seed, Data: split.Train.Digest()}
	if from != nil {
		begun.Init = t.start.include(t)
	}
	if err := dir.WriteEnvironment(begun); err != nil {
		return nil, err
	}
	s := newSession(t, dir, -1)
	s.Refused, s.Taken = refused, taken
	if from != nil { // no recipe says where these parameters came from
		if err := s.save(); err != nil {
			return nil, err
		}
	}
	return s, dir.WriteRecipe(r.YAML())
}

func newSession(t *Training, dir *run.Writer, saved int) *Session {
	s := &Session{Training: t, Dir: dir, saved: saved, begun: t.Trainer.Step, there: map[Wanted]int{}, never: map[Wanted]error{}}
	s.total = t.Trainer.Steps(t.Recipe.Train.Epochs)
	for _, last := range []bool{false, true} {
		for _, w := range t.Recipe.Wanted(t.Split, last) {
			if err := t.possible(w); err != nil {
				s.never[w] = err
			}
		}
	}
	return s
}

// Continue prepares to go on with the run in the directory, from its newest
// good checkpoint or from the start if there is none. Settings may change the epochs, the
// checkpoints, what ends the training, the measures and the places of the data.
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
		return nil, fmt.Errorf("%s%s: a run goes on with its own recipe; only train.epochs, train.checkpoint, train.best, train.stop, measure and where the data lie may be set (to train another recipe from here: mattis train RECIPE --init %s)", old.decisiveOf(text, settings), dir.Path(), dir.Path())
	}
	r.remember(&dir.Directory)
	begun, err := dir.Environment()
	if err != nil {
		return nil, err
	}
	split, former, err := r.LoadDataOf(begun.Data)
	if err != nil {
		return nil, err
	}
	t, err := r.build(split, e)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(r.Measure, old.Measure) { // a run of old goes on without what it cannot measure
		if err := t.refuseImpossible(); err != nil {
			return nil, err
		}
	}
	t.start = t.reference() // of the recipe's parameters, which the checkpoint's replace
	c, refused, err := dir.Newest()
	saved := -1
	switch {
	case errors.Is(err, run.ErrNoCheckpoint):
		refused = passedOver(refused, "going on from the start")
	case err != nil:
		return nil, err
	default:
		if err := t.resume(c); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Path, err)
		}
		saved = c.Step
		refused = passedOver(refused, "going on from update %d", saved)
	}
	s := newSession(t, dir, saved)
	s.Refused = refused
	t.start.also(begun.Init)
	s.recallLooks(c)
	if former {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the data are split as the version split them that began this run: %d rows of the test set and %d of the validation set have equal ones in the training set", split.Copies("test"), split.Copies("validation")))
	}
	if s.kept, err = dir.Checkpoints(); err != nil {
		return nil, err
	}
	if dir.LostMetrics() && s.begun > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s has no metrics.jsonl: the measures up to update %d are lost, and curves begin there", dir.Path(), s.begun))
	}
	cut, err := dir.ReadMetrics(s.begun, s.recall)
	if err != nil {
		return nil, err
	}
	if s.exhausted(s.begun) {
		s.total = min(s.total, s.begun)
	}
	steps := t.Trainer.StepsPerEpoch()
	s.reach(train.Event{Step: s.begun, Epoch: s.begun / steps, EpochEnd: s.begun%steps == 0, Steps: steps, Seconds: t.Trainer.Seconds})
	if err := s.restoreBest(); err != nil {
		return nil, err
	}
	if s.Done() { // nothing is to be done, so nothing is to be changed
		return s, dir.DropDraw()
	}
	if err := cut.Apply(); err != nil {
		return nil, err
	}
	if err := dir.CutPictures(s.begun); err != nil {
		return nil, err
	}
	if err := s.reopen(env, text); err != nil {
		return nil, err
	}
	return s, s.restoreDraw()
}

// recall takes a line of the metrics that stays.
func (s *Session) recall(m run.Metric) {
	s.History.Add(m)
	s.Trainer.Seconds = max(s.Trainer.Seconds, m.Seconds)
	s.there[Wanted{m.Name, m.Split}] = m.Step
	s.judge(m, func(step int) bool { return slices.Contains(s.kept, step) })
}

// resume sets the training to a checkpoint.
func (t *Training) resume(c *run.Checkpoint) error {
	m := c.File.Metadata
	if want := t.Recipe.format(); m["format"] != want {
		return fmt.Errorf("format %q, want %q", m["format"], want)
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
	if text := s.Recipe.YAML(); string(text) != string(oldRecipe) {
		if err := s.Dir.WriteRecipe(text); err != nil {
			return err
		}
	}
	env.Step, env.Recipe, env.Paths = s.Trainer.Step, s.Recipe.Name, s.Recipe.paths()
	return s.Dir.AppendSession(env)
}

// Done reports whether there is nothing left to train or to measure.
func (s *Session) Done() bool {
	return s.Trainer.Step >= s.total && s.saved >= 0 && len(s.owed) == 0 && !s.owesPictures()
}

// Steps returns the number of updates at the end of the training.
func (s *Session) Steps() int { return s.total }

// Saved returns the step of the newest checkpoint, -1 where there is none.
func (s *Session) Saved() int { return s.saved }

// Owed returns the measures of the present step that are still to be taken.
func (s *Session) Owed() []Wanted { return s.owed }

// Checkpoint asks for a checkpoint after the update under way. Any goroutine may ask.
func (s *Session) Checkpoint() { s.asked.Store(true) }

// Run takes the measures that an earlier session left to do and trains to the recipe's last epoch, or to the one at which
// the recipe's patience ends. When the context is
// cancelled it gives up the measure under way, writes a checkpoint after the update under way, or of the one before
// where that takes long, and returns the context's error. A measure that fails is a Gap and no more. The error of a
// training that the recipe stops where it diverges is a *Diverged.
func (s *Session) Run(ctx context.Context) error {
	state := run.State{State: run.Training, Step: s.Trainer.Step, Epoch: s.Trainer.Step / s.Trainer.StepsPerEpoch(), Epochs: s.Recipe.Train.Epochs}
	if s.diverged != "" {
		state.State, state.Message = run.Diverged, s.diverged
	}
	s.report = s.Dir.NewReport(state)
	err := s.run(ctx)
	s.report.Close(s.outcome(err))
	s.tellFailure()
	s.report = nil
	return err
}

// outcome returns the state that a training has come to, and why.
func (s *Session) outcome(err error) (state, message string) {
	var bad *train.NonFinite
	var diverged *Diverged
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return run.Interrupted, "mattis resume goes on"
	case errors.As(err, &bad), errors.As(err, &diverged):
		return run.Diverged, err.Error()
	case err != nil:
		return run.Failed, err.Error()
	case s.diverged != "":
		return run.Diverged, s.diverged
	}
	return run.Ended, s.Stopped()
}

// tellFailure says once that state.json could not be written.
func (s *Session) tellFailure() {
	if err := s.report.Failure(); err != nil {
		s.tell("%v; the training is as it would be", err)
	}
}

func (s *Session) run(ctx context.Context) error {
	for _, last := range []bool{false, true} {
		for _, w := range s.Recipe.Wanted(s.Split, last) {
			if err := s.never[w]; err != nil {
				s.gap(Gap{w, 0, err})
			}
		}
	}
	gallery := newGallery(s)
	s.Trainer.Observers = slices.Concat([]train.Observer{&looker{s}, &saver{s, time.Now()}, &measurer{s, ctx}, &unreached{Session: s, ctx: ctx}, gallery},
		s.Watch, []train.Observer{&stopper{s}})
	var err error
	if s.begun > 0 { // the trainer tells of the start, and of no other step that it begins with
		err = s.measure(ctx)
		if err == nil && s.owesPictures() {
			err = gallery.draw(s.begun)
		}
		if err == nil {
			err = s.stop()
		}
	}
	if err == nil {
		err = s.Trainer.Run(ctx, s.Recipe.Train.Epochs)
	}
	if errors.Is(err, errPatience) {
		s.tell("%s", s.Stopped())
		err = nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
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
	return s.follow()
}

func (s *Session) tell(format string, args ...any) {
	if s.Told != nil {
		s.Told(fmt.Sprintf(format, args...))
	}
}

// save writes the checkpoint of the present step, unless it is there, and deletes those that are not to be kept.
func (s *Session) save() error {
	if s.saved == s.Trainer.Step {
		return nil
	}
	if err := s.write(); err != nil {
		return err
	}
	return s.keep()
}

func (s *Session) write() error {
	if err := s.follow(); err != nil {
		return err
	}
	if err := s.keepDraw(); err != nil {
		return err
	}
	f := s.checkpoint()
	s.noteLooks(f)
	if err := s.Dir.Save(s.Trainer.Step, f); err != nil {
		return err
	}
	s.saved = s.Trainer.Step
	return nil
}

// saveAsked writes the checkpoint that was asked for.
func (s *Session) saveAsked() error {
	if !s.asked.Swap(false) {
		return nil
	}
	if err := s.save(); err != nil {
		return err
	}
	s.tell("checkpoint of update %d written", s.saved)
	return nil
}

// follow looks whether the directory is still there.
func (s *Session) follow() error {
	s.followed = time.Now()
	from := s.Dir.Path()
	moved, err := s.Dir.Follow()
	if err != nil {
		return fmt.Errorf("%w; training stopped at update %d", err, s.Trainer.Step)
	}
	if moved {
		if s.report != nil {
			s.report.Moved(s.Dir.Path())
		}
		s.tell("%s was moved: training goes on in %s", from, s.Dir.Path())
	}
	return nil
}

// followEvery is how often a training looks whether its directory is still there.
const followEvery = time.Second

// saver writes checkpoints when they are due. It comes before the measurer: whatever becomes of measures, the training up to
// them is safe.
type saver struct {
	*Session
	last time.Time
}

func (s *saver) Observe(ev train.Event) error {
	s.reach(ev)
	s.report.At(ev.Step, ev.Epoch)
	s.tellFailure()
	now := time.Now()
	if now.Sub(s.followed) >= followEvery {
		if err := s.follow(); err != nil {
			return err
		}
	}
	c := s.Recipe.Train.Checkpoint
	due := ev.Step == s.total || s.halts() || ev.Step > 0 && (c.Epochs > 0 && ev.EpochEnd && ev.Epoch%c.Epochs == 0 ||
		c.Minutes > 0 && now.Sub(s.last).Minutes() >= c.Minutes)
	if due {
		s.last = now
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.saveAsked()
}

// measurer takes the measures that are due and keeps the results in metrics.jsonl.
type measurer struct {
	*Session
	ctx context.Context
}

func (m *measurer) Observe(train.Event) error { return m.measure(m.ctx) }

// reach notes the step that the training has come to, and what is to be measured there.
func (s *Session) reach(ev train.Event) {
	s.now, s.owed = ev, nil
	r, last := s.Recipe.Measure, ev.Step == s.total
	if !ev.EpochEnd || ev.Step > s.total || !(last || ev.Step == 0 || r.Every > 0 && ev.Epoch%r.Every == 0) {
		return
	}
	s.owed = slices.DeleteFunc(s.Recipe.Wanted(s.Split, last), func(w Wanted) bool {
		step, ok := s.there[w]
		return s.never[w] != nil || ok && step == ev.Step
	})
}

// measure takes the measures that are owed. They are a function of the step, of the parameters and, one of them, of the last
// draw, so it does not matter which session takes them.
func (s *Session) measure(ctx context.Context) error {
	if len(s.owed) == 0 {
		return nil
	}
	var memo eval.Memo
	for len(s.owed) > 0 {
		w := s.owed[0]
		x, err := s.Measure(ctx, w.Measure, w.Set, s.now.Drawn, &memo)
		switch {
		case ctx.Err() != nil && err != nil:
			return ctx.Err()
		case err != nil:
			s.gap(Gap{w, s.now.Step, err})
		default:
			line := run.Metric{Step: s.now.Step, Epoch: s.now.Epoch, Seconds: s.now.Seconds, Name: x.Measure, Split: x.Split, Value: x.Value, Stderr: x.Stderr, Detail: x.Detail}
			if err := s.Dir.Append(line); err != nil {
				return err
			}
			s.History.Add(line)
			s.there[w] = line.Step
			if s.judge(line, nil) {
				if err := s.saveBest(); err != nil {
					return err
				}
			}
			if s.Measured != nil {
				s.Measured(line)
			}
		}
		s.owed = s.owed[1:]
		if err := s.saveAsked(); err != nil {
			return err
		}
	}
	if s.exhausted(s.now.Step) && s.total > s.now.Step { // this is the end, with the measures of an end
		s.total = s.now.Step
		s.reach(s.now)
		if err := errors.Join(s.save(), s.keepDraw()); err != nil { // the checkpoint may be there already
			return err
		}
		return s.measure(ctx)
	}
	return s.dropDraw()
}

// gap takes down that a measure gave no value, and tells of each reason once. Before the first update there is much
// that has no value yet, which is no news.
func (s *Session) gap(g Gap) {
	none := (*eval.NoValue)(nil)
	novalue := errors.As(g.Err, &none)
	known := func(same func(Gap) bool) bool { return slices.ContainsFunc(s.Gaps, same) }
	if known(func(o Gap) bool { return o.Wanted == g.Wanted && o.Err.Error() == g.Err.Error() }) || novalue && g.Step == 0 && s.never[g.Wanted] == nil {
		return
	}
	news := !known(func(o Gap) bool { return o.Err.Error() == g.Err.Error() })
	s.Gaps = append(s.Gaps, g)
	switch {
	case !news:
	case novalue:
		s.tell("%v", g.Err)
	case s.never[g.Wanted] != nil:
		s.tell("not measured: %v", g.Err)
	default:
		s.tell("not measured at update %d: %v", g.Step, g.Err)
	}
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
	s := t.subject(set)
	s.Drawn, s.Memo, s.Key = drawn, memo, t.Recipe.measureKey(t.Trainer.Step)
	return measure.Run(ctx, s, t.Recipe.Measure.Options)
}

func (t *Training) subject(set string) eval.Subject {
	return eval.Subject{Machine: t.Machine, Split: t.Split, SetName: set, Kind: t.Trainer.Negative.Kind()}
}

// possible says whether the measure can be had in the training; see eval.Measure.Possible.
func (t *Training) possible(w Wanted) error {
	measure, err := eval.Named(w.Measure)
	if err != nil {
		return err
	}
	return measure.Possible(t.subject(w.Set), t.Recipe.Measure.Options)
}

// refuseImpossible returns an error for the first measure that would fail, with its place in the recipe. What has no value
// does not fail.
func (t *Training) refuseImpossible() error {
	m := t.Recipe.Measure
	for _, l := range []struct {
		path  string
		names []string
		sets  []string
	}{{"measure.test", m.Test, []string{"test"}}, {"measure.train", m.Train, []string{"train"}}, {"measure.last", m.Last, []string{"test", "train"}}} {
		for i, name := range l.names {
			for _, w := range onSets([]string{name}, t.Split, l.sets) {
				var none *eval.NoValue
				if err := t.possible(w); err != nil && !errors.As(err, &none) {
					return t.Recipe.origin.place(wrong(fmt.Sprintf("%s[%d]", l.path, i), "%v", err))
				}
			}
		}
	}
	return nil
}
