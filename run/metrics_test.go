package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const line3 = `{"step":3,"epoch":1,"seconds":0.25,"name":"nll","split":"test","value":2.5,"stderr":null,"detail":{}}` + "\n"

// Fails for a line with other keys, another order, or numbers that JSON lacks.
func TestMetricLine(t *testing.T) {
	for _, c := range []struct {
		m    Metric
		want string
	}{
		{Metric{Step: 3, Epoch: 1, Seconds: 0.25, Name: "nll", Split: "test", Value: 2.5, Stderr: math.NaN()}, strings.TrimSpace(line3)},
		{Metric{Name: "<n>", Value: math.Inf(-1), Stderr: math.Inf(1), Detail: map[string]any{
			"z": []float64{1, math.NaN()}, "a": map[string]float64{"x": math.Inf(1)}, "f": float32(0.1), "m": "ais", "n": nil}},
			`{"step":0,"epoch":0,"seconds":0,"name":"<n>","split":"","value":"-Infinity","stderr":"Infinity",` +
				`"detail":{"a":{"x":"Infinity"},"f":0.1,"m":"ais","n":null,"z":[1,"NaN"]}}`},
		{Metric{Name: "n", Value: math.NaN()}, `{"step":0,"epoch":0,"seconds":0,"name":"n","split":"","value":"NaN","stderr":0,"detail":{}}`},
	} {
		got, err := c.m.MarshalJSON()
		if err != nil || string(got) != c.want {
			t.Errorf("got %s, %v\nwant %s", got, err, c.want)
			continue
		}
		var back Metric
		if err := json.Unmarshal(got, &back); err != nil {
			t.Error(err)
		}
		c.m.Detail, back.Detail = nil, nil
		if diff := cmp.Diff(c.m, back, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	w := create(t)
	for _, m := range []Metric{
		{Step: -1, Name: "n"}, {Epoch: -1, Name: "n"}, {Seconds: math.NaN(), Name: "n"}, {Seconds: math.Inf(1), Name: "n"}, {},
	} {
		wantError(t, w.Append(Metric{Name: "good"}, m), "metrics.jsonl", "want a name and numbers that are not negative")
	}
	wantError(t, w.Append(Metric{Name: "n", Detail: map[string]any{"f": func() {}}}), `metric "n": detail`)
	if b, _ := os.ReadFile(filepath.Join(w.Path(), metricsName)); len(b) > 0 {
		t.Errorf("refused lines were written: %q", b)
	}
}

func TestMetricsTornLine(t *testing.T) {
	w := create(t)
	path := filepath.Join(w.Path(), metricsName)
	for _, c := range []struct{ content, want string }{
		{line3 + line3[:20], line3},
		{line3 + line3[:len(line3)-1], line3},
		{line3[:5], ""},
		{line3 + strings.Repeat("\x00", 10_000), line3},
		{line3, line3},
		{"", ""},
	} {
		put(t, path, c.content)
		metrics, err := w.Metrics() // a reader sees the complete lines
		if err != nil || len(metrics) != strings.Count(c.want, "\n") {
			t.Errorf("%.30q: %d metrics, %v", c.content, len(metrics), err)
		}
		w = resume(t, w)
		if err := w.Append(Metric{Step: 3, Epoch: 1, Seconds: 0.25, Name: "nll", Split: "test", Value: 2.5, Stderr: math.NaN()}); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); string(b) != c.want+line3 {
			t.Errorf("%.30q became %q, want %q", c.content, b, c.want+line3)
		}
	}
}

func TestMetricsNameBrokenLine(t *testing.T) {
	w := create(t)
	for _, c := range []struct{ line, want string }{
		{"what", "invalid character"},
		{"", "unexpected end"},
		{"[1]", "cannot unmarshal array"},
		{strings.Replace(line3, `"split":"test",`, "", 1), `the key "split" is missing`},
		{strings.Replace(line3, `{`, `{"more":1,`, 1), `the key "more" is unknown`},
		{strings.Replace(line3, `"step":3`, `"step":3.5`, 1), "step is 3.5, want a whole number"},
		{strings.Replace(line3, `"step":3`, `"step":-3`, 1), "want a name and numbers that are not negative"},
		{strings.Replace(line3, `"step":3`, `"step":null`, 1), "step is null, want a whole number"},
		{strings.Replace(line3, `"nll"`, `7`, 1), "name is 7, want a string"},
		{strings.Replace(line3, `2.5`, `"nan"`, 1), `value is "nan", want a number, "NaN", "Infinity" or "-Infinity"`},
		{strings.Replace(line3, `2.5`, `null`, 1), "value is null, want a number"},
		{strings.Replace(line3, `2.5`, `1e999`, 1), "value is 1e999, want a number"},
		{strings.Replace(line3, `null`, `[]`, 1), `stderr is [], want a number, "NaN", "Infinity" or "-Infinity", or null`},
		{strings.Replace(line3, `{}`, `[]`, 1), "detail is [], want an object"},
	} {
		put(t, filepath.Join(w.Path(), metricsName), line3+strings.TrimSpace(c.line)+"\n"+line3)
		_, err := w.Metrics()
		wantError(t, err, "metrics.jsonl:2: ", c.want)
		wantError(t, w.CutMetrics(1), "metrics.jsonl:2: ")
	}
}

// Fails for a cut that is off by one step, changes the bytes of a kept line, or
// leaves the next line in the replaced file.
func TestCutMetrics(t *testing.T) {
	w := create(t)
	spaced := strings.Replace(line3, ",", ", ", 3) // as another program may have written it
	put(t, filepath.Join(w.Path(), metricsName), spaced+strings.Replace(line3, "3", "4", 1)+line3+strings.Replace(line3, "3", "5", 1))
	w = resume(t, w)
	check := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(w.Path(), metricsName)); err != nil || string(b) != want {
			t.Errorf("got %q, %v, want %q", b, err, want)
		}
	}
	if err := w.CutMetrics(3); err != nil {
		t.Fatal(err)
	}
	check(spaced + line3)
	if err := w.Append(Metric{Step: 4, Name: "n"}); err != nil {
		t.Fatal(err)
	}
	check(spaced + line3 + `{"step":4,"epoch":0,"seconds":0,"name":"n","split":"","value":0,"stderr":0,"detail":{}}` + "\n")
	if err := w.CutMetrics(-1); err != nil {
		t.Fatal(err)
	}
	check("")
	w.Close()
	wantError(t, w.Append(Metric{Name: "n"}), "metrics.jsonl", "closed")
}

func FuzzParseMetrics(f *testing.F) {
	f.Add([]byte(line3 + line3))
	f.Add([]byte(strings.Replace(line3, "2.5", `"NaN"`, 1) + "{"))
	f.Add([]byte(strings.Replace(line3, "{}", `{"a":[1,{"b":"Infinity"}]}`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		metrics, lines, err := parseMetrics(b)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b, bytes.Join(lines, nil)) || len(metrics) != len(lines) {
			t.Fatalf("%d metrics in the lines %q of %q", len(metrics), lines, b)
		}
		for _, m := range metrics {
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var again Metric
			if err := json.Unmarshal(text, &again); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(m) != fmt.Sprint(again) {
				t.Fatalf("%v was read back as %v", m, again)
			}
		}
	})
}
