package eval_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
)

// twoSided returns a cold machine of one pattern with biases along it, and log Z of the half of the
// states that lie on the pattern's side and of the other half, by the binomial law of the overlap.
func twoSided(t *testing.T, bias float64) (m *bm.Machine, xi []int8, plus, minus float64) {
	const visible, hidden, gain = 61, 30, 0.08
	e := engine(t)
	xi = randomRows(1, visible, 8)[0]
	one, _ := onePattern(e, xi, hidden, gain)
	m = bm.New(e, one.Couplings(), true, false)
	b := make([]float32, visible)
	for i, x := range xi {
		b[i] = float32(bias * float64(x))
	}
	compute.Write(e, m.Bias(bm.Visible).Value, b)
	var sides [2]exact.LogSum
	all, _ := math.Lgamma(visible + 1)
	for n := range visible + 1 {
		up, _ := math.Lgamma(float64(n + 1))
		down, _ := math.Lgamma(float64(visible - n + 1))
		over := float64(2*n - visible)
		side := 0
		if over < 0 {
			side = 1
		}
		sides[side].Add(all - up - down + bias*over + hidden*compute.LogTwoCosh(gain*over))
	}
	return m, xi, sides[0].Log(), sides[1].Log()
}

// The shares of two phases whose masses are sums over a binomial law: data in the one, in the
// other, and none. A share of the other phase, half of a logarithm and a base that sees one phase
// alone are off by many times the tolerance of five standard errors and a tenth.
func TestPhases(t *testing.T) {
	for _, bias := range []float64{-0.1, -0.02, 0, 0.02} {
		m, xi, plus, minus := twoSided(t, bias)
		rows := make([][]int8, 40)
		for i := range rows {
			rows[i] = noisy(xi, 1, 0.01, rng.Key(100+i))
		}
		s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 4}
		o := options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas, o.Phases.Sweeps = 200, 200, 50 })
		r := measure(t, "phases", s, o)
		exact := 1 / (1 + math.Exp(minus-plus))
		what := fmt.Sprintf("bias %g: share", bias)
		got, want := math.Log(r.Value/(1-r.Value)), plus-minus
		if exact > 1e-9 && exact < 1-1e-9 {
			near(t, what, got, want, 0.1+5*0.05)
		}
		if list := r.Detail["phases"].([]map[string]any); len(list) < 2 || r.Detail["data"].(int) == 0 {
			t.Errorf("%s: %v", what, r.Detail)
		}
		z := measure(t, "logz_ais", s, o)
		within(t, what+" log Z", eval.LogZ{Value: z.Value, Stderr: z.Stderr}, plus+math.Log1p(math.Exp(minus-plus)), 0.1)
		warnings := strings.Join(z.Detail["warnings"].([]string), "; ")
		if far := exact < 0.01; far != strings.Contains(warnings, "the data lie in phase") {
			t.Errorf("%s %g: warnings %q", what, exact, warnings)
		}
		s.Split = nil
		alone := measure(t, "phases", s, o)
		if alone.Value < 0.5 {
			t.Errorf("%s: the largest phase holds %v", what, alone.Value)
		}
		lesser := alone.Detail["phases"].([]map[string]any)[1]["share"].(float64)
		near(t, what+" of the lesser phase", math.Log(lesser/(1-lesser)), -math.Abs(want), 0.1+5*0.05)
	}
}

// Chains from random spins reach rows of either phase, some of them each, and not rows of a state
// that the machine does not have.
func TestUnreached(t *testing.T) {
	m, xi, _, _ := twoSided(t, 0.02)
	minus := make([]int8, len(xi))
	for i, x := range xi {
		minus[i] = -x
	}
	other := randomRows(1, len(xi), 9)[0]
	for name, c := range map[string]struct {
		row  []int8
		want bool
		rows int
	}{"pattern": {xi, false, 50}, "negative": {minus, false, 50}, "neither": {other, true, 50}, "too few": {other, false, 3}} {
		text, err := eval.Unreached(context.Background(), m, noisy(c.row, c.rows, 0.01, 3), 5)
		if err != nil {
			t.Fatal(err)
		}
		if (text != "") != c.want || c.want && !strings.Contains(text, "chains from random spins end elsewhere") {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// The standard error of a share is its deviation over keys: the mean square of 20 deviations in
// errors lies between 0.4 and 1.9 but for a chance of 5e-3 where they are right. That of log Z
// times p(1-p), 0 where weights are equal, is 16 times off in the square.
func TestErrorOfAShare(t *testing.T) {
	m, xi, plus, minus := twoSided(t, 0.001)
	exact := 1 / (1 + math.Exp(minus-plus))
	rows := make([][]int8, 40)
	for i := range rows {
		rows[i] = noisy(xi, 1, 0.01, rng.Key(100+i))
	}
	const keys = 20
	square := 0.0
	for key := range rng.Key(keys) {
		s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: key}
		r := measure(t, "phases", s, options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas, o.Phases.Sweeps = 200, 100, 20 }))
		z := (r.Value - exact) / r.Stderr
		square += z * z / keys
	}
	if !(square > 0.4 && square < 1.9) {
		t.Errorf("a mean square of %.2f errors", square)
	}
}

// A machine without biases whose data are all on one side: half of Z is there, and an estimate from
// the data's means, in either direction and from any start, has the other half too. Without it all
// are ln 2 = 0.69 low.
func TestSidesOfASymmetricMachine(t *testing.T) {
	_, xi, plus, minus := twoSided(t, 0)
	exact := plus + math.Log1p(math.Exp(minus-plus))
	m, _ := onePattern(engine(t), xi, 30, 0.08)
	rows := make([][]int8, 40)
	for i := range rows {
		rows[i] = noisy(xi, 1, 0.01, rng.Key(100+i))
	}
	for _, base := range []string{eval.BaseData, eval.BaseAuto} {
		for _, start := range []string{eval.StartFromPhases, eval.StartFromData, eval.StartFromAnnealing} {
			for _, name := range []string{"logz_ais", "logz_reverse_ais", "logz_bridge"} {
				s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 4}
				z := measure(t, name, s, options(func(o *eval.Options) {
					o.AIS.Runs, o.AIS.Betas, o.Phases.Sweeps, o.AIS.Base, o.AIS.Start = 200, 200, 20, base, start
				}))
				within(t, name+" base "+base+" from "+start, eval.LogZ{Value: z.Value, Stderr: z.Stderr}, exact, 0.1)
			}
		}
	}
}
