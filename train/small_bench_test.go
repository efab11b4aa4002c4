package train_test

import (
	"fmt"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/train"
)

// BenchmarkSmallBatch is an update of V = 784, H = 500, both biases, PCD-1 with as many chains as rows, SGD: what scikit-learn's
// BernoulliRBM does. offset is machine.offset: mean is the default from Python, off makes its gradients those of BernoulliRBM.
//
//	go test -run '^$' -bench SmallBatch ./train
func BenchmarkSmallBatch(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, rows := range []int{10, 100} {
			for _, patterns := range []int{0, 64} {
				for _, offset := range []string{"none", "mean", "off"} {
					for _, precision := range []compute.Precision{compute.Single, compute.BF16} {
						kind := "dense"
						if patterns > 0 {
							kind = "axons"
						}
						b.Run(fmt.Sprintf("%s/rows=%d/offset=%s/%v/threads=%d", kind, rows, offset, precision, threads), func(b *testing.B) {
							smallBatch(b, threads, rows, patterns, offset, precision)
						})
					}
				}
			}
		}
	}
}

func smallBatch(b *testing.B, threads, rows, patterns int, offset string, precision compute.Precision) {
	e := cpu.New(threads)
	defer e.Close()
	g := bm.Restricted(784, 500, offset != "none")
	if offset == "off" {
		for l := range g.Layers {
			g.Layers[l].Offset, g.Layers[l].Off = true, true
		}
	}
	var c bm.Couplings
	if patterns > 0 {
		a := bm.NewAxons(e, g, patterns, false)
		a.Uniform(0.1, 1)
		c = a
	} else {
		d := bm.NewDense(e, g)
		d.Normal(0.01, 1)
		c = d
	}
	m := bm.New(e, c, true, true)
	data := e.Alloc(compute.Int8, 100*rows, 784)
	e.Spins(data, 2, 0, 0)
	t := &train.Trainer{Machine: m, Negative: negative.NewPCD(m, rows, 1, 4), Optimizer: optim.NewSGD(m, 0, 0),
		Rate: func(float64) float64 { return 1e-4 }, Data: data, BatchSize: rows, Short: train.Share, Key: 3, Precision: precision}
	run := func(epochs int) {
		if err := t.Run(b.Context(), epochs); err != nil {
			b.Fatal(err)
		}
	}
	run(1)
	b.ReportAllocs()
	epochs := b.N/100 + 1
	b.ResetTimer()
	run(1 + epochs)
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(100*epochs), "µs/update")
	b.ReportMetric(0, "ns/op")
}
