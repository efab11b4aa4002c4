package exact_test

import (
	"fmt"
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
)

// near fails unless got is want within a share of 1e-9 of it, which sums in float64 of float32 parameters have.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*(1+math.Abs(want))) {
		t.Errorf("%s: %.12f, want %.12f", what, got, want)
	}
}

// log Z, ground states and log p(v) of every topology. Restricted machines are summed by float32 fields, and have tests of their own.
func TestTopologies(t *testing.T) {
	for _, small := range check.Machines(engine(t), 5) {
		m := small.Machine
		m.SetConstant(-0.7)
		x := check.ExactOf(m)
		p, logZ := x.Probabilities()
		list, err := exact.Smallest(m)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Graph().IsRestricted() || !m.Couplings().Offset(bm.Hidden).IsNone() {
			near(t, small.Name+": log Z", list.LogZ(), logZ)
		}
		// The states' exponents are those of the listed layers, summed over the others.
		want := map[string]float64{}
		for state, q := range p {
			s := x.Split(uint64(state))
			var key []byte
			for _, l := range list.Layers() {
				for _, y := range s[l] {
					key = append(key, byte(y))
				}
			}
			want[string(key)] += q
		}
		n := 0
		for _, l := range list.Layers() {
			n += m.Layers()[l]
		}
		spins, seen := make([]int8, n), 0
		list.Exponents(func(first uint64, e []float64) bool {
			for i, y := range e {
				exact.SetState(spins, first+uint64(i))
				var key []byte
				for _, s := range spins {
					key = append(key, byte(s))
				}
				seen++
				if q := want[string(key)]; math.Abs(math.Exp(y-logZ)-q) > 1e-6 {
					t.Errorf("%s: state %v has probability %.9f, want %.9f", small.Name, spins, math.Exp(y-logZ), q)
				}
			}
			return false
		})
		if seen != list.Len() || seen != len(want) && 2*seen != len(want) {
			t.Errorf("%s: %d states listed, %d there are", small.Name, seen, len(want))
		}
		// Without Gaussian layers, whose minimum is no sum over spins, the ground state is that of all energies.
		lowest := math.Inf(1)
		for _, e := range x.Energies() {
			lowest = min(lowest, e)
		}
		if e, _ := list.GroundState(); math.Abs(e-lowest) > 1e-5 {
			t.Errorf("%s: ground state %.8f, want %.8f", small.Name, e, lowest)
		}
		free := make([]float64, 1<<m.Layers()[bm.Visible])
		rows := make([]int8, len(free)*m.Layers()[bm.Visible])
		for v := range free {
			exact.SetState(rows[v*m.Layers()[bm.Visible]:][:m.Layers()[bm.Visible]], uint64(v))
		}
		if err := exact.FreeEnergies(m, free, rows); err != nil {
			t.Fatal(err)
		}
		for v, log := range x.LogVisible() {
			near(t, small.Name+": log p(v)", -free[v]-logZ, log)
		}
	}
}

