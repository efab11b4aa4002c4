package bm

import (
	"math"

	"mattis/compute"
)

// Axons are the paper's regularized axons on any graph: each layer l has one matrix X_l (K x N_l)
// of K patterns, and each pair has a gain g,
//
//	W_lm = (g_lm/sqrt K) X_l^T X_m (Eq. 5)    and of a layer with itself    J_l = (g_ll/sqrt K) (X_l^T X_l - diag)
//
// With the overlaps A_m = (s_m-m_m) X_m^T the fields on layer l are (sum_m (g_lm/sqrt K) A_m) X_l,
// one product however many layers are near, and W itself is not needed. In machines of one pair it
// is formed in scratch only where so many patterns meet so many rows that its products are cheaper
// (see order).
type Axons struct {
	offsets
	engine   compute.Engine
	graph    Graph
	layers   []Param // X_l
	logGains []Param // of each pair
	rows     int     // K
	log      [1]float32
	rowwise  bool // see Machine.Rowwise
	single   bool // two layers meet and nothing else, the second one without an offset
}

var _ Couplings = (*Axons)(nil)

// NewAxons returns axons from K patterns, all zero, with gains 1 for a graph that is right (see
// Graph.Check). learnGain gives the gains a gradient. Offsets are 0 at first.
func NewAxons(e compute.Engine, g Graph, patterns int, learnGain bool) *Axons {
	a := &Axons{offsets: newOffsets(e, g, len(g.Layers)), engine: e, graph: g, rows: patterns}
	for _, l := range g.Layers {
		a.layers = append(a.layers, learned(e, "patterns."+l.Name, patterns, l.N, 1))
	}
	for i := range g.Pairs {
		p := Param{Name: g.TensorName("log_gain", i), Value: e.Alloc(compute.Float32, 1, 1), Rate: 1}
		if learnGain {
			p.Grad = e.Alloc(compute.Float32, 1, 1)
		}
		a.logGains = append(a.logGains, p)
	}
	a.single = g.single()
	return a
}

// Patterns returns X_l (K x N_l) of a layer with its gradient.
func (a *Axons) Patterns(layer int) Param { return a.layers[layer] }

// LogGain returns the logarithm of a pair's g, 1x1.
func (a *Axons) LogGain(pair int) Param { return a.logGains[pair] }

// Engine returns the engine that holds the patterns.
func (a *Axons) Engine() compute.Engine { return a.engine }

// Graph returns the graph.
func (a *Axons) Graph() Graph { return a.graph }

// Params returns the patterns, the log gains and the offsets.
func (a *Axons) Params() []Param {
	return append(append(append([]Param(nil), a.layers...), a.logGains...), a.params()...)
}

// K returns the number of patterns.
func (a *Axons) K() int { return a.rows }

func (a *Axons) rootK() float64 { return math.Sqrt(float64(a.rows)) }

// Factor returns g/sqrt K of a pair as products with it have it, rounded to float32 once.
func (a *Axons) Factor(pair int) float64 {
	compute.Read(a.engine, a.log[:], a.logGains[pair].Value)
	return float64(compute.Factor(1/a.rootK(), a.log[0]))
}

// Overlap returns A = (s-m) X^T, or none where the fields are cheaper by W.
func (a *Axons) Overlap(x compute.Matrix, layer int) Overlap {
	o := Overlap{Layer: layer, X: x, Up: a.up(a.engine, x, layer)}
	if !a.single || a.rowwise || !a.order().denseFields(x.Rows()) {
		o.A = a.overlap(o)
	}
	return o
}

// overlap returns A = (s-m) X^T of spins whose overlap so far is o.
func (a *Axons) overlap(o Overlap) compute.Matrix {
	e, layer := a.engine, o.Layer
	x, m := a.factor(o)
	dst := e.Scratch(compute.Float32, x.Rows(), a.rows)
	then := compute.Epilogue{}
	if !m.IsNone() {
		then.Bias = a.offsetOverlap(layer)
	}
	e.Mul(dst, x, a.layers[layer].Value, compute.Op{TransB: true, Alpha: 1, Precision: a.precision, Then: then})
	return dst
}

