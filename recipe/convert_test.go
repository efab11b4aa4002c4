package recipe

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/rng"
	"mattis/run"
	"mattis/tensorfile"
)

// Axons of K patterns have the K largest singular values: what is lost is the sum of the squares of the others, no
// pattern is left out that is worth more than one kept, and the parts are balanced.
func TestAxonsFromDense(t *testing.T) {
	for _, size := range [][2]int{{12, 9}, {7, 16}} {
		p := randomPortable(size[0], size[1], 0, 3)
		all, whole, err := p.Axons(min(p.Visible, p.Hidden))
		if err != nil {
			t.Fatal(err)
		}
		if whole.Lost != 0 {
			t.Errorf("all patterns lose %v", whole.Lost)
		}
		norm := 0.0
		for i, w := range all.Dense().Weights {
			norm += p.Weights[i] * p.Weights[i]
			if math.Abs(w-p.Weights[i]) > 1e-12 {
				t.Fatalf("weight %d is %v, want %v", i, w, p.Weights[i])
			}
		}
		for k := 1; k < min(p.Visible, p.Hidden); k++ {
			q, got, err := p.Axons(k)
			if err != nil {
				t.Fatal(err)
			}
			gone, squared := 0.0, 0.0
			for _, s := range whole.Values[k:] {
				gone += s * s
			}
			for i, w := range q.Dense().Weights {
				squared += (w - p.Weights[i]) * (w - p.Weights[i])
			}
			if math.Abs(squared-gone) > 1e-10 || math.Abs(got.Lost*norm-gone) > 1e-10 || !slices.Equal(got.Values, whole.Values[:k]) {
				t.Errorf("%d patterns: the squares of what is lost sum to %v, told are %v, the singular values left have %v", k, squared, got.Lost*norm, gone)
			}
			sum := 0.0
			for n := range k {
				v, h := meanSquare(q.VisiblePatterns[n*p.Visible:][:p.Visible]), meanSquare(q.HiddenPatterns[n*p.Hidden:][:p.Hidden])
				if sum += v; math.Abs(v-h) > 1e-12*v {
					t.Errorf("%d patterns: the parts of pattern %d have the mean squares %v and %v", k, n, v, h)
				}
			}
			if math.Abs(sum/float64(k)-1) > 1e-6 { // log g is rounded to float32
				t.Errorf("%d patterns: the mean square of all is %v, want 1", k, sum/float64(k))
			}
			if q.Constant != p.Constant || !slices.Equal(q.VisibleBias, p.VisibleBias) || !slices.Equal(q.HiddenBias, p.HiddenBias) || !slices.Equal(q.Offset, p.Offset) {
				t.Errorf("%d patterns: biases, offset or constant are lost", k)
			}
		}
		for _, k := range []int{-1, 0, min(p.Visible, p.Hidden) + 1} {
			if _, _, err := p.Axons(k); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d patterns", k)) {
				t.Errorf("%d patterns: error %v", k, err)
			}
		}
	}
	zero, lost, err := (&Portable{Visible: 3, Hidden: 2, Weights: make([]float64, 6)}).Axons(2)
	if err != nil || lost.Lost != 0 || zero.LogGain != 0 || meanSquare(zero.VisiblePatterns) != 0 {
		t.Errorf("no couplings become %+v, %+v, %v", zero, lost, err)
	}
}

func meanSquare(x []float64) float64 { return dot(x, x) / float64(len(x)) }

