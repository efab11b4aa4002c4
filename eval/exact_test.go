package eval_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

// subjects returns machines of every kind of coupling, bias and offset, each on 7 random rows.
func subjects(t *testing.T, visible, hidden int) (names []string, all []eval.Subject, rows [][]int8) {
	rows = randomRows(7, visible, 21)
	for _, m := range check.SmallMachines(engine(t), visible, hidden, 4) {
		names = append(names, m.Name)
		all = append(all, eval.Subject{Machine: m.Machine, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 6})
	}
	return names, all, rows
}

// log Z and NLL against the float64 oracle, by visible and by hidden sums; the
// tolerance is that of float32 fields of size 1, a hundred roundings. A forgotten ln 2 of
// half the states, a sum for a mean and a wrong sign of F fail.
func TestExactLikelihood(t *testing.T) {
	for _, shape := range [][2]int{{6, 4}, {5, 8}} {
		names, all, rows := subjects(t, shape[0], shape[1])
		for i, s := range all {
			s.Memo = &eval.Memo{}
			r := s.Machine
			got := measure(t, "logz_exact", s, eval.Defaults())
			near(t, names[i]+" log Z", got.Value, check.LogZ(r), 1e-5)
			if want := map[bool]string{true: "visible", false: "hidden"}[shape[0] < shape[1]]; got.Detail["listed"] != want {
				t.Errorf("%v: listed %v, want the smaller layer, %s", shape, got.Detail["listed"], want)
			}
			nll := measure(t, "nll_exact", s, eval.Defaults())
			near(t, names[i]+" NLL", nll.Value, check.NLL(r, rows), 1e-5)

			var f, square float64
			for _, v := range rows {
				x := check.FreeEnergy(r, v)
				f += x / 7
				square += x * x / 7
			}
			const widened = 2.446912 / 1.959964 // the 97.5 % quantiles of Student's t of 6 degrees of freedom and of the normal law
			near(t, names[i]+" stderr", nll.Stderr, widened*math.Sqrt((square-f*f)/6), 1e-5)
			if nll.N != 7 || nll.Stderr == 0 {
				t.Errorf("%+v", nll)
			}
		}
	}
}

// The lowest energy against a search through all (v,h).
func TestGroundEnergy(t *testing.T) {
	names, all, _ := subjects(t, 6, 4)
	for i, s := range all {
		near(t, names[i], measure(t, "ground_energy", s, eval.Defaults()).Value, lowest(s.Machine), 1e-5)
	}
	xi := spins("-+--+-+")
	r, _ := onePattern(engine(t), xi, 50, 0.25)
	got := measure(t, "ground_energy", eval.Subject{Machine: r}, eval.Defaults())
	near(t, "of one pattern", got.Value, -7*50*0.25, 1e-4)
	if got.Detail["state"] != "-+--+-+" && got.Detail["state"] != "+-++-+-" {
		t.Errorf("the ground state is %v", got.Detail["state"])
	}
}

func lowest(r *bm.Machine) float64 {
	n := r.Layers()
	v, h := make([]int8, n[0]), make([]int8, n[1])
	best := math.Inf(1)
	for a := range uint64(1) << n[0] {
		exact.SetState(v, a)
		for b := range uint64(1) << n[1] {
			exact.SetState(h, b)
			best = min(best, check.Energy(r, v, h))
		}
	}
	return best
}

// At high gain every chain of one pattern ends in one of its two ground states: V is odd, so the first
// overlap is not 0. Free energies in place of energies give more than 1.
func TestAccessibilityOfOnePattern(t *testing.T) {
	r, _ := onePattern(engine(t), spins("-+--+-+"), 41, 3)
	s := eval.Subject{Machine: r, Key: 8}
	for _, name := range []string{"gibbs_accessibility", "gibbs_accessibility_mean"} {
		got := measure(t, name, s, eval.Defaults())
		near(t, name, got.Value, 1, 1e-6)
		if got.N != 10 || got.Detail["sweeps"] != 10 || got.Stderr > 1e-6 {
			t.Errorf("%s: %+v, want the released 10 chains and 10 sweeps", name, got)
		}
	}
}

// Minimum and mean over the chains of the documented keys, the energies in float64: a maximum,
// fewer sweeps and a redrawn hidden layer fail.
func TestAccessibility(t *testing.T) {
	names, all, _ := subjects(t, 6, 4)
	const purpose, n, sweeps = 3, 12, 4
	for i, s := range all {
		r := s.Machine
		key := s.Key.Fold(purpose)
		state := sampler.Chains(r, n)
		sampler.Randomize(r, state, bm.Law{Key: key.Fold(0)})
		sampler.Gibbs(r, state, bm.Law{Key: key.Fold(1)}, sweeps)
		e := energies(r, state)
		best, mean := math.Inf(1), 0.0
		for _, x := range e {
			best, mean = min(best, x), mean+x/n
		}
		floor := lowest(r)
		o := options(func(o *eval.Options) { o.Accessibility.Chains, o.Accessibility.Sweeps = n, sweeps })
		near(t, names[i]+" minimum", measure(t, "gibbs_accessibility", s, o).Value, best/floor, 1e-5)
		near(t, names[i]+" mean", measure(t, "gibbs_accessibility_mean", s, o).Value, mean/floor, 1e-5)
		if best == mean {
			t.Error("the chains are all alike: this tests nothing")
		}
	}
}