// Hold keeps what the offsets that move add to overlaps.
func (a *Axons) Hold() {
	if !a.hold() {
		return
	}
	for l := range a.layers {
		if a.moves(l) {
			a.held[l] = a.offsetOverlap(l)
		}
	}
}

// offsetOverlap returns -m X^T of a layer, 1xK, that nothing may be added to.
func (a *Axons) offsetOverlap(layer int) compute.Matrix {
	if held := a.held[layer]; !held.IsNone() {
		return held
	}
	r := a.engine.Scratch(compute.Float32, 1, a.rows)
	a.engine.Mul(r, a.m[layer], a.layers[layer].Value, compute.Op{TransB: true, Alpha: -1})
	return r
}

// Shift returns -m W = -(g/sqrt K) (m X^T) X', and of a layer with itself -m J.
func (a *Axons) Shift(from, to int) compute.Matrix {
	if a.m[from].IsNone() {
		return compute.Matrix{}
	}
	e, pair := a.engine, a.graph.PairOf(from, to)
	s := e.Scratch(compute.Float32, 1, a.graph.Layers[to].N)
	op := a.scaled(compute.Op{}, pair)
	op.Precision = compute.Single
	e.Mul(s, a.offsetOverlap(from), a.layers[to].Value, op)
	if from == to {
		a.addDiagonal(s, a.m[from], pair, 1)
	}
	return s
}

// Fields sets dst to the epilogue of (sum (g/sqrt K) A) X. A layer that is among those near itself
// has in that product its own spins' part, (g/sqrt K) d_i (s_i-m_i), which is taken out again.
func (a *Axons) Fields(dst compute.Matrix, near []Overlap, layer int, then compute.Epilogue) {
	e := a.engine
	if len(near) == 1 && near[0].A.IsNone() {
		a.denseFields(dst, near[0], then)
		return
	}
	for _, o := range near {
		if o.Layer == layer {
			own := e.Scratch(compute.Float32, o.X.Rows(), o.X.Cols())
			if e.Fill(own, 0); !then.Add.IsNone() {
				e.Axpby(own, 1, then.Add, 0)
			}
			a.addDiagonal(own, centred(e, o.X, a.m[layer]), a.graph.PairOf(layer, layer), -1)
			then.Add = own
		}
	}
	x := a.layers[layer].Value
	if len(near) == 1 {
		e.Mul(dst, near[0].A, x, a.scaled(compute.Op{Then: then}, a.graph.PairOf(near[0].Layer, layer)))
		return
	}
	e.Mul(dst, a.sum(near, layer), x, compute.Op{Alpha: 1, Precision: a.precision, Then: then})
}

// Scan draws a layer coupled to itself by its patterns.
func (a *Axons) Scan(s compute.Matrix, near []Overlap, own Overlap, order compute.Order, then compute.Epilogue) {
	op := compute.ScanOp{Patterns: a.layers[own.Layer].Value, Overlap: own.A, Offset: a.m[own.Layer], Order: order, Then: then,
		Alpha: 1 / a.rootK(), LogGain: a.logGains[a.graph.PairOf(own.Layer, own.Layer)].Value}
	if len(near) > 0 {
		op.Rest = a.sum(near, own.Layer)
	}
	a.engine.Scan(s, op)
}

// sum returns the sum of (g_lm/sqrt K) A_m over the layers near layer l, BxK scratch.
func (a *Axons) sum(near []Overlap, layer int) compute.Matrix {
	e := a.engine
	var s compute.Matrix
	for _, o := range near {
		f := a.Factor(a.graph.PairOf(o.Layer, layer))
		if s.IsNone() {
			s = e.Scratch(compute.Float32, o.A.Rows(), a.rows)
			e.Axpby(s, f, o.A, 0)
			continue
		}
		e.Axpby(s, f, o.A, 1)
	}
	return s
}

