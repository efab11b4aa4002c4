package eval_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
	"mattis/internal/check"
)

// Every measure of log Z and NLL against the oracle: the NLL is the mean free energy plus log Z, its error that of
// rows beside that of log Z, and all measures look at the same paths. A log Z of other paths, a sum of errors and a
// free energy of the wrong sign fail.
func TestLikelihoodMeasures(t *testing.T) {
	o := options(func(o *eval.Options) {
		o.AIS.Runs, o.AIS.Betas, o.Phases.Sweeps = 1000, 20, 20
		o.Integration = eval.IntegrationOptions{Ladders: 6, Betas: 16, Sweeps: 300}
	})
	names, all, rows := subjects(t, 6, 4)
	for i, s := range all {
		s.Memo = &eval.Memo{}
		r := s.Machine
		exact := check.LogZ(r)
		nll := measure(t, "nll_exact", s, o)
		values := map[string]eval.Result{}
		for _, by := range []string{"ais", "reverse_ais", "bridge", "integration"} {
			z := measure(t, "logz_"+by, s, o)
			values[by] = z
			what := names[i] + " " + by
			within(t, what, eval.LogZ{Value: z.Value, Stderr: z.Stderr}, exact, 0.06)
			if w := z.Detail["warnings"].([]string); len(w) > 0 {
				t.Errorf("%s: %q", what, w)
			}
			if by == "integration" {
				continue
			}
			if z.N != 1000 || z.Detail["runs"] != 1000 || z.Detail["betas"] != 20 || z.Detail["sweeps"] != 1 || z.Detail["ess"].(float64) < 100 {
				t.Errorf("%s: %+v", what, z)
			}
			l := measure(t, "nll_"+by, s, o)
			near(t, what+" NLL", l.Value, nll.Value-exact+z.Value, 1e-5)
			near(t, what+" stderr", l.Stderr, math.Hypot(nll.Stderr, z.Stderr), 1e-9)
			if l.N != len(rows) || l.Detail["log_z"] != z.Value || l.Detail["side"] != z.Detail["side"] {
				t.Errorf("%s: %+v", what, l)
			}
		}
		if !strings.HasPrefix(fmt.Sprint(values["bridge"].Detail["started"]), "exact") {
			t.Errorf("the bridge started from %v", values["bridge"].Detail["started"])
		}
		s.Memo = nil
		if again := measure(t, "logz_reverse_ais", s, o); again.Value != values["reverse_ais"].Value {
			t.Errorf("%s: %v without a memo, %v with one", names[i], again.Value, values["reverse_ais"].Value)
		}
		listed := values["ais"].Detail["bases"].([]map[string]any)
		if len(listed) < 2 || listed[0]["base"] != eval.BaseUniform || listed[1]["base"] != eval.BaseData {
			t.Errorf("%s: bases %v", names[i], listed)
		}
		if bound := values["ais"].Detail["lower_bound"].(float64); bound > exact || bound < exact-2 {
			t.Errorf("%s: the bound %v, the exact value %v", names[i], bound, exact)
		}
	}
}

// A cold machine of one pattern, the data its own pattern: half of the mass is there, so the NLL is ln 2, at any V, H and gain. Free
// energies of float32 fields are off by the rounding of gain V times H: 0.706 and 0.670, below the bound, came out.
func TestNLLByPatternClasses(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		visible, hidden int
		gain            float64
	}{{784, 3000, 0.3}, {28, 3000, 30}} {
		xi := randomRows(1, c.visible, 3)[0]
		m, _ := onePattern(e, xi, c.hidden, c.gain)
		minus := slices.Clone(xi)
		for i := range minus {
			minus[i] = -minus[i]
		}
		s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(xi, minus, xi)}, SetName: "train"}
		r := measure(t, "nll", s, eval.Defaults())
		if r.Detail["method"] != "pattern classes" || !eval.IsUnknown(r.Stderr) {
			t.Errorf("%v: %+v", c, r)
		}
		near(t, fmt.Sprint(c), r.Value, math.Ln2, 1e-5)
	}
}

