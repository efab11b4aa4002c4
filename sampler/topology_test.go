package sampler_test

import (
	"testing"

	"mattis/bm"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

// Sweeps of every topology, forward and backward, leave every ensemble unchanged: free, clamped, at temperatures with base rates.
func TestTopologiesNoDrift(t *testing.T) {
	for _, small := range check.Machines(engine(t, 2), 81) {
		m := small.Machine
		for _, back := range []bool{false, true} {
			check.NoDrift(t, m, func(s bm.State, law bm.Law) {
				law.Back = back
				sampler.Gibbs(m, s, law, 2)
			}, check.Ensembles(m)...)
		}
		if t.Failed() {
			t.Fatalf("%s drifts", small.Name)
		}
	}
}

// Chains that all start in one state end in the distribution of every topology: a sweep that leaves a layer out does not pass.
func TestTopologiesReachTheDistribution(t *testing.T) {
	for i, small := range check.Machines(engine(t, 2), 82) {
		m := small.Machine
		if i%2 == 0 { // those with biases and offsets are enough
			continue
		}
		err := check.Drift(m, check.Free(), func(s bm.State, law bm.Law) {
			for l, x := range s {
				if m.Graph().Layers[l].Kind == bm.Spins {
					m.Engine().Copy(x, x.Slice(0, 1).Repeat(x.Rows()))
				}
			}
			sampler.Gibbs(m, s, law, 60)
		})
		if err != nil {
			t.Errorf("%s: %v", small.Name, err)
		}
	}
}

// Every rung of a ladder stays in its own law, in every topology.
func TestTopologiesTempering(t *testing.T) {
	for i, small := range check.Machines(engine(t, 2), 83) {
		m, base := small.Machine, i%2 == 1
		err := check.Drift(m, rungsEnsemble(m, base), func(s bm.State, law bm.Law) { advance(t, m, s, law, 3) })
		if err != nil {
			t.Errorf("%s, base %v: %v", small.Name, base, err)
		}
	}
}

// With every rung in equilibrium the last machine of a trajectory stays in its law, in every topology: the rung before it is the same machine,
// and both start from it, so that every exchange is between draws of one law; the rung before that is at inverse temperature 0.
func TestTopologiesTrajectory(t *testing.T) {
	for i, small := range check.Machines(engine(t, 2), 84) {
		m := small.Machine
		if i%2 == 0 {
			continue
		}
		err := check.Drift(m, check.Free(), func(s bm.State, law bm.Law) {
			x, err := sampler.NewTrajectory([]*bm.Machine{m, m}, true)
			if err != nil {
				t.Fatal(err)
			}
			x.Start(s)
			e, rows := m.Engine(), s.Rows()
			shift := make([]int32, rows) // other draws at the second rung, or an exchange would change nothing
			for i := range shift {
				shift[i] = int32((i + 1) % rows)
			}
			for l, to := range x.At(1) {
				if !to.IsNone() {
					e.Gather(to, s[l], shift)
					e.Spins(x.At(2)[l], rng.Key(5).Fold(uint64(l)), 0, 0)
				}
			}
			x.Move(s, law, 3)
			if n := x.Stats().Swaps[0]; n.Accepted != n.Tried {
				t.Errorf("%s: %d of %d exchanges between equal machines were refused", small.Name, n.Tried-n.Accepted, n.Tried)
			}
		})
		if err != nil {
			t.Errorf("%s: %v", small.Name, err)
		}
	}
}

// The search finds the ground state of every topology.
func TestTopologiesGroundState(t *testing.T) {
	for _, small := range check.Machines(engine(t, 2), 85) {
		m, x := small.Machine, check.ExactOf(small.Machine)
		best := x.Energies()[0]
		for _, e := range x.Energies() {
			best = min(best, e)
		}
		g := sampler.GroundState(m, sampler.Search{Chains: 32, Sweeps: 50, Key: 6})
		if g.Energy < best-1e-5 || g.Energy > best+1e-5 || g.Settled != 32 {
			t.Errorf("%s: energy %.6f of %v, %d of 32 settled; want %.6f", small.Name, g.Energy, g.Layers, g.Settled, best)
		}
		if e := x.Energy(g.Layers); e < g.Energy-1e-5 || e > g.Energy+1e-5 {
			t.Errorf("%s: %v has the energy %.6f, not %.6f", small.Name, g.Layers, e, g.Energy)
		}
	}
}