func energies(r *bm.Machine, s bm.State) []float64 {
	v, h := make([]int8, s[0].Len()), make([]int8, s[1].Len())
	compute.Read(r.Engine(), v, s[0])
	compute.Read(r.Engine(), h, s[1])
	x := make([]float64, s.Rows())
	for i := range x {
		x[i] = check.Energy(r, v[i*s[0].Cols():][:s[0].Cols()], h[i*s[1].Cols():][:s[1].Cols()])
	}
	return x
}

// Configurations with their own h, and with h = sign(x) where only v is there. A
// hidden layer that is drawn again, or integrated out, fails.
func TestMethodAccessibility(t *testing.T) {
	names, all, rows := subjects(t, 6, 4)
	for i, s := range all {
		r := s.Machine
		e := r.Engine()
		floor := lowest(r)
		state := sampler.Chains(r, len(rows))
		compute.Write(e, state[0], s.Split.Train.Spins)
		e.Spins(state[1], rng.Key(9), 0, 0)
		best := math.Inf(1)
		for _, x := range energies(r, state) {
			best = min(best, x)
		}
		s.Drawn = bm.Batch{State: state, Marginal: true}
		near(t, names[i]+" (v,h)", measure(t, "method_accessibility", s, eval.Defaults()).Value, best/floor, 1e-5)

		best = math.Inf(1)
		for _, v := range rows {
			h := make([]int8, 4)
			for a, x := range check.HiddenFields(r, v) {
				h[a] = 1
				if x < 0 {
					h[a] = -1
				}
			}
			best = min(best, check.Energy(r, v, h))
		}
		s.Drawn = bm.Batch{State: state[:1]}
		got := measure(t, "method_accessibility", s, eval.Defaults())
		near(t, names[i]+" v", got.Value, best/floor, 1e-5)
		if got.N != len(rows) {
			t.Errorf("n = %d", got.N)
		}
	}
	// A pattern with its own hidden part is a ground state where it is the only one.
	xi := spins("-+--+-+")
	r, eta := onePattern(engine(t), xi, 11, 0.1)
	state := sampler.Chains(r, 1)
	compute.Write(r.Engine(), state[0], xi)
	compute.Write(r.Engine(), state[1], eta)
	s := eval.Subject{Machine: r, Drawn: bm.Batch{State: state}}
	near(t, "one pattern", measure(t, "method_accessibility", s, eval.Defaults()).Value, 1, 1e-6)
	if state[0].Type() != compute.Int8 {
		t.Error(state[0])
	}
}

// Chains of cold machines sit in the ground state, whose energy by another way to sum it, in float32, is another number: shares
// of it came out up to 1 + 1.5e-7. No share is above 1, and those of the ground state are 1 to the last digit.
func TestNoShareAboveTheGroundState(t *testing.T) {
	e := engine(t)
	found := 0
	for i := range 60 {
		key := rng.Key(40 + i)
		var c bm.Couplings
		if i%2 == 0 {
			d := bm.NewDense(e, bm.Restricted(9, 7, i%4 == 0))
			d.Normal(0.7, key)
			c = d
		} else {
			a := bm.NewAxons(e, bm.Restricted(9, 7, i%4 == 1), 3, false)
			a.Bernoulli(0.8, key)
			c = a
		}
		m := bm.New(e, c, i%3 == 0, i%3 != 2)
		for l := range 2 {
			if b := m.Bias(l).Value; !b.IsNone() {
				fill(e, b, key.Fold(uint64(l)))
			}
		}
		for _, p := range m.Params() {
			if p.Name == "offset.visible" {
				fill(e, p.Value, key.Fold(5))
			}
		}
		s := eval.Subject{Machine: m, Key: key}
		o := eval.Defaults()
		o.Accessibility = eval.AccessibilityOptions{Chains: 60, Sweeps: 20}
		r := measure(t, "gibbs_accessibility", s, o)
		if r.Value > 1 || measure(t, "gibbs_accessibility_mean", s, o).Value > 1 {
			t.Errorf("machine %d: share %v", i, r.Value)
		}
		if r.Value > 1-1e-6 {
			found++
			if r.Value < 1-1e-14 {
				t.Errorf("machine %d: share %v of the ground state itself", i, r.Value)
			}
		}
	}
	if found < 30 {
		t.Errorf("%d of 60 machines have a chain in the ground state", found)
	}
}

// fill sets x to numbers about 0.5 in size.
func fill(e compute.Engine, x compute.Matrix, key rng.Key) {
	y := make([]float32, x.Len())
	for i := range y {
		y[i] = float32(0.5 * key.Normal(0, uint64(i)))
	}
	compute.Write(e, x, y)
}
