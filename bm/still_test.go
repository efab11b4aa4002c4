package bm_test

import (
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
)

// A still machine has the parameters of the one that it is of, which it no longer follows, and no gradients; its precision
// and its energies are the same, on every topology.
func TestStill(t *testing.T) {
	e := cpu.New(1)
	t.Cleanup(e.Close)
	for _, small := range check.Machines(e, 91) {
		m := small.Machine
		m.SetConstant(0.5)
		m.SetPrecision(compute.BF16)
		still := m.Still()
		if still.Precision() != compute.BF16 || m.Precision() != compute.BF16 {
			t.Errorf("%s: precisions %v and %v", small.Name, still.Precision(), m.Precision())
		}
		s := m.State(64)
		for l, x := range s {
			if x.Type() == compute.Int8 {
				e.Spins(x, 3, 0, uint64(l))
			}
		}
		energies := func(m *bm.Machine) []float64 {
			x, f := make([]float64, 64), e.Alloc(compute.Float64, 64, 1)
			m.Energy(f, s, bm.Law{})
			compute.Read(e, x, f)
			return x
		}
		want := energies(m)
		from := m.Params()
		for i, p := range still.Params() {
			if p.Name != from[i].Name || !p.Grad.IsNone() || p.Terms != nil {
				t.Errorf("%s: %s of %s has a gradient", small.Name, p.Name, from[i].Name)
			}
		}
		for _, p := range bm.Learned(m) {
			e.Axpby(p.Value, 0, p.Value, 2)
		}
		for i, x := range energies(still) {
			if x != want[i] {
				t.Fatalf("%s: energy %v, want %v", small.Name, x, want[i])
			}
		}
	}
}
