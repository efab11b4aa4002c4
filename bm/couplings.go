package bm

import "mattis/compute"

// Overlap is a layer of spins as its couplings see it. It is scratch: valid
// until the engine's arena is released.
type Overlap struct {
	Layer int            // the layer that X belongs to
	X     compute.Matrix // BxN, the spins themselves (Int8), or Float32 for means and Gaussian layers; none where they are not there
	A     compute.Matrix // axons: BxK Float32, (X-m) Xi^T
	Up    compute.Matrix // BxN Float32, X+1 of a layer whose offset stays at off (Layer.Off) and that is not coupled to itself: products then need no correction
}

// Couplings are the matrices W between the layers of a graph, however they are kept. The offsets m
// belong to them: everywhere s stands for s - m.
type Couplings interface {
	// Graph returns the layers and their pairs.
	Graph() Graph
	// Params returns the parameters and the offsets.
	Params() []Param
	// Overlap returns the overlap of the rows of x, spins of the given layer. It is computed once
	// and used for fields and for gradients.
	Overlap(x compute.Matrix, layer int) Overlap
	// Fields sets dst to the epilogue of the fields on a layer by those near it: the sum of (s-m) W
	// over them. The layer itself may be among them where it is coupled to itself; then each spin
	// is left out of its own field.
	Fields(dst compute.Matrix, near []Overlap, layer int, then compute.Epilogue)
	// Scan draws the spins s of a layer that is coupled to itself in the order, given the overlaps
	// of the layers near it; own is that of s as it comes.
	Scan(s compute.Matrix, near []Overlap, own Overlap, order compute.Order, then compute.Epilogue)
	// Correlate adds scale * d/dtheta sum_b w_b sum over the pairs of (s-m) W (s'-m') to the
	// gradients. layers has an overlap, or the zero Overlap, for each layer of the graph, spins or
	// their means; the pairs of missing layers are left out. weights is Bx1 or none (all 1).
	Correlate(layers []Overlap, weights compute.Matrix, scale float64)
	// Interaction adds alpha * (s-m) W (s'-m') of each row to dst (Bx1 Float64), x.Layer <= y.Layer
	// being coupled; of a layer with itself, each two spins once.
	Interaction(dst compute.Matrix, alpha float64, x, y Overlap)
	// SetPrecision sets what the factors of products with W are rounded to, and returns what they were.
	// Scans, shifts by offsets and sums of biases are float32 whatever it is.
	SetPrecision(compute.Precision) (before compute.Precision)
	// Precision returns what the factors of products with W are rounded to.
	Precision() compute.Precision
	// Offset returns the offset m of a layer (1xN), or none.
	Offset(layer int) compute.Matrix
	// Shift returns -m W: the constant that the offset of the layer from adds to the fields on the
	// layer to (1xN Float32 scratch), or none without one.
	Shift(from, to int) compute.Matrix
	// MarginalPhase adds the gradients of scale * sum_b w_b sum_a log 2cosh x_a(v_b) of a
	// restricted machine, of which the hidden layer has no offset; bias, which may be none, is that
	// of the hidden layer and biasGrad its gradient.
	MarginalPhase(v, weights, bias, biasGrad compute.Matrix, scale float64)
	// Formed returns the W of a pair (N_A x N_B), made in scratch where it is not kept.
	Formed(pair int) compute.Matrix
	// Hold lets products go on until LetGo with what the offsets that may be set add to them now, in scratch:
	// no parameter may change in between, and the scratch is the caller's to release after it. Within another
	// Hold it does nothing.
	Hold()
	// LetGo ends what Hold began.
	LetGo()
	// Times sets dst to x W of a pair (BxN_A to BxN_B), or with transposed to x W^T. Offsets take
	// no part.
	Times(dst, x compute.Matrix, pair int, transposed bool)
}

// offsets are what both couplings share: the m of the layers, none where a layer has none, and the
// precision of products.
type offsets struct {
	names     []string
	m         []compute.Matrix
	off       []bool // the m that are -1 and stay
	lifted    []bool // those of them whose overlaps have Up
	precision compute.Precision

	held  []compute.Matrix // between Hold and LetGo, what an m adds to products: in the couplings' own order
	holds int              // how many Holds are within each other
}

// hold begins to hold, and reports whether nothing is held so far.
func (o *offsets) hold() (first bool) {
	o.holds++
	return o.holds == 1
}

// moves reports whether a layer has an offset that may be set. Those that stay are in Overlap.Up.
func (o *offsets) moves(layer int) bool { return !o.m[layer].IsNone() && !o.off[layer] }

// LetGo ends what Hold began.
func (o *offsets) LetGo() {
	if o.holds--; o.holds == 0 {
		clear(o.held)
	}
}

// SetPrecision sets what the factors of products are rounded to, and returns what they were.
func (o *offsets) SetPrecision(p compute.Precision) (before compute.Precision) {
	before, o.precision = o.precision, p
	return before
}

// Precision returns what the factors of products are rounded to.
func (o *offsets) Precision() compute.Precision { return o.precision }

