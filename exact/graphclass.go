package exact

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
)

// MostGraphTerms is about the largest number of terms that pattern classes of machines that are not
// restricted are summed over, each of them a product for every class of the layers that are summed
// out.
const MostGraphTerms = 2e8

// graphTerms are what the exponent of a state of counts is made of in a machine on any graph of
// layers. With the overlaps A_l = sum_i s_i x_i of the listed layers, whole numbers, and the
// factors f = g/sqrt K of the pairs times the patterns' magnitudes,
//
//	sum over pairs of listed layers of f A_l.A_m  +  sum over listed layers with themselves of f/2 (|A_l|^2 - K N_l)
//	+ sum over classes d of the other layers of N_d log 2cosh(b_d + u.x_d)  +  sum over Gaussian layers of |b + u X|^2 / 2
//
// where u is the sum of f A over the listed layers near the one that is summed out.
type graphTerms struct {
	patterns int
	listed   int         // layers
	of       []int       // of each class: the number of its layer among those listed
	columns  [][]float64 // of each class: +-1
	pairs    []near      // of listed layers, a layer with itself by half its factor
	constant float64
	outer    []outerClass
	gaussian []gaussianTerm
}

// near is the layers number l and m of those listed, or l and one that is summed out.
type near struct {
	l, m   int
	factor float64
}

type outerClass struct {
	near   []near
	column []float64
	bias   float64
	spins  float64
}

type gaussianTerm struct {
	near     []near
	gram     [][]float64 // X X^T
	linear   []float64   // X b
	constant float64     // |b|^2/2
}

// graphClasses returns the pattern classes of a machine that is not restricted.
func graphClasses(m *bm.Machine, a *bm.Axons) (*PatternClasses, error) {
	g := m.Graph()
	for l, layer := range g.Layers {
		if a.Offset(l).IsNone() {
			continue
		}
		for i, x := range host(m, a.Offset(l)) {
			if x != 0 {
				return nil, fmt.Errorf("offset.%s[%d] is %v; pattern classes need offsets of 0", layer.Name, i, x)
			}
		}
	}
	view := g.SmallestView()
	p := &PatternClasses{machine: m, layer: view.Left[0], layers: view.Left, half: m.Symmetric()}
	t := &graphTerms{patterns: a.K(), listed: len(view.Left)}
	scale := make([]float64, len(g.Layers))
	outer := make([][]class, len(g.Layers))
	place := make([]int, len(g.Layers)) // of listed layers
	at := 0
	type listedClass struct {
		class
		layer int
	}
	var all []listedClass
	for l, layer := range g.Layers {
		if scale[l] = 1; layer.Kind == bm.Gaussian {
			continue
		}
		var classes []class
		var err error
		if scale[l], err = classesOf(m, &classes, l, a.Patterns(l)); err != nil {
			return nil, err
		}
		if place[l] = slices.Index(view.Left, l); place[l] < 0 {
			outer[l] = classes
			continue
		}
		for _, c := range classes {
			for i := range c.spins { // among the spins of all listed layers
				c.spins[i] += int32(at)
			}
			all = append(all, listedClass{c, place[l]})
		}
		at += layer.N
	}
	slices.SortStableFunc(all, func(a, b listedClass) int { return len(a.spins) - len(b.spins) })
	terms := 0.0
	for _, c := range all {
		p.classes = append(p.classes, c.class)
		t.of, t.columns = append(t.of, c.layer), append(t.columns, signsOf(c.column))
		terms += math.Log(float64(len(c.spins) + 1))
	}
	if terms > math.Log(MostGraphTerms) {
		return nil, fmt.Errorf("the sum over pattern classes has about %.0e terms (%d classes of spins with equal pattern signs and biases in the layers that are listed), at most %.0e can be",
			math.Exp(min(terms, 700)), len(all), float64(MostGraphTerms))
	}
	if len(p.classes) == 1 { // a first class without spins, for the loops to have two
		p.classes = append([]class{{column: p.classes[0].column}}, p.classes...)
		t.of, t.columns = append([]int{0}, t.of...), append([][]float64{t.columns[0]}, t.columns...)
		p.half = false
	}
	p.weigh()
	met := make([][]near, len(g.Layers)) // of layers that are summed out
	for i, pair := range g.Pairs {
		f := a.Factor(i) * scale[pair.A] * scale[pair.B]
		x, y := slices.Index(view.Left, pair.A), slices.Index(view.Left, pair.B)
		switch {
		case pair.A == pair.B:
			t.pairs = append(t.pairs, near{x, x, f / 2})
			t.constant -= f / 2 * float64(a.K()*g.Layers[pair.A].N)
		case x < 0:
			met[pair.A] = append(met[pair.A], near{l: y, factor: f})
		case y < 0:
			met[pair.B] = append(met[pair.B], near{l: x, factor: f})
		default:
			t.pairs = append(t.pairs, near{x, y, f})
		}
	}
	for l, layer := range g.Layers {
		for _, c := range outer[l] {
			t.outer = append(t.outer, outerClass{met[l], signsOf(c.column), c.bias, float64(len(c.spins))})
		}
		if layer.Kind == bm.Gaussian {
			t.gaussian = append(t.gaussian, gaussianOf(m, a, l, met[l]))
		}
	}
	p.graph = t
	return p, nil
}

