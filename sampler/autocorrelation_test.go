package sampler_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

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
// errors of their mean, and the errors it states are of the size of its spread, as are those of the mean.
func TestAutocorrelationOfKnownSeries(t *testing.T) {
	const repeats = 60
	for _, c := range []struct {
		chains, n int
		rho       float64
	}{{1, 4000, 0}, {4, 1000, 0.5}, {1, 10000, 0.9}, {8, 1250, 0.8}, {2, 2000, -0.5}} {
		want := (1 + c.rho) / (1 - c.rho) / 2
		var sum, square, stated, meanSquare, meanStated float64
		for i := range repeats {
			a, err := sampler.Autocorrelate(autoregressive(c.chains, c.n, c.rho, 3, rng.Key(100+i)))
			if err != nil {
				t.Fatal(err)
			}
			if !a.Enough || a.N != c.chains*c.n || math.Abs(a.Effective-float64(a.N)/(2*a.Time)) > 1e-9 {
				t.Errorf("%+v: %+v", c, a)
			}
			sum += a.Time / repeats
			square += a.Time * a.Time / repeats
			stated += a.Stderr / repeats
			meanSquare += (a.Mean - 3) * (a.Mean - 3) / repeats
			meanStated += a.MeanStderr / repeats
		}
		spread := math.Sqrt(square - sum*sum)
		// The window leaves out a tail: a bias of a few per cent is part of the method.
		if math.Abs(sum-want) > 5*spread/math.Sqrt(repeats)+0.03*want {
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

// Chains that are too short, stay apart or never move are no evidence, and say so.
func TestAutocorrelationSaysWhenItIsNotEnough(t *testing.T) {
	short, err := sampler.Autocorrelate(autoregressive(1, 60, 0.98, 0, 1))
	if err != nil || short.Enough {
		t.Errorf("60 steps at a time of 50: %+v, %v", short, err)
	}
	apart := append(autoregressive(1, 500, 0, 0, 2), autoregressive(1, 500, 0, 20, 3)...)
	if a, err := sampler.Autocorrelate(apart); err != nil || a.Enough || a.Time < 50 {
		t.Errorf("chains 20 apart: %+v, %v", a, err)
	}
	still, err := sampler.Autocorrelate([][]float64{{7, 7, 7, 7, 7}})
	if err != nil || still.Enough || !math.IsInf(still.Time, 1) || still.Effective != 0 || still.Mean != 7 {
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
	a := bm.NewAxons(e, 4, 3, 2, false, false)
	p, _ := a.Patterns()
	e.Write(p.Value, []float32{0.3, 2, -1, -0.1, 1, -1, 1, -1}) // the signs ++-- and +-+-
	v := e.Alloc(compute.Int8, 6, 4)
	e.Write(v, []int8{
		1, 1, -1, -1, // pattern 0
		-1, -1, 1, 1, // its negative
		1, -1, 1, -1, // pattern 1
		-1, 1, -1, 1, // its negative
		-1, 1, -1, -1, // overlaps 2 and -2: the first
		1, 1, 1, 1, // 0 with both: the first
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
