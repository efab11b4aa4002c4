package sampler_test

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"testing"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// autoregressive returns chains x_(t+1) = rho x_t + sqrt(1-rho^2) noise with the mean and variance 1, in equilibrium from
// their start. Their autocorrelation time is (1+rho)/(1-rho)/2.
func autoregressive(chains, n int, rho, mean float64, key rng.Key) [][]float64 {
	all := make([][]float64, chains)
	for c := range all {
		x := key.Normal(uint64(c), 0)
		for t := range n {
			all[c] = append(all[c], mean+x)
			x = rho*x + math.Sqrt(1-rho*rho)*key.Normal(uint64(c), uint64(t+1))
		}
	}
	return all
}

// The time of autoregressive series is known. Over 60 series of each kind it comes out within 5 standard
// errors of their mean, and the errors it states are of the size of its spread, as are those of the mean. Of 60, up to 10 may be said to be
// unknown: long windows find more than short ones by chance.
func TestAutocorrelationOfKnownSeries(t *testing.T) {
	const repeats = 60
	for _, c := range []struct {
		chains, n int
		rho       float64
	}{{1, 4000, 0}, {4, 1000, 0.5}, {1, 10000, 0.9}, {8, 1250, 0.8}, {2, 2000, -0.5}} {
		want := (1 + c.rho) / (1 - c.rho) / 2
		var known, above, sum, square, stated, meanSquare, meanStated float64
		for i := range repeats {
			a, err := sampler.Autocorrelate(autoregressive(c.chains, c.n, c.rho, 3, rng.Key(100+i)))
			if err != nil {
				t.Fatal(err)
			}
			if a.N != c.chains*c.n || math.Abs(a.Effective-float64(a.N)/(2*a.Time)) > 1e-9 || a.Enough == math.IsNaN(a.Stderr) {
				t.Errorf("%+v: %+v", c, a)
			}
			meanSquare += (a.Mean - 3) * (a.Mean - 3) / repeats
			meanStated += a.MeanStderr / repeats
			if !a.Enough {
				if a.Time > want {
					above++
				}
				continue
			}
			known++
			sum += a.Time
			square += a.Time * a.Time
			stated += a.Stderr
		}
		if known < repeats-10 || above > 3 {
			t.Errorf("%+v: %v of %d times are known, %v bounds lie above", c, known, repeats, above)
		}
		sum, square, stated = sum/known, square/known, stated/known
		spread := math.Sqrt(square - sum*sum)
		// The window leaves out a tail: a bias of a few per cent is part of the method.
		if math.Abs(sum-want) > 5*spread/math.Sqrt(known)+0.03*want {
			t.Errorf("%+v: time %.4f, want %.4f", c, sum, want)
		}
		if stated < 0.5*spread || stated > 2*spread {
			t.Errorf("%+v: stated error %.4f, the times spread by %.4f", c, stated, spread)
		}
		if off := math.Sqrt(meanSquare); meanStated < 0.6*off || meanStated > 1.6*off {
			t.Errorf("%+v: stated error of the mean %.4f, it is off by %.4f", c, meanStated, off)
		}
	}
}

// listed is a machine of few spins whose Gibbs sweeps v -> h -> v are known as a matrix.
type listed struct {
	name string
	upTo [][]float64 // upTo[v][w]: the chance to go from state v to one up to w
	f    []float64   // F(v)
	time float64     // integrated autocorrelation time of F: f.(I - P + 1 pi)^-1 f / f.f - 1/2 under pi
}

