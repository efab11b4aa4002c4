package recipe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"mattis/comm"
	"mattis/compute"
	"mattis/run"
	"mattis/train"
)

// Continue prepares to go on with the run in the directory, from its newest
// good checkpoint or from the start if there is none. Settings may change the epochs, the
// checkpoints, what ends the training, the measures and the places of the data.
func Continue(dir *run.Writer, e compute.Engine, env run.Session, settings ...string) (*Session, error) {
	return ContinueShared(nil, dir, e, env, settings...)
}

// ContinueShared is Continue of a training that the processes of c share, which may be more or fewer
// than before. Each reads the directory, the first as its writer and the others as run.Beside.
func ContinueShared(c *comm.Comm, dir *run.Writer, e compute.Engine, env run.Session, settings ...string) (*Session, error) {
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
		return nil, fmt.Errorf("%s%s: a run goes on with its own recipe; only train.epochs, train.checkpoint, train.best, "+
			"train.stop, measure and where the data lie may be set (to train another recipe from here: "+
			"mattis train RECIPE --init %s)", old.decisiveOf(text, settings), dir.Path(), dir.Path())
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
	t, err := r.build(c, split, e)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(r.Measure, old.Measure) { // a run of old goes on without what it cannot measure
		if err := t.refuseImpossible(); err != nil {
			return nil, err
		}
	}
	t.track()
	t.start = t.reference() // of the recipe's parameters, which the checkpoint's replace
	found, refused, err := dir.Newest()
	saved := -1
	if found != nil {
		saved = found.Step
	}
	if err == nil || errors.Is(err, run.ErrNoCheckpoint) {
		if other := sameStep(c, dir.Path(), saved); other != nil {
			return nil, other
		}
	}
	switch {
	case errors.Is(err, run.ErrNoCheckpoint):
		refused = passedOver(refused, "going on from the start")
	case err != nil:
		return nil, err
	default:
		if err := t.resume(found); err != nil {
			return nil, fmt.Errorf("%s: %w", found.Path, err)
		}
		refused = passedOver(refused, "going on from update %d", saved)
	}
	s := newSession(t, dir, saved)
	s.Refused = refused
	t.start.also(begun.Init)
	s.recallLooks(found)
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
	if state, err := dir.State(); err == nil { // what the metrics do not tell of the last epochs
		t.Trainer.Seconds = max(t.Trainer.Seconds, state.SecondsAt(s.begun))
	}
	if s.exhausted(s.begun) {
		s.total = min(s.total, s.begun)
	}
	steps := t.Trainer.StepsPerEpoch()
	s.reach(train.Event{Step: s.begun, Epoch: s.begun / steps, EpochEnd: s.begun%steps == 0, Steps: steps, Seconds: t.Trainer.Seconds})
	// From here on the first process changes the directory: the others have read it by now.
	if err := sameStep(c, dir.Path(), s.begun); err != nil {
		return nil, err
	}
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
	state, err := t.Trainer.State()
	if err != nil {
		return err
	}
	if err := restore(t.Machine.Engine(), state, c.File); err != nil {
		return err
	}
	t.Trainer.Restored(state)
	t.Trainer.Step = c.Step
	return t.recallTracked(c)
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
