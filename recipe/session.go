package recipe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"mattis/comm"
	"mattis/compute"
	"mattis/data"
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
	due   time.Time   // when the last one was due
	// forUser says that asked has been passed on to the other processes.
	forUser bool

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

// BeginFrom is Begin with the parameters of another run's newest checkpoint (see Initialize). The
// run has a checkpoint of its start before it can be resumed. A nil from is Begin.
func BeginFrom(r *Recipe, split *data.Split, dir *run.Writer, e compute.Engine, env run.Session, from *run.Directory) (*Session, error) {
	return BeginShared(nil, r, split, dir, e, env, from)
}

// BeginShared is BeginFrom of a training that the processes of c share: the first has the empty run
// directory, the others one that is run.Beside it. They do the same, and the first alone writes.
func BeginShared(c *comm.Comm, r *Recipe, split *data.Split, dir *run.Writer, e compute.Engine, env run.Session, from *run.Directory) (*Session, error) {
	t, err := r.BuildShared(c, split, e)
	if err != nil {
		return nil, err
	}
	t.track()
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
	s.Refused, s.Taken, s.Warnings = refused, taken, t.Remarks
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
	if s.shared() {
		t.Trainer.Shards.Asks = s.asks
	}
	for _, last := range []bool{false, true} {
		for _, w := range t.Recipe.Wanted(t.Split, last) {
			if err := t.possible(w); err != nil {
				s.never[w] = err
			}
		}
	}
	return s
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

// Run takes the measures that an earlier session left to do and trains to the recipe's last epoch,
// or to the one at which the recipe's patience ends. When the context is cancelled it gives up the
// measure under way, writes a checkpoint after the update under way, or of the one before where
// that takes long, and returns the context's error. A measure that fails is a Gap and no more. The
// error of a training that the recipe stops where it diverges is a *Diverged.
func (s *Session) Run(ctx context.Context) error {
	state := run.State{State: run.Training, Step: s.Trainer.Step, Epoch: s.Trainer.Step / s.Trainer.StepsPerEpoch(), Epochs: s.Recipe.Train.Epochs, Seconds: s.Trainer.Seconds}
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
	s.due = time.Now()
	gallery := newGallery(s)
	s.Trainer.Observers = slices.Concat([]train.Observer{&looker{s}, tracker{s}, &saver{s}, &measurer{s, ctx}, &unreached{Session: s, ctx: ctx}, &parted{Session: s}, gallery},
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

// save writes the checkpoint of the present step, unless it is there, and deletes those that are
// not to be kept.
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
	f, err := s.checkpoint()
	if err != nil {
		return err
	}
	s.noteLooks(f)
	if err := s.Dir.Save(s.Trainer.Step, f); err != nil {
		return err
	}
	s.saved = s.Trainer.Step
	return nil
}

// saveAsked writes the checkpoint that was asked for.
func (s *Session) saveAsked() error {
	if s.shared() || !s.asked.Swap(false) { // all processes agree after an update
		return nil
	}
	return s.saveForUser()
}

func (s *Session) saveForUser() error {
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

// saver writes checkpoints when they are due. It comes before the measurer: whatever becomes of
// measures, the training up to them is safe.
type saver struct{ *Session }

// shared reports whether other processes train along.
func (s *Session) shared() bool { return s.comm.Size() > 1 }

// overdue reports whether the minutes between two checkpoints are over.
func (s *Session) overdue() bool {
	m := s.Recipe.Train.Checkpoint.Minutes
	return m > 0 && time.Since(s.due).Minutes() >= m
}

// asks reports whether a checkpoint is due by what this process alone knows: the clock, which is
// the first one's, and its user.
func (s *Session) asks() bool {
	if s.asked.Swap(false) {
		s.forUser = true
	}
	return s.forUser || s.comm.Rank() == 0 && s.overdue()
}

func (s *saver) Observe(ev train.Event) error {
	s.reach(ev)
	s.report.At(ev.Step, ev.Epoch, ev.Seconds)
	s.tellFailure()
	now := time.Now()
	if now.Sub(s.followed) >= followEvery {
		if err := s.follow(); err != nil {
			return err
		}
	}
	c := s.Recipe.Train.Checkpoint
	due := ev.Step == s.total || s.halts() || ev.Step > 0 && (c.Epochs > 0 && ev.EpochEnd && ev.Epoch%c.Epochs == 0 ||
		ev.Asked || !s.shared() && s.overdue())
	forUser := s.forUser || s.shared() && ev.Asked && !s.overdue() // the one of some other process
	if due {
		s.due = now
		if err := s.save(); err != nil {
			return err
		}
	}
	if forUser {
		s.forUser = false
		return s.saveForUser()
	}
	return s.saveAsked()
}
