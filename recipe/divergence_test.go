package recipe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mattis/compute"
	"mattis/run"
	"mattis/train"
)

// runaway is a training whose couplings run away, looked at after every epoch.
const runaway = `data: {name: bas, size: 4}
machine: {hidden: 10}
couplings: {kind: dense}
negative: {kind: pcd, chains: 20, steps: 1}
optimizer: {kind: sgd, rate: %s}
train: {epochs: 12, batch: 5, checkpoint: {epochs: 1, keep: 0}}
measure: {every: 1, train: [hamming]}
`

// toldOf trains and returns the lines about divergence.
func toldOf(t *testing.T, s *Session) (lines []string, err error) {
	t.Helper()
	s.Told = func(line string) {
		if strings.Contains(line, "diverged") || strings.Contains(line, "come back") {
			lines = append(lines, line)
		}
	}
	err = s.Run(context.Background())
	s.Dir.Close()
	return lines, err
}

// Trainings whose couplings run away are said to, in one line with the numbers, and it stands in their state.
func TestDivergedIsSaid(t *testing.T) {
	for _, c := range []struct{ rate, epoch string }{{"1000", "epoch 1"}, {"10", ""}} {
		s := begin(t, filepath.Join(t.TempDir(), "r"), fmt.Sprintf(runaway, c.rate))
		lines, err := toldOf(t, s)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != 1 || !strings.Contains(lines[0], c.epoch+": the training has diverged: the log pseudo-likelihood of the training set is -") ||
			!strings.Contains(lines[0], "where fair coins have -11.09 and the start had -11.0") || !strings.Contains(lines[0], "a lower optimizer.rate than "+c.rate+" or optimizer={kind: adam}; train.stop.diverged=true") {
			t.Errorf("rate %s: %q", c.rate, lines)
		}
		if state, err := s.Dir.State(); err != nil || state.State != run.Diverged || state.Step != s.Steps() || !strings.Contains(lines[0], state.Message) {
			t.Errorf("rate %s: %+v, %v", c.rate, state, err)
		}
	}
}

// Trainings that only look bad are not: cold starts, machines that freeze at the bound of their patterns, an estimator that
// does little, a rate of 0, and the built-in recipes.
func TestHonestTrainingsAreNotDiverged(t *testing.T) {
	head := "data: {name: bas, size: 4}\nmachine: {hidden: 30}\ntrain: {epochs: 30, batch: 5}\nmeasure: {every: 1, train: [hamming]}\n"
	for name, text := range map[string]string{
		"dense, cold":                head + "couplings: {kind: dense, init: {normal: 3}}\nnegative: {kind: cd, steps: 1}\noptimizer: {kind: adam, rate: 0.01}\n",
		"dense, cold and slow":       head + "couplings: {kind: dense, init: {normal: 3}}\nnegative: {kind: pcd, steps: 1, chains: 10}\noptimizer: {kind: sgd, rate: 1e-4}\n",
		"dense, warm":                head + "couplings: {kind: dense}\nnegative: {kind: pcd, steps: 1, chains: 10}\noptimizer: {kind: adam, rate: 0.01}\n",
		"dense, held":                head + "couplings: {kind: dense}\nnegative: {kind: cd, steps: 1}\noptimizer: {kind: sgd, rate: 0}\n",
		"axons, cold":                head + "couplings: {kind: axons, patterns: 4}\nnegative: {kind: pid-gibbs, steps: 1}\noptimizer: {kind: adam, rate: 0.01}\n",
		"axons, freezing, biases":    strings.Replace(head, "hidden: 30", "hidden: 30, biases: both", 1) + "couplings: {kind: axons, patterns: 4, init: {bernoulli: 0.01}}\nproject: {epoch: [sign]}\n",
		"axons, clipped, with gains": head + "couplings: {kind: axons, patterns: 4, learn_gain: true, init: {bernoulli: 0.1}}\nproject: {update: [{clip: 1}]}\nnegative: {kind: pcd, steps: 1, chains: 10}\noptimizer: {kind: adam, rate: 0.01}\n",
	} {
		s := begin(t, filepath.Join(t.TempDir(), "r"), text)
		if !s.Recipe.boundless() {
			t.Errorf("%s: nothing is looked at", name)
		}
		lines, err := toldOf(t, s)
		if state, other := s.Dir.State(); err != nil || other != nil || len(lines) > 0 || state.State != run.Ended {
			t.Errorf("%s: %v, %v, %q, %+v", name, err, other, lines, state)
		}
	}
	for _, name := range []string{"bars", "bas12", "bas12-pid", "mnist"} {
		r, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if r.boundless() {
			t.Errorf("%s: patterns that are projected, and nothing else, can run away", name)
		}
	}
}

