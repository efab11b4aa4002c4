package eval_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/eval"
	"mattis/rng"
	"mattis/sampler"
)

// pairMachine returns the machine of one visible and one hidden spin coupled by w: a sweep v -> h -> v keeps v with the
// chance (1+tanh^2 w)/2, so v is a Markov chain whose correlation falls by tanh^2 w a sweep.
func pairMachine(e compute.Engine, w float32) *bm.Machine {
	d := bm.NewDense(e, bm.Restricted(1, 1, false))
	compute.Write(e, d.Weights(0).Value, []float32{w})
	return bm.New(e, d, false, false)
}

func watch(t *testing.T, m *bm.Machine, name string, chains, sweeps int) *eval.Mixing {
	t.Helper()
	s, err := sampler.New(name, m, sampler.Options{Betas: []float64{1, 0.5, 0}})
	if err != nil {
		t.Fatal(err)
	}
	start, _ := eval.Scattered(m, chains, nil, 1)
	x, err := eval.Watch{Machine: m, Sampler: s, Start: start, Sweeps: sweeps, Key: 2}.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The time of v is 1/2 (1+r)/(1-r), r = tanh^2 w, within 5 of its standard errors. A time in values instead of sweeps (half of it,
// with two sweeps a value), a mode that is not v, and sweeps that are counted twice fail.
func TestTimeOfAKnownChain(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	const w = 1.0
	r := math.Pow(math.Tanh(w), 2)
	want := 0.5 * (1 + r) / (1 - r)
	for _, sweeps := range []int{1500, 4000} {
		m := watch(t, pairMachine(e, w), "gibbs", 40, sweeps)
		if len(m.Modes) != 2 || !m.Modes[1].Constant() || !m.Energy.Constant() {
			t.Fatalf("%d modes; energy %+v", len(m.Modes), m.Energy.Autocorrelation)
		}
		got := m.Modes[0]
		if want := want; sweeps == 1500 && math.Abs(got.Time-want) > 5*got.Stderr {
			t.Errorf("time %.3f ± %.3f of %d sweeps, want %.3f", got.Time, got.Stderr, sweeps, want)
		}
		if every2 := 0.5 * 2 * (1 + r*r) / (1 - r*r); sweeps == 4000 && math.Abs(got.Time-every2) > 5*got.Stderr { // every second sweep is seen
			t.Errorf("time %.3f ± %.3f of %d sweeps, want %.3f", got.Time, got.Stderr, sweeps, every2)
		}
		if v, reasons := m.Verdict(); v != eval.Mixes || m.Basins.Moved != 40 || len(m.Basins.Counts) != 2 {
			t.Errorf("%s %q; %d of %d minima", v, reasons, m.Basins.Moved, len(m.Basins.Counts))
		}
		if m.Sweeps != sweeps || m.Discarded != sweeps/2 || m.Energy.N != 40*sweeps/m.Every {
			t.Errorf("%d sweeps after %d, %d values", m.Sweeps, m.Discarded, m.Energy.N)
		}
	}
}

// A frozen pair of spins: the energy is the same in both ground states, so only the modes tell that no chain moves.
func TestFrozenChains(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	m := watch(t, pairMachine(e, 20), "gibbs", 20, 100)
	v, reasons := m.Verdict()
	all := strings.Join(reasons, "; ")
	if v != eval.DoesNotMix || !strings.Contains(all, "20 chains sit in 2 basins of minima and none moved") || !strings.Contains(all, "R-hat +Inf (mode 1)") {
		t.Errorf("%s: %s", v, all)
	}
	if m.Effective() > 40 {
		t.Errorf("%v effective samples of 20 frozen chains", m.Effective())
	}
	if m.Moved != 0 || !strings.Contains(all, "at least") || strings.Contains(all, "±") {
		t.Errorf("%d moved: %s", m.Moved, all)
	}
	tempered := watch(t, pairMachine(e, 20), "tempering", 20, 400)
	if v, reasons := tempered.Verdict(); v == eval.DoesNotMix || tempered.Swaps.RoundTrips == 0 || tempered.Replicas != 3 || tempered.Basins.Moved == 0 {
		t.Errorf("tempering %s: %v", v, reasons)
	}
	// A strong field leaves one state.
	d := bm.NewDense(e, bm.Restricted(1, 1, false))
	one := bm.New(e, d, true, false)
	compute.Write(e, one.Bias(bm.Visible).Value, []float32{40})
	if v, reasons := watch(t, one, "gibbs", 6, 40).Verdict(); v != eval.NothingSeen {
		t.Errorf("one state: %s %v", v, reasons)
	}
}

// Without couplings every state has one energy and nothing is a mode, yet all chains move. Every state is a basin: no spin has a field to turn in.
func TestChainsMoveWithoutCouplings(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	m := watch(t, bm.New(e, bm.NewDense(e, bm.Restricted(6, 4, false)), false, false), "gibbs", 10, 40)
	v, reasons := m.Verdict()
	if v != eval.NothingTold || m.Moved != 10 || !strings.Contains(reasons[0], "10 of 10 chains moved") {
		t.Errorf("%s: %q, %d moved", v, reasons, m.Moved)
	}
}

// The leading modes of axons are the singular vectors of W: chains of a machine with one pattern move along it alone.
func TestModesOfAxons(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(8, 6, false), 1, false)
	a.Bernoulli(1, 3)
	a.SetGain(0.3)
	m := watch(t, bm.New(e, a, false, false), "guided", 12, 200)
	if len(m.Modes) != 2 || m.Proposals == nil || m.Basins.What != "patterns" || len(m.Basins.Counts) != 2 {
		t.Fatalf("%d modes, %+v, %+v", len(m.Modes), m.Proposals, m.Basins)
	}
	for _, chain := range m.Modes[0].Chains {
		for _, x := range chain { // v . xi / sqrt 8 is an even number over sqrt 8
			if y := x * math.Sqrt(8) / 2; math.Abs(y-math.Round(y)) > 1e-6 {
				t.Fatalf("v . q = %v", x)
			}
		}
	}
}

// Two pairs of states, +-a and +-b, frozen apart, and moves that only flip: energies are equal and overlaps average to 0, so
// the squares alone tell that no chain goes from one pair to the other. Looking at overlaps alone fails.
func TestFlipsHideNothing(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(8, 8, false), 2, false)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	x := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1}
	compute.Write(e, v.Value, x)
	compute.Write(e, h.Value, x)
	m := bm.New(e, a, false, false)
	s, err := sampler.NewGuided(m, sampler.Round{Flip: 1, Gibbs: 1})
	if err != nil {
		t.Fatal(err)
	}
	a.SetGain(20)
	start := e.Alloc(compute.Int8, 10, 8)
	rows := make([]int8, 80)
	for i := range rows {
		rows[i] = int8(x[i%16])
	}
	compute.Write(e, start, rows)
	got, err := eval.Watch{Machine: m, Sampler: s, Start: start, Sweeps: 60, Key: 1}.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if verdict, reasons := got.Verdict(); verdict != eval.DoesNotMix || !strings.Contains(reasons[0], "square of mode") {
		t.Errorf("%s %q", verdict, reasons)
	}
}

