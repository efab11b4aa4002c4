package bm

import (
	"encoding/binary"
	"fmt"
	"math"

	"mattis/compute"
)

// MostSpins is the largest layer that an Enumeration lists.
const MostSpins = 30

// Enumeration lists all states of one layer of a restricted machine, the other
// layer summed over exactly. The spins of the layer are split in two halves,
// so that the fields on the other layer are sums of one row for each half and no field is
// computed twice; columns of W that are equal up to a sign share one term. Of
// a symmetric machine only the states whose highest spin is up are listed: each
// stands for two.
//
// State number s has spin i up where bit i of s is set.
type Enumeration struct {
	machine *RBM
	layer   int
	spins   int
	low     int  // spins of the low half
	half    bool // only states with the highest spin up
}

// Enumerate returns the enumeration of layer l, or an error if it has more than
// MostSpins spins.
func (r *RBM) Enumerate(l int) (*Enumeration, error) {
	n := r.Layers()[l]
	if n > MostSpins {
		return nil, fmt.Errorf("%d spins in the layer to enumerate, at most %d can be", n, MostSpins)
	}
	return &Enumeration{machine: r, layer: l, spins: n, low: min(n/2, 10), half: r.Symmetric()}, nil
}

// EnumerateSmaller returns the enumeration of the layer with fewer spins.
func (r *RBM) EnumerateSmaller() (*Enumeration, error) {
	if n := r.Layers(); n[Hidden] < n[Visible] {
		return r.Enumerate(Hidden)
	}
	return r.Enumerate(Visible)
}

// Layer returns the layer that is listed.
func (e *Enumeration) Layer() int { return e.layer }

// Half reports whether each listed state stands for itself and its negative.
func (e *Enumeration) Half() bool { return e.half }

// Len returns the number of states listed.
func (e *Enumeration) Len() int { return 1 << (e.spins - e.dropped()) }

// First returns the number of the first state listed; the others follow it.
func (e *Enumeration) First() uint64 {
	if e.half {
		return 1 << (e.spins - 1)
	}
	return 0
}

func (e *Enumeration) dropped() int {
	if e.half {
		return 1
	}
	return 0
}

// SetState sets the spins of state number s.
func SetState(dst []int8, s uint64) {
	for i := range dst {
		dst[i] = int8(s>>i&1)*2 - 1
	}
}

// Exponents calls visit with blocks of the exponents -F(s) of the listed states in order, the first of which
// has number first: -F(v) = b.v + sum_a log 2cosh x_a(v). stop ends the listing.
func (e *Enumeration) Exponents(visit func(first uint64, exponents []float64) (stop bool)) {
	e.list(compute.PairLogCosh, visit)
}

// Minima is Exponents at zero temperature: -min over the other layer of the energy.
func (e *Enumeration) Minima(visit func(first uint64, minusEnergies []float64) (stop bool)) {
	e.list(compute.PairAbs, visit)
}

func (e *Enumeration) list(f compute.PairKind, visit func(first uint64, x []float64) bool) {
	r, en := e.machine, e.machine.engine
	mark := en.Mark()
	defer en.Release(mark)
	lowStates := 1 << e.low
	highStates := e.Len() >> e.low
	firstHigh := e.First() >> e.low
	other := 1 - e.layer

	// The fields of the low half, with the other half's spins 0 and all that is constant.
	constant := r.constantFields(e.layer)
	full := r.Layers()[other]
	b := en.Scratch(compute.Float32, lowStates, full)
	e.halfFields(b, 0, 0, e.low, constant)
	groups, counts := r.columnGroups(other)
	b = e.pick(b, groups)
	bias := e.hostBias()

	block := max(1, min(highStates, 1<<16/lowStates))
	a := en.Scratch(compute.Float32, block, full)
	sums := en.Scratch(compute.Float64, block, lowStates)
	out := make([]float64, block*lowStates)
	biasLow := partialSums(bias[:e.low])
	for p := 0; p < highStates; p += block {
		n := min(block, highStates-p)
		inner := en.Mark()
		ab := a.Slice(0, n)
		e.halfFields(ab, firstHigh+uint64(p), e.low, e.spins, compute.Matrix{})
		s := sums.Slice(0, n)
		en.Axpby(s, 0, s, 0)
		en.Pairs(s, e.pick(ab, groups), b, counts, f)
		x := out[:n*lowStates]
		en.Read(x, s)
		en.Release(inner)
		for i := range n {
			high := dotBits(bias[e.low:], firstHigh+uint64(p+i))
			for j := range lowStates {
				x[i*lowStates+j] += high + biasLow[j]
			}
		}
		if visit((firstHigh+uint64(p))<<e.low, x) {
			return
		}
	}
}