// A pair of layers that meet cannot be summed out, and Gaussian layers cannot be listed.
func TestEnumerationRefuses(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		graph  bm.Graph
		layers []int
		want   string
	}{
		{bm.Deep(4, 3, 2), []int{0}, "the layers of the pair hidden1-hidden2 cannot both be summed out"},
		{bm.Full(4, 2), []int{0}, "the layers of the pair hidden-hidden cannot both be summed out"},
		{bm.Hybrid(3, 2), []int{1}, "the states of the Gaussian layer hidden cannot be listed"},
		{bm.Deep(20, 3, 11), []int{0, 2}, "31 spins in the layers to enumerate, at most 30 can be"},
	} {
		_, err := exact.Enumerate(bm.New(e, bm.NewDense(e, c.graph)), c.layers...)
		if err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// wave returns s sin(a i + b j), i = 1..n, j = 1..m.
func wave(n, m int, a, b, s float64) []float32 {
	var x []float32
	for i := 1; i <= n; i++ {
		for j := 1; j <= m; j++ {
			x = append(x, float32(s*math.Sin(a*float64(i)+b*float64(j))))
		}
	}
	return x
}

// cosine returns s cos(i), i = 1..n.
func cosine(n int, s float64) []float32 {
	var x []float32
	for i := 1; i <= n; i++ {
		x = append(x, float32(s*math.Cos(float64(i))))
	}
	return x
}

// Machines whose numbers were worked out to 12 digits from float64 parameters: float32 ones are off by what rounding makes, 1e-6.
func TestKnownNumbers(t *testing.T) {
	e := engine(t)
	const close = 2e-6
	logZ := func(m *bm.Machine) float64 {
		x, err := exact.Smallest(m)
		if err != nil {
			t.Fatal(err)
		}
		return x.LogZ()
	}
	expect := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > close*(1+math.Abs(want)) {
			t.Errorf("%s: %.9f, want %.9f", what, got, want)
		}
	}
	dense := func(g bm.Graph, biased ...bool) (*bm.Machine, *bm.Dense) {
		d := bm.NewDense(e, g)
		return bm.New(e, d, biased...), d
	}
	mean := func(m *bm.Machine, f func(s [][]int8) float64) (sum float64) {
		x := check.ExactOf(m)
		p, _ := x.Probabilities()
		for state, q := range p {
			sum += q * f(x.Split(uint64(state)))
		}
		return sum
	}

	m, d := dense(bm.Deep(4, 3, 2), true, true, true)
	compute.Write(e, d.Weights(0).Value, wave(4, 3, 1.3, .7, .8))
	compute.Write(e, d.Weights(1).Value, wave(3, 2, .4, 1.9, .9))
	for l, n := range m.Layers() {
		compute.Write(e, m.Bias(l).Value, cosine(n, .3))
	}
	expect("deep: log Z", logZ(m), 9.931395590821)
	expect("deep: <v1 h1>", mean(m, func(s [][]int8) float64 { return float64(s[0][0] * s[1][0]) }), .723766497474)
	expect("deep: <h3 k2>", mean(m, func(s [][]int8) float64 { return float64(s[1][2] * s[2][1]) }), -.796701297180)
	expect("deep: <v1>", mean(m, func(s [][]int8) float64 { return float64(s[0][0]) }), .376999192895)
	free := make([]float64, 1)
	if err := exact.FreeEnergies(m, free, []int8{1, 1, -1, -1}); err != nil {
		t.Fatal(err)
	}
	expect("deep: -log p(++--)", free[0]+logZ(m), 2.818799838002)

	axons := func(g bm.Graph, k int, gain float64, waves ...[]float32) *bm.Machine {
		a := bm.NewAxons(e, g, k, true)
		a.SetGain(gain)
		for l, x := range waves {
			compute.Write(e, a.Patterns(l).Value, x)
		}
		return bm.New(e, a)
	}
	m = axons(bm.Deep(4, 3, 2), 2, 1.2, wave(2, 4, .9, 1.1, 1), wave(2, 3, .9, 1.4, 1), wave(2, 2, .9, 1.7, 1))
	expect("deep axons: log Z", logZ(m), 11.364193817551)
	states, err := exact.Enumerate(m, m.View().Left...)
	if err != nil {
		t.Fatal(err)
	}
	gradient := modelGradient(e, m, states)
	for what, want := range map[string]float64{"patterns.visible 1": -1.107812540, "patterns.hidden1 5": -1.990344966,
		"patterns.hidden2 0": .978956330, "log_gain.visible-hidden1 0": 6.259810713025, "log_gain.hidden1-hidden2 0": 2.871079280042} {
		if got := gradient[what]; math.Abs(got-want) > 2e-5*(1+math.Abs(want)) {
			t.Errorf("deep axons: d log Z / d %s = %.7f, want %.7f", what, got, want)
		}
	}

	m, d = dense(bm.Full(6, 0), true)
	w, j := wave(6, 6, .6, .6, .5), make([]float32, 36)
	for i := range 6 {
		for k := range 6 {
			if i != k {
				j[i*6+k] = (w[i*6+k] + w[k*6+i]) / 2
			}
		}
	}
	compute.Write(e, d.Weights(0).Value, j)
	compute.Write(e, m.Bias(0).Value, cosine(6, .2))
	expect("full: log Z", logZ(m), 5.431951949437)
	expect("full: <s1 s6>", mean(m, func(s [][]int8) float64 { return float64(s[0][0] * s[0][5]) }), -.727013322396)
	expect("full: <s4>", mean(m, func(s [][]int8) float64 { return float64(s[0][3]) }), -.096335342161)

	m = axons(bm.Full(6, 0), 3, .9, wave(3, 6, .8, 1.7, 1))
	expect("full axons: log Z", logZ(m), 6.378607251110)
	if states, err = exact.Enumerate(m, 0); err != nil {
		t.Fatal(err)
	}
	if got := modelGradient(e, m, states)["patterns.visible 8"]; math.Abs(got-.981352094) > 4e-5 {
		t.Errorf("full axons: d log Z / dX[2,3] = %.7f, want .981352094", got)
	}

	m, d = dense(bm.Hybrid(5, 3), true)
	compute.Write(e, d.Weights(0).Value, wave(5, 3, 1.1, .5, .6))
	compute.Write(e, m.Bias(0).Value, cosine(5, .2))
	expect("hybrid: log Z", logZ(m), 5.662814733029)
	expect("hybrid: log Z with dz", logZ(m)+1.5*math.Log(2*math.Pi), 8.419630332643)
	// Given the visible spins z is its field and a standard normal number.
	x := check.ExactOf(m)
	expect("hybrid: <v1 z1>", mean(m, func(s [][]int8) float64 { return float64(s[0][0]) * x.Field(s, 1, 0) }), 1.273175470847)
	expect("hybrid: <z2^2>", mean(m, func(s [][]int8) float64 { return 1 + math.Pow(x.Field(s, 1, 1), 2) }), 3.168218632041)
	// Summed over z it is the Hopfield machine of J = W W^T, whose diagonal is a constant.
	hopfield, h := dense(bm.Full(5, 0), true)
	w5, j5, trace := wave(5, 3, 1.1, .5, .6), make([]float32, 25), 0.0
	for i := range 5 {
		for k := range 5 {
			var sum float64
			for a := range 3 {
				sum += float64(w5[i*3+a]) * float64(w5[k*3+a])
			}
			if i == k {
				trace += sum
			} else {
				j5[i*5+k] = float32(sum)
			}
		}
	}
	compute.Write(e, h.Weights(0).Value, j5)
	compute.Write(e, hopfield.Bias(0).Value, cosine(5, .2))
	expect("hybrid: its Hopfield machine, log Z", logZ(hopfield), 4.413430448554)
	expect("hybrid: half the trace", trace/2, 1.249384284474)

	m = axons(bm.Hybrid(5, 3), 2, 1, wave(2, 5, .9, 1.1, 1), wave(2, 3, .9, 1.4, 1))
	expect("hybrid axons: log Z", logZ(m), 8.864854914319)
	pair, j12 := check.PairWeights(m, 0), 0.0
	for a := range 3 {
		j12 += pair[0][a] * pair[1][a]
	}
	expect("hybrid axons: J_12", j12, -.316244506794)
}

