package eval

import (
	"math"
	"testing"

	"mattis/rng"
)

// TestTailIndex holds the index against Pareto weights of known shape, whose logarithms are k times
// exponential ones, and light tails far below them. The estimate of 150 exceedances has a deviation of
// about (1+k)/sqrt(150) = 0.16 at most; of 400 keys the mean is known to 0.008.
func TestTailIndex(t *testing.T) {
	const n, keys = 2500, 400
	mean := func(draw func(u, v float64) float64) float64 {
		var sum float64
		for key := range rng.Key(keys) {
			logs := make([]float64, n)
			for i := range logs {
				logs[i] = draw(key.Uniform64(uint64(i), 0), key.Uniform64(uint64(i), 1))
			}
			sum += tailIndex(logs)
		}
		return sum / keys
	}
	for _, k := range []float64{0.3, 0.5, 0.7, 1} {
		// Drawn towards 1/2 by 10 of 160.
		want := k + (0.5-k)*10/160
		if got := mean(func(u, _ float64) float64 { return -k * math.Log(u) }); math.Abs(got-want) > 0.04 {
			t.Errorf("shape %g: %.3f, want %.3f", k, got, want)
		}
	}
	if got := mean(func(u, _ float64) float64 { return math.Log(u) }); got > 0 { // uniform weights: -1
		t.Errorf("weights up to a bound: %.3f, want below 0", got)
	}
	if got := tailIndex(make([]float64, n)); !math.IsInf(got, -1) {
		t.Errorf("equal weights: %g, want -Inf", got)
	}
	if got := tailIndex([]float64{1, 2, 3}); !math.IsInf(got, -1) {
		t.Errorf("three weights: %g, want -Inf", got)
	}
}

// TestWarnOfWideWeights has normal log weights of variance 1.8 and weights of a Pareto law of index 0.9, of
// which 500 often have more than LeastESS effective ones though their mean is off by more than its error
// says: most have to warn (nearly all do), and hardly any of variance 0.1.
func TestWarnOfWideWeights(t *testing.T) {
	const n, keys = 500, 200
	for _, c := range []struct {
		name        string
		draw        func(key rng.Key, i uint64) float64
		least, most int // that warn
	}{
		{"wide", func(key rng.Key, i uint64) float64 { return math.Sqrt(1.8) * key.Normal(i, 0) }, 0.98 * keys, keys},
		{"heavy", func(key rng.Key, i uint64) float64 { return -0.9 * math.Log(key.Uniform64(i, 0)) }, 0.9 * keys, keys},
		{"narrow", func(key rng.Key, i uint64) float64 { return math.Sqrt(0.1) * key.Normal(i, 0) }, 0, 0},
	} {
		warned, healthy := 0, 0
		for key := range rng.Key(keys) {
			logs := make([]float64, n)
			for i := range logs {
				logs[i] = c.draw(key, uint64(i))
			}
			w := weigh(logs)
			if w.warn("AIS", n) != nil {
				warned++
			}
			if w.ess >= LeastESS {
				healthy++
			}
		}
		t.Logf("%s: %d of %d warned, %d have %d effective ones", c.name, warned, keys, healthy, LeastESS)
		if warned < c.least || warned > c.most {
			t.Errorf("%s: %d of %d warned, want %d to %d", c.name, warned, keys, c.least, c.most)
		}
	}
}
