package watch

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"mattis/run"
	"mattis/tensorfile"
)

// noise returns numbers that repeat from run to run.
func noise(n, seed int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Sin(float64(seed*1000 + 7*i*i + 3*i)))
	}
	return x
}

// axons returns the tensors of a machine with patterns, and its W in float64 by the definition
// (g/sqrt K) Xv^T Xh.
func axons(k, v, h, seed int, logGain float32) ([]tensorfile.Tensor, *mat.Dense) {
	xv, xh := noise(k*v, seed), noise(k*h, seed+1)
	w := mat.NewDense(v, h, nil)
	for i := range v {
		for j := range h {
			sum := 0.0
			for p := range k {
				sum += float64(xv[p*v+i]) * float64(xh[p*h+j])
			}
			w.Set(i, j, math.Exp(float64(logGain))/math.Sqrt(float64(k))*sum)
		}
	}
	return []tensorfile.Tensor{tensorfile.New("patterns.visible", xv, k, v), tensorfile.New("patterns.hidden", xh, k, h), tensorfile.New("log_gain", []float32{logGain})}, w
}

// Fails for singular values, gains, overlaps or energies that are not those of W as Eq. 5 has it,
// for few and for many patterns.
func TestMachine(t *testing.T) {
	for _, k := range []int{3, 9} {
		const v, h = 6, 5
		w := begin(t, filepath.Join(t.TempDir(), "a"))
		first, _ := axons(k, v, h, 1, 0)
		second, dense := axons(k, v, h, 2, 0.7)
		b, c, offset, above := noise(v, 5), noise(h, 6), noise(v, 7), noise(h, 8)
		chains := []int8{1, -1, 1, 1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
		second = append(second, tensorfile.New("bias.visible", b, v), tensorfile.New("bias.hidden", c, h), tensorfile.New("offset.visible", offset, v), tensorfile.New("offset.hidden", above, h),
			tensorfile.New("energy_constant", []float64{0.25}), tensorfile.New("chains.visible", chains, 3, v))
		for i, tensors := range [][]tensorfile.Tensor{first, second} {
			if err := w.Save(10*(i+1), &tensorfile.File{Tensors: tensors, Metadata: map[string]string{"epoch": fmt.Sprint(i + 1), "height": "2", "width": "3"}}); err != nil {
				t.Fatal(err)
			}
		}
		l := library(t, w.Path())
		id := only(t, l).ID
		m, err := l.Machine(context.Background(), id)
		if err != nil || len(m.Refused) > 0 {
			t.Fatal(err, m.Refused)
		}
		if m.Step != 20 || m.Epoch != 2 || m.Height != 2 || m.Width != 3 || len(m.History) != 2 ||
			!slices.Equal(m.Layers, []Layer{{"visible", v, true, "spins"}, {"hidden", h, true, "spins"}}) || !slices.Equal(m.Pairs, []Pair{{"visible", "hidden", "axons", k}}) {
			t.Errorf("machine %+v", m)
		}
		last := m.History[1]
		if got := last.Gains["visible-hidden"]; math.Abs(got-math.Exp(float64(float32(0.7)))) > 1e-12 {
			t.Errorf("gain %v", got)
		}
		var svd mat.SVD
		svd.Factorize(dense, mat.SVDNone)
		for i, want := range svd.Values(nil)[:min(k, h)] {
			if got := float64(last.Spectrum["visible-hidden"][i]); math.Abs(got-want) > 1e-9 {
				t.Errorf("K = %d: singular value %d is %v, want %v", k, i, got, want)
			}
		}
		if one := m.History[0].Overlap["visible"]; len(one) != k || math.Abs(float64(one[0])-1) > 1e-12 {
			t.Errorf("overlap with itself %v", one)
		}
		dot, aa, bb := 0.0, 0.0, 0.0
		for i := range v {
			p, q := float64(first[0].Data.([]float32)[v+i]), float64(second[0].Data.([]float32)[v+i])
			dot, aa, bb = dot+p*q, aa+p*p, bb+q*q
		}
		if got := float64(last.Overlap["visible"][1]); math.Abs(got-dot/math.Sqrt(aa*bb)) > 1e-12 {
			t.Errorf("overlap of pattern 1: %v, want %v", got, dot/math.Sqrt(aa*bb))
		}
		// F(v) is -log of the sum over h of exp(-E).
		mean := 0.0
		for r := range 3 {
			sum := 0.0
			for state := range 1 << h {
				e := 0.25
				for i := range v {
					e -= float64(b[i]) * float64(chains[r*v+i])
				}
				for j := range h {
					s := float64(2*(state>>j&1) - 1)
					field := 0.0
					for i := range v {
						field += (float64(chains[r*v+i]) - float64(offset[i])) * dense.At(i, j)
					}
					e -= (s-float64(above[j]))*field + s*float64(c[j])
				}
				sum += math.Exp(-e)
			}
			mean -= math.Log(sum) / 3
		}
		if m.Chains == nil || math.Abs(float64(m.Chains.Mean)-mean) > 1e-6 {
			t.Errorf("mean energy of the chains %+v, want %v", m.Chains, mean)
		}
		if again, err := l.Machine(context.Background(), id); err != nil || len(again.History) != 2 || again.History[0].Gains["visible-hidden"] != 1 {
			t.Errorf("a second look: %+v, %v", again, err)
		}
	}
}

// The energies of tempering are those of the chains at the target's temperature.
func TestMachineTempering(t *testing.T) {
	f := &tensorfile.File{Tensors: []tensorfile.Tensor{
		tensorfile.New("weights", []float32{0, 0}, 2, 1), tensorfile.New("bias.visible", []float32{1, 10}, 2),
		tensorfile.New("chains.visible", []int8{1, 1, -1, -1, -1, 1, 1, -1}, 4, 2), tensorfile.New("chains.rungs", []int32{1, 0, 0, 1}, 2, 2),
	}}
	h := energies(f)
	want := (11+(1-10))/2.0 - math.Ln2 // rows 1 and 2: -b.v - log 2cosh 0
	if h == nil || math.Abs(float64(h.Mean)-want) > 1e-12 {
		t.Errorf("%+v, want the mean %v", h, want)
	}
}

// A machine of other topology is drawn from its tensors' names and the metadata.
func TestMachineOfManyLayers(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	if err := w.Save(1, &tensorfile.File{Tensors: []tensorfile.Tensor{
		tensorfile.New("patterns.visible", noise(8, 1), 2, 4), tensorfile.New("patterns.hidden1", noise(6, 2), 2, 3), tensorfile.New("log_gain.visible-hidden1", []float32{0}),
		tensorfile.New("weights.hidden1-hidden2", noise(6, 3), 3, 2), tensorfile.New("weights.visible-visible", noise(16, 4), 4, 4), tensorfile.New("bias.hidden2", noise(2, 5), 2),
	}, Metadata: map[string]string{"format": "mattis 2", "layers": `[{"name":"visible","size":4},{"name":"hidden1","size":3},{"name":"hidden2","size":2,"kind":"gaussian"}]`}}); err != nil {
		t.Fatal(err)
	}
	l := library(t, w.Path())
	m, err := l.Machine(context.Background(), only(t, l).ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Layer{{"visible", 4, false, "spins"}, {"hidden1", 3, false, "spins"}, {"hidden2", 2, true, "gaussian"}}; !slices.Equal(m.Layers, want) {
		t.Errorf("layers %v, want %v", m.Layers, want)
	}
	if want := []Pair{{"visible", "visible", "dense", 0}, {"visible", "hidden1", "axons", 2}, {"hidden1", "hidden2", "dense", 0}}; !slices.Equal(m.Pairs, want) {
		t.Errorf("pairs %v, want %v", m.Pairs, want)
	}
	for _, p := range m.Pairs {
		if len(m.History[0].Spectrum[p.name()]) == 0 {
			t.Errorf("no singular values of %s", p.name())
		}
	}
	if m.Chains != nil {
		t.Error("energies of chains where there are none")
	}
}

// Fails where a damaged checkpoint is shown, or hides the whole ones.
func TestMachineDamaged(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	for step := range 3 {
		if err := w.Save(step, &tensorfile.File{Tensors: []tensorfile.Tensor{weights(4, 3)}}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(w.Path(), run.CheckpointsFolder, "00000002.safetensors"), "damaged")
	write(t, filepath.Join(w.Path(), run.DiagnosisFile), `{"samplers":`)
	l := library(t, w.Path())
	m, err := l.Machine(context.Background(), only(t, l).ID)
	if err != nil || m.Step != 1 || len(m.History) != 2 || !strings.Contains(strings.Join(m.Refused, ";"), "00000002.safetensors: byte 0: truncated") ||
		!strings.Contains(strings.Join(m.Refused, ";"), "diagnose.json: is no JSON object") || m.Diagnosis != nil {
		t.Errorf("%+v, %v", m, err)
	}
	write(t, filepath.Join(w.Path(), run.DiagnosisFile), `{"samplers":[]}`)
	if m, err := l.Machine(context.Background(), only(t, l).ID); err != nil || string(m.Diagnosis) != `{"samplers":[]}` {
		t.Errorf("the verdict: %s, %v", m.Diagnosis, err)
	}
}

func TestMeasuredSpectrum(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	var lines []run.Metric
	for i := range 3 * mostSpectra {
		lines = append(lines, run.Metric{Step: i, Name: "spectrum", Value: float64(i), Detail: map[string]any{"singular_values": []float64{float64(i), 0.5}}})
	}
	if err := w.Append(lines...); err != nil {
		t.Fatal(err)
	}
	l := library(t, w.Path())
	m, err := l.Machine(context.Background(), only(t, l).ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.Measured); n > mostSpectra || n < mostSpectra/2 {
		t.Errorf("%d spectra", n)
	}
	for i, s := range m.Measured {
		if float64(s.Values[""][0]) != float64(s.Step) || len(s.Values[""]) != 2 || i > 0 && s.Step-m.Measured[i-1].Step != 4 {
			t.Fatalf("spectrum %d: %+v", i, s)
		}
	}
}

// Fails where the spectra of a machine of several pairs are lost or mixed, and where the signs of
// eigenvalues hide the largest.
func TestMeasuredSpectra(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	if err := w.Append(run.Metric{Step: 3, Name: "spectrum", Value: 5, Detail: map[string]any{"pairs": []map[string]any{
		{"pair": "visible-h", "singular_values": []float64{4, 1}}, {"pair": "h-h", "eigenvalues": []float64{2, 0.5, -5}},
	}}}); err != nil {
		t.Fatal(err)
	}
	l := library(t, w.Path())
	m, err := l.Machine(context.Background(), only(t, l).ID)
	if err != nil || len(m.Measured) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	want := map[string][]number{"visible-h": {4, 1}, "h-h": {5, 2, 0.5}}
	if got := m.Measured[0].Values; !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Fails where the couplings of a layer with itself have a diagonal.
func TestSelfPair(t *testing.T) {
	f := &tensorfile.File{Tensors: []tensorfile.Tensor{
		tensorfile.New("patterns.h", []float32{1, 2}, 1, 2), tensorfile.New("log_gain.h-h", []float32{0}),
	}}
	// J = [[0, 2], [2, 0]].
	if got, err := singularValues(f, Pair{A: "h", B: "h", Kind: "axons", Patterns: 1}); err != nil || !slices.Equal(got, []float64{2, 2}) {
		t.Errorf("%v, %v, want 2 and 2", got, err)
	}
}

func TestPictures(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	meta := map[string]string{"height": "2", "width": "3"}
	if err := w.Save(5, &tensorfile.File{Metadata: meta, Tensors: []tensorfile.Tensor{
		// 6 pixels and a label
		tensorfile.New("weights", []float32{1, 2, 3, 4, 5, 6, 7, -8, 0, 0, 0, 0, 9, 9}, 7, 2),
		tensorfile.New("chains.visible", []int8{1, 1, 1, -1, -1, -1, 1}, 1, 7), tensorfile.New("optimizer.momentum.weights", noise(14, 1), 7, 2),
		tensorfile.New("chains.earlier.visible", []int8{1, 1, 1, -1, -1, -1, 1}, 1, 7), tensorfile.New("chains.frozen.0.weights", noise(14, 2), 7, 2),
		tensorfile.New("chains.base", noise(7, 3), 1, 7), tensorfile.New("chains.course", []float64{3, 1, 0, 0.5, 2}, 1, 5),
	}}); err != nil {
		t.Fatal(err)
	}
	l := library(t, w.Path())
	id := only(t, l).ID
	p, err := l.Pictures(context.Background(), id, "", 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.Source != "weights" || !slices.Equal(p.Sources, []string{"weights", "chains.visible"}) || p.Height != 2 || p.Width != 3 || p.Spins || p.Ink != 8 || p.Groups[0].Rows != 2 {
		t.Errorf("%+v", p)
	}
	data := func(p *Pictures, g int) (out []int8) {
		b, err := base64.StdEncoding.DecodeString(p.Groups[g].Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range b {
			out = append(out, int8(x))
		}
		return out
	}
	// Column 0 of the weights without the label, then column 1, in units of 8/127.
	if got, want := data(p, 0), []int8{16, 48, 79, 111, 0, 0, 32, 64, 95, -127, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if p, err = l.Pictures(context.Background(), id, "chains.visible", 5, 0); err != nil || !p.Spins || !slices.Equal(data(p, 0), []int8{127, 127, 127, -127, -127, -127}) {
		t.Errorf("%+v, %v", p, err)
	}
	// The folder pictures: groups of images, plain rows, and what is neither.
	record := func(step int, x tensorfile.Tensor) {
		t.Helper()
		var b strings.Builder
		if err := tensorfile.WriteNPY(&b, x); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(w.Path(), run.PicturesFolder, fmt.Sprintf("%08d.npy", step)), b.String())
	}
	record(7, tensorfile.New("", []int8{1, 1, -1, -1, 0, 0, 1, -1}, 2, 2, 1, 2))
	record(8, tensorfile.New("", []float32{0.5, -1, 2}, 1, 3))
	record(12, tensorfile.New("", make([]int8, 6), 1, 3, 2))
	record(13, tensorfile.New("", make([]int8, 6), 2, 3, 1))
	record(9, tensorfile.New("", []int8{1}, 1))
	write(t, filepath.Join(w.Path(), run.PicturesFolder, "00000010.npy"), "no npy")
	l = library(t, w.Path())
	if p, err = l.Pictures(context.Background(), id, "samples", 7, 1); err != nil || p.Height != 0 || p.Width != 2 || len(p.Groups) != 2 || p.Groups[1].Label != "given" || p.Groups[1].Total != 2 || !slices.Equal(data(p, 1), []int8{0, 0}) {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = l.Pictures(context.Background(), id, "samples", 8, 0); err != nil || p.Height != 0 || p.Width != 3 || p.Ink != 2 || !slices.Equal(data(p, 0), []int8{32, -64, 127}) {
		t.Errorf("%+v, %v", p, err)
	}
	for step, want := range map[int][3]int{12: {3, 2, 1}, 13: {0, 3, 2}} { // a column of pixels is no image
		p, err := l.Pictures(context.Background(), id, "samples", step, 0)
		if err != nil || p.Height != want[0] || p.Width != want[1] || p.Groups[0].Rows != want[2] {
			t.Errorf("step %d: %+v, %v", step, p, err)
		}
	}
	for step, want := range map[int]string{9: "has the shape [1], want (N,V)", 10: "00000010.npy: byte 0", 11: "no pictures were drawn then"} {
		if _, err := l.Pictures(context.Background(), id, "samples", step, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("step %d: %v, want an error with %q", step, err, want)
		}
	}
}
