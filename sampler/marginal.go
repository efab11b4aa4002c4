package sampler

import (
	"mattis/bm"
	"mattis/compute"
)

// freeEnergies sets dst to the free energy of the rows of s, the layers on the left side of the
// data view, under the law; the free spins on the right are summed over and the clamped ones as
// they are:
//
//	F + sum over clamped a of (log 2cosh(Beta x_a) - Beta x_a h_a)
//
// which is minus the logarithm of the unnormalised conditional law of s.
func freeEnergies(m *bm.Machine, dst []float64, s bm.State, law bm.Law) {
	e := m.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	f := e.Scratch(compute.Float64, s.Rows(), 1)
	m.Energy(f, s, bm.Law{Beta: law.Beta, Base: law.Base})
	compute.Read(e, dst, f)
	for _, l := range m.View().Right {
		clamp := law.Clamp.Layer(l)
		if clamp.IsNone() {
			continue
		}
		fields := e.Scratch(compute.Float32, s.Rows(), clamp.Cols())
		m.Fields(fields, s, l, compute.Epilogue{Bias: m.Bias(l).Value, Scale: law.Beta})
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
}
