package eval_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
)

// The paper's own gain at V = H = 40, and gains at which machines freeze: random patterns, log Z by pattern classes. Every estimate is
// within 1 nat or warns, and those that are silent are within 3 standard errors. With one random state for all rungs of a ladder, 4 of 8 such
// machines were off by 2.4 to 4.7 nats at the first gain and 12 of 20 by 5 to 80 at the second, in silence.
func TestIntegrationOfFrozenMachines(t *testing.T) {
	e := engine(t)
	ctx := context.Background()
	silent := 0
	for _, c := range []struct {
		visible, hidden int
		gain            float64
		machines        int
	}{{40, 40, 1, 3}, {7, 9, 100, 5}} {
		for i := range c.machines {
			a := bm.NewAxons(e, bm.Restricted(c.visible, c.hidden, false), 3, false)
			a.Bernoulli(1, rng.Key(i))
			a.SetGain(c.gain)
			m := bm.New(e, a, false, false)
			classes, err := exact.ClassesOf(m)
			if err != nil {
				t.Fatal(err)
			}
			exact, err := classes.LogZ(ctx, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			z, err := (&eval.Integration{Machine: m, Ladders: 8, Betas: 64, Sweeps: 400, Key: rng.Key(1000 + i)}).Estimate(ctx)
			if err != nil {
				t.Fatal(err)
			}
			off := math.Abs(z.Value - exact)
			t.Logf("%dx%d, gain %v: %.3f is off by %+.3f ± %.3f %q", c.visible, c.hidden, c.gain, z.Value, z.Value-exact, z.Stderr, z.Warnings)
			if len(z.Warnings) > 0 {
				continue
			}
			silent++
			if off > 1 || off > 3*z.Stderr {
				t.Errorf("%dx%d, gain %v, machine %d: %.3f is off by %+.3f ± %.3f without a warning", c.visible, c.hidden, c.gain, i, z.Value, z.Value-exact, z.Stderr)
			}
		}
	}
	if silent < 4 {
		t.Errorf("%d of 8 estimates are silent", silent)
	}
}

// Where sweeps are far too few, each sign of it is seen: cold and hot ladders that have not met, integrals that move, and R-hat.
func TestIntegrationSaysWhatHasNotSettled(t *testing.T) {
	e := engine(t)
	a := bm.NewAxons(e, bm.Restricted(40, 40, false), 3, false)
	a.Bernoulli(1, 1)
	z, err := (&eval.Integration{Machine: bm.New(e, a, false, false), Ladders: 8, Betas: 256, Sweeps: 60, Key: 1}).Estimate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(z.Warnings, "\n")
	for _, want := range []string{"start cold find +", "start hot moves by +", "split R-hat"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning that says %q:\n%s", want, all)
		}
	}
	// Two ladders are one of each kind, whose noise is not known: they give a value, and R-hat judges them.
	d := bm.NewDense(e, bm.Restricted(5, 4, false))
	d.Normal(0.2, 1)
	m := bm.New(e, d, true, false)
	x, err := exact.Smallest(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, ladders := range []int{2, 3} {
		z, err = (&eval.Integration{Machine: m, Ladders: ladders, Betas: 8, Sweeps: 300, Key: 1}).Estimate(context.Background())
		if err != nil || len(z.Warnings) > 0 || math.Abs(z.Value-x.LogZ()) > 0.05 {
			t.Errorf("%d ladders: %+v, %v, want %v", ladders, z, err, x.LogZ())
		}
	}
	// One sweep, and couplings of 0, where no energy ever changes.
	flat := bm.New(e, bm.NewDense(e, bm.Restricted(5, 4, false)), false, false)
	z, err = (&eval.Integration{Machine: flat, Ladders: 2, Betas: 4, Sweeps: 1, Key: 1}).Estimate(context.Background())
	if err != nil || len(z.Warnings) > 0 || math.Abs(z.Value-9*math.Ln2) > 1e-6 {
		t.Errorf("no couplings: %+v, %v", z, err)
	}
	z, err = (&eval.Integration{Machine: flat, Ladders: 8, Betas: 8, Sweeps: 50, Key: 1}).Estimate(context.Background())
	if err != nil || len(z.Warnings) > 0 || math.Abs(z.Value-9*math.Ln2) > 1e-6 {
		t.Errorf("no couplings: %+v, %v", z, err)
	}
}

// Both rules that the integral is made of are exact for parabolas on uneven points.
func TestIntegralOfParabolas(t *testing.T) {
	x := []float64{0, 0.01, 0.05, 0.06, 0.2, 0.33, 0.5, 0.9, 1}
	var f []float64
	for _, y := range x {
		f = append(f, 3-2*y+5*y*y)
	}
	want := 3 - 1 + 5./3
	for i, got := range eval.Integrals(x, f) {
		near(t, []string{"Simpson's", "shifted", "their mean"}[i], got, want, 1e-12)
	}
}
