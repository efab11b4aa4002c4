package eval_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/stat"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/negative"
	"mattis/rng"
)

// Every measure of the table says which standard errors it can have, and has those alone: of a machine in
// the middle, of a frozen one whose samples are all alike, and of one draw or one row. An exact value with an error, and a
// 0 where nothing is known, fail; so does a new measure that says nothing.
func TestErrors(t *testing.T) {
	e := engine(t)
	cold, _ := onePattern(e, spins("++-+++-+++-+++-+"), 30, 1)
	frozen := barsSubject(t, e)
	frozen.Machine = cold
	frozen.Drawn = negative.NewPID(cold, cold.Couplings().(*bm.Axons), nil).Draw(bm.Batch{}, 0)
	few := barsSubject(t, e)
	row := *few.Split.Test
	row.Rows, row.Spins, row.Labels = 1, row.Spins[:16], row.Labels[:1]
	split := *few.Split
	split.Test = &row
	few.Split = &split
	small, err := data.Bars(data.Options{Size: 3, Split: "all"})
	if err != nil {
		t.Fatal(err)
	}
	coins := eval.Subject{Machine: bm.New(e, bm.NewDense(e, bm.Restricted(9, 3, false)), false, false), Split: small, SetName: "train", Key: 5}
	quick := options(func(o *eval.Options) {
		o.Samples.Chains, o.Samples.Sweeps = 100, 10
		o.AIS.Runs, o.AIS.Betas = 100, 20
		o.Phases = eval.PhasesOptions{Chains: 8, Sweeps: 10}
		o.Integration = eval.IntegrationOptions{Ladders: 2, Betas: 8, Sweeps: 10}
		o.Autocorrelation.Chains, o.Autocorrelation.Sweeps = 4, 100
	})
	quick.Recall.Flips = 0.25
	single := quick
	single.Recall.Flips = 0
	single.Hamming.Draws, single.HammingClamped.Draws, single.Accessibility.Chains = 1, 1, 1
	seen := map[string]eval.Errors{}
	for _, c := range []struct {
		name string
		s    eval.Subject
		o    eval.Options
		// none are the measures that have a value here but no error that can be known, though they can have one.
		none []string
	}{
		{"middle", barsSubject(t, e), quick, nil},
		{"coins", coins, quick, []string{"nll_exact", "pseudo_likelihood"}},
		{"frozen", frozen, quick, []string{"gibbs_accessibility_mean", "valid_share", "coverage"}},
		{"one row, one draw", few, single, []string{"hamming", "hamming_clamped", "nll_exact", "nll", "nll_ais", "nll_reverse_ais", "nll_bridge", "pseudo_likelihood", "gibbs_accessibility_mean", "probe_accuracy"}},
	} {
		for _, m := range eval.Measures {
			if m.Errors == 0 {
				t.Errorf("%s says of no standard error that it has it", m.Name)
			}
			of := c.s
			if strings.HasPrefix(m.Name, "lattice_") {
				of = subjectFor(t, e, m)
			}
			r, err := m.Run(t.Context(), of, c.o)
			if err != nil {
				t.Logf("%s: %v", c.name, err) // no value
				continue
			}
			is := m.Errors.Of(r.Stderr)
			seen[m.Name] |= is
			if m.Errors&is == 0 || r.Stderr < 0 {
				t.Errorf("%s, %s: %v with a standard error of %v, of which the table does not know", c.name, m.Name, r.Value, r.Stderr)
			}
			for _, name := range c.none {
				if name == m.Name && !eval.IsUnknown(r.Stderr) {
					t.Errorf("%s, %s: %v ± %v, but nothing tells the error", c.name, m.Name, r.Value, r.Stderr)
				}
			}
		}
	}
	for _, m := range eval.Measures { // a case for each promise but these
		switch m.Name {
		case "logz", "autocorrelation", "overlap", "ultrametricity", "phases":
			continue
		}
		if seen[m.Name] != m.Errors {
			t.Errorf("%s promises the errors %b and shows %b", m.Name, m.Errors, seen[m.Name])
		}
	}
}

