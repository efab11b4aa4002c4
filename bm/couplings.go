package bm

import "mattis/compute"

// Overlap is a layer of spins as its couplings see it. It is scratch: valid
// until the engine's arena is released.
type Overlap struct {
	Layer int            // the layer that X belongs to
	X     compute.Matrix // BxN, the spins themselves (Int8, or Float32 for continuous seeds)
	A     compute.Matrix // axons: BxK Float32, X Xi^T with the offset taken out
}

// Couplings is the matrix W (VxH) between two layers, however it is kept. The
// visible offset m belongs to it: everywhere v stands for v - m.
type Couplings interface {
	// Sizes returns V and H.
	Sizes() (visible, hidden int)
	// Params returns the parameters and the offset.
	Params() []Param
	// Overlap returns the overlap of the rows of x, spins of the given layer. It is computed once and used for
	// fields and for gradients.
	Overlap(x compute.Matrix, layer int) Overlap
	// Fields sets dst to the epilogue of the fields on the other layer: (v-m) W or h W^T.
	Fields(dst compute.Matrix, o Overlap, then compute.Epilogue)
	// Correlate adds scale * d/dtheta sum_b w_b (v_b-m) W h_b to the gradients; o comes from the visible layer, y
	// (BxH) holds hidden spins or their means, weights is Bx1 or none (all 1).
	Correlate(o Overlap, y, weights compute.Matrix, scale float64)
	// Interaction adds alpha * (v-m) W h of each row to dst (Bx1 Float64); o comes from the visible layer, y holds h.
	Interaction(dst compute.Matrix, alpha float64, o Overlap, y compute.Matrix)
	// Offset returns the visible offset m (1xV), or none.
	Offset() compute.Matrix
	// Shift returns -m W (1xH Float32 scratch), or none without an offset.
	Shift() compute.Matrix
}

// fused is the optional ability of couplings to add up a phase with the hidden
// layer integrated out without holding its means all at once.
type fused interface {
	// MarginalPhase adds to the gradients of at most fusedRows rows.
	MarginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64)
}

// offset is the visible offset m that both couplings share.
type offset struct{ m compute.Matrix }

func (o offset) params() []Param {
	if o.m.IsNone() {
		return nil
	}
	return []Param{{Name: "offset.visible", Value: o.m}}
}

// SetOffset sets the visible offset m (V entries). It panics if the couplings have none.
func (o offset) SetOffset(e compute.Engine, m []float32) {
	if o.m.IsNone() {
		panic("bm: couplings without a visible offset")
	}
	compute.Write(e, o.m, m)
}

// Offset returns the visible offset m (1xV), or none.
func (o offset) Offset() compute.Matrix { return o.m }

// learned returns a parameter of zeros with its gradient.
func learned(e compute.Engine, name string, rows, cols int, decay float32) Param {
	return Param{Name: name, Value: e.Alloc(compute.Float32, rows, cols), Grad: e.Alloc(compute.Float32, rows, cols), Rate: 1, Decay: decay}
}
