package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/rng"
	"mattis/sampler"
)

// IntegrationOptions set the tempering that logz_integration integrates over.
type IntegrationOptions struct {
	// Ladders are independent and start hot and cold in turn: an error needs two, and comparing the
	// two kinds three.
	Ladders int `yaml:"ladders"`
	Betas   int `yaml:"betas"` // intervals of inverse temperature, rounded up to a multiple of 4
	// Sweeps are measured, after a quarter as many that are not, or up to as many, until halves
	// agree.
	Sweeps int `yaml:"sweeps"`
}

var integrationDefaults = IntegrationOptions{Ladders: 8, Betas: 64, Sweeps: 400}

func (o IntegrationOptions) check() error {
	return cmp.Or(inRange("ladders", o.Ladders, 2, most), inRange("betas", o.Betas, 1, most),
		inRange("sweeps", o.Sweeps, 1, most))
}

// Integration estimates log Z by thermodynamic integration over parallel tempering,
//
//	log Z = log Z_0 - integral over beta from 0 to 1 of <E(v,h) + base.v>_beta
//
// (E of all spins, Gaussian layers summed out) from the same base law as AIS but with nothing else
// in common: an independent check.
//
// The ladders share no start. Half of them are hot: each rung has a state of its own that is cooled
// from the base law down to the rung, so that energies come from above and the integral, where it
// has not settled, is too small. The other half are cold: each rung begins at a minimum of the
// energy, so that energies come from below and the integral is too large, or in a basin that the
// hot ladders have no reason to share. The two halves of the ladders, the two halves of the time
// and the time that the integral remembers are what equilibrium is judged by.
type Integration struct {
	Machine *bm.Machine
	Base    []float32 // fields of the base law, one a visible spin; nil for fair coins
	Ladders int       // independent ladders, hot and cold in turn; the error is over them
	Betas   int       // intervals between 0 and 1, rounded up to a multiple of 4
	Sweeps  int       // sweeps that are measured, after as many as it takes to settle, at most as many again
	Key     rng.Key
	// Progress, if there is one, is told the share done, in [0,1].
	Progress func(share float64)
}

// integralRHat is the split R-hat of the integral above which ladders warn: the sweeps are then
// fewer than about 40 autocorrelation times.
const integralRHat = 1.05

// The keys that an integration folds its own for.
const (
	streamCooling uint64 = iota
	streamMinimum
	streamTempering
)

// Estimate returns the estimate by parabolas through the mean energies. Its standard error is the
// largest of that over ladders, of that by the autocorrelation of the integral and of half the
// difference between hot and cold ladders and between the halves of the sweeps, beside what other
// parabolas would change; it has no side. It warns where the halves differ by more than their noise
// explains.
func (t *Integration) Estimate(ctx context.Context) (LogZ, error) {
	a := AIS{Machine: t.Machine, Base: t.Base, Runs: max(2, t.Ladders), Betas: (t.Betas + 3) &^ 3, Sweeps: 1, Key: t.Key}
	switch {
	case t.Ladders < 2:
		return LogZ{}, fmt.Errorf("%d ladders, at least 2 are needed for an error", t.Ladders)
	case t.Sweeps < 1:
		return LogZ{}, fmt.Errorf("%d sweeps to measure, at least 1 is needed", t.Sweeps)
	}
	up, err := a.Ladder(ctx)
	if err != nil {
		return LogZ{}, err
	}
	e := t.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	l, err := t.start(ctx, distinct(up))
	if err != nil {
		return LogZ{}, err
	}
	// The burn-in doubles until its last part shows nothing that has not settled.
	for burn, part := 0, max(4, t.Sweeps/4); burn+part <= t.Sweeps; part *= 2 {
		w, err := l.watch(ctx, part)
		if err != nil {
			return LogZ{}, err
		}
		burn += part
		if !slices.ContainsFunc(w.differences(), func(d difference) bool { return d.beyond(0.8) }) {
			break
		}
	}
	l.share = 0.5
	l.chains.ResetStats()
	w, err := l.watch(ctx, t.Sweeps)
	if err != nil {
		return LogZ{}, err
	}
	integrals := w.integrals(0, t.Sweeps)
	mean, deviation := stat.MeanStdDev(integrals, nil)
	z := LogZ{
		Value: a.baseLogZ() + mean + t.Machine.Constant(), Side: NoSide, Runs: t.Ladders, Betas: len(l.up) - 1, Sweeps: t.Sweeps,
		Started: "cooled states and minima, tempering",
	}
	g := float64(t.Ladders)
	chance := deviation / math.Sqrt(g) * Student(g)
	if t.Sweeps >= 4 {
		memory, err := sampler.Autocorrelate(w.series)
		if err != nil {
			return LogZ{}, err
		}
		if !math.IsInf(memory.Time, 1) { // else it never changes: there is nothing to forget
			chance = max(chance, memory.MeanStderr)
		}
		apart, err := sampler.SplitRHat(w.series)
		if err != nil {
			return LogZ{}, err
		}
		if apart > integralRHat {
			z.Warnings = append(z.Warnings, fmt.Sprintf("integration: split R-hat of the integral is %.3g among the ladders, at most %.3g is wanted: they do not agree; take more sweeps", apart, integralRHat))
		}
	}
	rule := w.rule()
	differences := w.differences()
	if len(differences) > 0 {
		cold, moved := differences[0].nats, (differences[1].nats+differences[2].nats)/2
		chance = max(chance, math.Abs(cold)/2, math.Abs(moved)/2)
	}
	for _, d := range differences {
		if d.beyond(0.99) {
			z.Warnings = append(z.Warnings, fmt.Sprintf("integration: "+d.say, d.nats))
		}
	}
	z.Stderr = math.Hypot(math.Hypot(chance, rule), rounding(t.Machine, z.Value))
	if rule > chance && rule > 0.01 {
		z.Warnings = append(z.Warnings, fmt.Sprintf("integration: other parabolas through the mean energies change the integral by %.3g nats: take more inverse temperatures", rule))
	}
	for i, s := range l.chains.Stats().Swaps {
		if n := len(l.up) - 1; s.Tried > 0 && s.Chance < 0.05 {
			z.Warnings = append(z.Warnings, fmt.Sprintf("integration: tempering swaps only %.2g of the time between inverse temperatures %.3g and %.3g: take more", s.Chance, l.up[n-i-1], l.up[n-i]))
			break
		}
	}
	return z, nil
}

