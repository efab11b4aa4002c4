package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// Forward, reverse and bridge of every topology against sums in float64, from fair coins and from a
// base law, as of restricted machines: few temperatures, so that what is wrong in a weight, a draw
// or a start is many standard errors off. The chance that a right program fails is 1.5e-5 an
// estimate.
func TestEstimatesOfTopologies(t *testing.T) {
	ctx := context.Background()
	for i, small := range check.Machines(engine(t), 11) {
		m := small.Machine
		m.SetConstant(0.6)
		_, logZ := check.ExactOf(m).Probabilities()
		base := make([]float32, m.Layers()[bm.Visible])
		for j := range base {
			base[j] = float32(0.5 * rng.Key(5).Normal(0, uint64(j)))
		}
		for j, b := range [][]float32{nil, base} {
			name := fmt.Sprintf("%s, base %v", small.Name, b != nil)
			a := eval.AIS{Machine: m, Base: b, Runs: 1000, Betas: 6, Sweeps: 1 + j, Key: rng.Key(100 + i)}
			start, err := eval.StartExact(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []struct {
				name     string
				estimate func() (eval.LogZ, error)
			}{
				{"AIS", func() (eval.LogZ, error) { return a.Forward(ctx) }},
				{"reverse AIS", func() (eval.LogZ, error) { return a.Reverse(ctx, start) }},
				{"bridge", func() (eval.LogZ, error) { return a.Bridge(ctx, start) }},
			} {
				z, err := e.estimate()
				if err != nil {
					t.Fatal(err)
				}
				within(t, name+": "+e.name, z, logZ, 0.15)
			}
		}
	}
}

// Thermodynamic integration of every topology: energies of all spins, Gaussian layers summed out
// before there is a temperature.
func TestIntegrationOfTopologies(t *testing.T) {
	for i, small := range check.Machines(engine(t), 12) {
		if i%2 == 0 { // those with biases and offsets are enough
			continue
		}
		m := small.Machine
		m.SetConstant(0.4)
		_, logZ := check.ExactOf(m).Probabilities()
		base := make([]float32, m.Layers()[bm.Visible])
		base[0] = 0.7
		z, err := (&eval.Integration{Machine: m, Base: base, Ladders: 6, Betas: 16, Sweeps: 300, Key: rng.Key(i)}).Estimate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		within(t, small.Name, z, logZ, 0.1)
	}
}

// subjectOf returns a machine with rows of its size, labelled by their first spin.
func subjectOf(m *bm.Machine) (eval.Subject, [][]int8) {
	rows := randomRows(6, m.Layers()[bm.Visible], 31)
	rows[0][0], rows[1][0] = 1, -1
	set := rowsOf(rows...)
	set.Labels = make([]int32, len(rows))
	for i, r := range rows {
		set.Labels[i] = int32(r[0]+1) / 2
	}
	return eval.Subject{Machine: m, Split: &data.Split{Train: set, Test: set}, SetName: "test", Key: 8}, rows
}

// Likelihoods of every topology against sums in float64: the exact ones, the bound by mean field,
// which is never below and says so, and pseudo-likelihoods, whose free energies are listed where
// hidden layers meet.
func TestLikelihoodsOfTopologies(t *testing.T) {
	for _, small := range check.Machines(engine(t), 13) {
		m := small.Machine
		m.SetConstant(-0.5)
		s, rows := subjectOf(m)
		want := check.NLL(m, rows)
		exact := measure(t, "nll_exact", s, eval.Defaults())
		near(t, small.Name+": nll_exact", exact.Value, want, 1e-5)
		best := measure(t, "nll", s, eval.Defaults())
		near(t, small.Name+": nll", best.Value, want, 1e-5)
		if best.Detail["side"] != eval.Exact || !m.SumsOut() && best.Detail["free_energy"] != eval.FreeListed {
			t.Errorf("%s: %+v", small.Name, best)
		}
		bound := measure(t, "nll_bound", s, eval.Defaults())
		side := eval.UpperSide
		if m.SumsOut() {
			side = eval.Exact
			near(t, small.Name+": nll_bound", bound.Value, want, 1e-5)
		}
		if bound.Value < want-1e-5 || bound.Detail["side"] != side || bound.Detail["moving"] != 0 {
			t.Errorf("%s: %+v, the NLL is %v", small.Name, bound, want)
		}
		log := check.ExactOf(m).LogVisible()
		var pseudo float64
		for _, v := range rows {
			state := 0
			for i, y := range v {
				if y > 0 {
					state |= 1 << i
				}
			}
			for i := range v {
				pseudo += eval.LogSigmoid(log[state]-log[state^1<<i]) / float64(len(rows))
			}
		}
		near(t, small.Name+": pseudo_likelihood", measure(t, "pseudo_likelihood", s, eval.Defaults()).Value, pseudo, 1e-5)
	}
}

// Free energies by annealing with the visible layer held, of machines whose hidden layers do not
// sum out, against lists: one step, of which the start is what matters, and several sweeps. Bases
// that are left out of a weight, draws at the temperature before and fields that are not added
// fail. A right program does once in 1.5e5 rows.
func TestHeldAnnealing(t *testing.T) {
	n := 0
	for i, small := range check.Machines(engine(t), 14) {
		m := small.Machine
		if m.SumsOut() {
			continue
		}
		n++
		_, rows := subjectOf(m)
		var flat []int8
		for _, r := range rows {
			flat = append(flat, r...)
		}
		want := make([]float64, len(rows))
		if err := exact.FreeEnergies(m, want, flat); err != nil {
			t.Fatal(err)
		}
		for _, betas := range []int{1, 3} {
			h := eval.Held{Machine: m, Runs: 1000, Betas: betas, Sweeps: betas, MeanField: eval.Defaults().MeanField, Key: rng.Key(i)}
			f, stderr, _, err := h.FreeEnergies(t.Context(), flat)
			if err != nil {
				t.Fatal(err)
			}
			for j, x := range f {
				if !(math.Abs(x-want[j]) <= 4.5*stderr[j]+1e-5) || stderr[j] > 0.2 {
					t.Errorf("%s, %d steps, row %d: %.5f(%.5f), want %.5f", small.Name, betas, j, x, stderr[j], want[j])
				}
			}
			// A row is what it is alone.
			alone, _, _, err := h.FreeEnergies(t.Context(), flat[:len(rows[0])])
			if err != nil || alone[0] != f[0] {
				t.Errorf("%s: row alone %v, %v; among others %v", small.Name, alone, err, f[0])
			}
		}
	}
	if n < 16 {
		t.Errorf("%d machines have hidden layers that meet", n)
	}
}

// Where nothing can be summed nll is made of annealing twice, with both errors and no side, and
// nll_ais always.
func TestAnnealedLikelihoods(t *testing.T) {
	o := options(func(o *eval.Options) {
		o.AIS.Runs, o.AIS.Betas = 200, 30
		o.Phases = eval.PhasesOptions{Chains: 4, Sweeps: 5}
		o.ClampedAIS = eval.ClampedAISOptions{Rows: 4, Runs: 400, Betas: 6, Sweeps: 1}
	})
	for i, small := range check.Machines(engine(t), 15) {
		m := small.Machine
		if m.SumsOut() || i%2 == 0 {
			continue
		}
		s, rows := subjectOf(m)
		s.Memo = &eval.Memo{}
		ais := measure(t, "nll_ais", s, o)
		undo := eval.SetAffordableTerms(0)
		best := measure(t, "nll", s, o)
		undo()
		if ais.Value != best.Value && m.Axons() == nil || best.Detail["free_energy"] != eval.FreeByAnnealing || ais.Detail["free_energy"] != eval.FreeByAnnealing || ais.Detail["side"] != eval.NoSide || ais.N != 4 {
			t.Errorf("%s: %+v beside %+v", small.Name, best, ais)
		}
		// The four rows are a choice of the six.
		log := check.ExactOf(m).LogVisible()
		var all []float64
		for _, v := range rows {
			state := 0
			for i, y := range v {
				if y > 0 {
					state |= 1 << i
				}
			}
			all = append(all, -log[state])
		}
		off := math.Inf(1)
		for leave := range 15 {
			a, b := leave/5, leave%5
			if b >= a {
				b++
			}
			var sum float64
			for i, x := range all {
				if i != a && i != b {
					sum += x / 4
				}
			}
			off = min(off, math.Abs(sum-ais.Value))
		}
		if off > 0.1 {
			t.Errorf("%s: nll_ais %.4f is %.4f from the mean over any four rows", small.Name, ais.Value, off)
		}
	}
}

// Every measure of every topology can be had, or is refused before with the words that taking it
// would end with.
func TestMeasuresOfTopologies(t *testing.T) {
	for i, small := range check.Machines(engine(t), 16) {
		s, _ := subjectOf(small.Machine)
		if i%2 == 0 {
			continue
		}
		o := few()
		o.ClampedAIS = eval.ClampedAISOptions{Rows: 3, Runs: 4, Betas: 3, Sweeps: 1}
		o.Phases = eval.PhasesOptions{Chains: 4, Sweeps: 5}
		o.Accessibility.Chains = 4
		for _, m := range eval.Measures {
			err := m.Possible(s, o)
			r, ran := m.Run(t.Context(), s, o)
			var none *eval.NoValue
			switch {
			case err != nil && (ran == nil || ran.Error() != err.Error()):
				t.Errorf("%s: %s is refused with %v and taken with %v", small.Name, m.Name, err, ran)
			case err == nil && ran != nil && !errors.As(ran, &none):
				t.Errorf("%s: %s can be had, they say, and: %v", small.Name, m.Name, ran)
			case ran == nil && strings.HasSuffix(m.Name, "accessibility") && (r.Value > 1+1e-9):
				t.Errorf("%s: %+v", small.Name, r)
			}
		}
	}
}

// Draws of hidden layers given a row follow p(h|v), those of layers that meet each other after a
// chain, and means are those of the law where it factorises; else they are the fixed point of mean
// field, whose bound others cover. The chance that a right program fails is 1e-6 a layer.
func TestHiddenOfTopologies(t *testing.T) {
	const rows = 4000
	e := engine(t)
	for _, small := range check.Machines(e, 17) {
		m := small.Machine
		x := check.ExactOf(m)
		p, _ := x.Probabilities()
		v := randomRows(1, m.Layers()[bm.Visible], 3)[0]
		visible := e.Alloc(compute.Int8, rows, len(v))
		one := visible.Slice(0, 1)
		compute.Write(e, one, v)
		e.Copy(visible, one.Repeat(rows))
		for l, n := range m.Layers() {
			if l == bm.Visible || m.Graph().Layers[l].Kind != bm.Spins {
				continue
			}
			law, means, sum := make([]float64, 1<<n), make([]float64, n), 0.0
			for state, q := range p {
				s := x.Split(uint64(state))
				if !slices.Equal(s[bm.Visible], v) {
					continue
				}
				at := 0
				for i, y := range s[l] {
					if y > 0 {
						at |= 1 << i
					}
					means[i] += q * float64(y)
				}
				law[at] += q
				sum += q
			}
			for i := range law {
				law[i] /= sum
			}
			drawn, counts := e.Alloc(compute.Int8, rows, n), make([]float64, 1<<n)
			eval.SampleHidden(m, drawn, visible, l, bm.Law{Key: 5})
			spins := make([]int8, rows*n)
			compute.Read(e, spins, drawn)
			for i := range rows {
				at := 0
				for j, y := range spins[i*n:][:n] {
					if y > 0 {
						at |= 1 << j
					}
				}
				counts[at]++
			}
			if err := check.ChiSquare(counts, law); err != nil {
				t.Errorf("%s, layer %d: %v", small.Name, l, err)
			}
			mean, got := e.Alloc(compute.Float32, 1, n), make([]float32, n)
			eval.HiddenMeans(m, mean, one, l)
			compute.Read(e, got, mean)
			for i, y := range got {
				off := math.Abs(float64(y) - means[i]/sum)
				if m.SumsOut() && off > 1e-5 || off > 0.5 {
					t.Errorf("%s, layer %d, spin %d: mean %.6f, that of the law is %.6f", small.Name, l, i, y, means[i]/sum)
				}
			}
		}
	}
}