// Patterns of -1 and +1 multiply out to whole numbers times the factor, rounded once.
func TestDenseFromAxons(t *testing.T) {
	const V, H, K = 9, 7, 5
	key := rng.Key(4)
	sign := func(k rng.Key, n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			if x[i] = 1; k.Uniform(0, uint64(i)) < 0.5 {
				x[i] = -1
			}
		}
		return x
	}
	p := &Portable{Visible: V, Hidden: H, Patterns: K, LogGain: -0.4, VisiblePatterns: sign(key.Fold(0), K*V), HiddenPatterns: sign(key.Fold(1), K*H)}
	f, err := p.Dense().file()
	if err != nil {
		t.Fatal(err)
	}
	w, _ := f.Tensor("weights")
	factor := float32(math.Exp(float64(p.LogGain)) / math.Sqrt(K))
	for i := range V {
		for j := range H {
			sum := 0
			for k := range K {
				sum += int(p.VisiblePatterns[k*V+i] * p.HiddenPatterns[k*H+j])
			}
			if got, want := w.Data.([]float32)[i*H+j], float32(float64(sum)*float64(factor)); got != want {
				t.Fatalf("weight %d, %d is %v, want %v", i, j, got, want)
			}
		}
	}
	if _, ok := f.Tensor("log_gain"); ok || len(f.Tensors) != 1 {
		t.Errorf("dense couplings have %s", holdings(f))
	}
}

const trainedText = `
data: {name: bars}
machine: {kind: rbm, hidden: 6, biases: both, offset: mean}
couplings: {kind: axons, patterns: 3, gain: 0.5, learn_gain: true}
negative: {kind: pcd, steps: 1, chains: 4}
optimizer: {kind: adam}
project: {update: [{clip: 1}]}
train: {epochs: 2, batch: 5}
`

