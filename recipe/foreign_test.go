package recipe

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/rng"
	"mattis/run"
	"mattis/tensorfile"
)

// The models in testdata and the 1000 images, V = 20 and H = 15, are made by numpy as
//
//	i, j, n = arange(20), arange(15), arange(1000)
//	W  = 0.9*sin(1 + (i[:,None]+1)*(j[None,:]+2))
//	a  = 0.5*cos(2 + 5*i)
//	b  = -0.4 + 0.7*sin(3 + 2*j)
//	ov = 0.3 + 0.02*i                              (PyDeep's offsets)
//	oh = 0.6 - 0.01*j
//	v  = (n[:,None]*(2*i[None,:]+3) + i[None,:]**2) % 7 < 3
//	savez("sklearn.npz", components_=W.T, intercept_visible_=a, intercept_hidden_=b)
//	savez("torch.npz", weights=W.T, vbias=a, hbias=b)                 of float32
//	savez("rbms.npz", weight_matrix=W, vbias=a, hbias=b)              of float32
//	savez("pydeep.npz", w=W, bv=a[None], bh=b[None], ov=ov[None], oh=oh[None])
//
// Free energies and log Z, by numpy in float64 (all 2^15 hidden states), with softplus(x) = logaddexp(0, x):
//
//	F     = -v@a - softplus(v@W + b).sum(1)
//	log Z = logsumexp(h@b + softplus(h@W.T + a).sum(1))
//
// of spins with s = 2*v-1, logaddexp(x, -x) in place of softplus and h of -1 and +1; PyDeep's with v-ov and h-oh.
var foreignModels = []struct {
	file, program    string
	foreign          Foreign
	first, last, sum float64 // free energies of images 0 and 999, and of all
	logZ             float64
	spins, offsets   bool
}{
	{file: "sklearn.npz", program: "scikit-learn", first: -13.178809788197952, last: -11.612562556651074, sum: -9605.645932101228, logZ: 26.895908863684312},
	{file: "torch.npz", program: "ebm-torch", first: -13.178809897628533, last: -11.61256255779001, sum: -9605.645981955005, logZ: 26.895908886113915},
	{file: "rbms.npz", program: "rbms", first: -13.178809897628533, last: -11.61256255779001, sum: -9605.645981955005, logZ: 26.895908886113915},
	{file: "rbms.npz", program: "rbms", foreign: Foreign{Units: "spins"}, spins: true, first: -34.18550809380948, last: -27.037524950209377, sum: -29574.189210521625, logZ: 64.97445047763136},
	{file: "pydeep.npz", program: "pydeep", offsets: true, first: -14.382527759258062, last: -12.68005078200926, sum: -13704.060113272044, logZ: 29.60289214263566},
}

const foreignV, foreignH, foreignImages = 20, 15, 1000

func foreignPixel(n, i int) float64 {
	if (n*(2*i+3)+i*i)%7 < 3 {
		return 1
	}
	return 0
}

// originalFreeEnergy is F of image n by the formula above, in float64.
func originalFreeEnergy(n int, spins, offsets bool) float64 {
	f := 0.0
	ov := func(i int) float64 { return 0.3 + 0.02*float64(i) }
	v := func(i int) float64 {
		switch x := foreignPixel(n, i); {
		case spins:
			return 2*x - 1
		case offsets:
			return x - ov(i)
		default:
			return x
		}
	}
	for i := range foreignV {
		f -= v(i) * 0.5 * math.Cos(2+5*float64(i))
	}
	for j := range foreignH {
		b := -0.4 + 0.7*math.Sin(3+2*float64(j))
		field := 0.0
		for i := range foreignV {
			field += v(i) * 0.9 * math.Sin(1+float64((i+1)*(j+2)))
		}
		x := field + b
		switch {
		case spins:
			f -= compute.LogTwoCosh(x)
		case offsets:
			f -= math.Log1p(math.Exp(x)) - x*(0.6-0.01*float64(j))
		default:
			f -= math.Log1p(math.Exp(x))
		}
	}
	return f
}

func testEngine(t *testing.T) *cpu.Engine {
	e := cpu.New(2)
	t.Cleanup(e.Close)
	return e
}