// Squares returns d_i = sum_k X_ki^2 of a layer, 1xN scratch.
func (a *Axons) Squares(layer int) compute.Matrix {
	e, x := a.engine, a.layers[layer].Value
	d, squares := e.Scratch(compute.Float32, 1, x.Cols()), e.Scratch(compute.Float32, x.Rows(), x.Cols())
	e.Hadamard(squares, x, x)
	columnSums(e, d, squares, compute.Matrix{}, 1, false)
	return d
}

// addDiagonal adds alpha * (g/sqrt K) d_i x_i to dst, d and g being those of a layer that is
// coupled to itself.
func (a *Axons) addDiagonal(dst, x compute.Matrix, pair int, alpha float64) {
	e := a.engine
	t := e.Scratch(compute.Float32, x.Rows(), x.Cols())
	e.Hadamard(t, x, a.Squares(a.graph.Pairs[pair].A).Repeat(x.Rows()))
	e.Axpby(dst, alpha*a.Factor(pair), t, 1)
}

// denseFields sets dst to the epilogue of (v-m) W or h W^T, W formed in scratch.
func (a *Axons) denseFields(dst compute.Matrix, o Overlap, then compute.Epilogue) {
	e, w := a.engine, a.Formed(0)
	if o.Layer == Hidden {
		e.Mul(dst, o.X, w, compute.Op{TransB: true, Alpha: 1, Precision: a.precision, Then: then})
		return
	}
	then.Bias = withShift(e, then.Bias, a.Shift(Visible, Hidden))
	e.Mul(dst, o.X, w, compute.Op{Alpha: 1, Precision: a.precision, Then: then})
}

// scaled returns op with the factor g/sqrt K of a pair, in the couplings' precision.
func (a *Axons) scaled(op compute.Op, pair int) compute.Op {
	op.Alpha, op.LogGain, op.Precision = 1/a.rootK(), a.logGains[pair].Value, a.precision
	return op
}

// Formed returns the W of a pair, N_A x N_B scratch.
func (a *Axons) Formed(pair int) compute.Matrix {
	p := a.graph.Pairs[pair]
	x, y := a.layers[p.A].Value, a.layers[p.B].Value
	w := a.engine.Scratch(compute.Float32, x.Cols(), y.Cols())
	a.engine.Mul(w, x, y, a.scaled(compute.Op{TransA: true}, pair))
	if p.A == p.B {
		a.engine.Fill(w.Diagonal(), 0)
	}
	return w
}

// Correlate adds the gradients of Eqs. A7 times -scale, with the sums G_l = sum_m (g_lm/sqrt K) A_m
// over the layers near l:
//
//	dX_l += scale * G_l^T (s_l-m_l)     dlog g += scale * the pair's interaction
//
// A layer coupled to itself has in G_l its own overlap, whose part of the spin itself is taken out
// again.
func (a *Axons) Correlate(layers []Overlap, weights compute.Matrix, scale float64) {
	if a.single {
		a.correlateSingle(layers[Visible], layers[Hidden].X, weights, scale)
		return
	}
	e := a.engine
	var room [MostLayers]Overlap
	for l, o := range layers {
		near := room[:0]
		for _, p := range a.graph.Pairs {
			if other := p.A + p.B - l; (p.A == l || p.B == l) && !layers[other].X.IsNone() {
				near = append(near, layers[other])
			}
		}
		if o.X.IsNone() || len(near) == 0 {
			continue
		}
		mark := e.Mark()
		g, grad := a.sum(near, l), a.layers[l].Grad
		s, m := a.factor(o)
		e.Mul(grad, g, s, compute.Op{TransA: true, Accumulate: true, Alpha: scale, Weights: weights, Precision: a.precision})
		a.offsetGradient(grad, g, m, weights, scale)
		if pair := a.graph.PairOf(l, l); pair >= 0 { // - scale * (g/sqrt K) X_ki sum_b w_b (s_i-m_i)^2
			x := centred(e, o.X, a.m[l])
			squares, sums := e.Scratch(compute.Float32, x.Rows(), x.Cols()), e.Scratch(compute.Float32, 1, x.Cols())
			e.Hadamard(squares, x, x)
			columnSums(e, sums, squares, weights, 1, false)
			own := e.Scratch(compute.Float32, a.rows, x.Cols())
			e.Hadamard(own, a.layers[l].Value, sums.Repeat(a.rows))
			e.Axpby(grad, -scale*a.Factor(pair), own, 1)
		}
		e.Release(mark)
	}
	for i, p := range a.graph.Pairs {
		if x, y := layers[p.A], layers[p.B]; !a.logGains[i].Grad.IsNone() && !x.X.IsNone() && !y.X.IsNone() {
			mark := e.Mark()
			rows := e.Scratch(compute.Float64, x.X.Rows(), 1)
			e.Fill(rows, 0)
			a.Interaction(rows, 1, x, y)
			a.addLogGain(i, scale, rows, weights)
			e.Release(mark)
		}
	}
}

