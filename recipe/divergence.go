package recipe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/run"
	"mattis/tensorfile"
	"mattis/train"
)

// A training has diverged where its machine says less about its own training set than no training
// would: where the log pseudo-likelihood of the set has been manyTimes that of the start, and that
// of fair coins, at enoughLooks looks in a row, or farTooMany times at one.
// docs/decisions/0009-divergence.md has the trainings that these numbers were read off.
const (
	manyTimes   = 4
	farTooMany  = 100
	enoughLooks = 3
)

// A look takes lookFlips spins of lookRows rows, always the same. Looks cost less than a fiftieth
// of the updates between them, if an update costs one free energy a row, and it costs several; or
// they come with measures, which cost more.
const (
	lookRows  = 64
	lookFlips = 3
	lookShare = 50
)

// Diverged is the error of a training that was stopped where it diverged, as its recipe asks.
type Diverged struct {
	Step int
	Why  string
}

func (e *Diverged) Error() string {
	return fmt.Sprintf("stopped at update %d by train.stop.diverged: %s", e.Step, e.Why)
}

// reference is what a training is compared with: log pseudo-likelihoods of the training set in nats
// a row.
type reference struct {
	start float64 // at the recipe's first parameters, or those of --init
	worst float64 // the worst of start, fair coins, and the start with its patterns where projections allow them
}

// pseudoLikelihood is that of a look, -Inf where it is not finite. It is not to be interrupted: a
// checkpoint of the step has to know of it.
func (t *Training) pseudoLikelihood() float64 {
	measure, err := eval.Named("pseudo_likelihood")
	if err != nil {
		panic(err)
	}
	s := t.subject("train")
	s.Key = t.Recipe.Key().Fold(purposeLooks)
	o := eval.Defaults()
	o.PseudoLikelihood = eval.PseudoOptions{Spins: lookFlips, Rows: lookRows}
	x, err := measure.Run(context.Background(), s, o)
	if err != nil { // the set and the machine fit, so it is no finite number
		return math.Inf(-1)
	}
	return x.Value
}

// bound returns the most that a projection leaves of an entry of the patterns, 0 for no bound. The
// most and not the least: a sign after epochs undoes a clip of less after updates, and a reference
// that is too hard calls honest trainings diverged.
func (r *Recipe) bound() float64 {
	most := 0.0
	for _, c := range slices.Concat(r.Project.Update, r.Project.Epoch) {
		b := 1.0 // sign, and gibbs, which leaves spins
		if c.Name == "clip" {
			b = *c.Value
		}
		most = max(most, b)
	}
	return most
}

// boundless reports whether the parameters can run away at all.
func (r *Recipe) boundless() bool {
	c := r.Couplings
	return r.bound() == 0 || c.Kind != "axons" || *c.LearnGain || r.Machine.Biases != none
}

// reference returns that of the parameters as they are.
func (t *Training) reference() reference {
	if !t.Recipe.boundless() {
		return reference{}
	}
	visible := t.Split.Train.Visible
	r := reference{worst: -float64(visible) * math.Ln2}
	r.include(t)
	start := r.start
	if b := t.Recipe.bound(); b > 0 { // patterns may come to their bound and be frozen there, which is no divergence
		e := t.Machine.Engine()
		v, h := t.Axons.Patterns(bm.Visible), t.Axons.Patterns(bm.Hidden)
		for _, p := range []bm.Param{v, h} {
			x := make([]float32, p.Value.Len())
			compute.Read(e, x, p.Value)
			old := slices.Clone(x)
			for i := range x {
				x[i] = float32(math.Copysign(b, float64(x[i])))
			}
			compute.Write(e, p.Value, x)
			defer compute.Write(e, p.Value, old)
		}
		r.include(t)
	}
	r.start = start
	return r
}

// include takes the parameters as they are for a start, and returns what may be given to also; nil
// for no number.
func (r *reference) include(t *Training) *float64 {
	if !t.Recipe.boundless() {
		return nil
	}
	x := t.pseudoLikelihood()
	if math.IsInf(x, 0) {
		return nil
	}
	r.also(&x)
	return &x
}

// also takes the value for that of a start, if there is one.
func (r *reference) also(x *float64) {
	if x != nil {
		r.start, r.worst = *x, min(r.worst, *x)
	}
}

// looks is what looks have found.
type looks struct {
	worse    int    // looks in a row that were too bad, up to enoughLooks
	fine     int    // looks in a row that were not, once it has diverged: it has come back after enoughLooks
	diverged string // why the training counts as diverged; "" where it does not
}

