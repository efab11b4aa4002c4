package experiment_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"

	"mattis/compute/cpu"
	"mattis/eval"
	"mattis/internal/experiment"
)

// The intervals of 24 machines by each method: at most 5 of 24 may miss, which right intervals do with a chance of
// 1.6e-3 (the key is fixed) and intervals of half the width fail, and every estimate far off has a warning.
func TestIntervalsHoldTheExactLogZ(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	var log bytes.Buffer
	table := make([]experiment.Coverage, 4)
	for i := range 24 {
		exact, all, name, err := experiment.Estimates(context.Background(), e, i, experiment.Annealed{Runs: 200, Betas: 60}, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(table) {
			t.Fatalf("%d methods", len(all))
		}
		for j, z := range all {
			table[j].Add(z, exact)
			if math.Abs(z.Value-exact) > 4*z.Stderr {
				fmt.Fprintf(&log, "%s: method %d off by %g, warnings %v\n", name, j, z.Value-exact, z.Warnings)
			}
		}
	}
	for j, c := range table {
		t.Logf("method %d: %d of %d silent intervals hold, %d far of which %d warned, median width %.3f",
			j, c.Covered, c.Silent, c.Far, c.FarWarned, c.MedianWidth())
		if c.Machines != 24 || c.Silent < 10 || c.Silent-c.Covered > 5 {
			t.Errorf("method %d: %d of %d intervals hold", j, c.Covered, c.Silent)
		}
		if c.Far != c.FarWarned {
			t.Errorf("method %d: %d estimates are far off, %d of them warned\n%s", j, c.Far, c.FarWarned, log.String())
		}
	}
}

// Integration on 24 machines in which chains hardly mix, most of them frozen: no estimate that is off by more than 1 nat or
// 3 standard errors is silent, silent intervals hold in at least 90 %, and half of the machines or more are silent. Ladders that
// all start from one random state miss 8 of 60 such machines by 1.4 to 63 nats in silence.
func TestIntegrationOfHardMachines(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	var c experiment.Coverage
	for i := range 24 {
		exact, z, name, err := experiment.HardIntegration(context.Background(), e, i, eval.IntegrationOptions{Ladders: 8, Betas: 48, Sweeps: 200}, 9)
		if err != nil {
			t.Fatal(err)
		}
		c.Add(z, exact)
		off := z.Value - exact
		t.Logf("%s: off by %+.4f ± %.4f %q", name, off, z.Stderr, z.Warnings)
		if (math.Abs(off) > 1 || math.Abs(off) > 3*z.Stderr) && len(z.Warnings) == 0 {
			t.Errorf("%s: log Z %.4f is off by %+.4f ± %.4f without a warning", name, exact, off, z.Stderr)
		}
	}
	if c.Silent < 12 || float64(c.Covered) < 0.9*float64(c.Silent) {
		t.Errorf("%d of %d silent intervals hold", c.Covered, c.Silent)
	}
}

func TestCoverage(t *testing.T) {
	var c experiment.Coverage
	c.Add(eval.LogZ{Value: 1.1, Stderr: 0.1}, 1)                              // holds
	c.Add(eval.LogZ{Value: 1.3, Stderr: 0.1}, 1)                              // misses
	c.Add(eval.LogZ{Value: 2, Stderr: 0.1}, 1)                                // far and silent
	c.Add(eval.LogZ{Value: 0, Stderr: 0.1, Warnings: []string{"no good"}}, 1) // far and warned
	c.Add(eval.LogZ{Value: math.NaN(), Stderr: 0.1, Warnings: []string{"x"}}, 1)
	if c.Machines != 5 || c.Silent != 3 || c.Covered != 1 || c.Far != 3 || c.FarWarned != 2 || math.Abs(c.MedianWidth()-0.392) > 1e-12 {
		t.Errorf("%+v", c)
	}
	// One miss in silence; of 1e5 estimates with errors of 8 samples, |t| of 7 degrees of freedom beyond 4 x 2.3646/1.96 = 4.826 has
	// a chance of 1.9e-3.
	if n, expected, chance := c.Silently(1e9); n != 1 || !(chance < 1e-3) || math.Abs(expected-3*6.33e-5) > 1e-6 {
		t.Errorf("%d, %v expected, chance %v", n, expected, chance)
	}
	if n, expected, chance := (&experiment.Coverage{Silent: 1000, Far: 2}).Silently(8); n != 2 || math.Abs(expected-1.9) > 0.05 || math.Abs(chance-(1-math.Exp(-expected)*(1+expected))) > 1e-9 {
		t.Errorf("%d, %v expected, chance %v", n, expected, chance)
	}
	if _, _, chance := (&experiment.Coverage{Far: 3, FarWarned: 3}).Silently(8); !math.IsNaN(chance) {
		t.Errorf("where every estimate warned, the chance is %v", chance)
	}
	if share, margin := c.Share(); share != 1./3 || math.Abs(margin-1.96*math.Sqrt(0.95*0.05/3)) > 1e-12 {
		t.Errorf("share %v +- %v", share, margin)
	}
}

// A hot machine of patterns, where AIS cannot fail: all three within 5 standard errors of the class sum, or 1e-3
// nats, which float32 fields are off by.
func TestPatternEstimates(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	for patterns := 2; patterns <= 3; patterns++ {
		exact, all, err := experiment.PatternEstimates(context.Background(), e, 30, 40, patterns, 0.01, experiment.Annealed{Runs: 100, Betas: 50}, 5)
		if err != nil {
			t.Fatal(err)
		}
		for j, z := range all {
			if !(math.Abs(z.Value-exact) < 5*z.Stderr+1e-3) || !(z.Stderr < 0.1) {
				t.Errorf("K=%d, method %d: %v ± %v, want %v", patterns, j, z.Value, z.Stderr, exact)
			}
		}
	}
}