func loadModel(t *testing.T, dir string) *Model {
	t.Helper()
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := LoadModel(d, -1, testEngine(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// modelFreeEnergies returns F of the rows of 0/1 or -1/+1 pixels.
func modelFreeEnergies(m *bm.Machine, rows int, pixel func(n, i int) float64) []float64 {
	e, v := m.Engine(), m.Layers()[bm.Visible]
	spins := make([]int8, rows*v)
	for n := range rows {
		for i := range v {
			spins[n*v+i] = -1
			if pixel(n, i) > 0 {
				spins[n*v+i] = 1
			}
		}
	}
	x, dst, f := e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Float64, rows, 1), make([]float64, rows)
	compute.Write(e, x, spins)
	m.Energy(dst, bm.State{x}, bm.Law{})
	compute.Read(e, f, dst)
	return f
}

// An import that forgets the constant, a factor, a transposition, a bias or an offset fails here.
func TestForeignModels(t *testing.T) {
	for _, c := range foreignModels {
		for _, format := range []string{"npz", "safetensors"} {
			t.Run(c.file+" "+c.foreign.Units+" "+format, func(t *testing.T) {
				dir, in := t.TempDir(), filepath.Join("testdata", c.file)
				if format == "safetensors" {
					f, err := tensorfile.Read(in)
					if err != nil {
						t.Fatal(err)
					}
					in = filepath.Join(dir, "model.safetensors")
					if err := tensorfile.Write(in, f); err != nil {
						t.Fatal(err)
					}
				}
				out := filepath.Join(dir, "runs", "imported")
				done, err := Convert(in, out, Conversion{Foreign: c.foreign, Checkpoint: -1, Height: 4, Width: 5})
				if err != nil {
					t.Fatal(err)
				}
				if done.Program != c.program {
					t.Errorf("taken for %s, want %s", done.Program, c.program)
				}
				m := loadModel(t, out)
				if m.Height != 4 || m.Width != 5 || m.Visible() != foreignV {
					t.Errorf("images of %dx%d, %d visible spins", m.Height, m.Width, m.Visible())
				}
				f := modelFreeEnergies(m.Machine, foreignImages, foreignPixel)
				sum := 0.0
				for n, x := range f {
					sum += x
					// Float32 parameters; the issue asks for 1e-4.
					if want := originalFreeEnergy(n, c.spins, c.offsets); math.Abs(x-want) > 3e-6*math.Abs(want) {
						t.Fatalf("F of image %d is %v, the original has %v", n, x, want)
					}
				}
				near := func(what string, got, want, tolerance float64) {
					t.Helper()
					if math.Abs(got-want) > tolerance*math.Abs(want) {
						t.Errorf("%s is %v, numpy has %v", what, got, want)
					}
				}
				near("F of image 0", f[0], c.first, 3e-7)
				near("F of image 999", f[999], c.last, 3e-7)
				near("the sum of F", sum, c.sum, 1e-7)
				for l := range 2 {
					list, err := exact.Enumerate(m.Machine, l)
					if err != nil {
						t.Fatal(err)
					}
					near("log Z", list.LogZ(), c.logZ, 1e-6)
				}
			})
		}
	}
}

// randomPortable is a machine of float32 numbers with everything a machine can have.
func randomPortable(visible, hidden, patterns int, key rng.Key) *Portable {
	draw := func(n int, k rng.Key) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(0.7 * k.Normal(0, uint64(i))))
		}
		return x
	}
	p := &Portable{Visible: visible, Hidden: hidden, Constant: 1.75}
	if patterns > 0 {
		p.Patterns, p.LogGain = patterns, 0.3
		p.VisiblePatterns, p.HiddenPatterns = draw(patterns*visible, key.Fold(0)), draw(patterns*hidden, key.Fold(1))
	} else {
		p.Weights = draw(visible*hidden, key.Fold(2))
	}
	p.VisibleBias, p.HiddenBias, p.Offset = draw(visible, key.Fold(3)), draw(hidden, key.Fold(4)), draw(visible, key.Fold(5))
	return p
}

