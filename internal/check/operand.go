package check

import (
	"math"
	"testing"

	"mattis/compute"
)

// operand is a matrix that is a view inside a larger one full of guards.
type operand struct {
	m      compute.Matrix
	parent compute.Matrix
	before []float64 // the parent's entries as written
	values grid
}

const (
	guardSpin              = 99
	guardRows, guardBefore = 2, 3
	guardAfter             = 5
)

// newOperand returns a rows x cols view whose entries are given by value.
func newOperand(e compute.Engine, kind compute.Type, rows, cols int, value func(i, j int) float64) operand {
	o := operand{parent: e.Alloc(kind, rows+2*guardRows, guardBefore+cols+guardAfter)}
	o.before = make([]float64, o.parent.Len())
	for i := range o.before {
		o.before[i] = math.NaN()
		if kind == compute.Int8 {
			o.before[i] = guardSpin
		}
	}
	o.values = make(grid, rows)
	for i := range o.values {
		o.values[i] = make([]float64, cols)
		for j := range o.values[i] {
			x := value(i, j)
			if kind == compute.Float32 {
				x = float64(float32(x))
			}
			o.values[i][j] = x
			o.before[(i+guardRows)*o.parent.Cols()+guardBefore+j] = x
		}
	}
	setEntries(e, o.parent, o.before)
	o.m = o.parent.Slice(guardRows, guardRows+rows).Columns(guardBefore, guardBefore+cols)
	return o
}

func setEntries(e compute.Engine, m compute.Matrix, x []float64) {
	switch m.Type() {
	case compute.Float64:
		compute.Write(e, m, x)
	case compute.Float32:
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = float32(v)
		}
		compute.Write(e, m, y)
	case compute.Int8:
		y := make([]int8, len(x))
		for i, v := range x {
			y[i] = int8(v)
		}
		compute.Write(e, m, y)
	}
}

func entriesOf(e compute.Engine, m compute.Matrix) []float64 {
	x := make([]float64, m.Len())
	switch m.Type() {
	case compute.Float64:
		compute.Read(e, x, m)
	case compute.Float32:
		y := make([]float32, len(x))
		compute.Read(e, y, m)
		for i, v := range y {
			x[i] = float64(v)
		}
	case compute.Int8:
		y := make([]int8, len(x))
		compute.Read(e, y, m)
		for i, v := range y {
			x[i] = float64(v)
		}
	}
	return x
}

func same(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
}

// guarded fails the test if an entry outside the view has changed, or, for an
// operand that is only read, any entry.
func (o operand) guarded(t *testing.T, e compute.Engine, name string, readOnly bool) {
	t.Helper()
	if o.m.IsNone() {
		return
	}
	c := o.parent.Cols()
	for i, x := range entriesOf(e, o.parent) {
		row, col := i/c-guardRows, i%c-guardBefore
		inside := row >= 0 && row < o.m.Rows() && col >= 0 && col < o.m.Cols()
		if (!inside || readOnly) && !same(x, o.before[i]) {
			t.Fatalf("%s: entry (%d,%d) of %v became %v, was %v", name, row, col, o.m, x, o.before[i])
		}
	}
}

func sameEntries(x, y operand) (int, bool) {
	if x.m.IsNone() {
		return 0, true
	}
	a, b := hostEntries(x.m), hostEntries(y.m)
	for i := range a {
		if !same(a[i], b[i]) {
			return i, false
		}
	}
	return 0, true
}

// hostEntries returns the entries of a host matrix row by row.
func hostEntries(m compute.Matrix) []float64 {
	var x []float64
	for i := range m.Rows() {
		for j := range m.Cols() {
			switch m.Type() {
			case compute.Float32:
				x = append(x, float64(m.Float32s()[i*m.Stride()+j]))
			case compute.Float64:
				x = append(x, m.Float64s()[i*m.Stride()+j])
			case compute.Int8:
				x = append(x, float64(m.Int8s()[i*m.Stride()+j]))
			}
		}
	}
	return x
}
