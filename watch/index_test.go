package watch

import (
	"fmt"
	"math"
	"testing"
)

func TestIndexBest(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		measure string
		values  []float64
		best    float64
		step    int
		has     bool
	}{
		{"nll_exact", []float64{5, nan, 3, 3, 4}, 3, 2, true},
		{"pseudo_likelihood", []float64{-5, -2, -3}, -2, 1, true},
		{"nll_exact", []float64{nan, nan}, 0, 0, false},
		{"hamming", []float64{math.Inf(1), 0.5}, 0.5, 1, true},
		{"logz", []float64{1, 2}, 0, 0, false}, // neither more nor less of it is better
	} {
		var x index
		for i, v := range c.values {
			x.add(name{c.measure, "test"}, point{Step: i, Epoch: i, Value: v})
		}
		s := x.series[name{c.measure, "test"}]
		if s.has != c.has || s.has && (s.best.Value != c.best || s.best.Step != c.step) || s.n != len(c.values) {
			t.Errorf("%s of %v: %+v", c.measure, c.values, s)
		}
	}
}

// Fails for a spark that grows, or whose means are not those of the values in their stretches.
func TestSpark(t *testing.T) {
	for _, n := range []int{0, 1, 64, 65, 1000, 100_000} {
		var s spark
		for i := range n {
			s.add(float64(i))
		}
		if len(s.means) > sparkLength || n > 0 && len(s.means) == 0 {
			t.Fatalf("%d values: %d means", n, len(s.means))
		}
		for i, m := range s.means {
			first, last := i*s.each, min(n, (i+1)*s.each)-1
			if want := float64(first+last) / 2; math.Abs(m-want) > 1e-9*float64(n) {
				t.Fatalf("%d values: mean %d of %d each is %v, want %v", n, i, s.each, m, want)
			}
		}
	}
}

func TestRate(t *testing.T) {
	var x index
	if s, e := x.rate(); s != 0 || e != 0 {
		t.Error(s, e)
	}
	for i := range 100 { // slow at first: the rate is that of now
		seconds := float64(10 * i)
		if i > 50 {
			seconds = 500 + float64(i-50)
		}
		for range 3 { // measures of one step
			x.add(name{"m", ""}, point{Step: 20 * i, Epoch: 2 * i, Seconds: seconds})
		}
	}
	if s, e := x.rate(); math.Abs(s-20) > 1e-9 || math.Abs(e-2) > 1e-9 {
		t.Errorf("%v updates and %v epochs a second, want 20 and 2", s, e)
	}
}

// Fails where names without end are kept without end.
func TestIndexBounds(t *testing.T) {
	var x index
	var p parser
	for i := range 3 * mostSeries {
		x.line(&p, i+1, []byte(fmt.Sprintf(`{"step":1,"epoch":0,"seconds":0,"name":"m%d","split":"","value":1,"stderr":0,"detail":{}}`, i)), nil)
		x.line(&p, i+1, []byte("?"), nil)
	}
	if len(x.series) != mostSeries || !x.more || len(x.damaged) != mostDamaged || x.broken != 3*mostSeries {
		t.Errorf("%d series, more %v, %d damaged lines named of %d", len(x.series), x.more, len(x.damaged), x.broken)
	}
}

// Fails for a thinning that grows, forgets an extreme, or changes the order.
func TestThinning(t *testing.T) {
	var x thinning
	const n = 10 * mostPoints
	for i := range n {
		v := math.Sin(float64(i))
		switch i {
		case 77:
			v = 100
		case 90_001:
			v = -100
		case 5, 6, 7, 8:
			v = math.NaN()
		}
		x.add(point{Step: i, Value: v})
	}
	low, high := 0.0, 0.0
	for i, p := range x.points {
		low, high = min(low, p.Value), max(high, p.Value)
		if i > 0 && p.Step <= x.points[i-1].Step {
			t.Fatalf("step %d after %d", p.Step, x.points[i-1].Step)
		}
	}
	if len(x.points) > mostPoints || len(x.points) < mostPoints/4 || low != -100 || high != 100 || !x.halved {
		t.Errorf("%d points from %v to %v", len(x.points), low, high)
	}
}
