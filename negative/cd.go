package negative

import (
	"mattis/bm"
	"mattis/rng"
	"mattis/sampler"
)

// CD is contrastive divergence: Steps Gibbs sweeps from the batch (Hinton
// 2002). Chains that start in the model distribution stay in it, which is what
// Stationary says; from data it is biased.
type CD struct {
	chains
	steps int
}

// NewCD returns CD with so many sweeps.
func NewCD(m *bm.Machine, steps int) *CD { return &CD{chains: chains{machine: m}, steps: steps} }

// Draw returns the batch's configurations after the sweeps, all of weight 1/B.
func (c *CD) Draw(positive bm.Batch, key rng.Key) bm.Batch {
	v := positive.State[bm.Visible]
	s := c.rows(v.Rows())
	c.machine.Engine().Copy(s[bm.Visible], v)
	c.machine.Clear(s)
	sampler.Gibbs(c.machine, s, bm.Law{Key: key, Stop: c.stop}, c.steps)
	return bm.Batch{State: s, Weights: positive.Weights, Marginal: true}
}

// State returns nothing: each draw starts anew.
func (c *CD) State() []bm.Param { return nil }

// Kind returns Stationary.
func (c *CD) Kind() Kind { return Stationary }
