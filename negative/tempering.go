package negative

import (
	"mattis/bm"
	"mattis/rng"
	"mattis/sampler"
)

// Tempering is parallel tempering with persistent replicas (Desjardins et al. 2010, the paper's
// ref. 8): the model average is taken over the replicas at the target temperature, the others carry
// them over barriers.
type Tempering struct {
	chains
	replicas     *sampler.Tempering
	count, steps int
}

// NewTempering returns tempering with count ladders of the inverse temperatures
// betas, which fall from 1, that start from fair coins and move by steps rounds an update.
func NewTempering(m *bm.Machine, betas []float64, count, steps int, key rng.Key) (*Tempering, error) {
	replicas, err := sampler.NewTempering(m, betas)
	if err != nil {
		return nil, err
	}
	t := &Tempering{chains: chains{machine: m}, replicas: replicas, count: count, steps: steps}
	replicas.Start(t.rows(count)[:1], count)
	for i, l := range m.View().Left {
		k := key
		if l != bm.Visible {
			k = key.Fold(uint64(l))
		}
		m.Engine().Spins(replicas.State()[i].Value, k, 0, 0)
	}
	return t, nil
}

// Begin sets all replicas to where they begin instead of fair coins. It is an error where there is
// nothing to begin from.
func (t *Tempering) Begin(at Start, key rng.Key) error {
	s := make(bm.State, len(t.machine.Layers()))
	for i, l := range t.machine.View().Left {
		s[l] = t.replicas.State()[i].Value
	}
	return begin(t.machine, s, at, key)
}

// Draw moves the replicas and returns those at rung 0, all of weight 1/count.
func (t *Tempering) Draw(_ bm.Batch, key rng.Key) bm.Batch {
	t.replicas.Advance(bm.Law{Key: key, Stop: t.stop}, t.steps)
	s := t.rows(t.count)
	t.replicas.Cold(s)
	return bm.Batch{State: s, Marginal: true}
}

// Replicas returns the replicas of a tempering estimator, of one with chains that start anew beside
// it too, for their statistics; nil of other estimators.
func Replicas(e Estimator) *sampler.Tempering {
	if r, ok := e.(*Renewed); ok {
		e = r.held
	}
	if t, ok := e.(*Tempering); ok {
		return t.replicas
	}
	return nil
}

// State returns the spins of all replicas and the rungs that they hold.
func (t *Tempering) State() []bm.Param { return t.replicas.State() }

// Kind returns Stationary: of the replicas at all rungs together.
func (t *Tempering) Kind() Kind { return Stationary }
