package exact

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
)

// form is the exponent of a machine's Boltzmann weight with the layers on the right side of a view
// summed out, as a function of the n spins s on the left, in float64 with the machine's rounded
// parameters:
//
//	-E(s) = constant + h.s + 1/2 s J s + sum_r f(c_r + (s U)_r)
//
// f being log 2cosh, or x^2/2 of a Gaussian layer. Offsets are multiplied out.
type form struct {
	machine     *bm.Machine
	left, right []int
	at          []int // of each layer: its first spin among those of its side
	n, outer    int

	constant float64
	field    []float64 // h
	inner    []float64 // J, n x n, symmetric with a diagonal of 0
	out      []float64 // U, n x outer
	rest     []float64 // c
	gaussian []bool    // of each of the outer ones

	params []hostParam
}

// hostParam is a matrix of the machine as it was last read.
type hostParam struct {
	on   compute.Matrix
	read []float32
}

// newForm returns the form of the left layers, in increasing order, with all parameters to be read.
func newForm(m *bm.Machine, left []int) (*form, error) {
	g := m.Graph()
	f := &form{machine: m, left: left, at: make([]int, len(g.Layers))}
	for l, layer := range g.Layers {
		if slices.Contains(left, l) {
			if layer.Kind == bm.Gaussian {
				return nil, fmt.Errorf("the states of the Gaussian layer %s cannot be listed", layer.Name)
			}
			f.at[l] = f.n
			f.n += layer.N
			continue
		}
		f.right = append(f.right, l)
		f.at[l] = f.outer
		f.outer += layer.N
		for range layer.N {
			f.gaussian = append(f.gaussian, layer.Kind == bm.Gaussian)
		}
	}
	for i, p := range g.Pairs {
		if slices.Contains(f.right, p.A) && slices.Contains(f.right, p.B) {
			return nil, fmt.Errorf("the layers of the pair %s cannot both be summed out", g.PairName(i))
		}
	}
	f.field, f.inner = make([]float64, f.n), make([]float64, f.n*f.n)
	f.out, f.rest = make([]float64, f.n*f.outer), make([]float64, f.outer)
	return f, nil
}

// values returns a Float32 matrix of the machine on the host, in the order of the calls since the
// last reading.
func (f *form) values(next *int, on compute.Matrix) []float32 {
	if on.IsNone() {
		return nil
	}
	if *next == len(f.params) {
		f.params = append(f.params, hostParam{on, make([]float32, on.Len())})
	}
	p := &f.params[*next]
	*next++
	compute.Read(f.machine.Engine(), p.read, on)
	return p.read
}

// read takes the parameters from the machine.
func (f *form) read() {
	m, g := f.machine, f.machine.Graph()
	next := 0
	clear(f.field)
	clear(f.inner)
	clear(f.out)
	clear(f.rest)
	f.constant = -m.Constant()
	for l := range g.Layers {
		for i, b := range f.values(&next, m.Bias(l).Value) {
			f.linear(l)[i] += float64(b)
		}
	}
	for i, p := range g.Pairs {
		a, b := f.values(&next, m.Couplings().Offset(p.A)), f.values(&next, m.Couplings().Offset(p.B))
		f.readPair(&next, i, p, a, b)
	}
}

// linear returns h or c of a layer.
func (f *form) linear(l int) []float64 {
	n := f.machine.Layers()[l]
	if slices.Contains(f.right, l) {
		return f.rest[f.at[l]:][:n]
	}
	return f.field[f.at[l]:][:n]
}

// readPair adds (s-a) W (s'-b) of a pair, half of it and without i = j of a layer with itself.
func (f *form) readPair(next *int, pair int, p bm.Pair, a, b []float32) {
	m := f.machine
	rows, cols := m.Layers()[p.A], m.Layers()[p.B]
	var x, y, w []float32
	var factor float64
	if ax := m.Axons(); ax != nil {
		x, y = f.values(next, ax.Patterns(p.A).Value), f.values(next, ax.Patterns(p.B).Value)
		factor = ax.Factor(pair)
	} else {
		w = f.values(next, m.Couplings().(*bm.Dense).Weights(pair).Value)
	}
	onA, onB := f.linear(p.A), f.linear(p.B)
	half := 1.0
	if p.A == p.B {
		half = 0.5
	}
	for i := range rows {
		for j := range cols {
			if p.A == p.B && i == j {
				continue
			}
			var wij float64
			if w != nil {
				wij = float64(w[i*cols+j])
			} else {
				for k := 0; k*rows < len(x); k++ {
					wij += float64(x[k*rows+i]) * float64(y[k*cols+j])
				}
				wij *= factor
			}
			f.addCoupling(p, i, j, wij)
			if a != nil {
				onB[j] -= half * float64(a[i]) * wij
			}
			if b != nil {
				onA[i] -= half * wij * float64(b[j])
			}
			if a != nil && b != nil {
				f.constant += half * float64(a[i]) * wij * float64(b[j])
			}
		}
	}
}

