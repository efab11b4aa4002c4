package negative

import (
	"mattis/bm"
	"mattis/rng"
)

// PID reads the model average off the patterns, the pattern-induced
// correlations of Eq. 6: the configurations are the signs of the patterns,
// each of weight 1/K.
type PID struct {
	chains
	axons   *bm.Axons
	literal bool
}

// NewPID returns the estimator that the paper's released program uses: the
// visible parts of the patterns with the hidden layer integrated out.
func NewPID(m *bm.Machine, a *bm.Axons) *PID { return &PID{chains: chains{machine: m}, axons: a} }

// NewPIDLiteral returns Eq. 6 to the letter: the average over (xi_v, xi_h), whose dE/dW is -W/(g sqrt K). That is
// pure weight decay.
func NewPIDLiteral(m *bm.Machine, a *bm.Axons) *PID {
	return &PID{chains: chains{machine: m}, axons: a, literal: true}
}

// Draw returns the K patterns as spins, each with its own hidden part.
func (p *PID) Draw(bm.Batch, rng.Key) bm.Batch {
	return bm.Batch{State: patternSpins(&p.chains, p.axons), Marginal: !p.literal}
}

func patternSpins(c *chains, a *bm.Axons) bm.State {
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	s := c.rows(v.Value.Rows())
	c.machine.Engine().Sign(s[bm.Visible], v.Value)
	c.machine.Engine().Sign(s[bm.Hidden], h.Value)
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
	axons      *bm.Axons
	steps      int
	continuous bool
}

// NewPIDGibbs returns PID with so many sweeps (at least one). The seeds are the signs of the
// visible patterns, or with continuous the patterns as they are, as in the authors' notebook.
func NewPIDGibbs(m *bm.Machine, a *bm.Axons, steps int, continuous bool) *PIDGibbs {
	return &PIDGibbs{chains: chains{machine: m}, axons: a, steps: steps, continuous: continuous}
}

// Draw returns the K chains after their sweeps, each of weight 1/K.
func (p *PIDGibbs) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	s := patternSpins(&p.chains, p.axons)
	from := 0
	if p.continuous && p.steps > 0 { // the first sweep from Xv itself
		v := p.axons.Patterns(bm.Visible)
		law := bm.Law{Key: key.Fold(0)}
		spins := s[bm.Visible]
		s[bm.Visible] = v.Value
		p.machine.Sample(s, bm.Hidden, law)
		s[bm.Visible] = spins
		p.machine.Sample(s, bm.Visible, law)
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

// Kind returns Heuristic: the chains are right after so many sweeps from that start, not in equilibrium.
func (p *PIDGibbs) Kind() Kind { return Heuristic }
