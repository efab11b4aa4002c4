// Package negative implements the estimators of the model average in the
// gradient (the negative phase of Eq. 4): each returns weighted configurations.
package negative

import (
	"sync/atomic"

	"mattis/bm"
	"mattis/rng"
)

// Kind says what an estimator's configurations are to the model distribution.
type Kind string

const (
	Exact      Kind = "exact"      // the distribution itself
	Stationary Kind = "stationary" // leaves it unchanged: chains that start in it stay in it
	Heuristic  Kind = "heuristic"  // stands for it, and may be far from it

	// Conditional is no sample of the model: weighted configurations whose gradient, with that of
	// the batch they are drawn for, is that of another function than the likelihood.
	Conditional Kind = "conditional"
)

// Estimator stands for the model average.
type Estimator interface {
	// Draw returns configurations that stand for the model distribution, given the batch of the
	// positive phase. They are valid until the next Draw.
	Draw(positive bm.Batch, key rng.Key) bm.Batch
	// State returns what a checkpoint has to keep: the chains.
	State() []bm.Param
	// Kind says what the configurations are.
	Kind() Kind
}

// Leavable is an estimator whose draw can be left: once the flag is true, a Draw under way ends
// before its next sweep and what it returns, and State holds, is of no use. Parameters are as they
// were.
type Leavable interface {
	LeaveOn(flag *atomic.Bool)
}

// Settling is an estimator that changes more of its state than its draws do: Settle, once a draw
// counts and before parameters change, and nothing else changes what State marks as Settled. A draw
// that is left has no Settle.
type Settling interface {
	Settle()
}

// Massive is an estimator of a part of the model's states: beside others of other parts it counts by
// its mass.
type Massive interface {
	// LogMass returns the logarithm of the sum of exp(-F) over its states at the last Draw, -Inf
	// where it has none.
	LogMass() float64
}

// chains are configurations that an estimator owns, as many as it last needed.
type chains struct {
	machine *bm.Machine
	state   bm.State
	views   bm.State
	stop    *atomic.Bool // see Leavable; nil for none
}

// LeaveOn sets the flag that draws look at between two sweeps.
func (c *chains) LeaveOn(flag *atomic.Bool) { c.stop = flag }

// rows returns the first n configurations, made if there are fewer. The state is valid until the
// next call.
func (c *chains) rows(n int) bm.State {
	if c.state.Rows() < n {
		c.state = c.machine.State(n)
		c.views = make(bm.State, len(c.state))
	}
	for l, m := range c.state {
		c.views[l] = m.Slice(0, n)
	}
	return c.views
}
