package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mattis/eval"
	"mattis/run"
	"mattis/train"
)

// measured are trainings that are measured at epochs 0, 2 and 4, with and without a checkpoint of that epoch, by measures of
// every kind: of the data, of the machine, and of what the estimator returned last, with its hidden spins and without.
var measured = map[string]string{
	"pcd": "machine: {hidden: 5, biases: both}\ntrain: {epochs: 4, batch: 4, checkpoint: {epochs: 4, keep: 2}}\ncouplings: {kind: dense}\n" +
		"negative: {kind: pcd, chains: 7, steps: 2}\nmeasure: {every: 2, test: [hamming, method_accessibility], train: [hamming], last: [nll_exact, logz, method_accessibility, spectrum]}\n",
	"pid": "machine: {hidden: 5}\ntrain: {epochs: 4, batch: 4, checkpoint: {epochs: 2, minutes: 0}}\ncouplings: {patterns: 3}\n" +
		"measure: {every: 2, test: [hamming], last: [gibbs_accessibility, method_accessibility, nll]}\n",
	"trajectory": "machine: {hidden: 5, biases: both, start: data}\ntrain: {epochs: 4, batch: 4, precision: bf16, checkpoint: {epochs: 2}}\ncouplings: {kind: dense, init: {normal: 0.4}}\n" +
		"negative: {kind: trajectory, chains: 7, steps: 4, rungs: 2, acceptance: 1, fresh: {share: 0.3}}\noptimizer: {rate: 0.3}\nmeasure: {every: 2, test: [hamming, method_accessibility], last: [nll_exact, method_accessibility]}\n",
	"cd, batches that end within": "machine: {hidden: 5}\ntrain: {epochs: 4, batch: 4, checkpoint: {epochs: 3}}\ncouplings: {kind: dense}\nnegative: {kind: cd, steps: 1}\n" +
		"measure: {every: 2, test: [pseudo_likelihood, method_accessibility], last: [overlap]}\n",
}

// timeless returns metrics.jsonl without the seconds.
func timeless(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(regexp.MustCompile(`"seconds":[^,]*`).ReplaceAll(b, nil))
}

// sameRun compares the last checkpoint, the metrics and the list of files of two run directories.
func sameRun(t *testing.T, what, want, got string, step int) {
	t.Helper()
	if !bytes.Equal(lastCheckpoint(t, want, step), lastCheckpoint(t, got, step)) {
		t.Errorf("%s: the last checkpoints differ", what)
	}
	if a, b := timeless(t, want), timeless(t, got); a != b {
		t.Errorf("%s: metrics\n%swant\n%s", what, b, a)
	}
	entries, err := os.ReadDir(got)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if s := strings.Join(names, " "); s != ".lock checkpoints env.json metrics.jsonl recipe.yaml state.json" {
		t.Errorf("%s: the directory holds %s", what, s)
	}
}

// A run whose process ends after any of its measures goes on with the next one: killed there (the directory as it was then), or
// interrupted. The metrics have the very lines of a run that was left alone, no measure is taken twice, and
// the checkpoint of a step is there before its measures.
func TestMeasuresAreMadeUpFor(t *testing.T) {
	const steps = 12
	for name, text := range measured {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			whole := filepath.Join(root, "whole")
			s := begin(t, whole, text)
			lines := 0
			due := s.Recipe.Train.Checkpoint.Epochs * s.Trainer.StepsPerEpoch()
			s.Measured = func(m run.Metric) {
				if m.Step > 0 && (m.Step == steps || m.Step%due == 0) {
					lastCheckpoint(t, whole, m.Step)
				}
				if err := os.CopyFS(filepath.Join(root, fmt.Sprint("killed", lines)), os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
				lines++
			}
			finish(t, s)
			if lines < 6 {
				t.Fatalf("%d measures: this tests nothing", lines)
			}
			for i := range lines {
				killed := filepath.Join(root, fmt.Sprint("killed", i))
				taken := strings.Count(timeless(t, killed), "\n")
				if taken != i+1 {
					t.Fatalf("killed after %d of %d measures", taken, i+1)
				}
				s, err := goOn(t, killed)
				if err != nil {
					t.Fatal(err)
				}
				taken = 0
				for _, x := range s.History {
					taken += len(x.Points)
				}
				s.Measured = func(run.Metric) { taken++ }
				finish(t, s)
				if taken != lines {
					t.Errorf("killed after measure %d: %d measures in all, want %d", i, taken, lines)
				}
				sameRun(t, fmt.Sprintf("killed after measure %d", i), whole, killed, steps)

				parts := filepath.Join(root, fmt.Sprint("parts", i))
				s = begin(t, parts, text)
				ctx, cancel := context.WithCancel(context.Background())
				n := 0
				s.Measured = func(run.Metric) {
					if n++; n == i+1 {
						cancel()
					}
				}
				if err := s.Run(ctx); !errors.Is(err, context.Canceled) && (err != nil || i+1 < lines) {
					t.Fatalf("interrupted after measure %d: %v", i, err)
				}
				s.Dir.Close()
				lastCheckpoint(t, parts, s.Saved()) // the step that messages name
				if s, err = goOn(t, parts); err != nil {
					t.Fatal(err)
				}
				if s.Done() != (i+1 == lines) {
					t.Errorf("interrupted after measure %d: done: %t, owed: %v", i, s.Done(), s.Owed())
				}
				s.Measured = func(run.Metric) { n++ }
				finish(t, s)
				if n != lines {
					t.Errorf("interrupted after measure %d: %d measures in all, want %d", i, n, lines)
				}
				sameRun(t, fmt.Sprintf("interrupted after measure %d", i), whole, parts, steps)
			}
		})
	}
}

