package exact

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"mattis/bm"
	"mattis/compute"
)

// MostClassTerms is about the largest number of terms that PatternClasses sums, each with one
// look-up in a table for each column of pattern signs of the other layer; the bound is on four
// times as many look-ups (K = 3). They take half a minute on one core.
const MostClassTerms = 4e9

// PatternClasses sums over all states of a machine with axons whose patterns are +-1 (or have one
// magnitude in each layer), at any V and H if K is small. Spins of a layer with the same column of
// pattern signs, up to a common sign, and the same bias are interchangeable: only how many of a
// class are up counts. With the columns x_c of the classes, M_c = 2 n_c - N_c and the factor f =
// g/sqrt K,
//
//	Z = sum over (n_c) of prod_c binom(N_c, n_c) exp(b_c M_c) prod_a 2cosh(c_a + f sum_ck M_c x_ck xi_ak)
//
// where a runs over the spins of the other layer, which may have any biases. Without biases there
// are 2^(K-1) classes a layer: about (V+1) (V/2)^1 (V/4)^3 terms for K = 1, 2, 3. The layer with
// fewer terms is listed. Of machines on other graphs the layers on the left side of the smallest
// view are listed together (see graphTerms). All sums are in float64 and share the rounded factor
// of compute.Factor with the engine's products.
type PatternClasses struct {
	machine *bm.Machine
	layer   int
	layers  []int   // that are listed
	classes []class // the last one is listed fastest, the first one is split among threads
	half    bool    // states of a first count below half are those above it with all spins turned

	weight [][]float64 // of class c with n spins up: log binom(N_c, n) + b_c M_c
	tables [][]float64 // of pattern column d of the other layer: sum over its spins of log 2cosh, at each integer overlap
	origin []int       // index in tables[d] when all spins of all classes are down
	step   [][]int     // of class c: how that index moves for one spin up

	graph  *graphTerms    // in place of the tables, of machines that are not restricted
	factor float64        // f, times the magnitudes of the patterns
	hidden []overlapTable // of the hidden spins, whichever layer is listed; nil before FreeEnergies

	first []float64 // log of the sum at each first count, weighted by 2 where it stands for its negative too; nil before Sum
}

// class is a set of interchangeable spins.
type class struct {
	column string // of pattern signs, + in the first pattern
	bias   float64
	spins  []int32
	signs  []int8 // of each spin against the class
}

// ClassesOf returns the pattern classes of the machine, or an error that says what it lacks for
// them.
func ClassesOf(r *bm.Machine) (*PatternClasses, error) {
	a, ok := r.Couplings().(*bm.Axons)
	if !ok {
		return nil, fmt.Errorf("pattern classes need axons, and the couplings are dense")
	}
	if !r.Graph().IsRestricted() || !a.Offset(bm.Hidden).IsNone() {
		return graphClasses(r, a)
	}
	if !a.Offset(bm.Visible).IsNone() {
		for i, x := range host(r, a.Offset(bm.Visible)) {
			if x != 0 {
				return nil, fmt.Errorf("offset.visible[%d] is %v; pattern classes need offsets of 0", i, x)
			}
		}
	}
	var classes [2][]class
	scale := 1.0
	for l, p := range [...]bm.Param{a.Patterns(bm.Visible), a.Patterns(bm.Hidden)} {
		magnitude, err := classesOf(r, &classes[l], l, p)
		if err != nil {
			return nil, err
		}
		scale *= magnitude
	}
	p := &PatternClasses{machine: r, half: r.Bias(bm.Visible).Value.IsNone() && r.Bias(bm.Hidden).Value.IsNone()}
	var terms, lookups [2]float64 // logarithms
	for l := range classes {
		terms[l] = logTerms(classes[l])
		if p.half {
			terms[l] -= math.Ln2
		}
		lookups[l] = terms[l] + math.Log(float64(columns(classes[1-l])))
	}
	if lookups[bm.Hidden] < lookups[bm.Visible] {
		p.layer = bm.Hidden
	}
	p.layers, p.classes = []int{p.layer}, classes[p.layer]
	if terms[p.layer] > math.Log(MostClassTerms) || lookups[p.layer] > math.Log(4*MostClassTerms) {
		return nil, fmt.Errorf("the sum over pattern classes has about %.0e terms of %d parts each (%d classes of visible, %d of hidden spins with equal pattern signs and biases), at most %.0e terms of 4 parts can be",
			math.Exp(min(terms[p.layer], 700)), columns(classes[1-p.layer]), len(classes[bm.Visible]), len(classes[bm.Hidden]), float64(MostClassTerms))
	}
	p.prepare(a, scale)
	return p, nil
}

