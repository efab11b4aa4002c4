package cpu

import (
	"fmt"
	"math"

	"mattis/compute"
	"mattis/rng"
)

// vectorTask is elementwise work; a piece is a fixed number of rows of dst.
type vectorTask struct {
	kind      vectorKind
	dst, x    compute.Matrix
	m, s      compute.Matrix
	a, b      float64
	adam      [5]float32 // beta1, beta2, step, correction, eps
	key       rng.Key
	row, col  uint64
	pieceRows int
}

type vectorKind uint8

const (
	axpby vectorKind = iota
	adam
	clip
	sign
	coins
)

// pieceEntries is about how many entries one piece holds.
const pieceEntries = 1 << 15

func (e *Engine) elementwise(t vectorTask) {
	if t.dst.Len() == 0 {
		return
	}
	t.pieceRows = max(4, pieceEntries/t.dst.Cols()&^3)
	e.vector = t
	e.pool.run(&e.vector, (t.dst.Rows()+t.pieceRows-1)/t.pieceRows, e.pool.threads)
}

func (t *vectorTask) do(_, piece int) {
	first := piece * t.pieceRows
	for i := first; i < min(first+t.pieceRows, t.dst.Rows()); i++ {
		switch t.kind {
		case axpby:
			axpbyRow(t.dst, t.x, i, t.a, t.b)
		case adam:
			adamRow(row32(t.dst, i), row32(t.x, i), row32(t.m, i), row32(t.s, i), t.adam)
		case clip:
			clipRow(row32(t.dst, i), float32(t.a))
		case sign:
			signRow(t.dst, t.x, i)
		case coins:
			d := row8(t.dst, i)
			for j := range d {
				d[j] = compute.SpinOf(0, compute.SpinUniform(t.key.Uint32(t.row+uint64(i), t.col+uint64(j))))
			}
		}
	}
}

func row32(m compute.Matrix, i int) []float32 { return m.Float32s()[i*m.Stride():][:m.Cols()] }
func row64(m compute.Matrix, i int) []float64 { return m.Float64s()[i*m.Stride():][:m.Cols()] }
func row8(m compute.Matrix, i int) []int8     { return m.Int8s()[i*m.Stride():][:m.Cols()] }

// Axpby sets dst = a*x + b*dst.
func (e *Engine) Axpby(dst compute.Matrix, a float64, x compute.Matrix, b float64) {
	if !dst.SameShape(x) || dst.Type() == compute.Int8 {
		panic(fmt.Sprintf("cpu: Axpby of %v to %v", x, dst))
	}
	e.elementwise(vectorTask{kind: axpby, dst: dst, x: x, a: a, b: b})
}

func axpbyRow(dst, x compute.Matrix, i int, a, b float64) {
	if dst.Type() == compute.Float64 {
		axpbyFrom(row64(dst, i), x, i, a, b)
	} else {
		axpbyFrom(row32(dst, i), x, i, float32(a), float32(b))
	}
}

func axpbyFrom[T float32 | float64](d []T, x compute.Matrix, i int, a, b T) {
	switch x.Type() {
	case compute.Float32:
		combine(d, row32(x, i), a, b)
	case compute.Float64:
		combine(d, row64(x, i), a, b)
	case compute.Int8:
		combine(d, row8(x, i), a, b)
	}
}

func combine[T float32 | float64, S float32 | float64 | int8](d []T, x []S, a, b T) {
	switch {
	case a == 0 && b == 0:
		clear(d)
	case a == 0:
		for j := range d {
			d[j] *= b
		}
	case b == 0:
		for j, v := range x {
			d[j] = a * T(v)
		}
	default:
		for j, v := range x {
			d[j] = a*T(v) + b*d[j]
		}
	}
}

// Adam moves dst by one step; see compute.Arithmetic.
func (e *Engine) Adam(dst, grad, m, s compute.Matrix, beta1, beta2, step, correction, eps float32) {
	for _, x := range [...]compute.Matrix{grad, m, s} {
		if !dst.SameShape(x) {
			panic(fmt.Sprintf("cpu: Adam of %v and %v", dst, x))
		}
	}
	e.elementwise(vectorTask{kind: adam, dst: dst, x: grad, m: m, s: s, adam: [5]float32{beta1, beta2, step, correction, eps}})
}

func adamRow(d, g, m, s []float32, p [5]float32) {
	for j, x := range g {
		m[j] = p[0]*m[j] + (1-p[0])*x
		s[j] = p[1]*s[j] + (1-p[1])*x*x
		d[j] -= p[2] * m[j] / (float32(math.Sqrt(float64(s[j]/p[3]))) + p[4])
	}
}

// Clip moves every entry of dst into [-bound, bound].
func (e *Engine) Clip(dst compute.Matrix, bound float32) {
	e.elementwise(vectorTask{kind: clip, dst: dst, a: float64(bound)})
}

func clipRow(d []float32, bound float32) {
	for j, x := range d {
		if x > bound {
			d[j] = bound
		} else if x < -bound {
			d[j] = -bound
		}
	}
}

// Sign sets dst to the signs of src.
func (e *Engine) Sign(dst, src compute.Matrix) {
	if !dst.SameShape(src) || dst.Type() == compute.Float64 || src.Type() != compute.Float32 {
		panic(fmt.Sprintf("cpu: Sign of %v to %v", src, dst))
	}
	e.elementwise(vectorTask{kind: sign, dst: dst, x: src})
}

func signRow(dst, src compute.Matrix, i int) {
	s := row32(src, i)
	if dst.Type() == compute.Int8 {
		signs(row8(dst, i), s)
	} else {
		signs(row32(dst, i), s)
	}
}

func signs[T int8 | float32](d []T, s []float32) {
	for j, x := range s {
		d[j] = 1
		if x < 0 {
			d[j] = -1
		}
	}
}

// Spins sets dst to fair coins.
func (e *Engine) Spins(dst compute.Matrix, key rng.Key, row, col uint64) {
	e.elementwise(vectorTask{kind: coins, dst: dst, key: key, row: row, col: col})
}
