package eval_test

import (
	"context"
	"fmt"
	"math"
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
