package train_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/rng"
	"mattis/train"
)

// trainBars trains one instance of the built-in recipe bars for its 300 epochs.
func trainBars(e compute.Engine, seed rng.Key) error {
	a := bm.NewAxons(e, bm.Restricted(16, 1000, false), 8, false)
	a.Bernoulli(1, seed)
	r := bm.New(e, a, false, false)
	x, rows := bars()
	data := e.Alloc(compute.Int8, rows, 16)
	compute.Write(e, data, x)
	t := &train.Trainer{
		Machine: r, Negative: negative.NewPID(r, a, nil), Optimizer: optim.NewSGD(r, 0, 0),
		Rate: optim.Schedule{Rate: 0.02, Factor: 0.96, Floor: 1e-5}.At, Data: data, BatchSize: 3, Short: train.Share, Key: seed.Fold(1),
		AfterEpoch: []optim.Projection{optim.Sign{Machine: r, Axons: a}},
	}
	return t.Run(context.Background(), 300)
}

// BenchmarkBars100 trains 100 instances side by side, each on an engine of one thread.
func BenchmarkBars100(b *testing.B) {
	for range b.N {
		var next atomic.Int64
		var wait sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wait.Go(func() {
				for seed := next.Add(1); seed <= 100; seed = next.Add(1) {
					e := cpu.New(1)
					if err := trainBars(e, rng.Key(seed)); err != nil {
						b.Error(err)
					}
					e.Close()
				}
			})
		}
		wait.Wait()
	}
}