// constantFields returns c - m W or b: what the fields on the other layer hold
// beside the listed layer's spins.
func (r *RBM) constantFields(layer int) compute.Matrix {
	other := 1 - layer
	c := r.biases[other].Value
	if layer == Hidden {
		return c
	}
	s := r.couplings.Shift()
	if s.IsNone() {
		return c
	}
	if !c.IsNone() {
		r.engine.Axpby(s, 1, c, 1)
	}
	return s
}

// halfFields sets dst to the fields on the other layer of the states first, first+1, ... of spins [from, to), the
// layer's other spins being 0, plus the row add.
func (e *Enumeration) halfFields(dst compute.Matrix, first uint64, from, to int, add compute.Matrix) {
	r, en := e.machine, e.machine.engine
	mark := en.Mark()
	defer en.Release(mark)
	n := dst.Rows()
	x := make([]int8, n*e.spins)
	for i := range n {
		SetState(x[i*e.spins+from:i*e.spins+to], first+uint64(i))
	}
	spins := en.Scratch(compute.Int8, n, e.spins)
	en.Write(spins, x)
	r.couplings.Fields(dst, r.couplings.Overlap(spins, e.layer), compute.Epilogue{})
	// Overlap takes the offset out of every row; constantFields has it once.
	if s := r.couplings.Shift(); e.layer == Visible && !s.IsNone() {
		en.Axpby(dst, -1, s.Repeat(n), 1)
	}
	if !add.IsNone() {
		en.Axpby(dst, 1, add.Repeat(n), 1)
	}
}

// hostBias returns the field that acts on the listed spins alone: b, or c - m W.
func (e *Enumeration) hostBias() []float64 {
	r := e.machine
	row := make([]float32, e.spins)
	m := r.biases[e.layer].Value
	if e.layer == Hidden {
		m = r.constantFields(Visible)
	}
	if !m.IsNone() {
		r.engine.Read(row, m)
	}
	bias := make([]float64, e.spins)
	for i, x := range row {
		bias[i] = float64(x)
	}
	return bias
}

// partialSums returns sum_i bias_i s_i of all 2^n states.
func partialSums(bias []float64) []float64 {
	x := make([]float64, 1<<len(bias))
	for s := range x {
		x[s] = dotBits(bias, uint64(s))
	}
	return x
}

func dotBits(bias []float64, s uint64) float64 {
	var sum float64
	for i, b := range bias {
		if s>>i&1 == 1 {
			sum += b
		} else {
			sum -= b
		}
	}
	return sum
}

