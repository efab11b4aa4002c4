// Package check implements the suites that every new engine, machine,
// estimator and sampler has to pass, and the float64 oracles behind them.
package check

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
)

// LogZ returns the logarithm of the sum of exp(-E) over all configurations of
// r in float64, by a loop over every visible state that shares nothing with the kernels
// but the rounded factor g/sqrt K. At most 20 visible spins.
func LogZ(r *bm.RBM) float64 {
	s := bm.LogSum{}
	forEach(r.Layers()[bm.Visible], func(v []int8) { s.Add(-FreeEnergy(r, v)) })
	return s.Log()
}

func forEach(n int, f func(v []int8)) {
	v := make([]int8, n)
	for s := range uint64(1) << n {
		bm.SetState(v, s)
		f(v)
	}
}

// FreeEnergy returns F(v) of Eq. A2 (its sign mended) in float64.
func FreeEnergy(r *bm.RBM, v []int8) float64 {
	var f float64
	for i, b := range rows64(r, "bias.visible") {
		f -= b * float64(v[i])
	}
	for _, x := range HiddenFields(r, v) {
		f -= compute.LogTwoCosh(x)
	}
	return f
}

// HiddenFields returns the fields on the hidden spins in float64.
func HiddenFields(r *bm.RBM, v []int8) []float64 {
	w, m, c := Weights(r), rows64(r, "offset.visible"), rows64(r, "bias.hidden")
	x := make([]float64, r.Layers()[bm.Hidden])
	copy(x, c)
	for i, row := range w {
		s := float64(v[i])
		if m != nil {
			s -= m[i]
		}
		for a, y := range row {
			x[a] += s * y
		}
	}
	return x
}

// Energy returns E(v,h) of Eq. 1 in float64.
func Energy(r *bm.RBM, v, h []int8) float64 {
	var e float64
	for a, x := range HiddenFields(r, v) {
		e -= x * float64(h[a])
	}
	for i, b := range rows64(r, "bias.visible") {
		e -= b * float64(v[i])
	}
	return e
}

// Weights returns W (VxH) in float64, whatever the couplings.
func Weights(r *bm.RBM) [][]float64 {
	n := r.Layers()
	w := make([][]float64, n[bm.Visible])
	if d := Named(r, "weights"); !d.Value.IsNone() {
		x := values(r, d.Value)
		for i := range w {
			w[i] = x[i*n[bm.Hidden]:][:n[bm.Hidden]]
		}
		return w
	}
	xv, xh := Named(r, "patterns.visible").Value, Named(r, "patterns.hidden").Value
	v, h := values(r, xv), values(r, xh)
	k := xv.Rows()
	scale := float64(compute.Factor(1/math.Sqrt(float64(k)), float32(values(r, Named(r, "log_gain").Value)[0])))
	for i := range w {
		w[i] = make([]float64, n[bm.Hidden])
		for a := range w[i] {
			for p := range k {
				w[i][a] += scale * v[p*n[bm.Visible]+i] * h[p*n[bm.Hidden]+a]
			}
		}
	}
	return w
}

// Named returns the parameter of that name, or the zero Param.
func Named(m bm.Machine, name string) bm.Param {
	for _, p := range m.Params() {
		if p.Name == name {
			return p
		}
	}
	return bm.Param{}
}

func values(r bm.Machine, m compute.Matrix) []float64 {
	x := make([]float32, m.Len())
	compute.Read(r.Engine(), x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func rows64(r bm.Machine, name string) []float64 {
	if p := Named(r, name); !p.Value.IsNone() {
		return values(r, p.Value)
	}
	return nil
}

// NLL returns the mean over the rows of data of F(v) + log Z.
func NLL(r *bm.RBM, data [][]int8) float64 {
	var f float64
	for _, v := range data {
		f += FreeEnergy(r, v)
	}
	return f/float64(len(data)) + LogZ(r)
}

// Gradient checks dNLL/dtheta as Phase adds it up, with the exact model average, against central
// differences of NLL for every entry of every learned parameter.
//
// A difference over 2*step of a smooth L has an error of step^2/6 times its third derivative; with
// step = 2^-7 that is below 1e-4 for the machines of the suite, where that derivative is below 10. The
// parameters are float32, and step a power of two, so the points themselves are exact.
func Gradient(t *testing.T, r *bm.RBM, data [][]int8) {
	t.Helper()
	const step, tolerance = 0x1p-7, 3e-4
	e := r.Engine()
	v := e.Alloc(compute.Int8, len(data), len(data[0]))
	compute.Write(e, v, flat(data))
	for _, p := range r.Params() {
		if !p.Grad.IsNone() {
			e.Fill(p.Grad, 0)
		}
	}
	r.Phase(bm.Batch{State: bm.State{v}}, 1)
	r.Phase(model(r), -1)
	for _, p := range r.Params() {
		if p.Grad.IsNone() {
			continue
		}
		x := make([]float32, p.Value.Len())
		compute.Read(e, x, p.Value)
		got := values(r, p.Grad)
		for i, old := range x {
			x[i] = old + step
			compute.Write(e, p.Value, x)
			up := NLL(r, data)
			x[i] = old - step
			compute.Write(e, p.Value, x)
			down := NLL(r, data)
			x[i] = old
			if want := (up - down) / (2 * step); math.Abs(got[i]-want) > tolerance*(1+math.Abs(want)) {
				t.Errorf("d NLL / d %s[%d] = %.6f, differences give %.6f", p.Name, i, got[i], want)
			}
		}
		compute.Write(e, p.Value, x)
	}
}

func flat(rows [][]int8) []int8 {
	var x []int8
	for _, r := range rows {
		x = append(x, r...)
	}
	return x
}

// model returns all visible states with the probabilities of the float64 sum.
func model(r *bm.RBM) bm.Batch {
	e, n := r.Engine(), r.Layers()[bm.Visible]
	logZ := LogZ(r)
	var spins []int8
	var weights []float32
	forEach(n, func(v []int8) {
		spins = append(spins, v...)
		weights = append(weights, float32(math.Exp(-FreeEnergy(r, v)-logZ)))
	})
	b := bm.Batch{State: bm.State{e.Alloc(compute.Int8, len(weights), n)}, Weights: e.Alloc(compute.Float32, len(weights), 1)}
	compute.Write(e, b.State[bm.Visible], spins)
	compute.Write(e, b.Weights, weights)
	return b
}