// trained returns a run directory of a machine that has all that one can have.
func trained(t *testing.T) string {
	t.Helper()
	r, err := Parse("trained.yaml", []byte(trainedText))
	if err != nil {
		t.Fatal(err)
	}
	split, err := r.LoadData()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "trained")
	w, err := run.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	s, err := Begin(r, split, w, testEngine(t), run.Session{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Files of this program go through npz and safetensors with every tensor's bits, those of the training too.
func TestConvertFiles(t *testing.T) {
	dir := trained(t)
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := d.Newest()
	if err != nil {
		t.Fatal(err)
	}
	npz, safe, back := filepath.Join(dir, "a.npz"), filepath.Join(dir, "b.safetensors"), filepath.Join(dir, "c.npz")
	for _, step := range [][2]string{{dir, npz}, {npz, safe}, {safe, back}} {
		if _, err := Convert(step[0], step[1], Conversion{Checkpoint: -1}); err != nil {
			t.Fatal(err)
		}
		f, err := tensorfile.Read(step[1])
		if err != nil {
			t.Fatal(err)
		}
		if !equalTensors(f, c.File) {
			t.Errorf("%s does not hold the tensors of the checkpoint", step[1])
		}
		if f.Metadata["height"] != "4" || len(f.Metadata["sha256"]) != 64 && strings.HasSuffix(step[1], ".safetensors") {
			t.Errorf("%s: metadata %v", step[1], f.Metadata)
		}
	}
	first, err := os.ReadFile(npz)
	if err != nil {
		t.Fatal(err)
	}
	if last, err := os.ReadFile(back); err != nil || string(first) != string(last) {
		t.Errorf("npz to safetensors and back gives other bytes (%v)", err)
	}
}

// A run directory made of another one has the machine in the form wanted, the data and the measures of the recipe,
// and can be judged, but not resumed.
func TestConvertRuns(t *testing.T) {
	dir := trained(t)
	original := loadModel(t, dir)
	pixel := func(n, i int) float64 { return float64(n >> i & 1) }
	want := modelFreeEnergies(original.Machine, 1<<10, pixel)
	for _, c := range []struct {
		name       string
		conversion Conversion
		kind       string
		tolerance  float64
	}{
		{"same", Conversion{}, "axons", 0},
		{"dense", Conversion{To: "dense"}, "dense", 1e-5},
		{"axons", Conversion{To: "axons", Patterns: 6}, "axons", 1e-5},
		{"fewer", Conversion{To: "axons", Patterns: 2}, "axons", math.Inf(1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.conversion.Checkpoint = -1
			out := filepath.Join(t.TempDir(), "out")
			if _, err := Convert(dir, out, c.conversion); err != nil {
				t.Fatal(err)
			}
			m := loadModel(t, out)
			if m.Recipe.Couplings.Kind != c.kind || m.Height != 4 {
				t.Errorf("couplings %s, images of height %d", m.Recipe.Couplings.Kind, m.Height)
			}
			for i, f := range modelFreeEnergies(m.Machine, 1<<10, pixel) {
				if math.Abs(f-want[i]) > c.tolerance {
					t.Fatalf("F of state %d is %v, the original has %v", i, f, want[i])
				}
			}
			j := &Judge{Model: m}
			var err error
			if j.Split, err = m.LoadData(); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Measure(context.Background(), Wanted{"nll_exact", "test"}); err != nil {
				t.Error(err)
			}
			w, err := run.Resume(out)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if _, err := Continue(w, testEngine(t), run.Session{}, "train.epochs=3"); err == nil || !strings.Contains(err.Error(), "mattis train RECIPE --init") {
				t.Errorf("resumed: %v", err)
			}
		})
	}
}

// An imported machine has no data until some are named, and trains a recipe of its own from there.
func TestImportedRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "imported")
	if _, err := Convert("testdata/sklearn.npz", out, Conversion{}); err != nil {
		t.Fatal(err)
	}
	m := loadModel(t, out)
	if m.Machine.Constant() == 0 {
		t.Error("the energy constant is lost")
	}
	if _, err := m.LoadData(); err == nil || !strings.Contains(err.Error(), "--set data.name=npy --set data.path=FILE") {
		t.Errorf("data of none: %v", err)
	}
	rows := filepath.Join(t.TempDir(), "rows.npz")
	pixels := make([]uint8, 40*foreignV)
	for i := range pixels {
		pixels[i] = uint8(foreignPixel(i/foreignV, i%foreignV))
	}
	rows = strings.TrimSuffix(rows, ".npz") + ".npy"
	if err := tensorfile.Write(rows, &tensorfile.File{Tensors: []tensorfile.Tensor{tensorfile.New("rows", pixels, 40, foreignV)}}); err != nil {
		t.Fatal(err)
	}
	d, err := run.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err = LoadModel(d, -1, testEngine(t), "data.name=npy", "data.path="+rows)
	if err != nil {
		t.Fatal(err)
	}
	j := &Judge{Model: m}
	if j.Split, err = m.LoadData(); err != nil {
		t.Fatal(err)
	}
	got, err := j.Measure(context.Background(), Wanted{"nll_exact", "train"})
	if err != nil {
		t.Fatal(err)
	}
	want := foreignModels[0].logZ
	for n := range 40 {
		want += originalFreeEnergy(n, false, false) / 40
	}
	if math.Abs(got.Value-want) > 1e-5 {
		t.Errorf("NLL of the imported machine is %v, the original has %v", got.Value, want)
	}
	r, err := Parse("next.yaml", []byte("data: {name: npy, path: "+rows+", split: random}\nmachine: {kind: rbm, hidden: 15, biases: both}\ncouplings: {kind: dense}\nnegative: {kind: cd}\ntrain: {epochs: 1, batch: 8}\n"))
	if err != nil {
		t.Fatal(err)
	}
	next := built(t, r, testEngine(t))
	if _, _, err := next.Initialize(d); err != nil {
		t.Errorf("training from the imported machine: %v", err)
	}
	if f, g := modelFreeEnergies(next.Machine, 3, foreignPixel), modelFreeEnergies(m.Machine, 3, foreignPixel); math.Abs(f[0]-f[1]-g[0]+g[1]) > 1e-5 {
		t.Errorf("free energies %v of the machine to train, %v of the imported one", f, g)
	}
}

