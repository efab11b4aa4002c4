package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// Watch is what Mixing is found by: chains that a sampler moves, and how long they are looked at.
type Watch struct {
	Machine *bm.Machine
	Sampler sampler.Sampler
	// Start is where the chains begin, C x V Int8; it stays as it is. Starts that are far apart tell most.
	Start compute.Matrix
	// Sweeps are looked at, at most 2000 of them equally spaced, after half as many that are not.
	Sweeps int
	Clamp  bm.State // as in a law; nil for none
	Key    rng.Key
	// Visit, if there is one, is shown the chains after each sweep that is looked at.
	Visit func(s bm.State)
	// Progress, if there is one, is told the share of the sweeps that are done.
	Progress func(share float64)
}

// Mixing says how chains move about. Times are in sweeps.
type Mixing struct {
	Chains, Sweeps, Discarded int
	Every                     int   // sweeps between two values of a trace
	Replicas                  int   // rows that move for each chain: the rungs of tempering, 1 otherwise
	Energy                    Trace // F(v) in kT: E(v,h) has the noise of one draw of h on top
	// Modes are the overlaps v . q with the left singular vectors q of W, along which the machine orders first, and their squares:
	// where v and -v are as likely and a sampler flips v, overlaps forget all and squares tell which pair a chain is in.
	Modes     []Trace
	Histogram sampler.Histogram
	Moved     int // chains whose visible spins ever changed between two looks
	Basins    Visits
	Swaps     *sampler.Stats       // of tempering and of trajectory tempering
	Proposals *sampler.GuidedStats // of guided moves
	Seconds   float64              // that the sweeps looked at took
}

// Trace is one quantity along the chains.
type Trace struct {
	Name   string
	Chains [][]float64
	sampler.Autocorrelation
	RHat float64 // sampler.SplitRHat
}

// Constant reports whether the quantity has one value in all chains.
func (t Trace) Constant() bool { return math.IsInf(t.Time, 1) }

// Visits counts the visits of chains to basins.
type Visits struct {
	// What a basin is: the pattern, or its negative, with the largest overlap; or, without patterns, the minimum that a
	// descent at zero temperature ends in.
	What   string
	Counts []int // visits, largest first
	Moved  int   // chains that were in more than one: a chain may move all the time and stay in its basin
}

const (
	// leastWatched is the number of sweeps that the least can be said of.
	leastWatched = 8
	// modes is the number of directions that are looked at.
	modes = 4
	// mostValues bounds the values of a chain's trace, descents the looks at the minima below the chains, and energyBins the histogram.
	mostValues, descents, energyBins = 2000, 20, 12
)

// Run moves the chains.
func (w Watch) Run(ctx context.Context) (*Mixing, error) {
	n := w.Start.Rows()
	if n < 2 || w.Sweeps < leastWatched {
		return nil, fmt.Errorf("%d chains of %d sweeps tell nothing of mixing: want at least 2 of %d", n, w.Sweeps, leastWatched)
	}
	e := w.Machine.Engine()
	m := &Mixing{Chains: n, Every: (w.Sweeps + mostValues - 1) / mostValues, Replicas: 1}
	values := w.Sweeps / m.Every
	m.Sweeps = values * m.Every
	m.Discarded = (values + 1) / 2 * m.Every
	s := sampler.Chains(w.Machine, n)
	e.Copy(s[bm.Visible], w.Start)
	if g, ok := w.Sampler.(*sampler.Guided); ok {
		g.Hold()
	}
	for i := range m.Discarded / m.Every {
		if err := w.move(ctx, m, s, i, values); err != nil {
			return nil, err
		}
	}
	if r, ok := w.Sampler.(interface{ ResetStats() }); ok {
		r.ResetStats()
	}
	m.Seconds = 0
	look := newLooker(w.Machine, s, values)
	for i := range values {
		if err := w.move(ctx, m, s, m.Discarded/m.Every+i, values); err != nil {
			return nil, err
		}
		look.at(s)
		if w.Visit != nil {
			w.Visit(s)
		}
	}
	if err := e.Sync(); err != nil {
		return nil, err
	}
	if err := look.judge(m); err != nil {
		return nil, err
	}
	switch x := w.Sampler.(type) {
	case *sampler.Tempering:
		st := x.Stats()
		m.Swaps, m.Replicas = &st, len(x.Betas())
	case *sampler.Trajectory:
		st := x.Stats()
		m.Swaps, m.Replicas = &st, x.Rungs()
	case *sampler.Guided:
		st := x.Stats()
		m.Proposals = &st
	}
	return m, nil
}

