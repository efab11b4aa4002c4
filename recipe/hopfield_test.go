package recipe

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/tensorfile"
)

// fileOf returns the tensors of a machine as a checkpoint has them.
func fileOf(m *bm.Machine) *tensorfile.File {
	var layers []layerOf
	pairs := [][2]string{}
	for _, l := range m.Graph().Layers {
		layers = append(layers, layerOf{l.Name, l.N, l.Kind})
	}
	for _, p := range m.Graph().Pairs {
		pairs = append(pairs, [2]string{layers[p.A].Name, layers[p.B].Name})
	}
	f := &tensorfile.File{Metadata: map[string]string{"format": graphFormat, "height": "0", "width": "0"}}
	for key, x := range map[string]any{"layers": layers, "pairs": pairs} {
		text, _ := json.Marshal(x)
		f.Metadata[key] = string(text)
	}
	for _, p := range m.Params() {
		t := tensor(m.Engine(), p)
		x := make([]float32, p.Value.Len())
		if p.Value.Type() == compute.Float32 {
			compute.Read(m.Engine(), x, p.Value)
			f.Tensors = append(f.Tensors, tensorfile.New(p.Name, x, t.Shape...))
		}
	}
	return f
}

// energy returns E(v), the units of a hybrid machine integrated out.
func (p *Pairwise) energy(v []int8) float64 {
	e := p.Constant
	for i := range v {
		if p.Bias != nil {
			e -= p.Bias[i] * float64(v[i])
		}
		for j := range i {
			if p.J != nil {
				e -= p.J.At(i, j) * float64(v[i]) * float64(v[j])
			}
		}
	}
	for k := range p.Hidden {
		f := 0.0
		for i := range v {
			f += float64(v[i]) * p.W.At(i, k)
		}
		e -= f * f / 2
	}
	return e
}

func (p *Pairwise) logZ() float64 {
	var z exact.LogSum
	v := make([]int8, p.Visible)
	for s := range uint64(1) << p.Visible {
		exact.SetState(v, s)
		z.Add(-p.energy(v))
	}
	return z.Log()
}

// E1 and the way back: hybrid machines, machines of visible spins and both in one, dense and of axons, plain and with biases and offsets on
// all layers, keep every free energy as fully connected and as hybrid machines. A pair counted twice, a diagonal that is lost
// or kept in J, and an offset or bias left out fail.
func TestSummedOutAndBack(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	var machines []check.Small
	for _, m := range check.Machines(e, 91) {
		if strings.HasPrefix(m.Name, "full,") || strings.HasPrefix(m.Name, "hybrid,") {
			machines = append(machines, m)
		}
	}
	for _, axons := range []bool{false, true} {
		g := bm.Graph{Layers: []bm.Layer{{Name: "visible", N: 5, Kind: bm.Spins, Offset: true}, {Name: "z", N: 3, Kind: bm.Gaussian, Offset: true}, {Name: "y", N: 2, Kind: bm.Gaussian}}, Pairs: []bm.Pair{{A: 0, B: 0}, {A: 0, B: 1}, {A: 0, B: 2}}}
		var c bm.Couplings
		if axons {
			a := bm.NewAxons(e, g, 3, false)
			a.Uniform(0.6, 4)
			c = a
		} else {
			d := bm.NewDense(e, g)
			d.Normal(0.3, 4)
			c = d
		}
		m := bm.New(e, c, true, true, false)
		for i, to := range []compute.Matrix{m.Bias(0).Value, m.Bias(1).Value, c.Offset(0), c.Offset(1)} {
			x := make([]float32, to.Len())
			for j := range x {
				x[j] = float32(0.4 * math.Sin(float64(3*i+j)))
			}
			compute.Write(e, to, x)
		}
		machines = append(machines, check.Small{Name: fmt.Sprintf("both, axons %v", axons), Machine: m})
	}
	for _, small := range machines {
		f, x := fileOf(small.Machine), check.ExactOf(small.Machine)
		full, err := convertPairwise(f, "full")
		if err != nil {
			t.Fatalf("%s: %v", small.Name, err)
		}
		arrays, err := full.file()
		if err != nil {
			t.Fatal(err)
		}
		back, err := convertPairwise(arrays, "hybrid")
		if err != nil {
			t.Fatalf("%s, back: %v", small.Name, err)
		}
		forms := []*Pairwise{full, back}
		if strings.HasPrefix(small.Name, "full,") {
			direct, err := convertPairwise(f, "hybrid")
			if err != nil {
				t.Fatalf("%s: %v", small.Name, err)
			}
			forms = append(forms, direct)
		}
		for state := range uint64(1) << full.Visible {
			s := x.Split(state)
			want := x.Energy(s)
			for i, p := range forms {
				tolerance := 1e-6 // of the rounded J that back begins with
				if i != 1 {
					tolerance = 1e-9
				}
				if got := p.energy(s[bm.Visible]); math.Abs(got-want) > tolerance*max(1, math.Abs(want)) {
					t.Fatalf("%s as %s: the energy of %v is %.12g, want %.12g", small.Name, p.Kind(), s[bm.Visible], got, want)
				}
			}
		}
		for i := range full.Visible {
			if full.J.At(i, i) != 0 {
				t.Errorf("%s: J has the diagonal %v", small.Name, full.J.At(i, i))
			}
		}
	}
}

