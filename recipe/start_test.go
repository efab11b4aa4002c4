package recipe

import (
	"math"
	"os"
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

// The chains of a training that start from the mean law have the means of the training set, smoothed as machine.start has them,
// before the first update: within five standard errors of 4000 chains, pixel by pixel; by every kind of chains that last.
func TestChainsStartFromTheMeans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	var text strings.Builder
	for i := range 40 { // up in 0, 10, 20, 30 and 40 of them
		for j := range 5 {
			if j > 0 {
				text.WriteByte(',')
			}
			text.WriteString([]string{"0", "1"}[there01(i < 10*j)])
		}
		text.WriteByte('\n')
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, negative := range []string{"kind: pcd", "kind: fpcd", "kind: jarzynski", "kind: tempering, temperatures: [1, 0.5]"} {
		r := parse(t, "data: {name: csv, path: "+path+", split: all}\nmachine: {hidden: 3, biases: both}\ncouplings: {kind: dense, init: {normal: 1}}\nnegative: {"+negative+", chains: 4000, start: mean}\ntrain: {epochs: 1, batch: 4}\n")
		split, err := r.LoadData()
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Build(split, engine(t))
		if err != nil {
			t.Fatal(err)
		}
		chains := x.Trainer.Negative.State()[0].Value
		spins := make([]int8, chains.Len())
		compute.Read(x.Machine.Engine(), spins, chains)
		for j := range 5 {
			var sum float64
			for i := range chains.Rows() {
				sum += float64(spins[5*i+j])
			}
			n, up := float64(chains.Rows()), float64(10*j+1)/42
			want := 2*up - 1
			if mean := sum / n; math.Abs(mean-want) > 5*math.Sqrt((1-want*want)/n) {
				t.Errorf("%s: pixel %d has the mean %.4f, want %.4f", negative, j, mean, want)
			}
		}
	}
}

func there01(x bool) int {
	if x {
		return 1
	}
	return 0
}
