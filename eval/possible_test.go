package eval_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
	"mattis/negative"
)

// few are options that make every measure quick.
func few() eval.Options {
	o := eval.Defaults()
	o.Hamming.Draws, o.HammingClamped.Draws, o.HammingClamped.Sweeps = 3, 3, 2
	o.Samples.Chains, o.Samples.Sweeps = 20, 2
	o.AIS.Runs, o.AIS.Betas, o.AIS.StartSweeps = 10, 10, 2
	o.Integration.Ladders, o.Integration.Betas, o.Integration.Sweeps = 2, 4, 10
	o.Autocorrelation.Chains, o.Autocorrelation.Sweeps = 4, 20
	return o
}

// What Possible refuses, taking the measure refuses with the same words, and what it lets pass can be taken: of every
// measure of the table, for subjects that lack what one or the other needs. A measure without a line of its own panics.
func TestPossible(t *testing.T) {
	e := engine(t)
	good := barsSubject(t, e)
	with := func(change func(s *eval.Subject, o *eval.Options)) func() (eval.Subject, eval.Options) {
		return func() (eval.Subject, eval.Options) {
			s, o := good, few()
			change(&s, &o)
			return s, o
		}
	}
	big := func(axons bool) *bm.Machine {
		if axons {
			a := bm.NewAxons(e, bm.Restricted(40, 31, false), 3, false)
			a.Bernoulli(1, 3)
			return bm.New(e, a, false, false)
		}
		d := bm.NewDense(e, bm.Restricted(40, 31, false))
		d.Normal(0.1, 3)
		return bm.New(e, d, true, false)
	}
	wide := &data.Split{Train: rowsOf(randomRows(12, 40, 5)...), Test: rowsOf(randomRows(6, 40, 6)...)}
	sums := []string{"nll_exact", "logz_exact", "ground_energy", "gibbs_accessibility", "gibbs_accessibility_mean", "method_accessibility"}
	pairs := []string{"overlap", "ultrametricity"}
	family := []string{"valid_share", "coverage"}
	reverse := []string{"nll_reverse_ais", "logz_reverse_ais", "nll_bridge", "logz_bridge"}
	for _, c := range []struct {
		name    string
		subject func() (eval.Subject, eval.Options)
		refused []string // all others can be had
		none    []string // and of these there is no value
	}{
		{"bars", with(func(*eval.Subject, *eval.Options) {}), nil, nil},
		{"without labels", with(func(s *eval.Subject, _ *eval.Options) { s.Split = bars(t) }), nil, []string{"probe_accuracy"}},
		{"one label", with(func(s *eval.Subject, _ *eval.Options) {
			s.Split = bars(t)
			s.Split.Train.Labels, s.Split.Test.Labels = make([]int32, s.Split.Train.Rows), make([]int32, s.Split.Test.Rows)
		}), nil, []string{"probe_accuracy"}},
		{"too large to list", with(func(s *eval.Subject, _ *eval.Options) {
			s.Machine, s.Split, s.Drawn = big(true), wide, bm.Batch{}
		}), sums, append([]string{"probe_accuracy"}, family...)},
		{"dense and too large to list", with(func(s *eval.Subject, o *eval.Options) {
			s.Machine, s.Split, s.Drawn = big(false), wide, bm.Batch{}
			o.AIS.Start, o.Autocorrelation.Sampler = "exact", "guided"
		}), slices.Concat(sums, reverse, []string{"autocorrelation"}), append([]string{"probe_accuracy", "crosstalk"}, family...)},
		{"without data", with(func(s *eval.Subject, o *eval.Options) {
			s.Split, s.SetName = nil, ""
			o.AIS.Base, o.AIS.Start = "data", "data"
		}), []string{"hamming", "hamming_clamped", "nll_exact", "nll", "nll_bound", "nll_tracked", "nll_ais", "nll_reverse_ais", "nll_bridge", "pseudo_likelihood", "recall", "probe_accuracy",
			"logz_ais", "logz_reverse_ais", "logz_bridge", "logz_integration"}, family},
		{"guided where hidden layers meet", with(func(s *eval.Subject, o *eval.Options) {
			a := bm.NewAxons(e, bm.Deep(16, 3, 2), 3, false)
			a.Bernoulli(0.3, 3)
			s.Machine, s.Kind, s.Drawn = bm.New(e, a), negative.Exact, bm.Batch{}
			o.Autocorrelation.Sampler = "guided"
		}), []string{"autocorrelation", "nll_tracked"}, []string{"method_accessibility"}},
		{"all states", with(func(s *eval.Subject, _ *eval.Options) { s.Kind = negative.Exact }), nil, []string{"method_accessibility"}},
		{"two samples", with(func(_ *eval.Subject, o *eval.Options) { o.Samples.Chains = 2 }), nil, pairs[1:]},
		{"too many samples", with(func(_ *eval.Subject, o *eval.Options) { o.Samples.Chains = 8193 }), pairs, nil},
	} {
		s, o := c.subject()
		for _, m := range eval.Measures {
			err := m.Possible(s, o)
			var none *eval.NoValue
			if got := errors.As(err, &none); got != (slices.Contains(c.none, m.Name) || strings.HasPrefix(m.Name, "lattice_")) { // images are no lattice
				t.Errorf("%s: %s: %v: no value: %t", c.name, m.Name, err, got)
			}
			if got := err != nil && none == nil; got != slices.Contains(c.refused, m.Name) {
				t.Errorf("%s: %s: %v: refused: %t", c.name, m.Name, err, got)
			}
			if c.name == "too many samples" && err == nil {
				continue // they take long
			}
			_, ran := m.Run(context.Background(), s, o)
			switch {
			case err != nil && (ran == nil || ran.Error() != err.Error()):
				t.Errorf("%s: %s is refused with %v and taken with %v", c.name, m.Name, err, ran)
			case err == nil && ran != nil && !errors.As(ran, &none): // no value for its parameters, perhaps
				t.Errorf("%s: %s can be had, they say, and: %v", c.name, m.Name, ran)
			}
		}
	}
}

// A measure of years ends soon after it is cancelled; one that looks at the context too seldom lets the test run out of time.
func TestCancelledUnderway(t *testing.T) {
	s := barsSubject(t, engine(t))
	o := eval.Defaults()
	const years = 1_000_000
	o.HammingClamped.Sweeps, o.Accessibility.Sweeps, o.Samples.Sweeps = years, years, years
	o.AIS.Sweeps, o.AIS.StartSweeps, o.AIS.Start = years, years, "data"
	o.Integration.Sweeps, o.Autocorrelation.Sweeps = years, years
	for _, name := range []string{"hamming_clamped", "gibbs_accessibility", "valid_share", "coverage", "overlap", "ultrametricity", "logz_integration", "autocorrelation", "logz_ais", "logz_bridge"} {
		m, err := eval.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if _, err := m.Run(ctx, s, o); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