// modelGradient returns d log Z / dtheta by Phase over all listed states, by name and place.
func modelGradient(e compute.Engine, m *bm.Machine, list *exact.Enumeration) map[string]float64 {
	for _, p := range m.Params() {
		if !p.Grad.IsNone() {
			e.Fill(p.Grad, 0)
		}
	}
	logZ := list.LogZ()
	twice := 1.0
	if list.Half() {
		twice = 2
	}
	var weights []float32
	spins := make([][]int8, len(m.Layers()))
	n := 0
	for _, l := range list.Layers() {
		n += m.Layers()[l]
	}
	list.Exponents(func(first uint64, x []float64) bool {
		for i, y := range x {
			weights = append(weights, float32(twice*math.Exp(y-logZ)))
			s := make([]int8, n)
			exact.SetState(s, first+uint64(i))
			for _, l := range list.Layers() {
				spins[l] = append(spins[l], s[:m.Layers()[l]]...)
				s = s[m.Layers()[l]:]
			}
		}
		return false
	})
	b := bm.Batch{State: make(bm.State, len(m.Layers())), Weights: e.Alloc(compute.Float32, len(weights), 1)}
	compute.Write(e, b.Weights, weights)
	for _, l := range list.Layers() {
		b.State[l] = e.Alloc(compute.Int8, len(weights), m.Layers()[l])
		compute.Write(e, b.State[l], spins[l])
	}
	m.Phase(b, -1)
	all := map[string]float64{}
	for _, p := range m.Params() {
		if p.Grad.IsNone() {
			continue
		}
		x := make([]float32, p.Grad.Len())
		compute.Read(e, x, p.Grad)
		for i, y := range x {
			all[fmt.Sprintf("%s %d", p.Name, i)] = float64(y)
		}
	}
	return all
}
