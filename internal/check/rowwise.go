package check

import (
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// engineRowwise fails where a row of a product, or its sum of log 2cosh, has other bits beside other
// rows than alone, on an engine that works rowwise: shapes with long sums, and with so many columns
// that few rows are cut across them.
func engineRowwise(t *testing.T, e compute.Engine) {
	defer e.Rowwise(e.Rowwise(true))
	for id, s := range [][2]int{{700, 2100}, {1200, 90}, {9, 5000}, {49, 3}} {
		cols, sum := s[0], s[1]
		const rows = 150
		random := func(id rng.Key) func(i, j int) float64 {
			return func(i, j int) float64 { return float64(id.Uniform(uint64(i), uint64(j))) - 0.5 }
		}
		for _, kind := range []compute.Type{compute.Float32, compute.Int8} {
			of := random(1)
			if kind == compute.Int8 {
				of = func(i, j int) float64 { return math.Copysign(1, random(1)(i, j)) }
			}
			a := newOperand(e, kind, rows, sum, of)
			b := newOperand(e, compute.Float32, sum, cols, random(2))
			run := func(from, to int) ([]float64, []float64) {
				n := to - from
				dst, cosh := e.Alloc(compute.Float32, n, cols), e.Alloc(compute.Float64, n, 1)
				e.Mul(dst, a.m.Slice(from, to), b.m, compute.Op{Alpha: 1, Then: compute.Epilogue{LogCosh: cosh}})
				return entriesOf(e, dst), entriesOf(e, cosh)
			}
			whole, sums := run(0, rows)
			for _, n := range []int{1, 3, 9, 33, 129} {
				from := (7*n + id) % (rows - n)
				part, own := run(from, from+n)
				for i := range n {
					for j := range cols {
						if x, y := part[i*cols+j], whole[(from+i)*cols+j]; x != y {
							t.Fatalf("%d rows of %d from %d on, %v: row %d, column %d is %v, beside others %v", n, rows, from, s, i, j, x, y)
						}
					}
					if own[i] != sums[from+i] {
						t.Fatalf("%d rows of %d from %d on, %v: log 2cosh of row %d is %v, beside others %v", n, rows, from, s, i, own[i], sums[from+i])
					}
				}
			}
		}
	}
}
