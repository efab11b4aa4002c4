// Package check implements the suites that every new engine, machine,
// estimator and sampler has to pass, and the float64 oracles behind them.
package check

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
)

// LogZ returns the logarithm of the sum of exp(-E) over all configurations of
// r in float64, by a loop over every visible state that shares nothing with the kernels
// but the rounded factor g/sqrt K. At most 20 visible spins.
func LogZ(r *bm.Machine) float64 {
	s := exact.LogSum{}
	forEach(r.Layers()[bm.Visible], func(v []int8) { s.Add(-FreeEnergy(r, v)) })
	return s.Log()
}

func forEach(n int, f func(v []int8)) {
	v := make([]int8, n)
	for s := range uint64(1) << n {
		exact.SetState(v, s)
		f(v)
	}
}

// FreeEnergy returns F(v) of Eq. A2 (its sign mended) in float64.
func FreeEnergy(r *bm.Machine, v []int8) float64 {
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
func HiddenFields(r *bm.Machine, v []int8) []float64 {
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
func Energy(r *bm.Machine, v, h []int8) float64 {
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
func Weights(r *bm.Machine) [][]float64 {
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
func Named(m *bm.Machine, name string) bm.Param {
	for _, p := range m.Params() {
		if p.Name == name {
			return p
		}
	}
	return bm.Param{}
}

func values(r *bm.Machine, m compute.Matrix) []float64 {
	x := make([]float32, m.Len())
	compute.Read(r.Engine(), x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func rows64(r *bm.Machine, name string) []float64 {
	if p := Named(r, name); !p.Value.IsNone() {
		return values(r, p.Value)
	}
	return nil
}

// NLL returns the mean over the rows of data of -log p(v).
func NLL(m *bm.Machine, data [][]int8) float64 {
	logs := ExactOf(m).LogVisible()
	var sum float64
	for _, v := range data {
		sum -= logs[number(v)]
	}
	return sum / float64(len(data))
}

// number returns the number of the state as exact.SetState counts.
func number(s []int8) (n int) {
	for i, x := range s {
		if x == 1 {
			n |= 1 << i
		}
	}
	return n
}

// Gradient checks dNLL/dtheta as Phase adds it up, with the exact averages of both phases, against
// central differences of NLL for every entry of every learned parameter. The coupling of two spins
// of one layer stands at two places, which move together.
//
// A difference over 2*step of a smooth L has an error of step^2/6 times its third derivative; with
// step = 2^-7 that is below 1e-4 for the machines of the suite, where that derivative is below 10.
// The parameters are float32, and step a power of two, so the points themselves are exact.
func Gradient(t *testing.T, m *bm.Machine, data [][]int8) {
	t.Helper()
	for _, p := range bm.Learned(m) {
		m.Engine().Fill(p.Grad, 0)
	}
	m.Phase(Data(m, data), 1)
	m.Phase(Model(m), -1)
	Differences(t, m, "NLL", func() float64 { return NLL(m, data) })
}

// Differences checks the gradients that the machine has now against central differences of the
// function of that name, as Gradient does.
func Differences(t *testing.T, m *bm.Machine, name string, value func() float64) {
	t.Helper()
	const step, tolerance = 0x1p-7, 3e-4
	e := m.Engine()
	for _, p := range m.Params() {
		if p.Grad.IsNone() {
			continue
		}
		x := make([]float32, p.Value.Len())
		compute.Read(e, x, p.Value)
		got := values(m, p.Grad)
		n := ownLayer(m, p)
		for i, old := range x {
			other := i
			if n > 0 {
				if other = i%n*n + i/n; other == i {
					if got[i] != 0 {
						t.Errorf("the gradient of %s has %v on its diagonal", p.Name, got[i])
					}
					continue
				}
				if got[i] != got[other] {
					t.Errorf("the gradient of %s has %v and %v for one pair of spins", p.Name, got[i], got[other])
				}
			}
			at := func(y float32) float64 {
				x[i], x[other] = y, y
				compute.Write(e, p.Value, x)
				return value()
			}
			up, down := at(old+step), at(old-step)
			x[i], x[other] = old, old
			if want := (up - down) / (2 * step); math.Abs(got[i]-want) > tolerance*(1+math.Abs(want)) {
				t.Errorf("d %s / d %s[%d] = %.6f, differences give %.6f", name, p.Name, i, got[i], want)
			}
		}
		compute.Write(e, p.Value, x)
	}
}

// ownLayer returns N where p holds the dense couplings of a layer of N spins with itself, else 0.
func ownLayer(m *bm.Machine, p bm.Param) int {
	d, ok := m.Couplings().(*bm.Dense)
	if !ok {
		return 0
	}
	for i, pair := range m.Graph().Pairs {
		if pair.A == pair.B && d.Weights(i).Name == p.Name {
			return p.Value.Rows()
		}
	}
	return 0
}

// Model returns all states on the left side of the data view with their probabilities: the exact
// negative phase.
func Model(m *bm.Machine) bm.Batch { return leftStates(m, func(int) float64 { return 1 }) }

// Data returns the exact positive phase of the data: the rows themselves where all hidden layers
// sum out, else all states on the left side of the data view, with the probabilities that they have
// given the rows.
func Data(m *bm.Machine, data [][]int8) bm.Batch {
	if m.SumsOut() {
		v := m.Engine().Alloc(compute.Int8, len(data), len(data[0]))
		compute.Write(m.Engine(), v, flat(data))
		return bm.Batch{State: bm.State{v}}
	}
	count := map[int]float64{}
	for _, v := range data {
		count[number(v)] += 1 / float64(len(data))
	}
	logs := ExactOf(m).LogVisible()
	return leftStates(m, func(v int) float64 { return count[v] / math.Exp(logs[v]) })
}

// leftStates returns all states on the left side of the data view, weighted by their probability
// times that of their visible part.
func leftStates(m *bm.Machine, weigh func(visible int) float64) bm.Batch {
	x, n := ExactOf(m), m.Layers()
	p, _ := x.Probabilities()
	left := m.View().Left
	spins, weights := make([][]int8, len(n)), []float32{}
	place := map[string]int{}
	sums := []float64{}
	for state, q := range p {
		s := x.Split(uint64(state))
		var key []byte
		for _, l := range left {
			for _, y := range s[l] {
				key = append(key, byte(y))
			}
		}
		at, ok := place[string(key)]
		if !ok {
			at = len(sums)
			place[string(key)] = at
			sums = append(sums, 0)
			for _, l := range left {
				spins[l] = append(spins[l], s[l]...)
			}
		}
		sums[at] += q * weigh(number(s[bm.Visible]))
	}
	for _, y := range sums {
		weights = append(weights, float32(y))
	}
	e := m.Engine()
	b := bm.Batch{State: make(bm.State, len(n)), Weights: e.Alloc(compute.Float32, len(sums), 1)}
	compute.Write(e, b.Weights, weights)
	for _, l := range left {
		b.State[l] = e.Alloc(compute.Int8, len(sums), n[l])
		compute.Write(e, b.State[l], spins[l])
	}
	return b
}

func flat(rows [][]int8) []int8 {
	var x []int8
	for _, r := range rows {
		x = append(x, r...)
	}
	return x
}
