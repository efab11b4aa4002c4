package recipe

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/rng"
	"mattis/run"
	"mattis/sampler"
	"mattis/train"
)

// tracking is what a training estimates log Z by on its way, for the measure nll_tracked.
type tracking struct {
	*eval.Tracked         // nil where nothing asks for it
	every         int     // epochs from one state that is followed to to the next; 0 where it is the end alone
	steps         int     // to each
	epoch         float64 // steps that an epoch pays for
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

// tracks reports whether the recipe asks for log Z along the training.
func (r *Recipe) tracks() bool {
	m := r.Measure
	return slices.Contains(slices.Concat(m.Test, m.Train, m.Last), trackedName)
}

// track makes ready what estimates log Z along the training.
func (t *Training) track() {
	if !t.Recipe.tracks() || !t.Machine.SumsOut() {
		return
	}
	t.tracking.Tracked = eval.NewTracked(t.Recipe.BuildMachine(t.Split.Train.Visible, t.Machine.Engine()), trackedPaths)
	epoch := trackedShare * t.updateRows() * float64(t.Trainer.StepsPerEpoch())
	step := t.Products(1) + 6*updateCells/t.cells() // the calls beside the products
	t.tracking.epoch = epoch / step
	e, rows := float64(t.Recipe.Measure.Every), 0
	for _, w := range t.Recipe.Wanted(t.Split, false) {
		if set := t.Split.Set(w.Set); w.Measure == trackedName && set != nil {
			rows += set.Rows
		}
	}
	if e == 0 || rows == 0 { // nobody looks before the end, which has all that is saved up
		return
	}
	epoch = max(epoch-float64(rows)/e, epoch/4) // F of the rows that are judged is a part of the cost
	// What is not measured needs no paths, and saves up for what is.
	t.tracking.every = int(min(max(math.Ceil(math.Ceil(trackedSteps*step/epoch)/e)*e, 1), math.MaxInt32))
	t.tracking.steps = int(min(max(float64(t.tracking.every)*epoch/step, 1), mostTrackedSteps))
}

// stepsAt returns by how many steps log Z is estimated after so many epochs.
func (t *Training) stepsAt(epoch int) int {
	if t.tracking.every > 0 {
		return t.tracking.steps
	}
	return int(min(max(float64(epoch)*t.tracking.epoch, trackedSteps), mostTrackedSteps))
}

// goOn reports whether the training has chains that go on from update to update in the machine that
// is followed: not where they move under other parameters, as those beside a mean of parameters do,
// and those of fpcd.
func (t *Training) goOn() bool {
	kind, _ := find(negatives, t.Recipe.Negative.Kind)
	return kind.lasting && !kind.apart && t.Trainer.Average == nil
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
		// Chains that start anew until an update are left out: their share would hang on train.epochs, which
		// a resumed training may change, and its paths with it.
		if n.Fresh != nil && n.Fresh.Until == nil {
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
// to ask at once. Chains with weights are drawn by these, one a path. The weights are for the parameters
// before the last update, as the chains themselves are: its factor exp(F_old - F_new) is not in
// them, and the sweeps that all chains make first have to bring them after it.
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
		h.Rows = make([]int32, trackedPaths)
		sampler.Redraw(h.Rows, logs, t.trackedKey(t.Trainer.Step).Fold(heldStream))
	}
	return h, nil
}

// heldStream is what the key of a step is folded for where chains are drawn by their weights.
const heldStream = 1 << 40

// follow estimates log Z of the parameters after so many updates and epochs.
func (t *Training) follow(step, epoch int) error {
	chains, err := t.held()
	if err != nil {
		return err
	}
	t.Follow(t.Machine, step, t.stepsAt(epoch), chains, t.trackedKey(step))
	return nil
}

func (t *Training) trackedKey(step int) rng.Key {
	return t.Recipe.Key().Fold(purposeTracked).Fold(uint64(step))
}

// recallTracked sets it to what a checkpoint holds, and begins anew where that is nothing, or
// what versions before wrote, whose paths had other tensors. Where the end alone is followed to, what
// was an end is none where a training goes on, and later checkpoints know nothing of it.
func (t *Training) recallTracked(c *run.Checkpoint) error {
	if _, ok := c.File.Tensor(eval.TrackedName); !ok || t.Tracked == nil || t.tracking.every == 0 {
		return nil
	}
	return restore(t.Machine.Engine(), t.trackedState(), c.File)
}

// tracked returns log Z as the checkpoint has it, nil where it has not. It is an error where that is of
// another update.
func (m *Model) tracked() (*eval.Tracked, error) {
	t := eval.NewTracked(m.Recipe.BuildMachine(m.Visible(), m.Machine.Engine()), trackedPaths)
	if _, ok := m.Checkpoint.File.Tensor(eval.TrackedName); !ok {
		return nil, nil
	}
	if err := restore(m.Machine.Engine(), t.State(), m.Checkpoint.File); err != nil {
		return nil, err
	}
	switch at, ok := t.At(); {
	case !ok:
		return nil, &eval.NoValue{Why: fmt.Sprintf("log Z was estimated at no update up to the checkpoint's, %d: take nll", m.Step)}
	case at != m.Step:
		return nil, &eval.NoValue{Why: fmt.Sprintf("log Z was last estimated at update %d, and the checkpoint is of %d: take nll", at, m.Step)}
	}
	return t, nil
}

// tracker follows the parameters at the end of epochs, or of the training alone. It comes before the saver: checkpoints hold
// what it has come to.
type tracker struct{ *Session }

func (t tracker) Observe(ev train.Event) error {
	if t.Tracked == nil || !ev.EpochEnd {
		return nil
	}
	if n := t.tracking.every; n > 0 && ev.Epoch%n == 0 || n == 0 && ev.Step == t.total {
		return t.Training.follow(ev.Step, ev.Epoch)
	}
	return nil
}

// withTracked calls look with log Z of the present step, which is estimated for it alone where
// the step is one between those that are followed to. An error is one in asking for the chains.
func (s *Session) withTracked(look func()) error {
	if at, ok := s.Tracked.At(); ok && at == s.now.Step {
		look()
		return nil
	}
	chains, err := s.held()
	if err != nil {
		return err
	}
	s.Peek(s.Machine, s.now.Step, s.stepsAt(s.now.Epoch), chains, s.trackedKey(s.now.Step), look)
	return nil
}

// passes reports whether the measure is left out at the epoch of the event: log Z is not followed
// there, and it is not the end.
func (s *Session) passes(w Wanted, ev train.Event) bool {
	return w.Measure == trackedName && s.Tracked != nil && s.tracking.every > 0 && ev.Epoch%s.tracking.every != 0 && ev.Step != s.total
}

// cells returns the couplings of the first pair, whose products an update mostly is.
func (t *Training) cells() float64 {
	layers, pair := t.Machine.Layers(), t.Machine.Graph().Pairs[0]
	return float64(layers[pair.A]) * float64(layers[pair.B])
}
