package bm

import (
	"math"

	"mattis/compute"
)

// Axons are the paper's regularized axons: W = (g/sqrt K) Xv^T Xh (Eq. 5) from
// K patterns with a visible part Xv (KxV) and a hidden part Xh (KxH). With the
// overlap A = (v-m) Xv^T the fields are (g/sqrt K) A Xh, and W itself is not
// needed; it is formed in scratch only where so many patterns meet so many rows
// that its products are cheaper (see order).
type Axons struct {
	offset
	engine          compute.Engine
	visible, hidden Param
	logGain         Param
}

var (
	_ Couplings = (*Axons)(nil)
	_ fused     = (*Axons)(nil)
)

// NewAxons returns axons from K patterns, all zero, with gain 1. learnGain gives the gain a
// gradient; withOffset adds the visible offset, 0 at first.
func NewAxons(e compute.Engine, visible, hidden, patterns int, learnGain, withOffset bool) *Axons {
	a := &Axons{
		engine:  e,
		visible: learned(e, "patterns.visible", patterns, visible, 1),
		hidden:  learned(e, "patterns.hidden", patterns, hidden, 1),
		logGain: Param{Name: "log_gain", Value: e.Alloc(compute.Float32, 1, 1), Rate: 1},
	}
	if learnGain {
		a.logGain.Grad = e.Alloc(compute.Float32, 1, 1)
	}
	if withOffset {
		a.m = e.Alloc(compute.Float32, 1, visible)
	}
	return a
}

// Patterns returns Xv (KxV) and Xh (KxH) with their gradients.
func (a *Axons) Patterns() (visible, hidden Param) { return a.visible, a.hidden }

// LogGain returns the logarithm of g, 1x1.
func (a *Axons) LogGain() Param { return a.logGain }

// Sizes returns V and H.
func (a *Axons) Sizes() (visible, hidden int) { return a.visible.Value.Cols(), a.hidden.Value.Cols() }

// Params returns the patterns, the log gain and the offset.
func (a *Axons) Params() []Param {
	return append([]Param{a.visible, a.hidden, a.logGain}, a.params()...)
}

// patterns returns K, 0 of no axons.
func (a *Axons) patterns() int {
	if a == nil {
		return 0
	}
	return a.visible.Value.Rows()
}

func (a *Axons) rootK() float64 { return math.Sqrt(float64(a.visible.Value.Rows())) }

// Overlap returns A = (v-m) Xv^T or h Xh^T, or none where the fields are cheaper by W.
func (a *Axons) Overlap(x compute.Matrix, layer int) Overlap {
	o := Overlap{Layer: layer, X: x}
	if !a.order().denseFields(x.Rows()) {
		o.A = a.overlap(x, layer)
	}
	return o
}

func (a *Axons) overlap(x compute.Matrix, layer int) compute.Matrix {
	e := a.engine
	dst := e.Scratch(compute.Float32, x.Rows(), a.patterns())
	if layer == Hidden {
		e.Mul(dst, x, a.hidden.Value, compute.Op{TransB: true, Alpha: 1})
		return dst
	}
	then := compute.Epilogue{}
	if !a.m.IsNone() {
		then.Bias = a.offsetOverlap()
	}
	e.Mul(dst, x, a.visible.Value, compute.Op{TransB: true, Alpha: 1, Then: then})
	return dst
}

// offsetOverlap returns -m Xv^T, 1xK.
func (a *Axons) offsetOverlap() compute.Matrix {
	r := a.engine.Scratch(compute.Float32, 1, a.visible.Value.Rows())
	a.engine.Mul(r, a.m, a.visible.Value, compute.Op{TransB: true, Alpha: -1})
	return r
}

// Shift returns -m W = -(g/sqrt K) (m Xv^T) Xh.
func (a *Axons) Shift() compute.Matrix {
	if a.m.IsNone() {
		return compute.Matrix{}
	}
	s := a.engine.Scratch(compute.Float32, 1, a.hidden.Value.Cols())
	a.engine.Mul(s, a.offsetOverlap(), a.hidden.Value, a.scaled(compute.Op{}))
	return s
}

// Fields sets dst to the epilogue of (g/sqrt K) A Xh, or of (g/sqrt K) A Xv from the hidden side.
func (a *Axons) Fields(dst compute.Matrix, o Overlap, then compute.Epilogue) {
	if o.A.IsNone() {
		denseFields(a.engine, dst, o, a.weights(), a.Shift, then)
		return
	}
	to := a.hidden.Value
	if o.Layer == Hidden {
		to = a.visible.Value
	}
	a.engine.Mul(dst, o.A, to, a.scaled(compute.Op{Then: then}))
}

// scaled returns op with the factor g/sqrt K.
func (a *Axons) scaled(op compute.Op) compute.Op {
	op.Alpha, op.LogGain = 1/a.rootK(), a.logGain.Value
	return op
}