// The looks of one training whose couplings are set by hand: three bad ones in a row make it diverged, one that is far too bad does at
// once, and three good ones in a row bring it back. A bad look at the end is said and counts for nothing.
func TestLooks(t *testing.T) {
	s := begin(t, filepath.Join(t.TempDir(), "r"), fmt.Sprintf(runaway, "0.1"), "train.epochs=21")
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	s.report = s.Dir.NewReport(run.State{State: run.Training})
	defer s.report.Close(run.Ended, "")
	l := &looker{s}
	w := s.Machine.Params()[0]
	set := func(scale float64) { // couplings of random signs: their log pseudo-likelihood falls with the scale
		x := make([]float32, w.Value.Len())
		for i := range x {
			x[i] = float32(scale * s.Recipe.Key().Normal(uint64(i), 0))
		}
		compute.Write(s.Machine.Engine(), w.Value, x)
	}
	value := func(scale float64) float64 {
		set(scale)
		return s.pseudoLikelihood() / s.start.worst
	}
	const good, bad, awful = 0.1, 3, 200
	for scale, between := range map[float64][2]float64{good: {0, 3}, bad: {5, 80}, awful: {150, math.Inf(1)}} {
		if x := value(scale); x < between[0] || x > between[1] {
			t.Fatalf("couplings of scale %v are %v times as bad as the start", scale, x)
		}
	}
	steps := s.Trainer.StepsPerEpoch()
	for i, c := range []struct {
		epoch       int
		end         bool
		scale       float64
		worse, told int
		state       string
	}{
		{1, true, bad, 1, 0, run.Training},
		{2, false, bad, 1, 0, run.Training},
		{2, true, good, 0, 0, run.Training},
		{3, true, bad, 1, 0, run.Training},
		{4, true, bad, 2, 0, run.Training},
		{5, true, bad, 3, 1, run.Diverged},
		{6, true, bad, 3, 1, run.Diverged},
		{7, true, good, 3, 1, run.Diverged},
		{8, true, good, 3, 1, run.Diverged},
		{9, true, bad, 3, 1, run.Diverged},
		{10, true, good, 3, 1, run.Diverged},
		{11, true, good, 3, 1, run.Diverged},
		{12, true, good, 0, 2, run.Training},
		{13, true, awful, 3, 3, run.Diverged},
		{14, true, good, 3, 3, run.Diverged},
		{15, true, good, 3, 3, run.Diverged},
		{16, true, good, 0, 4, run.Training},
		{17, true, math.Inf(1), 3, 5, run.Diverged},
		{18, true, good, 3, 5, run.Diverged},
		{19, true, good, 3, 5, run.Diverged},
		{20, true, good, 0, 6, run.Training},
		{21, true, bad, 1, 7, run.Diverged},
	} {
		set(c.scale)
		if err := l.Observe(train.Event{Step: c.epoch * steps, Epoch: c.epoch, EpochEnd: c.end}); err != nil {
			t.Fatal(err)
		}
		state, err := s.Dir.State()
		if err != nil || s.worse != c.worse || len(told) != c.told || state.State != c.state {
			t.Errorf("look %d: %d bad ones in a row, %q, %s, %v; want %d, %d lines and %s", i, s.worse, told, state.State, err, c.worse, c.told, c.state)
		}
	}
	if !strings.Contains(told[1], "has come back: its log pseudo-likelihood is -") {
		t.Errorf("%q", told[1])
	}
}

