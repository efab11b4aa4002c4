package train_test

import (
	"context"
	"testing"
)

// In the steady state an epoch allocates nothing: the batches, the draws, both
// phases, the step and the projections work in memory made before.
func TestEpochAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		for _, c := range configurations() {
			t.Run(c.name(), func(t *testing.T) {
				tr := c.trainer(t, threads)
				epochs := 0
				epoch := func() {
					epochs++
					if err := tr.Run(context.Background(), epochs); err != nil {
						t.Fatal(err)
					}
				}
				epoch()
				if n := testing.AllocsPerRun(5, epoch); n != 0 {
					t.Errorf("%v allocations an epoch of %d updates", n, tr.StepsPerEpoch())
				}
			})
		}
	}
}

// Nor does it under a context that can be cancelled, where the chains of each update are kept until it is done: six
// epochs allocate no more than one.
func TestEpochsThatCanBeLeftAllocateNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tr := configuration{"axons", true, "pcd", "adam", "clip"}.trainer(t, 2)
	epochs := 0
	allocations := func(n int) float64 {
		return testing.AllocsPerRun(5, func() {
			epochs += n
			if err := tr.Run(ctx, epochs); err != nil {
				t.Fatal(err)
			}
		})
	}
	allocations(1)
	if one, six := allocations(1), allocations(6); six > one {
		t.Errorf("%v allocations in an epoch, %v in six", one, six)
	}
}
