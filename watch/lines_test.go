package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/run"
)

const line = `{"step":3,"epoch":1,"seconds":0.25,"name":"nll","split":"test","value":2.5,"stderr":null,"detail":{}}`

// agree wants the quick reading of a line to say what run.Metric says, or nothing.
func agree(t *testing.T, text []byte) {
	t.Helper()
	var p parser
	n, x, detail, ok := p.quick(text)
	if !ok {
		return
	}
	var m run.Metric
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%q was taken for a line; it is none: %v", text, err)
	}
	same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
	if n.measure != m.Name || n.split != m.Split || x.Step != m.Step || x.Epoch != m.Epoch || !same(x.Seconds, m.Seconds) || !same(x.Value, m.Value) || !same(x.Stderr, m.Stderr) {
		t.Fatalf("%q was read as %v %v, and is %v", text, n, x, m)
	}
	var d map[string]any
	if err := json.Unmarshal(detail, &d); err != nil || fmt.Sprint(d) != fmt.Sprint(m.Detail) {
		t.Fatalf("%q: the detail was read as %s, %v", text, detail, err)
	}
}

func TestParse(t *testing.T) {
	var p parser
	for _, c := range []struct {
		old, new string
		quick    bool   // read without run.Metric
		bad      string // the error; "" for none
	}{
		{"", "", true, ""},
		{`null,"detail":{}`, `0.5,"detail":{"a":[1,"NaN"],"b":{"c":"}"}}`, true, ""},
		{"2.5", "-1.5e-300", true, ""},
		{"2.5", `"NaN"`, false, ""},
		{"2.5", `"-Infinity"`, false, ""},
		{`"nll"`, `"caf\u00e9"`, false, ""},
		{`,"name"`, `, "name"`, false, ""},
		{"2.5", "02.5", false, "invalid character"},
		{"2.5", "2.", false, "invalid character"},
		{"2.5", "0x10", false, "invalid character"},
		{"2.5", "1e999", false, "value is 1e999"},
		{`"step":3`, `"step":-3`, false, "not negative"},
		{`"step":3`, `"step":3.5`, false, "whole number"},
		{`{}}`, `{}`, false, "unexpected end"},
		{`{}}`, `{"a":}}`, false, "invalid character"},
		{`{}}`, `{}}}`, false, "invalid character"},
		{`"nll"`, `""`, false, "want a name"},
	} {
		text := []byte(strings.Replace(line, c.old, c.new, 1))
		if c.old == "" {
			text = []byte(line)
		}
		if _, _, _, quick := p.quick(text); quick != c.quick {
			t.Errorf("%s: read quickly: %v", text, quick)
		}
		agree(t, text)
		n, x, _, err := p.parse(text)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v, want an error with %q", text, err, c.bad)
			}
			continue
		}
		if err != nil || n.measure == "" || x.Step != 3 || x.Epoch != 1 || x.Seconds != 0.25 {
			t.Errorf("%s: %v %v %v", text, n, x, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(line))
	f.Add([]byte(strings.Replace(line, "{}", `{"a":[1,2,{"b":"}"}]}`, 1)))
	f.Add([]byte(strings.Replace(line, "2.5", `-0.0e+7`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b) })
}

// reader follows a file as a library does and keeps what it was given.
type reader struct {
	follower
	lines []string
}

func (r *reader) next(t *testing.T, path string, limit int64) (anew, more bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if anew, err = r.begin(f, info); err != nil {
		t.Fatal(err)
	}
	if anew {
		r.lines = nil
	}
	more, err = r.read(context.Background(), f, limit, func(number int, line []byte, err error) {
		if err != nil {
			line = []byte(err.Error())
		}
		r.lines = append(r.lines, fmt.Sprintf("%d:%s", number, line))
	})
	if err != nil {
		t.Fatal(err)
	}
	return anew, more
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Fails for a follower that reads a line twice, gives half a line, or does not see that the file is
// another one: cut, replaced by a file of the same length, or replaced and grown beyond what was
// read.
func TestFollower(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var r reader
	step := func(what string, anew bool, want ...string) {
		t.Helper()
		got, _ := r.next(t, path, 1<<40)
		if got != anew || !slices.Equal(r.lines, want) {
			t.Fatalf("%s: anew %v, lines %q, want %v, %q", what, got, r.lines, anew, want)
		}
	}
	write(t, path, "a\nbb\nc")
	step("begin", false, "1:a", "2:bb")
	step("nothing new", false, "1:a", "2:bb")
	add(t, path, "c\n")
	step("the torn line is whole", false, "1:a", "2:bb", "3:cc")
	add(t, path, "\nd\n")
	step("an empty line", false, "1:a", "2:bb", "3:cc", "4:", "5:d")
	write(t, path, "a\nbb\n")
	step("cut in place", true, "1:a", "2:bb")
	temporary := path + ".tmp"
	write(t, temporary, "a\nxx\n")
	if err := os.Rename(temporary, path); err != nil {
		t.Fatal(err)
	}
	step("replaced by as many bytes", true, "1:a", "2:xx")
	write(t, path, "z\nxx\ny\n") // in place and longer: only the bytes tell
	step("overwritten and grown", true, "1:z", "2:xx", "3:y")
	add(t, path, "n\n")
	step("and followed on", false, "1:z", "2:xx", "3:y", "4:n")
	if r.generation != 3 {
		t.Errorf("generation %d, want 3", r.generation)
	}
}

// Fails for a follower that keeps a line of any length in memory, loses its place behind one, or
// reads beyond its limit.
func TestFollowerLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "a\n"+strings.Repeat("x", longestLine+10)+"\nb\n"+strings.Repeat("y", longestLine)+"\nc\n")
	var r reader
	for calls := 0; ; calls++ {
		_, more := r.next(t, path, chunk)
		if calls > 100 {
			t.Fatal("it never ends")
		}
		if !more {
			if calls < 2 { // a limit ends no call within a line
				t.Errorf("%d calls of %d bytes read %d", calls+1, chunk, 2*longestLine)
			}
			break
		}
	}
	if len(r.lines) != 5 || r.lines[1] != "2:longer than 4 MiB" || r.lines[2] != "3:b" || len(r.lines[3]) != longestLine+2 || r.lines[4] != "5:c" {
		t.Errorf("lines %.40q", r.lines)
	}
}

func TestTail(t *testing.T) {
	const text = "one\ntwo\nthree\nfo"
	for _, c := range []struct {
		length int64
		want   string
	}{{100, "one two three"}, {16, "one two three"}, {15, "two three"}, {12, "three"}, {3, ""}, {0, ""}} {
		var got []string
		if err := tail(strings.NewReader(text), int64(len(text)), c.length, func(line []byte) { got = append(got, string(line)) }); err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("the last %d bytes: %q, %v, want %q", c.length, got, err, c.want)
		}
	}
}
