package experiment_test

import (
	"context"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/internal/experiment"
	"mattis/rng"
)

func TestPhases(t *testing.T) {
	e := cpu.New(2)
	defer e.Close()
	for _, f := range []func(compute.Engine, int, rng.Key) (*bm.RBM, string, *data.Set){experiment.TwoPhases, experiment.SmallPhases} {
		table := make([]experiment.Optimism, len(experiment.BaseNames))
		for i := range 24 {
			m, name, rows := f(e, i, 11)
			exact, all, err := experiment.OffByBase(context.Background(), m, rows, experiment.Annealed{Runs: 100, Betas: 200}, rng.Key(i))
			if err != nil {
				t.Fatal(name, err)
			}
			t.Logf("%s: exact %.3f", name, exact)
			for j, z := range all {
				t.Logf("     %-8s %+.3f ± %.3f %q", experiment.BaseNames[j], z.Value-exact, z.Stderr, z.Warnings)
				table[j].Add(z, exact)
			}
		}
		for j, o := range table {
			t.Logf("%s: %+v", experiment.BaseNames[j], o)
		}
	}
}
