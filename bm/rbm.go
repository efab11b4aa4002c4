package bm

import (
	"fmt"

	"mattis/compute"
)

// RBM is the restricted Boltzmann machine of spins,
//
//	E(v,h) = -(v-m) W h - b.v - c.h + constant
//
// with each pair counted once. The paper has b = c = m = 0 and no constant.
type RBM struct {
	engine    compute.Engine
	couplings Couplings
	biases    [2]Param // visible b (1xV), hidden c (1xH); the zero Param where there is none
	constant  Param    // 1x1 Float64; the zero Param where there is none
}

var _ Machine = (*RBM)(nil)

// NewRBM returns the machine of the couplings, with visible and hidden biases of 0 if asked for.
func NewRBM(e compute.Engine, c Couplings, visibleBias, hiddenBias bool) *RBM {
	v, h := c.Sizes()
	r := &RBM{engine: e, couplings: c}
	if visibleBias {
		r.biases[Visible] = learned(e, "bias.visible", 1, v, 0)
	}
	if hiddenBias {
		r.biases[Hidden] = learned(e, "bias.hidden", 1, h, 0)
	}
	return r
}

// Engine returns the engine that holds the parameters.
func (r *RBM) Engine() compute.Engine { return r.engine }

// Couplings returns the couplings.
func (r *RBM) Couplings() Couplings { return r.couplings }

// Bias returns the biases of layer l, the zero Param if it has none.
func (r *RBM) Bias(l int) Param { return r.biases[l] }

// Layers returns V and H.
func (r *RBM) Layers() []int {
	v, h := r.couplings.Sizes()
	return []int{v, h}
}

// Params returns the couplings' parameters, the biases and the energy constant.
func (r *RBM) Params() []Param {
	p := r.couplings.Params()
	for _, b := range [...]Param{r.biases[Visible], r.biases[Hidden], r.constant} {
		if !b.Value.IsNone() {
			p = append(p, b)
		}
	}
	return p
}

// Symmetric reports whether E(v,h) = E(-v,-h): no biases and no offset. Then F(v) = F(-v).
func (r *RBM) Symmetric() bool {
	for _, p := range r.Params() {
		if p.Name == "offset.visible" || p.Name == "bias.visible" || p.Name == "bias.hidden" {
			return false
		}
	}
	return true
}

// epilogue returns what is done with the fields on layer l under the law.
func (r *RBM) epilogue(kind compute.Kind, l int, law Law) compute.Epilogue {
	e := compute.Epilogue{Kind: kind, Bias: r.biases[l].Value, Scale: law.Beta}
	if l == Visible {
		e.Base = law.Base
	}
	return e
}

// Sample draws layer l of s given the other one.
func (r *RBM) Sample(s State, l int, law Law) {
	mark := r.engine.Mark()
	then := r.epilogue(compute.Spin, l, law)
	then.Key, then.Row, then.Clamp = law.Key.Fold(uint64(l)), law.Row, law.clamp(l)
	r.couplings.Fields(s[l], r.couplings.Overlap(s[1-l], 1-l), then)
	r.engine.Release(mark)
}

// Mean sets dst to tanh of the fields on layer l.
func (r *RBM) Mean(dst compute.Matrix, s State, l int, law Law) {
	mark := r.engine.Mark()
	r.couplings.Fields(dst, r.couplings.Overlap(s[1-l], 1-l), r.epilogue(compute.Tanh, l, law))
	r.engine.Release(mark)
}

// Sweep draws h given v and then v given h.
func (r *RBM) Sweep(s State, law Law) {
	r.Sample(s, Hidden, law)
	r.Sample(s, Visible, law)
}

// rowsAtOnce bounds the rows that Energy and Phase work on together, so that
// a BxH block of activations stays below 16 MiB whatever B is.
func (r *RBM) rowsAtOnce() int {
	_, h := r.couplings.Sizes()
	return max(64, (4<<20)/max(h, 1)&^3)
}

// Energy sets dst to the energy of each row, or to its free energy where a layer is missing:
//
//	Beta*E(v,h) - (1-Beta)*Base.v
//	-sum_a log 2cosh(Beta*x_a) - Beta*b.v - (1-Beta)*Base.v        without h (Eq. A2 with its sign mended)
//	-sum_i log 2cosh(Beta*y_i + (1-Beta)*Base_i) - Beta*(c-mW).h   without v
//
// and Beta*constant in each.
func (r *RBM) Energy(dst compute.Matrix, s State, law Law) {
	rows := s.Rows()
	if dst.Rows() != rows || dst.Cols() != 1 || dst.Type() != compute.Float64 {
		panic(fmt.Sprintf("bm: Energy of %d rows to %v", rows, dst))
	}
	v, h := s.Layer(Visible), s.Layer(Hidden)
	step := r.rowsAtOnce()
	for from := 0; from < rows; from += step {
		to := min(from+step, rows)
		part := func(m compute.Matrix) compute.Matrix {
			if m.IsNone() {
				return m
			}
			return m.Slice(from, to)
		}
		r.energy(dst.Slice(from, to), part(v), part(h), Law{Beta: part(law.Beta), Base: law.Base})
	}
}

