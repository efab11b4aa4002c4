package bm

import "mattis/compute"

// Phase adds scale * sum_b w_b dE/dtheta of the batch to the gradients. Layers that are missing are
// integrated out, and so are those on the right side of the data view where Marginal is set:
// dF/dtheta (Eqs. A6, A7). They take their means given the others, which is exact for layers that
// do not meet each other.
func (m *Machine) Phase(b Batch, scale float64) {
	rows := b.State.Rows()
	if rows == 0 {
		return
	}
	if b.Weights.IsNone() {
		scale /= float64(rows)
	}
	missing := func(l int) bool { return b.State.Layer(l).IsNone() }
	if b.Marginal {
		missing = func(l int) bool { return l != Visible && contains(m.view.Right, l) || b.State.Layer(l).IsNone() }
	}
	v := b.State.Layer(Visible)
	if m.graph.IsRestricted() && missing(Hidden) {
		if l := b.Listed; l != nil && l.Machine() == m && l.Len() == rows && l.Phase(b.Weights, -scale) {
			m.biasPhase(Visible, v, b.Weights, -scale)
			return
		}
		if m.single {
			m.fusedPhase(v, b.Weights, -scale)
			return
		}
	}
	step := m.rowsAtOnce()
	for from := 0; from < rows; from += step {
		to := min(from+step, rows)
		mark := m.engine.Mark()
		for l := range m.filled {
			if m.filled[l] = (compute.Matrix{}); !missing(l) {
				m.filled[l] = b.State[l].Slice(from, to)
			}
		}
		m.phase(m.filled, part(b.Weights, from, to), -scale)
		m.engine.Release(mark)
	}
}

func contains(list []int, x int) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// fusedPhase is Phase of the visible rows of a restricted machine.
func (m *Machine) fusedPhase(v, weights compute.Matrix, scale float64) {
	hidden := m.biases[Hidden]
	for from := 0; from < v.Rows(); from += fusedRows {
		to := min(from+fusedRows, v.Rows())
		mark := m.engine.Mark()
		rows, ws := v.Slice(from, to), part(weights, from, to)
		m.couplings.MarginalPhase(rows, ws, hidden.Value, hidden.Grad, scale)
		m.biasPhase(Visible, rows, ws, scale)
		m.engine.Release(mark)
	}
}

// biasPhase adds scale * sum_b w_b x_b to the gradient of a layer's biases.
func (m *Machine) biasPhase(l int, x, weights compute.Matrix, scale float64) {
	if g := m.biases[l].Grad; !g.IsNone() {
		columnSums(m.engine, g, x, weights, scale, true)
	}
}

// phase adds the gradients of rows whose missing layers it sets to their means.
func (m *Machine) phase(s State, weights compute.Matrix, scale float64) {
	for l, x := range s {
		if m.all[l] = (Overlap{Layer: l}); !x.IsNone() && !(m.single && l == Hidden) {
			m.all[l] = m.couplings.Overlap(x, l)
		}
	}
	rows := s.Rows()
	for l, x := range s {
		if !x.IsNone() {
			continue
		}
		near := m.overlaps[:0]
		for _, other := range m.near[l] {
			if s[other].IsNone() {
				panic("bm: Phase of a batch in which two layers are missing that meet")
			}
			near = append(near, m.all[other])
		}
		kind := compute.Tanh
		if m.graph.Layers[l].Kind == Gaussian {
			kind = compute.Store
		}
		m.all[l].X = m.engine.Scratch(compute.Float32, rows, m.sizes[l])
		m.couplings.Fields(m.all[l].X, near, l, compute.Epilogue{Kind: kind, Bias: m.biases[l].Value})
	}
	for l, x := range s {
		if m.all[l].X.IsNone() {
			m.all[l].X = x
		}
		if x.IsNone() && !m.single {
			m.all[l] = m.couplings.Overlap(m.all[l].X, l)
		}
	}
	m.couplings.Correlate(m.all, weights, scale)
	for l := range s {
		m.biasPhase(l, m.all[l].X, weights, scale)
	}
}
