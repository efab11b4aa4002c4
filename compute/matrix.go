// Package compute is the only seam between mathematics and hardware: matrices
// as values, the operations that Boltzmann machines need, and the Engine that
// carries them out.
package compute

import "fmt"

// Type is the type of a matrix's entries.
type Type uint8

const (
	None    Type = iota // the zero Matrix
	Float32             // parameters, fields, activations
	Float64             // row sums and everything that is reported
	Int8                // spins: -1 and +1, and 0 for an unknown pixel
)

// Size returns the bytes of one entry.
func (t Type) Size() int {
	switch t {
	case Float32:
		return 4
	case Float64:
		return 8
	case Int8:
		return 1
	}
	return 0
}

func (t Type) String() string {
	switch t {
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Int8:
		return "int8"
	}
	return "none"
}

// Buffer is memory that an engine owns. A host engine fills the slice of its
// type; another engine keeps its own handle.
type Buffer struct {
	F32    []float32
	F64    []float64
	I8     []int8
	Handle any
}

// Matrix is a rectangle of a buffer, row by row. It is a value: views cost no
// allocation, and the zero Matrix stands for "none".
type Matrix struct {
	buffer         *Buffer
	kind           Type
	rows, cols     int
	stride, offset int // in entries; a stride of 0 repeats one row
}

// Over returns the rows x cols matrix that fills the buffer's start. Engines
// call it; others ask an engine for matrices.
func Over(b *Buffer, t Type, rows, cols, offset int) Matrix {
	return Matrix{buffer: b, kind: t, rows: rows, cols: cols, stride: cols, offset: offset}
}

// IsNone reports whether m is the zero Matrix.
func (m Matrix) IsNone() bool { return m.kind == None }

// Type returns the type of the entries.
func (m Matrix) Type() Type { return m.kind }

// Rows returns the number of rows.
func (m Matrix) Rows() int { return m.rows }

// Cols returns the number of columns.
func (m Matrix) Cols() int { return m.cols }

// Stride returns the distance between rows in entries.
func (m Matrix) Stride() int { return m.stride }

// Offset returns the place of entry (0,0) in the buffer.
func (m Matrix) Offset() int { return m.offset }

// Buffer returns the memory that m looks at.
func (m Matrix) Buffer() *Buffer { return m.buffer }

// Len returns rows times columns.
func (m Matrix) Len() int { return m.rows * m.cols }

// Slice returns the view of rows [from, to).
func (m Matrix) Slice(from, to int) Matrix {
	if from < 0 || to < from || to > m.rows {
		panic(fmt.Sprintf("compute: rows %d:%d of %v", from, to, m))
	}
	m.offset += from * m.stride
	m.rows = to - from
	return m
}

// Columns returns the view of columns [from, to).
func (m Matrix) Columns(from, to int) Matrix {
	if from < 0 || to < from || to > m.cols {
		panic(fmt.Sprintf("compute: columns %d:%d of %v", from, to, m))
	}
	m.offset += from
	m.cols = to - from
	return m
}

// Diagonal returns the view of the entries (i,i) of the square m as a column.
func (m Matrix) Diagonal() Matrix {
	if m.rows != m.cols {
		panic(fmt.Sprintf("compute: Diagonal of %v", m))
	}
	m.cols, m.stride = 1, m.stride+1
	return m
}

// Repeat returns the view of rows equal rows of the single row m.
func (m Matrix) Repeat(rows int) Matrix {
	if m.rows != 1 {
		panic(fmt.Sprintf("compute: Repeat of %v, want one row", m))
	}
	m.rows, m.stride = rows, 0
	return m
}

// Reshape returns the rows x cols view of the same entries in the same order.
// m has to be contiguous.
func (m Matrix) Reshape(rows, cols int) Matrix {
	if rows*cols != m.Len() || (m.stride != m.cols && m.rows > 1) {
		panic(fmt.Sprintf("compute: Reshape of %v to %dx%d", m, rows, cols))
	}
	m.rows, m.cols, m.stride = rows, cols, cols
	return m
}

// SameShape reports whether both have the same rows and columns.
func (m Matrix) SameShape(n Matrix) bool { return m.rows == n.rows && m.cols == n.cols }

// String returns shape and type: "3x4 float32".
func (m Matrix) String() string {
	if m.IsNone() {
		return "no matrix"
	}
	return fmt.Sprintf("%dx%d %v", m.rows, m.cols, m.kind)
}

func (m Matrix) span() (lo, hi int) {
	if m.rows == 0 || m.cols == 0 {
		return m.offset, m.offset
	}
	return m.offset, m.offset + (m.rows-1)*m.stride + m.cols
}

// Float32s returns the entries of a host Float32 matrix from (0,0) to the last
// one; row i starts at i*Stride().
func (m Matrix) Float32s() []float32 {
	m.want(Float32)
	lo, hi := m.span()
	return m.buffer.F32[lo:hi:hi]
}

// Float64s is Float32s for Float64.
func (m Matrix) Float64s() []float64 {
	m.want(Float64)
	lo, hi := m.span()
	return m.buffer.F64[lo:hi:hi]
}

// Int8s is Float32s for Int8.
func (m Matrix) Int8s() []int8 {
	m.want(Int8)
	lo, hi := m.span()
	return m.buffer.I8[lo:hi:hi]
}

func (m Matrix) want(t Type) {
	if m.kind != t {
		panic(fmt.Sprintf("compute: %v read as %v", m, t))
	}
}
