package cpu

import (
	"fmt"
	"math"
	"unsafe"

	"mattis/compute"
	"mattis/rng"
)

// vectorTask is elementwise work; a piece is a fixed number of rows of dst.
type vectorTask struct {
	e         *Engine
	kind      vectorKind
	dst, x    compute.Matrix
	m, s      compute.Matrix
	a, b      float64
	adam      [7]float32 // beta1, 1-beta1, beta2, 1-beta2, step, correction, eps
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
	fill
	hadamard
	auxiliary // from here on rows are as they are given
	selfField
	coins
	normals
)

// pieceEntries is about how many entries one piece holds; fewer than sharedEntries are no work for
// more than one thread.
const (
	pieceEntries  = 1 << 15
	sharedEntries = 4 * pieceEntries
)

func (e *Engine) elementwise(t vectorTask) {
	if t.dst.Len() == 0 {
		return
	}
	t.e = e
	if t.kind < auxiliary && (t.m.IsNone() || t.m.SameShape(t.dst)) {
		t.flatten()
	}
	t.pieceRows = max(4, pieceEntries/t.dst.Cols()&^3)
	e.vector = t
	threads := e.pool.threads
	if t.dst.Len() < sharedEntries && t.kind < coins {
		threads = 1
	}
	e.pool.run(&e.vector, ceil(t.dst.Rows(), t.pieceRows), threads)
}

// flatten cuts contiguous operands into rows of another length, so that narrow
// matrices fill vectors and one long row serves all threads.
func (t *vectorTask) flatten() {
	if n := t.dst.Len(); n%flatCols == 0 {
		t.reshape(n/flatCols, flatCols)
	} else if n < pieceEntries {
		t.reshape(1, n)
	}
}

// flatCols is the length of a row of a flattened matrix.
const flatCols = 1024

func (t *vectorTask) reshape(rows, cols int) {
	for _, m := range [...]compute.Matrix{t.dst, t.x, t.m, t.s} {
		if !m.IsNone() && m.Rows() > 1 && m.Stride() != m.Cols() {
			return
		}
	}
	for _, m := range [...]*compute.Matrix{&t.dst, &t.x, &t.m, &t.s} {
		if !m.IsNone() {
			*m = m.Reshape(rows, cols)
		}
	}
}

func (t *vectorTask) do(worker, piece int) {
	first := piece * t.pieceRows
	last := min(first+t.pieceRows, t.dst.Rows())
	if t.kind >= coins {
		t.draw(worker, first, last)
		return
	}
	for i := first; i < last; i++ {
		switch t.kind {
		case axpby:
			t.axpbyRow(i)
		case adam:
			t.adamRow(row32(t.dst, i), row32(t.x, i), row32(t.m, i), row32(t.s, i))
		case clip:
			t.clipRow(row32(t.dst, i), float32(t.a))
		case sign:
			t.signRow(i)
		case fill:
			t.fillRow(i)
		case hadamard:
			t.hadamardRow(i)
		case auxiliary:
			t.auxiliaryRow(i)
		case selfField:
			t.selfFieldRow(i)
		}
	}
}

