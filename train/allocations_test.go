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