// Annealing of two steps finds hardly anything of a cold machine's two states, each of half of the mass. The rows that are these,
// one of them twice, sum to all of it; alone one is half.
func TestNLLHasAllThatRowsHave(t *testing.T) {
	xi := randomRows(1, 40, 3)[0]
	m, _ := onePattern(engine(t), xi, 60, 0.3)
	minus := slices.Clone(xi)
	for i := range minus {
		minus[i] = -minus[i]
	}
	o := options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas, o.AIS.Base = 8, 2, eval.BaseUniform })
	for _, c := range []struct {
		set  *data.Set
		want float64
	}{{rowsOf(xi, minus, xi), math.Ln2}, {rowsOf(xi, xi), 0}} {
		s := eval.Subject{Machine: m, Split: &data.Split{Train: c.set}, SetName: "train"}
		r := measure(t, "nll_ais", s, o)
		near(t, "NLL", r.Value, c.want, 1e-3)
		z := measure(t, "logz_ais", s, o).Value
		if low := r.Detail["log_z"].(float64) - z; low < 100 || r.Detail["log_z_estimate"] != z || r.Detail["side"] != eval.LowerBound ||
			!strings.Contains(fmt.Sprint(r.Detail["warnings"]), "rows of the set alone sum to") {
			t.Errorf("%.3g above annealing's: %v", low, r.Detail)
		}
	}
	// Beside all bases, which find both, it is a bound.
	both := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(xi, minus)}, SetName: "train"}
	r := measure(t, "nll_ais", both, options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas = 20, 20 }))
	if bound, sum := r.Detail["lower_bound"].(float64), math.Ln2-r.Detail["mean_free_energy"].(float64); bound < sum-1e-3 || bound > sum {
		t.Errorf("the bound %v of a sum of %v over the rows: %v", bound, sum, r.Detail)
	}
	// Where annealing is right it stays.
	warm, _ := onePattern(engine(t), xi, 60, 0.001)
	s := eval.Subject{Machine: warm, Split: &data.Split{Train: rowsOf(xi, minus)}, SetName: "train"}
	r = measure(t, "nll_ais", s, options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas = 100, 100 }))
	if _, raised := r.Detail["log_z_estimate"]; raised || r.Detail["log_z"] != measure(t, "logz_ais", s, options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas = 100, 100 })).Value {
		t.Errorf("%v", r.Detail)
	}
}

