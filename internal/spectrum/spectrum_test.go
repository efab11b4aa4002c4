package spectrum

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func filled(rows, columns int, from float64) *mat.Dense {
	x := mat.NewDense(rows, columns, nil)
	for i := range rows {
		for j := range columns {
			x.Set(i, j, math.Sin(from+float64(3*i)+1.7*float64(j*j)))
		}
	}
	return x
}

// Fails where the small matrix has other singular values than W itself: a triangle that is
// transposed or cut wrongly, a gain or a sqrt K that is left out, patterns that are more than
// spins.
func TestCore(t *testing.T) {
	for _, c := range []struct{ k, n, m int }{{3, 7, 5}, {4, 4, 4}, {6, 4, 9}, {6, 9, 4}, {5, 2, 3}, {1, 8, 8}} {
		a, b := filled(c.k, c.n, 0.3), filled(c.k, c.m, 2)
		var w mat.Dense
		w.Mul(a.T(), b)
		w.Scale(math.Exp(0.4)/math.Sqrt(float64(c.k)), &w)
		want, err := Values(&w)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Values(Core(a, b, 0.4))
		if err != nil {
			t.Fatal(err)
		}
		for i := range max(len(got), len(want)) {
			x, y := 0.0, 0.0
			if i < len(got) {
				x = got[i]
			}
			if i < len(want) {
				y = want[i]
			}
			if math.Abs(x-y) > 1e-12*want[0] {
				t.Errorf("%+v: singular value %d is %v, of W %v", c, i+1, x, y)
			}
		}
	}
}

func TestValues(t *testing.T) {
	got, err := Values(mat.NewDense(2, 3, []float64{0, -3, 0, 4, 0, 0}))
	if err != nil || len(got) != 2 || got[0] != 4 || got[1] != 3 {
		t.Errorf("%v, %v, want 4 and 3", got, err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(-1)} {
		w := filled(3, 3, 1)
		w.Set(2, 1, bad)
		if _, err := Values(w); err == nil {
			t.Errorf("the singular values of couplings with %v", bad)
		}
	}
}
