package bm_test

import (
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/rng"
)

// Dense chains in bfloat16 are those of the machine with rounded couplings, spin by spin, and the law of that machine
// stays under them. Overlaps or shifts that are rounded too would drift; couplings that are not would differ.
func TestBF16ChainsAreOfRoundedCouplings(t *testing.T) {
	const v, h, rows = 5, 4, 3000
	e := engine(t)
	for _, s := range check.SmallMachines(e, v, h, 11) {
		d, dense := s.Machine.Couplings().(*bm.Dense)
		if !dense {
			continue
		}
		r := s.Machine
		chain := func() (x []int8) {
			state := bm.State{e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Int8, rows, h)}
			e.Spins(state[bm.Visible], 3, 0, 0)
			for i := range uint64(3) {
				r.Sweep(state, bm.Law{Key: rng.Key(i)})
			}
			x = make([]int8, rows*v)
			compute.Read(e, x, state[bm.Visible])
			return x
		}
		r.SetPrecision(compute.BF16)
		of := chain()
		w := d.Weights(0).Value
		x := w.Float32s()
		for i := range x {
			x[i] = compute.FloatOfBF16(compute.RoundBF16(x[i]))
		}
		if strings.Contains(s.Name, "offset=false") && !slices.Equal(of, chain()) {
			t.Errorf("%s: the chains are not those of the rounded couplings", s.Name)
		}
		t.Run(s.Name, func(t *testing.T) {
			check.NoDrift(t, r, func(s bm.State, law bm.Law) { r.Sweep(s, law) })
		})
	}
}
