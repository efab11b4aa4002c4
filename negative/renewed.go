package negative

import (
	"fmt"
	"slices"
	"sync/atomic"

	"mattis/bm"
	"mattis/rng"
	"mattis/sampler"
)

// Renewed stands for the model by the chains of another estimator and by some that start anew at
// each draw. Those that go on from draw to draw see what lies near where they are. Where the model
// has grown a second phase that none of them is in, those that start far away find it, and the
// gradient raises its energy. Started from signs of patterns they are the paper's PID with Gibbs
// sweeps (Sec. IV) as a part of PCD.
type Renewed struct {
	chains
	held    Estimator
	starter *starter
	count   int // rows that start anew
	steps   int // sweeps of these
	parts   [2]bm.State

	until int      // see Until; 0 where rows start anew at each draw
	anew  *counter // of draws with such rows; nil where until is 0
}

// NewRenewed returns the estimator of held's rows, which have equal weights, and count more that
// start anew and move by so many sweeps. It is an error where there is nothing to start from.
func NewRenewed(m *bm.Machine, held Estimator, count, steps int, at Start) (*Renewed, error) {
	s, err := newStarter(m, at, count)
	if err != nil {
		return nil, err
	}
	return &Renewed{chains: chains{machine: m}, held: held, starter: s, count: count, steps: steps}, nil
}

// Until lets rows start anew in so many draws and leaves them out after these. A few sweeps do not
// bring rows into the equilibrium of a sharp machine. The gradient raises the energies of where they
// still are, so that a machine with them becomes sharp soon, and never has the weights of the data.
func (r *Renewed) Until(draws int) { r.until, r.anew = draws, newCounter(r.machine) }

// Draw returns the rows of the other estimator first, all of weight 1/n.
func (r *Renewed) Draw(positive bm.Batch, key rng.Key) bm.Batch {
	held := r.held.Draw(positive, key)
	if r.until > 0 {
		if r.anew.value() >= float64(r.until) {
			return held
		}
		r.anew.add()
	}
	if !held.Weights.IsNone() || !held.Marginal {
		panic(fmt.Sprintf("negative: rows that start anew beside configurations of weights %v", held.Weights))
	}
	n := held.State.Rows()
	s := r.rows(n + r.count)
	for l, x := range s {
		for i, to := range [...][2]int{{0, n}, {n, n + r.count}} {
			if r.parts[i] == nil {
				r.parts[i] = make(bm.State, len(s))
			}
			r.parts[i][l] = x.Slice(to[0], to[1])
		}
		r.machine.Engine().Copy(r.parts[0][l], held.State[l])
	}
	anew := key.Fold(renewedStream)
	r.starter.start(r.parts[1], positive, anew.Fold(0))
	sampler.Gibbs(r.machine, r.parts[1], bm.Law{Key: anew.Fold(1), Stop: r.stop}, r.steps)
	return bm.Batch{State: s, Marginal: true}
}

// renewedStream is what the key of a draw is folded for beside the sweeps of chains that go on.
const renewedStream = 1 << 40

// LeaveOn sets the flag that draws of both parts look at.
func (r *Renewed) LeaveOn(flag *atomic.Bool) {
	r.stop = flag
	if l, ok := r.held.(Leavable); ok {
		l.LeaveOn(flag)
	}
}

// Settle settles the other estimator.
func (r *Renewed) Settle() {
	if s, ok := r.held.(Settling); ok {
		s.Settle()
	}
}

// State returns that of the other estimator, for what starts anew leaves nothing, and the number of
// draws in which rows did where that says whether any do.
func (r *Renewed) State() []bm.Param {
	s := r.held.State()
	if r.until > 0 {
		s = append(slices.Clip(s), bm.Param{Name: "chains.anew", Value: r.anew.count})
	}
	return s
}

// Kind returns Heuristic, but Stationary where the other estimator is and rows start from data, as
// contrastive divergence has it. It is that of the draws in which rows start anew.
func (r *Renewed) Kind() Kind {
	if r.starter.From == Rows {
		return r.held.Kind()
	}
	return Heuristic
}
