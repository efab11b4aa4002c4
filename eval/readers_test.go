package eval_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mattis/eval"
)

// others are values of the options that are no numbers, beside their defaults.
var others = map[string]string{"probe.layer": "hidden",
	"samples.from": "data", "probe.features": "mean", "ais.base": "uniform", "ais.start": "data", "autocorrelation.sampler": "tempering",
}

// The options of each line of the table are changed, and the measures whose result is another one then are those that are said to read it or its group.
// eval --set refuses an option that it takes for one that nothing reads, and takes one that it should refuse, where they are not.
func TestReaders(t *testing.T) {
	small := options(func(o *eval.Options) {
		o.Hamming.Draws, o.HammingClamped.Draws, o.Hamming.Rows, o.HammingClamped.Rows = 3, 3, 3, 3
		o.PseudoLikelihood.Rows, o.Accessibility.Chains, o.Probe.Rows, o.Probe.Iterations = 3, 4, 6, 3
		o.Samples.Chains, o.Samples.Sweeps = 8, 2
		o.AIS.Runs, o.AIS.Betas, o.AIS.StartSweeps = 20, 5, 2
		o.Phases = eval.PhasesOptions{Chains: 4, Sweeps: 5}
		o.Integration = eval.IntegrationOptions{Ladders: 2, Betas: 4, Sweeps: 10}
		o.Autocorrelation.Chains, o.Autocorrelation.Sweeps = 4, 40
		o.MeanField = eval.MeanFieldOptions{Steps: 1, Tolerance: 0.1}
		o.ClampedAIS = eval.ClampedAISOptions{Rows: 2, Runs: 3, Betas: 4, Sweeps: 1}
	})
	e := engine(t)
	deep := deepSubject(t, engine(t))
	subjects := map[string]eval.Subject{}
	for _, m := range eval.Measures {
		subjects[m.Name] = subjectFor(t, e, m)
	}
	said := func(s eval.Subject, m eval.Measure, o eval.Options) string {
		r, err := m.Run(t.Context(), s, o)
		if err != nil {
			return err.Error()
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	defer eval.SetAffordableTerms(0)() // else nll and logz are sums, which read nothing
	keys := eval.ReaderKeys()
	found := map[string][]string{} // by the keys of the table
	groups := reflect.TypeFor[eval.Options]()
	before, beforeDeep := map[string]string{}, map[string]string{}
	for _, m := range eval.Measures {
		before[m.Name], beforeDeep[m.Name] = said(subjects[m.Name], m, small), said(deep, m, small)
	}
	changed := map[string]eval.Options{} // by the same keys: all options of a line of the table at once
	for i := range groups.NumField() {
		group := groups.Field(i)
		for j := range group.Type.NumField() {
			key := group.Tag.Get("yaml")
			path := key + "." + group.Type.Field(j).Tag.Get("yaml")
			if path == "ais.seconds" || path == "ais.error" { // of a clock, and of a search for as many steps as it takes
				continue
			}
			if path == "probe.held_out" { // refused beside a penalty, which has its turn
				continue
			}
			if slices.Contains(keys, path) {
				key = path
			}
			o, ok := changed[key]
			if !ok {
				o = small
			}
			switch f := reflect.ValueOf(&o).Elem().Field(i).Field(j); f.Kind() {
			case reflect.Int:
				f.SetInt(f.Int() + 2)
			case reflect.Float64:
				f.SetFloat(f.Float() + 0.5)
			case reflect.String:
				f.SetString(others[path])
			}
			changed[key] = o
		}
	}
	for key, o := range changed {
		for _, m := range eval.Measures {
			if ofDeep := key == "mean_field" || key == "clamped_ais"; ofDeep && said(deep, m, o) != beforeDeep[m.Name] || !ofDeep && said(subjects[m.Name], m, o) != before[m.Name] {
				found[key] = append(found[key], m.Name)
			}
		}
	}
	for _, key := range keys {
		want, got := slices.Sorted(slices.Values(eval.Readers(key))), slices.Sorted(slices.Values(found[key]))
		if !slices.Equal(want, got) {
			t.Errorf("%s is read by %s, said to be read by %s", key, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
	if r := eval.Readers("nothing.at"); r != nil {
		t.Errorf("an unknown group is read by %v", r)
	}
}
