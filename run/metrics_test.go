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
	if b, _ := os.ReadFile(filepath.Join(w.Path(), MetricsFile)); len(b) > 0 {
		t.Errorf("refused lines were written: %q", b)
	}
}

func TestMetricsTornLine(t *testing.T) {
	w := create(t)
	path := filepath.Join(w.Path(), MetricsFile)
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
		put(t, filepath.Join(w.Path(), MetricsFile), line3+strings.TrimSpace(c.line)+"\n"+line3)
		_, err := w.Metrics()
		wantError(t, err, "metrics.jsonl:2: ", c.want)
		_, err = w.ReadMetrics(1, func(Metric) {})
		wantError(t, err, "metrics.jsonl:2: ", c.want)
	}
}

// cutAbove drops the lines above the step.
func cutAbove(t *testing.T, w *Writer, step int) {
	t.Helper()
	c, err := w.ReadMetrics(step, func(Metric) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(); err != nil {
		t.Fatal(err)
	}
}

// Fails for a cut that is off by one step, changes the bytes of a kept line, or
// leaves the next line in the replaced file.
func TestCutMetrics(t *testing.T) {
	w := create(t)
	spaced := strings.Replace(line3, ",", ", ", 3) // as another program may have written it
	put(t, filepath.Join(w.Path(), MetricsFile), spaced+strings.Replace(line3, "3", "4", 1)+line3+strings.Replace(line3, "3", "5", 1))
	w = resume(t, w)
	check := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(filepath.Join(w.Path(), MetricsFile)); err != nil || string(b) != want {
			t.Errorf("got %q, %v, want %q", b, err, want)
		}
	}
	cutAbove(t, w, 3)
	check(spaced + line3)
	if err := w.Append(Metric{Step: 4, Name: "n"}); err != nil {
		t.Fatal(err)
	}
	check(spaced + line3 + `{"step":4,"epoch":0,"seconds":0,"name":"n","split":"","value":0,"stderr":0,"detail":{}}` + "\n")
	cutAbove(t, w, -1)
	check("")
	if err := w.Append(Metric{Name: "n"}); err != nil {
		t.Fatal(err)
	}
	check(`{"step":0,"epoch":0,"seconds":0,"name":"n","split":"","value":0,"stderr":0,"detail":{}}` + "\n")
	w.Close()
	wantError(t, w.Append(Metric{Name: "n"}), "metrics.jsonl", "closed")
}

// Fails for a hole that ends the file, that stays in it, or that takes a line with it which was read back whole: the
// system's end may leave zeros where lines were and later ones behind them.
func TestCutMetricsDropsHoles(t *testing.T) {
	w := create(t)
	hole := strings.Repeat("\x00", 5000)
	line4 := strings.Replace(line3, "3", "4", 1)
	put(t, filepath.Join(w.Path(), MetricsFile), line3+line3+hole+line3[20:]+line4+line3+line4+hole)
	w = resume(t, w)
	var seen []int
	c, err := w.ReadMetrics(3, func(m Metric) { seen = append(seen, m.Step) })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(w.Path(), MetricsFile)); string(b) != line3+line3+line3 {
		t.Errorf("got %q", b)
	}
	if diff := cmp.Diff([]int{3, 3, 3}, seen); diff != "" {
		t.Errorf("steps shown (-want +got):\n%s", diff)
	}
}

// Lines longer than the reader's buffer come whole.
func TestMetricsOfLongLines(t *testing.T) {
	w := create(t)
	long := make([]float64, 200_000)
	for i := range long {
		long[i] = float64(i)
	}
	for step := range 3 {
		if err := w.Append(Metric{Step: step, Name: "spectrum", Detail: map[string]any{"singular_values": long}}); err != nil {
			t.Fatal(err)
		}
	}
	metrics, err := w.Metrics()
	if err != nil || len(metrics) != 3 {
		t.Fatalf("%d metrics, %v", len(metrics), err)
	}
	for i, m := range metrics {
		if x := m.Detail["singular_values"].([]any); m.Step != i || len(x) != len(long) || x[len(x)-1] != float64(len(long)-1) {
			t.Errorf("line %d is of step %d with %d numbers", i+1, m.Step, len(x))
		}
	}
}

// Both ways to read a line give the same metric, and the quick one takes no line that the strict one refuses.
func FuzzParseMetrics(f *testing.F) {
	f.Add([]byte(line3 + line3))
	f.Add([]byte(strings.Replace(line3, "2.5", `"NaN"`, 1) + "{"))
	f.Add([]byte(strings.Replace(line3, "{}", `{"a":[1,{"b":"Infinity"}]}`, 1)))
	for _, x := range []string{"03", "+3", "3.0", "1e0", "-0"} {
		f.Add([]byte(strings.Replace(line3, `"step":3`, `"step":`+x, 1)))
		f.Add([]byte(strings.Replace(line3, `0.25`, x, 1)))
		f.Add([]byte(strings.Replace(line3, `2.5`, x, 1)))
	}
	for _, x := range []string{"0x1p3", "inf", "1_000", `"Infinity"`, "null", ""} {
		f.Add([]byte(strings.Replace(line3, `0.25`, x, 1)))
		f.Add([]byte(strings.Replace(line3, `2.5`, x, 1)))
	}
	for _, x := range []string{`n\u006cl`, "n\xffl", "n\tl", "", `","split":"x`} {
		f.Add([]byte(strings.Replace(line3, `nll`, x, 1)))
	}
	f.Add([]byte(strings.Replace(line3, "{}", `{},"step":4`, 1)))
	f.Add([]byte(strings.Replace(line3, "{}", `[]`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := linesOf(bytes.NewReader(b), func(n int, line []byte) error {
			var strict Metric
			want := json.Unmarshal(line, &strict)
			m, err := parseMetric(line, true)
			if (err == nil) != (want == nil) {
				t.Fatalf("%q: %v, by the strict reader %v", line, err, want)
			}
			if err != nil {
				return err
			}
			if fmt.Sprint(m) != fmt.Sprint(strict) {
				t.Fatalf("%q is %v, by the strict reader %v", line, m, strict)
			}
			short, err := parseMetric(line, false)
			m.Detail = nil
			if fmt.Sprint(m) != fmt.Sprint(short) || err != nil {
				t.Fatalf("%q is %v, without its detail %v, %v", line, m, short, err)
			}
			text, err := json.Marshal(strict)
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseMetric(text, true)
			if err != nil || fmt.Sprint(strict) != fmt.Sprint(again) {
				t.Fatalf("%v was read back as %v, %v", strict, again, err)
			}
			return nil
		})
		_ = err
	})
}
