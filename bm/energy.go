package bm

import (
	"fmt"

	"mattis/compute"
)

// rowsAtOnce bounds the rows that Energy and Phase work on together, so that
// a block of activations stays below 16 MiB whatever B is.
func (m *Machine) rowsAtOnce() int {
	widest := 1
	for _, n := range m.sizes[min(1, len(m.sizes)-1):] {
		widest = max(widest, n)
	}
	return max(64, (4<<20)/widest&^3)
}

// Energy sets dst (Bx1 Float64) to Beta*E - (1-Beta)*Base.v of each row in kT, or to its free
// energy where layers are missing: they are summed out, which has to leave no pair between two of
// them. With the fields x on a missing layer, biases included, and f without,
//
//   - log sum exp = ... - sum_a log 2cosh(Beta*x_a + (1-Beta)*Base_a) + Beta*m.f     (Eq. A2 with its sign mended)
//     ... - Beta/2 |x|^2                                              of a Gaussian layer
//
// A Gaussian layer is integrated with dz/sqrt(2 pi/Beta): its law at Beta is that of z with the
// energy Beta*E, and what is left is Beta times the free energy of the spins.
func (m *Machine) Energy(dst compute.Matrix, s State, law Law) {
	rows := s.Rows()
	if dst.Rows() != rows || dst.Cols() != 1 || dst.Type() != compute.Float64 {
		panic(fmt.Sprintf("bm: Energy of %d rows to %v", rows, dst))
	}
	step := m.rowsAtOnce()
	for from := 0; from < rows; from += step {
		to := min(from+step, rows)
		for l := range m.filled {
			m.filled[l] = part(s.Layer(l), from, to)
		}
		m.energy(dst.Slice(from, to), m.filled, Law{Beta: part(law.Beta, from, to), Base: law.Base})
	}
}

// part returns rows [from, to) of x, which may be none.
func part(x compute.Matrix, from, to int) compute.Matrix {
	if x.IsNone() {
		return x
	}
	return x.Slice(from, to)
}

func (m *Machine) energy(dst compute.Matrix, s State, law Law) {
	e := m.engine
	mark := e.Mark()
	defer e.Release(mark)
	e.Fill(dst, 0)
	// dst gathers the exponent of the Boltzmann weight, and changes its sign at the end.
	complete := true
	for l, x := range s {
		if complete = complete && !x.IsNone(); x.IsNone() {
			m.refuseMissing(s, l)
		}
	}
	if complete && m.single {
		m.couplings.Interaction(dst, 1, m.couplings.Overlap(s[Visible], Visible), Overlap{Layer: Hidden, X: s[Hidden]})
	} else {
		m.presentPairs(dst, s, law.Beta)
	}
	inner := law.Beta
	if complete && m.single { // interaction and biases together are scaled once
		inner = compute.Matrix{}
	}
	for l, x := range s {
		if !x.IsNone() {
			m.addBias(dst, x, m.biases[l].Value, inner)
		}
	}
	if complete && m.single {
		m.scaleRows(dst, law.Beta)
	}
	for l, x := range s {
		switch {
		case x.IsNone():
			m.sumOut(dst, s, l, law)
		case m.graph.Layers[l].Kind == Gaussian:
			m.addSquares(dst, -0.5, x, law.Beta)
		}
	}
	m.takeConstant(dst, law.Beta)
	if v := s[Visible]; !law.Base.IsNone() && !law.Beta.IsNone() && !v.IsNone() { // + (1-Beta) Base.v
		base := e.Scratch(compute.Float64, v.Rows(), 1)
		e.Fill(base, 0)
		e.RowDot(base, 1, v, law.Base.Repeat(v.Rows()))
		e.Axpby(dst, 1, base, 1)
		m.scaleRows(base, law.Beta)
		e.Axpby(dst, -1, base, 1)
	}
	e.Axpby(dst, 0, dst, -1)
}

// refuseMissing panics unless layer l, which s lacks, can be summed out.
func (m *Machine) refuseMissing(s State, l int) {
	if m.self[l] {
		panic(fmt.Sprintf("bm: layer %s is coupled to itself and cannot be summed out", m.graph.Layers[l].Name))
	}
	for _, other := range m.near[l] {
		if s[other].IsNone() {
			panic(fmt.Sprintf("bm: the layers %s and %s are coupled and cannot both be summed out", m.graph.Layers[l].Name, m.graph.Layers[other].Name))
		}
	}
}