// newListed returns a machine of V x H Gaussian couplings of so large a standard deviation, with biases where bias is above 0.
func newListed(visible, hidden int, deviation, bias float64, key rng.Key) listed {
	w := make([][]float64, visible)
	b, c := make([]float64, visible), make([]float64, hidden)
	for i := range w {
		b[i] = bias * key.Fold(2).Normal(0, uint64(i))
		for a := range hidden {
			w[i] = append(w[i], deviation*key.Fold(1).Normal(uint64(i), uint64(a)))
		}
	}
	for a := range c {
		c[a] = bias * key.Fold(3).Normal(0, uint64(a))
	}
	spin := func(state, i int) float64 { return float64(2*(state>>i&1) - 1) }
	// given returns the law of the n spins of the other layer in each state of m spins, and sum log 2cosh of their fields.
	given := func(m, n int, weight func(i, a int) float64, bias []float64) (law *mat.Dense, logs []float64) {
		law = mat.NewDense(1<<m, 1<<n, nil)
		for s := range 1 << m {
			field, z := slices.Clone(bias), 0.0
			for a := range field {
				for i := range m {
					field[a] += spin(s, i) * weight(i, a)
				}
				z += math.Abs(field[a]) + math.Log1p(math.Exp(-2*math.Abs(field[a])))
			}
			for r := range 1 << n {
				x := -z
				for a := range field {
					x += field[a] * spin(r, a)
				}
				law.Set(s, r, math.Exp(x))
			}
			logs = append(logs, z)
		}
		return law, logs
	}
	toHidden, logs := given(visible, hidden, func(i, a int) float64 { return w[i][a] }, c)
	toVisible, _ := given(hidden, visible, func(a, i int) float64 { return w[i][a] }, b)
	var p mat.Dense
	p.Mul(toHidden, toVisible)
	n := 1 << visible
	l := listed{name: fmt.Sprintf("%dx%d, couplings %.2f, biases %.2f", visible, hidden, deviation, bias), f: make([]float64, n)}
	pi, z, mean := make([]float64, n), 0.0, 0.0
	for v := range n {
		l.f[v] = -logs[v]
		for i := range b {
			l.f[v] -= b[i] * spin(v, i)
		}
	}
	for v := range n {
		pi[v] = math.Exp(slices.Min(l.f) - l.f[v])
		z += pi[v]
	}
	for v := range n {
		pi[v] /= z
		mean += pi[v] * l.f[v]
	}
	a, f := mat.NewDense(n, n, nil), mat.NewVecDense(n, nil)
	for v := range n {
		f.SetVec(v, l.f[v]-mean)
		row, sum := make([]float64, n), 0.0
		for u := range n {
			a.Set(v, u, pi[u]-p.At(v, u))
			sum += p.At(v, u)
			row[u] = sum
		}
		a.Set(v, v, a.At(v, v)+1)
		l.upTo = append(l.upTo, row)
	}
	var x mat.VecDense
	if err := x.SolveVec(a, f); err != nil {
		panic(err)
	}
	var whole, own float64
	for v := range n {
		whole += pi[v] * f.AtVec(v) * x.AtVec(v)
		own += pi[v] * f.AtVec(v) * f.AtVec(v)
	}
	l.time = whole/own - 0.5
	return l
}

// energies returns F along chains from random states, after so many sweeps that are not looked at.
func (l listed) energies(chains, n, burn int, key rng.Key) [][]float64 {
	all := make([][]float64, chains)
	for c := range all {
		v := key.Intn(len(l.f), uint64(c), 1<<40)
		for t := range burn + n {
			row := l.upTo[v]
			v = min(sort.SearchFloat64s(row, float64(key.Uniform(uint64(c), uint64(t)))*row[len(row)-1]), len(row)-1)
			if t >= burn {
				all[c] = append(all[c], l.f[v])
			}
		}
	}
	return all
}

