package eval_test

import (
	"context"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/eval"
	"mattis/internal/check"
	"mattis/rng"
)

// Cold machines of few patterns: many forward paths end in mixtures of patterns, which the machine is hardly ever in. Reverse paths
// start elsewhere, and their weights look healthy while their mean is a nat off; only the forward paths tell.
func TestReverseSeesMissedValleys(t *testing.T) {
	ctx := context.Background()
	e := engine(t)
	for _, key := range []rng.Key{11, 27} {
		c := bm.NewAxons(e, bm.Restricted(8, 8, false), 4, false)
		c.Bernoulli(1, key)
		c.SetGain(5)
		m := bm.New(e, c, false, false)
		start, err := eval.StartExact(m)
		if err != nil {
			t.Fatal(err)
		}
		a := eval.AIS{Machine: m, Runs: 400, Betas: 50, Sweeps: 1, Key: 3}
		z, err := a.Reverse(ctx, start)
		if err != nil {
			t.Fatal(err)
		}
		if off := (z.Value - check.LogZ(m)) / z.Stderr; off < 8 || z.ESS < 80 {
			t.Errorf("reverse AIS is off by %.1f standard errors with ESS %.0f: this tests nothing", off, z.ESS)
		}
		if len(z.Warnings) != 1 || !strings.Contains(z.Warnings[0], "from the bridge to the forward paths") {
			t.Errorf("%q", z.Warnings)
		}
		// Forward paths and the bridge, which look at both, are right.
		if z, err = a.Forward(ctx); err != nil {
			t.Fatal(err)
		}
		within(t, "AIS", z, check.LogZ(m), 0.5)
		if z, err = a.Bridge(ctx, start); err != nil {
			t.Fatal(err)
		}
		within(t, "bridge", z, check.LogZ(m), 0.5)
	}
}

// Starts from the wrong law: rows of data are named, give up the bound, and a gross one shows in the numbers.
func TestReverseFromTheWrongLaw(t *testing.T) {
	ctx := context.Background()
	e := engine(t)
	d := bm.NewDense(e, bm.Restricted(8, 6, false))
	d.Normal(0.5, 3)
	m := bm.New(e, d, false, false)
	a := eval.AIS{Machine: m, Runs: 500, Betas: 100, Sweeps: 1, Key: 3}
	z, err := a.Reverse(ctx, eval.StartData(m, rowsOf(randomRows(500, 8, 4)...), 0))
	if err != nil {
		t.Fatal(err)
	}
	if z.Side != eval.NoSide || !strings.Contains(z.Started, "rows of rows after 0 Gibbs sweeps") || len(z.Warnings) == 0 {
		t.Errorf("%+v", z)
	}
	if off := z.Value - check.LogZ(m); off > -4*z.Stderr {
		t.Errorf("paths from coins are off by only %+.4f, %.4f standard error: no test here would see a wrong start", off, z.Stderr)
	}
	// Long chains from the same rows, and ends of forward paths, are as good as exact here; they still are no bound.
	for _, start := range []eval.Start{eval.StartData(m, rowsOf(randomRows(500, 8, 4)...), 200), eval.StartAnnealed(&a, 3)} {
		if z, err = a.Reverse(ctx, start); err != nil {
			t.Fatal(err)
		}
		within(t, start.Name, z, check.LogZ(m), 0.05)
		if z.Side != eval.NoSide || len(z.Warnings) == 0 {
			t.Errorf("%+v", z)
		}
	}
}
