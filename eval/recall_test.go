package eval_test

import (
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
)

// hopfield returns the machine of Hebb's rule for the rows, X^T X / N, and the rows as its data.
func hopfield(t *testing.T, rows [][]int8) eval.Subject {
	e, n := engine(t), len(rows[0])
	a := bm.NewAxons(e, bm.Full(n, 0), len(rows), false)
	x := make([]float32, 0, n*len(rows))
	for _, row := range rows {
		for _, s := range row {
			x = append(x, float32(s))
		}
	}
	compute.Write(e, a.Patterns(bm.Visible).Value, x)
	return eval.Subject{Machine: bm.New(e, a), Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 6}
}

// One memory comes back from less than half of its spins flipped, and its negative, every spin of which is wrong, from
// more. Of several memories, a loop in whole numbers over the spins says how many are wrong: a diagonal that is kept, spins set at
// once and a negative taken for right fail.
func TestRecall(t *testing.T) {
	one := hopfield(t, randomRows(1, 15, 3))
	for flips, want := range map[float64]float64{0: 0, 0.1: 0, 0.4: 0, 0.6: 1, 1: 1} {
		r := measure(t, "recall", one, options(func(o *eval.Options) { o.Recall.Flips = flips }))
		if r.Value != want || r.N != 1 {
			t.Errorf("%v flipped: %+v, want %v", flips, r, want)
		}
	}
	const n = 40
	rows := randomRows(12, n, 4)
	wrong := 0
	for _, row := range rows {
		s := append([]int8(nil), row...)
		for range 100 {
			for i := range s {
				f := 0
				for _, x := range rows {
					for j, y := range s {
						if j != i {
							f += int(x[i]) * int(x[j]) * int(y)
						}
					}
				}
				if f != 0 {
					s[i] = int8(1)
					if f < 0 {
						s[i] = -1
					}
				}
			}
		}
		for i := range s {
			if s[i] != row[i] {
				wrong++
			}
		}
	}
	r := measure(t, "recall", hopfield(t, rows), eval.Defaults())
	if wrong == 0 || r.Detail["wrong_bits"] != wrong || r.Detail["alpha"] != 0.3 || r.Detail["settled"] != 1.0 || r.Stderr != 0 {
		t.Errorf("%+v, want %d wrong bits", r, wrong)
	}
	near(t, "share", r.Value, float64(wrong)/(12*n), 1e-12)
	if r := measure(t, "recall", hopfield(t, rows), options(func(o *eval.Options) { o.Recall.Sweeps = 1 })); r.Detail["settled"] == 1.0 || r.Detail["sweeps"] != 1 {
		t.Errorf("one sweep: %+v", r)
	}
}
