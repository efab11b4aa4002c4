package bm_test

import (
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
)

// Sweeps and phases work in memory made before, in every order of contraction and on several threads.
func TestSweepAndPhaseAllocateNothing(t *testing.T) {
	const v, h, rows = 60, 700, 130
	e := cpu.New(2)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(v, h, true))
	d.Normal(0.1, 1)
	machines := map[string]bm.Couplings{"dense": d}
	for name, k := range map[string]int{"few patterns": 5, "some patterns": 40, "many patterns": 120} {
		a := bm.NewAxons(e, bm.Restricted(v, h, true), k, true)
		a.Uniform(1, 2)
		machines[name] = a
	}
	for name, c := range machines {
		r := bm.New(e, c, true, true)
		s := bm.State{e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Int8, rows, h)}
		e.Spins(s[bm.Visible], 3, 0, 0)
		work := func() {
			r.Sweep(s, bm.Law{Key: 4})
			r.Phase(bm.Batch{State: s, Marginal: true}, 1)
			r.Phase(bm.Batch{State: s}, -1)
		}
		work()
		if n := testing.AllocsPerRun(5, work); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