// weights returns W, VxH scratch.
func (a *Axons) weights() compute.Matrix {
	v, h := a.Sizes()
	w := a.engine.Scratch(compute.Float32, v, h)
	a.engine.Mul(w, a.visible.Value, a.hidden.Value, a.scaled(compute.Op{TransA: true}))
	return w
}

// Correlate adds the gradients of Eqs. A7 times -scale, with S = (g/sqrt K) y Xh^T:
//
//	dXv += scale * S^T (v-m)     dXh += scale * (g/sqrt K) A^T y     dlog g += scale * sum A o S
//
// or, where that is cheaper, from the correlation of the layers G = (v-m)^T y:
//
//	dXv += scale * (g/sqrt K) Xh G^T     dXh += scale * (g/sqrt K) Xv G     dlog g += scale * (g/sqrt K) sum Xv o (Xh G^T)
func (a *Axons) Correlate(o Overlap, y, weights compute.Matrix, scale float64) {
	if a.order().denseGradients(y.Rows(), !o.A.IsNone()) {
		a.correlateDense(o, y, weights, scale)
		return
	}
	if o.A.IsNone() {
		o.A = a.overlap(o.X, o.Layer)
	}
	s := a.engine.Scratch(compute.Float32, y.Rows(), a.patterns())
	a.engine.Mul(s, y, a.hidden.Value, a.scaled(compute.Op{TransB: true}))
	a.correlateHidden(a.hidden.Grad, o.A, y, weights, scale)
	a.correlateVisible(o, s, weights, scale)
}

// correlateHidden adds scale * (g/sqrt K) A^T diag(w) y to grad, some columns of dXh.
func (a *Axons) correlateHidden(grad, overlap, y, weights compute.Matrix, scale float64) {
	op := a.scaled(compute.Op{TransA: true, Accumulate: true, Weights: weights})
	op.Alpha *= scale
	a.engine.Mul(grad, overlap, y, op)
}

// correlateVisible adds scale * S^T diag(w) (v-m) to dXv and scale * sum_b w_b A_b.S_b to dlog g.
func (a *Axons) correlateVisible(o Overlap, s, weights compute.Matrix, scale float64) {
	e := a.engine
	e.Mul(a.visible.Grad, s, o.X, compute.Op{TransA: true, Accumulate: true, Alpha: scale, Weights: weights})
	if !a.m.IsNone() { // - scale * (sum_b w_b S_b)^T m
		sum := e.Scratch(compute.Float32, 1, s.Cols())
		columnSums(e, sum, s, weights, 1, false)
		e.Mul(a.visible.Grad, sum, a.m, compute.Op{TransA: true, Accumulate: true, Alpha: -scale})
	}
	if a.logGain.Grad.IsNone() {
		return
	}
	rows := e.Scratch(compute.Float64, s.Rows(), 1)
	e.Fill(rows, 0)
	e.RowDot(rows, 1, o.A, s)
	if weights.IsNone() {
		weights = e.Scratch(compute.Float32, s.Rows(), 1)
		e.Fill(weights, 1)
	}
	a.addLogGain(scale, rows, weights)
}

// addLogGain adds scale * sum_i rows[i]*weights[i] to the gradient of log g.
func (a *Axons) addLogGain(scale float64, rows, weights compute.Matrix) {
	e := a.engine
	sum := e.Scratch(compute.Float64, 1, 1)
	e.Fill(sum, 0)
	e.RowDot(sum, scale, rows.Reshape(1, rows.Rows()), weights.Reshape(1, rows.Rows()))
	e.Axpby(a.logGain.Grad, 1, sum, 1)
}

func (a *Axons) correlateDense(o Overlap, y, weights compute.Matrix, scale float64) {
	e := a.engine
	v, h := a.Sizes()
	g := e.Scratch(compute.Float32, v, h)
	correlation(e, g, o.X, y, weights, a.m, 1, false)
	a.correlateHiddenDense(a.hidden.Grad, g, scale)
	p := e.Scratch(compute.Float32, a.patterns(), v)
	e.Mul(p, a.hidden.Value, g, a.scaled(compute.Op{TransB: true}))
	a.correlateVisibleDense(p, scale)
}

// correlateHiddenDense adds scale * (g/sqrt K) Xv G to grad, the columns of dXh that those of g belong to.
func (a *Axons) correlateHiddenDense(grad, g compute.Matrix, scale float64) {
	op := a.scaled(compute.Op{Accumulate: true})
	op.Alpha *= scale
	a.engine.Mul(grad, a.visible.Value, g, op)
}