func signsOf(column string) []float64 {
	x := make([]float64, len(column))
	for k, s := range column {
		if x[k] = 1; s == '-' {
			x[k] = -1
		}
	}
	return x
}

func gaussianOf(m *bm.Machine, a *bm.Axons, l int, met []near) gaussianTerm {
	x, n := host(m, a.Patterns(l).Value), m.Layers()[l]
	bias := make([]float32, n)
	if b := m.Bias(l).Value; !b.IsNone() {
		bias = host(m, b)
	}
	t := gaussianTerm{near: met, linear: make([]float64, a.K())}
	for j := range a.K() {
		row := make([]float64, a.K())
		for k := range row {
			for i := range n {
				row[k] += float64(x[j*n+i]) * float64(x[k*n+i])
			}
		}
		t.gram = append(t.gram, row)
		for i, b := range bias {
			t.linear[j] += float64(x[j*n+i]) * float64(b)
		}
	}
	for _, b := range bias {
		t.constant += float64(b) * float64(b) / 2
	}
	return t
}

// exponent returns the sum at the overlaps of the listed layers, K each; u is room for K numbers.
func (t *graphTerms) exponent(overlaps [][]float64, u []float64) float64 {
	sum := t.constant
	for _, p := range t.pairs {
		var dot float64
		for k, x := range overlaps[p.l] {
			dot += x * overlaps[p.m][k]
		}
		sum += p.factor * dot
	}
	field := func(near []near) {
		clear(u)
		for _, p := range near {
			for k, x := range overlaps[p.l] {
				u[k] += p.factor * x
			}
		}
	}
	for i, c := range t.outer {
		if i == 0 || &c.near[0] != &t.outer[i-1].near[0] { // that of the layer before
			field(c.near)
		}
		x := c.bias
		for k, s := range c.column {
			x += s * u[k]
		}
		sum += c.spins * compute.LogTwoCosh(x)
	}
	for _, g := range t.gaussian {
		field(g.near)
		sum += g.constant
		for j, x := range u {
			sum += x * g.linear[j]
			for k, y := range u {
				sum += x * g.gram[j][k] * y / 2
			}
		}
	}
	return sum
}

// rows is PatternClasses.rows of such a machine.
func (t *graphTerms) rows(p *PatternClasses, n int, visit func(counts []int, row []float64) (stop bool)) {
	last := len(p.classes) - 1
	counts := make([]int, last)
	counts[0] = n
	row := make([]float64, len(p.weight[last]))
	overlaps, u := make([][]float64, t.listed), make([]float64, t.patterns)
	for l := range overlaps {
		overlaps[l] = make([]float64, t.patterns)
	}
	for {
		base := 0.0
		for l := range overlaps {
			clear(overlaps[l])
		}
		add := func(c int, spins float64) {
			for k, x := range t.columns[c] {
				overlaps[t.of[c]][k] += spins * x
			}
		}
		for c, up := range counts {
			base += p.weight[c][up]
			add(c, float64(2*up-len(p.classes[c].spins)))
		}
		add(last, -float64(len(p.classes[last].spins)))
		for j, w := range p.weight[last] {
			row[j] = base + w + t.exponent(overlaps, u)
			add(last, 2)
		}
		if visit(counts, row) {
			return
		}
		if !p.next(counts) {
			return
		}
	}
}