// energyOf is E(v,h) of spins by its formula.
func (p *Portable) energyOf(v, h []float64) float64 {
	p = p.Dense()
	e := p.Constant
	for i, x := range v {
		if p.VisibleBias != nil {
			e -= p.VisibleBias[i] * x
		}
		if p.Offset != nil {
			x -= p.Offset[i]
		}
		for j, y := range h {
			e -= x * p.Weights[i*p.Hidden+j] * y
		}
	}
	for j, y := range h {
		if p.HiddenBias != nil {
			e -= p.HiddenBias[j] * y
		}
	}
	return e
}

func spinsOf(n, state int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(state>>i&1)*2 - 1
	}
	return x
}

// The 0/1 machine has the energies of the machine of spins in every state.
func TestBitsHaveTheSameEnergies(t *testing.T) {
	const V, H = 5, 4
	for _, patterns := range []int{0, 3} {
		p := randomPortable(V, H, patterns, 7)
		w, a, b, constant := p.bits()
		for state := range 1 << (V + H) {
			v, h := spinsOf(V, state), spinsOf(H, state>>V)
			want := p.energyOf(v, h)
			got := constant
			for i := range v {
				x := (v[i] + 1) / 2
				got -= a[i] * x
				for j := range h {
					got -= x * w[i*H+j] * (h[j] + 1) / 2
				}
			}
			for j := range h {
				got -= b[j] * (h[j] + 1) / 2
			}
			if math.Abs(got-want) > 1e-12 {
				t.Fatalf("%d patterns, state %b: %v in 0/1 units, %v in spins", patterns, state, got, want)
			}
		}
	}
}

// Spins to 0/1 variables and back gives the bits of every float32 parameter again, under the names of every program.
func TestBernoulliAndBack(t *testing.T) {
	p := randomPortable(9, 6, 0, 8)
	p.Offset = nil
	p.HiddenBias[2], p.VisibleBias[4] = 0, 0
	want, err := p.file()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range Dialects() {
		f, err := p.Bernoulli(program)
		if err != nil {
			t.Fatal(err)
		}
		q, from, err := ReadPortable(f, Foreign{})
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		if from != program {
			t.Errorf("the names of %s are taken for those of %s", program, from)
		}
		if math.Abs(q.Constant-p.Constant) > 1e-12 {
			t.Errorf("%s: the constant comes back as %v, want %v", program, q.Constant, p.Constant)
		}
		q.Constant = p.Constant
		got, err := q.file()
		if err != nil {
			t.Fatal(err)
		}
		if !equalTensors(got, want) {
			t.Errorf("%s: the machine comes back as another", program)
		}
	}
}

// 0/1 variables to float32 spins and back: the weights to the rounding of W/4, the biases to one unit in the
// last place of the bias in spins.
func TestForeignAndBack(t *testing.T) {
	in, err := tensorfile.Read("testdata/torch.npz")
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := ReadPortable(in, Foreign{})
	if err != nil {
		t.Fatal(err)
	}
	own, err := p.file()
	if err != nil {
		t.Fatal(err)
	}
	rounded, err := readOwn(own)
	if err != nil {
		t.Fatal(err)
	}
	out, err := rounded.Bernoulli("ebm-torch")
	if err != nil {
		t.Fatal(err)
	}
	for name, spins := range map[string][]float64{"weights": nil, "vbias": p.VisibleBias, "hbias": p.HiddenBias} {
		x, _ := in.Tensor(name)
		y, ok := out.Tensor(name)
		if !ok || !slices.Equal(x.Shape, y.Shape) {
			t.Fatalf("%s comes back as %v, want %v", name, y.Shape, x.Shape)
		}
		for i, want := range tensorfile.Floats[float64](x) {
			got, tolerance := tensorfile.Floats[float64](y)[i], 0.0
			if spins != nil {
				tolerance = 0x1p-23 * math.Abs(spins[i])
			}
			if math.Abs(got-want) > tolerance+1e-15 {
				t.Errorf("%s[%d] comes back as %v, want %v to %v", name, i, got, want, tolerance)
			}
		}
	}
	if c, ok := out.Tensor(constantName); ok && math.Abs(tensorfile.Floats[float64](c)[0]) > 1e-5 {
		t.Errorf("energies come back with the constant %v", c.Data)
	}
}

