package cpu

import (
	"testing"

	"mattis/compute"
)

// The dry engine's arena has the chunks that the engine's has after the same products, draws and scratch of every size and
// order: a plan that is cut otherwise, scratch that is not counted, and a chunk that grows otherwise fail.
func TestDryCountsTheArena(t *testing.T) {
	for _, threads := range []int{1, 3} {
		e, d := New(threads), NewDry(threads)
		defer e.Close()
		for _, s := range []struct{ n, l, m int }{{1, 1, 1}, {7, 300, 40}, {600, 20, 3000}, {8, 5000, 33}, {2000, 100, 700}, {3, 9, 4000}, {40, 2100, 300}} {
			for _, kind := range []compute.Kind{compute.Store, compute.Tanh, compute.Spin, compute.Discard} {
				for _, of := range []compute.Type{compute.Float32, compute.Int8} {
					for _, trans := range []bool{false, true} {
						if trans && kind != compute.Store || of == compute.Int8 && kind > compute.Tanh {
							continue // the plan looks at one of these at a time
						}
						product := func(e compute.Engine) {
							mark := e.Mark()
							result := compute.Float32
							if kind == compute.Spin {
								result = compute.Int8
							}
							rows, cols := s.n, s.l
							if trans {
								rows, cols = cols, rows
							}
							a, b := e.Scratch(of, rows, cols), e.Scratch(compute.Float32, s.l, s.m)
							dst := e.Scratch(result, s.n, s.m)
							op := compute.Op{TransA: trans, Alpha: 1, Then: compute.Epilogue{Kind: kind}}
							if kind != compute.Store {
								op.Then.LogCosh = e.Scratch(compute.Float64, s.n, 1)
							}
							e.Mul(dst, a, b, op)
							e.Release(mark)
						}
						product(e)
						product(d)
					}
				}
			}
		}
		means := func(e compute.Engine) {
			mark := e.Mark()
			a, b, w := e.Scratch(compute.Float32, 300, 500), e.Scratch(compute.Float32, 4000, 500), e.Scratch(compute.Float32, 300, 4000)
			for _, m := range []compute.Matrix{a, b, w} {
				e.Fill(m, 0)
			}
			e.Pairs(e.Scratch(compute.Float64, 300, 4000), a, b, compute.Matrix{}, compute.PairLogCosh)
			e.PairMeans(e.Scratch(compute.Float32, 300, 500), e.Scratch(compute.Float32, 4000, 500), a, b, w)
			e.Release(mark)
		}
		means(e)
		means(d)
		for _, c := range [][3]int{{1, 5, 3}, {100, 70, 300}, {500, 3000, 40}} {
			for _, order := range []compute.Order{compute.Forward, compute.Backward, compute.AtOnce} {
				scan := func(e compute.Engine) {
					mark := e.Mark()
					rows, n, k := c[0], c[1], c[2]
					s, x, a := e.Scratch(compute.Int8, rows, n), e.Scratch(compute.Float32, k, n), e.Scratch(compute.Float32, rows, k)
					m, j := e.Scratch(compute.Float32, 1, n), e.Scratch(compute.Float32, min(n, 100), min(n, 100))
					op := compute.ScanOp{Patterns: x, Overlap: a, Offset: m, Alpha: 1, Order: order, Then: compute.Epilogue{Kind: compute.Spin}}
					e.Spins(s, 1, 0, 0)
					for _, m := range []compute.Matrix{x, a, m, j} {
						e.Fill(m, 0)
					}
					e.Scan(s, op)
					if order != compute.AtOnce {
						op.Patterns, op.Overlap, op.Offset, op.Dense = compute.Matrix{}, compute.Matrix{}, compute.Matrix{}, j
						e.Scan(s.Columns(0, j.Cols()), op)
					}
					e.Release(mark)
				}
				scan(e)
				scan(d)
			}
		}
		for i, chunks := range e.arena.chunks {
			var have []int
			for _, b := range chunks {
				have = append(have, len(b.F32)+len(b.F64)+len(b.I8))
			}
			if len(have) != len(d.chunks[i]) {
				t.Fatalf("%d threads: chunks of type %d hold %v, the dry ones %v", threads, i, have, d.chunks[i])
			}
			for j := range have {
				if have[j] != d.chunks[i][j] {
					t.Errorf("%d threads: chunks of type %d hold %v, the dry ones %v", threads, i, have, d.chunks[i])
					break
				}
			}
		}
	}
}
