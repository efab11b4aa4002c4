package eval_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/rng"
)

func engine(t testing.TB) *cpu.Engine {
	e := cpu.New(2)
	t.Cleanup(e.Close)
	return e
}

// onePattern returns the machine of one pattern (Mattis 1976) whose visible
// part is xi and whose hidden part is random.
func onePattern(e compute.Engine, xi []int8, hidden int, gain float64) (*bm.Machine, []int8) {
	a := bm.NewAxons(e, bm.Restricted(len(xi), hidden, false), 1, false)
	a.Bernoulli(1, 77)
	a.SetGain(gain)
	x := make([]float32, len(xi))
	for i, s := range xi {
		x[i] = float32(s)
	}
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	compute.Write(e, v.Value, x)
	y := make([]float32, hidden)
	compute.Read(e, y, h.Value)
	eta := make([]int8, hidden)
	for i, s := range y {
		eta[i] = int8(s)
	}
	return bm.New(e, a, false, false), eta
}

func spins(s string) []int8 {
	x := make([]int8, len(s))
	for i := range s {
		x[i] = 1
		if s[i] == '-' {
			x[i] = -1
		}
	}
	return x
}

// rowsOf returns a set of plain rows.
func rowsOf(rows ...[]int8) *data.Set {
	s := &data.Set{Name: "rows", Rows: len(rows), Visible: len(rows[0])}
	for _, r := range rows {
		s.Spins = append(s.Spins, r...)
	}
	return s
}

func randomRows(n, visible int, key rng.Key) [][]int8 {
	rows := make([][]int8, n)
	for i := range rows {
		rows[i] = make([]int8, visible)
		for j := range rows[i] {
			rows[i][j] = int8(2*key.Intn(2, uint64(i), uint64(j)) - 1)
		}
	}
	return rows
}