// whole returns the kernels and how many of n entries they can take.
func (e *Engine) whole(n int) (*vectorKernels, int) {
	if k := e.kernels; k.vectors != nil && n >= k.lanes {
		return k.vectors, n &^ (k.lanes - 1)
	}
	return nil, 0
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

func (t *vectorTask) axpbyRow(i int) {
	if t.dst.Type() == compute.Float64 {
		axpbyFrom(row64(t.dst, i), t.x, i, t.a, t.b)
		return
	}
	d, a, b := row32(t.dst, i), float32(t.a), float32(t.b)
	v, n := t.e.whole(len(d))
	if n == 0 || a == 0 && b == 0 || t.x.Type() == compute.Float64 {
		axpbyFrom(d, t.x, i, a, b)
		return
	}
	if a == 0 { // d = b*d
		v.scale(&d[0], &d[0], uintptr(n), b)
		combine(d[n:], d[n:], b, 0)
		return
	}
	if t.x.Type() == compute.Int8 {
		x := row8(t.x, i)
		if b == 0 {
			v.scaleSpins(&d[0], &x[0], uintptr(n), a)
		} else {
			v.combineSpins(&d[0], &x[0], uintptr(n), a, b)
		}
		combine(d[n:], x[n:], a, b)
		return
	}
	x := row32(t.x, i)
	if b == 0 {
		v.scale(&d[0], &x[0], uintptr(n), a)
	} else {
		v.combine(&d[0], &x[0], uintptr(n), a, b)
	}
	combine(d[n:], x[n:], a, b)
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

// Fill sets every entry of dst to x.
func (e *Engine) Fill(dst compute.Matrix, x float64) {
	e.elementwise(vectorTask{kind: fill, dst: dst, a: x})
}

func (t *vectorTask) fillRow(i int) {
	switch t.dst.Type() {
	case compute.Float32:
		fillWith(row32(t.dst, i), float32(t.a))
	case compute.Float64:
		fillWith(row64(t.dst, i), t.a)
	case compute.Int8:
		fillWith(row8(t.dst, i), int8(t.a))
	}
}

func fillWith[T compute.Entry](d []T, x T) {
	if x == 0 {
		clear(d)
		return
	}
	for j := range d {
		d[j] = x
	}
}

// Hadamard sets dst = x o y; see compute.Arithmetic.
func (e *Engine) Hadamard(dst, x, y compute.Matrix) {
	column := y.Cols() == 1 && y.Rows() == dst.Rows()
	if !dst.SameShape(x) || !dst.SameShape(y) && !column || dst.Type() != compute.Float32 ||
		x.Type() == compute.Float64 || y.Type() == compute.Float64 {
		panic(fmt.Sprintf("cpu: Hadamard of %v and %v to %v", x, y, dst))
	}
	e.elementwise(vectorTask{kind: hadamard, dst: dst, x: x, m: y})
}

func (t *vectorTask) hadamardRow(i int) {
	d := row32(t.dst, i)
	if t.m.Cols() == 1 { // one factor for the row
		var f float32
		if t.m.Type() == compute.Int8 {
			f = float32(row8(t.m, i)[0])
		} else {
			f = row32(t.m, i)[0]
		}
		axpbyFrom(d, t.x, i, f, 0)
		return
	}
	if t.x.Type() == compute.Int8 {
		timesFrom(d, row8(t.x, i), t.m, i)
	} else {
		timesFrom(d, row32(t.x, i), t.m, i)
	}
}

func timesFrom[T float32 | int8](d []float32, x []T, y compute.Matrix, i int) {
	if y.Type() == compute.Int8 {
		times(d, x, row8(y, i))
	} else {
		times(d, x, row32(y, i))
	}
}

func times[T, S float32 | int8](d []float32, x []T, y []S) {
	for j, v := range x {
		d[j] = float32(v) * float32(y[j])
	}
}

// Adam moves dst by one step; see compute.Arithmetic.
func (e *Engine) Adam(dst, grad, m, s compute.Matrix, beta1, beta2, step, correction, eps float32) {
	for _, x := range [...]compute.Matrix{grad, m, s} {
		if !dst.SameShape(x) {
			panic(fmt.Sprintf("cpu: Adam of %v and %v", dst, x))
		}
	}
	e.elementwise(vectorTask{kind: adam, dst: dst, x: grad, m: m, s: s, adam: [7]float32{beta1, 1 - beta1, beta2, 1 - beta2, step, correction, eps}})
}

func (t *vectorTask) adamRow(d, g, m, s []float32) {
	p := &t.adam
	v, n := t.e.whole(len(d))
	if n > 0 {
		v.adam(&d[0], &g[0], &m[0], &s[0], uintptr(n), &p[0])
	}
	for j := n; j < len(d); j++ {
		x := g[j]
		m[j] = float32(p[0]*m[j]) + float32(p[1]*x)
		s[j] = float32(p[2]*s[j]) + float32(float32(p[3]*x)*x)
		d[j] -= float32(p[4]*m[j]) / (float32(math.Sqrt(float64(s[j]/p[5]))) + p[6])
	}
}

// Clip moves every entry of dst into [-bound, bound].
func (e *Engine) Clip(dst compute.Matrix, bound float32) {
	e.elementwise(vectorTask{kind: clip, dst: dst, a: float64(bound)})
}

func (t *vectorTask) clipRow(d []float32, bound float32) {
	if v, n := t.e.whole(len(d)); n > 0 {
		v.clip(&d[0], uintptr(n), bound)
		d = d[n:]
	}
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

func (t *vectorTask) signRow(i int) {
	x := row32(t.x, i)
	v, n := t.e.whole(len(x))
	if t.dst.Type() == compute.Int8 {
		d := row8(t.dst, i)
		if n > 0 {
			v.signSpins(&d[0], &x[0], uintptr(n))
		}
		signs(d[n:], x[n:])
		return
	}
	d := row32(t.dst, i)
	if n > 0 {
		v.sign(&d[0], &x[0], uintptr(n))
	}
	signs(d[n:], x[n:])
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

// Normals sets dst to standard normal numbers.
func (e *Engine) Normals(dst compute.Matrix, key rng.Key, row, col uint64) {
	if dst.Type() != compute.Float32 {
		panic(fmt.Sprintf("cpu: Normals of %v", dst))
	}
	e.elementwise(vectorTask{kind: normals, dst: dst, key: key, row: row, col: col})
}

// draw draws rows [first, last): spins of field 0 or numbers of mean 0.
func (t *vectorTask) draw(worker, first, last int) {
	k := t.e.kernels
	d := drawing{w: &t.e.workers[worker], row: t.row, col: t.col, m: t.dst.Cols(), stride: t.dst.Stride()}
	if t.kind == coins {
		d.kernel, d.dst8 = k.spin, t.dst.Int8s()
	} else {
		d.kernel, d.dst32 = k.normal, t.dst.Float32s()
	}
	x := &d.w.tile
	x.y, x.factor, x.keys = unsafe.Pointer(&noField), 1, philoxKeys(uint64(t.key))
	for i := range x.scale {
		x.scale[i] = 1
	}
	lead := int((t.row + uint64(first)) % 4)
	for top := first - lead; top < last; top += 4 {
		lo, hi := max(0, first-top), min(4, last-top)
		for c0 := 0; c0 < d.m; c0 += k.cols() {
			valid := min(k.cols(), d.m-c0)
			x.rows, x.columns = 4, round(valid, k.lanes)
			d.tile(lo, hi, top, c0, valid)
		}
	}
	*x = tile{}
}

// noField is a tile of zeros.
var noField [tileMax]float32