// offsetGradient adds - scale * (sum_b w_b G_b)^T m to grad.
func (a *Axons) offsetGradient(grad, g, m, weights compute.Matrix, scale float64) {
	if m.IsNone() {
		return
	}
	a.engine.Mul(grad, summed(a.engine, g, weights), m, compute.Op{TransA: true, Accumulate: true, Alpha: -scale})
}

// correlateSingle is Correlate of a machine of one pair, with S = (g/sqrt K) y Xh^T for G of the
// visible layer:
//
//	dXv += scale * S^T (v-m)     dXh += scale * (g/sqrt K) A^T y     dlog g += scale * sum A o S
//
// or, where that is cheaper, from the correlation of the layers C = (v-m)^T y:
//
//	dXv += scale * (g/sqrt K) Xh C^T     dXh += scale * (g/sqrt K) Xv C     dlog g += scale * (g/sqrt K) sum Xv o (Xh C^T)
func (a *Axons) correlateSingle(o Overlap, y, weights compute.Matrix, scale float64) {
	if a.order().denseGradients(y.Rows(), !o.A.IsNone()) {
		a.correlateDense(o, y, weights, scale)
		return
	}
	if o.A.IsNone() {
		o.A = a.overlap(o)
	}
	xh := a.layers[Hidden]
	s := a.engine.Scratch(compute.Float32, y.Rows(), a.rows)
	a.engine.Mul(s, y, xh.Value, a.scaled(compute.Op{TransB: true}, 0))
	a.correlateHidden(xh.Grad, o.A, y, weights, scale)
	a.correlateVisible(o, s, weights, scale)
}

// correlateHidden adds scale * (g/sqrt K) A^T diag(w) y to grad, some columns of dXh.
func (a *Axons) correlateHidden(grad, overlap, y, weights compute.Matrix, scale float64) {
	op := a.scaled(compute.Op{TransA: true, Accumulate: true, Weights: weights}, 0)
	op.Alpha *= scale
	a.engine.Mul(grad, overlap, y, op)
}

// correlateVisible adds scale * S^T diag(w) (v-m) to dXv and scale * sum_b w_b A_b.S_b to dlog g.
func (a *Axons) correlateVisible(o Overlap, s, weights compute.Matrix, scale float64) {
	e, grad := a.engine, a.layers[Visible].Grad
	e.Mul(grad, s, o.X, compute.Op{TransA: true, Accumulate: true, Alpha: scale, Weights: weights, Precision: a.precision})
	a.offsetGradient(grad, s, a.m[Visible], weights, scale)
	if a.logGains[0].Grad.IsNone() {
		return
	}
	rows := e.Scratch(compute.Float64, s.Rows(), 1)
	e.Fill(rows, 0)
	e.RowDot(rows, 1, o.A, s)
	a.addLogGain(0, scale, rows, weights)
}