// Machines whose times are known from their matrices, 30 keys each, 40 chains of 1000 sweeps. Of the intervals of times that
// are said to be known, at least 90 % hold the truth, and bounds lie above it in at most 10 %. Machines that forget at once are
// known; those with a slow state that is visited by chance, or hardly ever left, are not: a window that closes where rho is lost in noise finds 1.5 ± 0.05 in place
// of 6.85 for the second, and spreads by 0.46 about 1.43 for the third with errors of 0.04.
func TestTimesFromTransitionMatrices(t *testing.T) {
	const keys = 30
	var known, hold, bounds, above int
	for _, c := range []struct {
		visible, hidden int
		strength, bias  float64 // deviation times (sqrt V + sqrt H)/2, and that of the biases
		key             uint64
		least, most     int // of the keys, that the time is known for
	}{
		{5, 9, 1.02, 0, 1, 27, 30},
		{5, 8, 1.95, 0.98, 2, 0, 3},
		{8, 7, 2.07, 1.03, 20, 0, 3},
		{6, 8, 0.99, 0.49, 22, 27, 30},
		{6, 8, 2.24, 0, 9, 5, 25},
		{8, 7, 2.65, 1.33, 12, 0, 10},
	} {
		l := newListed(c.visible, c.hidden, c.strength*2/(math.Sqrt(float64(c.visible))+math.Sqrt(float64(c.hidden))), c.bias, rng.Key(100).Fold(c.key))
		of, in := 0, 0
		for k := range keys {
			a, err := sampler.Autocorrelate(l.energies(40, 1000, 500, rng.Key(7000).Fold(c.key).Fold(uint64(k))))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !a.Enough:
				bounds++
				if a.Time > l.time {
					above++
				}
			default:
				of++
				if math.Abs(a.Time-l.time) <= 1.96*a.Stderr {
					in++
				}
			}
		}
		t.Logf("%s: time %.4f, known for %d keys, %d intervals hold it", l.name, l.time, of, in)
		if of < c.least || of > c.most {
			t.Errorf("%s: time %.4f is said to be known for %d of %d keys, want %d to %d", l.name, l.time, of, keys, c.least, c.most)
		}
		known, hold = known+of, hold+in
	}
	t.Logf("%d of %d intervals hold the time, %d of %d bounds lie above it", hold, known, above, bounds)
	if float64(hold) < 0.9*float64(known) || float64(above) > 0.1*float64(bounds) {
		t.Errorf("%d of %d intervals hold the time, %d of %d bounds lie above it", hold, known, above, bounds)
	}
}

// Chains that are too short, stay apart or never move are no evidence, and say so.
func TestAutocorrelationSaysWhenItIsNotEnough(t *testing.T) {
	short, err := sampler.Autocorrelate(autoregressive(1, 60, 0.98, 0, 1))
	if err != nil || short.Enough {
		t.Errorf("60 steps at a time of 50: %+v, %v", short, err)
	}
	apart := append(autoregressive(1, 500, 0, 0, 2), autoregressive(1, 500, 0, 20, 3)...)
	if a, err := sampler.Autocorrelate(apart); err != nil || a.Enough || !math.IsNaN(a.Stderr) || a.Time < 50 || a.Time > 500 || a.MeanStderr < 5 {
		t.Errorf("chains 20 apart: %+v, %v", a, err)
	}
	// 40 frozen chains at 40 places: the truth is infinite, n/2 is what can be seen, and less is sure.
	var frozen [][]float64
	for c := range 40 {
		frozen = append(frozen, slices.Repeat([]float64{rng.Key(9).Normal(0, uint64(c))}, 1000))
	}
	if a, err := sampler.Autocorrelate(frozen); err != nil || a.Enough || !math.IsNaN(a.Stderr) || a.Time < 300 || a.Time > 520 || a.Effective > 70 {
		t.Errorf("frozen chains: %+v, %v", a, err)
	}
	still, err := sampler.Autocorrelate([][]float64{{7, 7, 7, 7, 7}})
	if err != nil || still.Enough || !math.IsNaN(still.Stderr) || !math.IsInf(still.Time, 1) || still.Effective != 0 || still.Mean != 7 {
		t.Errorf("a chain that stands still: %+v, %v", still, err)
	}
}