// A draw that was damaged costs its measure, with a word about it, and nothing else.
func TestDamagedDraw(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	s := begin(t, dir, measured["pid"])
	ctx, cancel := context.WithCancel(context.Background())
	s.Measured = func(m run.Metric) {
		if m.Step == 12 {
			cancel()
		}
	}
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.Dir.Close()
	draw := filepath.Join(dir, "draw.safetensors")
	b, err := os.ReadFile(draw)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{b[:len(b)-1], bytes.Replace(b, []byte("drawn.visible"), []byte("drawn.visibly"), 1), bytes.ReplaceAll(b, []byte(`[3,5]`), []byte(`[5,3]`))} {
		if err := os.WriteFile(draw, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := goOn(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		if w := strings.Join(s.Warnings, "; "); !strings.Contains(w, "method_accessibility of update 12 is lost") {
			t.Errorf("warnings: %q", w)
		}
		s.Dir.Close()
	}
	s, err = goOn(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	finish(t, s)
	if len(s.Gaps) != 1 || s.Gaps[0].Measure != "method_accessibility" || len(told) != 1 || !strings.Contains(told[0], "method_accessibility: no value") {
		t.Errorf("gaps %v, told %q", s.Gaps, told)
	}
	if m := timeless(t, dir); !strings.Contains(m, `"nll"`) || strings.Contains(m, "method_accessibility") {
		t.Errorf("metrics: %s", m)
	}
	if _, err := os.Stat(draw); err == nil {
		t.Error("the damaged draw is still there")
	}
}

// What cannot be measured is refused at its place before anything is trained; where there is nothing to measure, it is said
// once, and what a run of old asks for in vain costs a line and no more.
func TestImpossibleMeasures(t *testing.T) {
	bas := "machine: {hidden: 40}\ndata: {name: bas, size: 6}\ntrain: {epochs: 1, batch: 40}\n"
	for _, c := range []struct {
		text, want string
		settings   []string
	}{
		{bas + "measure:\n  last: [spectrum, nll_exact]\n", "r.yaml:5:20: measure.last[1]: nll_exact: no exact sum over a machine of [36 40] spins: 36 spins in the layer to enumerate, at most 30 can be; take nll", nil},
		{bas + "measure: {test: [gibbs_accessibility]}\n", "r.yaml:4:18: measure.test[0]: gibbs_accessibility: no exact sum", nil},
		{bas, "--set measure.last=[ground_energy]: measure.last[0]: ground_energy: no exact sum", []string{"measure.last=[ground_energy]"}},
		{bas + "couplings: {kind: dense}\nnegative: {kind: cd}\nmeasure: {train: [nll_bridge], options: {ais: {start: exact}}}\n",
			"r.yaml:6:19: measure.train[0]: nll_bridge: ais.start: exact samples: 36 spins", nil},
	} {
		r, split := load(t, c.text, c.settings...)
		if _, err := r.Build(split, engine(t)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}

	dir := filepath.Join(t.TempDir(), "r")
	s := begin(t, dir, "machine: {hidden: 5}\ntrain: {epochs: 1, batch: 4}\n", "measure={every: 1, test: [probe_accuracy, hamming], train: [probe_accuracy], last: [probe_accuracy]}")
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	finish(t, s)
	if !slices.Equal(told, []string{"probe_accuracy: no value: the data have no labels"}) || len(s.Gaps) != 2 {
		t.Errorf("told %q of the gaps %v", told, s.Gaps)
	}
	none := (*eval.NoValue)(nil)
	for _, g := range s.Gaps {
		if !errors.As(g.Err, &none) {
			t.Error(g)
		}
	}

	// The recipe of a run that asked for more, as one of earlier versions may have.
	dir = filepath.Join(t.TempDir(), "r")
	finish(t, begin(t, dir, bas, "measure={every: 1, last: [spectrum]}"))
	path := filepath.Join(dir, "recipe.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Replace(text, []byte("  last:\n"), []byte("  last:\n    - nll_exact\n"), 1)
	if err := os.WriteFile(path, old, 0o666); err != nil || bytes.Equal(old, text) {
		t.Fatal(err)
	}
	if s, err = goOn(t, dir, "train.epochs=2"); err != nil {
		t.Fatal(err)
	}
	told = nil
	s.Told = func(line string) { told = append(told, line) }
	finish(t, s)
	if len(told) != 1 || !strings.HasPrefix(told[0], "not measured: nll_exact: no exact sum") {
		t.Errorf("told %q", told)
	}
	if s, err = goOn(t, dir); err != nil || !s.Done() {
		t.Fatalf("%v: a measure that cannot be had is owed for ever: %v", err, s.Owed())
	}
	s.Dir.Close()
	if _, err := goOnClosed(t, dir, "measure.last=[nll_exact, hamming]"); err == nil || !strings.HasPrefix(err.Error(), "--set measure.last=[nll_exact, hamming]: measure.last[0]: nll_exact: no exact sum") {
		t.Errorf("a new wish of a resumed run: %v", err)
	}
}

// A measure that fails all the same costs its line: here the couplings overflow float32 while they are finite.
func TestFailingMeasureCostsALine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	s := begin(t, dir, "machine: {hidden: 5}\ncouplings: {kind: dense, init: {normal: 1e38}}\nnegative: {kind: cd, steps: 1}\noptimizer: {rate: 0}\n"+
		"train: {epochs: 2, batch: 5}\nmeasure: {every: 1, test: [pseudo_likelihood], last: [logz_exact, hamming]}\n")
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	finish(t, s)
	m := timeless(t, dir)
	if !strings.Contains(m, `"hamming"`) || strings.Contains(m, "logz_exact") {
		t.Errorf("metrics: %s", m)
	}
	if !slices.ContainsFunc(told, func(l string) bool {
		return strings.HasPrefix(l, "not measured at update 4: logz_exact: the value is")
	}) {
		t.Errorf("told %q", told)
	}
	lastCheckpoint(t, dir, 4)
}

// A checkpoint that was asked for is written after the update under way, and training goes on.
func TestCheckpointOnRequest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	s := begin(t, dir, resumed["chains, Adam, biases"])
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	s.Watch = []train.Observer{seen(func(ev train.Event) {
		if ev.Step == 6 {
			s.Checkpoint()
		}
	})}
	finish(t, s)
	lastCheckpoint(t, dir, 7)
	lastCheckpoint(t, dir, 18)
	if !slices.Equal(told, []string{"checkpoint of update 7 written"}) {
		t.Errorf("told %q", told)
	}
}

// seen is an observer that never fails.
func seen(look func(train.Event)) train.Observer {
	return observe(func(ev train.Event) error { look(ev); return nil })
}

// A directory that is moved is followed where the system tells where to, and one that is gone ends the training with a word
// about it: nothing is written to a path that is another's now.
func TestDirectoryMovedOrDeleted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a directory that is open cannot be moved")
	}
	root := t.TempDir()
	from, to := filepath.Join(root, "from"), filepath.Join(root, "to")
	s := begin(t, from, resumed["chains, Adam, biases"], "measure={every: 1, test: [hamming]}")
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	s.Watch = []train.Observer{seen(func(ev train.Event) {
		if ev.Step == 4 {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	})}
	err := s.Run(context.Background())
	s.Dir.Close()
	if runtime.GOOS == "linux" {
		if err != nil || !slices.Equal(told, []string{from + " was moved: training goes on in " + to}) {
			t.Errorf("%v, told %q", err, told)
		}
		lastCheckpoint(t, to, 18)
		if n := strings.Count(timeless(t, to), "\n"); n != 7 {
			t.Errorf("%d lines of metrics", n)
		}
		if _, err := os.Stat(from); err == nil {
			t.Error("the old path is there again")
		}
	} else if !errors.Is(err, run.ErrGone) {
		t.Error(err)
	}

	gone := filepath.Join(root, "gone")
	s = begin(t, gone, resumed["chains, Adam, biases"])
	s.Watch = []train.Observer{seen(func(ev train.Event) {
		if ev.Step == 4 {
			if err := os.RemoveAll(gone); err != nil {
				t.Fatal(err)
			}
		}
	})}
	if err := s.Run(context.Background()); !errors.Is(err, run.ErrGone) || !strings.Contains(err.Error(), gone+": the run directory was deleted or moved away") {
		t.Error(err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("the directory is there again")
	}
}

// A relative path of the data is one of the shell's folder, then of the recipe's, and a run finds its data again from
// anywhere; where they are no more, the error says where they were looked for and how to give another place.
func TestDataPlaces(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("recipes/r.yaml", "machine: {hidden: 3}\ndata: {name: csv, path: d.csv}\nnegative: {kind: cd}\ntrain: {epochs: 1, batch: 2}\n")
	write("recipes/d.csv", "1,0,0\n0,1,1\n")
	write("shell/empty", "")
	write("elsewhere/empty", "")
	t.Chdir(filepath.Join(root, "shell"))
	rows := func() int {
		t.Helper()
		r, err := Load("../recipes/r.yaml")
		if err != nil {
			t.Fatal(err)
		}
		split, err := r.LoadData()
		if err != nil {
			t.Fatal(err)
		}
		return split.Train.Rows
	}
	if n := rows(); n != 2 {
		t.Errorf("%d rows, want those of the recipe's folder", n)
	}
	write("shell/d.csv", "1,0,0\n0,1,1\n1,1,1\n")
	if n := rows(); n != 3 {
		t.Errorf("%d rows, want those of the shell's folder", n)
	}

	text, err := os.ReadFile("../recipes/r.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "run")
	finish(t, begin(t, dir, string(text)))
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	env, err := d.Environment()
	if err != nil || env.Paths["data.path"] != filepath.Join(root, "shell", "d.csv") {
		t.Errorf("env.json: %v, %v", env.Paths, err)
	}

	write("elsewhere/d.csv", "1,1,1\n") // another file of that name
	t.Chdir(filepath.Join(root, "elsewhere"))
	s, err := goOn(t, dir, "train.epochs=2")
	if err != nil {
		t.Fatal(err)
	}
	finish(t, s)
	m, _, err := LoadModel(d, -1, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.LoadData(); err != nil {
		t.Error(err)
	}

	for _, path := range []string{"elsewhere/d.csv", "shell/d.csv"} {
		if err := os.Rename(filepath.Join(root, path), filepath.Join(root, path+".moved")); err != nil {
			t.Fatal(err)
		}
	}
	_, err = goOnClosed(t, dir, "train.epochs=3")
	for _, want := range []string{"recipe.yaml:", "data.path: there is no " + filepath.Join(root, "elsewhere", "d.csv") + ", nor ", filepath.Join(root, "shell", "d.csv") + "; give another place by --set data.path=PATH"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := os.Rename(filepath.Join(root, "shell/d.csv.moved"), filepath.Join(root, "shell/now.csv")); err != nil {
		t.Fatal(err)
	}
	if s, err = goOn(t, dir, "train.epochs=4", "data.path=../shell/now.csv"); err != nil {
		t.Fatal(err)
	}
	finish(t, s)
	if env, err = d.Environment(); err != nil || env.Last().Paths["data.path"] != filepath.Join(root, "shell", "now.csv") {
		t.Errorf("env.json: %v, %v", env.Last().Paths, err)
	}
}
