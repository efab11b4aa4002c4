package optim

import "mattis/bm"

// Average follows the mean of a machine's parameters over its updates (Polyak and Juditsky 1992).
// At a learning rate that is not small parameters go round their best place and not into it; their
// mean is nearer to it than they are.
type Average struct {
	mean, of []bm.Param
	machine  *bm.Machine
	weight   func(step, epochSteps int) float64
}

// NewExponential returns the mean whose past counts less by the factor keep an update. Its first
// 1/(1-keep) updates count alike, so that it has no start to forget.
func NewExponential(machine, of *bm.Machine, keep float64) *Average {
	return newAverage(machine, of, func(step, _ int) float64 { return max(1-keep, 1/float64(step+1)) })
}

// NewLast returns the mean over the updates from an epoch on, counted from 0. Before, it is the
// parameters.
func NewLast(machine, of *bm.Machine, epoch int) *Average {
	return newAverage(machine, of, func(step, epochSteps int) float64 {
		return 1 / float64(max(1, step-epoch*epochSteps))
	})
}

func newAverage(machine, of *bm.Machine, weight func(step, epochSteps int) float64) *Average {
	a := &Average{mean: machine.Params(), of: of.Params(), machine: machine, weight: weight}
	a.copy(a.mean, a.of)
	return a
}

// Machine returns the machine that has the means for its parameters.
func (a *Average) Machine() *bm.Machine { return a.machine }

// Move takes the parameters after so many updates into the mean.
func (a *Average) Move(step, epochSteps int) {
	w := a.weight(step, epochSteps)
	if w == 1 {
		a.copy(a.mean, a.of)
		return
	}
	for i, p := range a.mean {
		a.machine.Engine().Axpby(p.Value, w, a.of[i].Value, 1-w)
	}
}

// Return sets the machine that is followed to its mean.
func (a *Average) Return() { a.copy(a.of, a.mean) }

func (a *Average) copy(to, from []bm.Param) {
	for i, p := range to {
		a.machine.Engine().Copy(p.Value, from[i].Value)
	}
}

// State returns what a checkpoint keeps: the mean under the parameters' own names, as whoever reads
// the machine wants it, and those of Followed.
func (a *Average) State() []bm.Param {
	return append(append([]bm.Param(nil), a.mean...), a.Followed()...)
}

// Followed returns the parameters that are followed, from which training goes on, as training.NAME.
func (a *Average) Followed() []bm.Param {
	var l []bm.Param
	for _, p := range a.of {
		p.Name = "training." + p.Name
		l = append(l, p)
	}
	return l
}