func (r *RBM) energy(dst, v, h compute.Matrix, law Law) {
	e := r.engine
	mark := e.Mark()
	defer e.Release(mark)
	e.Fill(dst, 0)
	// dst gathers the exponent of the Boltzmann weight, and changes its sign at the end.
	switch {
	case v.IsNone() && h.IsNone():
		panic("bm: Energy of a state without layers")
	case h.IsNone():
		then := r.epilogue(compute.Discard, Hidden, law)
		then.LogCosh = dst
		r.addBias(dst, v, r.biases[Visible].Value, law.Beta)
		r.couplings.Fields(r.shape(v.Rows(), Hidden), r.couplings.Overlap(v, Visible), then)
	case v.IsNone():
		then := r.epilogue(compute.Discard, Visible, law)
		then.LogCosh = dst
		r.addBias(dst, h, r.biases[Hidden].Value, law.Beta)
		r.addBias(dst, h, r.couplings.Shift(), law.Beta)
		r.couplings.Fields(r.shape(h.Rows(), Visible), r.couplings.Overlap(h, Hidden), then)
	default:
		r.couplings.Interaction(dst, 1, r.couplings.Overlap(v, Visible), h)
		r.addBias(dst, v, r.biases[Visible].Value, compute.Matrix{})
		r.addBias(dst, h, r.biases[Hidden].Value, compute.Matrix{})
		r.scaleRows(dst, law.Beta)
	}
	r.takeConstant(dst, law.Beta)
	if !law.Base.IsNone() && !law.Beta.IsNone() && !v.IsNone() { // + (1-Beta) Base.v
		base := e.Scratch(compute.Float64, v.Rows(), 1)
		e.Fill(base, 0)
		e.RowDot(base, 1, v, law.Base.Repeat(v.Rows()))
		e.Axpby(dst, 1, base, 1)
		r.scaleRows(base, law.Beta)
		e.Axpby(dst, -1, base, 1)
	}
	e.Axpby(dst, 0, dst, -1)
}

// shape returns a matrix that only has a shape, for Discard.
func (r *RBM) shape(rows, l int) compute.Matrix {
	return compute.Over(nil, compute.Float32, rows, r.Layers()[l], 0)
}

// addBias adds beta * bias.x of each row to dst.
func (r *RBM) addBias(dst, x, bias, beta compute.Matrix) {
	if bias.IsNone() {
		return
	}
	e := r.engine
	if beta.IsNone() {
		e.RowDot(dst, 1, x, bias.Repeat(x.Rows()))
		return
	}
	sum := e.Scratch(compute.Float64, x.Rows(), 1)
	e.Fill(sum, 0)
	e.RowDot(sum, 1, x, bias.Repeat(x.Rows()))
	r.scaleRows(sum, beta)
	e.Axpby(dst, 1, sum, 1)
}

// scaleRows sets x[i] *= beta[i] of the Bx1 Float64 x.
func (r *RBM) scaleRows(x, beta compute.Matrix) {
	if beta.IsNone() {
		return
	}
	e := r.engine
	scaled := e.Scratch(compute.Float64, x.Rows(), 1)
	e.Fill(scaled, 0)
	e.RowDot(scaled, 1, x, beta)
	e.Copy(x, scaled)
}

// Phase adds scale * sum_b w_b dE/dtheta of the batch to the gradients.
func (r *RBM) Phase(b Batch, scale float64) {
	rows := b.State.Rows()
	if rows == 0 {
		return
	}
	if b.Weights.IsNone() {
		scale /= float64(rows)
	}
	v, h := b.State.Layer(Visible), b.State.Layer(Hidden)
	if b.Marginal {
		h = compute.Matrix{}
	}
	if l := b.Listed; h.IsNone() && l != nil && l.machine == r && l.Len() == rows && l.phase(b.Weights, -scale) {
		r.visiblePhase(v, b.Weights, -scale)
		return
	}
	step := r.rowsAtOnce()
	f, ok := r.couplings.(fused)
	if ok = ok && h.IsNone(); ok {
		step = fusedRows
	}
	for from := 0; from < rows; from += step {
		to := min(from+step, rows)
		mark := r.engine.Mark()
		var hs, ws compute.Matrix
		if !h.IsNone() {
			hs = h.Slice(from, to)
		}
		if !b.Weights.IsNone() {
			ws = b.Weights.Slice(from, to)
		}
		if ok {
			r.fusedPhase(f, v.Slice(from, to), ws, -scale)
		} else {
			r.phase(v.Slice(from, to), hs, ws, -scale)
		}
		r.engine.Release(mark)
	}
}

func (r *RBM) fusedPhase(f fused, v, weights compute.Matrix, scale float64) {
	f.MarginalPhase(v, weights, r.biases[Hidden].Value, r.biases[Hidden].Grad, scale)
	r.visiblePhase(v, weights, scale)
}

// visiblePhase adds scale * sum_b w_b v_b to the gradient of the visible biases.
func (r *RBM) visiblePhase(v, weights compute.Matrix, scale float64) {
	if g := r.biases[Visible].Grad; !g.IsNone() {
		columnSums(r.engine, g, v, weights, scale, true)
	}
}

func (r *RBM) phase(v, y, weights compute.Matrix, scale float64) {
	o := r.couplings.Overlap(v, Visible)
	if y.IsNone() {
		y = r.engine.Scratch(compute.Float32, v.Rows(), r.Layers()[Hidden])
		r.couplings.Fields(y, o, compute.Epilogue{Kind: compute.Tanh, Bias: r.biases[Hidden].Value})
	}
	r.couplings.Correlate(o, y, weights, scale)
	for l, x := range [...]compute.Matrix{v, y} {
		if g := r.biases[l].Grad; !g.IsNone() {
			columnSums(r.engine, g, x, weights, scale, true)
		}
	}
}
