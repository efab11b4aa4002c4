package bm

import "mattis/compute"

// Dense couplings keep the W of each pair itself. That of a layer with itself is symmetric with a
// diagonal of 0, and its gradient has at both places of a pair of spins the derivative by their
// coupling.
type Dense struct {
	offsets
	engine  compute.Engine
	graph   Graph
	weights []Param // of each pair
	one     [1]Overlap
}

var _ Couplings = (*Dense)(nil)

// NewDense returns couplings W = 0 between the layers of a graph that is right (see Graph.Check);
// offsets are 0 at first.
func NewDense(e compute.Engine, g Graph) *Dense {
	d := &Dense{offsets: newOffsets(e, g, 2*len(g.Pairs)), engine: e, graph: g}
	for i, p := range g.Pairs {
		d.weights = append(d.weights, learned(e, g.TensorName("weights", i), g.Layers[p.A].N, g.Layers[p.B].N, 1))
	}
	return d
}

// Weights returns the W of a pair (N_A x N_B) and its gradient.
func (d *Dense) Weights(pair int) Param { return d.weights[pair] }

// Formed returns the W of a pair.
func (d *Dense) Formed(pair int) compute.Matrix { return d.weights[pair].Value }

// Engine returns the engine that holds the weights.
func (d *Dense) Engine() compute.Engine { return d.engine }

// Graph returns the graph.
func (d *Dense) Graph() Graph { return d.graph }

// Params returns the weights and the offsets.
func (d *Dense) Params() []Param { return append(append([]Param(nil), d.weights...), d.params()...) }

// Overlap of dense couplings is the spins themselves.
func (d *Dense) Overlap(x compute.Matrix, layer int) Overlap {
	return Overlap{Layer: layer, X: x, Up: d.up(d.engine, x, layer)}
}

// pairOf returns the W of two layers, and whether fields from the one on the other take its
// transpose.
func (d *Dense) pairOf(from, to int) (w compute.Matrix, transposed bool) {
	return d.weights[d.graph.PairOf(from, to)].Value, from > to
}

// Hold keeps the shifts by the offsets that move.
func (d *Dense) Hold() {
	if !d.hold() {
		return
	}
	for i, p := range d.graph.Pairs {
		if p.A == p.B {
			continue
		}
		for side, l := range [...]int{p.A, p.B} {
			if d.moves(l) {
				d.held[2*i+side] = d.Shift(l, p.A+p.B-l)
			}
		}
	}
}

// heldShift returns -m W where it is held: of pair i from its layer A at 2i, from B at 2i+1.
func (d *Dense) heldShift(from, to int) compute.Matrix {
	i := 2 * d.graph.PairOf(from, to)
	if from > to {
		i++
	}
	return d.held[i]
}

// Shift returns -m W.
func (d *Dense) Shift(from, to int) compute.Matrix {
	m := d.m[from]
	if m.IsNone() {
		return m
	}
	w, transposed := d.pairOf(from, to)
	s := d.engine.Scratch(compute.Float32, 1, d.graph.Layers[to].N)
	if held := d.heldShift(from, to); !held.IsNone() { // callers add to what they get
		d.engine.Copy(s, held)
		return s
	}
	d.engine.Mul(s, m, w, compute.Op{TransB: transposed, Alpha: -1})
	return s
}

// Fields sets dst to the epilogue of the sum of (s-m) W.
func (d *Dense) Fields(dst compute.Matrix, near []Overlap, layer int, then compute.Epilogue) {
	e := d.engine
	for i, o := range near {
		w, transposed := d.pairOf(o.Layer, layer)
		x, m := d.factor(o)
		if !m.IsNone() {
			then.Bias = withShift(e, then.Bias, d.Shift(o.Layer, layer))
		}
		op := compute.Op{TransB: transposed, Alpha: 1, Precision: d.precision}
		if i == len(near)-1 {
			op.Then = then
			e.Mul(dst, x, w, op)
			return
		}
		if then.Add.IsNone() {
			then.Add = e.Scratch(compute.Float32, x.Rows(), dst.Cols())
		} else {
			op.Accumulate = true
		}
		e.Mul(then.Add, x, w, op)
	}
}

// Scan draws a layer coupled to itself by its J.
func (d *Dense) Scan(s compute.Matrix, near []Overlap, own Overlap, order compute.Order, then compute.Epilogue) {
	e, l := d.engine, own.Layer
	if len(near) > 0 {
		rest := e.Scratch(compute.Float32, s.Rows(), s.Cols())
		d.Fields(rest, near, l, compute.Epilogue{Add: then.Add})
		then.Add = rest
	}
	e.Scan(s, compute.ScanOp{Dense: d.weights[d.graph.PairOf(l, l)].Value, Offset: d.m[l], Alpha: 1, Order: order, Then: then})
}