// move moves the chains from one value to the next.
func (w Watch) move(ctx context.Context, m *Mixing, s bm.State, i, values int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop, end := stopping(ctx)
	defer end()
	law := bm.Law{Key: w.Key.Fold(uint64(i)), Clamp: w.Clamp, Stop: stop}
	begin := time.Now()
	w.Sampler.Move(s, law, m.Every)
	m.Seconds += time.Since(begin).Seconds()
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.Progress != nil {
		w.Progress(float64(i+1) / float64(m.Discarded/m.Every+values))
	}
	return nil
}

// looker takes down the traces.
type looker struct {
	machine    *bm.Machine
	axons      *bm.Axons
	directions [][]float64
	traces     []Trace // the energy, then the directions
	energies   compute.Matrix
	copies     bm.State
	seen, each int

	moved   []bool         // of each chain
	last    []int8         // the spins of the look before
	basin   []map[int]bool // of each chain
	visits  map[int]int
	minima  map[string]int
	spins   []int8
	numbers []float64
}

func newLooker(m *bm.Machine, s bm.State, values int) *looker {
	e, n := m.Engine(), s.Rows()
	l := &looker{machine: m, directions: leading(m, modes), energies: e.Alloc(compute.Float64, n, 1),
		each: max(1, values/descents), visits: map[int]int{}, minima: map[string]int{},
		moved: make([]bool, n), last: make([]int8, s[bm.Visible].Len()), spins: make([]int8, s[bm.Visible].Len()), numbers: make([]float64, n)}
	if a, ok := m.Couplings().(*bm.Axons); ok {
		l.axons = a
	} else {
		l.copies = sampler.Chains(m, n)
	}
	for range n {
		l.basin = append(l.basin, map[int]bool{})
	}
	l.traces = append(l.traces, Trace{Name: "energy"})
	for k := range l.directions {
		l.traces = append(l.traces, Trace{Name: fmt.Sprintf("mode %d", k+1)})
	}
	for k := range l.directions {
		l.traces = append(l.traces, Trace{Name: fmt.Sprintf("square of mode %d", k+1)})
	}
	for i := range l.traces {
		l.traces[i].Chains = make([][]float64, n)
	}
	return l
}

// at takes down the present values.
func (l *looker) at(s bm.State) {
	e, v := l.machine.Engine(), s[bm.Visible]
	l.machine.Energy(l.energies, s[:1], bm.Law{})
	compute.Read(e, l.numbers, l.energies)
	compute.Read(e, l.spins, v)
	for c, x := range l.numbers {
		l.traces[0].Chains[c] = append(l.traces[0].Chains[c], x)
		row, last := l.spins[c*v.Cols():][:v.Cols()], l.last[c*v.Cols():][:v.Cols()]
		l.moved[c] = l.moved[c] || l.seen > 0 && !slices.Equal(row, last)
		for k, q := range l.directions {
			var sum float64
			for i, y := range row {
				sum += q[i] * float64(y)
			}
			square := 1 + len(l.directions) + k
			l.traces[1+k].Chains[c] = append(l.traces[1+k].Chains[c], sum)
			l.traces[square].Chains[c] = append(l.traces[square].Chains[c], sum*sum)
		}
	}
	l.seen++
	copy(l.last, l.spins)
	switch {
	case l.axons != nil:
		for c, b := range sampler.Nearest(l.axons, e, v) {
			l.visit(c, b)
		}
	case (l.seen-1)%l.each == 0:
		for k := range s {
			e.Copy(l.copies[k], s[k])
		}
		sampler.Descend(l.machine, l.copies, bm.Law{})
		compute.Read(e, l.spins, l.copies[bm.Visible])
		for c := range l.basin {
			below := string(asBytes(l.spins[c*v.Cols():][:v.Cols()]))
			if _, ok := l.minima[below]; !ok {
				l.minima[below] = len(l.minima)
			}
			l.visit(c, l.minima[below])
		}
	}
}

func (l *looker) visit(chain, basin int) {
	l.basin[chain][basin] = true
	l.visits[basin]++
}

func asBytes(spins []int8) []byte {
	b := make([]byte, len(spins))
	for i, x := range spins {
		b[i] = byte(x)
	}
	return b
}