func host(r *bm.Machine, m compute.Matrix) []float32 {
	x := make([]float32, m.Len())
	compute.Read(r.Engine(), x, m)
	return x
}

// classesOf groups the spins of a layer, the smallest class first, and returns the magnitude of its
// patterns.
func classesOf(r *bm.Machine, dst *[]class, l int, p bm.Param) (magnitude float64, err error) {
	x, n := host(r, p.Value), p.Value.Cols()
	size := math.Abs(float64(x[0]))
	for i, v := range x {
		if math.Abs(float64(v)) != size {
			return 0, fmt.Errorf("%s[%d,%d] is %v and [0,0] is %v; pattern classes need patterns of one magnitude, such as +-1", p.Name, i/n, i%n, v, x[0])
		}
	}
	bias := make([]float32, n)
	if b := r.Bias(l).Value; !b.IsNone() {
		bias = host(r, b)
	}
	type kind struct {
		column string
		bias   float64
	}
	place := map[kind]int{}
	column := make([]byte, p.Value.Rows())
	for i := range n {
		sign := int8(1)
		if x[i] < 0 {
			sign = -1
		}
		for k := range column {
			column[k] = '+'
			if float32(sign)*x[k*n+i] < 0 {
				column[k] = '-'
			}
		}
		c := kind{string(column), float64(sign) * float64(bias[i])}
		if c.bias == 0 {
			c.bias = 0 // -0 is the same
		}
		at, ok := place[c]
		if !ok {
			at = len(*dst)
			place[c] = at
			*dst = append(*dst, class{column: c.column, bias: c.bias})
		}
		(*dst)[at].spins = append((*dst)[at].spins, int32(i))
		(*dst)[at].signs = append((*dst)[at].signs, sign)
	}
	slices.SortStableFunc(*dst, func(a, b class) int { return len(a.spins) - len(b.spins) })
	return size, nil
}

func logTerms(classes []class) (sum float64) {
	for _, c := range classes {
		sum += math.Log(float64(len(c.spins) + 1))
	}
	return sum
}

// columns returns how many different columns of signs the classes have.
func columns(classes []class) int {
	seen := map[string]bool{}
	for _, c := range classes {
		seen[c.column] = true
	}
	return len(seen)
}

// dot returns the product of two columns of signs.
func dot(a, b string) (sum int) {
	for k := range a {
		if a[k] == b[k] {
			sum++
		} else {
			sum--
		}
	}
	return sum
}

func (p *PatternClasses) prepare(a *bm.Axons, scale float64) {
	if len(p.classes) == 1 { // a first class without spins, for the loops to have two
		p.classes = append([]class{{column: p.classes[0].column}}, p.classes...)
		p.half = false
	}
	spins := p.weigh()
	r := p.machine
	patterns := a.Patterns(bm.Visible).Value.Rows()
	p.factor = scale * a.Factor(0)
	p.step = make([][]int, len(p.classes))
	other := otherTables(r, 1-p.layer, a, p.factor, patterns*spins)
	for _, d := range other {
		origin := patterns * spins
		for c, k := range p.classes {
			g := dot(k.column, d.column)
			p.step[c] = append(p.step[c], g)
			origin -= len(k.spins) * g
		}
		p.tables = append(p.tables, d.table)
		p.origin = append(p.origin, origin/2)
	}
}

