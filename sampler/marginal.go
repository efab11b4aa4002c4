package sampler

import (
	"mattis/bm"
	"mattis/compute"
)

// freeEnergies sets dst to the free energy of each row of v under the law, the
// free hidden spins summed over and the clamped ones as they are:
//
//	F(v) + sum over clamped a of (log 2cosh(Beta x_a) - Beta x_a h_a)
//
// which is minus the logarithm of the unnormalised conditional law of v.
func freeEnergies(r *bm.Machine, dst []float64, v compute.Matrix, law bm.Law) {
	e := r.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	f := e.Scratch(compute.Float64, v.Rows(), 1)
	state := [1]compute.Matrix{v}
	r.Energy(f, state[:], bm.Law{Beta: law.Beta, Base: law.Base})
	compute.Read(e, dst, f)
	clamp := law.Clamp.Layer(bm.Hidden)
	if clamp.IsNone() {
		return
	}
	fields := e.Scratch(compute.Float32, v.Rows(), clamp.Cols())
	r.Fields(fields, state[:], bm.Hidden, compute.Epilogue{Bias: r.Bias(bm.Hidden).Value, Scale: law.Beta})
	x, fixed := make([]float32, fields.Len()), make([]int8, clamp.Len())
	compute.Read(e, x, fields)
	compute.Read(e, fixed, clamp)
	for i, h := range fixed {
		if h != 0 {
			y := float64(x[i])
			dst[i/clamp.Cols()] += compute.LogTwoCosh(y) - y*float64(h)
		}
	}
}
