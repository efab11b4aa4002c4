package exact

import (
	"encoding/binary"
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
)

// MostSpins is the largest layer that an Enumeration lists.
const MostSpins = 30

// Enumeration lists all states of the layers on the left side of a view, the other layers summed
// over exactly. The spins of a restricted machine's layer are split in two halves, so that the
// fields on the other layer are sums of one row for each half and no field is computed twice. Spins
// of the other layer whose couplings are equal up to a sign share one term where few patterns leave
// few different ones. The states of other machines are summed in float64 (see form). Of a symmetric
// machine only the states whose highest spin is up are listed: each stands for two.
//
// State number s has spin i up where bit i of s is set, the spins of the listed layers one layer
// after the other. Listing again allocates nothing; one goroutine at a time may list.
type Enumeration struct {
	machine *bm.Machine
	layers  []int
	layer   int // of a restricted machine
	spins   int
	low     int   // spins of the low half
	half    bool  // only states with the highest spin up
	form    *form // of machines that are not restricted
	first   uint64
	count   int // states listed

	block     int            // states of the high half that are listed at once, a power of two that divides them
	lowHalf   compute.Matrix // Int8: all states of the low half, the other spins 0
	highHalf  compute.Matrix // Int8: a block of states of the high half
	highFirst uint64         // number of the first state in highHalf
	flat      []int8         // room to write highHalf
	exponents []float64      // a block's results
	bias      []float64      // field on the listed spins alone
	biasRow   []float32
	biasLow   []float64 // bias.s of the low half's states
	overlaps  [2]bm.Overlap
}

// mostLow is the largest low half: its fields, 2^10 rows, fit the outer caches.
const mostLow = 10

// Enumerate returns the enumeration of the given layers, in increasing order, or an error if they
// have more than MostSpins spins or the others do not sum out. The parameters may change between
// two listings.
func Enumerate(m *bm.Machine, layers ...int) (*Enumeration, error) {
	sizes, n := m.Layers(), 0
	for _, l := range layers {
		n += sizes[l]
	}
	if n > MostSpins {
		what := "layer"
		if len(layers) > 1 {
			what = "layers"
		}
		return nil, fmt.Errorf("%d spins in the %s to enumerate, at most %d can be", n, what, MostSpins)
	}
	e := &Enumeration{machine: m, layers: layers, layer: layers[0], spins: n, low: min(n/2, mostLow), half: m.Symmetric()}
	if e.half {
		e.first = 1 << (n - 1)
	}
	e.count = 1 << (n - e.dropped())
	lowStates := 1 << e.low
	e.block = max(1, min(e.Len()>>e.low, 1<<18/lowStates))
	e.exponents = make([]float64, e.block*lowStates)
	if !m.Graph().IsRestricted() || !m.Couplings().Offset(bm.Hidden).IsNone() {
		var err error
		e.form, err = newForm(m, layers)
		return e, err
	}
	e.lowHalf = m.Engine().Alloc(compute.Int8, lowStates, n)
	e.highHalf = m.Engine().Alloc(compute.Int8, e.block, n)
	e.flat = make([]int8, max(lowStates, e.block)*n)
	e.bias, e.biasRow, e.biasLow = make([]float64, n), make([]float32, n), make([]float64, lowStates)
	e.writeStates(e.lowHalf, 0, 0, e.low)
	e.highFirst = e.First() >> e.low
	e.writeStates(e.highHalf, e.highFirst, e.low, n)
	return e, nil
}

// Smallest returns the enumeration that lists the fewest spins.
func Smallest(m *bm.Machine) (*Enumeration, error) {
	return Enumerate(m, m.Graph().SmallestView().Left...)
}

// Layers returns the layers that are listed.
func (e *Enumeration) Layers() []int { return e.layers }

// Machine returns the machine.
func (e *Enumeration) Machine() *bm.Machine { return e.machine }

// Half reports whether each listed state stands for itself and its negative.
func (e *Enumeration) Half() bool { return e.half }

// Len returns the number of states listed.
func (e *Enumeration) Len() int { return e.count }

// First returns the number of the first state listed; the others follow it.
func (e *Enumeration) First() uint64 { return e.first }

// Blocks returns how many times Exponents calls visit: with equally many states each time, but for the
// last one of a part (see Only).
func (e *Enumeration) Blocks() int { return (e.count>>e.low + e.block - 1) / e.block }

