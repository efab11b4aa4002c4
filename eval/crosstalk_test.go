package eval_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
)

// One pattern is never turned; the share of random ones is Q(sqrt(V/(K-1))) up to finite
// V; three patterns by hand. Shares of the visible side and of the hidden one that are mixed up fail, and so does a
// field of 0 that counts in full.
func TestCrosstalk(t *testing.T) {
	e := engine(t)
	a := bm.NewAxons(e, bm.Restricted(20, 300, false), 1, false)
	a.Bernoulli(1, 1)
	if r := measure(t, "crosstalk", eval.Subject{Machine: bm.New(e, a, false, false)}, eval.Defaults()); r.Value != 0 || r.Detail["visible"] != 0.0 || r.Detail["theory"] != 0.0 || r.Detail["theory_visible"] != 0.0 {
		t.Errorf("one pattern: %+v", r)
	}

	// Entries are not independent (K x V decide).
	a = bm.NewAxons(e, bm.Restricted(60, 1500, false), 60, false)
	a.Bernoulli(1, 2)
	r := measure(t, "crosstalk", eval.Subject{Machine: bm.New(e, a, true, false)}, eval.Defaults())
	near(t, "hidden", r.Value, eval.TailOfNormal(math.Sqrt(60/59.)), 0.01)
	near(t, "visible", r.Detail["visible"].(float64), eval.TailOfNormal(math.Sqrt(1500/59.)), 1e-3)
	near(t, "theory", r.Detail["theory"].(float64), 0.1566219, 1e-6) // Q(1.00844) by the tables of the normal distribution
	near(t, "theory of few", eval.Crosstalk(16, 8), 0.0653, 1e-4)    // Q(1.5119), of which Q(sqrt 2) = 0.0786 is a fifth off

	// Two visible spins and three patterns ++, ++, +-, with one hidden spin +, -, + : the fields from the
	// patterns are 2-2+0, 2-2+0 and 0-0+2, two fields of 0 and one that agrees.
	a = bm.NewAxons(e, bm.Restricted(2, 1, false), 3, false)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	compute.Write(e, v.Value, []float32{1, 1, 1, 1, 1, -1})
	compute.Write(e, h.Value, []float32{1, -1, 1})
	r = measure(t, "crosstalk", eval.Subject{Machine: bm.New(e, a, false, false)}, eval.Defaults())
	near(t, "by hand", r.Value, 1./3, 1e-12)

	d := bm.NewDense(e, bm.Restricted(3, 3, false))
	m, _ := eval.Named("crosstalk")
	_, err := m.Run(context.Background(), eval.Subject{Machine: bm.New(e, d, false, false)}, eval.Defaults())
	if no := (*eval.NoValue)(nil); !errors.As(err, &no) {
		t.Errorf("dense couplings: %v", err)
	}
}
