package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/eval"
	"mattis/run"
	"mattis/train"
)

// spinRows returns rows of a matrix of spins as text, in the order of their text.
func spinRows(e compute.Engine, x compute.Matrix, rows []int32) (list []string) {
	spins := make([]int8, x.Len())
	compute.Read(e, spins, x)
	for _, i := range rows {
		list = append(list, fmt.Sprint(spins[int(i)*x.Cols():int(i+1)*x.Cols()]))
	}
	slices.Sort(list)
	return list
}

// The chains that log Z is estimated by are those that the estimator drew last, of all shards: of
// tempering and trajectory the replicas of the machine itself. There are none where chains move under
// other parameters than the machine's, and where none go on.
func TestHeldChains(t *testing.T) {
	for _, c := range []struct {
		chains   int
		settings []string
	}{
		{8, []string{"negative={kind: pcd, chains: 8, steps: 1}"}},
		{8, []string{"negative={kind: tempering, chains: 8, steps: 3, temperatures: [1, 0.6, 0.2]}"}},
		{8, []string{"negative={kind: trajectory, chains: 8, steps: 20, rungs: 2, acceptance: 1}"}},
		{0, []string{"negative={kind: fpcd, chains: 8, steps: 1}"}},
		{0, []string{"negative={kind: pcd, chains: 8, steps: 1}", "train.average={exponential: 0.9}"}},
		{0, []string{"negative={kind: cd, steps: 1}"}},
	} {
		for _, shards := range []int{1, 4} {
			if shards > 1 && strings.Contains(c.settings[0], "trajectory") { // which has one ladder
				continue
			}
			all := append([]string{dense, "optimizer.rate=0.5", fmt.Sprint("train.shards=", shards)}, c.settings...)
			r := parse(t, shardsBase, all...)
			tr := built(t, r, engine(t))
			if shards > 1 {
				tr.Trainer.Shards.Shows = func(int) bool { return true }
			}
			e, looks := tr.Machine.Engine(), 0
			tr.Trainer.Observers = []train.Observer{observe(func(ev train.Event) error {
				held, err := tr.held()
				if err != nil || ev.Step == 0 || !ev.EpochEnd { // shards show what they drew at ends
					return err
				}
				looks++
				if c.chains == 0 {
					if !held.Visible.IsNone() {
						t.Errorf("%v: there are chains", all)
					}
					return nil
				}
				want := make([]int32, c.chains)
				for i := range want {
					want[i] = int32(i)
				}
				drawn := ev.Drawn.State.Layer(bm.Visible)
				if drawn.Rows() != c.chains || !slices.Equal(spinRows(e, held.Visible, held.Rows), spinRows(e, drawn, want)) {
					t.Errorf("%v, update %d: not the %d chains that were drawn", all, ev.Step, c.chains)
				}
				return nil
			})}
			if err := tr.Trainer.Run(context.Background(), 3); err != nil || looks == 0 {
				t.Fatal(looks, err)
			}
		}
	}
}

// Chains with weights are drawn by these, one for each path: a quarter and three quarters of them of
// two chains, in one shard as in several.
func TestHeldChainsByWeights(t *testing.T) {
	for _, shards := range []int{1, 4} {
		_, tr := inShards(t, 1, dense, "negative={kind: jarzynski, chains: 16, steps: 1}", fmt.Sprint("train.shards=", shards))
		e := tr.Machine.Engine()
		logs := slices.Repeat([]float64{-1000}, 16)
		logs[5], logs[14] = math.Log(0.25), math.Log(0.75)
		if shards == 1 {
			compute.Write(e, stateOf(t, tr.Trainer.Negative.State(), "chains.weights"), logs)
		} else {
			for i, n := range tr.Trainer.Shards.Estimators {
				compute.Write(e, stateOf(t, n.State(), "chains.weights"), logs[4*i:4*i+4])
			}
		}
		held, err := tr.held()
		if err != nil {
			t.Fatal(err)
		}
		if want := slices.Concat(slices.Repeat([]int32{5}, trackedPaths/4), slices.Repeat([]int32{14}, trackedPaths*3/4)); !slices.Equal(held.Rows, want) || held.Visible.Rows() != 16 {
			t.Errorf("%d shards: rows %v of %d", shards, held.Rows, held.Visible.Rows())
		}
	}
}

func stateOf(t *testing.T, state []bm.Param, name string) compute.Matrix {
	t.Helper()
	for _, p := range state {
		if p.Name == name {
			return p.Value
		}
	}
	t.Fatalf("no %s", name)
	return compute.Matrix{}
}

// What an update costs decides how many paths log Z gets, and does not hang on train.epochs, which a resumed training may change.
// Chains that start anew for good are a part of it; those that end to do so are not.
func TestUpdateRowsOfAnyLength(t *testing.T) {
	cost := func(negative string, epochs int) float64 {
		r := parse(t, shardsBase, dense, "negative="+negative, fmt.Sprint("train.epochs=", epochs))
		tr := built(t, r, engine(t))
		return tr.updateRows()
	}
	const fresh, until = "{kind: pcd, chains: 20, steps: 2, fresh: {share: 0.4, steps: 5}}", "{kind: pcd, chains: 20, steps: 2, fresh: {share: 0.4, steps: 5, until: 4}}"
	if a, b, all := cost(until, 2), cost(until, 200), cost(fresh, 2); a != b || all-a != 2*8*5 {
		t.Errorf("an update costs %v in 2 epochs and %v in 200, and with fresh chains in all of them %v", a, b, all)
	}
}

