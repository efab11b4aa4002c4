package recipe

import (
	"path/filepath"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/run"
)

// A run begun from another's parameters has them from its first checkpoint, which is
// there before the first update: going on without it would start from other ones.
func TestInitialize(t *testing.T) {
	root := t.TempDir()
	text := resumed["momentum, gain, clip"]
	one, two := filepath.Join(root, "one"), filepath.Join(root, "two")
	finish(t, begin(t, one, text))
	from, err := run.Open(one)
	if err != nil {
		t.Fatal(err)
	}
	s, err := beginFrom(t, from, two, text, "seed=5")
	if err != nil {
		t.Fatal(err)
	}
	s.Dir.Close()
	a, _, err := LoadModel(from, -1, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := run.Open(two)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := LoadModel(d, 0, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	if !equalParams(a.Machine, b.Machine) {
		t.Error("the parameters are others")
	}
	three := filepath.Join(root, "three")
	if _, err := beginFrom(t, from, three, text, "machine.hidden=7"); err == nil || !strings.Contains(err.Error(), "tensor patterns.hidden is F32 [3 6], want F32 [3 7]") {
		t.Errorf("other shapes: %v", err)
	}
	if _, err := run.Open(three); err == nil {
		t.Error("a run that could not begin from another can be resumed, from other parameters")
	}
}

func equalParams(a, b *bm.Machine) bool {
	p, q := a.Params(), b.Params()
	for i := range p {
		x, y := make([]float32, p[i].Value.Len()), make([]float32, q[i].Value.Len())
		compute.Read(a.Engine(), x, p[i].Value)
		compute.Read(b.Engine(), y, q[i].Value)
		for j := range x {
			if x[j] != y[j] {
				return false
			}
		}
	}
	return len(p) == len(q)
}

// Biases move by machine.bias_rate times what they move by at 1, and nothing else does: after an
// update of SGD from the same parameters and draws the couplings have the same bits.
func TestBiasRate(t *testing.T) {
	moved := func(settings ...string) map[string][]float32 {
		e := engine(t)
		r, err := Load("bars", append(settings, "train={epochs: 1, batch: 100}", "machine.biases=both", "machine.hidden=5", "negative={kind: cd}", "optimizer={kind: sgd, rate: 0.5}", "project={}")...)
		if err != nil {
			t.Fatal(err)
		}
		b := built(t, r, e)
		if err := b.Trainer.Run(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		all := map[string][]float32{}
		for _, p := range b.Machine.Params() {
			x := make([]float32, p.Value.Len())
			compute.Read(e, x, p.Value)
			all[p.Name] = x
		}
		return all
	}
	one, four := moved(), moved("machine.bias_rate=4")
	any := false
	for name, x := range one {
		factor := float32(1)
		if strings.HasPrefix(name, "bias.") {
			factor = 4
		}
		for i := range x {
			any = any || factor == 4 && x[i] != 0
			if four[name][i] != factor*x[i] {
				t.Errorf("%s[%d] is %v at rate 1 and %v at 4", name, i, x[i], four[name][i])
			}
		}
	}
	if !any {
		t.Error("no bias has moved")
	}
}
