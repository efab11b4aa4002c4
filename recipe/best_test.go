package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mattis/eval"
	"mattis/run"
)

// patient is a training that ends by its patience, with few checkpoints beside the best. The seed is one whose measures have
// several best ones on the way.
const patient = `seed: 6
data: {name: bas, size: 4}
machine: {hidden: 6}
couplings: {kind: dense}
negative: {kind: pcd, chains: 20, steps: 1}
optimizer: {kind: adam, rate: 0.05}
train: {epochs: 60, batch: 5, checkpoint: {epochs: 4, keep: 1}, best: {measure: pseudo_likelihood, split: train}, stop: {patience: 3}}
measure: {every: 1, test: [hamming], train: [pseudo_likelihood, hamming], last: [spectrum, method_accessibility], pictures: {every: 2, count: 3}}
`

// cheapPictures lets the pictures of small machines be drawn as often as they are asked for.
func cheapPictures(t *testing.T) {
	old := pictureShare
	pictureShare = 0
	t.Cleanup(func() { pictureShare = old })
}

// bestOf returns the step of the best value by a scan of its own, and the number of lines after it.
func bestOf(t *testing.T, dir, measure, split string) (step, since, lines int) {
	t.Helper()
	d, err := run.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	m, err := eval.Named(measure)
	if err != nil {
		t.Fatal(err)
	}
	best := 0.0
	for _, x := range all {
		if x.Name != measure || x.Split != split {
			continue
		}
		if lines++; lines == 1 || float64(m.Goal)*x.Value > float64(m.Goal)*best {
			step, best, since = x.Step, x.Value, -1
		}
		since++
	}
	return step, since, lines
}

// contents returns the files of a run directory that equal runs have equal, the metrics without their seconds.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{"metrics.jsonl": timeless(t, dir)}
	for _, sub := range []string{"checkpoints", "pictures"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, sub, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			all[sub+"/"+e.Name()] = string(b)
		}
	}
	return all
}

func sameContents(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: %s is missing", what, name)
		} else if got[name] != want[name] {
			t.Errorf("%s: %s differs", what, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is there in vain", what, name)
		}
	}
}