// climb is the ladders of an integration, all moved at once. Ladders of even number are hot.
type climb struct {
	*Integration
	chains *sampler.Tempering
	up     []float64 // inverse temperatures from 0 to 1; rung r holds up[len(up)-1-r]
	law    bm.Law
	sums   []float64 // of the energies of each ladder and rung since the counts began
	done   int       // sweeps
	share  float64   // of all the work, before the sweeps that come
}

// start returns the ladders at their starts.
func (t *Integration) start(ctx context.Context, up []float64) (*climb, error) {
	m, e := t.Machine, t.Machine.Engine()
	n, left := len(up), leftOf(m)
	down := make([]float64, n)
	for i, b := range up {
		down[n-1-i] = b
	}
	chains, err := sampler.NewTempering(m, down)
	if err != nil {
		return nil, err
	}
	c := &climb{Integration: t, chains: chains, up: up, sums: make([]float64, t.Ladders*n)}
	if t.Base != nil {
		c.law.Base = e.Scratch(compute.Float32, 1, left.visible)
		compute.Write(e, c.law.Base, t.Base)
	}
	mark := e.Mark()
	defer e.Release(mark)
	s := m.Scratch(t.Ladders * n)
	if err := c.cool(ctx, s, down); err != nil {
		return nil, err
	}
	rows := make([]int8, s.Rows()*left.width)
	left.read(rows, s)
	c.sink(rows, s)
	left.write(s, rows)
	chains.Start(left.of(s).Slice(0, 1), t.Ladders)
	for _, p := range chains.State() { // each replica its own, in place of copies of one
		for _, l := range left.layers {
			if p.Name == "chains."+m.Graph().Layers[l].Name {
				e.Copy(p.Value, s[l])
			}
		}
	}
	c.law.Key = t.Key.Fold(streamIntegration).Fold(streamTempering)
	return c, nil
}

// cool draws the replicas from the base law and cools them by a sweep at each inverse temperature
// of the ladder, or at every so many of them where sweeps are fewer: those of hot ladders down to
// their rung, those of cold ones down to the machine.
func (c *climb) cool(ctx context.Context, s bm.State, down []float64) error {
	e, n := c.Machine.Engine(), len(down)
	law, key := c.law, c.Key.Fold(streamIntegration).Fold(streamCooling)
	sampler.Randomize(c.Machine, s, bm.Law{Key: key})
	law.Beta = e.Scratch(compute.Float32, s.Rows(), 1)
	rows := make([]float32, s.Rows())
	steps := min(n, max(2, c.Sweeps/2))
	for k := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := c.up[k*(n-1)/(steps-1)]
		for i := range rows {
			rows[i] = float32(b)
			if hot(i / n) {
				rows[i] = float32(min(b, down[i%n]))
			}
		}
		compute.Write(e, law.Beta, rows)
		law.Key = key.Fold(uint64(k))
		c.Machine.Sweep(s, law)
		c.tell(0.1 * float64(k+1) / float64(steps))
	}
	c.share = 0.1
	return nil
}

