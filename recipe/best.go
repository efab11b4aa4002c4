package recipe

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"mattis/eval"
	"mattis/run"
	"mattis/train"
)

// none is the measure of Best that asks for no choice among checkpoints.
const none = "none"

// checkBest checks train.best and train.stop, and fills in the set of the measure: what is chosen by has to be measured during the training.
func (r *Recipe) checkBest() error {
	b := &r.Train.Best
	if b.Measure == none {
		switch {
		case b.Split != nil:
			return wrong("train.best.split", "%s has no meaning without train.best.measure", *b.Split)
		case r.Train.Stop.Patience > 0:
			return wrong("train.stop.patience", "%d measurements without a better one need train.best.measure: better by which measure?", r.Train.Stop.Patience)
		}
		return nil
	}
	if err := oneOf("train.best.measure", b.Measure, append([]string{none}, eval.Names()...)); err != nil {
		return err
	}
	m, _ := eval.Named(b.Measure)
	if m.Goal == eval.NoGoal {
		return wrong("train.best.measure", "of %s neither small nor great values are better, take one of which they are: %s", b.Measure, strings.Join(slices.Collect(withGoal), ", "))
	}
	lists := map[string][]string{"test": r.Measure.Test, "train": r.Measure.Train}
	if m.Data == eval.NeedsData {
		if b.Split == nil {
			b.Split = ptr("test")
		}
		list, ok := lists[*b.Split]
		if !ok {
			return wrong("train.best.split", "%q is no set that is measured during training, want test or train", *b.Split)
		}
		if !slices.Contains(list, b.Measure) {
			return wrong("train.best.measure", "%s on %s is not measured during training: put it into measure.%s", b.Measure, *b.Split, *b.Split)
		}
	} else {
		if b.Split != nil {
			return wrong("train.best.split", "%q has no meaning for %s, which is of the machine alone: leave it out", *b.Split, b.Measure)
		}
		if !slices.Contains(r.Measure.Test, b.Measure) && !slices.Contains(r.Measure.Train, b.Measure) {
			return wrong("train.best.measure", "%s is not measured during training: put it into measure.test or measure.train", b.Measure)
		}
	}
	if r.Measure.Every == 0 {
		return wrong("measure.every", "0 measures at the start and the end alone, and train.best chooses among more: want at least 1")
	}
	return nil
}

// withGoal yields the names of the measures of which some values are better than others.
func withGoal(yield func(string) bool) {
	for _, m := range eval.Measures {
		if m.Goal != eval.NoGoal && !yield(m.Name) {
			return
		}
	}
}

// chosen is the best checkpoint so far. It is a function of the lines of metrics.jsonl.
type chosen struct {
	best   *run.Best
	since  int   // measurements after it, none better
	judged int   // step of the last measurement
	kept   []int // steps of the checkpoints that the session began with
}

// judge takes a line of the metrics into account, and reports whether it is the best so far. A best step without a
// checkpoint is none: so are those of a run that was not asked to keep them.
func (s *Session) judge(m run.Metric, kept func(step int) bool) bool {
	b := s.Recipe.Train.Best
	split := ""
	give(&split, b.Split)
	if m.Name != b.Measure || m.Split != split {
		return false
	}
	measure, err := eval.Named(m.Name)
	if err != nil {
		return false
	}
	s.judged = m.Step
	if !math.IsInf(m.Value, 0) && (s.best == nil && !math.IsNaN(m.Value) || s.best != nil && measure.Goal.Better(m.Value, s.best.Value)) {
		if kept != nil && !kept(m.Step) {
			return false
		}
		s.best, s.since = &run.Best{Step: m.Step, Epoch: m.Epoch, Measure: m.Name, Split: m.Split, Value: m.Value}, 0
		return true
	}
	if s.best != nil {
		s.since++
	}
	return false
}

// saveBest writes the checkpoint of the present step, then its number into best.json, and only then deletes what that
// named before: at any moment the best checkpoint is there.
func (s *Session) saveBest() error {
	if s.saved != s.Trainer.Step {
		if err := s.write(); err != nil {
			return err
		}
	}
	if err := s.Dir.WriteBest(s.best); err != nil {
		return err
	}
	return s.keep()
}

// keep deletes the checkpoints that are not to be kept.
func (s *Session) keep() error {
	n := s.Recipe.Train.Checkpoint.Keep
	if s.best == nil {
		return s.Dir.Keep(n)
	}
	return s.Dir.Keep(n, s.best.Step)
}

// restoreBest makes best.json agree with the metrics: a process may have ended between the two.
func (s *Session) restoreBest() error {
	is, err := s.Dir.Best()
	if err == nil && (is == nil && s.best == nil || is != nil && s.best != nil && reflect.DeepEqual(*is, *s.best)) {
		return nil
	}
	return s.Dir.WriteBest(s.best)
}

// exhausted reports whether the measurement of a step was the last that the recipe's patience has.
func (s *Session) exhausted(step int) bool {
	n := s.Recipe.Train.Stop.Patience
	return n > 0 && s.best != nil && s.since >= n && s.judged == step
}

// Stopped says why the training ends, or has ended, before the recipe's last epoch, "" where it does not.
func (s *Session) Stopped() string {
	if !s.exhausted(s.total) || s.total >= s.Trainer.Steps(s.Recipe.Train.Epochs) {
		return ""
	}
	b := s.best
	what := b.Measure
	if b.Split != "" {
		what = b.Split + " " + what
	}
	return fmt.Sprintf("no better %s in %d measurements than %.4g at update %d, epoch %d: the end by train.stop.patience", what, s.since, b.Value, b.Step, b.Epoch)
}

// errPatience ends the training at its trainer; it is no error to anyone else.
var errPatience = errors.New("the patience has ended")

// stopper ends the training before its last epoch where the recipe asks for it. It comes last: all that is to be done at the
// step has been done.
type stopper struct{ *Session }

func (s *stopper) Observe(train.Event) error { return s.stop() }

func (s *Session) stop() error {
	switch {
	case s.halts():
		return &Diverged{Step: s.Trainer.Step, Why: s.diverged}
	case s.total < s.Trainer.Steps(s.Recipe.Train.Epochs) && s.Trainer.Step >= s.total:
		return errPatience
	}
	return nil
}
