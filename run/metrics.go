package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
)

// Metric is one line of metrics.jsonl.
type Metric struct {
	Step    int            // updates done
	Epoch   int            // epochs done
	Seconds float64        // of training so far
	Name    string         // of the measure
	Split   string         // of the data: "train", "test", or "" where there is none
	Value   float64        // any, also NaN and infinities
	Stderr  float64        // standard error of Value: 0 for an exact one, NaN where it is not known
	Detail  map[string]any // what else the measure says; JSON values when read back
}

// metricKeys are the keys of a line, in their order.
var metricKeys = []string{"step", "epoch", "seconds", "name", "split", "value", "stderr", "detail"}

// MarshalJSON returns the object of a line. Numbers that JSON lacks are the
// strings "NaN", "Infinity" and "-Infinity", also inside Detail; a Stderr of
// NaN is null.
func (m Metric) MarshalJSON() ([]byte, error) {
	if m.Step < 0 || m.Epoch < 0 || m.Seconds < 0 || math.IsNaN(m.Seconds) || math.IsInf(m.Seconds, 0) || m.Name == "" {
		return nil, fmt.Errorf("metric %q at step %d, epoch %d, %g seconds: want a name and numbers that are not negative", m.Name, m.Step, m.Epoch, m.Seconds)
	}
	var stderr any
	if !math.IsNaN(m.Stderr) {
		stderr = finite(reflect.ValueOf(m.Stderr))
	}
	detail := map[string]any{}
	for k, v := range m.Detail {
		detail[k] = finite(reflect.ValueOf(v))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, v := range []any{m.Step, m.Epoch, m.Seconds, m.Name, m.Split, finite(reflect.ValueOf(m.Value)), stderr, detail} {
		before := ","
		if i == 0 {
			before = "{"
		}
		fmt.Fprintf(&b, "%s%q:", before, metricKeys[i])
		if err := enc.Encode(v); err != nil {
			return nil, fmt.Errorf("metric %q: %s: %w", m.Name, metricKeys[i], err)
		}
		b.Truncate(b.Len() - 1) // the newline of Encode
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// finite returns v with the floats that JSON lacks as strings, in slices and
// maps too.
func finite(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Invalid:
		return nil
	case reflect.Interface:
		return finite(v.Elem())
	case reflect.Float32, reflect.Float64:
		switch x := v.Float(); {
		case math.IsNaN(x):
			return "NaN"
		case math.IsInf(x, 1):
			return "Infinity"
		case math.IsInf(x, -1):
			return "-Infinity"
		}
	case reflect.Slice, reflect.Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = finite(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String {
			out := make(map[string]any, v.Len())
			for _, k := range v.MapKeys() {
				out[k.String()] = finite(v.MapIndex(k))
			}
			return out
		}
	}
	return v.Interface()
}

// UnmarshalJSON sets m to the object of a line. Every key must be there and no
// other.
func (m *Metric) UnmarshalJSON(line []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return err
	}
	for _, key := range metricKeys {
		if _, ok := raw[key]; !ok {
			return fmt.Errorf("the key %q is missing", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(metricKeys, key) {
			return fmt.Errorf("the key %q is unknown", key)
		}
	}
	*m = Metric{}
	for _, field := range []struct {
		key  string
		to   any
		want string
	}{
		{"step", &m.Step, "a whole number"},
		{"epoch", &m.Epoch, "a whole number"},
		{"seconds", &m.Seconds, "a number"},
		{"name", &m.Name, "a string"},
		{"split", &m.Split, "a string"},
		{"detail", &m.Detail, "an object"},
	} {
		text := raw[field.key]
		if err := json.Unmarshal(text, field.to); err != nil || string(text) == "null" {
			return fmt.Errorf("%s is %s, want %s", field.key, text, field.want)
		}
	}
	if m.Step < 0 || m.Epoch < 0 || m.Seconds < 0 || m.Name == "" {
		return fmt.Errorf("metric %q at step %d, epoch %d, %g seconds: want a name and numbers that are not negative", m.Name, m.Step, m.Epoch, m.Seconds)
	}
	var err error
	if m.Value, err = number(raw["value"]); err != nil {
		return fmt.Errorf("value %w", err)
	}
	m.Stderr = math.NaN()
	if string(raw["stderr"]) != "null" {
		if m.Stderr, err = number(raw["stderr"]); err != nil {
			return fmt.Errorf("stderr %w, or null", err)
		}
	}
	return nil
}

// number returns the value of a JSON number or of one of the three strings
// that stand for what is none.
func number(raw json.RawMessage) (float64, error) {
	switch string(raw) {
	case `"NaN"`:
		return math.NaN(), nil
	case `"Infinity"`:
		return math.Inf(1), nil
	case `"-Infinity"`:
		return math.Inf(-1), nil
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, fmt.Errorf(`is %s, want a number, "NaN", "Infinity" or "-Infinity"`, raw)
	}
	return x, nil
}

// Append adds the lines of all metrics and returns once they are on disk.
func (w *Writer) Append(metrics ...Metric) error {
	if w.metrics == nil {
		return fmt.Errorf("%s: append: %w", w.join(metricsName), os.ErrClosed)
	}
	var lines []byte
	for _, m := range metrics {
		b, err := m.MarshalJSON()
		if err != nil {
			return fmt.Errorf("%s: %w", w.join(metricsName), err)
		}
		lines = append(append(lines, b...), '\n')
	}
	if len(lines) == 0 {
		return nil
	}
	info, err := w.metrics.Stat()
	if err != nil {
		return err
	}
	if _, err := w.metrics.Write(lines); err != nil {
		return errors.Join(err, w.metrics.Truncate(info.Size())) // a full disk leaves no half line
	}
	return w.metrics.Sync()
}

// Metrics returns the complete lines of metrics.jsonl in their order, none
// where there is no such file. A last line without its newline is one that is
// being written, or was when a process ended, and is left out; any other line
// that cannot be read is an error with its number.
func (d *Directory) Metrics() ([]Metric, error) {
	metrics, _, err := d.lines()
	return metrics, err
}

// lines returns the metrics and the line, with newline, of each.
func (d *Directory) lines() ([]Metric, [][]byte, error) {
	path := d.join(metricsName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	metrics, lines, err := parseMetrics(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%s:%w", path, err)
	}
	return metrics, lines, nil
}

// parseMetrics returns the metrics and the complete lines of a file's content.
// Its error begins with the number of the line.
func parseMetrics(b []byte) (metrics []Metric, lines [][]byte, err error) {
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n')
		if n < 0 {
			break
		}
		var m Metric
		if err := json.Unmarshal(b[:n], &m); err != nil {
			return nil, nil, fmt.Errorf("%d: %w", len(lines)+1, err)
		}
		metrics = append(metrics, m)
		lines = append(lines, b[:n+1])
		b = b[n+1:]
	}
	return metrics, lines, nil
}

// CutMetrics drops every line of metrics.jsonl whose step is above step, and so
// all of them for -1. The file is replaced as WriteFile does.
func (w *Writer) CutMetrics(step int) error {
	metrics, lines, err := w.lines()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(metrics, func(m Metric) bool { return m.Step > step }) {
		return nil
	}
	if w.metrics != nil {
		if err := w.metrics.Close(); err != nil {
			return err
		}
		w.metrics = nil
	}
	path := w.join(metricsName)
	if err := WriteFile(path, func(out io.Writer) error {
		for i, m := range metrics {
			if m.Step <= step {
				if _, err := out.Write(lines[i]); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	w.metrics, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0o666)
	return err
}

// cutTornLine ends f after its last newline.
func cutTornLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, 4096)
	end := info.Size()
	for end > 0 {
		n := min(int64(len(buf)), end)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end += int64(i) + 1 - n
			break
		}
		end -= n
	}
	if end == info.Size() {
		return nil
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	return f.Sync()
}
