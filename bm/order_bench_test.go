package bm

import (
	"fmt"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
)

// BenchmarkOrder forces each contraction order of axons at the paper's MNIST
// size; the table of docs/decisions/0007-contraction-order.md is made of it.
func BenchmarkOrder(b *testing.B) {
	const v, h, rows = 784, 3000, 4000
	for i := range 16 {
		k, precision := []int{100, 200, 400, 500, 600, 700, 800, 1200}[i%8], compute.Precision(i/8)
		e := cpu.New(0)
		a := NewAxons(e, Restricted(v, h, false), k, false)
		a.Uniform(1, 1)
		a.SetPrecision(precision)
		x, y := e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Int8, rows, h)
		e.Spins(x, 2, 0, 0)
		o := a.order()
		time := func(name string, ops float64, f func()) {
			b.Run(fmt.Sprintf("%v/%d/%s", precision, k, name), func(b *testing.B) {
				for b.Loop() {
					mark := e.Mark()
					f()
					e.Release(mark)
				}
				s := b.Elapsed().Seconds() / float64(b.N)
				b.ReportMetric(s*1e3, "ms")
				b.ReportMetric(2*ops/s/1e9, "GFLOP/s")
			})
		}
		for _, byW := range []bool{false, true} {
			time(fmt.Sprintf("fields/byW=%v", byW), o.fields(rows, byW), func() {
				from := [1]Overlap{{Layer: Visible, X: x}}
				if !byW {
					from[0].A = a.overlap(Overlap{Layer: Visible, X: x})
				}
				a.Fields(y, from[:], Hidden, compute.Epilogue{Kind: compute.Spin})
			})
		}
		for _, way := range [][2]bool{{false, false}, {false, true}, {true, true}} {
			time(fmt.Sprintf("phase/byW=%v,byG=%v", way[0], way[1]), o.fields(rows, way[0])+o.gradients(rows, way[1]), func() {
				a.marginalPhase(x, compute.Matrix{}, compute.Matrix{}, compute.Matrix{}, 1e-9, way[0], way[1])
			})
		}
		e.Close()
	}
}