// addCoupling puts the coupling of spin i of the layer A with spin j of the layer B where it
// belongs.
func (f *form) addCoupling(p bm.Pair, i, j int, w float64) {
	switch {
	case slices.Contains(f.right, p.A):
		f.out[(f.at[p.B]+j)*f.outer+f.at[p.A]+i] = w
	case slices.Contains(f.right, p.B):
		f.out[(f.at[p.A]+i)*f.outer+f.at[p.B]+j] = w
	default:
		x, y := f.at[p.A]+i, f.at[p.B]+j
		f.inner[x*f.n+y], f.inner[y*f.n+x] = w, w
	}
}

// given returns the form of the spins from the len(spins)-th on, the first ones being held.
func (f *form) given(spins []int8) *form {
	held := len(spins)
	n := f.n - held
	g := &form{machine: f.machine, n: n, outer: f.outer, constant: f.constant, field: slices.Clone(f.field[held:]), rest: slices.Clone(f.rest),
		inner: make([]float64, n*n), out: f.out[held*f.outer:], gaussian: f.gaussian}
	for i := range n {
		copy(g.inner[i*n:][:n], f.inner[(held+i)*f.n+held:])
	}
	for i, x := range spins {
		s := float64(x)
		g.constant += s * f.field[i]
		for j, y := range spins[:i] {
			g.constant += s * float64(y) * f.inner[i*f.n+j]
		}
		for j := range n {
			g.field[j] += s * f.inner[i*f.n+held+j]
		}
		for r, u := range f.out[i*f.outer:][:f.outer] {
			g.rest[r] += s * u
		}
	}
	return g
}

// half is the part of a sum that one half of the spins, [from, from+n), has with each of its
// states.
type half struct {
	from, n  int
	exponent float64   // constant left out
	fields   []float64 // on the outer ones, c left out
	cross    []float64 // on the spins below from
}

// set sets the half to the state number s.
func (h *half) set(f *form, s uint64) {
	h.exponent = 0
	clear(h.fields)
	clear(h.cross)
	for i := range h.n {
		x, row := float64(int(s>>i&1)*2-1), h.from+i
		h.exponent += x * f.field[row]
		for j := range i {
			h.exponent += x * float64(int(s>>j&1)*2-1) * f.inner[row*f.n+h.from+j]
		}
		for r, u := range f.out[row*f.outer:][:f.outer] {
			h.fields[r] += x * u
		}
		for j := range h.cross {
			h.cross[j] += x * f.inner[row*f.n+j]
		}
	}
}

// exponent returns f(x) summed over the outer ones; at zero temperature log 2cosh is the absolute
// value.
func (f *form) sum(high, low []float64, cold bool) (sum float64) {
	for r, c := range f.rest {
		x := c + high[r] + low[r]
		switch {
		case f.gaussian[r]:
			sum += x * x / 2
		case cold:
			sum += math.Abs(x)
		default:
			sum += compute.LogTwoCosh(x)
		}
	}
	return sum
}

// listForm is list by the form.
func (e *Enumeration) listForm(cold bool, visit func(first uint64, x []float64) bool) {
	e.form.list(e.low, e.First(), e.Len(), e.exponents, cold, visit)
}

// list shows visit the exponents of so many states from the first on, in blocks of room's length, a
// multiple of 2^low.
func (f *form) list(low int, first uint64, states int, room []float64, cold bool, visit func(first uint64, x []float64) bool) {
	lows := make([]half, 1<<low)
	for s := range lows {
		lows[s] = half{n: low, fields: make([]float64, f.outer)}
		lows[s].set(f, uint64(s))
	}
	high := half{from: low, n: f.n - low, fields: make([]float64, f.outer), cross: make([]float64, low)}
	for done := 0; done < states; done += len(room) {
		at := first + uint64(done)
		room := room[:min(len(room), states-done)]
		for i := range len(room) >> low {
			high.set(f, at>>low+uint64(i))
			for s := range lows {
				x := f.constant + high.exponent + lows[s].exponent + f.sum(high.fields, lows[s].fields, cold)
				for j, c := range high.cross {
					x += float64(s>>j&1*2-1) * c
				}
				room[i<<low+s] = x
			}
		}
		if visit(at, room) {
			return
		}
	}
}

// FreeEnergies sets dst to the exact -log sum over all other layers of exp(-E) of each row of
// visible spins, V each row after row, in float64. Layers that meet given the visible one are
// listed: at most MostSpins spins.
func FreeEnergies(m *bm.Machine, dst []float64, rows []int8) error {
	v := m.View()
	f, err := newForm(m, v.Left)
	if err != nil {
		return err
	}
	visible := m.Layers()[bm.Visible]
	if f.n-visible > MostSpins {
		return fmt.Errorf("%d hidden spins would have to be listed for each row, at most %d can be", f.n-visible, MostSpins)
	}
	f.read()
	for i := range dst {
		g := f.given(rows[i*visible:][:visible])
		low := min(g.n/2, mostLow)
		var z LogSum
		g.list(low, 0, 1<<g.n, make([]float64, 1<<min(g.n, low+4)), false, func(_ uint64, x []float64) bool {
			for _, y := range x {
				z.Add(y)
			}
			return false
		})
		dst[i] = -z.Log()
	}
	return nil
}