// Nothing is overwritten unasked, and what cannot be done is refused before anything is written.
func TestConvertRefuses(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.npz")
	if _, err := Convert("testdata/torch.npz", there, Conversion{}); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge.npz")
	if err := tensorfile.Write(huge, &tensorfile.File{Tensors: []tensorfile.Tensor{tensorfile.New("w", []float64{1e300}, 1, 1), f32("bv", 1, 1), f32("bh", 1, 1)}}); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "model.txt")
	if err := os.WriteFile(text, []byte("no model"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken", "note"), 0o777); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	for _, c := range []struct {
		in, out string
		c       Conversion
		want    string
	}{
		{"testdata/torch.npz", there, Conversion{}, "there.npz: file already exists; give another name, or --force"},
		{"testdata/torch.npz", filepath.Join(dir, "taken"), Conversion{Force: true}, "a run directory is never overwritten"},
		{"testdata/torch.npz", out + ".npy", Conversion{}, "out.npy: neither a run directory, an .npz nor a .safetensors file: it holds one array"},
		{"testdata/torch.npz", out, Conversion{To: "bernoulli"}, "a run directory holds spins; 0/1 variables go to a .npz"},
		{"testdata/torch.npz", out, Conversion{To: "axons"}, "give it, from 1 to 15"},
		{"testdata/torch.npz", out, Conversion{To: "axons", Patterns: 16}, "16 patterns of couplings between 20 and 15 spins, want 1 to 15"},
		{"testdata/torch.npz", out, Conversion{To: "dense", Patterns: 3}, "patterns are for a conversion to axons"},
		{"testdata/torch.npz", out, Conversion{To: "deep"}, `to "deep" is unknown, want axons, dense, bernoulli`},
		{"testdata/torch.npz", out, Conversion{Program: "rbms"}, "the names of another program are for a conversion to bernoulli"},
		{"testdata/torch.npz", out + ".npz", Conversion{To: "bernoulli", Program: "keras"}, `no names of "keras" are known, only of scikit-learn`},
		{"testdata/torch.npz", out, Conversion{Height: 4, Width: 4}, "torch.npz: images of 4x4 and 20 visible spins"},
		{huge, out, Conversion{}, "huge.npz: entry 0 of weights is 2.5e+299, beyond float32"},
		{filepath.Join(dir, "model.h5"), out, Conversion{}, "model.h5: neither a run directory, an .npz nor a .safetensors file: make it an npz, see docs/format.md"},
		{filepath.Join(dir, "gone.npz"), out, Conversion{}, "gone.npz: no such file"},
		{filepath.Join(dir, "gone"), out, Conversion{}, "gone: no such run directory"},
		{filepath.Join(dir, "taken"), out, Conversion{}, "it has no recipe.yaml"},
		{text, out, Conversion{}, `model.txt: neither a run directory, an .npz nor a .safetensors file`},
	} {
		c.c.Checkpoint = -1
		if _, err := Convert(c.in, c.out, c.c); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: error %v\nwant %q", c.in, c.out, err, c.want)
		}
		for _, path := range []string{out, out + ".npz", out + ".npy"} {
			if _, err := os.Lstat(path); err == nil {
				t.Fatalf("%s to %s: something was written", c.in, c.out)
			}
		}
	}
	if _, err := Convert("testdata/sklearn.npz", there, Conversion{Force: true}); err != nil {
		t.Errorf("forced: %v", err)
	}
	left, err := fs.Glob(os.DirFS(dir), ".*.tmp")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func ExampleConvert() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	done, err := Convert("testdata/sklearn.npz", filepath.Join(dir, "imported"), Conversion{To: "axons", Patterns: 12})
	if err != nil {
		panic(err)
	}
	m := done.Machine
	fmt.Printf("from %s: %d visible and %d hidden spins, %d patterns, energy constant %.4f\n", done.Program, m.Visible, m.Hidden, m.Patterns, m.Constant)
	fmt.Printf("%.2f%% of the squared couplings lost\n", 100*done.Truncation.Lost)
	// Output:
	// from scikit-learn: 20 visible and 15 hidden spins, 12 patterns, energy constant 4.1978
	// 2.09% of the squared couplings lost
}
