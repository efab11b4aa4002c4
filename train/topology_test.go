package train_test

import (
	"context"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/optim"
	"mattis/positive"
	"mattis/train"
)

// topologyTrainer returns a training of machine number i of check.Machines. Those with offsets let them follow the data.
func topologyTrainer(t *testing.T, i, threads int, given string) *train.Trainer {
	e := cpu.New(threads)
	t.Cleanup(e.Close)
	m := check.Machines(e, 71)[i].Machine
	const rows = 11
	tr := &train.Trainer{
		Machine: m, Rate: optim.Schedule{Rate: 0.02, Factor: 0.9}.At, Negative: negative.NewPCD(m, 5, 2, 5), Optimizer: optim.NewAdam(m, 0.9, 0.999, 1e-8, 0),
		Data: e.Alloc(compute.Int8, rows, m.Layers()[bm.Visible]), BatchSize: 4, Key: 3,
	}
	e.Spins(tr.Data, 4, 0, 0)
	switch given {
	case "mean-field":
		tr.Positive = positive.NewMeanField(m, 5, 1e-3)
	case "clamped":
		tr.Positive = positive.NewClamped(m, rows, 2, 2, false, 6)
	case "gaps":
		gaps := make([]int8, tr.Data.Len())
		compute.Read(e, gaps, tr.Data)
		for j := range gaps {
			if j%3 == 0 {
				gaps[j] = 0
			}
		}
		compute.Write(e, tr.Data, gaps)
		tr.Positive = positive.NewClamped(m, rows, 2, 2, true, 6)
	case "restarted":
		tr.Positive = positive.NewClamped(m, rows, 0, 2, false, 6)
	}
	if i%2 == 1 {
		var err error
		if tr.Centring, err = optim.NewCentring(m, 0.05); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// Trainings of every topology and positive phase go on from State with the bits of one that was not interrupted, for any number of threads.
func TestTopologiesResume(t *testing.T) {
	for i, small := range check.Machines(cpu.New(1), 71) {
		kinds := []string{"mean-field", "clamped", "restarted", "gaps"}
		if small.Machine.SumsOut() {
			kinds = append(kinds, "marginal")
		}
		for _, kind := range kinds {
			t.Run(small.Name+", "+kind, func(t *testing.T) {
				check.Resume(t, func(threads int) *train.Trainer { return topologyTrainer(t, i, threads, kind) }, 7, 2, 5)
			})
		}
	}
}

// In the steady state no topology allocates.
func TestTopologiesAllocateNothing(t *testing.T) {
	for i, small := range check.Machines(cpu.New(1), 71) {
		for _, kind := range []string{"mean-field", "clamped", "gaps"} {
			tr := topologyTrainer(t, i, 1, kind)
			epochs := 0
			epoch := func() {
				epochs++
				if err := tr.Run(context.Background(), epochs); err != nil {
					t.Fatal(err)
				}
			}
			epoch()
			epoch()
			if n := testing.AllocsPerRun(3, epoch); n != 0 {
				t.Errorf("%s, %s: %v allocations an epoch of %d updates", small.Name, kind, n, tr.StepsPerEpoch())
			}
		}
	}
}
