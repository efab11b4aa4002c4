package recipe

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
)

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
