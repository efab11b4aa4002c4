package bm

import (
	"math"

	"mattis/compute"
)

// Axons are the paper's regularized axons: W = (g/sqrt K) Xv^T Xh (Eq. 5) from
// K patterns with a visible part Xv (KxV) and a hidden part Xh (KxH). W itself
// is never formed: with the overlap A = (v-m) Xv^T the fields are (g/sqrt K) A Xh.
type Axons struct {
	offset
	engine          compute.Engine
	visible, hidden Param
	logGain         Param
}

var _ Couplings = (*Axons)(nil)

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

// Overlap returns A = (v-m) Xv^T or h Xh^T.
func (a *Axons) Overlap(x compute.Matrix, layer int) Overlap {
	e := a.engine
	o := Overlap{Layer: layer, X: x, A: e.Scratch(compute.Float32, x.Rows(), a.visible.Value.Rows())}
	if layer == Hidden {
		e.Mul(o.A, x, a.hidden.Value, compute.Op{TransB: true, Alpha: 1})
		return o
	}
	then := compute.Epilogue{}
	if !a.m.IsNone() {
		then.Bias = a.offsetOverlap()
	}
	e.Mul(o.A, x, a.visible.Value, compute.Op{TransB: true, Alpha: 1, Then: then})
	return o
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
	a.engine.Mul(s, a.offsetOverlap(), a.hidden.Value, compute.Op{Alpha: 1 / a.rootK(), LogGain: a.logGain.Value})
	return s
}

// Fields sets dst to the epilogue of (g/sqrt K) A Xh, or of (g/sqrt K) A Xv from the hidden side.
func (a *Axons) Fields(dst compute.Matrix, o Overlap, then compute.Epilogue) {
	to := a.hidden.Value
	if o.Layer == Hidden {
		to = a.visible.Value
	}
	a.engine.Mul(dst, o.A, to, compute.Op{Alpha: 1 / a.rootK(), LogGain: a.logGain.Value, Then: then})
}

// Correlate adds the gradients of Eqs. A7 times -scale, with S = (g/sqrt K) y Xh^T:
//
//	dXv += scale * S^T (v-m)     dXh += scale * (g/sqrt K) A^T y     dlog g += scale * sum A o S
func (a *Axons) Correlate(o Overlap, y, weights compute.Matrix, scale float64) {
	e := a.engine
	s := e.Scratch(compute.Float32, y.Rows(), a.hidden.Value.Rows())
	e.Mul(s, y, a.hidden.Value, compute.Op{TransB: true, Alpha: 1 / a.rootK(), LogGain: a.logGain.Value})
	e.Mul(a.visible.Grad, s, o.X, compute.Op{TransA: true, Accumulate: true, Alpha: scale, Weights: weights})
	if !a.m.IsNone() { // - scale * (sum_b w_b S_b)^T m
		sum := e.Scratch(compute.Float32, 1, s.Cols())
		columnSums(e, sum, s, weights, 1, false)
		e.Mul(a.visible.Grad, sum, a.m, compute.Op{TransA: true, Accumulate: true, Alpha: -scale})
	}
	e.Mul(a.hidden.Grad, o.A, y, compute.Op{TransA: true, Accumulate: true, Alpha: scale / a.rootK(), LogGain: a.logGain.Value, Weights: weights})
	if !a.logGain.Grad.IsNone() {
		rows := e.Scratch(compute.Float64, y.Rows(), 1)
		e.Axpby(rows, 0, rows, 0)
		e.RowDot(rows, 1, o.A, s)
		if weights.IsNone() {
			weights = e.Scratch(compute.Float32, y.Rows(), 1)
			ones(e, weights)
		}
		sum := e.Scratch(compute.Float64, 1, 1)
		e.Axpby(sum, 0, sum, 0)
		e.RowDot(sum, scale, rows.Reshape(1, y.Rows()), weights.Reshape(1, y.Rows()))
		e.Axpby(a.logGain.Grad, 1, sum, 1)
	}
}

// Interaction adds alpha * (g/sqrt K) (v-m) Xv^T Xh h.
func (a *Axons) Interaction(dst compute.Matrix, alpha float64, o Overlap, y compute.Matrix) {
	s := a.engine.Scratch(compute.Float32, y.Rows(), a.hidden.Value.Rows())
	a.engine.Mul(s, y, a.hidden.Value, compute.Op{TransB: true, Alpha: 1 / a.rootK(), LogGain: a.logGain.Value})
	a.engine.RowDot(dst, alpha, o.A, s)
}
