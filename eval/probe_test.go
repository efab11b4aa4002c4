package eval_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/rng"
)

// One spin and two labels: the fit's probabilities are the frequencies. With a penalty the
// gradient written down by hand vanishes. A bias that is penalised or left out, a
// factor 1/N that only one of loss and penalty has, and a softmax of the wrong sign fail.
func TestProbeOfOneSpin(t *testing.T) {
	e := engine(t)
	var x []int8
	var labels []int32
	add := func(n int, spin int8, label int32) {
		for range n {
			x, labels = append(x, spin), append(labels, label)
		}
	}
	add(30, 1, 1)
	add(10, 1, 0)
	add(5, -1, 1)
	add(35, -1, 0)
	m := e.Alloc(compute.Int8, len(x), 1)
	compute.Write(e, m, x)
	p, err := eval.FitProbe(context.Background(), e, m, labels, 2, options(func(o *eval.Options) { o.Probe.Penalty, o.Probe.Tolerance = 1e-9, 1e-6 }).Probe)
	if err != nil {
		t.Fatal(err)
	}
	all := p.Probabilities(e, m)
	near(t, "p(1|+)", all[0][1], 0.75, 1e-4)
	near(t, "p(1|-)", all[79][1], 0.125, 1e-4)
	loss := -(30*math.Log(0.75) + 10*math.Log(0.25) + 5*math.Log(0.125) + 35*math.Log(0.875)) / 80
	near(t, "loss", p.Loss, loss, 1e-6)
	if !p.Converged || p.Iterations < 2 {
		t.Errorf("%+v", p)
	}

	const penalty = 0.05
	p, err = eval.FitProbe(context.Background(), e, m, labels, 2, options(func(o *eval.Options) { o.Probe.Penalty, o.Probe.Tolerance = penalty, 1e-6 }).Probe)
	if err != nil {
		t.Fatal(err)
	}
	all = p.Probabilities(e, m)
	var slope, bias float64
	for i, l := range labels {
		d := all[i][1] - float64(l)
		slope += d * float64(x[i]) / 80
		bias += d / 80
	}
	near(t, "the slope's gradient", slope+penalty*p.Weights[2], 0, 1e-5)
	near(t, "the bias' gradient", bias, 0, 1e-5)
}

// Labels that are a linear function of the pixels are learned; labels that are
// products of three pixels are not, but from random signs of enough of them they are (hidden spins without biases
// are odd functions, so a product of two is beyond them). A probe that is judged on its training rows whatever the set fails.
func TestProbeAccuracy(t *testing.T) {
	e := engine(t)
	set := func(n int, key rng.Key, label func(row []int8) int32) *data.Set {
		s := rowsOf(randomRows(n, 8, key)...)
		for i := range n {
			s.Labels = append(s.Labels, label(s.Row(i)))
		}
		return s
	}
	sum := func(row []int8) int32 { return int32(row[0]+row[1]+row[2]+3) / 2 }
	product := func(row []int8) int32 { return int32(row[0]*row[1]*row[2]+1) / 2 }
	d := bm.NewDense(e, bm.Restricted(8, 200, false))
	d.Normal(3, 1)
	m := bm.New(e, d, false, false)
	accuracy := func(label func([]int8) int32, features string) float64 {
		s := eval.Subject{Machine: m, SetName: "test", Key: 9, Split: &data.Split{Train: set(1500, 1, label), Test: set(500, 2, label)}}
		r := measure(t, "probe_accuracy", s, options(func(o *eval.Options) { o.Probe.Features = features }))
		if r.Detail["features"] != features || r.Detail["trained_on"] != 1500 || r.N != 500 {
			t.Errorf("%+v", r)
		}
		return r.Value
	}
	if a := accuracy(sum, "pixels"); a < 0.99 {
		t.Errorf("a linear label from pixels: %v", a)
	}
	if a := accuracy(product, "pixels"); a > 0.8 {
		t.Errorf("a product from pixels: %v", a)
	}
	for _, f := range []string{"random", "sample", "mean"} {
		if a := accuracy(product, f); a < 0.9 {
			t.Errorf("a product from 200 %s features: %v", f, a)
		}
	}
	if a := accuracy(product, "untrained"); a > 0.75 { // couplings of 0.01: the hidden spins are coins
		t.Errorf("a product from untrained features: %v", a)
	}
}