func equalTensors(a, b *tensorfile.File) bool {
	var x, y bytes.Buffer
	if tensorfile.WriteSafetensors(&x, &tensorfile.File{Tensors: a.Tensors}) != nil || tensorfile.WriteSafetensors(&y, &tensorfile.File{Tensors: b.Tensors}) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

func f32(name string, n int, shape ...int) tensorfile.Tensor {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i) / 8
	}
	return tensorfile.New(name, x, shape...)
}

// A layout is found by the lengths of the biases, and asked for where it cannot be.
func TestLayout(t *testing.T) {
	square := []tensorfile.Tensor{f32("weights", 4, 2, 2), f32("vbias", 2, 2), f32("hbias", 2, 2)}
	wide := []tensorfile.Tensor{f32("weights", 6, 2, 3), f32("vbias", 2, 2), f32("hbias", 3, 1, 3)}
	tall := []tensorfile.Tensor{f32("weights", 6, 2, 3), f32("vbias", 3, 3, 1), f32("hbias", 2, 2)}
	for _, c := range []struct {
		tensors []tensorfile.Tensor
		layout  string
		want    []float64 // W in 0/1 units, V x H
		err     string
	}{
		{wide, "", []float64{0, 1, 2, 3, 4, 5}, ""},
		{tall, "", []float64{0, 3, 1, 4, 2, 5}, ""},
		{square, "vh", []float64{0, 1, 2, 3}, ""},
		{square, "hv", []float64{0, 2, 1, 3}, ""},
		{square, "", nil, "give the layout: vh or hv"},
		{wide, "hv", nil, "that is layout vh, not hv"},
	} {
		p, _, err := ReadPortable(&tensorfile.File{Tensors: c.tensors}, Foreign{Layout: c.layout})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("layout %q: error %v, want %q", c.layout, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("layout %q: %v", c.layout, err)
			continue
		}
		for i, w := range p.Weights {
			if w != c.want[i]/8/4 {
				t.Errorf("layout %q: weights %v, want %v / 32", c.layout, p.Weights, c.want)
				break
			}
		}
	}
}

