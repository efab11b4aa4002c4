package recipe

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/run"
	"mattis/sampler"
	"mattis/train"
)

// tracking is what a training estimates log Z by on its way, for the measure nll_tracked.
type tracking struct {
	*eval.Tracked     // nil where nothing asks for it
	every         int // epochs from one state that is followed to to the next
	steps         int // to each
}

// trackedName is the measure that wants log Z estimated along the training.
const trackedName = "nll_tracked"

// How log Z is estimated: by so many paths in each direction, by at least so many steps, for this share
// of the products of the training.
const (
	trackedPaths = 100
	trackedSteps = 20
	trackedShare = 0.05

	mostTrackedSteps = 5000 // more are left to nll
)

// tracks reports whether the recipe asks for log Z carried along.
func (r *Recipe) tracks() bool {
	m := r.Measure
	return slices.Contains(slices.Concat(m.Test, m.Train, m.Last), trackedName)
}

// track makes ready what carries log Z along.
func (t *Training) track() {
	if !t.Recipe.tracks() || !t.Machine.SumsOut() {
		return
	}
	t.tracking.Tracked = eval.NewTracked(t.Recipe.BuildMachine(t.Split.Train.Visible, t.Machine.Engine()), trackedPaths)
	epoch := trackedShare * t.updateRows() * float64(t.Trainer.StepsPerEpoch())
	if e := t.Recipe.Measure.Every; e > 0 { // F of the rows that are judged is a part of the cost
		rows := 0
		for _, w := range t.Recipe.Wanted(t.Split, false) {
			if set := t.Split.Set(w.Set); w.Measure == trackedName && set != nil {
				rows += set.Rows
			}
		}
		epoch = max(epoch-float64(rows)/float64(e), epoch/4)
	}
	step := t.Products(1) + 6*updateCells/t.cells() // the calls beside the products
	every := math.Ceil(trackedSteps * step / epoch)
	if e := t.Recipe.Measure.Every; e > 0 { // what is not measured needs no paths, and saves up for what is
		every = math.Ceil(every/float64(e)) * float64(e)
	}
	t.tracking.every = int(min(max(every, 1), math.MaxInt32))
	t.tracking.steps = int(min(max(float64(t.tracking.every)*epoch/step, 1), mostTrackedSteps))
}

// goOn reports whether the training has chains that go on from update to update in the machine that
// is followed: not where that is a mean of parameters, for chains move under others.
func (t *Training) goOn() bool {
	kind, _ := find(negatives, t.Recipe.Negative.Kind)
	return kind.lasting && t.Trainer.Average == nil
}

// updateRows returns what an update costs in products of one row with the couplings, and what it
// costs beside them.
func (t *Training) updateRows() float64 {
	r := t.Recipe
	batch := float64(min(r.Train.Batch, t.Split.Train.Rows))
	update := 3*batch + updateCells/t.cells()
	if n := r.Negative; n.Steps != nil {
		rows := batch
		switch {
		case n.Temperatures != nil:
			rows = float64(n.held()) * float64(len(*n.Temperatures))
		case n.Rungs != nil: // an exchange takes the products of a sweep, or half of them
			rows = float64(n.held()) * (1 + 2*float64(*n.Rungs)/float64(*n.Every))
		case n.Chains != nil:
			rows = float64(n.held())
		case t.Axons != nil && n.Seeds != nil:
			rows = float64(*r.Couplings.Patterns)
		}
		update += 2 * rows * float64(*n.Steps)
		if n.Fresh != nil {
			update += 2 * float64(n.renewal()) * float64(*n.Fresh.Steps)
		}
	}
	return update
}

// trackedState returns what a checkpoint keeps of it.
func (t *Training) trackedState() []bm.Param {
	if t.Tracked == nil {
		return nil
	}
	return t.Tracked.State()
}

