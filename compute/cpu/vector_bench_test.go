package cpu

import (
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// Vector kernels on matrices that leave the second cache: what counts is bytes a second.
func BenchmarkVector(b *testing.B) {
	const rows, cols = 200, 3000
	for _, c := range []struct {
		name  string
		bytes int // that one entry moves
		call  func(e *Engine, d, x, y, z, s, sum compute.Matrix)
	}{
		{"axpby", 12, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Axpby(d, 0.5, x, 0.5) }},
		{"axpby-spins", 9, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Axpby(d, 0.5, s, 0.5) }},
		{"adam", 28, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Adam(d, x, y, z, 0.9, 0.99, 0.01, 1, 1e-8) }},
		{"clip", 8, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Clip(d, 1) }},
		{"sign", 5, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Sign(s, x) }},
		{"normals", 4, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Normals(d, 1, 2, 3) }},
		{"coins", 1, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Spins(s, 1, 2, 3) }},
		{"rowdot", 8, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.RowDot(sum, 1, x, y) }},
		{"rowdot-spins", 5, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.RowDot(sum, 1, x, s) }},
		{"finite", 4, func(e *Engine, d, x, y, z, s, sum compute.Matrix) { e.Finite(x) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			onArmsB(b, func(b *testing.B, e *Engine) {
				m := func(key rng.Key) compute.Matrix { return random(e, compute.Float32, rows, cols, key) }
				d, x, y, z := m(1), m(2), m(3), m(4)
				s, sum := random(e, compute.Int8, rows, cols, 5), e.Alloc(compute.Float64, rows, 1)
				b.SetBytes(rows * cols * int64(c.bytes))
				for b.Loop() {
					c.call(e, d, x, y, z, s, sum)
				}
			})
		})
	}
}