// Correlate adds scale * sum_b w_b (s_b-m)_i (s'_b-m')_a to dL/dW_ia (Eq. A6).
func (d *Dense) Correlate(layers []Overlap, weights compute.Matrix, scale float64) {
	for i, p := range d.graph.Pairs {
		x, y := layers[p.A].X, layers[p.B].X
		switch {
		case x.IsNone() || y.IsNone():
		case p.A == p.B:
			d.selfCorrelate(d.weights[i].Grad, x, d.m[p.A], weights, scale)
		default:
			x, m := d.factor(layers[p.A])
			y, n := d.factor(layers[p.B])
			d.correlation(d.engine, d.weights[i].Grad, x, y, weights, m, n, scale, true)
		}
	}
}

// correlation sets dst (NxM), or adds to it: scale * sum_b w_b (x_b-m)^T (y_b-n).
func (o *offsets) correlation(e compute.Engine, dst, x, y, weights, m, n compute.Matrix, scale float64, add bool) {
	e.Mul(dst, x, y, compute.Op{TransA: true, Accumulate: add, Alpha: scale, Weights: weights, Precision: o.precision})
	offsetCorrelation(e, dst, x, y, weights, m, n, scale)
}

// selfCorrelate adds what correlation does of a layer with itself to grad, whose diagonal stays 0.
// Both places of two spins get the same bits: with weights, which a product rounds into one of its
// factors, as the mean of the two orders.
func (d *Dense) selfCorrelate(grad, x, m, weights compute.Matrix, scale float64) {
	e := d.engine
	x = centred(e, x, m)
	if weights.IsNone() {
		e.Mul(grad, x, x, compute.Op{TransA: true, Accumulate: true, Alpha: scale, Precision: d.precision})
	} else {
		n := x.Cols()
		weighted, sum := e.Scratch(compute.Float32, x.Rows(), n), e.Scratch(compute.Float32, n, n)
		e.Hadamard(weighted, x, weights)
		e.Mul(sum, weighted, x, compute.Op{TransA: true, Alpha: scale / 2, Precision: d.precision})
		other := e.Scratch(compute.Float32, n, n)
		e.Mul(other, x, weighted, compute.Op{TransA: true, Alpha: scale / 2, Precision: d.precision})
		e.Axpby(sum, 1, other, 1)
		e.Axpby(grad, 1, sum, 1)
	}
	e.Fill(grad.Diagonal(), 0)
}

// MarginalPhase adds the gradients of scale * sum_b w_b sum_a log 2cosh x_a(v_b): the hidden
// means are made and used tile by tile, as those of axons are.
func (d *Dense) MarginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64) {
	e, w := d.engine, d.weights[0]
	bias = withShift(e, bias, d.Shift(Visible, Hidden))
	hidden, width := w.Value.Cols(), d.fusedWidth(v.Rows())
	for from := 0; from < hidden; from += width {
		to := min(from+width, hidden)
		mark := e.Mark()
		t := e.Scratch(compute.Float32, v.Rows(), to-from)
		then := compute.Epilogue{Kind: compute.Tanh}
		if !bias.IsNone() {
			then.Bias = bias.Columns(from, to)
		}
		e.Mul(t, v, w.Value.Columns(from, to), compute.Op{Alpha: 1, Precision: d.precision, Then: then})
		d.correlation(e, w.Grad.Columns(from, to), v, t, weights, d.m[Visible], compute.Matrix{}, scale, true)
		if !biasGrad.IsNone() {
			columnSums(e, biasGrad.Columns(from, to), t, weights, scale, true)
		}
		e.Release(mark)
	}
}

// Interaction adds alpha * (s-m) W (s'-m').
func (d *Dense) Interaction(dst compute.Matrix, alpha float64, x, y Overlap) {
	e := d.engine
	if x.Layer == y.Layer {
		alpha /= 2
	}
	f := e.Scratch(compute.Float32, y.X.Rows(), y.X.Cols())
	d.one[0] = x
	d.Fields(f, d.one[:], y.Layer, compute.Epilogue{})
	e.RowDot(dst, alpha, f, y.X)
	if m := d.m[y.Layer]; !m.IsNone() {
		e.RowDot(dst, -alpha, f, m.Repeat(f.Rows()))
	}
}

// Times sets dst to x W or x W^T.
func (d *Dense) Times(dst, x compute.Matrix, pair int, transposed bool) {
	d.engine.Mul(dst, x, d.weights[pair].Value, compute.Op{TransB: transposed, Alpha: 1, Precision: d.precision})
}