// looksKey is the metadata entry of a checkpoint with the number of looks that were too bad. It is
// there where a training may be stopped for them, so that one that goes on is stopped at the same
// update, and nowhere else.
const looksKey = "diverging"

func (s *Session) noteLooks(f *tensorfile.File) {
	if s.Recipe.Train.Stop.Diverged && s.worse > 0 {
		f.Metadata[looksKey] = strconv.Itoa(s.worse)
	}
}

// recallLooks takes up where the checkpoint, which may be nil, was written.
func (s *Session) recallLooks(c *run.Checkpoint) {
	if c == nil {
		return
	}
	n, err := strconv.Atoi(c.File.Metadata[looksKey])
	switch {
	case err == nil:
		s.worse = min(max(n, 0), enoughLooks)
	case !s.Recipe.Train.Stop.Diverged:
		if state, err := s.Dir.State(); err == nil && state.State == run.Diverged { // the next look tells
			s.worse = enoughLooks - 1
		}
	}
	if s.worse == enoughLooks && s.Recipe.boundless() {
		s.diverged = s.whyDiverged(s.pseudoLikelihood())
	}
}

// halts reports whether the training is to be stopped where it is.
func (s *Session) halts() bool { return s.Recipe.Train.Stop.Diverged && s.worse >= enoughLooks }

// looker looks whether the training has diverged. It comes before all else, for checkpoints hold
// what it has found.
type looker struct{ *Session }

func (l *looker) Observe(ev train.Event) error {
	last := ev.Step == l.total
	due := l.looksAt(ev)
	if !l.Recipe.boundless() || !due && !last || ev.Step == 0 {
		return nil
	}
	x := l.pseudoLikelihood()
	bad := x < manyTimes*l.start.worst
	if due { // what the last epoch is may be changed, and a training that goes on from there is to have the same looks
		switch {
		case x < farTooMany*l.start.worst:
			l.worse = enoughLooks
		case bad:
			l.worse = min(l.worse+1, enoughLooks)
		case l.diverged == "":
			l.worse = 0
		default:
			l.fine++
		}
		if bad {
			l.fine = 0
		}
		if l.fine == enoughLooks {
			l.worse, l.fine = 0, 0
		}
	}
	switch {
	case l.diverged == "" && (l.worse == enoughLooks || last && bad):
		l.diverged = l.whyDiverged(x)
		if !l.halts() { // else its error says so
			l.tell("update %d, epoch %d: %s", ev.Step, ev.Epoch, l.diverged)
		}
		l.report.Say(run.Diverged, l.diverged)
	case l.diverged != "" && l.worse == 0 && due && !bad:
		l.diverged = ""
		l.tell("update %d, epoch %d: the training has come back: its log pseudo-likelihood is %s nats a row",
			ev.Step, ev.Epoch, nats(x))
		l.report.Say(run.Training, "")
	}
	return nil
}

// looksAt reports whether there is a look after the update, whatever the last epoch is.
func (s *Session) looksAt(ev train.Event) bool {
	m := s.Recipe.Measure
	rows := s.Split.Train.Rows
	between := (lookShare*lookRows*(1+lookFlips) + rows - 1) / rows // epochs
	return ev.EpochEnd && (ev.Epoch%between == 0 || m.Every > 0 && len(m.Test)+len(m.Train) > 0 && ev.Epoch%m.Every == 0)
}

// whyDiverged says that the training has diverged, by what numbers, and what helps.
func (s *Session) whyDiverged(x float64) string {
	r := s.Recipe
	help := []string{fmt.Sprintf("a lower optimizer.rate than %g", r.Optimizer.Rate)}
	if r.Optimizer.Kind == "sgd" {
		help = append(help, "optimizer={kind: adam}")
	}
	if r.Couplings.Kind == "axons" && r.bound() == 0 {
		help = append(help, "project={update: [{clip: 1}]}")
	}
	stop := ""
	if !r.Train.Stop.Diverged {
		stop = "; train.stop.diverged=true ends a training there"
	}
	coins := -float64(s.Split.Train.Visible) * math.Ln2
	return fmt.Sprintf("the training has diverged: the log pseudo-likelihood of the training set is %s nats a row, "+
		"where fair coins have %s and the start had %s; what helps is %s%s",
		nats(x), nats(coins), nats(s.start.start), strings.Join(help, " or "), stop)
}

func nats(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