// presentPairs adds beta times the interactions of the pairs that s has both layers of.
func (m *Machine) presentPairs(dst compute.Matrix, s State, beta compute.Matrix) {
	any := false
	for _, p := range m.graph.Pairs {
		any = any || !s[p.A].IsNone() && !s[p.B].IsNone()
	}
	if !any {
		return
	}
	e := m.engine
	mark := e.Mark()
	sum := e.Scratch(compute.Float64, dst.Rows(), 1)
	e.Fill(sum, 0)
	for l, x := range s {
		if m.all[l] = (Overlap{Layer: l}); !x.IsNone() {
			m.all[l] = m.couplings.Overlap(x, l)
		}
	}
	for _, p := range m.graph.Pairs {
		if !s[p.A].IsNone() && !s[p.B].IsNone() {
			m.couplings.Interaction(sum, 1, m.all[p.A], m.all[p.B])
		}
	}
	m.scaleRows(sum, beta)
	e.Axpby(dst, 1, sum, 1)
	e.Release(mark)
}

// sumOut adds the logarithm of the sum over layer l, which s lacks.
func (m *Machine) sumOut(dst compute.Matrix, s State, l int, law Law) {
	e := m.engine
	if !m.couplings.Offset(l).IsNone() { // (s-m) f is what the sum is over, and m f is no part of it
		for _, other := range m.near[l] {
			shift := m.couplings.Shift(l, other)
			m.addBias(dst, s[other], shift, law.Beta)
			m.addOffsets(dst, shift, m.couplings.Offset(other), law.Beta)
		}
	}
	if m.graph.Layers[l].Kind == Gaussian {
		x := e.Scratch(compute.Float32, dst.Rows(), m.sizes[l])
		m.couplings.Fields(x, m.nearby(s, l, false), l, compute.Epilogue{Bias: m.biases[l].Value})
		m.addSquares(dst, 0.5, x, law.Beta)
		return
	}
	then := m.epilogue(compute.Discard, l, law)
	then.LogCosh = dst
	m.couplings.Fields(compute.Over(nil, compute.Float32, dst.Rows(), m.sizes[l], 0), m.nearby(s, l, false), l, then)
}

// addSquares adds alpha * beta * |x|^2 of each row to dst.
func (m *Machine) addSquares(dst compute.Matrix, alpha float64, x, beta compute.Matrix) {
	e := m.engine
	sum := e.Scratch(compute.Float64, dst.Rows(), 1)
	e.Fill(sum, 0)
	e.RowDot(sum, alpha, x, x)
	m.scaleRows(sum, beta)
	e.Axpby(dst, 1, sum, 1)
}

// addOffsets adds - beta * shift.offset to each row of dst.
func (m *Machine) addOffsets(dst, shift, offset, beta compute.Matrix) {
	if offset.IsNone() {
		return
	}
	e := m.engine
	one, all := e.Scratch(compute.Float64, 1, 1), e.Scratch(compute.Float64, dst.Rows(), 1)
	e.Fill(one, 0)
	e.RowDot(one, -1, shift, offset)
	e.Copy(all, one.Repeat(dst.Rows()))
	m.scaleRows(all, beta)
	e.Axpby(dst, 1, all, 1)
}

// addBias adds beta * bias.x of each row to dst.
func (m *Machine) addBias(dst, x, bias, beta compute.Matrix) {
	if bias.IsNone() {
		return
	}
	e := m.engine
	if beta.IsNone() {
		e.RowDot(dst, 1, x, bias.Repeat(x.Rows()))
		return
	}
	sum := e.Scratch(compute.Float64, x.Rows(), 1)
	e.Fill(sum, 0)
	e.RowDot(sum, 1, x, bias.Repeat(x.Rows()))
	m.scaleRows(sum, beta)
	e.Axpby(dst, 1, sum, 1)
}

// scaleRows sets x[i] *= beta[i] of the Bx1 Float64 x.
func (m *Machine) scaleRows(x, beta compute.Matrix) {
	if beta.IsNone() {
		return
	}
	e := m.engine
	scaled := e.Scratch(compute.Float64, x.Rows(), 1)
	e.Fill(scaled, 0)
	e.RowDot(scaled, 1, x, beta)
	e.Copy(x, scaled)
}

// takeConstant sets x[i] -= beta[i] * constant of the Bx1 Float64 x.
func (m *Machine) takeConstant(x, beta compute.Matrix) {
	c := m.constant.Value
	switch {
	case c.IsNone():
	case beta.IsNone():
		m.engine.Axpby(x, -1, c.Repeat(x.Rows()), 1)
	default:
		m.engine.RowDot(x, -1, beta, c.Repeat(x.Rows()))
	}
}
