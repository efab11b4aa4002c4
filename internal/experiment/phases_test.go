package experiment_test

import (
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/internal/experiment"
	"mattis/rng"
)

// Eight machines of each family with the data in one of several phases: from all bases at most 2 of 8 lie below their
// 95 % interval (a chance of half a percent where intervals are right; the keys are fixed), none by more than a nat without
// a warning that names a phase. Fair coins alone and the data's means alone are far off: a program that takes the first of
// them, their mean or the smallest fails.
func TestPhasesAreNotMissed(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	o := eval.Defaults()
	o.AIS.Runs, o.AIS.Betas, o.Phases.Sweeps = 64, 100, 100
	for name, family := range map[string]func(compute.Engine, int, rng.Key) (*bm.Machine, string, *data.Set){
		"pattern classes": experiment.TwoPhases, "enumerable": experiment.SmallPhases,
	} {
		table := make([]experiment.Optimism, len(experiment.BaseNames))
		for i := range 8 {
			m, machine, rows := family(e, i, 11)
			exact, err := experiment.ExactLogZ(t.Context(), m)
			if err != nil {
				t.Fatal(machine, err)
			}
			all, err := experiment.OffByBase(t.Context(), m, rows, o, rng.Key(i))
			if err != nil {
				t.Fatal(machine, err)
			}
			for j, z := range all {
				table[j].Add(z, exact)
			}
			z := all[0]
			t.Logf("%s: %.3f %+.3f ± %.3f, alone %+.3f %+.3f %+.3f", machine, exact, z.Value-exact, z.Stderr, all[1].Value-exact, all[2].Value-exact, all[3].Value-exact)
			if names := func(w string) bool { return strings.Contains(w, "phase") }; exact-z.Value > 1 && !slices.ContainsFunc(z.Warnings, names) {
				t.Errorf("%s: %.3f ± %.3f for %.3f, warnings %q", machine, z.Value, z.Stderr, exact, z.Warnings)
			}
		}
		if all := table[0]; all.Low > 2 || all.Far > 0 {
			t.Errorf("%s: %+v", name, all)
		}
		if name == "enumerable" { // hardly hidden: but the data's base is nats low once
			continue
		}
		for j, o := range table[1:3] {
			if o.Far == 0 {
				t.Errorf("%s: base %s alone is never far off: the machines are too easy to tell", name, experiment.BaseNames[1+j])
			}
		}
	}
}

func TestOptimism(t *testing.T) {
	var o experiment.Optimism
	o.Add(eval.LogZ{Value: 5, Stderr: 0.1}, 5.1)                                     // within
	o.Add(eval.LogZ{Value: 5, Stderr: 0.1}, 4)                                       // too large is not optimistic
	o.Add(eval.LogZ{Value: 5, Stderr: 0.1}, 5.5)                                     // low
	o.Add(eval.LogZ{Value: 5, Stderr: 0.1}, 7)                                       // far
	o.Add(eval.LogZ{Value: 5, Stderr: 0.1, Warnings: []string{"it misses one"}}, 10) // and said
	o.Add(eval.LogZ{Value: 5, Stderr: 2}, 7)                                         // a nat, but within its error
	if o != (experiment.Optimism{Machines: 6, Low: 3, Far: 2, Named: 1, Worst: 5}) {
		t.Errorf("%+v", o)
	}
}
