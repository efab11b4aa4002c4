package eval

import (
	"math"
	"testing"

	"mattis/rng"
)

// TestSkewedInterval counts how often the interval holds the mean of few terms. The counts of 4000 keys
// have deviations up to 20; an interval without the skewness holds that of exponential terms 3600 times.
func TestSkewedInterval(t *testing.T) {
	const n, keys = 10, 4000
	for _, c := range []struct {
		name        string
		draw        func(key rng.Key, i uint64) float64
		least, most int
	}{
		{"exponential", func(key rng.Key, i uint64) float64 { return -math.Log(key.Uniform64(i, 0)) - 1 }, 3700, 3850},
		{"turned", func(key rng.Key, i uint64) float64 { return 1 + math.Log(key.Uniform64(i, 0)) }, 3700, 3850},
		{"normal", func(key rng.Key, i uint64) float64 { return key.Normal(i, 0) }, 3720, 3860},
	} {
		held := 0
		for key := range rng.Key(keys) {
			x := make([]float64, n)
			for i := range x {
				x[i] = c.draw(key, uint64(i))
			}
			if in := skewedInterval(x); in[0] < 0 && 0 < in[1] {
				held++
			}
		}
		if held < c.least || held > c.most {
			t.Errorf("%s: %d of %d hold the mean, want %d to %d", c.name, held, keys, c.least, c.most)
		}
	}
	if in := skewedInterval([]float64{2, 2}); in != nil {
		t.Errorf("two terms alike: %v, want none", in)
	}
	if in := skewedInterval([]float64{1, 3}); in[0] >= 1 || in[1] <= 3 {
		t.Errorf("two terms: %v", in)
	}
}