func hot(ladder int) bool { return ladder%2 == 0 }

// sink puts each replica of the cold ladders, the left side of which is among the rows, at a
// minimum of the energy below cold replicas or patterns: one that is drawn by its weight at the
// inverse temperature of the rung.
func (c *climb) sink(rows []int8, s bm.State) {
	m, e := c.Machine, c.Machine.Engine()
	n, left := len(c.up), leftOf(m)
	width := left.width
	var pool []int8
	for l := range c.Ladders {
		if !hot(l) {
			pool = append(pool, rows[l*n*width:(l+1)*n*width]...)
		}
	}
	if a := m.Axons(); a != nil {
		signs := make([]int8, a.K()*width)
		at := 0
		for _, l := range left.layers {
			p := a.Patterns(l).Value
			x, y := e.Scratch(compute.Int8, p.Rows(), p.Cols()), make([]int8, p.Len())
			e.Sign(x, p)
			compute.Read(e, y, x)
			left.setColumns(signs, y, at)
			at += p.Cols()
		}
		pool = append(append(pool, signs...), negated(signs)...)
	}
	low := m.Scratch(len(pool) / width)
	left.write(low, pool)
	sampler.Descend(m, low, bm.Law{}, sampler.MostDescents)
	left.read(pool, low)
	minima := distinctRows(pool, width)
	count := len(minima) / width
	low = left.of(low).Slice(0, count)
	left.write(low, minima)

	key := c.Key.Fold(streamIntegration).Fold(streamMinimum)
	law := bm.Law{Base: c.law.Base, Beta: e.Scratch(compute.Float32, count, 1)}
	energies := e.Scratch(compute.Float64, count, 1)
	beta, f := make([]float32, count), make([]float64, count)
	for r := range n {
		for i := range beta {
			beta[i] = float32(c.up[n-1-r])
		}
		compute.Write(e, law.Beta, beta)
		m.Energy(energies, low, law)
		compute.Read(e, f, energies)
		var sum exact.LogSum
		for _, x := range f {
			sum.Add(-x)
		}
		for l := range c.Ladders {
			if hot(l) {
				continue
			}
			u, i := float64(key.Uniform(uint64(l), uint64(r))), 0
			for u -= math.Exp(-f[0] - sum.Log()); u > 0 && i+1 < count; {
				i++
				u -= math.Exp(-f[i] - sum.Log())
			}
			copy(rows[(l*n+r)*width:][:width], minima[i*width:])
		}
	}
}

// distinctRows returns the different rows of x, of so many spins each, in the order in which they
// come first.
func distinctRows(x []int8, spins int) []int8 {
	var rows []int8
	seen := map[string]bool{}
	for ; len(x) > 0; x = x[spins:] {
		if k := string(asBytes(x[:spins])); !seen[k] {
			seen[k] = true
			rows = append(rows, x[:spins]...)
		}
	}
	return rows
}

func (c *climb) tell(share float64) {
	if c.Progress != nil {
		c.Progress(share)
	}
}

// window is what was seen of the ladders in some sweeps.
type window struct {
	up     []float64
	series [][]float64 // of each ladder: the integral over the energies of each sweep
	mean   []float64   // minus the mean energy of all ladders at each inverse temperature
}

// watch moves the ladders by so many sweeps.
func (c *climb) watch(ctx context.Context, sweeps int) (*window, error) {
	n := len(c.up)
	w := &window{up: c.up, series: make([][]float64, c.Ladders)}
	w.mean = make([]float64, n)
	now, f := make([]float64, len(c.sums)), make([]float64, n)
	c.chains.SumEnergies(c.sums)
	law := c.law
	for i := range sweeps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		law.Key = c.law.Key.Fold(uint64(c.done))
		c.chains.Advance(law, 1)
		c.done++
		c.chains.SumEnergies(now)
		for l := range c.Ladders {
			for r := range n {
				f[n-1-r] = c.sums[l*n+r] - now[l*n+r]
				w.mean[n-1-r] += f[n-1-r] / float64(sweeps*c.Ladders)
			}
			w.series[l] = append(w.series[l], integral(c.up, f))
		}
		c.sums, now = now, c.sums
		c.tell(c.share + (1-c.share)*float64(i+1)/float64(sweeps))
	}
	return w, nil
}

// integral returns that of f over x, an even number of intervals, by parabolas through three
// neighbouring points: the mean of Simpson's rule and of the same rule one point further on.
func integral(x, f []float64) float64 { return (integrate.Simpsons(x, f) + shifted(x, f)) / 2 }

