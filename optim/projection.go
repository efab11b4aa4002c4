package optim

import (
	"fmt"

	"mattis/bm"
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
	for l := range p.Machine.Layers() {
		x := p.Axons.Patterns(l).Value
		p.Machine.Engine().Sign(x, x)
	}
}

// Clip restricts every entry of the patterns to [-Bound, Bound] (Appendix B.2).
type Clip struct {
	Machine *bm.Machine
	Axons   *bm.Axons
	Bound   float64
}

// Project clips the patterns.
func (p Clip) Project(rng.Key) {
	for l := range p.Machine.Layers() {
		p.Machine.Engine().Clip(p.Axons.Patterns(l).Value, float32(p.Bound))
	}
}

// Gibbs replaces the patterns by spins after Steps Gibbs steps that start from
// their continuous values (Eqs. B2): the hidden parts drawn given the visible ones, and these
// given the hidden parts drawn; in other machines every layer in the order of a sweep.
type Gibbs struct {
	machine *bm.Machine
	axons   *bm.Axons
	steps   int
	spins   bm.State
}

// NewGibbs returns the projection of so many steps (at least one). It is an error where continuous
// patterns are no state that a sweep can start from or end in: layers that are coupled to
// themselves and Gaussian ones.
func NewGibbs(m *bm.Machine, a *bm.Axons, steps int) (*Gibbs, error) {
	for l, layer := range m.Graph().Layers {
		if m.Self(l) || layer.Kind != bm.Spins {
			return nil, fmt.Errorf("the projection gibbs draws patterns as spins that do not meet within a layer, and those of layer %s do or are Gaussian; take sign or clip", layer.Name)
		}
	}
	return &Gibbs{machine: m, axons: a, steps: steps, spins: m.State(a.K())}, nil
}

// Project draws the patterns anew.
func (g *Gibbs) Project(key rng.Key) {
	for i := range g.steps {
		law := bm.Law{Key: key.Fold(uint64(i))}
		if i == 0 {
			g.machine.SweepFrom(g.spins, g.axons, 0, law)
			continue
		}
		g.machine.Sweep(g.spins, law)
	}
	for l, x := range g.spins {
		g.machine.Engine().Axpby(g.axons.Patterns(l).Value, 1, x, 0)
	}
}
