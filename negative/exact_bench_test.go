package negative_test

import (
	"testing"

	"mattis/bm"
	"mattis/compute/cpu"
	"mattis/negative"
)

// The exact gradient of the paper's Bars machine, dense couplings.
func BenchmarkExact(b *testing.B) {
	e := cpu.New(2)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(16, 1000, false))
	d.Normal(0.1, 1)
	m := bm.New(e, d, false, false)
	x, err := negative.NewExact(m)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Phase(x.Draw(bm.Batch{}, 0), -1)
	}
}
