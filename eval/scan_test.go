package eval_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
)

// Scaling W by a power of two changes nothing of a scan, as the temperature follows; at
// zero temperature a single pattern is always found, and at a high one no energy is gained. A scan that forgets the
// machine's own deviation, or scales the energies too, fails.
func TestScan(t *testing.T) {
	e := engine(t)
	d := bm.NewDense(e, bm.Restricted(8, 30, false))
	d.Normal(0.4, 1)
	m := bm.New(e, d, false, false)
	at := []float64{1e-4, 0.1, 20}
	scan := func(m *bm.Machine) []eval.Reach {
		r, err := eval.Scan(context.Background(), eval.Subject{Machine: m, Key: 3}, eval.AccessibilityOptions{Chains: 40, Sweeps: 10}, at)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := scan(m)
	w := make([]float32, 240)
	compute.Read(e, w, d.Weights(0).Value)
	for i := range w {
		w[i] *= 8
	}
	compute.Write(e, d.Weights(0).Value, w)
	for i, r := range scan(m) {
		if r != first[i] {
			t.Errorf("eight times the weights at %v: %+v, was %+v", at[i], r, first[i])
		}
	}
	if r := first[0]; math.Abs(r.Mean) > 0.1 || r.Minimum < r.Mean {
		t.Errorf("at a high temperature: %+v", r)
	}
	if first[2].Minimum < 0.97 || first[2].Mean < 0.7 || first[1].Mean > first[2].Mean {
		t.Errorf("at a low temperature: %+v", first)
	}

	one, _ := onePattern(e, spins("-+--+-+"), 50, 1)
	for i, r := range scan(one)[2:] {
		if math.Abs(r.Minimum-1) > 1e-6 || math.Abs(r.Mean-1) > 1e-6 {
			t.Errorf("one pattern at %v: %+v, want its ground state", at[2+i], r)
		}
	}
	_, err := eval.Scan(context.Background(), eval.Subject{Machine: bm.New(e, d, true, false)}, eval.Defaults().Accessibility, at)
	if no := (*eval.NoValue)(nil); !errors.As(err, &no) {
		t.Errorf("a machine with biases: %v", err)
	}
}

// The deviation of weights written down, of more than one block of rows, and Glorot's.
func TestDeviation(t *testing.T) {
	e := engine(t)
	d := bm.NewDense(e, bm.Restricted(70, 2, false))
	w := make([]float32, 140)
	for i := range w {
		w[i] = float32(i % 4) // 0 1 2 3: variance 5/4
	}
	compute.Write(e, d.Weights(0).Value, w)
	near(t, "deviation", eval.Deviation(bm.New(e, d, false, false)), math.Sqrt(1.25), 1e-12)
	near(t, "Glorot's", eval.GlorotDeviation(20, 1000), 0.0442807, 1e-7)
	near(t, "Q(1)", eval.TailOfNormal(1), 0.158655, 1e-6)
}
