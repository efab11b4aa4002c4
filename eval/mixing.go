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
	// Precision is that of the moves; what is looked at is float32.
	Precision compute.Precision
	// Start is where the chains begin, C x V Int8; it stays as it is. Starts that are far apart
	// tell most.
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
	Every                     int // sweeps between two values of a trace
	Replicas                  int // rows that move for each chain: the rungs of tempering, 1 otherwise
	// Energy is F(v) in kT: E(v,h) has the noise of one draw of h on top. Where hidden layers do
	// not sum out it is that of the left side of the data view, the right one summed out.
	Energy Trace
	// Modes are the overlaps v . q with the left singular vectors q of W, along which the machine
	// orders first, and their squares: where v and -v are as likely and a sampler flips v, overlaps
	// forget all and squares tell which pair a chain is in.
	Modes     []Trace
	Histogram sampler.Histogram
	Moved     int // chains whose visible spins ever changed between two looks
	Basins    Visits
	Swaps     *sampler.Stats       // of tempering and of trajectory tempering
	Betas     []float64            // the inverse temperatures of tempering, falling from 1; nil of others
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
	// What a basin is: the pattern, or its negative, with the largest overlap; or, without
	// patterns, the minimum that a descent at zero temperature ends in.
	What   string
	Counts []int // visits, largest first
	Moved  int   // chains that were in more than one: a chain may move all the time and stay in its basin
}

const (
	// leastWatched is the number of sweeps that the least can be said of.
	leastWatched = 8
	// modes is the number of directions that are looked at.
	modes = 4
	// mostValues bounds the values of a chain's trace, descents the looks at the minima below the
	// chains, and energyBins the histogram.
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
		m.Swaps, m.Replicas, m.Betas = &st, len(x.Betas()), x.Betas()
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
	stop, end := sampler.Stopping(ctx)
	defer end()
	law := bm.Law{Key: w.Key.Fold(uint64(i)), Clamp: w.Clamp, Stop: stop}
	begin := time.Now()
	before := w.Machine.SetPrecision(w.Precision)
	w.Sampler.Move(s, law, m.Every)
	w.Machine.SetPrecision(before)
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
	l.machine.Energy(l.energies, leftOf(l.machine).of(s), bm.Law{})
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
		sampler.Descend(l.machine, l.copies, bm.Law{}, sampler.MostDescents)
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

// level makes values equal that differ by no more than the rounding of fields in float32, as the
// energies of v and -v do.
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

// Slowest returns the trace with the longest autocorrelation time among those that are not
// constant, and false if all are.
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

// Unknown returns the trace with the longest autocorrelation time among those whose time is not
// known but at least so long, and false if there is none.
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
