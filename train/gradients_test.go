package train_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/rng"
	"mattis/train"
)

// Fast parameters move by the gradient of the last update, which few rows leave as factors where
// nobody reads it: after two updates they are -rate times the first gradient. A trainer that keeps factors from
// FPCD leaves them at 0. The gradient is read off a step of the plain rate 1 without momentum.
func TestFastParametersMove(t *testing.T) {
	const rate, keep = 0.25, 0.9
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(6, 5, false))
	d.Normal(0.1, 3)
	m := bm.New(e, d, false, false)
	data := e.Alloc(compute.Int8, 4, 6)
	e.Spins(data, 1, 0, 0)
	n := negative.NewFPCD(m, 4, 1, rate, keep, 5)
	before := floats(e, d.Weights(0).Value)
	var first []float64
	tr := &train.Trainer{
		Machine: m, Negative: n, Optimizer: optim.NewSGD(m, 0, 0), Rate: func(float64) float64 { return 1 },
		Data: data, BatchSize: 4, Short: train.Share, Key: rng.Key(3),
		Observers: []train.Observer{observe(func(ev train.Event) error {
			if ev.Step == 1 {
				for i, x := range floats(e, d.Weights(0).Value) {
					first = append(first, before[i]-x)
				}
			}
			return nil
		})},
	}
	if err := tr.Run(context.Background(), 2); err != nil {
		t.Fatal(err)
	}
	for _, p := range n.State() {
		if p.Name != "chains.fast.weights" {
			continue
		}
		for i, x := range floats(e, p.Value) {
			if want := -rate * first[i]; x < want-1e-6 || x > want+1e-6 {
				t.Fatalf("fast weight %d is %g, want %g", i, x, want)
			}
		}
		if cmp.Equal(first, make([]float64, len(first))) {
			t.Error("the first gradient is 0: nothing was tested")
		}
		return
	}
	t.Error("no fast weights among the state")
}
