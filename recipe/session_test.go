package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/run"
	"mattis/train"
)

func engine(t *testing.T) *cpu.Engine {
	t.Helper()
	e := cpu.New(1)
	t.Cleanup(e.Close)
	return e
}

// built returns the training of the recipe, with its data.
func built(t *testing.T, r *Recipe, e compute.Engine) *Training {
	t.Helper()
	split, err := r.LoadData()
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Build(split, e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// load returns the recipe with its data.
func load(t *testing.T, text string, settings ...string) (*Recipe, *data.Split) {
	t.Helper()
	r := parse(t, text, settings...)
	split, err := r.LoadData()
	if err != nil {
		t.Fatal(err)
	}
	return r, split
}

// begin returns a session in a new run directory.
func begin(t *testing.T, dir, text string, settings ...string) *Session {
	t.Helper()
	s, err := beginFrom(t, nil, dir, text, settings...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func beginFrom(t *testing.T, from *run.Directory, dir, text string, settings ...string) (*Session, error) {
	t.Helper()
	r, split := load(t, text, settings...)
	w, err := run.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return BeginFrom(r, split, w, engine(t), run.Session{Version: "test"}, from)
}

// goOn returns a session that continues the run in the directory.
func goOn(t *testing.T, dir string, settings ...string) (*Session, error) {
	t.Helper()
	w, err := run.Resume(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return Continue(w, engine(t), run.Session{Version: "test"}, settings...)
}

// finish trains to the end and gives the directory free.
func finish(t *testing.T, s *Session) {
	t.Helper()
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Dir.Close()
}

// lastCheckpoint returns the bytes of the checkpoint of the session's end.
func lastCheckpoint(t *testing.T, dir string, step int) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "checkpoints", fmt.Sprintf("%08d.safetensors", step)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every estimator builds with every couplings that it can read, does an update, and
// is refused with a reason by those that it cannot.
func TestBuildEveryEstimator(t *testing.T) {
	for _, n := range negatives {
		for _, c := range couplings {
			t.Run(n.name+" "+c.name, func(t *testing.T) {
				text := "machine: {hidden: 12, biases: both, offset: mean}\ntrain: {epochs: 1, batch: 4}\n" +
					"couplings: {kind: " + c.name + "}\nnegative: {kind: " + n.name + "}\n"
				if n.name == "pseudo-likelihood" {
					text = strings.Replace(text, "{hidden: 12,", "{kind: full, hidden: 0,", 1)
				}
				if n.axons && c.name != "axons" {
					if _, err := Parse("r.yaml", []byte(withData(text))); err == nil || !strings.Contains(err.Error(), "reads the patterns of axons") {
						t.Fatalf("got %v", err)
					}
					return
				}
				r, split := load(t, text)
				tr, err := r.Build(split, engine(t))
				if err != nil {
					t.Fatal(err)
				}
				if err := tr.Trainer.Run(context.Background(), 1); err != nil {
					t.Fatal(err)
				}
				if tr.Trainer.Step != 3 {
					t.Errorf("an epoch of 10 rows in batches of 4 is %d updates, want 3", tr.Trainer.Step)
				}
			})
		}
	}
}

// The offset is the mean of the training set: data of odd means would show another.
func TestOffsetIsTheMean(t *testing.T) {
	r, split := load(t, "machine: {hidden: 3, offset: mean}\ntrain: {epochs: 0, batch: 1}\ndata: {name: bas, size: 2, split: random, closed: false}\n")
	split.Train.Spins[0] = 1
	tr, err := r.Build(split, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range tr.Machine.Params() {
		if p.Name != "offset.visible" {
			continue
		}
		got := make([]float32, p.Value.Len())
		compute.Read(tr.Machine.Engine(), got, p.Value)
		for j, m := range got {
			sum := 0
			for i := range split.Train.Rows {
				sum += int(split.Train.Row(i)[j])
			}
			if want := float32(float64(sum) / float64(split.Train.Rows)); m != want {
				t.Errorf("offset of spin %d is %v, want %v", j, m, want)
			}
		}
		return
	}
	t.Error("there is no offset")
}

// What Build alone can see is refused at its place in the recipe.
func TestWrongBuilds(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"machine: {hidden: 40}\ntrain: {epochs: 1, batch: 3}\ndata: {name: bas, size: 8}\nnegative: {kind: exact}\n", "r.yaml:4:18: negative.kind: the exact sum runs over"},
		{"machine: {hidden: 4}\ntrain: {epochs: 1, batch: 30, short_batch: drop}\n", "r.yaml:2:27: train.batch: batches of 30 leave no update: there are 10 rows"},
		{least + "data: {name: bars, split: all, size: 3}\nmeasure: {test: [hamming]}\n", "r.yaml:4:17: measure.test: there is no test set"},
	} {
		r, split := load(t, c.text)
		if _, err := r.Build(split, engine(t)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	r := parse(t, least+"data: {name: bas, size: 5, split: random, test: 0.001}\n")
	if _, err := r.LoadData(); err == nil || !strings.HasPrefix(err.Error(), "bas 5x5: data.test: a fraction of 0.001") {
		t.Errorf("data.test: got %v", err)
	}
}

// resumed are trainings in which everything that a checkpoint has to keep matters.
var resumed = map[string]string{
	"chains, Adam, biases": "machine: {hidden: 6, biases: both, offset: mean}\ntrain: {epochs: 6, batch: 4, checkpoint: {epochs: 0, minutes: 0}}\n" +
		"couplings: {kind: dense}\nnegative: {kind: pcd, chains: 8, steps: 2}\noptimizer: {kind: adam, rate: 0.05}\n",
	"momentum, gain, clip": "machine: {hidden: 6, biases: visible}\ntrain: {epochs: 6, batch: 4, checkpoint: {epochs: 0, minutes: 0}}\n" +
		"couplings: {patterns: 3, learn_gain: true}\nnegative: {kind: pid-gibbs, steps: 2}\noptimizer: {momentum: 0.9, rate: 0.05}\nproject: {update: [{clip: 1}], epoch: [{gibbs: 1}]}\n",
}

// stop ends a training by its context after so many updates.
type stop struct {
	step   int
	cancel context.CancelFunc
}

func (s stop) Observe(ev train.Event) error {
	if ev.Step == s.step {
		s.cancel()
	}
	return nil
}

// A run that was interrupted in the midst of an epoch and went on ends with the bits of one that was not.
func TestContinueGivesTheSameBits(t *testing.T) {
	for name, text := range resumed {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			whole, parts := filepath.Join(root, "whole"), filepath.Join(root, "parts")
			finish(t, begin(t, whole, text, "measure={every: 1, last: [logz_exact]}"))

			s := begin(t, parts, text, "measure={every: 1, last: [logz_exact]}")
			ctx, cancel := context.WithCancel(context.Background())
			s.Watch = []train.Observer{stop{7, cancel}}
			if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("an interrupted run returns %v", err)
			}
			s.Dir.Close()
			s, err := goOn(t, parts)
			if err != nil {
				t.Fatal(err)
			}
			if s.Trainer.Step != 7 || s.Done() {
				t.Fatalf("goes on from update %d, done: %t", s.Trainer.Step, s.Done())
			}
			finish(t, s)
			if !bytes.Equal(lastCheckpoint(t, whole, 18), lastCheckpoint(t, parts, 18)) {
				t.Error("the last checkpoints differ")
			}
			env, err := s.Dir.Environment()
			if err != nil || len(env.Resumes) != 1 || env.Resumes[0].Step != 7 {
				t.Errorf("env.json says %+v, %v", env.Resumes, err)
			}
		})
	}
}

// A training that is not measured between its start and the end has the seconds of all its sessions: what a session took is
// in state.json, and the next one begins with it.
func TestSecondsGoOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	s := begin(t, dir, resumed["chains, Adam, biases"], "measure={test: [], last: [nll_exact]}")
	ctx, cancel := context.WithCancel(context.Background())
	s.Watch = []train.Observer{stop{7, cancel}}
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	spent := s.Trainer.Seconds
	s.Dir.Close()
	s, err := goOn(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Trainer.Seconds; !(spent > 0) || math.Abs(got-spent) > 1e-9*spent {
		t.Errorf("goes on after %v s, an earlier session took %v", got, spent)
	}
	var last run.Metric
	s.Measured = func(m run.Metric) { last = m }
	finish(t, s)
	if last.Step != 18 || !(last.Seconds > spent) {
		t.Errorf("the measure of update %d is after %v s, the first session alone took %v", last.Step, last.Seconds, spent)
	}
}

// A run that ended goes on with more epochs, as if it had had them from the start, and
// is left as it is where there is nothing to do.
func TestContinueAfterTheEnd(t *testing.T) {
	root := t.TempDir()
	text := resumed["chains, Adam, biases"]
	long, short := filepath.Join(root, "long"), filepath.Join(root, "short")
	finish(t, begin(t, long, text))
	finish(t, begin(t, short, text, "train.epochs=2"))
	before, err := os.ReadFile(filepath.Join(short, "recipe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, settings := range [][]string{nil, {"train.epochs=1"}} {
		s, err := goOn(t, short, settings...)
		if err != nil || !s.Done() {
			t.Fatalf("%v: %v", settings, err)
		}
		s.Dir.Close()
		if after, _ := os.ReadFile(filepath.Join(short, "recipe.yaml")); !bytes.Equal(before, after) {
			t.Errorf("%v: a run at its end has another recipe now", settings)
		}
	}
	s, err := goOn(t, short, "train.epochs=6")
	if err != nil {
		t.Fatal(err)
	}
	finish(t, s)
	if !bytes.Equal(lastCheckpoint(t, long, 18), lastCheckpoint(t, short, 18)) {
		t.Error("the last checkpoints differ")
	}
}

// A checkpoint of another recipe, other data, or of damaged numbers is refused.
func TestContinueRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	finish(t, begin(t, dir, resumed["chains, Adam, biases"], "train.epochs=1"))
	for setting, want := range map[string]string{
		"negative.steps=3": "a run goes on with its own recipe; only train.epochs,",
		"seed=2":           "a run goes on with its own recipe",
		"train.epochs=x":   "--set train.epochs=x: train.epochs: x is no whole number",
	} {
		if _, err := goOnClosed(t, dir, setting); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--set %s: got %v, want %s", setting, err, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "recipe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "recipe.yaml"), bytes.Replace(text, []byte("rate: 0.05"), []byte("rate: 0.06"), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := goOnClosed(t, dir); err == nil || !strings.Contains(err.Error(), "it was written by another recipe than the directory's") {
		t.Errorf("a changed recipe.yaml: %v", err)
	}
}

func goOnClosed(t *testing.T, dir string, settings ...string) (*Session, error) {
	t.Helper()
	w, err := run.Resume(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return Continue(w, engine(t), run.Session{}, settings...)
}

// A run that a first version began on data with equal rows has another split than today's, and perhaps a field that was passed
// over: it goes on and is judged on the rows that it had, and says how many of them leak.
func TestFormerSplitGoesOn(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "rows.csv")
	var rows strings.Builder
	for range 2 {
		for i := range 16 {
			fmt.Fprintf(&rows, "%d,%d,%d,%d\n", i&1, i>>1&1, i>>2&1, i>>3&1)
		}
	}
	if err := os.WriteFile(file, []byte(rows.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := Parse("r.yaml", []byte("data: {name: csv, path: "+file+", validation: 8, test: 0.3}\nmachine: {hidden: 3}\ncouplings: {kind: dense}\nnegative: {kind: cd}\ntrain: {epochs: 1, batch: 8}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.LoadData(); err == nil || !strings.Contains(err.Error(), "data.test: 0.3 has no meaning for data.split all") {
		t.Errorf("a share of no split: %v", err)
	}
	o := r.dataOptions()
	o.Former = true
	split, err := r.load(o)
	if err != nil || split.Copies("validation") != 8 {
		t.Fatal(err, split)
	}
	path := filepath.Join(folder, "run")
	w, err := run.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Begin(r, split, w, engine(t), run.Session{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, s)
	on, err := goOn(t, path, "train.epochs=2")
	if err != nil {
		t.Fatal(err)
	}
	if on.Split.Validation.Digest() != split.Validation.Digest() || len(on.Warnings) == 0 || !strings.Contains(on.Warnings[0], "0 rows of the test set and 8 of the validation set have equal ones in the training set") {
		t.Errorf("warnings %q", on.Warnings)
	}
	finish(t, on)
	dir, err := run.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := LoadModel(dir, -1, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.LoadData(); err != nil || again.Train.Digest() != split.Train.Digest() {
		t.Errorf("the model's data: %v", err)
	}
	// Other rows are no former split.
	if err := os.WriteFile(file, []byte(rows.String()[8:]), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := m.LoadData(); err == nil || !strings.Contains(err.Error(), "the machine was trained on") {
		t.Error("other data are taken for those of the run, or refused for another reason:", err)
	}
}

// Measures of the restored machine are the numbers that training wrote, but for the one that looks at what the estimator returned.
func TestJudgeRepeatsTraining(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	text := "machine: {hidden: 9}\ncouplings: {patterns: 4}\ntrain: {epochs: 4, batch: 3}\nnegative: {kind: cd, steps: 2}\n" +
		"measure: {test: [hamming], train: [pseudo_likelihood], last: [nll_exact, hamming_clamped, gibbs_accessibility, ground_energy, valid_share, coverage, method_accessibility]}\n"
	finish(t, begin(t, dir, text))
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := LoadModel(d, -1, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	j := &Judge{Model: m}
	for _, c := range []struct {
		names        []string
		looks, needs bool
	}{
		{nil, true, true}, {[]string{"hamming"}, true, true}, {[]string{"ground_energy"}, false, false},
		{[]string{"valid_share"}, true, false}, {[]string{"method_accessibility"}, true, true}, // cd starts from rows
	} {
		if looks, needs := j.NeedsData(c.names); looks != c.looks || needs != c.needs {
			t.Errorf("%v: looks at data: %t, needs them: %t", c.names, looks, needs)
		}
	}
	if j.Split, err = m.LoadData(); err != nil {
		t.Fatal(err)
	}
	got := map[Wanted]float64{}
	list, err := j.Wanted(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range list {
		r, err := j.Measure(context.Background(), w)
		if err != nil {
			t.Fatal(err)
		}
		got[w] = r.Value
	}
	metrics, err := d.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, x := range metrics {
		if x.Step != m.Step || x.Name == "method_accessibility" {
			continue
		}
		compared++
		if v, ok := got[Wanted{x.Name, x.Split}]; !ok || v != x.Value {
			t.Errorf("%s %s: %v (measured: %t), training wrote %v", x.Name, x.Split, v, ok, x.Value)
		}
	}
	if want := len(list) - 1; compared != want || compared < 9 {
		t.Errorf("%d of %d measures were compared", compared, want)
	}
	if x := got[Wanted{"method_accessibility", ""}]; !(x > 0 && x <= 1) {
		t.Errorf("method_accessibility of a fresh draw is %v", x)
	}
	var none *eval.NoValue
	if _, err := j.Wanted([]string{"hamming"}, "validation"); err == nil || errors.As(err, &none) {
		t.Errorf("a set that is not there: %v", err)
	}
}

// Rows of a file are taken as they are where they have two values, binarised by the
// recipe's rule otherwise, and have to fit the machine.
func TestModelRows(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "r")
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	grey := write("grey.csv", "0.1,0.2,0.9\n0.8,0.4,0.3\n")
	finish(t, begin(t, dir, "machine: {hidden: 4}\ntrain: {epochs: 1, batch: 2}\ndata: {name: csv, path: '"+grey+"', binarize: {threshold: 0.35}}\nnegative: {kind: cd}\n"))
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := LoadModel(d, -1, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ input, want string }{
		{"train", "[-1 -1 1 1 1 -1]"},
		{grey, "[-1 -1 1 1 1 -1]"},
		{write("spins.csv", "1,-1,-1\n"), "[1 -1 -1]"},
		{write("bits.csv", "1,0,0\n"), "[1 -1 -1]"},
	} {
		s, err := m.Rows(c.input)
		if err != nil {
			t.Errorf("%s: %v", c.input, err)
		} else if got := fmt.Sprint(s.Spins); got != c.want {
			t.Errorf("%s: %s, want %s", c.input, got, c.want)
		}
	}
	for input, want := range map[string]string{
		"test":                            "test: the data csv have no such set",
		"nofile.csv":                      `"nofile.csv" is neither train, test or validation nor a file`,
		write("wide.csv", "1,0,0,1\n"):    "rows of 4 values, the machine has 3 visible spins",
		write("loud.csv", "1,0,7\n"):      "the value 7 is no grey value in [0,1]",
		write("notes.txt", "hello\n"):     "no known kind of data",
		write("torn.csv", "1,0,1\n1,0\n"): "torn.csv: line 2",
	} {
		if _, err := m.Rows(input); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", input, err, want)
		}
	}
	write("grey.csv", "0.1,0.9,0.9\n0.8,0.4,0.3\n")
	if _, err := m.LoadData(); err == nil || !strings.Contains(err.Error(), "the machine was trained on") {
		t.Errorf("other data under the same path: %v", err)
	}
}
