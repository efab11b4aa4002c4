package eval_test

import (
	"context"
	"errors"
	"fmt"

	"mattis/bm"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
)

// A machine that knows one image of Bars: all its samples are valid, it covers
// 2 of the 14, reconstructs nothing else, and pays for that in likelihood.
func ExampleMeasure_Run() {
	e := cpu.New(1)
	defer e.Close()
	split, err := data.Bars(data.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	axons := bm.NewAxons(e, 16, 100, 1, false, false)
	axons.Bernoulli(1, 1)
	visible, _ := axons.Patterns()
	row := make([]float32, 16)
	for i, s := range split.Train.Row(0) {
		row[i] = float32(s)
	}
	e.Write(visible.Value, row)

	s := eval.Subject{Machine: bm.NewRBM(e, axons, false, false), Split: split, SetName: "train", Key: 1, Memo: &eval.Memo{}}
	for _, name := range []string{"hamming", "nll_exact", "gibbs_accessibility_mean", "valid_share", "coverage", "method_accessibility"} {
		m, err := eval.Named(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := m.Run(context.Background(), s, eval.Options{})
		if no := (*eval.NoValue)(nil); errors.As(err, &no) {
			fmt.Println(err)
			continue
		} else if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s %.3f of %d\n", r.Measure, r.Split, r.Value, r.N)
	}
	// Output:
	// hamming train 0.350 of 1000
	// nll_exact train 1079.104 of 10
	// gibbs_accessibility_mean  1.000 of 10
	// valid_share  1.000 of 400
	// coverage  0.143 of 400
	// method_accessibility: no value: there are no configurations of the estimator; they are at hand after an update
}