// weigh sets the weights of the counts, and returns the number of spins.
func (p *PatternClasses) weigh() (spins int) {
	p.weight = make([][]float64, len(p.classes))
	for c, k := range p.classes {
		n := len(k.spins)
		spins += n
		all, _ := math.Lgamma(float64(n + 1))
		for up := range n + 1 {
			x, _ := math.Lgamma(float64(up + 1))
			y, _ := math.Lgamma(float64(n - up + 1))
			p.weight[c] = append(p.weight[c], all-x-y+k.bias*float64(2*up-n))
		}
	}
	return spins
}

// overlapTable is the sum of log 2cosh over the spins of one pattern column, at the overlaps -most,
// -most+2, ..., most.
type overlapTable struct {
	column string
	table  []float64
}

func otherTables(r *bm.Machine, l int, a *bm.Axons, factor float64, most int) []overlapTable {
	var classes []class
	p := a.Patterns(bm.Visible)
	if l == bm.Hidden {
		p = a.Patterns(bm.Hidden)
	}
	if _, err := classesOf(r, &classes, l, p); err != nil {
		panic("bm: " + err.Error()) // PatternClasses has looked at them
	}
	var tables []overlapTable
	for _, c := range classes {
		at := slices.IndexFunc(tables, func(t overlapTable) bool { return t.column == c.column })
		if at < 0 {
			at = len(tables)
			tables = append(tables, overlapTable{c.column, make([]float64, most+1)})
		}
		t := tables[at].table
		for j := range t {
			t[j] += float64(len(c.spins)) * compute.LogTwoCosh(factor*float64(2*j-most)+c.bias)
		}
	}
	return tables
}

// Layers returns the layers whose counts are listed.
func (p *PatternClasses) Layers() []int { return p.layers }

// Layer returns the first layer whose counts are listed.
func (p *PatternClasses) Layer() int { return p.layer }

// Classes returns how many spins each class of the listed layer has.
func (p *PatternClasses) Classes() []int {
	var n []int
	for _, c := range p.classes {
		if len(c.spins) > 0 {
			n = append(n, len(c.spins))
		}
	}
	return n
}

// Terms returns the number of terms that are summed.
func (p *PatternClasses) Terms() float64 {
	n := float64(len(p.weight[0]) - p.from())
	for _, w := range p.weight[1:] {
		n *= float64(len(w))
	}
	return n
}

// from returns the first of the counts of the first class that are listed.
func (p *PatternClasses) from() int {
	if p.half {
		return len(p.weight[0]) / 2 // the middle of an even class is its own negative
	}
	return 0
}

// stands returns how many states each one of a first count stands for.
func (p *PatternClasses) stands(n int) int {
	if p.half && 2*n != len(p.classes[0].spins) {
		return 2
	}
	return 1
}

// rows calls visit with the exponents of all states of a first count, row by row of the last class;
// counts are those of the classes between. Both are reused.
func (p *PatternClasses) rows(n int, visit func(counts []int, row []float64) (stop bool)) {
	if p.graph != nil {
		p.graph.rows(p, n, visit)
		return
	}
	last := len(p.classes) - 1
	counts := make([]int, last)
	counts[0] = n
	row := make([]float64, len(p.weight[last]))
	for {
		var base float64
		for c, up := range counts {
			base += p.weight[c][up]
		}
		for j, w := range p.weight[last] {
			row[j] = base + w
		}
		for d, table := range p.tables {
			at := p.origin[d]
			for c, up := range counts {
				at += up * p.step[c][d]
			}
			step := p.step[last][d]
			for j := range row {
				row[j] += table[at]
				at += step
			}
		}
		if visit(counts, row) {
			return
		}
		if !p.next(counts) {
			return
		}
	}
}

// next moves on the counts of the classes between the first and the last one, and reports false
// after the last state.
func (p *PatternClasses) next(counts []int) bool {
	for c := len(counts) - 1; c > 0; c-- {
		if counts[c]++; counts[c] < len(p.weight[c]) {
			return true
		}
		counts[c] = 0
	}
	return false
}

