package recipe

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/rng"
)

// Rows that vary along two directions, the first more than the second, have these for their first
// patterns, at the scale that was asked for; other patterns, and hidden parts, are those that were
// drawn. Without centring the mean would be the first.
func TestPrincipal(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	const rows, v, scale = 4000, 6, 0.3
	set := &data.Set{Rows: rows, Visible: v, Spins: make([]int8, rows*v)}
	for i := range rows {
		a, b := rng.Key(1).Uniform64(uint64(i), 0) < 0.5, rng.Key(1).Uniform64(uint64(i), 1) < 0.2
		row := set.Row(i)
		for j := range row {
			row[j] = 1
		}
		if a {
			row[0], row[1] = -1, -1
		} else {
			row[2] = -1
		}
		if b {
			row[4] = -1
		}
	}
	a := bm.NewAxons(e, bm.Restricted(v, 3, false), 8, false)
	a.Bernoulli(scale, 5)
	drawn := make([]float32, 8*v)
	compute.Read(e, drawn, a.Patterns(bm.Visible).Value)
	principal(a, e, set, scale)
	x := make([]float32, 8*v)
	compute.Read(e, x, a.Patterns(bm.Visible).Value)
	first, second := scale*math.Sqrt(float64(v)/3), scale*math.Sqrt(float64(v))
	want := [][]float64{{first, first, -first, 0, 0, 0}, {0, 0, 0, 0, second, 0}}
	if x[0] < 0 { // which of three entries of one size is the largest is a matter of rounding
		want[0] = []float64{-first, -first, first, 0, 0, 0}
	}
	for k, row := range want {
		for i, y := range row {
			if got := float64(x[k*v+i]); math.Abs(got-y) > 0.03 { // three deviations of a sampled covariance
				t.Errorf("pattern %d: entry %d is %.4f, want %.4f", k, i, got, y)
			}
		}
	}
	for i := 6 * v; i < 8*v; i++ { // beyond the number of spins
		if x[i] != drawn[i] {
			t.Errorf("entry %d of pattern %d is %v, was drawn as %v", i%v, i/v, x[i], drawn[i])
		}
	}
}
