package negative

import (
	"mattis/bm"
	"mattis/rng"
	"mattis/sampler"
)

// Annealing cools fair coins to the machine's temperature at each update
// (simulated annealing, the paper's ref. 9).
type Annealing struct {
	chains
	cooling      *sampler.Annealing
	count, steps int
}

// NewAnnealing returns annealing of count chains in so many sweeps, at inverse
// temperatures that rise to 1 in equal steps.
func NewAnnealing(m *bm.Machine, count, steps int) *Annealing {
	return &Annealing{chains: chains{machine: m}, cooling: sampler.NewAnnealing(m, sampler.Linear(0, 1)), count: count, steps: steps}
}

// Draw returns the cooled chains, all of weight 1/count.
func (a *Annealing) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	s := a.rows(a.count)
	a.cooling.Move(s, bm.Law{Key: key, Stop: a.stop}, a.steps)
	return bm.Batch{State: s, Marginal: true}
}

// State returns nothing: each draw starts anew.
func (a *Annealing) State() []bm.Param { return nil }

// Kind returns Heuristic: no number of sweeps makes the chains the distribution.
func (a *Annealing) Kind() Kind { return Heuristic }
