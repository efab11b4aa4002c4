package negative

import (
	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// FPCD is PCD whose chains move under parameters to which fast ones are added (Tieleman and Hinton
// 2009): these follow the gradient at a rate of their own and fade,
//
//	fast = keep * fast - rate * gradient
//
// so that the energy is raised for a while where the chains are, and they leave.
type FPCD struct {
	PCD
	params     []bm.Param
	fast, slow []compute.Matrix
	rate, keep float64
}

// NewFPCD returns FPCD with count chains that start from fair coins and move by steps sweeps an
// update.
func NewFPCD(m *bm.Machine, count, steps int, rate, keep float64, key rng.Key) *FPCD {
	f := &FPCD{PCD: *NewPCD(m, count, steps, key), params: bm.Learned(m), rate: rate, keep: keep}
	for _, p := range f.params {
		for _, list := range []*[]compute.Matrix{&f.fast, &f.slow} {
			*list = append(*list, m.Engine().Alloc(compute.Float32, p.Value.Rows(), p.Value.Cols()))
		}
	}
	return f
}

// Draw moves the chains and returns them, all of weight 1/count. The parameters are as they were.
// It reads the gradients that the last update left.
func (f *FPCD) Draw(positive bm.Batch, key rng.Key) bm.Batch {
	e := f.machine.Engine()
	for i, p := range f.params {
		e.Axpby(f.fast[i], -f.rate, p.Grad, f.keep)
		e.Copy(f.slow[i], p.Value)
		e.Axpby(p.Value, 1, f.fast[i], 1)
	}
	drawn := f.PCD.Draw(positive, key)
	for i, p := range f.params {
		e.Copy(p.Value, f.slow[i])
	}
	return drawn
}

// State returns the chains, the fast parameters and the gradients that the next draw adds to them.
func (f *FPCD) State() []bm.Param {
	s := f.PCD.State()
	for i, p := range f.params {
		s = append(s, bm.Param{Name: "chains.fast." + p.Name, Value: f.fast[i]}, bm.Param{Name: "chains.gradient." + p.Name, Value: p.Grad})
	}
	return s
}

// Kind returns Heuristic: the chains move under another law than the machine's.
func (f *FPCD) Kind() Kind { return Heuristic }
