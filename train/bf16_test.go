package train_test

import (
	"context"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/optim"
	"mattis/train"
)

// Trainings in bfloat16 go on with the bits of one that was not interrupted, on any number of threads: small ones of every
// kind, and one whose products are cut in several tiles.
func TestBF16Resumes(t *testing.T) {
	for _, c := range configurations() {
		t.Run(c.name(), func(t *testing.T) {
			check.Resume(t, func(threads int) *train.Trainer {
				tr := c.trainer(t, threads)
				tr.Precision = compute.BF16
				return tr
			}, 10, 4, 6)
		})
	}
	t.Run("tiles", func(t *testing.T) {
		check.Resume(t, func(threads int) *train.Trainer {
			e := cpu.New(threads)
			t.Cleanup(e.Close)
			a := bm.NewAxons(e, bm.Restricted(70, 300, true), 20, true)
			a.Uniform(1, 1)
			m := bm.New(e, a, true, true)
			tr := &train.Trainer{
				Machine: m, Rate: optim.Schedule{Rate: 0.01, Factor: 1}.At, Negative: negative.NewPCD(m, 40, 1, 5), Optimizer: optim.NewAdam(m, 0.9, 0.999, 1e-8, 0),
				Data: e.Alloc(compute.Int8, 400, 70), BatchSize: 200, Key: 3, Precision: compute.BF16,
			}
			e.Spins(tr.Data, 4, 0, 0)
			return tr
		}, 4, 2)
	})
}

// A trainer rounds to bfloat16 in its updates alone, and where it is told to: float32 trainings have other bits, and
// after each update the machine is as it was.
func TestBF16IsOfUpdates(t *testing.T) {
	for _, couplings := range []string{"axons", "dense"} {
		c := configuration{couplings, true, "pcd", "sgd", ""}
		end := map[compute.Precision][][]float64{}
		for _, p := range []compute.Precision{compute.Single, compute.BF16} {
			tr := c.trainer(t, 1)
			tr.Precision = p
			if err := tr.Run(context.Background(), 2); err != nil {
				t.Fatal(err)
			}
			if now := tr.Machine.SetPrecision(compute.Single); now != compute.Single {
				t.Errorf("%s: the machine is left in %v", couplings, now)
			}
			end[p] = bits(tr)
		}
		if slices.EqualFunc(end[compute.Single], end[compute.BF16], slices.Equal[[]float64]) {
			t.Errorf("%s: bf16 changes no bit", couplings)
		}
	}
}

// In the steady state an epoch in bfloat16 allocates nothing.
func TestBF16AllocatesNothing(t *testing.T) {
	for _, c := range configurations() {
		tr := c.trainer(t, 2)
		tr.Precision = compute.BF16
		epochs := 0
		epoch := func() {
			epochs++
			if err := tr.Run(context.Background(), epochs); err != nil {
				t.Fatal(err)
			}
		}
		epoch()
		if n := testing.AllocsPerRun(3, epoch); n != 0 {
			t.Errorf("%s: %v allocations an epoch", c.name(), n)
		}
	}
}
