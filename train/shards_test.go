package train_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/train"
)

// Parts follow each other, cover all rows, differ by less than two groups of four and begin at one,
// or by one row where there are too few for that.
func TestPart(t *testing.T) {
	for n := range 150 {
		for _, shards := range []int{1, 2, 3, 4, 7, 8, 20} {
			unit := 4
			if n < 4*shards {
				unit = 1
			}
			next, least, most := 0, n, 0
			for s := range shards {
				from, to := train.Part(n, shards, s)
				if from != next || to < from || from%unit != 0 && from != n {
					t.Errorf("%d rows, part %d of %d: [%d, %d) after %d", n, s, shards, from, to, next)
				}
				next, least, most = to, min(least, to-from), max(most, to-from)
			}
			if next != n || most-least > 2*unit-1 {
				t.Errorf("%d rows, %d parts: %d covered, of %d to %d rows", n, shards, next, least, most)
			}
		}
	}
}

// A trainer says what is wrong with its shards.
func TestShardsThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		shards train.Shards
		want   string
	}{
		{train.Shards{}, "the trainer has 0 shards, want at least 1"},
		{train.Shards{Count: 4, Comm: comm.Local(3)[0]}, "4 shards cannot be shared by 3 processes; take a multiple of 3"},
		{train.Shards{Count: 4, Comm: comm.Local(2)[0], Estimators: make([]negative.Estimator, 4)}, "4 estimators for the 2 shards of a process"},
		{train.Shards{Count: 2, Estimators: make([]negative.Estimator, 2), Shares: []float64{1}}, "1 shares for 2 shards"},
	} {
		tr := plain.trainer(t, 1)
		tr.Shards = &c.shards
		if err := tr.Run(context.Background(), 1); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// An update whose draw takes long is left at all processes once they are cancelled, each at its time:
// chains and step are as they were before.
func TestProcessesLeaveTogether(t *testing.T) {
	for _, processes := range []int{1, 2, 4} {
		all := []*comm.Comm{nil}
		if processes > 1 {
			all = comm.Local(processes)
		}
		var wait sync.WaitGroup
		for rank, c := range all {
			wait.Go(func() {
				defer c.Close()
				e := cpu.New(1)
				defer e.Close()
				d := bm.NewDense(e, bm.Restricted(20, 30, false))
				d.Normal(0.1, 1)
				m := bm.New(e, d, false, false)
				s := &train.Shards{Count: 4, Comm: c, Shares: []float64{0.25, 0.25, 0.25, 0.25}}
				for from, to := c.Own(4); from < to; from++ { // a draw of seconds
					s.Estimators = append(s.Estimators, negative.NewPCD(m, 20, 1_000_000, 5))
				}
				tr := &train.Trainer{
					Machine: m, Shards: s, Optimizer: optim.NewSGD(m, 0, 0), Rate: func(float64) float64 { return 0.1 },
					Data: e.Alloc(compute.Int8, 8, 20), BatchSize: 8, Key: 3, LeaveAfter: time.Millisecond,
				}
				e.Spins(tr.Data, 4, 0, 0)
				chains := func() (x []int8) {
					for _, n := range s.Estimators {
						x = append(x, spins(e, n.State()[0].Value)...)
					}
					return x
				}
				before := chains()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				time.AfterFunc(time.Duration(10+40*(processes-rank))*time.Millisecond, cancel) // one after the other
				if err := tr.Run(ctx, 1); !errors.Is(err, context.Canceled) || tr.Step != 0 {
					t.Errorf("rank %d of %d: update %d, %v", rank, processes, tr.Step, err)
				}
				if !slices.Equal(chains(), before) {
					t.Errorf("rank %d of %d: the chains are not as they were", rank, processes)
				}
			})
		}
		wait.Wait()
	}
}