// A penalty that held-out rows choose. Labels of which a seventh are wrong, of a feature to three rows,
// want a large one: the fit of the least names fewer of the held-out rows right than the chosen
// one, and fewer of the test set. A choice by rows that are fitted, of the worst, or of a penalty over another
// number of rows than that of its fit fails.
func TestProbeChoosesPenalty(t *testing.T) {
	set := func(n int, key rng.Key) *data.Set {
		s := rowsOf(randomRows(n, 300, key)...)
		for i := range n {
			label := int32(s.Row(i)[0]+1) / 2
			if key.Fold(5).Uniform64(uint64(i), 0) < 0.15 {
				label = 1 - label
			}
			s.Labels = append(s.Labels, label)
		}
		return s
	}
	e := engine(t)
	split := &data.Split{Train: set(1000, 1), Test: set(2000, 2)}
	s := func() eval.Subject {
		return eval.Subject{Machine: bm.New(e, bm.NewDense(e, bm.Restricted(300, 2, false)), false, false), SetName: "test", Key: 9, Split: split}
	}
	pixels := func(change func(o *eval.ProbeOptions)) eval.Options {
		return options(func(o *eval.Options) { o.Probe.Features = "pixels"; change(&o.Probe) })
	}
	least := measure(t, "probe_accuracy", s(), pixels(func(o *eval.ProbeOptions) {}))
	r := measure(t, "probe_accuracy", s(), pixels(func(o *eval.ProbeOptions) { o.HeldOut = 400 }))
	said, _ := r.Detail["held_out"].([]map[string]any)
	if len(said) != 4 || r.Detail["trained_on"] != 1000 {
		t.Fatalf("%+v", r)
	}
	best, times := -1.0, 0.0
	for _, x := range said {
		if a := x["accuracy"].(float64); a > best {
			best, times = a, x["times"].(float64)
		}
	}
	near(t, "the penalty", r.Detail["penalty"].(float64), times/1000, 1e-12)
	near(t, "the penalty where nothing is said", least.Detail["penalty"].(float64), 1.0/1000, 1e-12)
	if times < 10 || best < said[0]["accuracy"].(float64)+0.02 || best > 0.8 {
		t.Errorf("%v of %v", times, said)
	}
	if r.Value < least.Value+0.02 {
		t.Errorf("%v with the penalty chosen, %v with the least: %v", r.Value, least.Value, said)
	}
	fixed := measure(t, "probe_accuracy", s(), pixels(func(o *eval.ProbeOptions) { o.Penalty = times / 1000 }))
	near(t, "the accuracy of that penalty", r.Value, fixed.Value, 0)
	m, err := eval.Named("probe_accuracy")
	if err != nil {
		t.Fatal(err)
	}
	for held, want := range map[int]string{1000: "probe.held_out: 1000 of 1000 training rows are to choose the penalty, want 1 to 999", 2000: "probe.held_out: 2000 of 1000"} {
		if _, err := m.Run(context.Background(), s(), pixels(func(o *eval.ProbeOptions) { o.HeldOut = held })); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d rows held out: %v, want %s", held, err, want)
		}
	}
	few := pixels(func(o *eval.ProbeOptions) { o.Rows, o.HeldOut = 300, 300 })
	if _, err := m.Run(context.Background(), s(), few); err == nil || !strings.Contains(err.Error(), "probe.held_out: 300 of 300") {
		t.Errorf("all of 300 rows held out: %v", err)
	}
	both := pixels(func(o *eval.ProbeOptions) { o.HeldOut, o.Penalty = 5, 0.1 })
	if err := both.Check(); err == nil || !strings.HasPrefix(err.Error(), "probe.held_out: 5 rows are to choose the penalty, and it is given") {
		t.Errorf("a penalty and rows to choose it: %v", err)
	}
}

// Of fewer rows than there are, those that choose the penalty are among those that are fitted: other labels of
// all others change nothing. Which are fitted is seen by whose label changes the loss. A choice that draws rows of
// its own fails.
func TestProbeChoosesByFittedRows(t *testing.T) {
	const rows, fitted = 60, 20
	e := engine(t)
	m := bm.New(e, bm.NewDense(e, bm.Restricted(4, 2, false)), false, false)
	said := func(other func(row int) bool, heldOut int) string {
		set := rowsOf(randomRows(rows, 4, 3)...)
		for i := range rows {
			label := int32(set.Row(i)[0]+1) / 2
			if other(i) {
				label = 1 - label
			}
			set.Labels = append(set.Labels, label)
		}
		s := eval.Subject{Machine: m, SetName: "train", Key: 9, Split: &data.Split{Train: set}}
		r := measure(t, "probe_accuracy", s, options(func(o *eval.Options) {
			o.Probe.Features, o.Probe.Rows, o.Probe.HeldOut = "pixels", fitted, heldOut
		}))
		return fmt.Sprint(r.Detail["loss"], r.Detail["penalty"], r.Detail["held_out"])
	}
	none := func(int) bool { return false }
	outside := map[int]bool{}
	for row := range rows {
		if said(func(i int) bool { return i == row }, 0) == said(none, 0) {
			outside[row] = true
		}
	}
	if len(outside) != rows-fitted {
		t.Fatalf("%d rows are not fitted, want %d", len(outside), rows-fitted)
	}
	if a, b := said(none, 8), said(func(i int) bool { return outside[i] }, 8); a != b {
		t.Errorf("labels of rows that are not fitted make of\n%s\n%s", a, b)
	}
	if a, b := said(none, 8), said(func(i int) bool { return !outside[i] && i%2 == 0 }, 8); a == b {
		t.Errorf("labels of rows that are fitted change nothing of %s", a)
	}
}

// The machine's pattern tells its sign apart: one hidden spin is a perfect feature.
func ExampleFitProbe() {
	e := cpu.New(1)
	defer e.Close()
	x := e.Alloc(compute.Int8, 4, 2)
	compute.Write(e, x, []int8{1, 1, 1, -1, -1, 1, -1, -1})
	o := eval.Defaults().Probe
	o.Penalty = 0.01
	p, err := eval.FitProbe(context.Background(), e, x, []int32{1, 1, 0, 0}, 2, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, q := range p.Probabilities(e, x) {
		fmt.Printf("%.2f ", q[1])
	}
	// Output: 0.98 0.98 0.02 0.02
}
