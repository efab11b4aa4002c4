package bm_test

import (
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
)

// What biases take up of an offset that moves is of the couplings as they are, whatever products
// are rounded to: rounded ones would move probabilities a little at each update.
func TestOffsetsMoveInFloat32(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	moved := func(p compute.Precision) []float32 {
		d := bm.NewDense(e, bm.Restricted(7, 5, true))
		d.Normal(0.7, 3)
		m := bm.New(e, d, true, true)
		m.SetPrecision(p)
		mean := e.Alloc(compute.Float32, 1, 7)
		compute.Write(e, mean, []float32{0.3, -0.7, 0.11, 0.9, -0.2, 0.05, 0.61})
		m.MoveOffset(bm.Visible, mean, 0.3)
		if got := m.SetPrecision(p); got != p {
			t.Errorf("the precision is %v afterwards, want %v", got, p)
		}
		b := make([]float32, 5)
		compute.Read(e, b, m.Bias(bm.Hidden).Value)
		return b
	}
	if single, rounded := moved(compute.Single), moved(compute.BF16); !slices.Equal(single, rounded) || single[0] == 0 {
		t.Errorf("biases %v, with rounded factors %v", single, rounded)
	}
}
