package compute_test

import (
	"fmt"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
)

// count returns a 4x5 matrix whose entries count from 0.
func count() compute.Matrix {
	b := &compute.Buffer{F32: make([]float32, 20)}
	for i := range b.F32 {
		b.F32[i] = float32(i)
	}
	return compute.Over(b, compute.Float32, 4, 5, 0)
}

// at returns entry (i,j) of a host matrix.
func at(m compute.Matrix, i, j int) float32 { return m.Float32s()[i*m.Stride()+j] }

// Views look at their parent's entries: a view that forgets its offset or takes its width for the stride fails.
func TestViews(t *testing.T) {
	m := count()
	v := m.Slice(1, 4).Columns(2, 4).Slice(1, 3)
	if v.Rows() != 2 || v.Cols() != 2 || v.Len() != 4 {
		t.Fatalf("the view is %v", v)
	}
	for i := range 2 {
		for j := range 2 {
			if got, want := at(v, i, j), at(m, i+2, j+2); got != want {
				t.Errorf("entry (%d,%d) is %v, want %v", i, j, got, want)
			}
		}
	}
	if n := len(v.Float32s()); n != 7 { // from (0,0) to (1,1), 5 entries apart
		t.Errorf("the view spans %d entries, want 7", n)
	}
	row := m.Slice(3, 4).Repeat(3)
	for i := range 3 {
		if got := at(row, i, 4); row.Rows() != 3 || got != 19 {
			t.Errorf("row %d of a repeated row ends in %v, want 19", i, got)
		}
	}
	flat := m.Slice(1, 3).Reshape(5, 2)
	if got := at(flat, 4, 1); got != 14 {
		t.Errorf("the last entry after Reshape is %v, want 14", got)
	}
}

func TestWrongViews(t *testing.T) {
	m := count()
	for want, view := range map[string]func(){
		"compute: rows 2:5 of 4x5 float32":             func() { m.Slice(2, 5) },
		"compute: columns 3:2 of 4x5 float32":          func() { m.Columns(3, 2) },
		"compute: Repeat of 4x5 float32, want one row": func() { m.Repeat(2) },
		"compute: Reshape of 4x5 float32 to 3x7":       func() { m.Reshape(3, 7) },
		"compute: Reshape of 4x2 float32 to 2x4":       func() { m.Columns(0, 2).Reshape(2, 4) },
		"compute: 4x5 float32 read as int8":            func() { m.Int8s() },
		"compute: no matrix read as float32":           func() { compute.Matrix{}.Float32s() },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			view()
		}()
	}
}

// The fields on three hidden spins, as spins: a product with its epilogue.
func Example() {
	e := cpu.New(1)
	defer e.Close()
	v, w := e.Alloc(compute.Int8, 2, 2), e.Alloc(compute.Float32, 2, 3)
	compute.Write(e, v, []int8{1, 1, 1, -1})
	compute.Write(e, w, []float32{30, 30, -30, 0, 50, 0})
	h := e.Alloc(compute.Int8, 2, 3)
	e.Mul(h, v, w, compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin, Key: 1}})
	spins := make([]int8, h.Len())
	compute.Read(e, spins, h)
	fmt.Println(h, spins) // fields of 20 and more: no spin flips
	// Output: 2x3 int8 [1 1 -1 1 -1 -1]
}
