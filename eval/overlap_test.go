package eval_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/eval"
	"mattis/rng"
)

// Coins have <q^2> = 1/V; a cold machine of one pattern is in it or its negative, so q^2 = 1. P(q) integrates to 1.
func TestOverlap(t *testing.T) {
	e := engine(t)
	free := bm.New(e, bm.NewDense(e, bm.Restricted(25, 3, false)), false, false)
	r := measure(t, "overlap", eval.Subject{Machine: free, Key: 1}, options(func(o *eval.Options) { o.Samples.Chains, o.Samples.Sweeps = 500, 1 }))
	near(t, "<q^2> of coins", r.Value, 1./25, 1e-3)
	if r.N != 500*499/2 {
		t.Errorf("%d pairs", r.N)
	}
	cold, _ := onePattern(e, spins("-+--+-+"), 50, 1)
	s := eval.Subject{Machine: cold, Key: 2}
	r = measure(t, "overlap", s, eval.Defaults())
	near(t, "<q^2> of one pattern", r.Value, 1, 1e-12)
	near(t, "|q| of one pattern", r.Detail["mean_abs"].(float64), 1, 1e-12)
	density := r.Detail["density"].([]float64)
	var sum float64
	for _, x := range density {
		sum += x * 2 / float64(len(density))
	}
	near(t, "the integral of P(q)", sum, 1, 1e-12)
	// The pattern and its negative are found equally often: P(q) has its weight at both ends.
	near(t, "P(-1)", density[0]*2/float64(len(density)), 0.5, 0.02)
	near(t, "P(+1)", density[len(density)-1]*2/float64(len(density)), 0.5, 0.02)
}

// A tree of samples is ultrametric, whatever the heights of its branches; coins are as far from it as unrelated distances.
// A base and a longer side that are mixed up, and overlaps of a sample with itself, fail.
func TestUltrametricity(t *testing.T) {
	const levels = 6
	n := 1 << levels
	tree := make([]float32, n*n)
	for i := range n {
		for j := range i {
			for height := 1; height <= levels; height++ {
				if i>>height == j>>height { // the height of the common branch
					tree[i*n+j] = 1 - float32(height*height)/40
					break
				}
			}
		}
	}
	ratio, _, _ := eval.Ultrametricity(tree, n, false, 1)
	near(t, "a tree", ratio, 0, 1e-12)

	const visible = 400
	coins := make([]float32, n*n)
	for i := range n {
		for j := range i {
			for k := range visible {
				coins[i*n+j] += float32(2*rng.Key(5).Intn(2, uint64(i), uint64(k))-1) * float32(2*rng.Key(5).Intn(2, uint64(j), uint64(k))-1) / visible
			}
		}
	}
	ratio, _, k := eval.Ultrametricity(coins, n, false, 1)
	near(t, "coins", ratio, 1, 0.03)
	// The expected gap between the two largest of three standard normal numbers is 3/(2 sqrt pi).
	near(t, "K of coins", k, 1.5/math.Sqrt(math.Pi), 0.03)

	// Points on a line: the longest side is the sum of the others, so the gap is the shortest side.
	line := make([]float32, n*n)
	for i := range n {
		for j := range i {
			line[i*n+j] = 1 - 2*float32(i-j)/float32(n)
		}
	}
	if ratio, _, _ := eval.Ultrametricity(line, n, false, 1); ratio < 0.4 || ratio > 0.8 {
		t.Errorf("a line: %v", ratio)
	}

	// A pattern and its negative are one configuration of a machine without biases: no distance is left.
	for i := range tree {
		tree[i] = float32(1 - 2*(i%2))
	}
	if ratio, _, _ := eval.Ultrametricity(tree, n, true, 1); !math.IsNaN(ratio) {
		t.Errorf("one pattern and its negative: %v", ratio)
	}
}
