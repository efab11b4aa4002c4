package eval_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mattis/eval"
	"mattis/internal/check"
	"mattis/rng"
)

// The lower bound holds although the paths are too few and too coarse for the estimate itself: of
// 100 keys it may fail for 1 % of them by its promise, and 5 or more failures have a chance of 4e-3
// at that rate. A bound without the allowance for the choice of parts, and the estimate itself,
// fail more often.
func TestLowerBound(t *testing.T) {
	m := check.SmallMachines(engine(t), 8, 5, 4)[6].Machine
	exact := check.LogZ(m)
	failed, low := 0, 0
	for i := range 100 {
		b, err := eval.NewBases(m, nil, eval.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		b.Runs, b.Betas, b.Survey, b.Key = 32, 2, eval.PhasesOptions{Chains: 4}, rng.Key(i)
		z, err := b.Estimate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if z.LowerBound > exact {
			failed++
		}
		if z.LowerBound < exact-3 {
			low++
		}
	}
	if failed > 4 || low > 5 {
		t.Errorf("%d bounds of 100 fail, %d are more than 3 nats low", failed, low)
	}
}

// An error that is wanted is met by more runs or steps, and what cannot be met in the time is said;
// both are more than was asked for.
func TestBudget(t *testing.T) {
	m := check.SmallMachines(engine(t), 8, 5, 4)[6].Machine
	exact := check.LogZ(m)
	estimate := func(wanted, seconds float64) *eval.OfBases {
		b, err := eval.NewBases(m, nil, eval.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		b.Runs, b.Betas, b.Survey, b.Key = 32, 4, eval.PhasesOptions{Chains: 4}, 3
		b.Error, b.Seconds = wanted, seconds
		z, err := b.Estimate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	short := func(w string) bool { return strings.Contains(w, "is not met with") }
	first, better := estimate(0, 0), estimate(0.02, 0)
	if first.Stderr < 0.03 || better.Stderr > 0.02 || better.Runs*better.Betas <= first.Runs*first.Betas {
		t.Errorf("%+v, then %+v", first.LogZ, better.LogZ)
	}
	within(t, "with the error wanted", better.LogZ, exact, 0.02)
	if slices.ContainsFunc(better.Warnings, short) {
		t.Errorf("%q", better.Warnings)
	}
	if hasty := estimate(1e-9, 1e-9); !slices.ContainsFunc(hasty.Warnings, short) || hasty.Runs != first.Runs {
		t.Errorf("%+v", hasty.LogZ)
	}
}

// Bases that are the same law count once, and a machine without biases and data has fair coins
// alone.
func TestLaws(t *testing.T) {
	e := engine(t)
	for i, want := range map[int]int{0: 1, 6: 2} { // without biases, with biases and offset
		b, err := eval.NewBases(check.SmallMachines(e, 6, 4, 4)[i].Machine, nil, eval.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		b.Runs, b.Betas, b.Survey = 32, 4, eval.PhasesOptions{Chains: 4}
		z, err := b.Estimate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range z.Bases {
			if slices.Contains([]string{eval.BaseUniform, eval.BaseData, eval.BaseMean}, o.Law.Name) {
				names = append(names, o.Law.Name)
			}
		}
		if len(names) != want || names[0] != eval.BaseUniform {
			t.Errorf("machine %d: bases %q, want %d", i, names, want)
		}
	}
}