// addLogGain adds scale * sum_i rows[i]*weights[i] to the gradient of a pair's log g.
func (a *Axons) addLogGain(pair int, scale float64, rows, weights compute.Matrix) {
	e := a.engine
	if weights.IsNone() {
		weights = e.Scratch(compute.Float32, rows.Rows(), 1)
		e.Fill(weights, 1)
	}
	sum := e.Scratch(compute.Float64, 1, 1)
	e.Fill(sum, 0)
	e.RowDot(sum, scale, rows.Reshape(1, rows.Rows()), weights.Reshape(1, rows.Rows()))
	e.Axpby(a.logGains[pair].Grad, 1, sum, 1)
}

func (a *Axons) correlateDense(o Overlap, y, weights compute.Matrix, scale float64) {
	e := a.engine
	xv, xh := a.layers[Visible], a.layers[Hidden]
	c := e.Scratch(compute.Float32, xv.Value.Cols(), xh.Value.Cols())
	a.correlation(e, c, o.X, y, weights, a.m[Visible], compute.Matrix{}, 1, false)
	a.correlateHiddenDense(xh.Grad, c, scale)
	p := e.Scratch(compute.Float32, a.rows, xv.Value.Cols())
	e.Mul(p, xh.Value, c, a.scaled(compute.Op{TransB: true}, 0))
	a.correlateVisibleDense(p, scale)
}

// correlateHiddenDense adds scale * (g/sqrt K) Xv C to grad, the columns of dXh that those of c
// belong to.
func (a *Axons) correlateHiddenDense(grad, c compute.Matrix, scale float64) {
	op := a.scaled(compute.Op{Accumulate: true}, 0)
	op.Alpha *= scale
	a.engine.Mul(grad, a.layers[Visible].Value, c, op)
}

// correlateVisibleDense adds scale * P to dXv and scale * sum Xv o P to dlog g, P being (g/sqrt K)
// Xh C^T.
func (a *Axons) correlateVisibleDense(p compute.Matrix, scale float64) {
	e, xv := a.engine, a.layers[Visible]
	e.Axpby(xv.Grad, scale, p, 1)
	if a.logGains[0].Grad.IsNone() {
		return
	}
	rows := e.Scratch(compute.Float64, a.rows, 1)
	e.Fill(rows, 0)
	e.RowDot(rows, 1, xv.Value, p)
	a.addLogGain(0, scale, rows, compute.Matrix{})
}

// MarginalPhase works on at most fusedRows rows at once and keeps a tile of their hidden means:
// fusedEntries, half a second-level cache, or fusedColumns columns, where products still run at
// full speed. Fewer rows would keep the wider tile in the cache too, but leave products so short
// that handing them to threads costs more. Whole slivers of every arm make up 240 columns.
const (
	fusedRows    = 4096
	fusedEntries = 1 << 18
	fusedColumns = 240
)

// fusedWidth returns the columns of a tile of so many rows.
func (o *offsets) fusedWidth(rows int) int {
	columns := fusedColumns
	if o.precision == compute.BF16 {
		columns *= 2 // packing and adding up, which each tile repeats, weigh twice as much
	}
	return max(columns, fusedEntries/rows/fusedColumns*fusedColumns)
}

// MarginalPhase adds the gradients of scale * sum_b w_b sum_a log 2cosh x_a(v_b), hidden bias bias
// (or none) included, whose gradient biasGrad gets. It is Fields with tanh and Correlate in one, in
// the order that is cheapest for the two: the means T = tanh x are made tile by tile, every tile is
// used at once for all gradients, and T as a whole never exists; nor do W and C.
func (a *Axons) MarginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64) {
	byW, byG, _ := a.order().phase(v.Rows())
	a.marginalPhase(v, weights, bias, biasGrad, scale, byW, byG)
}