// logz and nll take the sum over states where it is small, then that over pattern classes, then AIS from
// all bases, with a warning where its paths are too few; detail says which and why. Reverse paths that start from no exact
// samples never enter.
func TestBestLikelihood(t *testing.T) {
	e := engine(t)
	o := options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas, o.AIS.StartSweeps, o.Phases.Sweeps = 200, 60, 50, 30 })
	subject := func(m *bm.Machine) eval.Subject {
		return eval.Subject{Machine: m, Key: 6, SetName: "train",
			Split: &data.Split{Train: rowsOf(randomRows(9, m.Layers()[0], 3)...)}}
	}
	method := func(s eval.Subject, want string) eval.Result {
		t.Helper()
		z, l := measure(t, "logz", s, o), measure(t, "nll", s, o)
		for _, r := range []eval.Result{z, l} {
			if r.Detail["method"] != want || r.Detail["why"] == "" || r.Detail["side"] == "" {
				t.Errorf("%+v, want the method %s", r, want)
			}
		}
		if l.Detail["log_z"] != z.Value {
			t.Errorf("log Z is %v alone and %v in the NLL", z.Value, l.Detail["log_z"])
		}
		return z
	}
	small := check.SmallMachines(e, 6, 4, 4)[6].Machine
	z := method(subject(small), "enumeration")
	near(t, "by enumeration", z.Value, check.LogZ(small), 1e-5)
	if z.Stderr != 0 || z.Detail["side"] != eval.Exact {
		t.Errorf("%+v", z)
	}

	axons := bm.NewAxons(e, bm.Restricted(60, 50, false), 2, false)
	axons.Bernoulli(1, 5)
	axons.SetGain(0.02)
	patterns := bm.New(e, axons, false, false)
	z = method(subject(patterns), "pattern classes")
	ais := measure(t, "logz_reverse_ais", subject(patterns), o)
	within(t, "reverse AIS from pattern classes", eval.LogZ{Value: ais.Value, Stderr: ais.Stderr}, z.Value, 0.1)
	if ais.Detail["side"] != eval.UpperBound {
		t.Errorf("%+v", ais)
	}

	defer eval.SetAffordableTerms(1)()
	z = method(subject(small), "ais")
	within(t, "by AIS", eval.LogZ{Value: z.Value, Stderr: z.Stderr}, check.LogZ(small), 0.1)
	if w := z.Detail["warnings"].([]string); len(w) > 0 {
		t.Errorf("%q", w)
	}
	bridge := measure(t, "logz_bridge", subject(small), o)
	within(t, "by the bridge", eval.LogZ{Value: bridge.Value, Stderr: bridge.Stderr}, check.LogZ(small), 0.1)
	if w := fmt.Sprint(bridge.Detail["warnings"]); bridge.Detail["side"] != eval.NoSide || !strings.Contains(w, "did not start from exact samples (ends of paths from") {
		t.Errorf("%+v", bridge)
	}

	glass := bm.NewDense(e, bm.Restricted(60, 50, false))
	glass.Normal(1, 4)
	o.AIS.Betas = 4
	z = method(subject(bm.New(e, glass, false, false)), "ais")
	if w := fmt.Sprint(z.Detail["warnings"]); !strings.Contains(w, "AIS from the base") {
		t.Errorf("warnings %v", w)
	}
}

// Options that do not fit are named by the path that sets them.
func TestLikelihoodOptions(t *testing.T) {
	s := eval.Subject{Machine: check.SmallMachines(engine(t), 6, 4, 4)[0].Machine, Key: 6}
	for _, c := range []struct {
		measure, want string
		o             eval.Options
	}{
		{"logz_ais", `ais.base: "bias" is no base law: auto, uniform, data`, options(func(o *eval.Options) { o.AIS.Base = "bias" })},
		{"logz_ais", "ais.base: data needs a training set", options(func(o *eval.Options) { o.AIS.Base = "data" })},
		{"logz_bridge", `ais.start: "cold" is no start of reverse paths: auto, exact, phases, data, annealing`, options(func(o *eval.Options) { o.AIS.Start = "cold" })},
		{"logz_bridge", "ais.start: data needs a training set", options(func(o *eval.Options) { o.AIS.Start = "data" })},
		{"logz_ais", "ais.runs: 1 is out of range: 2 to 1000000", options(func(o *eval.Options) { o.AIS.Runs = 1 })},
		{"logz_ais", "ais.betas: -1 is out of range: 1 to 1000000", options(func(o *eval.Options) { o.AIS.Betas = -1 })},
		{"logz_integration", "integration.ladders: 1 is out of range: 2 to 1000000", options(func(o *eval.Options) { o.Integration.Ladders = 1 })},
		{"nll_ais", "no data to judge the machine on", eval.Defaults()},
	} {
		m, err := eval.Named(c.measure)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = m.Run(t.Context(), s, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.measure, err, c.want)
		}
	}
	big := eval.Subject{Machine: bm.New(engine(t), bm.NewDense(engine(t), bm.Restricted(40, 40, false)), false, false)}
	m, _ := eval.Named("logz_reverse_ais")
	_, err := m.Run(t.Context(), big, options(func(o *eval.Options) { o.AIS.Start = "exact" }))
	if err == nil || !strings.Contains(err.Error(), "ais.start: exact samples: 40 spins in the layer to enumerate") {
		t.Error(err)
	}
}
