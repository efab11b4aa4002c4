package optim

import (
	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// Projection brings the patterns back to where they mean spins (Appendix B).
// When it happens is which list of the trainer it sits in.
type Projection interface{ Project(key rng.Key) }

// Sign replaces every entry of the patterns by its sign (Eq. B1); 0 becomes +1.
type Sign struct {
	Machine *bm.Machine
	Axons   *bm.Axons
}

// Project sets the patterns to their signs.
func (p Sign) Project(rng.Key) {
	v, h := p.Axons.Patterns(bm.Visible), p.Axons.Patterns(bm.Hidden)
	p.Machine.Engine().Sign(v.Value, v.Value)
	p.Machine.Engine().Sign(h.Value, h.Value)
}

// Clip restricts every entry of the patterns to [-Bound, Bound] (Appendix B.2).
type Clip struct {
	Machine *bm.Machine
	Axons   *bm.Axons
	Bound   float64
}

// Project clips the patterns.
func (p Clip) Project(rng.Key) {
	v, h := p.Axons.Patterns(bm.Visible), p.Axons.Patterns(bm.Hidden)
	p.Machine.Engine().Clip(v.Value, float32(p.Bound))
	p.Machine.Engine().Clip(h.Value, float32(p.Bound))
}

// Gibbs replaces the patterns by spins after Steps Gibbs steps that start from
// their continuous values (Eqs. B2): the hidden parts drawn given the visible ones, and these
// given the hidden parts drawn.
type Gibbs struct {
	machine *bm.Machine
	axons   *bm.Axons
	steps   int
	spins   bm.State
}

// NewGibbs returns the projection of so many steps (at least one).
func NewGibbs(m *bm.Machine, a *bm.Axons, steps int) *Gibbs {
	v := a.Patterns(bm.Visible)
	g := &Gibbs{machine: m, axons: a, steps: steps}
	for _, n := range m.Layers() {
		g.spins = append(g.spins, m.Engine().Alloc(compute.Int8, v.Value.Rows(), n))
	}
	return g
}

// Project draws the patterns anew.
func (g *Gibbs) Project(key rng.Key) {
	e := g.machine.Engine()
	v, h := g.axons.Patterns(bm.Visible), g.axons.Patterns(bm.Hidden)
	spins := g.spins[bm.Visible]
	for i := range g.steps {
		law := bm.Law{Key: key.Fold(uint64(i))}
		if i == 0 {
			g.spins[bm.Visible] = v.Value
		}
		g.machine.Sample(g.spins, bm.Hidden, law)
		g.spins[bm.Visible] = spins
		g.machine.Sample(g.spins, bm.Visible, law)
	}
	e.Axpby(v.Value, 1, g.spins[bm.Visible], 0)
	e.Axpby(h.Value, 1, g.spins[bm.Hidden], 0)
}
