package cpu

import (
	"unsafe"

	"mattis/compute"
)

// arena hands out scratch matrices from chunks that are kept, so that the
// steady state of a loop allocates nothing. Each type has its own chunks; a
// mark is, for each type, the chunk in use and the place in it.
type arena struct {
	chunks [3][]*compute.Buffer
	at     compute.Mark
}

const (
	chunkBytes = 1 << 20
	lineBytes  = 64 // of a cache line: every matrix starts on one
)

// Scratch returns a matrix of undefined content.
func (e *Engine) Scratch(t compute.Type, rows, cols int) compute.Matrix {
	n := checkedLen(rows, cols)
	per := lineBytes / t.Size()
	need := (n + per - 1) / per * per
	at := place(&e.arena.at, t)
	chunks := &e.arena.chunks[t-compute.Float32]
	for {
		if at[0] == len(*chunks) {
			*chunks = append(*chunks, newBuffer(t, max(need, chunkBytes/t.Size())))
		}
		b := (*chunks)[at[0]]
		if at[1]+need <= len(b.F32)+len(b.F64)+len(b.I8) {
			m := compute.Over(b, t, rows, cols, at[1])
			at[1] += need
			return m
		}
		if at[1] == 0 { // an empty chunk that is too small grows in place
			(*chunks)[at[0]] = newBuffer(t, need)
			continue
		}
		*at = [2]int{at[0] + 1, 0}
	}
}

// place returns the place in a mark of matrices of the type.
func place(m *compute.Mark, t compute.Type) *[2]int {
	switch t {
	case compute.Float32:
		return &m.Float32
	case compute.Float64:
		return &m.Float64
	}
	return &m.Int8
}

// Mark returns the arena's height.
func (e *Engine) Mark() compute.Mark { return e.arena.at }

// Release gives back the scratch taken since the mark.
func (e *Engine) Release(m compute.Mark) { e.arena.at = m }

// aligned returns n zeroed entries that start on a cache line.
func aligned[T any](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	x := make([]T, n+lineBytes/size)
	skip := 0
	for uintptr(unsafe.Pointer(&x[skip]))%lineBytes != 0 {
		skip++
	}
	return x[skip : skip+n : skip+n]
}