// sines returns W(n,m,a,b,s)_ij = s sin(a i + b j), counted from 1.
func sines(n, m int, a, b, s float64) []float32 {
	x := make([]float32, 0, n*m)
	for i := range n {
		for j := range m {
			x = append(x, float32(s*math.Sin(a*float64(i+1)+b*float64(j+1))))
		}
	}
	return x
}

// The numbers of two hybrid machines that were found by enumeration elsewhere: log Z of the one with and without its diagonal, E2 of the
// other. The parameters are float32 here.
func TestHybridNumbers(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Hybrid(5, 3))
	compute.Write(e, d.Weights(0).Value, sines(5, 3, 1.1, 0.5, 0.6))
	m := bm.New(e, d, true)
	b := make([]float32, 5)
	for i := range b {
		b[i] = float32(0.2 * math.Cos(float64(i+1)))
	}
	compute.Write(e, m.Bias(0).Value, b)
	p, err := convertPairwise(fileOf(m), "full")
	if err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s is %.9f, want %.9f", what, got, want)
		}
	}
	near("log Z", p.logZ(), 5.662814733029)
	near("log Z of the Hopfield machine alone", p.logZ()+p.Constant, 4.413430448554)
	near("the diagonal", -p.Shift, 1.249384284474)

	a := bm.NewAxons(e, bm.Hybrid(5, 3), 2, false)
	compute.Write(e, a.Patterns(0).Value, sines(2, 5, 0.9, 1.1, 1))
	compute.Write(e, a.Patterns(1).Value, sines(2, 3, 0.9, 1.4, 1))
	p, err = convertPairwise(fileOf(bm.New(e, a)), "full")
	if err != nil {
		t.Fatal(err)
	}
	near("J_12 by E2", p.J.At(0, 1), -0.316244506794)
	near("log Z", p.logZ(), 8.864854914319)
}

// What cannot be converted is refused with the reason, and nothing is written.
func TestPairwiseRefused(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	for _, c := range []struct {
		graph    bm.Graph
		to, want string
	}{
		{bm.Restricted(4, 3, false), "full", "the hidden spins of a restricted one leave couplings of more than two spins"},
		{bm.Deep(4, 3, 2), "full", "the pair visible-hidden1 is of hidden spins: want visible spins that meet each other and Gaussian layers alone"},
		{bm.Full(4, 2), "hybrid", "the pair visible-hidden is of hidden spins"},
		{bm.Hybrid(4, 2), "hybrid", "it has Gaussian layers already: take --to full, and --to hybrid from there"},
		{bm.Full(4, 0), "hybrid", "all couplings are 0: there is no hybrid machine of them"},
	} {
		f := fileOf(bm.New(e, bm.NewDense(e, c.graph)))
		if c.graph.IsRestricted() {
			f.Metadata["format"] = formatName
		}
		if _, err := convertPairwise(f, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v to %s: %v, want %s", c.graph.Pairs, c.to, err, c.want)
		}
	}
}

const hopfieldBase = "train: {epochs: 0, batch: 9}\nnegative: {kind: cd}\n"

