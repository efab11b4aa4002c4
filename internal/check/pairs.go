package check

import (
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// enginePairs tests the sums over pairs of rows: Pairs of both kinds, with and without counts, and
// PairMeans.
func enginePairs(t *testing.T, e compute.Engine) {
	for _, s := range [][3]int{{0, 2, 3}, {2, 0, 3}, {2, 3, 0}, {1, 1, 1}, {3, 5, 17}, {7, 2, 40}, {4, 33, 9}} {
		p, q, n := s[0], s[1], s[2]
		for _, size := range []float64{0.5, 30, 2000} { // small fields, and such as leave exponentials no room
			drawn := func(id rng.Key, kind compute.Type, rows, cols int, size float64) operand {
				return newOperand(e, kind, rows, cols, func(i, j int) float64 { return size * id.Normal(uint64(i), uint64(j)) })
			}
			a, b := drawn(1, compute.Float32, p, n, size), drawn(2, compute.Float32, q, n, size)
			all := math.Sqrt(float64(n)) + float64(n)*(size+1) // what the terms of a sum may amount to
			for _, counted := range []bool{false, true} {
				var counts operand
				if counted {
					counts = newOperand(e, compute.Float32, 1, n, func(_, j int) float64 { return float64(j % 4) })
				}
				for _, f := range []compute.PairKind{compute.PairLogCosh, compute.PairAbs} {
					d := drawn(3, compute.Float64, p, q, 1)
					e.Pairs(d.m, a.m, b.m, counts.m, f)
					for _, o := range []operand{a, b, counts} {
						o.guarded(t, e, "Pairs", true)
					}
					d.guarded(t, e, "Pairs", false)
					for i, g := range entriesOf(e, d.m) {
						want := d.values[i/q][i%q]
						for j := range n {
							x := math.Abs(a.values[i/q][j] + b.values[i%q][j])
							if f == compute.PairLogCosh {
								x += math.Log1p(math.Exp(-2 * x))
							}
							if counted {
								x *= counts.values[0][j]
							}
							want += x
						}
						if !(math.Abs(g-want) <= 1e-14*4*(1+all)) {
							t.Fatalf("Pairs %v, size %g, kind %d, counts %v: entry %d is %v, want %v", s, size, f, counted, i, g, want)
						}
					}
				}
			}
			w := drawn(4, compute.Float32, p, q, 1)
			sums := [2]operand{drawn(5, compute.Float32, p, n, 1), drawn(6, compute.Float32, q, n, 1)}
			want := [2]grid{}
			for k, o := range sums {
				for _, row := range o.values {
					want[k] = append(want[k], append([]float64(nil), row...))
				}
			}
			for i := range p {
				for j := range q {
					for l := range n {
						x := w.values[i][j] * math.Tanh(a.values[i][l]+b.values[j][l])
						want[0][i][l] += x
						want[1][j][l] += x
					}
				}
			}
			e.PairMeans(sums[0].m, sums[1].m, a.m, b.m, w.m)
			for _, o := range []operand{a, b, w} {
				o.guarded(t, e, "PairMeans", true)
			}
			for k, o := range sums {
				o.guarded(t, e, "PairMeans", false)
				for i, g := range entriesOf(e, o.m) {
					// float32 fields of this size are off by size*2^-23 and so much is tanh; so is
					// every partial sum.
					if x := want[k][i/n][i%n]; !(math.Abs(g-x) <= 0x1p-22*float64(p+q+4)*(1+math.Min(size, 8))) {
						t.Fatalf("PairMeans %v, size %g: sum %d, entry %d is %v, want %v", s, size, k, i, g, x)
					}
				}
			}
		}
	}
}
