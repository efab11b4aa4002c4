package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mattis/run"
	"mattis/tensorfile"
)

const recipeText = "seed: 1\nmachine: {kind: rbm, hidden: 8}\ntrain: {epochs: 10, batch: 3}\n"

// begin makes a run directory and leaves it locked by this process until the test ends.
func begin(t *testing.T, path string) *run.Writer {
	t.Helper()
	w, err := run.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := errors.Join(w.WriteEnvironment(run.Environment{Session: run.Session{Version: "v1", Start: time.Now(), Command: []string{"mattis", "train"}}}), w.WriteRecipe([]byte(recipeText))); err != nil {
		t.Fatal(err)
	}
	return w
}

// measure appends values of a measure, an epoch of 4 updates each from the given one on.
func measure(t *testing.T, w *run.Writer, epoch int, values ...float64) {
	t.Helper()
	var lines []run.Metric
	for i, v := range values {
		lines = append(lines, run.Metric{Step: 4 * (epoch + i), Epoch: epoch + i, Seconds: float64(epoch + i), Name: "nll_exact", Split: "test", Value: v})
	}
	if err := w.Append(lines...); err != nil {
		t.Fatal(err)
	}
}

func weights(rows, columns int) tensorfile.Tensor {
	x := make([]float32, rows*columns)
	for i := range x {
		x[i] = float32(math.Sin(float64(3*i + 1)))
	}
	return tensorfile.New("weights", x, rows, columns)
}

