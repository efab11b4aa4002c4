package bm_test

import (
	"fmt"
	"testing"

	"mattis/bm"
	"mattis/compute/cpu"
)

// The multiply-adds of each order, counted by hand for V=784, H=3000: factored, fields factored and gradients by G,
// and both dense. A row block of 4096 forms W and G anew.
func TestOperationCounts(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		k, rows       int
		fields, phase float64
	}{
		{200, 8000, 8000 * 200 * 3784, 8000 * 200 * (2*784 + 3*3000)},
		{500, 4096, 4096 * 500 * 3784, 4096*500*3784 + (4096+1000)*784*3000},
		{1200, 8000, (8000 + 1200) * 784 * 3000, (2*8000 + 2*3*1200) * 784 * 3000},
	} {
		a := bm.NewAxons(e, bm.Restricted(784, 3000, false), c.k, false)
		if f, p := a.FieldOps(c.rows), a.PhaseOps(c.rows); f != c.fields || p != c.phase {
			t.Errorf("K=%d, %d rows: %.0f and %.0f multiply-adds, want %.0f and %.0f", c.k, c.rows, f, p, c.fields, c.phase)
		}
	}
}

// At V=784, H=3000 the sweep of few patterns is factored.
func ExampleAxons_FieldOps() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(784, 3000, false), 190, false)
	fmt.Printf("%.0f of %.0f million\n", a.FieldOps(1000)/1e6, 1000*784*3000/1e6)
	// Output: 719 of 2352 million
}
