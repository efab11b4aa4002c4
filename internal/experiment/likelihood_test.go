package experiment_test

import (
	"bytes"
	"context"
	"math"
	"strings"
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
	shape := experiment.CoverageShape{Machines: 24, Runs: 200, Betas: 60}
	table, err := experiment.CoverageTable(context.Background(), e, &log, shape, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(table) != 4 {
		t.Fatalf("%d methods", len(table))
	}
	for _, c := range table {
		t.Logf("%s: %d of %d silent intervals hold, %d far of which %d warned, median width %.3f",
			c.Method, c.Covered, c.Silent, c.Far, c.FarWarned, c.MedianWidth())
		if c.Machines != 24 || c.Silent < 10 || c.Silent-c.Covered > 5 {
			t.Errorf("%s: %d of %d intervals hold", c.Method, c.Covered, c.Silent)
		}
		if c.Far != c.FarWarned {
			t.Errorf("%s: %d estimates are far off, %d of them warned\n%s", c.Method, c.Far, c.FarWarned, log.String())
		}
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
	if share, margin := c.Share(); share != 1./3 || math.Abs(margin-1.96*math.Sqrt(0.95*0.05/3)) > 1e-12 {
		t.Errorf("share %v +- %v", share, margin)
	}
}

// The table of pattern machines has a line for each gain, all of them numbers.
func TestPatternTable(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	var text bytes.Buffer
	shape := experiment.PatternShape{Visible: 30, Hidden: 40, Runs: 100, Betas: 50}
	if err := experiment.PatternTable(context.Background(), e, &text, shape, 5); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(text.String(), "\n"); lines != 2+14 || strings.Contains(text.String(), "NaN") {
		t.Errorf("%d lines:\n%s", lines, text.String())
	}
}
