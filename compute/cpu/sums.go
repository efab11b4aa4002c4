package cpu

import (
	"fmt"

	"mattis/compute"
)

// sumTask is RowDot; a piece is a fixed number of rows.
type sumTask struct {
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
	e.sums = sumTask{dst: dst, x: x, y: y, alpha: alpha, pieceRows: max(1, pieceEntries/x.Cols())}
	e.pool.run(&e.sums, (x.Rows()+e.sums.pieceRows-1)/e.sums.pieceRows, e.pool.threads)
}

func (t *sumTask) do(_, piece int) {
	first := piece * t.pieceRows
	for i := first; i < min(first+t.pieceRows, t.x.Rows()); i++ {
		t.dst.Float64s()[i*t.dst.Stride()] += t.alpha * dotRow(t.x, t.y, i)
	}
}

func dotRow(x, y compute.Matrix, i int) float64 {
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

// Finite reports whether all entries are finite numbers.
func (e *Engine) Finite(x compute.Matrix) bool {
	if x.Len() == 0 {
		return true
	}
	for i := range x.Rows() {
		if x.Type() == compute.Float64 {
			for _, v := range row64(x, i) {
				if v-v != 0 {
					return false
				}
			}
			continue
		}
		for _, v := range row32(x, i) {
			if v-v != 0 {
				return false
			}
		}
	}
	return true
}