// judge sets what the traces and the visits say.
func (l *looker) judge(m *Mixing) (err error) {
	for i := range l.traces {
		t := &l.traces[i]
		t.level()
		if t.Autocorrelation, err = sampler.Autocorrelate(t.Chains); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		if t.RHat, err = sampler.SplitRHat(t.Chains); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		t.Time *= float64(m.Every)
		t.Stderr *= float64(m.Every)
	}
	m.Energy, m.Modes = l.traces[0], l.traces[1:]
	if m.Histogram, err = sampler.NewHistogram(slices.Concat(m.Energy.Chains...), energyBins); err != nil {
		return err
	}
	for _, moved := range l.moved {
		if moved {
			m.Moved++
		}
	}
	m.Basins.What = "patterns"
	if l.axons == nil {
		m.Basins.What = "minima"
	}
	for _, n := range l.visits {
		m.Basins.Counts = append(m.Basins.Counts, n)
	}
	slices.Sort(m.Basins.Counts)
	slices.Reverse(m.Basins.Counts)
	for _, b := range l.basin {
		if len(b) > 1 {
			m.Basins.Moved++
		}
	}
	return nil
}

// level makes values equal that differ by no more than the rounding of fields in float32, as the energies of v and -v do.
func (t *Trace) level() {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, c := range t.Chains {
		lo, hi = min(lo, slices.Min(c)), max(hi, slices.Max(c))
	}
	if hi-lo > 1e-6*max(1, math.Abs(lo), math.Abs(hi)) {
		return
	}
	for _, c := range t.Chains {
		for i := range c {
			c[i] = lo
		}
	}
}

// Slowest returns the trace with the longest autocorrelation time among those that are not constant, and
// false if all are.
func (m *Mixing) Slowest() (slowest Trace, ok bool) {
	for _, t := range append([]Trace{m.Energy}, m.Modes...) {
		if !t.Constant() && (!ok || t.Time > slowest.Time) {
			slowest, ok = t, true
		}
	}
	return slowest, ok
}

// Apart returns the trace with the largest split R-hat; constant ones are left out.
func (m *Mixing) Apart() (apart Trace, ok bool) {
	for _, t := range append([]Trace{m.Energy}, m.Modes...) {
		if !t.Constant() && (!ok || t.RHat > apart.RHat) {
			apart, ok = t, true
		}
	}
	return apart, ok
}

// Unknown returns the trace with the longest autocorrelation time among those whose time is not known but at least so long,
// and false if there is none.
func (m *Mixing) Unknown() (slowest Trace, ok bool) {
	for _, t := range append([]Trace{m.Energy}, m.Modes...) {
		if !t.Constant() && !t.Enough && (!ok || t.Time > slowest.Time) {
			slowest, ok = t, true
		}
	}
	return slowest, ok
}

// Effective returns the effective sample size of the slowest trace, 0 where nothing ever changes.
func (m *Mixing) Effective() float64 {
	t, ok := m.Slowest()
	if !ok {
		return 0
	}
	return t.Effective
}

// Verdict is what a sampler's chains say of it.
type Verdict string

const (
	Mixes       Verdict = "mixes"
	TooShort    Verdict = "too short to tell"
	DoesNotMix  Verdict = "does not mix"
	NothingSeen Verdict = "one state"
	NothingTold Verdict = "one energy" // chains move, and nothing that is looked at tells their states apart
)

// What Verdict decides by.
const (
	AgreeRHat = 1.01 // split R-hat up to which chains have forgotten their starts
	ApartRHat = 1.1  // above it they have not met
	EnoughESS = 400  // effective samples, of all chains together, that the other numbers can be trusted from
	slowSwaps = 0.05 // exchange rate below which a pair of rungs is a bottleneck
	rareJumps = 0.01 // acceptance below which guided jumps do nothing
)

