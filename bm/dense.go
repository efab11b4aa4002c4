package bm

import "mattis/compute"

// Dense couplings keep W itself.
type Dense struct {
	offset
	engine  compute.Engine
	weights Param
}

var (
	_ Couplings = (*Dense)(nil)
	_ fused     = (*Dense)(nil)
)

// NewDense returns couplings W = 0 between V and H spins. withOffset adds the visible offset, 0 at first.
func NewDense(e compute.Engine, visible, hidden int, withOffset bool) *Dense {
	d := &Dense{engine: e, weights: learned(e, "weights", visible, hidden, 1)}
	if withOffset {
		d.m = e.Alloc(compute.Float32, 1, visible)
	}
	return d
}

// Weights returns W (VxH) and its gradient.
func (d *Dense) Weights() Param { return d.weights }

// Sizes returns V and H.
func (d *Dense) Sizes() (visible, hidden int) {
	return d.weights.Value.Rows(), d.weights.Value.Cols()
}

// Params returns the weights and the offset.
func (d *Dense) Params() []Param { return append([]Param{d.weights}, d.params()...) }

// Overlap of dense couplings is the spins themselves.
func (d *Dense) Overlap(x compute.Matrix, layer int) Overlap { return Overlap{Layer: layer, X: x} }

// Shift returns -m W.
func (d *Dense) Shift() compute.Matrix {
	if d.m.IsNone() {
		return compute.Matrix{}
	}
	s := d.engine.Scratch(compute.Float32, 1, d.weights.Value.Cols())
	d.engine.Mul(s, d.m, d.weights.Value, compute.Op{Alpha: -1})
	return s
}

// Fields sets dst to the epilogue of (v-m) W or h W^T.
func (d *Dense) Fields(dst compute.Matrix, o Overlap, then compute.Epilogue) {
	denseFields(d.engine, dst, o, d.weights.Value, d.Shift, then)
}

// denseFields sets dst to the epilogue of (v-m) W or h W^T; shift returns -m W or none.
func denseFields(e compute.Engine, dst compute.Matrix, o Overlap, w compute.Matrix, shift func() compute.Matrix, then compute.Epilogue) {
	if o.Layer == Hidden {
		e.Mul(dst, o.X, w, compute.Op{TransB: true, Alpha: 1, Then: then})
		return
	}
	then.Bias = withShift(e, then.Bias, shift())
	e.Mul(dst, o.X, w, compute.Op{Alpha: 1, Then: then})
}

// withShift returns bias + shift, which is used up; either may be none.
func withShift(e compute.Engine, bias, shift compute.Matrix) compute.Matrix {
	if shift.IsNone() {
		return bias
	}
	if !bias.IsNone() {
		e.Axpby(shift, 1, bias, 1)
	}
	return shift
}

// Correlate adds scale * sum_b w_b (v_b-m)_i y_ba to dL/dW_ia (Eq. A6).
func (d *Dense) Correlate(o Overlap, y, weights compute.Matrix, scale float64) {
	correlation(d.engine, d.weights.Grad, o.X, y, weights, d.m, scale, true)
}

// correlation sets dst (VxH), or adds to it: scale * sum_b w_b (v_b-m)^T y_b.
func correlation(e compute.Engine, dst, v, y, weights, m compute.Matrix, scale float64, add bool) {
	e.Mul(dst, v, y, compute.Op{TransA: true, Accumulate: add, Alpha: scale, Weights: weights})
	if !m.IsNone() { // - scale * m (sum_b w_b y_b)
		sum := e.Scratch(compute.Float32, 1, y.Cols())
		columnSums(e, sum, y, weights, 1, false)
		e.Mul(dst, m, sum, compute.Op{TransA: true, Accumulate: true, Alpha: -scale})
	}
}

// MarginalPhase adds the gradients of scale * sum_b w_b sum_a log 2cosh x_a(v_b): the hidden
// means are made and used tile by tile, as those of axons are.
func (d *Dense) MarginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64) {
	bias = withShift(d.engine, bias, d.Shift())
	hidden, width := d.weights.Value.Cols(), fusedWidth(v.Rows())
	for from := 0; from < hidden; from += width {
		to := min(from+width, hidden)
		mark := d.engine.Mark()
		t := d.engine.Scratch(compute.Float32, v.Rows(), to-from)
		then := compute.Epilogue{Kind: compute.Tanh}
		if !bias.IsNone() {
			then.Bias = bias.Columns(from, to)
		}
		d.engine.Mul(t, v, d.weights.Value.Columns(from, to), compute.Op{Alpha: 1, Then: then})
		correlation(d.engine, d.weights.Grad.Columns(from, to), v, t, weights, d.m, scale, true)
		if !biasGrad.IsNone() {
			columnSums(d.engine, biasGrad.Columns(from, to), t, weights, scale, true)
		}
		d.engine.Release(mark)
	}
}

// Interaction adds alpha * (v-m) W h.
func (d *Dense) Interaction(dst compute.Matrix, alpha float64, o Overlap, y compute.Matrix) {
	f := d.engine.Scratch(compute.Float32, y.Rows(), y.Cols())
	d.Fields(f, o, compute.Epilogue{})
	d.engine.RowDot(dst, alpha, f, y)
}

// columnSums sets (or adds to) dst (1xN): alpha * sum_b w_b x_b, all w_b being 1 without weights.
func columnSums(e compute.Engine, dst, x, weights compute.Matrix, alpha float64, add bool) {
	if weights.IsNone() {
		weights = e.Scratch(compute.Float32, x.Rows(), 1)
		e.Fill(weights, 1)
	}
	e.Mul(dst, weights, x, compute.Op{TransA: true, Accumulate: add, Alpha: alpha})
}