// Where nothing asks for nll_tracked before the end, nothing is spent on it before, and the end has the
// steps that all epochs pay for. A training that comes to another end later has the bits of one that
// did not end between, and the checkpoint of the end the value that was measured.
func TestTrackedAtTheEnd(t *testing.T) {
	text := "machine: {hidden: 5}\ntrain: {epochs: 12, batch: 4, checkpoint: {epochs: 9, minutes: 0}}\ncouplings: {kind: dense}\n" +
		"negative: {kind: pcd, chains: 100, steps: 2}\n"
	for _, measure := range []string{"measure={every: 0, last: [nll_tracked]}", "measure={every: 4, test: [hamming], last: [nll_tracked]}", "measure={every: 0, test: [nll_tracked]}"} {
		root := t.TempDir()
		whole, parts := filepath.Join(root, "whole"), filepath.Join(root, "parts")
		s := begin(t, whole, text, measure)
		if s.Tracked == nil || s.tracking.every != 0 {
			t.Fatalf("%s: followed each %d epochs", measure, s.tracking.every)
		}
		if few, some, many := s.stepsAt(0), s.stepsAt(2000), s.stepsAt(1<<30); few != trackedSteps || some <= few || some >= many || many != mostTrackedSteps {
			t.Errorf("%s: %d steps at no epochs, %d at 2000, %d at very many", measure, few, some, many)
		}
		total := s.Steps()
		finish(t, s)
		finish(t, begin(t, parts, text, measure, "train.epochs=6"))
		if strings.Contains(measure, "hamming") && !strings.Contains(timeless(t, parts), "nll_tracked") {
			t.Errorf("%s: not measured at the first end", measure)
		}
		s, err := goOn(t, parts, "train.epochs=12")
		if err != nil {
			t.Fatal(err)
		}
		finish(t, s)
		for _, step := range []int{total * 3 / 4, total} {
			if !bytes.Equal(lastCheckpoint(t, whole, step), lastCheckpoint(t, parts, step)) {
				t.Errorf("%s: another checkpoint of update %d after an end between", measure, step)
			}
		}
		d, err := run.Open(whole)
		if err != nil {
			t.Fatal(err)
		}
		w := Wanted{trackedName, "test"}
		var told float64
		for _, series := range s.History {
			if series.Name == w.Measure && series.Split == w.Set {
				told = series.Points[len(series.Points)-1].Value
			}
		}
		for _, step := range []int{total * 3 / 4, total} {
			m, _, err := LoadModel(d, step, engine(t))
			if err != nil {
				t.Fatal(err)
			}
			j := &Judge{Model: m, Split: s.Split}
			x, err := j.Measure(context.Background(), w)
			none := (*eval.NoValue)(nil)
			if before := step < total; before != errors.As(err, &none) || !before && (err != nil || x.Value != told) {
				t.Errorf("%s, update %d: %v, %v; the training said %v", measure, step, x.Value, err, told)
			}
		}
	}
	s := begin(t, filepath.Join(t.TempDir(), "run"), text, "measure={every: 7, test: [nll_tracked]}")
	if s.tracking.every == 0 || s.tracking.every%7 != 0 {
		t.Errorf("followed each %d epochs where each 7 are measured", s.tracking.every)
	}
}

// flaky are two processes the other of which says nothing, and is gone when it is told to be.
type flaky struct{ gone bool }

var errGone = errors.New("the other process is gone")

func (*flaky) Rank() int    { return 0 }
func (*flaky) Size() int    { return 2 }
func (*flaky) Close() error { return nil }
func (f *flaky) Exchange(int, []byte, int, []byte) error {
	if f.gone {
		return errGone
	}
	return nil
}

// An error in asking the processes for their chains ends the training, whether log Z is estimated on
// the way or for a measure: it is no measure that gave no value.
func TestErrorOfChainsEnds(t *testing.T) {
	r := parse(t, shardsBase, dense, "negative={kind: pcd, chains: 8, steps: 1}", "train.shards=2", "measure={every: 1, test: [nll_tracked]}")
	split, err := r.LoadData()
	if err != nil {
		t.Fatal(err)
	}
	w, err := run.Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	e := cpu.New(1)
	defer e.Close()
	other := &flaky{}
	s, err := BeginShared(comm.New(other), r, split, w, e, run.Session{Version: "test"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.reach(train.Event{EpochEnd: true})
	if len(s.Owed()) != 1 {
		t.Fatal(s.Owed())
	}
	other.gone = true
	if err := s.measure(context.Background()); !errors.Is(err, errGone) || len(s.Gaps) > 0 {
		t.Errorf("a measure: %v, gaps %v", err, s.Gaps)
	}
	if err := (tracker{s}).Observe(train.Event{EpochEnd: true}); !errors.Is(err, errGone) {
		t.Errorf("on the way: %v", err)
	}
}