// A run with a best checkpoint, patience and pictures that is killed after any measure, or between a measure, its checkpoint and
// best.json, or interrupted, ends at the step of a run that was left alone, with the same files to the bit: checkpoints, best.json,
// pictures, metrics.
func TestPatienceResumes(t *testing.T) {
	cheapPictures(t)
	root := t.TempDir()
	whole := filepath.Join(root, "whole")
	s := begin(t, whole, patient)
	lines, changes := 0, 0
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	best := ""
	copied := map[string]bool{}
	s.Measured = func(m run.Metric) {
		lines++
		b, err := os.ReadFile(filepath.Join(whole, "checkpoints", "best.json"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		changed := string(b) != best
		if lines%4 != 0 && !changed {
			return
		}
		name := fmt.Sprintf("killed after line %d", lines)
		if err := os.CopyFS(filepath.Join(root, name), os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		copied[name] = true
		if changed { // as it was before best.json was written, and as it was before the checkpoint was
			changes++
			for _, also := range []string{"checkpoint", "no checkpoint"} {
				name := fmt.Sprintf("killed before best.json %d, with %s", lines, also)
				if err := os.CopyFS(filepath.Join(root, name), os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(root, name, "checkpoints", "best.json")
				if err := os.WriteFile(path, []byte(best), 0o666); err != nil {
					t.Fatal(err)
				}
				if best == "" {
					os.Remove(path)
				}
				if also == "no checkpoint" && m.Step%(4*s.Trainer.StepsPerEpoch()) != 0 {
					os.Remove(filepath.Join(root, name, "checkpoints", fmt.Sprintf("%08d.safetensors", m.Step)))
				}
				copied[name] = true
			}
			best = string(b)
		}
	}
	finish(t, s)
	step, since, n := bestOf(t, whole, "pseudo_likelihood", "train")
	steps := s.Trainer.Step
	if since != 3 || n > 55 || changes < 5 || step == 0 {
		t.Fatalf("the best of %d lines is at update %d, %d lines before the end, after %d changes: this tests nothing, or the patience ended elsewhere", n, step, since, changes)
	}
	if len(told) != 1 || !strings.Contains(told[0], "no better train pseudo_likelihood in 3 measurements than") || !strings.Contains(told[0], fmt.Sprintf("at update %d,", step)) || told[0] != s.Stopped() {
		t.Errorf("told %q", told)
	}
	want := contents(t, whole)
	if b, err := s.Dir.Best(); err != nil || b.Step != step {
		t.Errorf("best.json: %+v, %v, want step %d", b, err, step)
	}
	for _, name := range []string{fmt.Sprintf("checkpoints/%08d.safetensors", step), fmt.Sprintf("checkpoints/%08d.safetensors", steps), "pictures/00000000.npy",
		fmt.Sprintf("pictures/%08d.npy", 2*s.Trainer.StepsPerEpoch()), fmt.Sprintf("pictures/%08d.npy", steps)} {
		if want[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	// The metrics, best.json with two checkpoints, and pictures of the start, of each second epoch and of the end.
	if epochs := steps / s.Trainer.StepsPerEpoch(); len(want) != 1+3+1+epochs/2+epochs%2 {
		t.Errorf("%d files", len(want))
	}
	if !strings.Contains(want["metrics.jsonl"], `"spectrum"`) || !strings.Contains(want["metrics.jsonl"], `"method_accessibility"`) {
		t.Error("the measures of the end were not taken")
	}
	for name := range copied {
		s, err := goOn(t, filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		finish(t, s)
		sameContents(t, name, want, contents(t, filepath.Join(root, name)))
	}
	for i := range lines {
		if i%7 != 3 {
			continue
		}
		name := fmt.Sprintf("interrupted after line %d", i+1)
		dir := filepath.Join(root, name)
		s := begin(t, dir, patient)
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		s.Measured = func(run.Metric) {
			if n++; n == i+1 {
				cancel()
			}
		}
		if err := s.Run(ctx); !errors.Is(err, context.Canceled) && err != nil {
			t.Fatal(err)
		}
		if state, err := s.Dir.State(); err != nil || state.State != run.Interrupted && i+1 < lines {
			t.Errorf("%s: the state is %+v, %v", name, state, err)
		}
		s.Dir.Close()
		if s, err := goOn(t, dir); err != nil {
			t.Fatal(err)
		} else {
			finish(t, s)
		}
		sameContents(t, name, want, contents(t, dir))
	}

	// It stays at its end, says why, and goes on without the patience, as if it had never had one.
	s, err := goOn(t, whole)
	if err != nil || !s.Done() || s.Stopped() == "" {
		t.Fatalf("done %t, stopped %q, %v", s.Done(), s.Stopped(), err)
	}
	s.Dir.Close()
	if s, err = goOn(t, whole, "train.stop.patience=0"); err != nil || s.Done() {
		t.Fatalf("without patience: done %t, %v", s.Done(), err)
	}
	finish(t, s)
	free := filepath.Join(root, "free")
	f := begin(t, free, patient, "train.stop.patience=0")
	finish(t, f)
	if !bytes.Equal(lastCheckpoint(t, free, f.Steps()), lastCheckpoint(t, whole, f.Steps())) {
		t.Error("the run that went on has other bits than one that was never stopped")
	}
	step, _, _ = bestOf(t, free, "pseudo_likelihood", "train")
	for _, dir := range []string{free, whole} {
		d, err := run.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := d.Best(); err != nil || b.Step != step {
			t.Errorf("%s: best.json %+v, %v, want step %d", dir, b, err, step)
		}
	}
}

// The goal of a measure decides; a run that gets a best checkpoint only later chooses among the checkpoints that it has; without a
// measure there is none, and a stale best.json goes.
func TestBestByGoal(t *testing.T) {
	const text = "data: {name: bas, size: 4}\nmachine: {hidden: 6}\ncouplings: {kind: dense}\nnegative: {kind: pcd, chains: 20, steps: 1}\noptimizer: {kind: adam, rate: 0.03}\n" +
		"train: {epochs: 12, batch: 5, checkpoint: {epochs: 3, keep: 0}}\nmeasure: {every: 1, test: [hamming, pseudo_likelihood, gibbs_accessibility]}\n"
	root := t.TempDir()
	for _, c := range []struct{ measure, split, set string }{
		{"hamming", "test", "{measure: hamming}"}, {"pseudo_likelihood", "test", "{measure: pseudo_likelihood, split: test}"}, {"gibbs_accessibility", "", "{measure: gibbs_accessibility}"},
	} {
		dir := filepath.Join(root, c.measure)
		s := begin(t, dir, text, "train.best="+c.set)
		finish(t, s)
		step, _, _ := bestOf(t, dir, c.measure, c.split)
		b, err := s.Dir.Best()
		if err != nil || b.Step != step || b.Measure != c.measure || b.Split != c.split {
			t.Fatalf("%s: %+v, %v, want step %d", c.measure, b, err, step)
		}
		if x, err := s.Dir.Checkpoint(b.Step); err != nil || x.Step != step {
			t.Error(err)
		}
	}
	dir := filepath.Join(root, "later")
	finish(t, begin(t, dir, text))
	s, err := goOn(t, dir, "train.best={measure: hamming}")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := s.Dir.Checkpoints()
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Dir.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	want, value := -1, 2.0
	for _, step := range steps {
		for _, m := range all {
			if m.Step == step && m.Name == "hamming" && m.Value < value {
				want, value = step, m.Value
			}
		}
	}
	if b, err := s.Dir.Best(); err != nil || b == nil || b.Step != want || b.Value != value {
		t.Errorf("chosen later: %+v, %v, want step %d", b, err, want)
	}
	s.Dir.Close()
	if s, err = goOn(t, dir); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Dir.Best(); b != nil || err != nil {
		t.Errorf("not asked for any more: %+v, %v", b, err)
	}
}
