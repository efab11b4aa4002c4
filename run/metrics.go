package run

import (
	"bufio"
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
	"strings"
	"time"
	"unicode/utf8"
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

// metricsSync is how long lines of metrics.jsonl may wait to be put on disk. They are in the
// system's hands at once: only its own end can lose them, and a checkpoint is never there without
// the lines before it.
const metricsSync = time.Second

// Append adds the lines of all metrics: all of them, or none where that fails. What it wrote is on
// disk after a second of further lines, once a checkpoint is saved, or SyncMetrics or Close was
// called.
func (w *Writer) Append(metrics ...Metric) error {
	if w.beside {
		return nil
	}
	if w.metrics == nil {
		return fmt.Errorf("%s: append: %w", w.join(MetricsFile), os.ErrClosed)
	}
	var lines []byte
	for _, m := range metrics {
		b, err := m.MarshalJSON()
		if err != nil {
			return fmt.Errorf("%s: %w", w.join(MetricsFile), err)
		}
		lines = append(append(lines, b...), '\n')
	}
	if len(lines) == 0 {
		return nil
	}
	if n, err := w.metrics.Write(lines); err != nil {
		info, statErr := w.metrics.Stat()
		if statErr != nil {
			return errors.Join(err, statErr)
		}
		return errors.Join(err, os.Truncate(w.join(MetricsFile), info.Size()-int64(n))) // a full disk leaves no half line
	}
	w.unsynced = true
	if time.Since(w.synced) < metricsSync {
		return nil
	}
	return w.SyncMetrics()
}

// SyncMetrics returns once all lines that were appended are on disk.
func (w *Writer) SyncMetrics() error {
	if w.metrics == nil || !w.unsynced {
		return nil
	}
	if err := w.metrics.Sync(); err != nil {
		return err
	}
	w.unsynced, w.synced = false, time.Now()
	return nil
}

// Metrics returns the complete lines of metrics.jsonl in their order, none
// where there is no such file. A last line without its newline is one that is
// being written, or was when a process ended, and is left out; any other line
// that cannot be read is an error with its number.
func (d *Directory) Metrics() ([]Metric, error) {
	var all []Metric
	err := d.eachLine(func(n int, line []byte) error {
		m, err := parseMetric(line, true)
		if err != nil {
			return d.badLine(n, err)
		}
		all = append(all, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// badLine returns the error of a complete line of metrics.jsonl that cannot be read.
func (d *Directory) badLine(n int, err error) error {
	return fmt.Errorf("%s:%d: the line is damaged (%w): remove it, and the rest stays", d.join(MetricsFile), n, err)
}

// LostMetrics reports whether there was no metrics.jsonl when the directory was opened to write in
// it again.
func (w *Writer) LostMetrics() bool { return w.lost }

// eachLine shows visit the complete lines of metrics.jsonl with their newlines and their numbers
// from 1. A line is gone when visit returns.
func (d *Directory) eachLine(visit func(n int, line []byte) error) error {
	f, err := os.Open(d.join(MetricsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return linesOf(f, visit)
}

func linesOf(r io.Reader, visit func(n int, line []byte) error) error {
	b := bufio.NewReaderSize(r, 256<<10)
	var long []byte // what is known of a line longer than the buffer
	for n := 1; ; {
		part, err := b.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if len(long) > 0 {
			part = append(long, part...)
		}
		if err := visit(n, part); err != nil {
			return err
		}
		long = long[:0]
		n++
	}
}

// parseMetric returns the metric of a line, without its Detail unless that is wanted. Lines as
// MarshalJSON writes them are read in one go, others by way of UnmarshalJSON.
func parseMetric(line []byte, detail bool) (Metric, error) {
	if m, rest, ok := parseWritten(line); ok {
		if !detail && json.Valid(rest) {
			return m, nil
		}
		if detail && json.Unmarshal(rest, &m.Detail) == nil {
			return m, nil
		}
	}
	var m Metric
	err := json.Unmarshal(line, &m)
	if !detail {
		m.Detail = nil
	}
	return m, err
}

// parseWritten returns what a line says before its detail, the text of the detail, and whether the
// line begins as MarshalJSON writes it.
func parseWritten(line []byte) (m Metric, detail []byte, ok bool) {
	rest, ok := bytes.CutSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("}"))
	field := func(key, opening, closing string) (text string) {
		if !ok {
			return ""
		}
		if rest, ok = bytes.CutPrefix(rest, []byte(opening+`"`+key+`":`)); !ok {
			return ""
		}
		n := bytes.Index(rest, []byte(closing))
		if ok = n >= 0; !ok {
			return ""
		}
		text, rest = string(rest[:n]), rest[n:]
		return text
	}
	whole := func(key, opening string) (n int) {
		text := field(key, opening, ",")
		n, err := strconv.Atoi(text)
		ok = ok && err == nil && n >= 0 && text[0] != '+' && (text[0] != '0' || text == "0")
		return n
	}
	word := func(key string) string {
		text, found := strings.CutPrefix(field(key, ",", `",`), `"`)
		ok = ok && found && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c == utf8.RuneError })
		if ok {
			rest = rest[1:]
		}
		return text
	}
	float := func(key string) (x float64) {
		text := json.RawMessage(field(key, ",", ","))
		x, err := number(text)
		ok = ok && err == nil && json.Valid(text)
		return x
	}
	m.Step, m.Epoch, m.Seconds = whole("step", "{"), whole("epoch", ","), float("seconds")
	m.Name, m.Split, m.Value = word("name"), word("split"), float("value")
	if ok && bytes.HasPrefix(rest, []byte(`,"stderr":null,`)) {
		m.Stderr, rest = math.NaN(), rest[len(`,"stderr":null`):]
	} else {
		m.Stderr = float("stderr")
	}
	if ok {
		rest, ok = bytes.CutPrefix(rest, []byte(`,"detail":`))
	}
	ok = ok && m.Seconds >= 0 && !math.IsInf(m.Seconds, 0) && m.Name != "" && bytes.HasPrefix(rest, []byte("{"))
	return m, rest, ok
}

// Cut is what is left of metrics.jsonl once the lines above a step are dropped.
type Cut struct {
	w       *Writer
	step    int
	from    int64 // place of the first line that is dropped; -1 where none is
	between bool  // lines that stay come after it
}

// ReadMetrics reads metrics.jsonl once, line by line: look is shown each metric up to the step,
// without its Detail, and Apply of the cut drops all other lines. Lines that hold zero bytes are
// holes that the system's end left behind the last synced line: they are dropped too. Any other
// line that cannot be read is an error with its number.
func (w *Writer) ReadMetrics(step int, look func(Metric)) (*Cut, error) {
	c := &Cut{w: w, step: step, from: -1}
	at := int64(0)
	err := w.eachLine(func(n int, line []byte) error {
		m, stays, err := c.stays(n, line)
		switch {
		case err != nil:
			return err
		case stays:
			c.between = c.between || c.from >= 0
			look(m)
		case c.from < 0:
			c.from = at
		}
		at += int64(len(line))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cut) stays(n int, line []byte) (Metric, bool, error) {
	if bytes.IndexByte(line, 0) >= 0 {
		return Metric{}, false, nil
	}
	m, err := parseMetric(line, false)
	if err != nil {
		return m, false, c.w.badLine(n, err)
	}
	return m, m.Step <= c.step, nil
}

// Apply drops the lines. Those at the end of the file, where all are that a training wrote, are cut
// off; else the file is replaced as WriteFile does.
func (c *Cut) Apply() error {
	if c.w.beside {
		return nil
	}
	if c.from < 0 {
		return nil
	}
	w := c.w
	if !c.between {
		if err := os.Truncate(w.join(MetricsFile), c.from); err != nil {
			return err
		}
		return w.metrics.Sync()
	}
	if err := w.metrics.Close(); err != nil {
		return err
	}
	w.metrics = nil
	path := w.join(MetricsFile)
	if err := WriteFile(path, func(out io.Writer) error {
		return w.eachLine(func(n int, line []byte) error {
			if _, stays, err := c.stays(n, line); err != nil || !stays {
				return err
			}
			_, err := out.Write(line)
			return err
		})
	}); err != nil {
		return err
	}
	var err error
	w.metrics, err = openMetrics(path)
	return err
}

// openMetrics opens the file for appending. It is cut by its path: Windows lets no handle cut that
// appends.
func openMetrics(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
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
	if err := os.Truncate(f.Name(), end); err != nil {
		return err
	}
	return f.Sync()
}