// Guided moves in many short calls draw what one long call draws, with and without kept mixtures.
func TestHoldChangesNothing(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(10, 8, false), 3, false)
	a.Bernoulli(1, 3)
	m := bm.New(e, a, false, false)
	var got [2][]int8
	for i := range got {
		g, err := sampler.NewGuided(m, sampler.Round{Gibbs: 1, Mixture: 1})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			g.Hold()
		}
		s := sampler.Chains(m, 8)
		sampler.Randomize(m, s, bm.Law{Key: 9})
		for k := range 20 {
			g.Move(s, bm.Law{Key: rng.Key(k)}, 1)
		}
		got[i] = make([]int8, 80)
		compute.Read(e, got[i], s[bm.Visible])
	}
	if string(bytesOf(got[0])) != string(bytesOf(got[1])) {
		t.Error("kept mixtures draw other spins")
	}
}

func bytesOf(x []int8) []byte {
	b := make([]byte, len(x))
	for i, v := range x {
		b[i] = byte(v)
	}
	return b
}

func TestAutocorrelationMeasure(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(6, 5, false))
	d.Normal(0.3, 4)
	hot := bm.New(e, d, false, false)
	measure, err := eval.Named("autocorrelation")
	if err != nil {
		t.Fatal(err)
	}
	o := options(func(o *eval.Options) { o.Autocorrelation.Chains, o.Autocorrelation.Sweeps = 20, 400 })
	r, err := measure.Run(context.Background(), eval.Subject{Machine: hot, Key: 1}, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Value < 0.4 || r.Value > 3 || r.AtLeast() || !(r.Stderr > 0) || r.Detail["chains"] != 20 || r.Detail["sweeps"] != 400 || r.Detail["verdict"] != "mixes" || !(r.Detail["r_hat"].(float64) < 1.01) ||
		math.Abs(r.Detail["ess"].(float64)*2*r.Value-8000) > 1 {
		t.Errorf("%+v", r)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if _, err = measure.Run(context.Background(), eval.Subject{Machine: pairMachine(e, 1)}, o); err == nil || err.Error() != "autocorrelation: no value: the energy is the same in all of 400 sweeps of 20 chains" {
		t.Error(err)
	}
	// Frozen chains at several energies: a bound, no error, in JSON null, and never the verdict that they mix.
	d.Normal(30, 4)
	cold, err := measure.Run(context.Background(), eval.Subject{Machine: hot, Key: 1}, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(cold)
	if err != nil || !cold.AtLeast() || !eval.IsUnknown(cold.Stderr) || cold.Value < 100 || cold.Detail["verdict"] != "does not mix" || !strings.Contains(string(text), `"stderr":null`) {
		t.Errorf("%s, %v", text, err)
	}
	d.Normal(0.3, 4)
	o.Autocorrelation.Sampler = "annealing"
	if _, err = measure.Run(context.Background(), eval.Subject{Machine: hot}, o); err == nil || err.Error() != `autocorrelation: autocorrelation.sampler: "annealing" is no sampler whose chains can be watched: gibbs, tempering, guided` {
		t.Error(err)
	}
	o.Autocorrelation.Sampler, o.Autocorrelation.Chains = "gibbs", 1
	if _, err = measure.Run(context.Background(), eval.Subject{Machine: hot}, o); err == nil || !strings.Contains(err.Error(), "autocorrelation.chains: 1 is out of range: 2 to 1000000") {
		t.Error(err)
	}
}
