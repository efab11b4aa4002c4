package eval_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/eval"
)

// The K x K problem of axons against the singular values of W itself, with fewer and with more patterns than
// visible spins, and with a gain. A missing 1/sqrt K or gain, and a transposed factor, fail.
func TestSpectrumOfAxons(t *testing.T) {
	e := engine(t)
	for _, shape := range [][3]int{{9, 14, 4}, {5, 12, 8}, {12, 3, 6}} {
		v, h, k := shape[0], shape[1], shape[2]
		a := bm.NewAxons(e, bm.Restricted(v, h, false), k, true)
		a.Uniform(1, 3)
		a.SetGain(0.6)
		m := bm.New(e, a, true, false)
		got, err := eval.SingularValues(m)
		if err != nil {
			t.Fatal(err)
		}
		w := mat.NewDense(v, h, nil)
		row := 0
		eval.Weights(m, 0, func(x []float32) {
			for j, y := range x {
				w.Set(row, j, float64(y))
			}
			row++
		})
		var svd mat.SVD
		svd.Factorize(w, mat.SVDNone)
		want := svd.Values(nil)
		for i, x := range want {
			y := 0.0 // of W beyond the K values that there are
			if i < len(got) {
				y = got[i]
			}
			near(t, fmt.Sprintf("%v, value %d", shape, i), y, x, 1e-5)
		}
	}
}

// Orthogonal patterns: all K singular values are (g/sqrt K) sqrt(V H).
func TestSpectrumOfOrthogonalPatterns(t *testing.T) {
	e := engine(t)
	a := bm.NewAxons(e, bm.Restricted(4, 8, false), 3, false)
	visible := []float32{1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1}
	hidden := make([]float32, 0, 24)
	for k := range 3 {
		hidden = append(append(hidden, visible[4*k:4*k+4]...), visible[4*k:4*k+4]...)
	}
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	compute.Write(e, v.Value, visible)
	compute.Write(e, h.Value, hidden)
	r := measure(t, "spectrum", eval.Subject{Machine: bm.New(e, a, false, false)}, eval.Defaults())
	for i, x := range r.Detail["singular_values"].([]float64) {
		near(t, fmt.Sprint("value ", i), x, math.Sqrt(4*8./3), 1e-6)
	}
	near(t, "participation", r.Detail["participation"].(float64), 3, 1e-6)
}

// A single pattern has one singular value, sqrt(V H) times the gain.
func ExampleSingularValues() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(16, 100, false), 1, false)
	a.Bernoulli(1, 7)
	values, err := eval.SingularValues(bm.New(e, a, false, false))
	fmt.Printf("%.3f %v\n", values, err)
	// Output: [40.000] <nil>
}
