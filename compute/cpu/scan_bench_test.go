package cpu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mattis/compute"
	"mattis/rng"
)

// A scan beside the two products of its layer, taking turns: medians, and their ratio.
func BenchmarkScanRatio(b *testing.B) {
	const n, k, chains = 4096, 64, 512
	for _, arm := range Arms()[1:] {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", arm, threads), func(b *testing.B) {
				undo, err := Force(arm)
				if err != nil {
					b.Fatal(err)
				}
				defer undo()
				e := New(threads)
				defer e.Close()
				x, s := random(e, compute.Float32, k, n, 1), random(e, compute.Int8, chains, n, 2)
				a, f := e.Alloc(compute.Float32, chains, k), e.Alloc(compute.Float32, chains, n)
				e.Mul(a, s, x, compute.Op{TransB: true, Alpha: 1})
				turns := []func(key rng.Key){
					func(rng.Key) {
						e.Mul(f, a, x, compute.Op{Alpha: 1. / 128})
						e.Mul(a, s, x, compute.Op{TransB: true, Alpha: 1})
					},
					func(key rng.Key) {
						e.Mul(s, a, x, compute.Op{Alpha: 1. / 128, Then: compute.Epilogue{Kind: compute.Spin, Key: key}})
						e.Mul(a, s, x, compute.Op{TransB: true, Alpha: 1})
					},
				}
				for _, order := range []compute.Order{compute.Forward, compute.Backward, compute.AtOnce} {
					op := compute.ScanOp{Patterns: x, Overlap: a, Alpha: 1. / 128, Order: order, Then: compute.Epilogue{Kind: compute.Spin}}
					turns = append(turns, func(key rng.Key) {
						op.Then.Key, op.Normals = key, key.Fold(1)
						e.Scan(s, op)
					})
				}
				times := make([][]float64, len(turns))
				for i := range b.N {
					for j, turn := range turns {
						start := time.Now()
						turn(rng.Key(i))
						times[j] = append(times[j], time.Since(start).Seconds())
					}
				}
				var median []float64
				for _, x := range times {
					slices.Sort(x)
					median = append(median, x[len(x)/2])
				}
				b.ReportMetric(1e3*median[0], "products-ms")
				b.ReportMetric(median[1]/median[0], "spins/products")
				b.ReportMetric(median[2]/median[0], "scan/products")
				b.ReportMetric(median[3]/median[0], "backward/products")
				b.ReportMetric(median[4]/median[0], "atonce/products")
			})
		}
	}
}

// A scan with dense couplings beside the product for its fields.
func BenchmarkScanDense(b *testing.B) {
	const n, chains = 2048, 512
	for _, arm := range Arms()[1:] {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", arm, threads), func(b *testing.B) {
				undo, err := Force(arm)
				if err != nil {
					b.Fatal(err)
				}
				defer undo()
				e := New(threads)
				defer e.Close()
				j, s, f := random(e, compute.Float32, n, n, 1), random(e, compute.Int8, chains, n, 2), e.Alloc(compute.Float32, chains, n)
				op := compute.ScanOp{Dense: j, Alpha: 1. / 64, Then: compute.Epilogue{Kind: compute.Spin}}
				var product, scan []float64
				for i := range b.N {
					start := time.Now()
					e.Mul(f, s, j, compute.Op{Alpha: 1. / 64})
					product = append(product, time.Since(start).Seconds())
					start = time.Now()
					op.Then.Key = rng.Key(i)
					e.Scan(s, op)
					scan = append(scan, time.Since(start).Seconds())
				}
				slices.Sort(product)
				slices.Sort(scan)
				b.ReportMetric(1e3*product[b.N/2], "product-ms")
				b.ReportMetric(scan[b.N/2]/product[b.N/2], "scan/product")
			})
		}
	}
}