func TestSplitRHat(t *testing.T) {
	at := func(chains [][]float64) float64 {
		x, err := sampler.SplitRHat(chains)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	// By hand: halves {0,2} {1,3} {2,4} {5,7}; means 1 2 3 6, variances 2 each; W = 2, variance of the means 14/3:
	// sqrt(1/2 + 14/6).
	if got, want := at([][]float64{{0, 2, 1, 3}, {2, 4, 5, 7}}), math.Sqrt(0.5+14./6); math.Abs(got-want) > 1e-12 {
		t.Errorf("by hand: %v, want %v", got, want)
	}
	if got := at(autoregressive(4, 1000, 0.3, 0, 5)); got < 0.995 || got > 1.01 {
		t.Errorf("mixed chains: %v", got)
	}
	if got := at(append(autoregressive(2, 200, 0, 0, 6), autoregressive(2, 200, 0, 3, 7)...)); got < 1.5 {
		t.Errorf("chains apart: %v", got)
	}
	drift := autoregressive(3, 400, 0, 0, 8)
	for _, c := range drift {
		for i := range c {
			c[i] += float64(i) / 100
		}
	}
	if got := at(drift); got < 1.2 { // only the split sees it
		t.Errorf("chains that drift together: %v", got)
	}
	if got := at([][]float64{{1, 1, 1, 1}, {2, 2, 2, 2}}); !math.IsInf(got, 1) {
		t.Errorf("chains that stand still apart: %v", got)
	}
	if got := at([][]float64{{1, 1, 1, 1}, {1, 1, 1, 1}}); !math.IsNaN(got) {
		t.Errorf("one value: %v", got)
	}
}

func TestChainsRefused(t *testing.T) {
	for _, c := range []struct {
		chains [][]float64
		want   string
	}{
		{nil, "no chains to judge"},
		{[][]float64{{1, 2, 3}}, "chains of 3 values, want at least 4"},
		{[][]float64{{1, 2, 3, 4}, {1, 2, 3}}, "chain 1 has 3 values and chain 0 has 4, want equal lengths"},
		{[][]float64{{1, 2, 3, math.NaN()}}, "value 3 of chain 0 is NaN"},
		{[][]float64{{1, 2, 3, 4}, {1, math.Inf(-1), 3, 4}}, "value 1 of chain 1 is -Inf"},
	} {
		if _, err := sampler.Autocorrelate(c.chains); err == nil || err.Error() != c.want {
			t.Errorf("Autocorrelate: %v, want %q", err, c.want)
		}
		if _, err := sampler.SplitRHat(c.chains); err == nil || err.Error() != c.want {
			t.Errorf("SplitRHat: %v, want %q", err, c.want)
		}
	}
	if _, err := sampler.NewHistogram(nil, 0); err == nil || err.Error() != "histogram of 0 bins, want at least 1" {
		t.Error(err)
	}
	if _, err := sampler.NewHistogram([]float64{1, math.NaN()}, 2); err == nil || err.Error() != "value 1 of a histogram is NaN" {
		t.Error(err)
	}
}

func TestHistogram(t *testing.T) {
	h, err := sampler.NewHistogram([]float64{-2, -1.5, 0, 1, 1.9, 2}, 4)
	if err != nil || h.Low != -2 || h.Width != 1 || !slices.Equal(h.Counts, []int{2, 0, 1, 3}) {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err := sampler.NewHistogram([]float64{3, 3}, 2); err != nil || !slices.Equal(h.Counts, []int{2, 0}) || h.Low != 3 {
		t.Errorf("equal values: %+v, %v", h, err)
	}
	if h, err := sampler.NewHistogram(nil, 2); err != nil || !slices.Equal(h.Counts, []int{0, 0}) {
		t.Errorf("no values: %+v, %v", h, err)
	}
}

func TestBasins(t *testing.T) {
	e := engine(t, 2)
	a := bm.NewAxons(e, bm.Restricted(4, 3, false), 2, false)
	p := a.Patterns(bm.Visible)
	compute.Write(e, p.Value, []float32{0.3, 2, -1, -0.1, 1, -1, 1, -1}) // the signs ++-- and +-+-
	v := e.Alloc(compute.Int8, 6, 4)
	compute.Write(e, v, []int8{
		1, 1, -1, -1,
		-1, -1, 1, 1,
		1, -1, 1, -1,
		-1, 1, -1, 1,
		-1, 1, -1, -1,
		1, 1, 1, 1,
	})

	if got := sampler.Basins(a, e, v); !slices.Equal(got, []int{3, 1, 1, 1}) {
		t.Errorf("visits %v", got)
	}
}

// How many independent values a long-remembering series is worth.
func ExampleAutocorrelate() {
	a, err := sampler.Autocorrelate(autoregressive(4, 20000, 0.9, 0, 1))
	if err != nil {
		panic(err)
	}
	fmt.Println("time within 10% of 9.5:", math.Abs(a.Time-9.5) < 0.95)
	fmt.Println("enough:", a.Enough)
	// Output:
	// time within 10% of 9.5: true
	// enough: true
}
