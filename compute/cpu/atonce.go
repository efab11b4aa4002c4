package cpu

import (
	"math"

	"mattis/compute"
)

// scanAtOnce draws the layer given Gaussian auxiliaries. With u = f*A + R + sqrt(f/beta) n, n
// standard normal, the fields are u X and what the offsets add.
func (e *Engine) scanAtOnce(s compute.Matrix, op *compute.ScanOp, f float32) {
	if f < 0 {
		panic("cpu: Scan: AtOnce wants a factor of at least 0")
	}
	u := e.Scratch(compute.Float32, op.Overlap.Rows(), op.Overlap.Cols())
	e.Normals(u, op.Normals, op.Then.Row, 0)
	e.elementwise(vectorTask{kind: auxiliary, dst: u, x: op.Overlap, m: op.Rest, s: op.Then.Scale, a: float64(f)})
	then := op.Then
	if !op.Offset.IsNone() {
		then.Bias = e.Scratch(compute.Float32, 1, s.Cols())
		e.elementwise(vectorTask{kind: selfField, dst: then.Bias, x: op.Offset, m: op.Patterns,
			s: op.Then.Bias, a: float64(f)})
	}
	e.Mul(s, u, op.Patterns, compute.Op{Alpha: 1, Then: then})
	e.overlapOf(s, op)
}

// overlapOf sets the overlap to (s-m) X^T.
func (e *Engine) overlapOf(s compute.Matrix, op *compute.ScanOp) {
	plain := compute.Op{TransB: true, Alpha: 1}
	if !op.Offset.IsNone() {
		plain.Then.Bias = e.Scratch(compute.Float32, 1, op.Patterns.Rows())
		e.Mul(plain.Then.Bias, op.Offset, op.Patterns, compute.Op{TransB: true, Alpha: -1})
	}
	e.Mul(op.Overlap, s, op.Patterns, plain)
}

// auxiliaryRow sets row i of dst, normal numbers, to f*A + R + sqrt(f/beta) * dst, with A in x, R
// in m and beta in s.
func (t *vectorTask) auxiliaryRow(i int) {
	f := float32(t.a)
	width := float32(math.Sqrt(t.a))
	if !t.s.IsNone() {
		width *= widthOf(t.s.Float32s()[i*t.s.Stride()])
	}
	d := row32(t.dst, i)
	for k, a := range row32(t.x, i) {
		d[k] = float32(width*d[k]) + float32(f*a)
	}
	if !t.m.IsNone() {
		combine(d, row32(t.m, i), 1, 1)
	}
}

// selfFieldRow sets the row dst to b_i + f d_i m_i, with m in x, the patterns in m and b, or none,
// in s.
func (t *vectorTask) selfFieldRow(int) {
	d, f := row32(t.dst, 0), float32(t.a)
	clear(d)
	for k := range t.m.Rows() {
		for i, x := range row32(t.m, k) {
			d[i] += float32(x * x)
		}
	}
	for i, m := range row32(t.x, 0) {
		d[i] = float32(f*d[i]) * m
	}
	if !t.s.IsNone() {
		combine(d, row32(t.s, 0), 1, 1)
	}
}
