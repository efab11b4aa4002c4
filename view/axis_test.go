package view

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/plot"
)

func labels(ticks []plot.Tick) []string {
	var l []string
	for _, t := range ticks {
		if t.Label != "" {
			l = append(l, t.Label)
		}
	}
	return l
}

// TestTicks fails for labels that are not round, crowd, or show what binary
// fractions leave (0.30000000000000004).
func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticks  func(lo, hi float64) []plot.Tick
		lo, hi float64
		want   []string
	}{
		{linearTicks, 0, 300, []string{"0", "50", "100", "150", "200", "250", "300"}},
		{linearTicks, 0, 0.52, []string{"0", "0.1", "0.2", "0.3", "0.4", "0.5"}},
		{linearTicks, -1, 1, []string{"-1.0", "-0.5", "0", "0.5", "1.0"}},
		{linearTicks, 2.30258, 2.3032, []string{"2.3026", "2.3027", "2.3028", "2.3029", "2.3030", "2.3031", "2.3032"}},
		{linearTicks, -6e6, 0, []string{"-6e+06", "-5e+06", "-4e+06", "-3e+06", "-2e+06", "-1e+06", "0"}},
		{linearTicks, 0, 2e-7, []string{"0", "5e-08", "1.0e-07", "1.5e-07", "2.0e-07"}},
		{logTicks, 0.05, 200, []string{"0.1", "1", "10", "100"}},
		{logTicks, 85, 3000, []string{"100", "200", "500", "1000", "2000"}},
		{logTicks, 2.2, 2.9, []string{}},
		{zeroTicks, 1, 3000, []string{"0", "10", "100", "1000"}},
		{Axis{Log: true, Ticks: []float64{-1, 0, 1, 2, 4, 8, 16}}.givenTicks, 1, math.Pow(10, math.Log10(8)), []string{"1", "2", "4", "8"}},
		{logTicks, 1e-9, 1e7, []string{"1e-09", "1e-06", "0.001", "1", "1000", "1e+06"}},
	} {
		got := labels(c.ticks(c.lo, c.hi))
		if !slices.Equal(got, c.want) && len(c.want)+len(got) > 0 {
			t.Errorf("labels of %v to %v are %q, want %q", c.lo, c.hi, got, c.want)
		}
	}
}

// TestBounds fails for an axis that suggests values that cannot be, or has no width.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		r      interval
		lo, hi float64
	}{
		{Axis{}, interval{min: 0, max: 1, any: true}, 0, 1.1},
		{Axis{}, interval{min: -1, max: 0, any: true}, -1.1, 0},
		{Axis{}, interval{min: 2, max: 2, any: true}, 1.9, 2.1},
		{Axis{}, interval{min: 0, max: 0, any: true}, -0.5, 0.5},
		{Axis{Log: true}, interval{min: 1, max: 100, any: true}, 0.630957, 158.489},
		{Axis{Log: true}, interval{min: 10, max: 10, any: true}, 5.01187, 19.9526},                   // half a decade and its margins
		{Axis{Log: true, Zero: true}, interval{min: 2, max: 200, any: true, zero: true}, 1, 316.978}, // the margin is of 2 to 200
		{Axis{Log: true, Zero: true}, interval{zero: true}, 0.5, 1.99526},
	} {
		lo, hi := c.axis.bounds(c.r, 0.1)
		if near := func(a, b float64) bool { return a-b <= 1e-5*max(1, b) && b-a <= 1e-5*max(1, b) }; !near(lo, c.lo) || !near(hi, c.hi) {
			t.Errorf("bounds of %v on %+v are %v to %v, want %v to %v", c.r, c.axis, lo, hi, c.lo, c.hi)
		}
	}
}