func (a *Axons) marginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64, byW, byG bool) {
	e := a.engine
	o := Overlap{Layer: Visible, X: v}
	if !byW || !byG {
		o.A = a.overlap(o)
	}
	if byW {
		bias = withShift(e, bias, a.Shift(Visible, Hidden))
	}
	var s, p compute.Matrix // S = (g/sqrt K) T Xh^T or P = (g/sqrt K) Xh C^T
	if byG {
		p = e.Scratch(compute.Float32, a.rows, v.Cols())
	} else {
		s = e.Scratch(compute.Float32, v.Rows(), a.rows)
	}
	all := a.layers[Hidden]
	hidden, width := all.Value.Cols(), a.fusedWidth(v.Rows())
	for from := 0; from < hidden; from += width {
		to := min(from+width, hidden)
		mark := e.Mark()
		xh, grad := all.Value.Columns(from, to), all.Grad.Columns(from, to)
		t := e.Scratch(compute.Float32, v.Rows(), to-from)
		then := compute.Epilogue{Kind: compute.Tanh}
		if !bias.IsNone() {
			then.Bias = bias.Columns(from, to)
		}
		if byW {
			w := e.Scratch(compute.Float32, v.Cols(), to-from)
			e.Mul(w, a.layers[Visible].Value, xh, a.scaled(compute.Op{TransA: true}, 0))
			e.Mul(t, v, w, compute.Op{Alpha: 1, Precision: a.precision, Then: then})
		} else {
			e.Mul(t, o.A, xh, a.scaled(compute.Op{Then: then}, 0))
		}
		if byG {
			c := e.Scratch(compute.Float32, v.Cols(), to-from)
			a.correlation(e, c, v, t, weights, a.m[Visible], compute.Matrix{}, 1, false)
			a.correlateHiddenDense(grad, c, scale)
			e.Mul(p, xh, c, a.scaled(compute.Op{TransB: true, Accumulate: from > 0}, 0))
		} else {
			a.correlateHidden(grad, o.A, t, weights, scale)
			e.Mul(s, t, xh, a.scaled(compute.Op{TransB: true, Accumulate: from > 0}, 0))
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

// Interaction adds alpha * (g/sqrt K) A.A' of each row, and of a layer with itself alpha * (g/sqrt
// K)/2 (|A|^2 - sum_i d_i (s_i-m_i)^2).
func (a *Axons) Interaction(dst compute.Matrix, alpha float64, x, y Overlap) {
	e := a.engine
	switch {
	case x.Layer == y.Layer:
		pair := a.graph.PairOf(x.Layer, x.Layer)
		c := centred(e, x.X, a.m[x.Layer])
		own := e.Scratch(compute.Float32, c.Rows(), c.Cols())
		e.Fill(own, 0)
		a.addDiagonal(own, c, pair, 1)
		e.RowDot(dst, alpha/2*a.Factor(pair), x.A, x.A)
		e.RowDot(dst, -alpha/2, own, c)
	case !a.single:
		e.RowDot(dst, alpha*a.Factor(a.graph.PairOf(x.Layer, y.Layer)), x.A, y.A)
	case x.A.IsNone():
		f := e.Scratch(compute.Float32, y.X.Rows(), y.X.Cols())
		a.denseFields(f, x, compute.Epilogue{})
		e.RowDot(dst, alpha, f, y.X)
	default:
		s := e.Scratch(compute.Float32, y.X.Rows(), a.rows)
		e.Mul(s, y.X, a.layers[Hidden].Value, a.scaled(compute.Op{TransB: true}, 0))
		e.RowDot(dst, alpha, x.A, s)
	}
}

// Times sets dst to x W or x W^T.
func (a *Axons) Times(dst, x compute.Matrix, pair int, transposed bool) {
	e, p := a.engine, a.graph.Pairs[pair]
	from, to := p.A, p.B
	if transposed {
		from, to = to, from
	}
	mark := e.Mark()
	o := e.Scratch(compute.Float32, x.Rows(), a.rows)
	e.Mul(o, x, a.layers[from].Value, compute.Op{TransB: true, Alpha: 1, Precision: a.precision})
	e.Mul(dst, o, a.layers[to].Value, a.scaled(compute.Op{}, pair))
	if from == to {
		a.addDiagonal(dst, x, pair, -1)
	}
	e.Release(mark)
}
