package recipe

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"mattis/comm"
)

// TestSamplesOfSeveral: processes that share the chains, groups of four and fewer each, all have the
// samples of one process, of every sampler that needs no more than a machine.
func TestSamplesOfSeveral(t *testing.T) {
	dir := trained(t)
	for _, c := range []struct {
		sampler              string
		count, chains, steps int
	}{
		{"gibbs", 1, 1, 2}, {"gibbs", 13, 13, 3}, {"gibbs", 31, 13, 2}, {"gibbs", 27, 9, 1},
		{"tempering", 17, 11, 2}, {"annealing", 14, 7, 3}, {"guided", 20, 10, 2},
	} {
		draw := func(p *comm.Comm) ([]int8, error) {
			m := loadModel(t, dir)
			moves, err := m.Moves(t.Context(), c.sampler, 3, nil, nil)
			if err != nil {
				return nil, err
			}
			var all []int8
			moved, err := m.Sample(t.Context(), Sampling{
				Count: c.count, Steps: c.steps, Chains: c.chains, Start: m.RandomStart(3), Moves: moves, Seed: 3, Comm: p,
			}, func(spins []int8) error {
				all = append(all, spins...)
				return nil
			})
			if err == nil && p.Rank() == 0 && moved == nil { // it tells how the chains moved
				err = errors.New("rank 0 has moved no chain")
			}
			return all, err
		}
		want, err := draw(nil)
		if err != nil {
			t.Fatalf("%s: %v", c.sampler, err)
		}
		for _, size := range []int{2, 3, 5} {
			errs := make([]error, size)
			var wait sync.WaitGroup
			for r, p := range comm.Local(size) {
				wait.Go(func() {
					defer p.Close()
					got, err := draw(p)
					if errs[r] = err; err == nil && !slices.Equal(got, want) {
						t.Errorf("%+v: rank %d of %d has other samples", c, r, size)
					}
				})
			}
			wait.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Errorf("%+v with %d processes: %v", c, size, err)
			}
		}
	}
}
