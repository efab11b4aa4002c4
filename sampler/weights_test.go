package sampler_test

import (
	"math"
	"testing"

	"mattis/rng"
	"mattis/sampler"
)

// Chains are drawn anew as often as their weights say: to within one copy each time, and in the mean
// over 4000 keys within five standard errors. The mean weight is that of the sum, however large.
func TestWeights(t *testing.T) {
	logs := []float64{700 + math.Log(1), 700 + math.Log(2), math.Inf(-1), 700 + math.Log(5)}
	mean, variance := sampler.MeanWeight(logs)
	if math.Abs(mean-700-math.Log(2)) > 1e-12 || math.Abs(variance-(30./4/4-1)) > 1e-12 {
		t.Errorf("log mean %v and variance %v, want %v and %v", mean, variance, 700+math.Log(2), 30./16-1)
	}
	const keys, n = 4000, 6
	share := []float64{n / 8., n * 2 / 8., 0, n * 5 / 8.}
	var sums [4]float64
	rows := make([]int32, n)
	for k := range keys {
		sampler.Redraw(rows, logs, rng.Key(3).Fold(uint64(k)))
		var copies [4]float64
		for _, r := range rows {
			copies[r]++
		}
		for i, c := range copies {
			if math.Abs(c-share[i]) >= 1 {
				t.Fatalf("%v copies of chain %d, its share is %v", c, i, share[i])
			}
			sums[i] += c
		}
	}
	for i, s := range sums {
		part := share[i] - math.Floor(share[i])
		if e := math.Sqrt(part * (1 - part) / keys); math.Abs(s/keys-share[i]) > 5*e+1e-12 {
			t.Errorf("chain %d was drawn %.4f times, its share is %v", i, s/keys, share[i])
		}
	}
}
