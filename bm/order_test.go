package bm_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
)

// Many rows with many patterns go through W, single rows through the factored
// products: both give the same fields, energies and gradients.
func TestContractionOrders(t *testing.T) {
	const v, h, rows = 6, 4, 40 // K = 3 is above VH/(V+H) = 2.4, so 13 rows are cheaper by W
	e := engine(t)
	for _, s := range check.SmallMachines(e, v, h, 8) {
		r := s.Machine
		state := bm.State{e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Int8, rows, h)}
		write(e, state[0], randomRows(rows, v, 5))
		write(e, state[1], randomRows(rows, h, 6))
		weights := e.Alloc(compute.Float32, rows, 1)
		w := make([]float32, rows)
		for i := range w {
			w[i] = float32(i%7) / rows
		}
		compute.Write(e, weights, w)
		results := func(step int) [][]float64 {
			var out [][]float64
			for l := range 2 {
				mean := e.Alloc(compute.Float32, rows, r.Layers()[l])
				energy := e.Alloc(compute.Float64, rows, 1)
				for i := 0; i < rows; i += step {
					r.Mean(mean.Slice(i, i+step), state.Slice(i, i+step), l, bm.Law{})
					r.Energy(energy.Slice(i, i+step), state.Slice(i, i+step), bm.Law{})
				}
				x, y := make([]float32, mean.Len()), make([]float64, rows)
				compute.Read(e, x, mean)
				compute.Read(e, y, energy)
				out = append(out, widen(x), y)
			}
			for _, marginal := range []bool{false, true} {
				for _, p := range r.Params() {
					if !p.Grad.IsNone() {
						e.Fill(p.Grad, 0)
					}
				}
				for i := 0; i < rows; i += step {
					r.Phase(bm.Batch{State: state.Slice(i, i+step), Weights: weights.Slice(i, i+step), Marginal: marginal}, 1.5)
				}
				for _, p := range r.Params() {
					if !p.Grad.IsNone() {
						x := make([]float32, p.Grad.Len())
						compute.Read(e, x, p.Grad)
						out = append(out, widen(x))
					}
				}
			}
			return out
		}
		once, apart := results(rows), results(1)
		for i := range once {
			for j, x := range once[i] {
				if math.Abs(x-apart[i][j]) > 2e-5 {
					t.Errorf("%s: result %d entry %d: %v at once, %v row by row", s.Name, i, j, x, apart[i][j])
				}
			}
		}
	}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
