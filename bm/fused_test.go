package bm_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
)

// The fused phase, tile by tile, gives the gradients of the unfused
// one, which is handed the hidden means T. 700 hidden spins make two tiles of 240
// and one of 220; a tile forgotten, or its bias, would miss by far more than rounding.
func TestFusedPhase(t *testing.T) {
	const v, h, k, rows = 30, 700, 5, 1100
	e := engine(t)
	for _, c := range []struct{ dense, bias bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		bias := c.bias
		var couplings bm.Couplings
		if c.dense {
			d := bm.NewDense(e, bm.Restricted(v, h, bias))
			d.Normal(0.2, 3)
			couplings = d
		} else {
			a := bm.NewAxons(e, bm.Restricted(v, h, bias), k, true)
			a.Uniform(1, 3)
			a.SetGain(0.3)
			couplings = a
		}
		r := bm.New(e, couplings, bias, bias)
		for i, p := range r.Params() {
			if p.Name == "bias.hidden" || p.Name == "offset.visible" {
				x := make([]float32, p.Value.Len())
				for j := range x {
					x[j] = float32(math.Sin(float64(i + 3*j)))
				}
				compute.Write(e, p.Value, x)
			}
		}
		spins, mean := e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Float32, rows, h)
		write(e, spins, randomRows(rows, v, 4))
		r.Mean(mean, bm.State{spins}, bm.Hidden, bm.Law{})
		gradients := func(s bm.State) [][]float64 {
			var out [][]float64
			for _, p := range r.Params() {
				if !p.Grad.IsNone() {
					e.Fill(p.Grad, 0)
				}
			}
			r.Phase(bm.Batch{State: s}, -0.7)
			for _, p := range r.Params() {
				if !p.Grad.IsNone() {
					x := make([]float32, p.Grad.Len())
					compute.Read(e, x, p.Grad)
					out = append(out, widen(x))
				}
			}
			return out
		}
		got, want := gradients(bm.State{spins}), gradients(bm.State{spins, mean})
		for i := range got {
			var size, off float64
			for j := range got[i] {
				size, off = max(size, math.Abs(want[i][j])), max(off, math.Abs(got[i][j]-want[i][j]))
			}
			if size == 0 || off > 2e-5*size {
				t.Errorf("%+v, gradient %d: off by %g of %g", c, i, off, size)
			}
		}
	}
}