// held returns the chains of the training that go on from update to update, as they are after the last
// one: samples of the machine or near to it. With shards they are those of all processes, which have
// to ask at once.
func (t *Training) held() (h eval.Chains, err error) {
	if !t.goOn() {
		return h, nil
	}
	state, err := t.Trainer.State()
	if err != nil {
		return h, err
	}
	e := t.Machine.Engine()
	named := func(name string) compute.Matrix {
		for _, p := range state {
			if p.Name == name {
				return p.Value
			}
		}
		return compute.Matrix{}
	}
	h.Visible = named("chains." + t.Machine.Graph().Layers[bm.Visible].Name)
	if h.Visible.IsNone() {
		return h, nil
	}
	rungs, weights := named("chains.rungs"), named("chains.weights")
	var rung []float32
	if !rungs.IsNone() {
		rung = make([]float32, rungs.Len())
		compute.Read(e, rung, rungs)
	}
	for i := range h.Visible.Rows() {
		if rung == nil || rung[i] == 0 {
			h.Rows = append(h.Rows, int32(i))
		}
	}
	if !weights.IsNone() {
		logs := make([]float64, weights.Len())
		compute.Read(e, logs, weights)
		sampler.Redraw(h.Rows, logs, t.Recipe.Key().Fold(purposeTracked).Fold(uint64(t.Trainer.Step)).Fold(heldStream))
	}
	return h, nil
}

// heldStream is what the key of a step is folded for where chains are drawn by their weights.
const heldStream = 1 << 40

// follow takes log Z along to the parameters after so many updates.
func (t *Training) follow(step int) error {
	chains, err := t.held()
	if err != nil {
		return err
	}
	t.Follow(t.Machine, step, t.steps, chains, t.Recipe.Key().Fold(purposeTracked).Fold(uint64(step)))
	return nil
}

// recallTracked sets it to what a checkpoint holds, and begins anew where that is nothing, or
// what versions before wrote, whose paths had other tensors.
func (t *Training) recallTracked(c *run.Checkpoint) error {
	if _, ok := c.File.Tensor(eval.TrackedName); !ok || t.Tracked == nil {
		return nil
	}
	return restore(t.Machine.Engine(), t.trackedState(), c.File)
}

// tracked returns log Z as the checkpoint has it carried along, nil where it has not. It is an error
// where that is of another update.
func (m *Model) tracked() (*eval.Tracked, error) {
	t := eval.NewTracked(m.Recipe.BuildMachine(m.Visible(), m.Machine.Engine()), trackedPaths)
	if _, ok := m.Checkpoint.File.Tensor(t.State()[0].Name); !ok {
		return nil, nil
	}
	if err := restore(m.Machine.Engine(), t.State(), m.Checkpoint.File); err != nil {
		return nil, err
	}
	if at, _ := t.At(); at != m.Step {
		return nil, &eval.NoValue{Why: fmt.Sprintf("log Z was last carried along to update %d, and the checkpoint is of %d: take nll", at, m.Step)}
	}
	return t, nil
}

// tracker follows the parameters at the end of epochs. It comes before the saver: checkpoints hold
// what it has come to.
type tracker struct{ *Session }

func (t tracker) Observe(ev train.Event) error {
	if t.Tracked != nil && ev.EpochEnd && ev.Epoch%t.tracking.every == 0 {
		return t.Training.follow(ev.Step)
	}
	return nil
}

// withTracked calls look with log Z followed to the present step, or leaves that out where the
// step is one between those that are followed to.
func (s *Session) withTracked(look func() error) error {
	if at, ok := s.Tracked.At(); ok && at == s.now.Step {
		return look()
	}
	chains, err := s.held()
	if err != nil {
		return err
	}
	return s.Peek(s.Machine, s.now.Step, s.steps, chains, s.Recipe.Key().Fold(purposeTracked).Fold(uint64(s.now.Step)), look)
}

// passes reports whether the measure is left out at the epoch of the event: log Z is not followed
// there, and it is not the end.
func (s *Session) passes(w Wanted, ev train.Event) bool {
	return w.Measure == trackedName && s.Tracked != nil && ev.Epoch%s.tracking.every != 0 && ev.Step != s.total
}

// cells returns the couplings of the first pair, whose products an update mostly is.
func (t *Training) cells() float64 {
	layers, pair := t.Machine.Layers(), t.Machine.Graph().Pairs[0]
	return float64(layers[pair.A]) * float64(layers[pair.B])
}
