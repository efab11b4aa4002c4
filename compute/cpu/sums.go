package cpu

import (
	"fmt"
	"sync/atomic"

	"mattis/compute"
)

// sumTask is RowDot; a piece is a fixed number of rows.
type sumTask struct {
	e         *Engine
	dst, x, y compute.Matrix
	alpha     float64
	pieceRows int
}

// RowDot sets dst[i] += alpha * sum_j x[i,j]*y[i,j] in float64.
func (e *Engine) RowDot(dst compute.Matrix, alpha float64, x, y compute.Matrix) {
	if !x.SameShape(y) || dst.Rows() != x.Rows() || dst.Cols() != 1 || dst.Type() != compute.Float64 {
		panic(fmt.Sprintf("cpu: RowDot of %v and %v to %v", x, y, dst))
	}
	if x.Len() == 0 {
		return
	}
	e.sums = sumTask{e: e, dst: dst, x: x, y: y, alpha: alpha, pieceRows: max(1, pieceEntries/x.Cols())}
	e.pool.run(&e.sums, (x.Rows()+e.sums.pieceRows-1)/e.sums.pieceRows, e.pool.threads)
}

func (t *sumTask) do(worker, piece int) {
	first := piece * t.pieceRows
	for i := first; i < min(first+t.pieceRows, t.x.Rows()); i++ {
		t.dst.Float64s()[i*t.dst.Stride()] += t.alpha * t.dotRow(worker, i)
	}
}

func (t *sumTask) dotRow(worker, i int) float64 {
	x, y := t.x, t.y
	if x.Type() == compute.Int8 || x.Type() == compute.Float64 {
		x, y = y, x
	}
	if v, n := t.e.whole(x.Cols()); n > 0 && x.Type() == compute.Float32 && y.Type() != compute.Float64 {
		f, sums := row32(x, i), &t.e.workers[worker].sums
		*sums = [8]float64{}
		if y.Type() == compute.Int8 {
			s := row8(y, i)
			v.dotSpins(sums, &f[0], &s[0], uintptr(n))
			return foldSums(sums) + dot(f[n:], s[n:])
		}
		g := row32(y, i)
		v.dot(sums, &f[0], &g[0], uintptr(n))
		return foldSums(sums) + dot(f[n:], g[n:])
	}
	switch x.Type() {
	case compute.Float32:
		return dotFrom(row32(x, i), y, i)
	case compute.Float64:
		return dotFrom(row64(x, i), y, i)
	}
	return dotFrom(row8(x, i), y, i)
}

func dotFrom[T float32 | float64 | int8](x []T, y compute.Matrix, i int) float64 {
	switch y.Type() {
	case compute.Float32:
		return dot(x, row32(y, i))
	case compute.Float64:
		return dot(x, row64(y, i))
	}
	return dot(x, row8(y, i))
}

func dot[T, S float32 | float64 | int8](x []T, y []S) float64 {
	var s float64
	for j, v := range x {
		s += float64(v) * float64(y[j])
	}
	return s
}

// foldSums adds up eight sums in a fixed order.
func foldSums(c *[8]float64) float64 {
	return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]))
}

// Finite reports whether all entries are finite numbers.
func (e *Engine) Finite(x compute.Matrix) bool {
	if x.Len() == 0 {
		return true
	}
	t := &e.finite
	t.e, t.x, t.pieceRows = e, x, max(4, pieceEntries/x.Cols()&^3) // as elementwise work
	t.not.Store(false)
	threads := e.pool.threads
	if x.Len() < sharedEntries {
		threads = 1
	}
	e.pool.run(t, ceil(x.Rows(), t.pieceRows), threads)
	return !t.not.Load()
}

// finiteTask looks at some rows a piece.
type finiteTask struct {
	e         *Engine
	x         compute.Matrix
	pieceRows int
	not       atomic.Bool
}

func (t *finiteTask) do(_, piece int) {
	if first := piece * t.pieceRows; !t.e.finiteRows(t.x.Slice(first, min(first+t.pieceRows, t.x.Rows()))) {
		t.not.Store(true)
	}
}

func (e *Engine) finiteRows(x compute.Matrix) bool {
	for i := range x.Rows() {
		if x.Type() == compute.Float64 {
			if !finite(row64(x, i)) {
				return false
			}
			continue
		}
		r := row32(x, i)
		if v, n := e.whole(len(r)); n > 0 {
			if v.largest(&r[0], uintptr(n)) >= 0x7f800000 {
				return false
			}
			r = r[n:]
		}
		if !finite(r) {
			return false
		}
	}
	return true
}

func finite[T float32 | float64](x []T) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