func library(t *testing.T, dirs ...string) *Library {
	t.Helper()
	l, err := Open(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	l.Refresh(time.Now())
	if err := l.Settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	return l
}

// later refreshes as if so much time had passed.
func later(l *Library, d time.Duration) { l.Refresh(time.Now().Add(d)) }

func only(t *testing.T, l *Library) Summary {
	t.Helper()
	all, notices := l.Runs()
	if len(all) != 1 {
		t.Fatalf("%d runs, want one; %v", len(all), notices)
	}
	return all[0]
}

// Fails where a run's state, progress or values are not those of its files, and where names of
// files differ from those that run writes.
func TestSummary(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "bars-1"))
	l := library(t, w.Path())
	s := only(t, l)
	if s.State != run.Training || s.Epochs != 10 || s.Name != "bars-1" || len(s.Measures) != 0 || s.Begun == 0 || len(s.Problems) > 0 {
		t.Errorf("at the beginning: %+v", s)
	}
	measure(t, w, 0, 9, 5, 3, 4)
	if err := w.Save(12, &tensorfile.File{Tensors: []tensorfile.Tensor{weights(4, 8)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFigure("nll.png", func(out io.Writer) error { _, err := out.Write([]byte("x")); return err }); err != nil {
		t.Fatal(err)
	}
	later(l, time.Second)
	s = only(t, l)
	if s.Step != 12 || s.Epoch != 3 || s.Rate != 4 || s.ETA != 7 || !slices.Equal(s.Checkpoints, []int{12}) || !slices.Equal(s.Figures, []string{"nll.png"}) || s.Lines != 4 {
		t.Errorf("in the middle: %+v", s)
	}
	m := s.Measures[0]
	if m.Name != "nll_exact" || m.Split != "test" || m.N != 4 || m.Last.Value != 4 || m.Best.Value != 3 || m.Best.Epoch != 2 || !slices.Equal(m.Spark, means{9, 5, 3, 4}) {
		t.Errorf("measure %+v", m)
	}
	if got := Differences(s.Settings, []Setting{{"seed", "1"}, {"machine.kind", "rbm"}, {"machine.hidden", "8"}, {"train.epochs", "10"}, {"train.batch", "3"}}); len(got) > 0 {
		t.Errorf("settings differ in %v", got)
	}
	w.Close()
	later(l, time.Minute)
	if s = only(t, l); s.State != run.Interrupted {
		t.Errorf("closed in the middle: %s", s.State)
	}
	w, err := run.Resume(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	measure(t, w, 4, 3, 3, 3, 3, 3, 3, 2)
	w.Close()
	later(l, 2*time.Minute)
	if s = only(t, l); s.State != run.Ended || s.Epoch != 10 || s.ETA != 0 || s.Measures[0].Best.Value != 2 {
		t.Errorf("at the end: %+v", s)
	}
	// A process that was killed leaves its number in the lock file, whoever has that number now.
	lock := filepath.Join(w.Path(), run.LockFile)
	write(t, lock, "999999999\n")
	later(l, 3*time.Minute)
	if s = only(t, l); s.State != run.Ended {
		t.Errorf("killed after its end: %s", s.State)
	}
	for i, c := range []struct{ state, message, want, said string }{
		{"diverged", "nll above 1e6 at epoch 3", run.Diverged, "nll above 1e6"},
		{"failed", "disk full", run.Failed, "disk full"},
		{"ended", "", run.Ended, ""},
		{"training", "", run.Killed, "its process is gone"},
	} {
		b, _ := json.Marshal(run.State{State: c.state, Step: 40, Epoch: 10, Epochs: 10, Host: l.host, PID: 999999999, Updated: time.Now(), Message: c.message})
		write(t, filepath.Join(w.Path(), run.StateFile), string(b))
		later(l, time.Duration(4+2*i)*time.Minute)
		if s = only(t, l); s.State != c.want || !strings.Contains(s.Message, c.said) {
			t.Errorf("state.json %s: %s, %q", b, s.State, s.Message)
		}
		os.Remove(filepath.Join(w.Path(), run.StateFile))
		later(l, time.Duration(5+2*i)*time.Minute)
	}
	write(t, filepath.Join(w.Path(), run.CheckpointsFolder, run.BestFile), `{"step":12}`)
	later(l, time.Hour)
	if s = only(t, l); s.Best == nil || *s.Best != 12 {
		t.Errorf("best.json: %v", s.Best)
	}
}

func TestKilled(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	measure(t, w, 0, 9, 5)
	w.Close()
	write(t, filepath.Join(w.Path(), run.LockFile), "999999999\n")
	if s := only(t, library(t, w.Path())); s.State != run.Killed || !strings.Contains(s.Message, "mattis resume") {
		t.Errorf("%s, %q", s.State, s.Message)
	}
	waits := filepath.Join(t.TempDir(), "b")
	write(t, filepath.Join(waits, run.RecipeFile), recipeText)
	if s := only(t, library(t, waits)); s.State != run.Waiting {
		t.Errorf("a recipe alone: %s", s.State)
	}
}

// Fails where a run that is cut back to a checkpoint keeps lines that are gone, where curves that a
// page has are not said to be void, and where new lines come twice or not at all.
func TestFollowRestart(t *testing.T) {
	w := begin(t, filepath.Join(t.TempDir(), "a"))
	measure(t, w, 0, 9, 8, 7, 6, 1)
	l := library(t, w.Path())
	id := only(t, l).ID
	curves := func(generation int, offset int64) *Curves {
		t.Helper()
		c, err := l.Curves(context.Background(), id, generation, offset)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := curves(0, 0)
	if a.Anew || len(a.Series) != 1 || !slices.Equal(a.Series[0].Value, column{9, 8, 7, 6, 1}) || !slices.Equal(a.Series[0].Epoch, []int{0, 1, 2, 3, 4}) {
		t.Fatalf("all: %+v", a)
	}
	measure(t, w, 5, 4)
	b := curves(a.Generation, a.Offset)
	if b.Anew || len(b.Series) != 1 || !slices.Equal(b.Series[0].Value, column{4}) || b.Series[0].Step[0] != 20 {
		t.Fatalf("new: %+v", b)
	}
	if c := curves(b.Generation, b.Offset); c.Anew || len(c.Series) != 0 || c.Offset != b.Offset {
		t.Fatalf("nothing new: %+v", c)
	}
	cut, err := w.ReadMetrics(8, func(run.Metric) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := cut.Apply(); err != nil {
		t.Fatal(err)
	}
	measure(t, w, 3, 5, 5, 5, 5, 5, 5, 5) // longer than before when it is looked at again
	c := curves(b.Generation, b.Offset)
	if !c.Anew || c.Generation == b.Generation || !slices.Equal(c.Series[0].Value, column{9, 8, 7, 5, 5, 5, 5, 5, 5, 5}) {
		t.Fatalf("cut back: %+v", c)
	}
	later(l, time.Minute)
	if s := only(t, l); s.Measures[0].N != 10 || s.Measures[0].Best.Value != 5 || s.Generation != c.Generation {
		t.Errorf("after the cut: %+v", s.Measures[0])
	}
	if c := curves(c.Generation, 1<<40); !c.Anew || len(c.Series[0].Value) != 10 {
		t.Errorf("beyond the end: %+v", c)
	}
	if err := os.Remove(filepath.Join(w.Path(), run.MetricsFile)); err != nil {
		t.Fatal(err)
	}
	if c := curves(c.Generation, c.Offset); !c.Anew || len(c.Series) != 0 {
		t.Errorf("deleted: %+v", c)
	}
	l.Changes()
	w.Close()
	if err := os.RemoveAll(w.Path()); err != nil {
		t.Fatal(err)
	}
	later(l, time.Hour)
	later(l, 2*time.Hour)
	if _, gone, notices := l.Changes(); !slices.Equal(gone, []string{id}) || len(notices) == 0 {
		t.Errorf("gone %v, notices %v", gone, notices)
	}
	if _, err := l.Curves(context.Background(), id, 0, 0); !errors.Is(err, ErrUnknown) {
		t.Errorf("curves of a run that is gone: %v", err)
	}
}

// Fails where a change goes untold, or is told without one.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	l := library(t, dir)
	if _, _, notices := l.Changes(); len(notices) != 1 || !strings.Contains(notices[0], "there is no run in "+dir+" yet") {
		t.Errorf("an empty folder: %q", notices)
	}
	w := begin(t, filepath.Join(dir, "sub", "a"))
	later(l, everyIdle)
	changed, _, notices := l.Changes()
	if len(changed) != 1 || changed[0].Name != "sub/a" || len(notices) != 0 {
		t.Fatalf("a new run: %v, %v", changed, notices)
	}
	later(l, 2*everyIdle)
	if changed, _, _ := l.Changes(); len(changed) != 0 {
		t.Errorf("nothing changed: %+v", changed)
	}
	measure(t, w, 0, 1)
	later(l, 2*everyIdle+everyActive) // a run that is written is looked at twice a second
	if changed, _, _ := l.Changes(); len(changed) != 1 || changed[0].Measures[0].N != 1 {
		t.Errorf("a new line: %v", changed)
	}
}

// Fails where a hostile folder breaks the table, goes unsaid, or is followed out of the folder that
// was named.
func TestHostileFolders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("names and links of other systems")
	}
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret: key\n")
	write(t, filepath.Join(outside, "run", run.RecipeFile), recipeText)
	line := func(step int, value string) string {
		return fmt.Sprintf(`{"step":%d,"epoch":%d,"seconds":1,"name":"nll","split":"test","value":%s,"stderr":0,"detail":{}}`+"\n", step, step, value)
	}
	for _, c := range []struct {
		name    string
		make    func(dir string)
		state   string // of the run; "" where there is none
		last    float64
		problem string // in the run's problems, or in the notices where there is no run
	}{
		{"no run", func(dir string) { write(t, filepath.Join(dir, "x", "notes.txt"), "x") }, "", 0, "there is no run in"},
		{"damaged line", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			write(t, filepath.Join(dir, run.MetricsFile), line(1, "1")+"}{\n"+line(2, "2")+"more\n"+line(3, "3"))
		}, run.Interrupted, 3, "metrics.jsonl:2: invalid character '}' looking for beginning of value, and 1 more damaged lines"},
		{"torn line", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			write(t, filepath.Join(dir, run.MetricsFile), line(1, "1")+line(2, "2")[:30])
		}, run.Interrupted, 1, ""},
		{"binary metrics", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			write(t, filepath.Join(dir, run.MetricsFile), strings.Repeat("\x00\xff\n", 1000))
		}, run.Waiting, 0, "and 999 more damaged lines"},
		{"values that JSON lacks", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			write(t, filepath.Join(dir, run.MetricsFile), line(1, `"NaN"`)+line(2, `"-Infinity"`))
		}, run.Interrupted, math.Inf(-1), ""},
		{"no recipe in it", func(dir string) { write(t, filepath.Join(dir, run.RecipeFile), "\x00\x01 not yaml: [") }, run.Waiting, 0, "recipe.yaml: "},
		{"bomb", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n")
		}, run.Waiting, 0, "recipe.yaml: line 1: a recipe has no anchors"},
		{"huge recipe", func(dir string) { write(t, filepath.Join(dir, run.RecipeFile), strings.Repeat("#\n", mostRecipe)) }, run.Waiting, 0, "recipe.yaml: has 131072 bytes"},
		{"linked recipe", func(dir string) {
			os.MkdirAll(dir, 0o777)
			os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, run.RecipeFile))
		}, run.Waiting, 0, "recipe.yaml: is a link that leads out of the folder"},
		{"linked metrics", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			os.Symlink("../../../../../../../../"+outside+"/secret", filepath.Join(dir, run.MetricsFile))
		}, run.Waiting, 0, "metrics.jsonl: is a link that leads out of the folder"},
		{"linked run", func(dir string) {
			os.MkdirAll(dir, 0o777)
			os.Symlink(filepath.Join(outside, "run"), filepath.Join(dir, "x"))
		}, "", 0, "a link is not followed"},
		{"linked onto itself", func(dir string) {
			os.MkdirAll(dir, 0o777)
			os.Symlink(dir, filepath.Join(dir, "again"))
		}, "", 0, "a link is not followed"},
		{"folders in place of files", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			for _, f := range []string{run.MetricsFile, run.EnvironmentFile, run.StateFile} {
				os.MkdirAll(filepath.Join(dir, f), 0o777)
			}
		}, run.Waiting, 0, "metrics.jsonl: is no regular file"},
		{"damaged env.json and state.json", func(dir string) {
			write(t, filepath.Join(dir, run.RecipeFile), recipeText)
			write(t, filepath.Join(dir, run.EnvironmentFile), "[")
			write(t, filepath.Join(dir, run.StateFile), `{"state":"dancing"}`)
		}, run.Waiting, 0, `state.json: state is "dancing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			c.make(dir)
			l := library(t, dir)
			all, notices := l.Runs()
			text, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "secret: key") || strings.Contains(string(text), `"secret"`) {
				t.Errorf("what lies outside was read: %s", text)
			}
			if rest := strings.ReplaceAll(string(text), `"best":null`, ""); strings.Contains(rest, "null") {
				t.Errorf("a list is null, which the page does not take: %s", rest)
			}
			if c.state == "" {
				if len(all) != 0 || !strings.Contains(strings.Join(notices, "\n"), c.problem) {
					t.Errorf("%d runs, notices %q, want %q", len(all), notices, c.problem)
				}
				return
			}
			s := only(t, l)
			if s.State != c.state {
				t.Errorf("state %s, want %s", s.State, c.state)
			}
			if c.last != 0 && (len(s.Measures) != 1 || float64(s.Measures[0].Last.Value) != c.last) {
				t.Errorf("measures %+v, want the last value %v", s.Measures, c.last)
			}
			if got := strings.Join(s.Problems, "\n"); !strings.Contains(got, c.problem) || c.problem == "" && got != "" {
				t.Errorf("problems %q, want %q", got, c.problem)
			}
			if _, err := l.Curves(context.Background(), s.ID, 0, 0); err != nil && !strings.Contains(err.Error(), "escapes") && !strings.Contains(err.Error(), "no regular file") {
				t.Errorf("curves: %v", err)
			}
			if _, err := l.Machine(context.Background(), s.ID); err != nil {
				t.Errorf("machine: %v", err)
			}
		})
	}
}

// Names of any kind are found, and come back as they are.
func TestHostileNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no such names")
	}
	dir := t.TempDir()
	names := []string{`<img src=x onerror=alert(1)>`, `quo"te's`, "new\nline", "back\\slash", "ünïcödé", " spaces ", "%2e%2e", "a&b=c#d"}
	for _, n := range names {
		write(t, filepath.Join(dir, n, run.RecipeFile), recipeText)
	}
	all, _ := library(t, dir).Runs()
	var got []string
	for _, s := range all {
		got = append(got, s.Name)
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("got %q, want %q", got, names)
	}
	if !slices.IsSortedFunc([]string{"a-2", "a-9", "a-10", "b-1"}, natural) {
		t.Error("bars-10 comes before bars-9")
	}
}