// correlateVisibleDense adds scale * P to dXv and scale * sum Xv o P to dlog g, P being (g/sqrt K) Xh G^T.
func (a *Axons) correlateVisibleDense(p compute.Matrix, scale float64) {
	e := a.engine
	e.Axpby(a.visible.Grad, scale, p, 1)
	if a.logGain.Grad.IsNone() {
		return
	}
	rows := e.Scratch(compute.Float64, a.patterns(), 1)
	e.Fill(rows, 0)
	e.RowDot(rows, 1, a.visible.Value, p)
	all := e.Scratch(compute.Float32, a.patterns(), 1)
	e.Fill(all, 1)
	a.addLogGain(scale, rows, all)
}

// MarginalPhase works on at most fusedRows rows at once and keeps a tile of their
// hidden means: fusedEntries, half a second-level cache, or fusedColumns columns,
// where products still run at full speed. Fewer rows would keep the wider tile in the cache too, but leave products so
// short that handing them to threads costs more. Whole slivers of every arm make up 240 columns.
const (
	fusedRows    = 4096
	fusedEntries = 1 << 18
	fusedColumns = 240
)

// fusedWidth returns the columns of a tile of so many rows.
func fusedWidth(rows int) int {
	return max(fusedColumns, fusedEntries/rows/fusedColumns*fusedColumns)
}

// MarginalPhase adds the gradients of scale * sum_b w_b sum_a log 2cosh x_a(v_b), hidden
// bias bias (or none) included, whose gradient biasGrad gets. It is Fields with
// tanh and Correlate in one, in the order that is cheapest for the two: the means T = tanh x are made tile by tile,
// every tile is used at once for all gradients, and T as a whole never exists; nor do W and G.
func (a *Axons) MarginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64) {
	byW, byG, _ := a.order().phase(v.Rows())
	a.marginalPhase(v, weights, bias, biasGrad, scale, byW, byG)
}

func (a *Axons) marginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64, byW, byG bool) {
	e := a.engine
	o := Overlap{Layer: Visible, X: v}
	if !byW || !byG {
		o.A = a.overlap(v, Visible)
	}
	if byW {
		bias = withShift(e, bias, a.Shift())
	}
	var s, p compute.Matrix // S = (g/sqrt K) T Xh^T or P = (g/sqrt K) Xh G^T
	if byG {
		p = e.Scratch(compute.Float32, a.patterns(), v.Cols())
	} else {
		s = e.Scratch(compute.Float32, v.Rows(), a.patterns())
	}
	hidden, width := a.hidden.Value.Cols(), fusedWidth(v.Rows())
	for from := 0; from < hidden; from += width {
		to := min(from+width, hidden)
		mark := e.Mark()
		xh, grad := a.hidden.Value.Columns(from, to), a.hidden.Grad.Columns(from, to)
		t := e.Scratch(compute.Float32, v.Rows(), to-from)
		then := compute.Epilogue{Kind: compute.Tanh}
		if !bias.IsNone() {
			then.Bias = bias.Columns(from, to)
		}
		if byW {
			w := e.Scratch(compute.Float32, v.Cols(), to-from)
			e.Mul(w, a.visible.Value, xh, a.scaled(compute.Op{TransA: true}))
			e.Mul(t, v, w, compute.Op{Alpha: 1, Then: then})
		} else {
			e.Mul(t, o.A, xh, a.scaled(compute.Op{Then: then}))
		}
		if byG {
			g := e.Scratch(compute.Float32, v.Cols(), to-from)
			correlation(e, g, v, t, weights, a.m, 1, false)
			a.correlateHiddenDense(grad, g, scale)
			e.Mul(p, xh, g, a.scaled(compute.Op{TransB: true, Accumulate: from > 0}))
		} else {
			a.correlateHidden(grad, o.A, t, weights, scale)
			e.Mul(s, t, xh, a.scaled(compute.Op{TransB: true, Accumulate: from > 0}))
		}
		if !biasGrad.IsNone() {
			columnSums(e, biasGrad.Columns(from, to), t, weights, scale, true)
		}
		e.Release(mark)
	}
	if byG {
		a.correlateVisibleDense(p, scale)
	} else {
		a.correlateVisible(o, s, weights, scale)
	}
}

// Interaction adds alpha * (g/sqrt K) (v-m) Xv^T Xh h.
func (a *Axons) Interaction(dst compute.Matrix, alpha float64, o Overlap, y compute.Matrix) {
	if o.A.IsNone() {
		f := a.engine.Scratch(compute.Float32, y.Rows(), y.Cols())
		a.Fields(f, o, compute.Epilogue{})
		a.engine.RowDot(dst, alpha, f, y)
		return
	}
	s := a.engine.Scratch(compute.Float32, y.Rows(), a.patterns())
	a.engine.Mul(s, y, a.hidden.Value, a.scaled(compute.Op{TransB: true}))
	a.engine.RowDot(dst, alpha, o.A, s)
}
