package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/rng"
)

// Ensemble is what chains are drawn from: row i of a state follows group i mod len(Groups).
type Ensemble struct {
	Name   string
	Base   []float32 // bm.Law.Base, V entries, or nil
	Groups []Group
}

// Group is the law of some of the rows: exp(-Beta*E + (1-Beta)*Base.v) over
// the configurations that agree with the clamped spins.
type Group struct {
	Beta  float32
	Clamp [][]int8 // per layer, as far as there are some: nil, or an entry per spin, 0 where it is free
}

// Free returns the machine's own distribution.
func Free() Ensemble { return Ensemble{Name: "free", Groups: []Group{{Beta: 1}}} }

// Ensembles returns every kind of law that a sampler has to respect: free,
// clamped the same way in all rows and in each row otherwise, at other
// temperatures with a base rate, and all of it at once.
func Ensembles(r *bm.Machine) []Ensemble {
	n := r.Layers()
	spins := func(l int, places ...int) []int8 {
		c := make([]int8, n[l])
		for i, p := range places {
			c[p%n[l]] = int8(1 - i%2*2)
		}
		return c
	}
	base := make([]float32, n[bm.Visible])
	for i := range base {
		base[i] = 0.7 - 0.4*float32(i%4)
	}
	some := [][]int8{spins(bm.Visible, 0, 2)}
	other := [][]int8{spins(bm.Visible, 3)}
	if last := len(n) - 1; last > 0 && r.Graph().Layers[1].Kind == bm.Spins {
		other = append(other, spins(bm.Hidden, 1))
	}
	return []Ensemble{
		Free(),
		{Name: "clamped alike", Groups: []Group{{Beta: 1, Clamp: some}}},
		{Name: "clamped by row", Groups: []Group{{Beta: 1, Clamp: some}, {Beta: 1, Clamp: other}, {Beta: 1}}},
		{Name: "temperatures", Base: base, Groups: []Group{{Beta: 0}, {Beta: 0.4}, {Beta: 1}, {Beta: 1.5}}},
		{Name: "clamped, temperatures", Base: base, Groups: []Group{{Beta: 0.5, Clamp: some}, {Beta: 0.8, Clamp: other}, {Beta: 0}}},
	}
}

const (
	driftRows  = 1 << 15
	driftError = 1e-6 // the probability that a right sampler fails one of the tests
	leastCount = 5    // expected in a cell of a chi-square test
)

// The keys of the exact draws and of the move.
const driftStart, driftMove = rng.Key(0x5eed), rng.Key(0x30fe)

