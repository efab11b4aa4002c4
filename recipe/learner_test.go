package recipe

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/negative"
	"mattis/run"
)

// A learner that goes on from a state has the independent spins of a trajectory as the training had them: those of its rows.
func TestLearnerKeepsTheBase(t *testing.T) {
	for _, settings := range []string{"machine.start=data", "negative.start=mean"} {
		r, split := load(t, least, "machine={hidden: 3, biases: both}", "negative={kind: trajectory, chains: 4, rungs: 2}", "data={name: bas, size: 3}", settings)
		e := engine(t)
		l, err := r.Learner(&data.Set{Rows: 2, Visible: 9, Spins: split.Train.Spins[:18]}, e) // of rows whose means are not all alike
		if err != nil {
			t.Fatal(err)
		}
		base := func(l *Learner) []float32 {
			b := l.negative.(*negative.Trajectory).Base
			x := make([]float32, b.Len())
			compute.Read(e, x, b)
			return x
		}
		want := base(l)
		var file bytes.Buffer
		if err := run.WriteSealed(&file, l.State()); err != nil {
			t.Fatal(err)
		}
		f, _, err := run.ReadSealed(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.ReadModel(f, 0, e)
		if err != nil {
			t.Fatal(err)
		}
		again, err := m.Learner()
		if err != nil {
			t.Fatal(err)
		}
		next, err := again.GoOn(r)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Min(want) == slices.Max(want) || !slices.Equal(base(again), want) || !slices.Equal(base(next), want) {
			t.Errorf("%s: the fields are %v and %v, want %v", settings, base(again), base(next), want)
		}
	}
}

// Batches that come one by one move offsets and averages as a training's do: with offset_rate the hidden
// offset leaves 0, and the mean from an epoch on weighs updates alike. Without either, offsets of a
// fitted machine would freeze, and the mean would hardly move.
func TestUpdatesMoveOffsetsAndAverages(t *testing.T) {
	r, split := load(t, "machine: {hidden: 6, biases: both, offset: all, offset_rate: 0.5}\ntrain: {epochs: 10, batch: 5, average: {from: 5}}\n"+
		"couplings: {kind: dense}\nnegative: {kind: pcd, steps: 1, chains: 10}\noptimizer: {rate: 0.1}\n")
	tr, err := r.Build(split, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Trainer.Run(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	l := tr.Learner()
	read := func(x compute.Matrix) []float32 {
		list := make([]float32, x.Len())
		compute.Read(l.Machine.Engine(), list, x)
		return list
	}
	offset, before := l.trained.Couplings().Offset(bm.Hidden), []float32(nil)
	for range 3 {
		moved := read(offset)
		mean, of := read(l.Machine.Bias(bm.Visible).Value), []float32(nil)
		if err := l.Update(split.Train); err != nil {
			t.Fatal(err)
		}
		if now := read(offset); math.Abs(float64(now[0]-moved[0])) == 0 {
			t.Error("an update leaves the hidden offset where it is")
		}
		before, of = mean, read(l.trained.Bias(bm.Visible).Value)
		// 20 updates made 10 epochs: the mean is over those after the tenth.
		w := 1 / float64(max(1, l.Step-5*max(1, l.Step/10)))
		for i, x := range read(l.Machine.Bias(bm.Visible).Value) {
			if want := w*float64(of[i]) + (1-w)*float64(before[i]); math.Abs(float64(x)-want) > 1e-6 {
				t.Fatalf("update %d: mean bias %d is %g, want %g", l.Step, i, x, want)
			}
		}
	}
}