// faint is the logarithm below the largest term at which 4e9 terms together are below float64's
// precision.
const faint = 60

// sumOf returns the logarithm of the sum at a first count.
func (p *PatternClasses) sumOf(n int) float64 {
	var z LogSum
	p.rows(n, func(_ []int, row []float64) bool {
		top := row[0]
		for _, x := range row[1:] {
			top = max(top, x)
		}
		if z.any && top < z.top-faint {
			return false
		}
		for _, x := range row {
			if x > top-faint {
				z.Add(x)
			}
		}
		return false
	})
	return z.Log() + math.Log(float64(p.stands(n)))
}

// LogZ returns log Z in nats, with so many threads (at least one); the bits do not depend on their
// number. progress, if there is one, is told the share done by one thread at a time. The error is
// the context's. The sum is kept for the next call, so the parameters must not change in between.
func (p *PatternClasses) LogZ(ctx context.Context, threads int, progress func(share float64)) (float64, error) {
	if p.first == nil {
		from := p.from()
		first := make([]float64, len(p.weight[0])-from)
		if err := parallel(ctx, len(first), threads, progress, func(i int) { first[i] = p.sumOf(from + i) }); err != nil {
			return 0, err
		}
		p.first = first
	}
	var z LogSum
	for _, x := range p.first {
		z.Add(x)
	}
	return z.Log() - p.machine.Constant(), nil
}

// FreeEnergies sets dst to F(v) in nats of len(dst) configurations of the visible layer, V spins
// each row after row. The overlaps with the patterns are whole numbers and all sums are float64
// with the factor of LogZ, so that both share one rounding: F(v) + log Z is exact where the float32
// fields of RBM.Energy, which a large gain and many hidden spins multiply, are off by more than
// their difference to log Z. The parameters must not have changed since PatternClasses, and the
// machine has to be restricted.
func (p *PatternClasses) FreeEnergies(dst []float64, spins []int8) {
	r := p.machine
	visible := r.Layers()[bm.Visible]
	if len(spins) != len(dst)*visible {
		panic(fmt.Sprintf("bm: FreeEnergies of %d rows from %d spins, where a row has %d", len(dst), len(spins), visible))
	}
	a := r.Couplings().(*bm.Axons)
	patterns := host(r, a.Patterns(bm.Visible).Value)
	k := a.K()
	most := k * visible
	if p.hidden == nil {
		p.hidden = otherTables(r, bm.Hidden, a, p.factor, most)
	}
	up := make([][]int8, k) // the signs of each pattern
	for j := range up {
		up[j] = make([]int8, visible)
		for i, x := range patterns[j*visible : (j+1)*visible] {
			up[j][i] = 1
			if x < 0 {
				up[j][i] = -1
			}
		}
	}
	var bias []float32
	if b := r.Bias(bm.Visible).Value; !b.IsNone() {
		bias = host(r, b)
	}
	overlaps := make([]int, k)
	for i := range dst {
		row := spins[i*visible : (i+1)*visible]
		for j, pattern := range up {
			sum := 0
			for n, x := range row {
				sum += int(x) * int(pattern[n])
			}
			overlaps[j] = sum
		}
		f := r.Constant()
		for n, b := range bias {
			f -= float64(b) * float64(row[n])
		}
		for _, d := range p.hidden {
			at := most
			for j, m := range overlaps {
				if d.column[j] == '+' {
					at += m
				} else {
					at -= m
				}
			}
			f -= d.table[at/2]
		}
		dst[i] = f
	}
}

// parallel does pieces 0 to n-1 on so many threads until the context ends.
func parallel(ctx context.Context, n, threads int, progress func(float64), do func(i int)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	var telling sync.Mutex
	done := 0
	for range max(1, min(threads, n)) {
		wait.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
				telling.Lock()
				done++
				if progress != nil {
					progress(float64(done) / float64(n))
				}
				telling.Unlock()
			}
		})
	}
	wait.Wait()
	if done < n {
		return ctx.Err()
	}
	return nil
}
