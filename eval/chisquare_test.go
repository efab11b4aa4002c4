package eval_test

import (
	"math"
	"testing"

	"mattis/eval"
	"mattis/rng"
)

// The 5 % point of one degree of freedom is 3.841 and of four 9.488 (any table of the chi-square law).
func TestChiSquareOfTables(t *testing.T) {
	for _, x := range []struct {
		counts    []int
		p         []float64
		statistic float64
		freedom   int
		chance    float64
	}{
		{[]int{50, 50}, []float64{0.5, 0.5}, 0, 1, 1},
		{[]int{60, 40}, []float64{0.5, 0.5}, 4, 1, 0.0455},
		{[]int{30, 14, 20, 18, 18}, []float64{0.2, 0.2, 0.2, 0.2, 0.2}, 7.2, 4, 0.1257},
		// Two rare cells are one of 10 together: (14-10)^2/10 + (86-90)^2/90.
		{[]int{7, 86, 7}, []float64{0.04, 0.92, 0.04}, 0, 1, 0},
		{[]int{100, 0}, []float64{1, 1e-30}, 0, 0, 1},
		{[]int{100, 1}, []float64{1, 1e-30}, 0, 0, 0},
		{[]int{100, 1}, []float64{0.99, 0.01}, 0, 0, 1}, // one where one is expected
	} {
		s, f, c := eval.ChiSquare(x.counts, x.p)
		if x.counts[0] == 7 {
			x.statistic = 36./8 + 36./92
			x.chance = math.Erfc(math.Sqrt(x.statistic / 2))
		}
		if math.Abs(s-x.statistic) > 1e-9 || f != x.freedom || math.Abs(c-x.chance) > 1e-4 {
			t.Errorf("%v of %v: %v, %d, %v", x.counts, x.p, s, f, c)
		}
	}
}

// Chances of right draws are below 0.05 in 5 % of 2000 cases, within 4 standard errors (or fewer, where few counts are possible).
func TestChiSquareIsHonest(t *testing.T) {
	p := []float64{0.4, 0.3, 0.2, 0.07, 0.029, 0.001}
	low := 0
	for k := range 2000 {
		counts := make([]int, len(p))
		for i := range 400 {
			u := float64(rng.Key(k).Uniform(0, uint64(i)))
			j := 0
			for ; j < len(p)-1 && u >= p[j]; j++ {
				u -= p[j]
			}
			counts[j]++
		}
		if _, _, c := eval.ChiSquare(counts, p); c < 0.05 {
			low++
		}
	}
	if low > 100+4*10 || low < 40 {
		t.Errorf("%d of 2000 chances are below 0.05", low)
	}
}