// Verdict returns whether the chains mix, with the reasons in words. Chains mix where they agree (split R-hat up to
// AgreeRHat for the energy and every mode), the autocorrelation time of each is known, and the slowest leaves EnoughESS effective samples. They do not
// where R-hat is above ApartRHat. A mode that no chain has found is seen by no verdict.
func (m *Mixing) Verdict() (v Verdict, reasons []string) {
	say := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	apart, ok := m.Apart()
	if !ok && m.Moved > 0 {
		say("%d of %d chains moved, but the energy and every mode have one value: nothing here tells the states apart", m.Moved, m.Chains)
		return NothingTold, reasons
	}
	if !ok {
		say("all %d chains sit in one state, or in states that nothing here tells apart, and none moved", m.Chains)
		return NothingSeen, reasons
	}
	slowest, _ := m.Slowest()
	v = Mixes
	switch {
	case apart.RHat > ApartRHat:
		v = DoesNotMix
		say("R-hat %.3g (%s): the chains do not agree", apart.RHat, apart.Name)
	case apart.RHat > AgreeRHat:
		v = TooShort
		say("R-hat %.3f (%s): the chains nearly agree, at most %.2f is wanted", apart.RHat, apart.Name, AgreeRHat)
	default:
		say("R-hat %.3f: the chains agree", apart.RHat)
	}
	if b := m.Basins; len(b.Counts) > 1 && b.Moved < m.Chains {
		if m.Moved == 0 {
			say("%d chains sit in %d basins of %s and none moved", m.Chains, len(b.Counts), b.What)
		} else {
			say("%d of %d chains never left their basin, of %d basins of %s", m.Chains-b.Moved, m.Chains, len(b.Counts), b.What)
		}
	}
	unknown, some := m.Unknown()
	if some {
		say("autocorrelation time of %s at least %.3g sweeps: %d chains of %d are too short or saw its slowest changes too rarely to know it", unknown.Name, unknown.Time, m.Chains, m.Sweeps)
	}
	if slowest.Enough {
		say("autocorrelation time %.3g ± %.2g sweeps (%s)", slowest.Time, slowest.Stderr, slowest.Name)
	}
	ess := slowest.Effective
	most := ""
	if !slowest.Enough {
		most = "at most "
	}
	say("%s%.0f effective samples of %d", most, ess, slowest.N)
	if v == Mixes && (some || ess < EnoughESS) {
		v = TooShort
		if ess < EnoughESS {
			reasons[len(reasons)-1] += fmt.Sprintf(", %d are wanted", EnoughESS)
		}
	}
	if s := m.Swaps; s != nil {
		least, at := math.Inf(1), 0
		for i, p := range s.Swaps {
			if p.Tried > 0 && p.Chance < least {
				least, at = p.Chance, i
			}
		}
		if s.RoundTrips == 0 {
			say("no replica went from the first rung to the last and back")
		}
		if least < slowSwaps {
			say("rungs %d and %d exchange at a rate of %.2g: a bottleneck", at+1, at+2, least)
		}
	}
	if p := m.Proposals; p != nil && p.Mixture.Rate() < rareJumps && p.Exchange.Rate() < rareJumps {
		say("the jumps to patterns are accepted at rates of %.2g and %.2g: they do nothing here", p.Mixture.Rate(), p.Exchange.Rate())
	}
	return v, reasons
}

// leading returns the first left singular vectors of W, at most n of them, by iterating W W^T on a random subspace: near
// enough for looking along, and W of axons is never formed.
func leading(m *bm.Machine, n int) [][]float64 {
	sizes := m.Layers()
	visible, hidden := sizes[bm.Visible], sizes[bm.Hidden]
	n = min(n, visible, hidden)
	var gram func(q []float64) []float64
	switch c := m.Couplings().(type) {
	case *bm.Axons:
		xv, xh := c.Patterns(bm.Visible), c.Patterns(bm.Hidden)
		v, h := host(m.Engine(), xv.Value), host(m.Engine(), xh.Value)
		gram = func(q []float64) []float64 {
			return times(v.RawMatrix().Data, visible, true, times(h.RawMatrix().Data, hidden, false,
				times(h.RawMatrix().Data, hidden, true, times(v.RawMatrix().Data, visible, false, q))))
		}
	case *bm.Dense:
		w := host(m.Engine(), c.Weights(0).Value).RawMatrix().Data
		gram = func(q []float64) []float64 { return times(w, hidden, false, times(w, hidden, true, q)) }
	default:
		return nil
	}
	key := rng.Key(0x6d6f646573)
	vectors := make([][]float64, n)
	for k := range vectors {
		vectors[k] = make([]float64, visible)
		for i := range vectors[k] {
			vectors[k][i] = key.Normal(uint64(k), uint64(i))
		}
	}
	const iterations = 30
	for range iterations {
		for k := range vectors {
			vectors[k] = gram(vectors[k])
		}
		vectors = orthonormal(vectors)
	}
	return vectors
}

// times returns A x, or A^T x, for the matrix a of so many columns.
func times(a []float64, cols int, transposed bool, x []float64) []float64 {
	rows := len(a) / cols
	if !transposed {
		y := make([]float64, rows)
		for i := range y {
			for j, v := range a[i*cols:][:cols] {
				y[i] += v * x[j]
			}
		}
		return y
	}
	y := make([]float64, cols)
	for i := range rows {
		for j, v := range a[i*cols:][:cols] {
			y[j] += v * x[i]
		}
	}
	return y
}

// orthonormal makes the vectors orthonormal in their order; those that depend on earlier ones are left out.
func orthonormal(x [][]float64) [][]float64 {
	var out [][]float64
	for _, v := range x {
		size := norm(v)
		for range 2 {
			for _, u := range out {
				var dot float64
				for i := range v {
					dot += u[i] * v[i]
				}
				for i := range v {
					v[i] -= dot * u[i]
				}
			}
		}
		if left := norm(v); left > 1e-10*size && left > 0 {
			for i := range v {
				v[i] /= left
			}
			out = append(out, v)
		}
	}
	return out
}

func norm(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
