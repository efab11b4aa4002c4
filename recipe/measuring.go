package recipe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
	"mattis/run"
	"mattis/train"
)

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
		return s.never[w] != nil || ok && step == ev.Step || s.passes(w, ev)
	})
}

// measure takes the measures that are owed. They are a function of the step, of the parameters and,
// one of them, of the last draw, so it does not matter which session takes them.
func (s *Session) measure(ctx context.Context) error {
	if len(s.owed) == 0 {
		return nil
	}
	var memo eval.Memo
	for len(s.owed) > 0 {
		w := s.owed[0]
		var x eval.Result
		var err error
		take := func() { x, err = s.Measure(ctx, w.Measure, w.Set, s.now.Drawn, &memo) }
		if w.Measure != trackedName || s.Tracked == nil {
			take()
		} else if failed := s.withTracked(take); failed != nil {
			return failed
		}
		switch {
		case s.shared() && errors.Is(err, context.Canceled):
			return err
		case ctx.Err() != nil && err != nil && !s.shared():
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

// gap takes down that a measure gave no value, and tells of each reason once. Before the first
// update there is much that has no value yet, which is no news.
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

// Wanted returns what the recipe measures at the end of an epoch, or of the last one, on the sets
// that the split has. A nil split leaves the measures that need data out.
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

// Measure returns the value of a measure on the set "train", "test" or "validation" ("" where it
// needs none). drawn is what the estimator returned last; memo may be nil.
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
	return eval.Subject{Machine: t.Machine, Split: t.Split, SetName: set, Kind: t.Trainer.Estimator().Kind(), Tracked: t.Tracked, Comm: t.comm}
}

// possible says whether the measure can be had in the training; see eval.Measure.Possible.
func (t *Training) possible(w Wanted) error {
	measure, err := eval.Named(w.Measure)
	if err != nil {
		return err
	}
	return measure.Possible(t.subject(w.Set), t.Recipe.Measure.Options)
}

// refuseImpossible returns an error for the first measure that would fail, with its place in the
// recipe. What has no value does not fail.
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
