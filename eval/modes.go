package eval

import (
	"math"

	"mattis/bm"
	"mattis/rng"
)

// leading returns the first left singular vectors of W, at most n of them, by iterating W W^T on a
// random subspace: near enough for looking along, and W of axons is never formed. W stands for all
// couplings of the visible layer beside each other, those with itself among them.
func leading(m *bm.Machine, n int) [][]float64 {
	g, e := m.Graph(), m.Engine()
	visible := g.Layers[bm.Visible].N
	met, first := 0, -1.0
	var parts []func(q []float64) []float64 // W W^T of each pair, but for a common factor
	for i, p := range g.Pairs {
		if p.A != bm.Visible {
			continue
		}
		other := g.Layers[p.B].N
		met += other
		switch c := m.Couplings().(type) {
		case *bm.Axons:
			gain := c.Factor(i)
			if first < 0 {
				first = gain
			}
			scale := (gain / first) * (gain / first)
			v, h := host(e, c.Patterns(p.A).Value).RawMatrix().Data, host(e, c.Patterns(p.B).Value).RawMatrix().Data
			if p.A == p.B {
				parts = append(parts, func(q []float64) []float64 { return scaled(scale, within(v, visible, within(v, visible, q))) })
				continue
			}
			parts = append(parts, func(q []float64) []float64 {
				return scaled(scale, times(v, visible, true, times(h, other, false,
					times(h, other, true, times(v, visible, false, q)))))
			})
		case *bm.Dense:
			w := host(e, c.Weights(i).Value).RawMatrix().Data
			parts = append(parts, func(q []float64) []float64 { return times(w, other, false, times(w, other, true, q)) })
		default:
			return nil
		}
	}
	n = min(n, visible, met)
	gram := func(q []float64) []float64 {
		sum := parts[0](q)
		for _, f := range parts[1:] {
			for i, x := range f(q) {
				sum[i] += x
			}
		}
		return sum
	}
	key := rng.Key(0x6d6f646573)
	vectors := make([][]float64, n)
	for k := range vectors {
		vectors[k] = make([]float64, visible)
		for i := range vectors[k] {
			vectors[k][i] = key.Normal(uint64(k), uint64(i))
		}
	}
	const iterations = 30
	for range iterations {
		for k := range vectors {
			vectors[k] = gram(vectors[k])
		}
		vectors = orthonormal(vectors)
	}
	return vectors
}

// within returns (X^T X - diag) q for patterns x (K x N).
func within(x []float64, n int, q []float64) []float64 {
	y := times(x, n, true, times(x, n, false, q))
	for k := 0; k < len(x); k += n {
		for i, v := range x[k : k+n] {
			y[i] -= v * v * q[i]
		}
	}
	return y
}

// scaled multiplies x by a factor.
func scaled(factor float64, x []float64) []float64 {
	if factor != 1 {
		for i := range x {
			x[i] *= factor
		}
	}
	return x
}

// times returns A x, or A^T x, for the matrix a of so many columns.
func times(a []float64, cols int, transposed bool, x []float64) []float64 {
	rows := len(a) / cols
	if !transposed {
		y := make([]float64, rows)
		for i := range y {
			for j, v := range a[i*cols:][:cols] {
				y[i] += v * x[j]
			}
		}
		return y
	}
	y := make([]float64, cols)
	for i := range rows {
		for j, v := range a[i*cols:][:cols] {
			y[j] += v * x[i]
		}
	}
	return y
}

// orthonormal makes the vectors orthonormal in their order; those that depend on earlier ones are
// left out.
func orthonormal(x [][]float64) [][]float64 {
	var out [][]float64
	for _, v := range x {
		size := norm(v)
		for range 2 {
			for _, u := range out {
				var dot float64
				for i := range v {
					dot += u[i] * v[i]
				}
				for i := range v {
					v[i] -= dot * u[i]
				}
			}
		}
		if left := norm(v); left > 1e-10*size && left > 0 {
			for i := range v {
				v[i] /= left
			}
			out = append(out, v)
		}
	}
	return out
}

func norm(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}