// Only leaves of the states those of the parts [from, to) of so many that follow each other and are
// alike but for a part of a block, and may be empty.
func (e *Enumeration) Only(from, to, of int) {
	highs := e.count >> e.low
	begin, end := highs*from/of, highs*to/of
	e.first += uint64(begin) << e.low
	e.count = (end - begin) << e.low
	e.block = max(1, min(e.block, end-begin))
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

// Exponents calls visit with blocks of the exponents -F(s) of the listed states in order, the first
// of which has number first: -F(v) = b.v + sum_a log 2cosh x_a(v) - constant. A block is valid
// during the call. stop ends the listing.
func (e *Enumeration) Exponents(visit func(first uint64, exponents []float64) (stop bool)) {
	e.list(compute.PairLogCosh, visit)
}

// Minima is Exponents at zero temperature: -min over the other layer of the energy.
func (e *Enumeration) Minima(visit func(first uint64, minusEnergies []float64) (stop bool)) {
	e.list(compute.PairAbs, visit)
}

// Phase adds the gradients of scale * sum_s w_s sum_a log 2cosh x_a(s) over the listed visible
// states, those of the visible biases left out. The states of a block are all pairs of a high and a
// low half, and what a half is correlated with are the weighted means of the pairs that it is in:
// tanh of every pair is made once and no product is as long as the list. It reports false, having
// done nothing, where it cannot: without weights, of the hidden layer, and with an offset, which
// each half would have in full.
func (e *Enumeration) Phase(weights compute.Matrix, scale float64) bool {
	r, en := e.machine, e.machine.Engine()
	if e.form != nil || weights.IsNone() || e.layer != bm.Visible || !r.Couplings().Offset(bm.Visible).IsNone() {
		return false
	}
	mark := en.Mark()
	defer en.Release(mark)
	lowStates, hidden := 1<<e.low, r.Layers()[bm.Hidden]
	fields := func(x, add compute.Matrix) (fields, means compute.Matrix) {
		fields, means = en.Scratch(compute.Float32, x.Rows(), hidden), en.Scratch(compute.Float32, x.Rows(), hidden)
		e.halfFields(fields, x, add)
		en.Fill(means, 0)
		return fields, means
	}
	correlate := func(x, means compute.Matrix) {
		e.overlaps = [2]bm.Overlap{r.Couplings().Overlap(x, bm.Visible), {Layer: bm.Hidden, X: means}}
		r.Couplings().Correlate(e.overlaps[:], compute.Matrix{}, scale)
	}
	low, lowMeans := fields(e.lowHalf, r.Bias(bm.Hidden).Value)
	for p := 0; p < e.Len()>>e.low; p += e.block {
		e.writeHigh(e.First()>>e.low + uint64(p))
		inner := en.Mark()
		n := min(e.block, e.Len()>>e.low-p)
		half := e.highHalf.Slice(0, n)
		high, highMeans := fields(half, compute.Matrix{})
		w := weights.Slice(p*lowStates, (p+n)*lowStates).Reshape(n, lowStates)
		en.PairMeans(highMeans, lowMeans, high, low, w)
		correlate(half, highMeans)
		if g := r.Bias(bm.Hidden).Grad; !g.IsNone() {
			one := en.Scratch(compute.Float32, highMeans.Rows(), 1)
			en.Fill(one, 1)
			en.Mul(g, one, highMeans, compute.Op{TransA: true, Accumulate: true, Alpha: scale})
		}
		en.Release(inner)
	}
	correlate(e.lowHalf, lowMeans)
	return true
}

// writeHigh sets the block of high halves to those from the given one on.
func (e *Enumeration) writeHigh(first uint64) {
	if e.highFirst != first {
		e.writeStates(e.highHalf, first, e.low, e.spins)
		e.highFirst = first
	}
}

func (e *Enumeration) list(f compute.PairKind, visit func(first uint64, x []float64) bool) {
	if e.form != nil {
		e.form.read()
		e.listForm(f == compute.PairAbs, visit)
		return
	}
	r, en := e.machine, e.machine.Engine()
	mark := en.Mark()
	defer en.Release(mark)
	lowStates, highStates, other := 1<<e.low, e.Len()>>e.low, 1-e.layer
	firstHigh := e.First() >> e.low
	e.readBias()
	constant := r.Constant()

	// The fields of the low half, with all that is constant.
	full := r.Layers()[other]
	b := en.Scratch(compute.Float32, lowStates, full)
	e.halfFields(b, e.lowHalf, constantFields(r, e.layer))
	columns, counts := columnGroups(r, other)
	if columns != nil {
		b = pick(r, b, columns)
	}
	a := en.Scratch(compute.Float32, e.block, full)
	sums := en.Scratch(compute.Float64, e.block, lowStates)
	for p := 0; p < highStates; p += e.block {
		e.writeHigh(firstHigh + uint64(p))
		inner := en.Mark()
		n := min(e.block, highStates-p)
		ab, pairs := a.Slice(0, n), sums.Slice(0, n)
		e.halfFields(ab, e.highHalf.Slice(0, n), compute.Matrix{})
		if columns != nil {
			ab = pick(r, ab, columns)
		}
		en.Fill(pairs, 0)
		en.Pairs(pairs, ab, b, counts, f)
		x := e.exponents[:n*lowStates]
		compute.Read(en, x, pairs)
		en.Release(inner)
		for i := range n {
			high := dotBits(e.bias[e.low:], firstHigh+uint64(p+i)) - constant
			for j := range lowStates {
				x[i*lowStates+j] += high + e.biasLow[j]
			}
		}
		if visit((firstHigh+uint64(p))<<e.low, x) {
			return
		}
	}
}

// constantFields returns c - m W or b: what the fields on the other layer hold
// beside the listed layer's spins.
func constantFields(r *bm.Machine, layer int) compute.Matrix {
	other := 1 - layer
	c := r.Bias(other).Value
	if layer == bm.Hidden {
		return c
	}
	s := r.Couplings().Shift(bm.Visible, bm.Hidden)
	if s.IsNone() {
		return c
	}
	if !c.IsNone() {
		r.Engine().Axpby(s, 1, c, 1)
	}
	return s
}

// writeStates sets the rows of m to the states first, first+1, ... of spins
// [from, to), the layer's other spins being 0.
func (e *Enumeration) writeStates(m compute.Matrix, first uint64, from, to int) {
	x := e.flat[:m.Len()]
	clear(x)
	for i := range m.Rows() {
		SetState(x[i*e.spins+from:i*e.spins+to], first+uint64(i))
	}
	compute.Write(e.machine.Engine(), m, x)
}

// halfFields sets dst to the fields on the other layer of the half states x, plus the row add.
func (e *Enumeration) halfFields(dst, x, add compute.Matrix) {
	r, en := e.machine, e.machine.Engine()
	mark := en.Mark()
	e.overlaps[0] = r.Couplings().Overlap(x, e.layer)
	r.Couplings().Fields(dst, e.overlaps[:1], 1-e.layer, compute.Epilogue{})
	// Overlap takes the offset out of every row; constantFields has it once.
	if s := r.Couplings().Shift(bm.Visible, bm.Hidden); e.layer == bm.Visible && !s.IsNone() {
		en.Axpby(dst, -1, s.Repeat(dst.Rows()), 1)
	}
	if !add.IsNone() {
		en.Axpby(dst, 1, add.Repeat(dst.Rows()), 1)
	}
	en.Release(mark)
}

// readBias sets the field that acts on the listed spins alone, b or c - m W,
// and its sums over the low half's states.
func (e *Enumeration) readBias() {
	r := e.machine
	mark := r.Engine().Mark()
	m := r.Bias(e.layer).Value
	if e.layer == bm.Hidden {
		m = constantFields(r, bm.Visible)
	}
	clear(e.biasRow)
	if !m.IsNone() {
		compute.Read(r.Engine(), e.biasRow, m)
	}
	r.Engine().Release(mark)
	for i, x := range e.biasRow {
		e.bias[i] = float64(x)
	}
	for s := range e.biasLow {
		e.biasLow[s] = dotBits(e.bias[:e.low], uint64(s))
	}
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

// groupGain is how many times fewer terms grouping has to leave: a term with
// its count takes a logarithm, one without takes three multiplications.
const groupGain = 64

// columnGroups returns one spin of layer l for each group of spins whose couplings and biases are
// equal up to a common sign, and the sizes of the groups (1xN). K patterns of +-1 leave at most
// 2^(K-1) groups. It returns nil where grouping does not pay.
func columnGroups(r *bm.Machine, l int) (columns []int, counts compute.Matrix) {
	a, ok := r.Couplings().(*bm.Axons)
	n := r.Layers()[l]
	if !ok || a.K() > 16 || n>>(a.K()-1) < groupGain {
		return nil, counts
	}
	rows := []compute.Matrix{a.Patterns(l).Value}
	if b := r.Bias(l).Value; !b.IsNone() {
		rows = append(rows, b)
	}
	// The offset's part of a field is a function of the same column.
	keys := make([][]byte, n)
	signs := make([]uint32, n)
	for _, m := range rows {
		x := make([]float32, m.Len())
		compute.Read(r.Engine(), x, m)
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
	if len(columns)*groupGain > n {
		return nil, counts
	}
	counts = r.Engine().Scratch(compute.Float32, 1, len(size))
	compute.Write(r.Engine(), counts, size)
	return columns, counts
}

// pick returns the scratch matrix of the chosen columns of m.
func pick(r *bm.Machine, m compute.Matrix, columns []int) compute.Matrix {
	en := r.Engine()
	x := make([]float32, m.Len())
	compute.Read(en, x, m)
	y := make([]float32, m.Rows()*len(columns))
	for i := range m.Rows() {
		for g, j := range columns {
			y[i*len(columns)+g] = x[i*m.Cols()+j]
		}
	}
	d := en.Scratch(compute.Float32, m.Rows(), len(columns))
	compute.Write(en, d, y)
	return d
}

// LogZ returns log Z in nats, summed in float64: the states of each block in their order, then the
// blocks.
func (e *Enumeration) LogZ() float64 {
	var s LogSum
	e.Exponents(func(_ uint64, x []float64) bool {
		var block LogSum
		for _, v := range x {
			block.Add(v)
		}
		s.AddTerms(block.Terms())
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
