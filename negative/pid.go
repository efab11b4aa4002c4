package negative

import (
	"fmt"

	"mattis/bm"
	"mattis/compute"
	"mattis/positive"
	"mattis/rng"
)

// PID reads the model average off the patterns, the pattern-induced
// correlations of Eq. 6: the configurations are the signs of the patterns,
// each of weight 1/K.
type PID struct {
	chains
	part
	axons   *bm.Axons
	literal bool
	given   positive.Estimator
}

// part is which of the patterns an estimator looks at: those from the first on, or all.
type part struct{ from, to int }

// Only makes the estimator look at the patterns [from, to) alone, each of weight 1/(to-from).
func (p *part) Only(from, to int) { *p = part{from, to} }

// NewPID returns the estimator that the paper's released program uses: the visible parts of the
// patterns with the hidden layers as the positive phase has them given these, in a restricted
// machine integrated out.
func NewPID(m *bm.Machine, a *bm.Axons, given positive.Estimator) *PID {
	return &PID{chains: chains{machine: m}, axons: a, given: given}
}

// NewPIDLiteral returns Eq. 6 to the letter: the average over (xi_v, xi_h), whose dE/dW is -W/(g
// sqrt K). That is pure weight decay. It is an error where a Gaussian layer has no signs.
func NewPIDLiteral(m *bm.Machine, a *bm.Axons) (*PID, error) {
	for _, l := range m.Graph().Layers {
		if l.Kind != bm.Spins {
			return nil, fmt.Errorf("pid-literal takes the signs of patterns for spins, and the layer %s is Gaussian; take pid", l.Name)
		}
	}
	return &PID{chains: chains{machine: m}, axons: a, literal: true}, nil
}

// Draw returns the K patterns as spins, each with its own hidden part where hidden layers are
// integrated out.
func (p *PID) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	s := p.spins(&p.chains, p.axons)
	if p.literal || p.machine.SumsOut() {
		return bm.Batch{State: s, Marginal: !p.literal}
	}
	return p.given.Draw(s[bm.Visible], nil, key)
}

// spins returns the signs of the patterns of every layer of spins.
func (p *part) spins(c *chains, a *bm.Axons) bm.State {
	from, to := p.from, p.to
	if *p == (part{}) {
		to = a.K()
	}
	s := c.rows(to - from)
	for l, x := range s {
		if x.Type() == compute.Int8 {
			c.machine.Engine().Sign(x, a.Patterns(l).Value.Slice(from, to))
		}
	}
	return s
}

// State returns nothing: the patterns are parameters.
func (p *PID) State() []bm.Param { return nil }

// Kind returns Heuristic.
func (p *PID) Kind() Kind { return Heuristic }

// PIDGibbs starts Gibbs sweeps from the patterns, anew at each update: the
// paper's MNIST recipe.
type PIDGibbs struct {
	chains
	part
	axons      *bm.Axons
	steps      int
	continuous bool
}

// NewPIDGibbs returns PID with so many sweeps (at least one). The seeds are the signs of the
// patterns, or with continuous the patterns as they are, as in the authors' notebook, which a layer
// coupled to itself does not take.
func NewPIDGibbs(m *bm.Machine, a *bm.Axons, steps int, continuous bool) (*PIDGibbs, error) {
	if continuous {
		for l, layer := range m.Graph().Layers {
			if m.Self(l) {
				return nil, fmt.Errorf("continuous seeds are no spins, and those of layer %s meet each other; take sign", layer.Name)
			}
		}
	}
	return &PIDGibbs{chains: chains{machine: m}, axons: a, steps: steps, continuous: continuous}, nil
}

// Draw returns the K chains after their sweeps, each of weight 1/K.
func (p *PIDGibbs) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	s := p.spins(&p.chains, p.axons)
	from := 0
	if p.continuous && p.steps > 0 { // the first sweep from the patterns themselves
		p.machine.SweepFrom(s, p.axons, p.part.from, bm.Law{Key: key.Fold(0)})
		from = 1
	}
	law := bm.Law{Stop: p.stop}
	for i := from; i < p.steps && !law.Stopped(); i++ {
		law.Key = key.Fold(uint64(i))
		p.machine.Sweep(s, law)
	}
	return bm.Batch{State: s, Marginal: true}
}

// State returns nothing: each draw starts from the patterns.
func (p *PIDGibbs) State() []bm.Param { return nil }

// Kind returns Heuristic: the chains are right after so many sweeps from that start, not in
// equilibrium.
func (p *PIDGibbs) Kind() Kind { return Heuristic }