// A training that is stopped where it diverges is stopped at the same update with the same bits when it was killed before; it
// stays stopped, and goes on when it is not to be stopped any more.
func TestStopWhereDiverged(t *testing.T) {
	root := t.TempDir()
	whole := filepath.Join(root, "whole")
	text := fmt.Sprintf(runaway, "10")
	s := begin(t, whole, text, "train.stop.diverged=true")
	epochs := 0
	s.Measured = func(run.Metric) {
		if err := os.CopyFS(filepath.Join(root, fmt.Sprint("killed", epochs)), os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		epochs++
	}
	lines, err := toldOf(t, s)
	var stop *Diverged
	if !errors.As(err, &stop) || len(lines) > 0 || !strings.Contains(err.Error(), "by train.stop.diverged: the training has diverged: the log pseudo-likelihood") || strings.Contains(err.Error(), "diverged=true") {
		t.Fatalf("%v, told %q", err, lines)
	}
	if stop.Step != s.Trainer.Step || stop.Step >= s.Steps() || s.Saved() != stop.Step || epochs < 4 {
		t.Fatalf("stopped at update %d of %d, checkpoint %d, after %d measures: this tests nothing", stop.Step, s.Steps(), s.Saved(), epochs)
	}
	if state, err := s.Dir.State(); err != nil || state.State != run.Diverged || state.Message != stop.Error() {
		t.Errorf("%+v, %v", state, err)
	}
	want := contents(t, whole)
	for i := range epochs {
		dir := filepath.Join(root, fmt.Sprint("killed", i))
		s, err := goOn(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = toldOf(t, s); err == nil || err.Error() != stop.Error() {
			t.Errorf("killed after epoch %d: %v, want %v", i, err, stop)
		}
		sameContents(t, dir, want, contents(t, dir))
	}
	if s, err = goOn(t, whole); err != nil || s.Done() {
		t.Fatalf("done %t, %v", s.Done(), err)
	}
	if _, err := toldOf(t, s); err == nil || err.Error() != stop.Error() {
		t.Errorf("resumed as it is: %v", err)
	}
	sameContents(t, "resumed as it is", want, contents(t, whole))
	if s, err = goOn(t, whole, "train.stop.diverged=false"); err != nil {
		t.Fatal(err)
	}
	if _, err := toldOf(t, s); err != nil {
		t.Fatal(err)
	}
	free := filepath.Join(root, "free")
	f := begin(t, free, text)
	if _, err := toldOf(t, f); err != nil {
		t.Fatal(err)
	}
	if string(lastCheckpoint(t, free, f.Steps())) != string(lastCheckpoint(t, whole, f.Steps())) {
		t.Error("the run that went on has other bits than one that was never stopped")
	}
}

// A training that begins with the cold machine of another run is compared with that, also when it goes on.
func TestDivergedFromAnotherStart(t *testing.T) {
	root := t.TempDir()
	head := "data: {name: bas, size: 4}\nmachine: {hidden: 10}\nnegative: {kind: cd, steps: 1}\ntrain: {epochs: 20, batch: 5, checkpoint: {epochs: 1, keep: 1}}\nmeasure: {every: 1, train: [hamming]}\noptimizer: {kind: sgd, rate: 1e-3}\n"
	cold := filepath.Join(root, "cold")
	c := begin(t, cold, head+"couplings: {kind: dense, init: {normal: 10}}\n", "train.epochs=0")
	finish(t, c)
	from, err := run.Open(cold)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "r")
	s, err := beginFrom(t, from, dir, head+"couplings: {kind: dense}\n", "train.epochs=10")
	if err != nil {
		t.Fatal(err)
	}
	if coins := -16 * math.Ln2; s.start.worst > 10*coins {
		t.Fatalf("the start has %v, fair coins %v: this tests nothing", s.start.worst, coins)
	}
	worst := s.start
	if lines, err := toldOf(t, s); err != nil || len(lines) > 0 {
		t.Errorf("%v, %q", err, lines)
	}
	if s, err = goOn(t, dir, "train.epochs=20"); err != nil || s.start != worst {
		t.Fatalf("%v, compared with %v and then with %v", err, worst, s.start)
	}
	if lines, err := toldOf(t, s); err != nil || len(lines) > 0 {
		t.Errorf("%v, %q", err, lines)
	}
}

// A sign at the end of epochs is wider than a clip of updates: patterns that it freezes have not diverged.
func TestBoundOfProjections(t *testing.T) {
	for setting, want := range map[string]float64{
		"project={}": 0, "project={update: [{clip: 0.5}]}": 0.5, "project={epoch: [sign]}": 1, "project={update: [gibbs]}": 1,
		"project={update: [{clip: 0.5}], epoch: [sign]}": 1, "project={update: [{clip: 3}], epoch: [{clip: 2}]}": 3,
	} {
		if got := parse(t, least, setting).bound(); got != want {
			t.Errorf("%s: %v, want %v", setting, got, want)
		}
	}
}
