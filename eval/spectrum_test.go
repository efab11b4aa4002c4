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
	"mattis/internal/check"
)

// The K x K problem of axons against the singular values of W itself, with fewer and with more
// patterns than visible spins, and with a gain. A missing 1/sqrt K or gain, and a transposed
// factor, fail.
func TestSpectrumOfAxons(t *testing.T) {
	e := engine(t)
	for _, shape := range [][3]int{{9, 14, 4}, {5, 12, 8}, {12, 3, 6}} {
		v, h, k := shape[0], shape[1], shape[2]
		a := bm.NewAxons(e, bm.Restricted(v, h, false), k, true)
		a.Uniform(1, 3)
		a.SetGain(0.6)
		m := bm.New(e, a, true, false)
		all, err := eval.Spectra(m)
		if err != nil {
			t.Fatal(err)
		}
		got := all[0].Values
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

// Each pair has its spectrum: of two layers the singular values of its own W, and of a layer with
// itself the eigenvalues with their signs, whose sum is the trace of J, 0, and whose largest in
// size is the value. Singular values of J, a diagonal that is not taken out, and the gain of
// another pair fail.
func TestSpectraOfPairs(t *testing.T) {
	e := engine(t)
	for _, small := range check.Machines(e, 3) {
		m := small.Machine
		all, err := eval.Spectra(m)
		if err != nil {
			t.Fatal(err)
		}
		largest := 0.0
		for i, p := range m.Graph().Pairs {
			var square, trace, want float64
			for _, row := range check.PairWeights(m, i) {
				for _, x := range row {
					want += x * x
				}
			}
			for _, x := range all[i].Values {
				square += x * x
				trace += x
				largest = max(largest, math.Abs(x))
			}
			near(t, small.Name+", "+all[i].Pair+": sum of squares", square, want, 1e-5)
			if all[i].Signed != (p.A == p.B) || all[i].Pair != m.Graph().PairName(i) {
				t.Errorf("%s: %+v", small.Name, all[i])
			}
			if p.A == p.B {
				near(t, small.Name+": trace", trace, 0, 1e-5)
			}
		}
		near(t, small.Name, measure(t, "spectrum", eval.Subject{Machine: m}, eval.Defaults()).Value, largest, 1e-12)
	}
	d := bm.NewDense(e, bm.Full(2, 0))
	compute.Write(e, d.Weights(0).Value, []float32{0, -3, -3, 0})
	r := measure(t, "spectrum", eval.Subject{Machine: bm.New(e, d)}, eval.Defaults())
	if x := r.Detail["eigenvalues"].([]float64); r.Value != 3 || math.Abs(x[0]-3) > 1e-12 || math.Abs(x[1]+3) > 1e-12 {
		t.Errorf("%+v", r)
	}
}

// A single pattern has one singular value, sqrt(V H) times the gain.
func ExampleSpectra() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(16, 100, false), 1, false)
	a.Bernoulli(1, 7)
	spectra, err := eval.Spectra(bm.New(e, a, false, false))
	fmt.Printf("%s %.3f %v\n", spectra[0].Pair, spectra[0].Values, err)
	// Output: visible-hidden [40.000] <nil>
}