func bars(t testing.TB) *data.Split {
	s, err := data.Bars(data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func measure(t testing.TB, name string, s eval.Subject, o eval.Options) eval.Result {
	t.Helper()
	m, err := eval.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Run(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.9g, want %.9g within %.2g", what, got, want, tolerance)
	}
}

// barsSubject is a machine of random axons on the test set of Bars with the
// configurations of PID.
func barsSubject(t testing.TB, e compute.Engine) eval.Subject {
	a := bm.NewAxons(e, bm.Restricted(16, 9, false), 3, true)
	a.Uniform(1, 5)
	r := bm.New(e, a, true, true)
	split := bars(t)
	for _, set := range []*data.Set{split.Train, split.Test} {
		set.Labels = make([]int32, set.Rows)
		for i := range set.Labels {
			set.Labels[i] = int32(set.Row(i)[0]+1) / 2
		}
	}
	own := bm.NewAxons(e, bm.Restricted(16, 9, false), 3, true)
	tracked := eval.NewTracked(bm.New(e, own, true, true), 20)
	tracked.Follow(r, 0, 4, eval.Chains{}, 1)
	return eval.Subject{
		Machine: r, Split: split, SetName: "test", Key: 3, Tracked: tracked,
		Drawn: negative.NewPID(r, a, nil).Draw(bm.Batch{}, 0), Kind: negative.Heuristic,
	}
}

// subjectFor is a subject that the measure has a value of: barsSubject, or a machine of visible spins
// alone and lattice data.
func subjectFor(t testing.TB, e compute.Engine, m eval.Measure) eval.Subject {
	if !strings.HasPrefix(m.Name, "lattice_") {
		return barsSubject(t, e)
	}
	split, err := data.Ising(data.Options{Size: 4, Temperature: 2.4, Count: 40, Split: "random", Key: 3})
	if err != nil {
		t.Fatal(err)
	}
	d := bm.NewDense(e, bm.Full(16, 0))
	d.Normal(0.1, 3)
	return eval.Subject{Machine: bm.New(e, d, true), Split: split, SetName: "test", Key: 3}
}

// deepSubject is barsSubject with a deep machine, and nothing drawn.
func deepSubject(t testing.TB, e compute.Engine) eval.Subject {
	s := barsSubject(t, e)
	a := bm.NewAxons(e, bm.Deep(16, 6, 4), 3, true)
	a.Uniform(1, 5)
	s.Machine, s.Drawn = bm.New(e, a, true, true, true), bm.Batch{}
	return s
}

// Every measure of the table: its name and split, the same value whether its
// configurations are held at once or in small parts, on one thread or two, alone or
// after the others. A stream that restarts in each part, and a memo that mixes
// two measures up, fail.
func TestTable(t *testing.T) {
	o := options(func(o *eval.Options) {
		o.Hamming.Draws = 57
		o.HammingClamped.Draws, o.HammingClamped.Sweeps = 57, 2
		o.Accessibility = eval.AccessibilityOptions{Chains: 150, Sweeps: 2}
		o.PseudoLikelihood.Spins = 15
		o.Samples.Chains, o.Samples.Sweeps = 300, 3
		o.AIS.Runs, o.AIS.Betas = 150, 20
		o.Integration = eval.IntegrationOptions{Ladders: 2, Betas: 8, Sweeps: 10}
	})
	two, one := engine(t), cpu.New(1)
	t.Cleanup(one.Close)
	ofBars := [2]eval.Subject{barsSubject(t, two), barsSubject(t, one)}
	memos := map[string]*eval.Memo{"bars": {}, "lattice": {}}
	names := map[string]bool{}
	for _, m := range eval.Measures {
		whole, parts, memo := ofBars[0], ofBars[1], memos["bars"]
		if strings.HasPrefix(m.Name, "lattice_") {
			whole, parts, memo = subjectFor(t, two, m), subjectFor(t, one, m), memos["lattice"]
		}
		before := two.Mark()
		if names[m.Name] || m.Summary == "" {
			t.Errorf("%q is named twice or says nothing", m.Name)
		}
		names[m.Name] = true
		want := measure(t, m.Name, whole, o)
		if want.Measure != m.Name || (want.Split == "test") != (m.Data == eval.NeedsData) || want.N < 1 {
			t.Errorf("%s: %+v", m.Name, want)
		}
		undo := eval.SetPartSpins(1) // 64 configurations
		got := measure(t, m.Name, parts, o)
		undo()
		if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s in parts on one thread:\n%s", m.Name, d)
		}
		if after := two.Mark(); after != before {
			t.Errorf("%s leaves scratch behind: %v, then %v", m.Name, before, after)
		}
		shared := whole
		shared.Memo = memo
		if d := cmp.Diff(want, measure(t, m.Name, shared, o), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s with a memo:\n%s", m.Name, d)
		}
		other := whole
		other.Key++
		switch m.Name {
		case "hamming", "hamming_clamped", "gibbs_accessibility_mean", "pseudo_likelihood":
			if measure(t, m.Name, other, o).Value == want.Value {
				t.Errorf("%s does not depend on the key", m.Name)
			}
		}
	}
}

func TestWrongSubjects(t *testing.T) {
	e := engine(t)
	good := barsSubject(t, e)
	big := bm.New(e, bm.NewDense(e, bm.Restricted(40, 31, false)), false, false)
	flat := bm.New(e, bm.NewDense(e, bm.Restricted(16, 3, false)), false, false)
	nan := bm.NewDense(e, bm.Restricted(16, 3, false))
	nan.Normal(1, 1)
	w := make([]float32, 48)
	w[7] = float32(math.NaN())
	compute.Write(e, nan.Weights(0).Value, w)
	batch := func(v, h int) bm.Batch {
		return bm.Batch{State: bm.State{e.Alloc(compute.Int8, 2, v), e.Alloc(compute.Int8, 2, h)}}
	}
	for _, c := range []struct {
		measure string
		change  func(s *eval.Subject, o *eval.Options)
		want    string
		noValue bool
	}{
		{"hamming", func(s *eval.Subject, _ *eval.Options) { s.Machine = nil },
			"hamming: no machine to judge", false},
		{"hamming", func(s *eval.Subject, _ *eval.Options) { s.Split = nil },
			"hamming: no data to judge the machine on", false},
		{"hamming", func(s *eval.Subject, _ *eval.Options) { s.SetName = "tset" },
			`hamming: "tset" is no set of the data: train, test or validation`, false},
		{"nll_exact", func(s *eval.Subject, _ *eval.Options) { s.SetName = "validation" },
			"nll_exact: the data have no validation set", false},
		{"pseudo_likelihood", func(s *eval.Subject, _ *eval.Options) {
			s.Split = &data.Split{Test: &data.Set{Name: "nothing", Visible: 16}}
		},
			`pseudo_likelihood: the test set "nothing" has no rows`, false},
		{"hamming_clamped", func(s *eval.Subject, _ *eval.Options) { s.Machine = big },
			`hamming_clamped: the rows of the test set "bars 4x4 test" have 16 spins, the machine has 40 visible ones`, false},
		{"valid_share", func(s *eval.Subject, _ *eval.Options) { s.Machine = big },
			`valid_share: the images of "bars 4x4 train" have 16 spins, the machine has 40 visible ones`, false},
		{"logz_exact", func(s *eval.Subject, _ *eval.Options) { s.Machine = big },
			"logz_exact: no exact sum over a machine of [40 31] spins: 31 spins in the layer to enumerate, at most 30 can be; take logz", false},
		{"ground_energy", func(s *eval.Subject, _ *eval.Options) { s.Machine = big },
			"ground_energy: no exact sum over a machine of [40 31] spins: 31 spins in the layer to enumerate, at most 30 can be", false},
		{"method_accessibility", func(s *eval.Subject, _ *eval.Options) { s.Drawn = batch(15, 9) },
			"method_accessibility: the estimator's configurations of visible are 2x15 int8, the machine has 16 spins there", false},
		{"method_accessibility", func(s *eval.Subject, _ *eval.Options) { s.Kind = negative.Exact },
			"method_accessibility: no value: the exact estimator returns all states", true},
		{"method_accessibility", func(s *eval.Subject, _ *eval.Options) { s.Drawn = bm.Batch{} },
			"method_accessibility: no value: there are no configurations of the estimator; they are at hand after an update", true},
		{"gibbs_accessibility", func(s *eval.Subject, _ *eval.Options) { s.Machine = flat },
			"gibbs_accessibility: no value: the ground-state energy is 0: all couplings and biases are 0", true},
		{"coverage", func(s *eval.Subject, _ *eval.Options) { s.Split = &data.Split{Train: s.Split.Train} },
			"coverage: no value: the data are no family of images (bars, bas), so no sample is known to be valid", true},
		{"nll_exact", func(s *eval.Subject, _ *eval.Options) { s.Machine = bm.New(e, nan, false, false) },
			"nll_exact: the value is NaN: weights holds NaN or infinity", false},
		{"hamming", func(_ *eval.Subject, o *eval.Options) { o.Hamming.Draws = -3 },
			"hamming: hamming.draws: -3 is out of range: 1 to 1000000", false},
		{"pseudo_likelihood", func(_ *eval.Subject, o *eval.Options) { o.PseudoLikelihood.Spins = 2_000_000 },
			"pseudo_likelihood: pseudo_likelihood.spins: 2000000 is out of range: 0 to 1000000", false},
		{"coverage", func(_ *eval.Subject, o *eval.Options) { o.Samples.From = "patterns" },
			`coverage: samples.from: "patterns" is no start of a chain: random, data`, false},
	} {
		s, o := good, eval.Defaults()
		c.change(&s, &o)
		m, err := eval.Named(c.measure)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Run(context.Background(), s, o)
		if err == nil {
			t.Errorf("%+v, want the error %q", r, c.want)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		if no := (*eval.NoValue)(nil); errors.As(err, &no) != c.noValue {
			t.Errorf("%v: NoValue is %v", err, !c.noValue)
		}
	}
	if _, err := eval.Named("haming"); err == nil || !strings.HasPrefix(err.Error(), `"haming" is no measure: hamming, hamming_clamped, nll_exact,`) {
		t.Errorf("haming: %v", err)
	}
}

// A cancelled context ends every measure that computes, and nothing is remembered of it.
func TestCancelled(t *testing.T) {
	e := engine(t)
	s, memo := barsSubject(t, e), &eval.Memo{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, m := range eval.Measures {
		s := subjectFor(t, e, m)
		s.Memo = memo
		if _, err := m.Run(ctx, s, eval.Defaults()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	s.Memo = memo
	want := check.LogZ(s.Machine)
	near(t, "log Z after a cancelled one", measure(t, "logz_exact", s, eval.Defaults()).Value, want, 1e-5)
}

// Progress ends at 1 and never falls within a stage.
func TestProgress(t *testing.T) {
	s := barsSubject(t, engine(t))
	var told []float64
	s.Progress = func(x float64) { told = append(told, x) }
	defer eval.SetPartSpins(1)()
	measure(t, "hamming", s, eval.Defaults())
	if len(told) != 7 || told[len(told)-1] != 1 || told[0] != 64.0/400 { // 4 rows, 100 draws, 64 at once
		t.Errorf("told %v", told)
	}
}

// goals are the measures of which some values are better than others, each with two values, the better one first.
var goals = map[string][2]float64{
	"hamming": {0.1, 0.2}, "hamming_clamped": {0.1, 0.2}, "nll_exact": {2, 3}, "nll": {2, 3}, "nll_tracked": {2, 3}, "nll_ais": {2, 3}, "nll_reverse_ais": {2, 3}, "nll_bridge": {2, 3},
	"phases": {1, 0.1}, "gibbs_accessibility": {1, 0.5}, "gibbs_accessibility_mean": {1, 0.5}, "method_accessibility": {1, 0.5},
	"pseudo_likelihood": {-1, -2}, "nll_bound": {2, 3}, "valid_share": {1, 0}, "coverage": {1, 0}, "autocorrelation": {0.5, 100}, "crosstalk": {0, 0.1}, "probe_accuracy": {0.9, 0.1}, "recall": {0, 0.5},
}

// aimless are those of which none are.
var aimless = []string{"logz_exact", "logz", "logz_ais", "logz_reverse_ais", "logz_bridge", "logz_integration", "ground_energy", "spectrum", "overlap", "ultrametricity",
	"lattice_energy", "lattice_magnetization", "lattice_heat", "lattice_couplings"}

// A new measure fails here until it is known which of its values are better; so does a goal that is turned round.
func TestGoals(t *testing.T) {
	for _, m := range eval.Measures {
		x, ok := goals[m.Name]
		if none := slices.Contains(aimless, m.Name); ok == none {
			t.Errorf("%s is neither among the measures with a goal nor among those without one", m.Name)
		}
		if better := m.Goal.Better(x[0], x[1]); better != ok || m.Goal.Better(x[1], x[0]) || m.Goal.Better(x[0], x[0]) {
			t.Errorf("%s: %v is better than %v: %t", m.Name, x[0], x[1], better)
		}
		if nan := math.NaN(); m.Goal.Better(nan, x[0]) || m.Goal.Better(nan, nan) || m.Goal.Better(x[0], nan) != ok {
			t.Errorf("%s: a NaN is better than %v, or not worse", m.Name, x[0])
		}
	}
}
