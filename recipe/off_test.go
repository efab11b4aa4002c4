package recipe

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"mattis/compute"
	"mattis/run"
	"mattis/tensorfile"
)

// With offset off, bias_rate 4 and a rate of 1/16, an update is that of BernoulliRBM, written here in 0/1 variables and float64:
//
//	components_ += rate (<h v^T>_data - <h v^T>_chains)    intercepts += rate (<v>, <h>)_data - (<v>, <h>)_chains
//
// An offset that is missing or moves adds the means of the other layer to every coupling, and fails by far more than rounding.
func TestOffIsBernoulliDynamics(t *testing.T) {
	const rate = 0.4
	for _, chains := range []int{14, 300} { // the gradients of 300 are formed, and those of 14 are not
		r, split := load(t, "data: {name: bars}\nmachine: {hidden: 6, biases: both, offset: off, bias_rate: 4}\ntrain: {epochs: 10, batch: 14}\n"+
			fmt.Sprintf("couplings: {kind: dense, init: {normal: 0.1}}\nnegative: {kind: pcd, chains: %d, steps: 1}\noptimizer: {kind: sgd, rate: %g}\n", chains, rate/16))
		l, err := r.Learner(split.Train, engine(t))
		if err != nil {
			t.Fatal(err)
		}
		rows := split.Train.Spins
		for update := range 12 {
			w, a, b := bernoulliOf(t, l.Model)
			if err := l.Update(split.Train); err != nil {
				t.Fatal(err)
			}
			add := func(spins []int8, factor float64, toW, toA, toB []float64) {
				n := len(spins) / len(a)
				for row := range n {
					v := spins[row*len(a):][:len(a)]
					for j := range b {
						field := b[j]
						for i, s := range v {
							field += w[j*len(a)+i] * float64(s+1) / 2
						}
						p := factor / float64(n) / (1 + math.Exp(-field))
						toB[j] += p
						for i, s := range v {
							toW[j*len(a)+i] += p * float64(s+1) / 2
						}
					}
					for i, s := range v {
						toA[i] += factor / float64(n) * float64(s+1) / 2
					}
				}
			}
			wantW, wantA, wantB := append([]float64(nil), w...), append([]float64(nil), a...), append([]float64(nil), b...)
			add(rows, rate, wantW, wantA, wantB)
			kept := l.negative.State()[0].Value
			at := make([]int8, kept.Len())
			compute.Read(l.Machine.Engine(), at, kept)
			add(at, -rate, wantW, wantA, wantB)
			gotW, gotA, gotB := bernoulliOf(t, l.Model)
			for _, x := range []struct {
				name      string
				got, want []float64
			}{{"components_", gotW, wantW}, {"intercept_visible_", gotA, wantA}, {"intercept_hidden_", gotB, wantB}} {
				for i := range x.want {
					if math.Abs(x.got[i]-x.want[i]) > 2e-6 { // sums of 16 float32 numbers of at most 2
						t.Fatalf("update %d: %s[%d] is %.8f, want %.8f", update, x.name, i, x.got[i], x.want[i])
					}
				}
			}
		}
	}
}

func bernoulliOf(t *testing.T, m *Model) (w, a, b []float64) {
	t.Helper()
	p, err := m.Portable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.Bernoulli("")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []float64 {
		x, _ := f.Tensor(name)
		return tensorfile.Floats[float64](x)
	}
	return read("components_"), read("intercept_visible_"), read("intercept_hidden_")
}

// Machines with offsets of their hidden spins are those of 0/1 variables that Bernoulli writes, and those that a run directory
// holds after a conversion: free energies of all rows agree, the constant included. A sign or an offset forgotten moves them by more than 0.1.
func TestHiddenOffsetsAreConverted(t *testing.T) {
	for _, offset := range []string{"off", "sparse", "all"} {
		for _, couplings := range []string{"{kind: dense, init: {normal: 0.3}}", "{kind: axons, patterns: 3}"} {
			dir := filepath.Join(t.TempDir(), "from")
			finish(t, begin(t, dir, "data: {name: bars}\nmachine: {hidden: 5, biases: both, offset: "+offset+"}\ntrain: {epochs: 20, batch: 7}\n"+
				"couplings: "+couplings+"\nnegative: {kind: cd}\noptimizer: {rate: 0.05}\n"))
			m := loadModel(t, dir)
			pixel := func(n, i int) float64 { return float64(n >> i & 1) }
			want := modelFreeEnergies(m.Machine, 1<<10, pixel)
			p, err := m.Portable()
			if err != nil {
				t.Fatal(err)
			}
			w, a, b, constant := p.bits()
			for n, f := range want {
				g := constant
				for i, x := range a {
					g -= x * pixel(n, i)
				}
				for j, field := range b {
					for i := range a {
						field += pixel(n, i) * w[i*len(b)+j]
					}
					g -= math.Max(field, 0) + math.Log1p(math.Exp(-math.Abs(field)))
				}
				if math.Abs(g-f) > 1e-4 {
					t.Fatalf("%s, %s: the free energy of row %d is %v in 0/1 variables, %v in spins", offset, couplings, n, g, f)
				}
			}
			out := filepath.Join(t.TempDir(), "to")
			if _, err := Convert(dir, out, Conversion{To: "dense", Checkpoint: -1}); err != nil {
				t.Fatal(err)
			}
			for n, f := range modelFreeEnergies(loadModel(t, out).Machine, 1<<10, pixel) {
				if math.Abs(f-want[n]) > 1e-4 {
					t.Fatalf("%s, %s: the free energy of row %d is %v after the conversion, %v before", offset, couplings, n, f, want[n])
				}
			}
		}
	}
}

// Every layer of spins has the offset -1 from the beginning to the end, and Gaussian ones none; a checkpoint with another one is
// none of the machine's.
func TestOffStays(t *testing.T) {
	const tail = "\ntrain: {epochs: 3, batch: 7}\ncouplings: {kind: dense}\nnegative: {kind: cd}\noptimizer: {rate: 0.05}\n"
	root := t.TempDir()
	for kind, layers := range map[string][]bool{"{kind: rbm, hidden: 3": {true, true}, "{kind: deep, hidden: [3, 2]": {true, true, true}, "{kind: hybrid, hidden: 3": {true, false}} {
		dir := filepath.Join(root, kind[7:10])
		finish(t, begin(t, dir, "data: {name: bars}\nmachine: "+kind+", biases: both, offset: off}"+tail))
		m := loadModel(t, dir).Machine
		for l, want := range layers {
			x := m.Couplings().Offset(l)
			if x.IsNone() == want {
				t.Errorf("%s}: layer %d has an offset: %v", kind, l, !want)
			}
			if !want {
				continue
			}
			values := make([]float32, x.Len())
			for compute.Read(m.Engine(), values, x); len(values) > 0; values = values[1:] {
				if values[0] != -1 {
					t.Errorf("%s}: an offset of layer %d is %v", kind, l, values[0])
				}
			}
		}
	}
	centred := filepath.Join(root, "centred")
	finish(t, begin(t, centred, "data: {name: bars}\nmachine: {hidden: 3, biases: both, offset: all}"+tail))
	from, err := run.Open(centred)
	if err != nil {
		t.Fatal(err)
	}
	_, err = beginFrom(t, from, filepath.Join(root, "x"), "data: {name: bars}\nmachine: {hidden: 3, biases: both, offset: off}"+tail)
	if err == nil {
		t.Error("a machine takes moved offsets for its own, which stay")
	}
}
