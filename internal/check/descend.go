package check

import (
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// engineDescend tests that Descend has the bits of products that are formed and moves on them, with terms of spins and of
// weights, shapes of one row or column, around tiles and of several pieces, and that it sees what becomes infinite.
func engineDescend(t *testing.T, e compute.Engine) {
	for _, s := range [][2]int{{0, 3}, {3, 0}, {1, 1}, {3, 50}, {8, 48}, {70, 47}, {131, 530}, {1000, 7}} {
		rows, cols := s[0], s[1]
		of := func(id rng.Key, n, m int) compute.Matrix {
			x := e.Alloc(compute.Float32, n, m)
			e.Normals(x, id, 0, 0)
			return x
		}
		spins := e.Alloc(compute.Int8, 9, rows)
		e.Spins(spins, 1, 0, 0)
		gain := e.Alloc(compute.Float32, 1, 1)
		e.Fill(gain, 0.3)
		for n := range 4 {
			terms := []compute.Outer{
				{A: spins, B: of(2, 9, cols), Op: compute.Op{TransA: true, Alpha: 0.7}},
				{A: of(3, 5, rows), B: of(4, 5, cols), Op: compute.Op{TransA: true, Alpha: -1.3, Weights: of(5, 5, 1), LogGain: gain}},
				{A: spins, B: of(6, 9, cols), Op: compute.Op{TransA: true, Alpha: 0.2, Precision: compute.BF16}},
			}[:n]
			results := func(fused bool) (x, y compute.Matrix, finite bool) {
				x, y = of(7, rows, cols), of(8, rows, cols)
				moves := []compute.Move{{Dst: y, P: 0.5, Q: 0.9}, {Dst: x, X: y, P: -0.1, Q: 1}, {Kind: compute.MoveClip, Dst: x, P: 1.5}}
				if fused {
					return x, y, e.Descend(rows, cols, terms, moves)
				}
				grad := e.Alloc(compute.Float32, rows, cols)
				for _, o := range terms {
					o.Op.Accumulate = true
					e.Mul(grad, o.A, o.B, o.Op)
				}
				compute.Do(e, grad, moves)
				return x, y, true
			}
			x, y, _ := results(false)
			fx, fy, finite := results(true)
			if !finite {
				t.Errorf("Descend of %v: finite parameters are reported as infinite", s)
			}
			for i, pair := range [][2]compute.Matrix{{x, fx}, {y, fy}} {
				want, got := entriesOf(e, pair[0]), entriesOf(e, pair[1])
				for j := range want {
					if math.Float64bits(want[j]) != math.Float64bits(got[j]) {
						t.Fatalf("Descend of %v by %d terms: matrix %d entry %d is %v, want %v", s, n, i, j, got[j], want[j])
					}
				}
			}
		}
	}
	x := e.Alloc(compute.Float32, 70, 9)
	e.Fill(x.Slice(69, 70).Columns(8, 9), math.Inf(1))
	if e.Descend(70, 9, nil, []compute.Move{{Dst: x, P: 1, Q: 1}}) {
		t.Error("Descend reports an infinity as finite")
	}
}
