package bm

import (
	"fmt"
	"math"

	"mattis/compute"
)

// scanned is how many spins of a layer coupled to itself have their fields from one product; those
// of each other they get one by one.
const scanned = 32

// MeanField sets the hidden layers of s (Float32, BxN_l) to the means mu of independent spins that
// stand for p(h|v) of each row of visible spins: coordinate ascent of the bound that Bound returns,
//
//	mu_l = tanh(b_l + sum over the layers near l of (mu_m-m_m) W_ml)     and of a Gaussian layer the field itself
//
// from mu = 0, the layers in the order of a sweep: no two that are moved at once meet, and a layer
// that is coupled to itself is moved spin by spin (two spins of J = -3 would flip for ever, moved
// together). So the bound never falls from one sweep to the next. Of several fixed points it is the
// one that is reached from 0.
//
// A row has settled once a sweep moves its means by less than tolerance (the length of the change)
// and stays as it is then: what becomes of a row does not depend on others. After at most steps
// sweeps it ends; moving is the number of rows that had not settled. Where each hidden layer meets
// the visible one alone one sweep is exact.
func (m *Machine) MeanField(s State, steps int, tolerance float64) (sweeps, moving int) {
	rows := s.Rows()
	for l, x := range s {
		if l != Visible && (x.Type() != compute.Float32 || x.Rows() != rows || x.Cols() != m.sizes[l]) || len(s) != len(m.sizes) {
			panic(fmt.Sprintf("bm: MeanField of %d layers, the means of layer %d being %v", len(s), l, x))
		}
	}
	step := m.rowsAtOnce()
	for from := 0; from < rows; from += step {
		to := min(from+step, rows)
		w := &m.means
		for l, x := range s {
			w.part[l] = x.Slice(from, to)
		}
		n, left := m.meanField(w.part, steps, tolerance)
		sweeps, moving = max(sweeps, n), moving+left
	}
	return sweeps, moving
}

// meanFieldRoom is what MeanField works in beside the arena, so that it allocates nothing.
type meanFieldRoom struct {
	order   []int // the hidden layers as a sweep draws them
	part    State
	lengths []float64
	on, off []float32
}

func (m *Machine) meanField(s State, steps int, tolerance float64) (sweeps, moving int) {
	e, rows := m.engine, s.Rows()
	mark := e.Mark()
	defer e.Release(mark)
	w := &m.means
	for _, l := range w.order {
		e.Fill(s[l], 0)
	}
	change := e.Scratch(compute.Float64, rows, 1)
	// 1 of rows that move and 0 of those that stay, and the other way round.
	moves, stays := e.Scratch(compute.Float32, rows, 1), e.Scratch(compute.Float32, rows, 1)
	if len(w.on) < rows {
		w.lengths, w.on, w.off = make([]float64, rows), make([]float32, rows), make([]float32, rows)
	}
	lengths, on, off := w.lengths[:rows], w.on[:rows], w.off[:rows]
	for i := range on {
		on[i], off[i] = 1, 0
	}
	for moving = rows; sweeps < steps && moving > 0; sweeps++ {
		e.Fill(change, 0)
		compute.Write(e, moves, on)
		compute.Write(e, stays, off)
		for _, l := range w.order {
			inner := e.Mark()
			old, moved := e.Scratch(compute.Float32, rows, m.sizes[l]), e.Scratch(compute.Float32, rows, m.sizes[l])
			e.Copy(old, s[l])
			m.meanOf(s, l)
			if moving < rows {
				e.Hadamard(s[l], s[l], moves)
				e.Hadamard(moved, old, stays)
				e.Axpby(s[l], 1, moved, 1)
			}
			e.Axpby(moved, 1, s[l], 0)
			e.Axpby(moved, -1, old, 1)
			e.RowDot(change, 1, moved, moved)
			e.Release(inner)
		}
		if m.SumsOut() {
			return 1, 0
		}
		compute.Read(e, lengths, change)
		moving = 0
		for i, x := range lengths {
			if on[i] = 0; !(math.Sqrt(x) < tolerance) {
				on[i] = 1
				moving++
			}
			off[i] = 1 - on[i]
		}
	}
	return sweeps, moving
}

// meanOf sets layer l of s to its means given the others, spin by spin where it is coupled to
// itself.
func (m *Machine) meanOf(s State, l int) {
	if !m.self[l] {
		m.Mean(s[l], s, l, Law{})
		return
	}
	e, x, n := m.engine, s[l], m.sizes[l]
	bias := withShift(e, m.biases[l].Value, m.couplings.Shift(l, l))
	outer := e.Scratch(compute.Float32, x.Rows(), n)
	if near := m.nearby(s, l, false); len(near) > 0 {
		m.couplings.Fields(outer, near, l, compute.Epilogue{Bias: bias})
	} else if e.Fill(outer, 0); !bias.IsNone() {
		e.Copy(outer, bias.Repeat(x.Rows()))
	}
	j := m.couplings.Formed(m.graph.PairOf(l, l))
	fields, moved, old := e.Scratch(compute.Float32, x.Rows(), scanned), e.Scratch(compute.Float32, x.Rows(), scanned), e.Scratch(compute.Float32, x.Rows(), scanned)
	for from := 0; from < n; from += scanned {
		to := min(from+scanned, n)
		f, d, o := fields.Columns(0, to-from), moved.Columns(0, to-from), old.Columns(0, to-from)
		e.Mul(f, x, j.Columns(from, to), compute.Op{Alpha: 1, Then: compute.Epilogue{Add: outer.Columns(from, to)}})
		e.Copy(o, x.Columns(from, to))
		e.Fill(d, 0)
		for i := range to - from { // what the spins of the block before this one have moved by is not yet in its field
			at := x.Columns(from+i, from+i+1)
			e.Mul(at, d, j.Slice(from, to).Columns(from+i, from+i+1),
				compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Tanh, Add: f.Columns(i, i+1)}})
			e.Axpby(d.Columns(i, i+1), 1, at, 0)
			e.Axpby(d.Columns(i, i+1), -1, o.Columns(i, i+1), 1)
		}
	}
}

// Bound sets dst (Bx1 Float64) to the variational free energy of each row of visible spins with the
// means of its hidden layers, those that MeanField sets,
//
//	E(v, mu) - sum over hidden spins of the entropy of their means >= F(v)
//
// in kT: dst + log Z is an upper bound of -log p(v), if log Z is exact or an upper bound. Gaussian
// units have the variance 1, and their entropy and mean square cancel.
func (m *Machine) Bound(dst compute.Matrix, s State) {
	m.Energy(dst, s, Law{})
	e := m.engine
	f := make([]float64, dst.Rows())
	compute.Read(e, f, dst)
	for l, x := range s {
		if l == Visible || m.graph.Layers[l].Kind == Gaussian {
			continue
		}
		mu := make([]float32, x.Len())
		compute.Read(e, mu, x)
		for i := range f {
			for _, y := range mu[i*m.sizes[l]:][:m.sizes[l]] {
				f[i] -= entropy(float64(y))
			}
		}
	}
	compute.Write(e, dst, f)
}

// entropy returns that of a spin of the given mean, in nats.
func entropy(mean float64) float64 {
	var sum float64
	for _, p := range [...]float64{(1 + mean) / 2, (1 - mean) / 2} {
		if p > 0 {
			sum -= p * math.Log(p)
		}
	}
	return sum
}