// Every wrong file is refused with what is wrong and what would be right.
func TestReadPortableRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name    string
		tensors []tensorfile.Tensor
		foreign Foreign
		want    string
	}{
		{"nothing", nil, Foreign{}, "no machine found among no tensors; want patterns.visible"},
		{"unknown names", []tensorfile.Tensor{f32("kernel", 6, 2, 3)}, Foreign{}, "no machine found among kernel F32 [2 3]; want"},
		{"weights alone", []tensorfile.Tensor{f32("components_", 6, 2, 3)}, Foreign{}, "no machine found among"},
		{"a bias missing", []tensorfile.Tensor{f32("components_", 6, 2, 3), f32("intercept_visible_", 3, 3)}, Foreign{}, "as a machine of scikit-learn: tensor intercept_hidden_ is missing; there are"},
		{"lengths", []tensorfile.Tensor{f32("components_", 6, 2, 3), f32("intercept_visible_", 4, 4), f32("intercept_hidden_", 2, 2)}, Foreign{}, "tensor components_ is 2x3, where intercept_visible_ has 4 numbers and intercept_hidden_ 2: the sizes disagree"},
		{"transposed", []tensorfile.Tensor{f32("components_", 6, 2, 3), f32("intercept_visible_", 2, 2), f32("intercept_hidden_", 3, 3)}, Foreign{}, "that is layout vh, not hv"},
		{"a fixed layout", []tensorfile.Tensor{f32("components_", 6, 2, 3), f32("intercept_visible_", 3, 3), f32("intercept_hidden_", 2, 2)}, Foreign{Layout: "vh"}, "components_ of scikit-learn are always hv"},
		{"not a number", []tensorfile.Tensor{tensorfile.New("w", []float32{1, nan}, 1, 2), f32("bv", 1, 1), f32("bh", 2, 2)}, Foreign{}, "tensor w: entry 1 is NaN, want a finite number"},
		{"integers", []tensorfile.Tensor{tensorfile.New("w", []int64{1, 2}, 1, 2), f32("bv", 1, 1), f32("bh", 2, 2)}, Foreign{}, "tensor w holds I64, want F32 or F64"},
		{"three sizes", []tensorfile.Tensor{f32("w", 2, 1, 2, 1), f32("bv", 1, 1), f32("bh", 2, 2)}, Foreign{}, "tensor w has the shape [1 2 1], want two sizes"},
		{"empty", []tensorfile.Tensor{f32("w", 0, 0, 2), f32("bv", 0, 0), f32("bh", 2, 2)}, Foreign{}, "tensor w has the shape [0 2], want two sizes from 1"},
		{"a bias of two sizes", []tensorfile.Tensor{f32("w", 4, 2, 2), f32("bv", 4, 2, 2), f32("bh", 2, 2)}, Foreign{}, "tensor bv has the shape [2 2], want one number a spin"},
		{"something else", []tensorfile.Tensor{f32("w", 2, 1, 2), f32("bv", 1, 1), f32("bh", 2, 2), f32("sigma", 1, 1)}, Foreign{}, "tensor sigma is no part of it"},
		{"units", []tensorfile.Tensor{f32("w", 2, 1, 2)}, Foreign{Units: "pm1"}, `units "pm1" are unknown, want 01 or spins`},
		{"layout", []tensorfile.Tensor{f32("w", 2, 1, 2)}, Foreign{Layout: "xy"}, `layout "xy" is unknown, want vh or hv`},
		{"units of our own", []tensorfile.Tensor{f32("weights", 2, 1, 2)}, Foreign{Units: "01"}, "for the files of other programs"},
		{"both couplings", []tensorfile.Tensor{f32("weights", 2, 1, 2), f32("patterns.visible", 1, 1, 1)}, Foreign{}, "both weights and patterns"},
		{"half a pattern", []tensorfile.Tensor{f32("patterns.visible", 2, 1, 2)}, Foreign{}, "tensor patterns.hidden is missing; there are patterns.visible F32 [1 2]"},
		{"pattern counts", []tensorfile.Tensor{f32("patterns.visible", 2, 1, 2), f32("patterns.hidden", 6, 2, 3), f32("log_gain", 1)}, Foreign{}, "1 visible and 2 hidden parts of patterns"},
		{"no gain", []tensorfile.Tensor{f32("patterns.visible", 2, 1, 2), f32("patterns.hidden", 3, 1, 3)}, Foreign{}, "tensor log_gain is missing"},
		{"an endless gain", []tensorfile.Tensor{f32("patterns.visible", 2, 1, 2), f32("patterns.hidden", 3, 1, 3), tensorfile.New("log_gain", []float32{200})}, Foreign{}, "a gain of exp(200) does not fit float32"},
		{"a short bias", []tensorfile.Tensor{f32("weights", 6, 2, 3), f32("bias.hidden", 2, 2)}, Foreign{}, "tensor bias.hidden has 2 numbers (shape [2]), want 3"},
		{"something beside", []tensorfile.Tensor{f32("weights", 6, 2, 3), f32("bias", 2, 2)}, Foreign{}, "tensor bias is no part of a machine"},
	} {
		_, _, err := ReadPortable(&tensorfile.File{Tensors: c.tensors}, c.foreign)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v\nwant %q", c.name, err, c.want)
		}
	}
}

// Whatever the arrays, reading returns a machine that can be written, or an error.
func FuzzReadPortable(f *testing.F) {
	add := func(file *tensorfile.File, err error) {
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := tensorfile.WriteSafetensors(&b, file); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	for _, program := range Dialects() {
		add(randomPortable(3, 2, 0, 1).Bernoulli(program))
	}
	add(randomPortable(3, 2, 0, 1).file())
	add(randomPortable(3, 2, 2, 1).file())
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := tensorfile.ReadSafetensors(bytes.NewReader(b))
		if err != nil {
			return
		}
		p, _, err := ReadPortable(file, Foreign{})
		if err != nil || p.Visible*p.Hidden > 1<<12 {
			return
		}
		if p.Visible < 1 || p.Hidden < 1 {
			t.Fatalf("a machine of %d and %d spins", p.Visible, p.Hidden)
		}
		if g, err := p.file(); err == nil {
			if _, err := readOwn(g); err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
		}
		if _, err := p.Bernoulli(""); err != nil && !strings.Contains(err.Error(), "too large") {
			t.Fatal(err)
		}
	})
}
