package bm

import "mattis/compute"

// Terms are products that a gradient is the sum of, kept as their factors.
type Terms struct {
	List   []compute.Outer
	Finite bool // what the engine reported of the parameters as they were moved by the list
}

func (t *Terms) add(a, b compute.Matrix, op compute.Op) {
	t.List = append(t.List, compute.Outer{A: a, B: b, Op: op})
}

// Defers reports whether Phases may take the place of Phase on each of two batches: a restricted
// machine which learns no gain, batches whose hidden layer is integrated out and which are small
// beside the couplings. The parameters get the same bits either way.
func (m *Machine) Defers(a, b Batch) bool {
	if !m.graph.IsRestricted() || max(m.sizes[Visible], m.sizes[Hidden]) >= compute.LongSum {
		return false
	}
	axons := m.Axons()
	if axons != nil && !axons.logGains[0].Grad.IsNone() {
		return false
	}
	for _, x := range [...]Batch{a, b} {
		v, n := x.State.Layer(Visible), x.State.Rows()
		if v.Type() != compute.Int8 || !x.Marginal && !x.State.Layer(Hidden).IsNone() || x.Listed != nil ||
			n < 1 || n > compute.ShortSum || n*m.sizes[Hidden] > fusedEntries {
			return false
		}
		if !m.single { // Phase takes so many rows at once, and never forms W
			if n > m.rowsAtOnce() {
				return false
			}
		} else if axons != nil {
			if byW, byG, _ := axons.order().phase(n); byW || byG || axons.fusedWidth(n) < m.sizes[Hidden] {
				return false
			}
		}
	}
	return true
}

// Phases is Phase of a batch scaled by up and of another scaled by down, where Defers is true, but
// for the couplings' gradients: their Terms keep the factors in place of Grad, and whoever moves the parameters
// forms the gradients on the way (compute.Arithmetic.Descend). One product makes the means of both batches. The
// factors are scratch: the caller gives it back after the step, and lets the terms go.
func (m *Machine) Phases(a, b Batch, up, down float64) {
	e, n := m.engine, a.State.Rows()
	v := e.Scratch(compute.Int8, n+b.State.Rows(), m.sizes[Visible])
	t := e.Scratch(compute.Float32, v.Rows(), m.sizes[Hidden])
	e.Copy(v.Slice(0, n), a.State[Visible])
	e.Copy(v.Slice(n, v.Rows()), b.State[Visible])
	bias := m.biases[Hidden]
	x, y := Overlap{Layer: Visible, X: v}, Overlap{Layer: Hidden, X: t}
	dense, axons := (*Dense)(nil), m.Axons()
	if axons == nil {
		dense = m.couplings.(*Dense)
		x = dense.Overlap(v, Visible)
	} else {
		x.Up = axons.up(e, v, Visible)
		x.A = axons.overlap(x)
	}
	m.couplings.Fields(t, append(m.overlaps[:0], x), Hidden, compute.Epilogue{Kind: compute.Tanh, Bias: bias.Value})
	if axons == nil {
		y = dense.Overlap(t, Hidden)
	} else {
		y.Up = axons.up(e, t, Hidden)
		x.A, y.A = axons.deferredOverlaps(x, y)
	}
	for i, b := range [...]Batch{a, b} {
		from, to, scale := 0, n, -up
		if i == 1 {
			from, to, scale = n, v.Rows(), -down
		}
		if b.Weights.IsNone() {
			scale /= float64(to - from)
		}
		if axons == nil {
			dense.deferred(x.slice(from, to), y.slice(from, to), b.Weights, scale)
		} else {
			axons.deferred(x.slice(from, to), y.slice(from, to), b.Weights, scale)
		}
		if !bias.Grad.IsNone() {
			columnSums(e, bias.Grad, t.Slice(from, to), b.Weights, scale, true)
		}
		m.biasPhase(Visible, b.State[Visible], b.Weights, scale)
	}
}

func (o Overlap) slice(from, to int) Overlap {
	return Overlap{o.Layer, o.X.Slice(from, to), part(o.A, from, to), part(o.Up, from, to)}
}

// deferred adds to the terms of W what Correlate adds to its gradient.
func (d *Dense) deferred(x, y Overlap, weights compute.Matrix, scale float64) {
	e, terms, less := d.engine, d.weights[0].Terms, compute.Op{TransA: true, Alpha: -scale}
	s, m := d.factor(x)
	t, n := d.factor(y)
	terms.add(s, t, compute.Op{TransA: true, Alpha: scale, Weights: weights, Precision: d.precision})
	if !m.IsNone() { // - scale * m (sum_b w_b t_b), as offsetCorrelation has it
		terms.add(m, summed(e, t, weights), less)
	}
	if !n.IsNone() { // - scale * (sum_b w_b (v_b-m))^T n
		terms.add(summedFrom(e, s, weights, m), n, less)
	}
}

// deferredOverlaps returns the left factors of the gradients, as Correlate rounds them: (g/sqrt K) A of the visible
// layer, but for a machine of one pair A, and (g/sqrt K) A' of the means of the hidden one.
func (a *Axons) deferredOverlaps(x, y Overlap) (g, s compute.Matrix) {
	e := a.engine
	s = e.Scratch(compute.Float32, y.X.Rows(), a.rows)
	if a.single {
		e.Mul(s, y.X, a.layers[Hidden].Value, a.scaled(compute.Op{TransB: true}, 0))
		return x.A, s
	}
	g = e.Scratch(compute.Float32, s.Rows(), a.rows)
	e.Axpby(g, a.Factor(0), x.A, 0)
	e.Axpby(s, a.Factor(0), a.overlap(y), 0)
	return g, s
}

// deferred adds to the terms of the patterns what Correlate adds to their gradients, of layers whose A are those of
// deferredOverlaps.
func (a *Axons) deferred(x, y Overlap, weights compute.Matrix, scale float64) {
	op := compute.Op{TransA: true, Alpha: scale, Weights: weights, Precision: a.precision}
	a.deferredGradient(x, y.A, op)
	if a.single {
		op = a.scaled(op, 0)
		op.Alpha *= scale
	}
	a.deferredGradient(y, x.A, op)
}

// deferredGradient adds the terms of G^T (s-m) to those of a layer's patterns.
func (a *Axons) deferredGradient(o Overlap, g compute.Matrix, op compute.Op) {
	s, m := a.factor(o)
	terms := a.layers[o.Layer].Terms
	terms.add(g, s, op)
	if !m.IsNone() { // - scale * (sum_b w_b G_b)^T m, as offsetGradient has it
		terms.add(summed(a.engine, g, op.Weights), m, compute.Op{TransA: true, Alpha: -op.Alpha})
	}
}

// LetGo forgets the terms.
func (p Param) LetGo() {
	if p.Terms != nil {
		clear(p.Terms.List)
		p.Terms.List = p.Terms.List[:0]
	}
}
