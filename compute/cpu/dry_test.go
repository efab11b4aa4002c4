package cpu

import (
	"slices"
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
		sameChunks(t, e, d)
	}
}

// sameChunks fails where the dry engine's arena is not that of the engine.
func sameChunks(t *testing.T, e *Engine, d *Dry) {
	t.Helper()
	for i, chunks := range e.arena.chunks {
		var have []int
		for _, b := range chunks {
			have = append(have, len(b.F32)+len(b.F64)+len(b.I8))
		}
		if !slices.Equal(have, d.chunks[i]) {
			t.Errorf("%d threads: chunks of type %d hold %v, the dry ones %v", d.threads, i, have, d.chunks[i])
		}
	}
}

// The same of scans, each on new engines, so that no larger scratch from before hides theirs.
func TestDryCountsScans(t *testing.T) {
	for _, threads := range []int{1, 3} {
		for _, c := range [][3]int{{1, 5, 3}, {100, 70, 300}, {300, 3000, 40}, {200, 400, 2000}} {
			for _, order := range []compute.Order{compute.Forward, compute.Backward, compute.AtOnce} {
				for _, dense := range []bool{false, true} {
					if dense && order == compute.AtOnce {
						continue
					}
					scan := func(e compute.Engine) {
						rows, n, k := c[0], c[1], c[2]
						s, m := e.Alloc(compute.Int8, rows, n), e.Alloc(compute.Float32, 1, n)
						op := compute.ScanOp{Offset: m, Alpha: 1, Order: order, Then: compute.Epilogue{Kind: compute.Spin}}
						if dense {
							op.Dense = e.Alloc(compute.Float32, n, n)
						} else {
							op.Patterns, op.Overlap = e.Alloc(compute.Float32, k, n), e.Alloc(compute.Float32, rows, k)
						}
						e.Scan(s, op)
					}
					e, d := New(threads), NewDry(threads)
					scan(e)
					scan(d)
					sameChunks(t, e, d)
					e.Close()
				}
			}
		}
	}
}