// Fails for a reader that reads a large file to show its last values, or keeps it in memory.
func TestHugeMetrics(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, run.RecipeFile), recipeText)
	path := filepath.Join(dir, run.MetricsFile)
	write(t, path, line+"\n")
	if err := os.Truncate(path, 2<<30); err != nil { // a hole: it takes no room on the disk
		t.Skip(err)
	}
	add(t, path, "\n"+strings.Replace(line, "2.5", "7", 1)+"\n")
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l.Refresh(time.Now())
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("a look at a file of 2 GiB took %d bytes", got)
	}
	s := only(t, l)
	if s.Indexed || len(s.Measures) != 1 || s.Measures[0].Last.Value != 7 {
		t.Errorf("indexed %v, measures %+v", s.Indexed, s.Measures)
	}
	if !l.work(context.Background()) || only(t, l).Indexed { // one slice, and others get their turn
		t.Error("the whole file was read in one go")
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	for path, want := range map[string]string{filepath.Join(dir, "none"): "no such folder", filepath.Join(dir, "file"): "is a file, want a run directory or a folder of them"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", path, err, want)
		}
	}
	if l, err := Open(dir, dir+"/.", dir); err != nil || len(l.Labels()) != 1 {
		t.Errorf("one folder three times: %v, %v", l.Labels(), err)
	}
}