// An unknown error is null and comes back as unknown, 0 stays 0; the keys and their order are those of the contract.
func TestResultJSON(t *testing.T) {
	for text, r := range map[string]eval.Result{
		`{"measure":"overlap","split":"","value":0.5,"stderr":null,"n":3,"detail":{"why":"K<<V"}}`: {Measure: "overlap", Value: 0.5, Stderr: eval.Unknown, N: 3, Detail: map[string]any{"why": "K<<V"}},
		`{"measure":"nll","split":"test","value":1,"stderr":0,"n":1,"detail":null}`:                {Measure: "nll", Split: "test", Value: 1, N: 1},
		`{"measure":"nll","split":"test","value":1,"stderr":0.25,"n":2,"detail":{}}`:               {Measure: "nll", Split: "test", Value: 1, Stderr: 0.25, N: 2, Detail: map[string]any{}},
	} {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(r); err != nil || strings.TrimSpace(b.String()) != text {
			t.Errorf("%v\ngot  %swant %s", err, b.String(), text)
		}
		var back eval.Result
		if err := json.Unmarshal([]byte(text), &back); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(r, back, cmpopts.EquateNaNs()); d != "" {
			t.Error(d)
		}
	}
	if eval.IsUnknown(0) || !eval.IsUnknown(eval.Unknown) || math.IsInf(eval.Unknown, 0) {
		t.Error("0 is known and NaN is not")
	}
}

// The error that a measure of samples reports is the deviation of its value over other keys: of a machine of five
// biased spins, whose samples are independent after one sweep, the mean square of the reported errors over the variance of
// the values lies in an interval that 300 keys (20 for triangles) miss by chance with probability below 1e-3 where the errors are
// right. Binomial errors of pairs, a factor of 2 in the jackknife and a missing square fail.
func TestJackknife(t *testing.T) {
	e := engine(t)
	r := bm.New(e, bm.NewDense(e, bm.Restricted(9, 2, false)), true, false)
	compute.Write(e, r.Bias(bm.Visible).Value, []float32{0.3, 0.6, 1, -0.4, 0.8, 0.2, -0.7, 0.5, 0.1})
	split, err := data.Bars(data.Options{Size: 3, Split: "all"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		measure      string
		keys, chains int
		least, most  float64
	}{
		{"overlap", 300, 50, 0.7, 1.4},
		{"ultrametricity", 20, 50, 0.35, 4},
		// Seen once or not at all are not independent: the jackknife is large by the covariances of Efron and Stein (1981).
		{"coverage", 300, 30, 0.9, 3.5},
	} {
		o := options(func(o *eval.Options) { o.Samples.Chains, o.Samples.Sweeps = c.chains, 1 })
		values, claimed := make([]float64, c.keys), 0.0
		for k := range c.keys {
			x := measure(t, c.measure, eval.Subject{Machine: r, Split: split, Key: rng.Key(k)}, o)
			values[k] = x.Value
			if !eval.IsUnknown(x.Stderr) {
				claimed += x.Stderr * x.Stderr / float64(c.keys)
			}
		}
		_, variance := stat.MeanVariance(values, nil)
		if ratio := claimed / variance; ratio < c.least || ratio > c.most {
			t.Errorf("%s: the reported variance is %.3f of that over keys, want %.2f to %.2f", c.measure, ratio, c.least, c.most)
		}
	}
}

// Measures of samples name their start and say whether it is forgotten.
func TestSamplesSayWhetherTheyMix(t *testing.T) {
	e := engine(t)
	cold, _ := onePattern(e, spins("++-+++-+++-+++-+"), 30, 1)
	warm, _ := onePattern(e, spins("++-+++-+++-+++-+"), 30, 0.02)
	for _, c := range []struct {
		m      *bm.Machine
		sweeps int
		mixing eval.Verdict
	}{
		{warm, 300, eval.Mixes}, {warm, 3, eval.TooShort}, {cold, 100, eval.DoesNotMix},
	} {
		for _, name := range []string{"valid_share", "coverage", "overlap", "ultrametricity"} {
			if c.m == cold && name == "ultrametricity" {
				continue // one configuration
			}
			o := options(func(o *eval.Options) { o.Samples.Chains, o.Samples.Sweeps = 50, c.sweeps })
			r := measure(t, name, eval.Subject{Machine: c.m, Split: bars(t), Key: 1}, o)
			if r.Detail["mixing"] != string(c.mixing) || name == "valid_share" && r.Detail["from"] != "random" {
				t.Errorf("%s of %d sweeps: mixing %v (r_hat %v) from %v, want %s", name, c.sweeps, r.Detail["mixing"], r.Detail["r_hat"], r.Detail["from"], c.mixing)
			}
		}
	}
}
