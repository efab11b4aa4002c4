package negative

import (
	"mattis/bm"
	"mattis/rng"
	"mattis/sampler"
)

// PCD is persistent contrastive divergence: chains that go on from one update
// to the next (Tieleman 2008).
type PCD struct {
	chains
	count, steps int
}

// NewPCD returns PCD with count chains that start from fair coins and move by
// steps sweeps an update.
func NewPCD(m *bm.Machine, count, steps int, key rng.Key) *PCD {
	p := &PCD{chains: chains{machine: m}, count: count, steps: steps}
	sampler.Randomize(m, p.rows(count), bm.Law{Key: key})
	return p
}

// Draw moves the chains and returns them, all of weight 1/count.
func (p *PCD) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	s := p.rows(p.count)
	sampler.Gibbs(p.machine, s, bm.Law{Key: key, Stop: p.stop}, p.steps)
	return bm.Batch{State: s, Marginal: true}
}

// State returns the spins of the chains on the left side of the data view; a sweep draws the others
// from them.
func (p *PCD) State() []bm.Param { return sampler.Kept(p.machine, p.state) }

// Kind returns Stationary.
func (p *PCD) Kind() Kind { return Stationary }
