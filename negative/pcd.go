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

	restart *starter // nil where chains are never restarted
	rate    float64
	spare   bm.State

	most, over int      // see Grow; over is 0 where the sweeps stay as many
	draws      *counter // nil where over is 0
}

// NewPCD returns PCD with count chains that start from fair coins and move by
// steps sweeps an update.
func NewPCD(m *bm.Machine, count, steps int, key rng.Key) *PCD {
	p := &PCD{chains: chains{machine: m}, count: count, steps: steps}
	sampler.Randomize(m, p.rows(count), bm.Law{Key: key})
	return p
}

// Begin sets the chains to where they begin instead of fair coins. It is an error where there is
// nothing to begin from.
func (p *PCD) Begin(at Start, key rng.Key) error { return begin(p.machine, p.rows(p.count), at, key) }

// Restart lets each chain start anew before an update with the probability rate. It is an error
// where there is nothing to start from.
func (p *PCD) Restart(rate float64, at Start) (err error) {
	p.rate, p.spare = rate, p.machine.State(p.count)
	p.restart, err = newStarter(p.machine, at, p.count)
	return err
}

// Grow lets the sweeps of an update grow evenly to so many over so many updates: chains of a machine
// that has learned more mix more slowly.
func (p *PCD) Grow(most, over int) {
	p.most, p.over, p.draws = most, over, newCounter(p.machine)
}

// Draw moves the chains and returns them, all of weight 1/count.
func (p *PCD) Draw(positive bm.Batch, key rng.Key) bm.Batch {
	s, steps := p.rows(p.count), p.steps
	if p.restart != nil {
		p.restartSome(s, positive, key.Fold(restartStream))
	}
	if p.over > 0 {
		steps += int(float64(p.most-p.steps) * min(1, p.draws.value()/float64(p.over)))
		p.draws.add()
	}
	sampler.Gibbs(p.machine, s, bm.Law{Key: key, Stop: p.stop}, steps)
	return bm.Batch{State: s, Marginal: true}
}

// restartStream is what the key of a draw is folded for beside its sweeps.
const restartStream = 1 << 41

func (p *PCD) restartSome(s bm.State, positive bm.Batch, key rng.Key) {
	e, begun := p.machine.Engine(), false
	for i := range p.count {
		if key.Uniform64(uint64(i), 0) >= p.rate {
			continue
		}
		if !begun {
			p.restart.start(p.spare, positive, key.Fold(0))
			begun = true
		}
		for _, l := range p.machine.View().Left {
			e.Copy(s[l].Slice(i, i+1), p.spare[l].Slice(i, i+1))
		}
	}
}

// State returns the spins of the chains on the left side of the data view, from which a sweep draws
// the others, and the number of draws where that says how many sweeps are due.
func (p *PCD) State() []bm.Param {
	s := sampler.Kept(p.machine, p.state)
	if p.over > 0 {
		s = append(s, bm.Param{Name: "chains.draws", Value: p.draws.count})
	}
	return s
}

// Kind returns Stationary, but Heuristic where chains start anew elsewhere than in the data.
func (p *PCD) Kind() Kind {
	if p.restart != nil && p.restart.From != Rows {
		return Heuristic
	}
	return Stationary
}
