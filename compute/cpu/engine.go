// Package cpu is the engine that computes on the processor's cores.
package cpu

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"

	"mattis/compute"
)

// Engine computes on the CPU. Make it with New; its results are the same bits
// for every number of threads.
type Engine struct {
	pool     *pool
	kernels  *kernels
	arena    arena
	workers  []worker
	rowwise  bool
	integers int // auto, off or always
	mul      mulTask
	scan     scanTask
	vector   vectorTask
	sums     sumTask
	pairs    pairTask
	means    meansTask
	descend  descendTask
	inner    []inner // one a thread; nil before the first Descend
	lent     compute.Buffer
	finite   finiteTask

	infinite atomic.Bool // something that Descend has moved
}

var _ compute.Engine = (*Engine)(nil)

// New returns an engine on so many threads; 0 takes one a core. Close it when
// it is no longer needed.
func New(threads int) *Engine {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return &Engine{pool: newPool(threads), kernels: current(), integers: modeOfIntegers(), workers: make([]worker, threads)}
}

// Threads returns the number of threads.
func (e *Engine) Threads() int { return e.pool.threads }

// Rowwise sets whether products are cut without a look at how many rows they have.
func (e *Engine) Rowwise(on bool) (before bool) {
	before, e.rowwise = e.rowwise, on
	return before
}

// Close ends the engine's threads.
func (e *Engine) Close() { e.pool.close() }

// Alloc returns a zeroed matrix.
func (e *Engine) Alloc(t compute.Type, rows, cols int) compute.Matrix {
	return compute.Over(newBuffer(t, checkedLen(rows, cols)), t, rows, cols, 0)
}

func newBuffer(t compute.Type, n int) *compute.Buffer {
	switch t {
	case compute.Float32:
		return &compute.Buffer{F32: aligned[float32](n)}
	case compute.Float64:
		return &compute.Buffer{F64: aligned[float64](n)}
	case compute.Int8:
		return &compute.Buffer{I8: aligned[int8](n)}
	}
	panic(fmt.Sprintf("cpu: no matrices of type %v", t))
}

func checkedLen(rows, cols int) int {
	if rows < 0 || cols < 0 || (cols > 0 && rows > math.MaxInt/cols) {
		panic(fmt.Sprintf("cpu: no matrix has the shape %dx%d", rows, cols))
	}
	return rows * cols
}

// Write copies a slice into dst.
func (e *Engine) Write(dst compute.Matrix, src compute.Host) {
	switch dst.Type() {
	case compute.Float32:
		copyRows(dst, src.F32, dst.Float32s, true)
	case compute.Float64:
		copyRows(dst, src.F64, dst.Float64s, true)
	case compute.Int8:
		copyRows(dst, src.I8, dst.Int8s, true)
	default:
		panic(fmt.Sprintf("cpu: Write to %v", dst))
	}
}

// Read copies src into a slice.
func (e *Engine) Read(dst compute.Host, src compute.Matrix) {
	switch src.Type() {
	case compute.Float32:
		copyRows(src, dst.F32, src.Float32s, false)
	case compute.Float64:
		copyRows(src, dst.F64, src.Float64s, false)
	case compute.Int8:
		copyRows(src, dst.I8, src.Int8s, false)
	default:
		panic(fmt.Sprintf("cpu: Read of %v", src))
	}
}

// copyRows copies flat to the entries of m, or these to flat. A slice of another type than m's
// arrives here as none of m's.
func copyRows[T compute.Entry](m compute.Matrix, flat []T, entries func() []T, write bool) {
	if len(flat) != m.Len() {
		panic(fmt.Sprintf("cpu: %d entries of type %T for %v", len(flat), *new(T), m))
	}
	if len(flat) == 0 {
		return
	}
	x, n := entries(), m.Cols()
	for i := range m.Rows() {
		row := x[i*m.Stride():][:n]
		if write {
			copy(row, flat[i*n:][:n])
		} else {
			copy(flat[i*n:][:n], row)
		}
	}
}

// Copy copies all rows.
func (e *Engine) Copy(dst, src compute.Matrix) {
	if !dst.SameShape(src) || dst.Type() != src.Type() {
		panic(fmt.Sprintf("cpu: Copy of %v to %v", src, dst))
	}
	for i := range dst.Rows() {
		switch dst.Type() {
		case compute.Float32:
			copy(row32(dst, i), row32(src, i))
		case compute.Float64:
			copy(row64(dst, i), row64(src, i))
		case compute.Int8:
			copy(row8(dst, i), row8(src, i))
		}
	}
}

// Gather copies chosen rows.
func (e *Engine) Gather(dst, src compute.Matrix, rows []int32) {
	if dst.Rows() != len(rows) || dst.Cols() != src.Cols() || dst.Type() != src.Type() {
		panic(fmt.Sprintf("cpu: Gather of %d rows of %v to %v", len(rows), src, dst))
	}
	n := dst.Cols()
	if n == 0 || len(rows) == 0 {
		return
	}
	switch dst.Type() {
	case compute.Float32:
		gather(dst.Float32s(), src.Float32s(), dst.Stride(), src.Stride(), n, rows)
	case compute.Float64:
		gather(dst.Float64s(), src.Float64s(), dst.Stride(), src.Stride(), n, rows)
	case compute.Int8:
		gather(dst.Int8s(), src.Int8s(), dst.Stride(), src.Stride(), n, rows)
	}
}

func gather[T any](dst, src []T, dstStride, srcStride, n int, rows []int32) {
	for i, r := range rows {
		copy(dst[i*dstStride:][:n], src[int(r)*srcStride:][:n])
	}
}

// Sync returns nil: the CPU's work is done when its methods return.
func (e *Engine) Sync() error {
	if e.pool == nil {
		return errors.New("cpu: the engine was not made by New")
	}
	return nil
}