// Memories from the data: what is no machine of memories is refused with the place.
func TestWrongMemories(t *testing.T) {
	const full, data = "machine: {kind: full}\n", "data: {name: memories, size: 20, count: 5}\n"
	for _, c := range []struct{ text, want string }{
		{data + full + "couplings: {init: data, rule: oja}\n", `couplings.rule: "oja" is unknown, want one of hebb, projection`},
		{data + full + "couplings: {rule: hebb}\n", "couplings.rule: is for couplings.init: data, and couplings.init is bernoulli: leave it out"},
		{data + full + "couplings: {init: data, patterns: 5}\n", "couplings.patterns: has no meaning for axons couplings of init data, whose patterns are the training rows: leave it out"},
		{data + full + "couplings: {kind: dense, init: data, gain: 2}\n", "couplings.gain: has no meaning for dense couplings of init data"},
		{data + full + "couplings: {init: {data: 2}}\n", "couplings.init: data takes no number"},
		{data + "machine: {kind: full, hidden: 3}\ncouplings: {init: data}\n", "couplings.init: data makes memories of the training rows in the couplings of the visible spins, and there are hidden ones: want machine: {kind: full, hidden: 0}"},
		{data + "machine: {hidden: 3}\ncouplings: {init: data}\n", "want machine: {kind: full, hidden: 0}"},
		{data + "machine: {kind: full, hidden: 0, offset: mean}\ncouplings: {init: data, rule: hebb}\n", "machine.offset: mean shifts the spins that the rule's couplings are of, and nothing would be remembered: take none with couplings.init data"},
		{"data: {name: memories, size: 0}\n" + full, "data.size: 0 is out of range for memories: 1 to 65536"},
		{"data: {name: memories, count: 0}\n" + full, "data.count: 0 is out of range, want 1 to 65536"},
		{"data: {name: memories, split: random}\n" + full, "data.split: has no meaning for data memories"},
		{"data: {name: bars, count: 5}\n" + full, "data.count: has no meaning for data bars"},
	} {
		if _, err := Parse("r.yaml", []byte(hopfieldBase+c.text)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "r.yaml:") {
			t.Errorf("%s:\n%v, want\n%s", c.text, err, c.want)
		}
	}
}

// The couplings of both rules for axons and dense couplings against sums in float64, and the rows that come back: dependent rows are told of, and
// the projection on their span is stored.
func TestMemories(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	for _, kind := range []string{"axons", "dense"} {
		for _, rule := range rules {
			r := parse(t, hopfieldBase+"data: {name: memories, size: 12, count: 4}\nmachine: {kind: full}\ncouplings: {kind: "+kind+", init: data, rule: "+rule+"}\n")
			split, err := r.LoadData()
			if err != nil {
				t.Fatal(err)
			}
			set := split.Train
			if rule == "projection" { // the last row is the first one's negative
				for j, s := range set.Row(0) {
					set.Row(3)[j] = -s
				}
			}
			tr, err := r.Build(split, e)
			if err != nil {
				t.Fatal(err)
			}
			if dependent := rule == "projection"; (len(tr.Remarks) == 1) != dependent || dependent && !strings.HasPrefix(tr.Remarks[0], "1 of the 4 memories depend on the others") {
				t.Errorf("%s, %s: remarks %q", kind, rule, tr.Remarks)
			}
			w := check.PairWeights(tr.Machine, 0)
			for k := range set.Rows {
				row := set.Row(k)
				for i := range row {
					field, hebb := 0.0, 0.0
					for j := range row {
						field += w[i][j] * float64(row[j])
						sum := 0.0
						for l := range set.Rows {
							sum += float64(set.Row(l)[i]) * float64(set.Row(l)[j])
						}
						hebb = sum / 12
						if rule == "hebb" && j != i && math.Abs(w[i][j]-hebb) > 1e-6 {
							t.Fatalf("%s: J[%d,%d] is %v, want %v", kind, i, j, w[i][j], hebb)
						}
					}
					// J + diagonal is a projection: J xi = xi - P_ii xi, with P_ii what is missing.
					if rule == "projection" && field*float64(row[i]) <= 0 {
						t.Errorf("%s: spin %d of row %d is turned", kind, i, k)
					}
				}
			}
			if rule == "projection" {
				trace := 0.0
				for i := range set.Visible {
					x := slices.Clone(set.Row(0))
					sum := 0.0
					for j := range x {
						sum += w[i][j] * float64(x[j])
					}
					trace += 1 - sum*float64(x[i])
				}
				if math.Abs(trace-3) > 1e-5 { // that of a projection on three directions
					t.Errorf("%s: the diagonal has the trace %v, want 3", kind, trace)
				}
			}
		}
	}
}

// A run of memories is trained, read again with as many patterns as rows, and resumed.
func TestMemoriesInARun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	s := begin(t, dir, "data: {name: memories, size: 20, count: 5}\nmachine: {kind: full}\ncouplings: {init: data}\nnegative: {kind: cd}\ntrain: {epochs: 2, batch: 5}\n", "measure.train=[recall]")
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Dir.Close(); err != nil {
		t.Fatal(err)
	}
	m := loadModel(t, dir)
	if m.Axons.K() != 5 || m.Visible() != 20 {
		t.Errorf("%d patterns of %d spins", m.Axons.K(), m.Visible())
	}
}
