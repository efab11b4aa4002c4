package eval_test

import (
	"context"
	"fmt"
	"testing"

	"mattis/bm"
	"mattis/eval"
	"mattis/internal/check"
	"mattis/rng"
)

// Forward, reverse and bridge of every topology against sums in float64, from fair coins and from a base law, as of restricted
// machines: few temperatures, so that what is wrong in a weight, a draw or a start is many standard errors off. The chance that a right
// program fails is 1.5e-5 an estimate.
func TestEstimatesOfTopologies(t *testing.T) {
	ctx := context.Background()
	for i, small := range check.Machines(engine(t), 11) {
		m := small.Machine
		m.SetConstant(0.6)
		_, logZ := check.ExactOf(m).Probabilities()
		base := make([]float32, m.Layers()[bm.Visible])
		for j := range base {
			base[j] = float32(0.5 * rng.Key(5).Normal(0, uint64(j)))
		}
		for j, b := range [][]float32{nil, base} {
			name := fmt.Sprintf("%s, base %v", small.Name, b != nil)
			a := eval.AIS{Machine: m, Base: b, Runs: 2000, Betas: 6, Sweeps: 1 + j, Key: rng.Key(100 + i)}
			start, err := eval.StartExact(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []struct {
				name     string
				estimate func() (eval.LogZ, error)
			}{
				{"AIS", func() (eval.LogZ, error) { return a.Forward(ctx) }},
				{"reverse AIS", func() (eval.LogZ, error) { return a.Reverse(ctx, start) }},
				{"bridge", func() (eval.LogZ, error) { return a.Bridge(ctx, start) }},
			} {
				z, err := e.estimate()
				if err != nil {
					t.Fatal(err)
				}
				within(t, name+": "+e.name, z, logZ, 0.1)
			}
		}
	}
}