// shifted is Simpson's rule over the points 1, 3, 5, ... with the parabolas at the ends taken for
// the first and the last interval.
func shifted(x, f []float64) float64 {
	last := len(x) - 1
	return end(x[0], x[1], x[2], f[0], f[1], f[2]) + integrate.Simpsons(x[1:last], f[1:last]) +
		end(-x[last], -x[last-1], -x[last-2], f[last], f[last-1], f[last-2])
}

// end returns the integral from x to y under the parabola through the values f, g, h at x < y < z.
func end(x, y, z, f, g, h float64) float64 {
	a, b := y-x, z-y
	return (2*a*a+3*a*b)/(6*(a+b))*f + (a*a+3*a*b)/(6*b)*g - a*a*a/(6*b*(a+b))*h
}

// rule returns what the rule of integration may be wrong by: the larger one of half the difference
// of the two that it is made of and a third of the change from every second inverse temperature
// alone.
func (w *window) rule() float64 {
	x, f := everySecond(w.up, w.mean)
	return max(math.Abs(integrate.Simpsons(w.up, w.mean)-shifted(w.up, w.mean))/2,
		math.Abs(integral(w.up, w.mean)-integrate.Simpsons(x, f))/3)
}

// integrals returns the mean integral of each ladder over the sweeps [from, to).
func (w *window) integrals(from, to int) []float64 {
	var x []float64
	for _, s := range w.series {
		x = append(x, stat.Mean(s[from:to], nil))
	}
	return x
}

// difference is that of the integrals of two halves, which are the same in equilibrium but for
// noise.
type difference struct {
	nats, noise float64
	freedom     float64 // degrees of freedom of the noise
	say         string  // in words, with a place for nats
}

// beyond reports whether a difference as large is seen by chance in no more than a part 1-level of
// all ladders in equilibrium.
func (d difference) beyond(level float64) bool {
	const rounding = 1e-6
	return math.Abs(d.nats) > max(d.noise*tOf(level, d.freedom), rounding)
}

// differences returns that of the cold ladders from the hot ones, and that of the second half of
// the sweeps from the first half, for hot ladders and for cold ones. The noise is that among
// ladders of a kind: there is none of two ladders, nor of one sweep.
func (w *window) differences() []difference {
	sweeps := len(w.series[0])
	half := sweeps / 2
	if half == 0 || len(w.series) < 3 {
		return nil
	}
	first, second := w.integrals(0, half), w.integrals(sweeps-half, sweeps)
	for i := range second {
		second[i] -= first[i]
	}
	hot, cold, noise, freedom := groups(w.integrals(0, sweeps))
	all := []difference{{cold - hot, noise, freedom, "the ladders that start cold find %+.3g nats beside those that start hot: they have not met; take more sweeps"}}
	hot, cold, noise, _ = groups(second)
	noise /= math.Sqrt2 // of one of two means
	return append(all,
		difference{hot, noise, freedom, "the integral of the ladders that start hot moves by %+.3g nats from the first half of the sweeps to the second: take more sweeps"},
		difference{cold, noise, freedom, "the integral of the ladders that start cold moves by %+.3g nats from the first half of the sweeps to the second: take more sweeps"})
}

// groups returns the means of the hot and of the cold ladders, and the standard error of their
// difference by the spread within both, with its degrees of freedom.
func groups(x []float64) (h, c, noise, freedom float64) {
	var kinds [2][]float64
	for l, v := range x {
		kinds[l%2] = append(kinds[l%2], v)
	}
	h, c = stat.Mean(kinds[0], nil), stat.Mean(kinds[1], nil)
	var square float64
	for _, k := range kinds {
		if len(k) > 1 {
			square += stat.Variance(k, nil) * float64(len(k)-1)
		}
	}
	freedom = float64(len(x) - 2)
	noise = math.Sqrt(square / freedom * (1/float64(len(kinds[0])) + 1/float64(len(kinds[1]))))
	return h, c, noise, freedom
}

// tOf returns the value that Student's t of so many degrees of freedom exceeds in magnitude with
// probability 1-level.
func tOf(level, freedom float64) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile((1 + level) / 2)
}

// distinct returns b, which does not decrease, without repeated values.
func distinct(b []float64) []float64 {
	d := b[:1:1]
	for _, x := range b[1:] {
		if x > d[len(d)-1] {
			d = append(d, x)
		}
	}
	return d
}

// everySecond returns the points 0, 2, 4, ... and the last one.
func everySecond(x, f []float64) (xs, fs []float64) {
	for i := range x {
		if i%2 == 0 || i == len(x)-1 {
			xs, fs = append(xs, x[i]), append(fs, f[i])
		}
	}
	return xs, fs
}