func newOffsets(e compute.Engine, g Graph, holds int) offsets {
	o := offsets{held: make([]compute.Matrix, holds), names: make([]string, len(g.Layers)), m: make([]compute.Matrix, len(g.Layers)), off: make([]bool, len(g.Layers)), lifted: make([]bool, len(g.Layers))}
	for l, layer := range g.Layers {
		if o.names[l] = "offset." + layer.Name; layer.Offset {
			o.m[l] = e.Alloc(compute.Float32, 1, layer.N)
		}
		if o.off[l] = layer.Off; layer.Off {
			e.Fill(o.m[l], -1)
		}
		o.lifted[l] = layer.Off && g.PairOf(l, l) < 0 // a scan goes on with an overlap, whose Up would be that of the spins before
	}
	return o
}

func (o offsets) params() (p []Param) {
	for l, m := range o.m {
		if !m.IsNone() {
			p = append(p, Param{Name: o.names[l], Value: m, Fixed: o.off[l]})
		}
	}
	return p
}

// up returns Overlap.Up of the spins or means x of a layer, Float32 scratch, or none.
func (o *offsets) up(e compute.Engine, x compute.Matrix, layer int) compute.Matrix {
	if !o.lifted[layer] || x.IsNone() {
		return compute.Matrix{}
	}
	return centred(e, x, o.m[layer])
}

// factor returns what products have for the spins of an overlap, and the offset that they then have to take account of.
func (o *offsets) factor(x Overlap) (s, m compute.Matrix) {
	if !x.Up.IsNone() {
		return x.Up, compute.Matrix{}
	}
	return x.X, o.m[x.Layer]
}

// SetOffset sets the offset m of a layer (N entries). It panics if the layer has none, or one that stays.
func (o offsets) SetOffset(e compute.Engine, layer int, m []float32) {
	if o.m[layer].IsNone() || o.off[layer] {
		panic("bm: a layer without " + o.names[layer] + " to set")
	}
	compute.Write(e, o.m[layer], m)
}

// Offset returns the offset m of a layer (1xN), or none.
func (o offsets) Offset(layer int) compute.Matrix { return o.m[layer] }

// learned returns a parameter of zeros with its gradient.
func learned(e compute.Engine, name string, rows, cols int, decay float32) Param {
	p := Param{Name: name, Value: e.Alloc(compute.Float32, rows, cols), Grad: e.Alloc(compute.Float32, rows, cols), Rate: 1, Decay: decay}
	if decay != 0 { // not of biases
		p.Terms = &Terms{}
	}
	return p
}

// offsetCorrelation adds to dst (NxM) what offsets change in scale * sum_b w_b x_b^T y_b: m of the
// layer x, n of the layer y, either may be none.
func offsetCorrelation(e compute.Engine, dst, x, y, weights, m, n compute.Matrix, scale float64) {
	if !m.IsNone() { // - scale * m (sum_b w_b y_b)
		e.Mul(dst, m, summed(e, y, weights), compute.Op{TransA: true, Accumulate: true, Alpha: -scale})
	}
	if n.IsNone() {
		return
	}
	// - scale * (sum_b w_b (x_b-m))^T n
	e.Mul(dst, summedFrom(e, x, weights, m), n, compute.Op{TransA: true, Accumulate: true, Alpha: -scale})
}

// centred returns x - m in Float32 scratch, or x itself where there is no offset.
func centred(e compute.Engine, x, m compute.Matrix) compute.Matrix {
	if m.IsNone() {
		return x
	}
	c := e.Scratch(compute.Float32, x.Rows(), x.Cols())
	e.Axpby(c, 1, x, 0)
	e.Axpby(c, -1, m.Repeat(x.Rows()), 1)
	return c
}

// columnSums sets (or adds to) dst (1xN): alpha * sum_b w_b x_b, all w_b being 1 without weights.
func columnSums(e compute.Engine, dst, x, weights compute.Matrix, alpha float64, add bool) {
	if weights.IsNone() {
		weights = e.Scratch(compute.Float32, x.Rows(), 1)
		e.Fill(weights, 1)
	}
	e.Mul(dst, weights, x, compute.Op{TransA: true, Accumulate: add, Alpha: alpha})
}

// summed returns sum_b w_b x_b, 1xN scratch.
func summed(e compute.Engine, x, weights compute.Matrix) compute.Matrix {
	sum := e.Scratch(compute.Float32, 1, x.Cols())
	columnSums(e, sum, x, weights, 1, false)
	return sum
}

// summedFrom returns sum_b w_b (x_b-m), 1xN scratch; m may be none.
func summedFrom(e compute.Engine, x, weights, m compute.Matrix) compute.Matrix {
	sum := summed(e, x, weights)
	if !m.IsNone() {
		all, one := e.Scratch(compute.Float32, 1, 1), e.Scratch(compute.Float32, x.Rows(), 1)
		e.Fill(one, 1)
		columnSums(e, all, one, weights, 1, false)
		e.Mul(sum, all, m, compute.Op{Accumulate: true, Alpha: -1})
	}
	return sum
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
