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
// machine whose hidden layer has no offset and which learns no gain, batches whose hidden layer is integrated out and which are small
// beside the couplings. The parameters get the same bits either way.
func (m *Machine) Defers(a, b Batch) bool {
	if !m.single || max(m.sizes[Visible], m.sizes[Hidden]) >= compute.LongSum {
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
		if axons != nil {
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
	bias, offset := m.biases[Hidden], m.couplings.Offset(Visible)
	then := compute.Epilogue{Kind: compute.Tanh, Bias: bias.Value}
	var overlap, s compute.Matrix
	axons := m.Axons()
	if axons == nil {
		d := m.couplings.(*Dense)
		then.Bias = withShift(e, then.Bias, d.Shift(Visible, Hidden))
		e.Mul(t, v, d.weights[0].Value, compute.Op{Alpha: 1, Precision: d.precision, Then: then})
	} else {
		xh := axons.layers[Hidden].Value
		overlap, s = axons.overlap(v, Visible), e.Scratch(compute.Float32, v.Rows(), axons.rows)
		e.Mul(t, overlap, xh, axons.scaled(compute.Op{Then: then}, 0))
		e.Mul(s, t, xh, axons.scaled(compute.Op{TransB: true}, 0))
	}
	for i, x := range [...]Batch{a, b} {
		from, to, scale := 0, n, -up
		if i == 1 {
			from, to, scale = n, v.Rows(), -down
		}
		if x.Weights.IsNone() {
			scale /= float64(to - from)
		}
		rows, means := x.State[Visible], t.Slice(from, to)
		op := compute.Op{TransA: true, Alpha: scale, Weights: x.Weights}
		if axons == nil {
			w := m.couplings.(*Dense)
			op.Precision = w.precision
			w.weights[0].Terms.add(rows, means, op)
			if !offset.IsNone() { // - scale * m (sum_b w_b t_b), as offsetCorrelation has it
				w.weights[0].Terms.add(offset, summed(e, means, x.Weights), compute.Op{TransA: true, Alpha: -scale})
			}
		} else {
			op.Precision = axons.precision
			axons.layers[Visible].Terms.add(s.Slice(from, to), rows, op)
			if !offset.IsNone() { // - scale * (sum_b w_b S_b)^T m, as offsetGradient has it
				axons.layers[Visible].Terms.add(summed(e, s.Slice(from, to), x.Weights), offset, compute.Op{TransA: true, Alpha: -scale})
			}
			op = axons.scaled(op, 0)
			op.Alpha *= scale
			axons.layers[Hidden].Terms.add(overlap.Slice(from, to), means, op)
		}
		if !bias.Grad.IsNone() {
			columnSums(e, bias.Grad, means, x.Weights, scale, true)
		}
		m.biasPhase(Visible, rows, x.Weights, scale)
	}
}

// LetGo forgets the terms.
func (p Param) LetGo() {
	if p.Terms != nil {
		clear(p.Terms.List)
		p.Terms.List = p.Terms.List[:0]
	}
}
