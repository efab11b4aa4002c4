package eval_test

import (
	"context"
	"errors"
	"fmt"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/sampler"
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
	axons := bm.NewAxons(e, bm.Restricted(16, 100, false), 1, false)
	axons.Bernoulli(1, 1)
	visible := axons.Patterns(bm.Visible)
	row := make([]float32, 16)
	for i, s := range split.Train.Row(0) {
		row[i] = float32(s)
	}
	compute.Write(e, visible.Value, row)

	s := eval.Subject{Machine: bm.New(e, axons, false, false), Split: split, SetName: "train", Key: 1, Memo: &eval.Memo{}}
	for _, name := range []string{"hamming", "nll_exact", "gibbs_accessibility_mean", "valid_share", "coverage", "method_accessibility"} {
		m, err := eval.Named(name)
		if err != nil {
			fmt.Println(err)
			return
		}
		r, err := m.Run(context.Background(), s, eval.Defaults())
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

// A strongly coupled machine of one pattern has two ground states, a pattern and its negative. Gibbs chains stay in one of them; jumps guided by the pattern do not.
func ExampleWatch() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(10, 10, false), 1, false)
	a.Bernoulli(1, 1)
	m := bm.New(e, a, false, false)
	start, from := eval.Scattered(m, 20, nil, 2)
	fmt.Println("20 chains from", from)
	for _, name := range []string{"gibbs", "guided"} {
		mover, err := sampler.New(name, m, sampler.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		x, err := eval.Watch{Machine: m, Sampler: mover, Start: start, Sweeps: 400, Key: 3}.Run(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		verdict, _ := x.Verdict()
		fmt.Printf("%s %s: %d of %d chains left their basin\n", name, verdict, x.Basins.Moved, x.Chains)
	}
	// Output:
	// 20 chains from [random patterns]
	// gibbs does not mix: 0 of 20 chains left their basin
	// guided mixes: 20 of 20 chains left their basin
}