// NoDrift tests that a move leaves the distribution of a small machine unchanged: it moves 2^15
// chains that start from exact draws of the enumerated distribution of (v,h), and compares where
// they end with it. Without ensembles it tests the free one. See Drift for the tests and their
// errors. A move that does nothing passes: that it moves is a test of its own.
func NoDrift(t *testing.T, r *bm.Machine, move func(s bm.State, law bm.Law), under ...Ensemble) {
	t.Helper()
	if len(under) == 0 {
		under = []Ensemble{Free()}
	}
	for _, e := range under {
		if err := Drift(r, e, move); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// Drift returns an error if the chains end elsewhere than they started. For each group it tests
// chi-square of the visible states and of the joint ones (cells pooled to 5 expected chains) and
// the mean energy against its standard error; each test fails a right move once in 10^6. Clamped
// spins that moved, and spins other than +-1, are an error at once. Gaussian layers are summed out:
// moves start with theirs undefined.
func Drift(r *bm.Machine, e Ensemble, move func(s bm.State, law bm.Law)) error {
	n, x := r.Layers(), ExactOf(r)
	energies := x.Energies()
	laws := make([][]float64, len(e.Groups))
	for g := range laws {
		laws[g] = joint(x, energies, e, e.Groups[g])
	}
	s := r.State(driftRows)
	spins := make([][]int8, len(s))
	for _, l := range x.spins {
		spins[l] = make([]int8, driftRows*n[l])
	}
	for g, p := range laws {
		sums := make([]float64, len(p))
		var sum float64
		for x, q := range p {
			sum += q
			sums[x] = sum
		}
		for i := g; i < driftRows; i += len(laws) {
			u := driftStart.Uniform64(uint64(i), 0) * sum
			at, _ := slices.BinarySearch(sums, u)
			state := x.Split(uint64(at))
			for _, l := range x.spins {
				copy(spins[l][i*n[l]:], state[l])
			}
		}
	}
	for _, l := range x.spins {
		compute.Write(r.Engine(), s[l], spins[l])
	}
	move(s, e.law(r, driftRows))
	for _, l := range x.spins {
		compute.Read(r.Engine(), spins[l], s[l])
	}
	counts := make([][]float64, len(laws))
	for g, p := range laws {
		counts[g] = make([]float64, len(p))
	}
	for i := range driftRows {
		g := i % len(laws)
		var state uint64
		shift := 0
		for _, l := range x.spins {
			clamp := e.Groups[g].clamp(l)
			for j, spin := range spins[l][i*n[l]:][:n[l]] {
				switch {
				case spin != 1 && spin != -1:
					return fmt.Errorf("spin (%d,%d) of layer %d is %d", i, j, l, spin)
				case clamp != nil && clamp[j] != 0 && clamp[j] != spin:
					return fmt.Errorf("clamped spin (%d,%d) of layer %d is %d, want %d", i, j, l, spin, clamp[j])
				case spin == 1:
					state |= 1 << (shift + j)
				}
			}
			shift += n[l]
		}
		counts[g][state]++
	}
	for g, p := range laws {
		if err := compare(1<<n[bm.Visible], energies, p, counts[g]); err != nil {
			return fmt.Errorf("group %d: %w", g, err)
		}
	}
	return nil
}

// clamp returns the clamped spins of a layer, or nil.
func (g Group) clamp(l int) []int8 {
	if l < len(g.Clamp) {
		return g.Clamp[l]
	}
	return nil
}

// law returns the ensemble as the law of so many rows.
func (e Ensemble) law(r *bm.Machine, rows int) bm.Law {
	law := bm.Law{Key: driftMove}
	en := r.Engine()
	beta := make([]float32, rows)
	warm := e.Base != nil
	for i := range beta {
		beta[i] = e.Groups[i%len(e.Groups)].Beta
		warm = warm || beta[i] != 1
	}
	if warm {
		law.Beta = en.Alloc(compute.Float32, rows, 1)
		compute.Write(en, law.Beta, beta)
	}
	if e.Base != nil {
		law.Base = en.Alloc(compute.Float32, 1, len(e.Base))
		compute.Write(en, law.Base, e.Base)
	}
	for l, n := range r.Layers() {
		var any bool
		x := make([]int8, rows*n)
		for i := range rows {
			if c := e.Groups[i%len(e.Groups)].clamp(l); c != nil {
				copy(x[i*n:], c)
				any = true
			}
		}
		switch {
		case !any:
			continue
		case law.Clamp == nil:
			law.Clamp = make(bm.State, len(r.Layers()))
		}
		if len(e.Groups) == 1 {
			one := en.Alloc(compute.Int8, 1, n)
			compute.Write(en, one, x[:n])
			law.Clamp[l] = one.Repeat(rows)
			continue
		}
		law.Clamp[l] = en.Alloc(compute.Int8, rows, n)
		compute.Write(en, law.Clamp[l], x)
	}
	return law
}

// joint returns the probability of each configuration of a group.
func joint(m *Exact, energies []float64, e Ensemble, g Group) []float64 {
	p := make([]float64, len(energies))
	z := exact.LogSum{}
	for x := range p {
		s := m.Split(uint64(x))
		free := true
		for l, layer := range s {
			free = free && agrees(layer, g.clamp(l))
		}
		if !free {
			p[x] = math.Inf(-1)
			continue
		}
		p[x] = -float64(g.Beta) * energies[x]
		for i, b := range e.Base {
			p[x] += (1 - float64(g.Beta)) * float64(b) * float64(s[bm.Visible][i])
		}
		z.Add(p[x])
	}
	for x := range p {
		p[x] = math.Exp(p[x] - z.Log())
	}
	return p
}

func agrees(s, clamp []int8) bool {
	for i, c := range clamp {
		if c != 0 && c != s[i] {
			return false
		}
	}
	return true
}

// compare tests the counts of the joint states against their probabilities.
func compare(visibleStates int, energies, p, counts []float64) error {
	visible := func(x []float64) []float64 {
		y := make([]float64, visibleStates)
		for i, c := range x {
			y[i%visibleStates] += c
		}
		return y
	}
	if err := ChiSquare(visible(counts), visible(p)); err != nil {
		return fmt.Errorf("visible states: %w", err)
	}
	if err := ChiSquare(counts, p); err != nil {
		return fmt.Errorf("joint states: %w", err)
	}
	var rows, got, mean, square float64
	for x, e := range energies {
		rows += counts[x]
		got += counts[x] * e
		mean += p[x] * e
		square += p[x] * e * e
	}
	got /= rows
	floor := math.Sqrt(max(square-mean*mean, 1e-12) / rows)
	if z, most := (got-mean)/floor, distuv.UnitNormal.Quantile(1-driftError/2); !(math.Abs(z) <= most) {
		return fmt.Errorf("mean energy %.5f, exactly %.5f: %.1f standard errors off, at most %.1f", got, mean, z, most)
	}
	return nil
}

// ChiSquare returns an error if counts differ from the probabilities by more
// than chance makes them once in 10^6. Cells are pooled, the rarest first, until 5 are expected in
// each; a count where the probability is 0 is an error.
func ChiSquare(counts, p []float64) error {
	var n float64
	order := make([]int, len(p))
	for x, c := range counts {
		order[x] = x
		n += c
		if p[x] == 0 && c != 0 {
			return fmt.Errorf("%v times in state %d, which is impossible", c, x)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(p[x], p[y]) })
	// The largest cell closes the list, so what is left over goes into it.
	var chi, got, want float64
	left := n
	cells := 0
	for i, x := range order {
		got += counts[x]
		want += n * p[x]
		if last := i == len(order)-1; last || want >= leastCount && left-want >= leastCount {
			left -= want
			chi += (got - want) * (got - want) / want
			got, want = 0, 0
			cells++
		}
	}
	if cells < 2 {
		return nil
	}
	law := distuv.ChiSquared{K: float64(cells - 1)}
	if !(law.Survival(chi) >= driftError) {
		return fmt.Errorf("chi-square %.1f of %d degrees of freedom, which chance exceeds with probability %.1g", chi, cells-1, law.Survival(chi))
	}
	return nil
}

// SweepLaw returns the probability of each configuration after so many sweeps
// (at least one) from the visible seed x, which may be continuous, in float64: that of (v,h) at
// number v + h*2^V. It is the product of the conditional laws of Eqs. B2.
func SweepLaw(r *bm.Machine, x []float64, sweeps int) []float64 {
	n := r.Layers()
	w := Weights(r)
	row := func(name string, n int) []float64 {
		if y := rows64(r, name); y != nil {
			return y
		}
		return make([]float64, n)
	}
	b, c, m := row("bias.visible", n[bm.Visible]), row("bias.hidden", n[bm.Hidden]), row("offset.visible", n[bm.Visible])
	v, h := make([]int8, n[bm.Visible]), make([]int8, n[bm.Hidden])
	chance := func(fields []float64, s []int8) float64 {
		p := 1.0
		for i, f := range fields {
			p /= 1 + math.Exp(-2*f*float64(s[i]))
		}
		return p
	}
	// add adds weight times the law of one sweep from x.
	add := func(law, x []float64, weight float64) {
		fields := slices.Clone(c)
		for i := range x {
			for a := range fields {
				fields[a] += (x[i] - m[i]) * w[i][a]
			}
		}
		for y := range 1 << len(h) {
			exact.SetState(h, uint64(y))
			back := slices.Clone(b)
			for i := range back {
				for a, s := range h {
					back[i] += w[i][a] * float64(s)
				}
			}
			for z := range 1 << len(v) {
				exact.SetState(v, uint64(z))
				law[z+y<<len(v)] += weight * chance(fields, h) * chance(back, v)
			}
		}
	}
	law := make([]float64, 1<<(len(v)+len(h)))
	add(law, x, 1)
	for range sweeps - 1 {
		next := make([]float64, len(law))
		for z := range 1 << len(v) {
			var weight float64
			for y := range 1 << len(h) {
				weight += law[z+y<<len(v)]
			}
			seed := make([]float64, len(v))
			exact.SetState(v, uint64(z))
			for i, s := range v {
				seed[i] = float64(s)
			}
			add(next, seed, weight)
		}
		law = next
	}
	return law
}