// columnGroups returns one column number of layer l for each group of spins
// whose couplings and bias are equal up to a common sign, and the sizes of the groups (1xN).
func (r *RBM) columnGroups(l int) (columns []int, counts compute.Matrix) {
	rows := r.couplingColumns(l)
	if !r.biases[l].Value.IsNone() {
		rows = append(rows, r.biases[l].Value)
	}
	// The offset's part of the field is a function of the same column.
	n := r.Layers()[l]
	keys := make([][]byte, n)
	signs := make([]uint32, n)
	for _, m := range rows {
		x := make([]float32, m.Len())
		r.engine.Read(x, m)
		for j := range n {
			for i := range m.Rows() {
				v := math.Float32bits(x[i*n+j])
				if v<<1 == 0 {
					v = 0
				} else if signs[j] == 0 {
					signs[j] = 1 + v>>31
				}
				if v != 0 && signs[j] == 2 {
					v ^= 1 << 31
				}
				keys[j] = binary.LittleEndian.AppendUint32(keys[j], v)
			}
		}
	}
	place := map[string]int{}
	var size []float32
	for j, k := range keys {
		g, ok := place[string(k)]
		if !ok {
			g = len(columns)
			place[string(k)] = g
			columns = append(columns, j)
			size = append(size, 0)
		}
		size[g]++
	}
	counts = r.engine.Scratch(compute.Float32, 1, len(size))
	r.engine.Write(counts, size)
	return columns, counts
}

// couplingColumns returns the matrices whose columns determine W's columns (l hidden) or rows (l visible).
func (r *RBM) couplingColumns(l int) []compute.Matrix {
	switch c := r.couplings.(type) {
	case *Axons:
		if l == Hidden {
			return []compute.Matrix{c.hidden.Value}
		}
		return []compute.Matrix{c.visible.Value}
	case *Dense:
		if l == Hidden {
			return []compute.Matrix{c.weights.Value}
		}
		t := r.engine.Scratch(compute.Float32, c.weights.Value.Cols(), c.weights.Value.Rows())
		transpose(r.engine, t, c.weights.Value)
		return []compute.Matrix{t}
	}
	panic(fmt.Sprintf("bm: columns of %T", r.couplings))
}

func transpose(e compute.Engine, dst, src compute.Matrix) {
	x := make([]float32, src.Len())
	e.Read(x, src)
	y := make([]float32, len(x))
	for i := range src.Rows() {
		for j := range src.Cols() {
			y[j*src.Rows()+i] = x[i*src.Cols()+j]
		}
	}
	e.Write(dst, y)
}

// pick returns the scratch matrix of the chosen columns of m.
func (e *Enumeration) pick(m compute.Matrix, columns []int) compute.Matrix {
	if len(columns) == m.Cols() {
		return m
	}
	en := e.machine.engine
	x := make([]float32, m.Len())
	en.Read(x, m)
	y := make([]float32, m.Rows()*len(columns))
	for i := range m.Rows() {
		for g, j := range columns {
			y[i*len(columns)+g] = x[i*m.Cols()+j]
		}
	}
	d := en.Scratch(compute.Float32, m.Rows(), len(columns))
	en.Write(d, y)
	return d
}

// LogZ returns log Z in nats, summed in float64 in the order of the states.
func (e *Enumeration) LogZ() float64 {
	s := LogSum{}
	e.Exponents(func(_ uint64, x []float64) bool {
		for _, v := range x {
			s.Add(v)
		}
		return false
	})
	return s.Log() + float64(e.dropped())*math.Ln2
}

// GroundState returns the lowest energy in kT and the number of the listed
// layer's state that has it (the first one, if several do).
func (e *Enumeration) GroundState() (energy float64, state uint64) {
	best := math.Inf(-1)
	e.Minima(func(first uint64, x []float64) bool {
		for i, v := range x {
			if v > best {
				best, state = v, first+uint64(i)
			}
		}
		return false
	})
	return -best, state
}

// LogSum is the running logarithm of a sum of exponentials. The zero LogSum is
// the empty sum.
type LogSum struct {
	top, sum float64
	any      bool
}

// Add adds exp(x).
func (s *LogSum) Add(x float64) {
	switch {
	case !s.any:
		s.top, s.sum, s.any = x, 1, true
	case x <= s.top:
		s.sum += math.Exp(x - s.top)
	default:
		s.sum = s.sum*math.Exp(s.top-x) + 1
		s.top = x
	}
}

// Log returns the logarithm of the sum, -Inf of the empty one.
func (s *LogSum) Log() float64 {
	if !s.any {
		return math.Inf(-1)
	}
	return s.top + math.Log(s.sum)
}
