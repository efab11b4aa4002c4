package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// within fails unless the estimate is within 4.5 standard errors of the exact value, which a right program misses once in 1.5e5
// estimates, and the standard error is small enough to see the wrong programs that a test names.
func within(t *testing.T, what string, z eval.LogZ, exact, most float64) {
	t.Helper()
	if off := z.Value - exact; !(math.Abs(off) <= 4.5*z.Stderr) || !(z.Stderr <= most) {
		t.Errorf("%s: %.5f is off by %+.5f with a standard error of %.5f, want at most 4.5 of them and %.3f", what, z.Value, off, z.Stderr, most)
	}
}

// Forward, reverse, bridge and integration against the float64 oracle, on machines with every coupling, bias and offset,
// from fair coins and from a base law. The temperatures are few, so that log weights have variances near 1: a
// mean of log weights, steps that swap the two temperatures, a base term of the wrong sign, draws at the
// temperature before, and reverse paths that start from coins are off by many standard errors.
func TestEstimatesOfLogZ(t *testing.T) {
	ctx := context.Background()
	base := make([]float32, 6)
	for i := range base {
		base[i] = float32(0.5 * rng.Key(5).Normal(0, uint64(i)))
	}
	for i, s := range check.SmallMachines(engine(t), 6, 4, 4) {
		exact := check.LogZ(s.Machine)
		for j, b := range [][]float32{nil, base} {
			name := fmt.Sprintf("%s, base %v", s.Name, b != nil)
			a := eval.AIS{Machine: s.Machine, Base: b, Runs: 2000, Betas: 6, Sweeps: 1 + j, Key: rng.Key(100 + i)}
			start, err := eval.StartExact(s.Machine)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []struct {
				name, side string
				estimate   func() (eval.LogZ, error)
			}{
				{"AIS", eval.LowerBound, func() (eval.LogZ, error) { return a.Forward(ctx) }},
				{"reverse AIS", eval.UpperBound, func() (eval.LogZ, error) { return a.Reverse(ctx, start) }},
				{"bridge", eval.NoSide, func() (eval.LogZ, error) { return a.Bridge(ctx, start) }},
			} {
				z, err := e.estimate()
				if err != nil {
					t.Fatal(err)
				}
				within(t, name+" "+e.name, z, exact, 0.06)
				if z.Side != e.side || z.Runs != 2000 || z.Betas != 6 || z.Sweeps != 1+j || len(z.Warnings) > 0 {
					t.Errorf("%s %s: %+v", name, e.name, z)
				}
			}
			integration := eval.Integration{Machine: s.Machine, Base: b, Ladders: 6, Betas: 16, Sweeps: 400, Key: rng.Key(200 + i)}
			z, err := integration.Estimate(ctx)
			if err != nil {
				t.Fatal(err)
			}
			// Six ladders: 4.5 standard errors, widened to Student's t of 5, are missed once in 5e4.
			within(t, name+" integration", z, exact, 0.06)
		}
	}
}

// The energy constant is taken from log Z once by every method.
func TestEnergyConstant(t *testing.T) {
	ctx := context.Background()
	m := check.SmallMachines(engine(t), 5, 4, 9)[2].Machine
	var values [2][4]float64
	for i := range values {
		if i == 1 {
			m.SetConstant(3.5)
		}
		a := eval.AIS{Machine: m, Runs: 50, Betas: 10, Sweeps: 1, Key: 1}
		g := eval.Integration{Machine: m, Ladders: 2, Betas: 8, Sweeps: 20, Key: 1}
		start, err := eval.StartExact(m)
		if err != nil {
			t.Fatal(err)
		}
		for j, f := range []func() (eval.LogZ, error){
			func() (eval.LogZ, error) { return a.Forward(ctx) },
			func() (eval.LogZ, error) { return a.Reverse(ctx, start) },
			func() (eval.LogZ, error) { return a.Bridge(ctx, start) },
			func() (eval.LogZ, error) { return g.Estimate(ctx) },
		} {
			z, err := f()
			if err != nil {
				t.Fatal(err)
			}
			values[i][j] = z.Value
		}
	}
	for j := range values[0] {
		near(t, fmt.Sprint("method ", j), values[1][j], values[0][j]-3.5, 1e-9)
	}
}

// A machine without couplings whose biases are the smoothed log odds of the data is the base law
// itself: all weights are 1. Odds without smoothing, of a half too much or of the wrong sign fail.
func TestBaseOfData(t *testing.T) {
	e := engine(t)
	rows := randomRows(9, 5, 3)
	for _, r := range rows {
		r[0] = -1 // never up
	}
	m := bm.New(e, bm.NewDense(e, bm.Restricted(5, 3, false)), true, false)
	b := make([]float32, 5)
	exact := 3 * math.Ln2
	for i := range b {
		up := 0
		for _, r := range rows {
			if r[i] > 0 {
				up++
			}
		}
		p := float64(up+1) / 11
		b[i] = float32(math.Atanh(2*p - 1))
		exact += compute.LogTwoCosh(float64(b[i]))
	}
	compute.Write(e, m.Bias(bm.Visible).Value, b)
	s := eval.Subject{Machine: m, Split: &data.Split{Train: rowsOf(rows...)}, SetName: "train", Key: 2}
	got := measure(t, "logz_ais", s, options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas = 100, 3 }))
	near(t, "log Z", got.Value, exact, 1e-5)
	// A hundred paths do not see a hundredth of Z, so much of an error stays.
	if got.Stderr < 0.01 || got.Stderr > 0.0101 || got.Detail["ess"].(float64) < 99.99 || got.Detail["base"] != "data" {
		t.Errorf("%+v", got)
	}
	got = measure(t, "logz_ais", s, options(func(o *eval.Options) { o.AIS.Runs, o.AIS.Betas, o.AIS.Base = 100, 3, "uniform" }))
	if got.Stderr < 1e-3 || got.Detail["base"] != "uniform" {
		t.Errorf("from fair coins: %+v", got)
	}
}

// Temperatures run from 0 to 1, increase, are float32 numbers and crowd at small ones where the machine is cold; the
// spins order at 1/(g sqrt(VH)) for one pattern.
func TestLadder(t *testing.T) {
	m, _ := onePattern(engine(t), spins("-+--+-+"), 40, 2)
	near(t, "critical", eval.Critical(m, 3), 1/(2*math.Sqrt(7*40)), 1e-6)
	a := eval.AIS{Machine: m, Runs: 2, Betas: 200, Sweeps: 1}
	b, err := a.Ladder(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 201 || b[0] != 0 || b[200] != 1 {
		t.Fatalf("%d temperatures from %v to %v", len(b), b[0], b[len(b)-1])
	}
	for i, x := range b {
		if i > 0 && x <= b[i-1] || float64(float32(x)) != x {
			t.Errorf("temperature %d is %v after %v", i, x, b[i-1])
		}
	}
	if b[100] > 0.25 {
		t.Errorf("half of the temperatures are beyond %v, the spins order at %v", b[100], eval.Critical(m, 3))
	}
}

// Paths depend on the key alone: not on threads, on how many are held at once or on which estimate was asked for first.
func TestPathsByKey(t *testing.T) {
	ctx := context.Background()
	m := check.SmallMachines(engine(t), 9, 7, 4)[6].Machine
	one := cpu.New(1)
	defer one.Close()
	same := check.SmallMachines(one, 9, 7, 4)[6].Machine
	run := func(m *bm.Machine, bridgeFirst bool) (values []eval.LogZ) {
		a := eval.AIS{Machine: m, Base: make([]float32, 9), Runs: 150, Betas: 20, Sweeps: 2, Key: 8}
		start, err := eval.StartExact(m)
		if err != nil {
			t.Fatal(err)
		}
		if bridgeFirst {
			if _, err := a.Bridge(ctx, start); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []func() (eval.LogZ, error){
			func() (eval.LogZ, error) { return a.Forward(ctx) },
			func() (eval.LogZ, error) { return a.Reverse(ctx, start) },
		} {
			z, err := f()
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, z)
		}
		return values
	}
	want := run(m, false)
	undo := eval.SetPartSpins(16 * 64)
	defer undo()
	for i, got := range run(same, true) {
		if got.Value != want[i].Value || got.Stderr != want[i].Stderr {
			t.Errorf("estimate %d: %+v, want %+v", i, got, want[i])
		}
	}
}

// The reductions of log weights against normal ones, whose mean weight is known: log mean exp is mu + sigma^2/2,
// and forward and reverse paths of D = 2 are normal about 2 -+ sigma^2/2. Errors are those of 400 repetitions,
// whose deviation is known to 3.5 %: five of these, and five standard errors of the mean.
func TestReductions(t *testing.T) {
	const repeats, sigma = 400, 0.8
	check := func(name string, n int, draw func(k rng.Key) (off, stderr float64)) {
		var sum, square, claimed float64
		for i := range repeats {
			off, stderr := draw(rng.Key(i))
			sum, square, claimed = sum+off/repeats, square+off*off/repeats, claimed+stderr/repeats
		}
		deviation := math.Sqrt(square - sum*sum)
		if r := claimed / deviation; r < 0.82 || r > 1.18 {
			t.Errorf("%s: standard errors of %.4f where the deviation is %.4f", name, claimed, deviation)
		}
		if bias := math.Abs(sum); bias > 5*deviation/math.Sqrt(repeats)+2*deviation*deviation {
			t.Errorf("%s: off by %.4f on average", name, sum)
		}
	}
	normals := func(k rng.Key, n int, mean float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = mean + sigma*k.Normal(0, uint64(i))
		}
		return x
	}
	check("log mean", 300, func(k rng.Key) (float64, float64) {
		v, e, _, _ := eval.LogMean(normals(k, 300, -sigma*sigma/2))
		return v, e
	})
	for _, n := range [][2]int{{200, 200}, {300, 60}} {
		check(fmt.Sprint("bridge of ", n), n[0], func(k rng.Key) (float64, float64) {
			d, e, overlap := eval.Bennett(normals(k.Fold(0), n[0], 2-sigma*sigma/2), normals(k.Fold(1), n[1], 2+sigma*sigma/2))
			if overlap < 0.6 || overlap > 1 {
				t.Errorf("overlap %v", overlap)
			}
			return d - 2, e
		})
	}
	// Two runs of weight 3, one of weight 1 and a billion times these.
	for _, shift := range []float64{0, 20.7, -2000, 2000} {
		v, _, ess, _ := eval.LogMean([]float64{math.Log(3) + shift, shift, math.Log(3) + shift})
		near(t, "log mean", v, math.Log(7./3)+shift, 1e-9)
		near(t, "ESS", ess, 49./19, 1e-9)
	}
}

// What an estimate warns of: one run that outweighs all others, and log weights of a large variance.
func TestWarnings(t *testing.T) {
	logs := make([]float64, 500)
	logs[7] = 12
	_, _, _, w := eval.LogMean(logs)
	if len(w) != 1 || w[0] != "AIS did not mix: ESS 1.0 of 500" {
		t.Errorf("%q", w)
	}
	for i := range logs {
		logs[i] = 6.7 * rng.Key(1).Normal(0, uint64(i))
	}
	if _, _, _, w = eval.LogMean(logs); !slices.ContainsFunc(w, func(s string) bool { return strings.Contains(s, "vary by 4") }) {
		t.Errorf("%q", w)
	}
	clear(logs)
	if _, stderr, ess, w := eval.LogMean(logs); len(w) > 0 || stderr != 0 || math.Abs(ess-500) > 1e-9 {
		t.Errorf("equal weights: %v %v %q", stderr, ess, w)
	}
}

// Exact starts have the machine's law, whichever layer is listed and whether or not states are halved:
// chi-square over the visible states against the oracle, at most 6 deviations above its mean (one in 1e8).
func TestExactStarts(t *testing.T) {
	const n = 20000
	for _, shape := range [][2]int{{4, 6}, {5, 3}} {
		for _, s := range check.SmallMachines(engine(t), shape[0], shape[1], 14) {
			start, err := eval.StartExact(s.Machine)
			if err != nil {
				t.Fatal(err)
			}
			chiSquare(t, fmt.Sprint(s.Name, shape), s.Machine, start, n)
		}
	}
	e := engine(t)
	a := bm.NewAxons(e, bm.Restricted(6, 5, false), 3, false)
	a.Bernoulli(1, 5)
	a.SetGain(0.3)
	m := bm.New(e, a, false, false)
	start, err := eval.StartPatterns(m)
	if err != nil {
		t.Fatal(err)
	}
	chiSquare(t, "patterns", m, start, n)
}

func chiSquare(t *testing.T, name string, m *bm.Machine, start eval.Start, n int) {
	t.Helper()
	v := m.Layers()[0]
	got, err := eval.DrawStart(start, n, 6)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, 1<<v)
	for i := range n {
		state := 0
		for j, x := range got[i*v:][:v] {
			if x > 0 {
				state |= 1 << j
			}
		}
		counts[state]++
	}
	logZ := check.LogZ(m)
	row := make([]int8, v)
	chi, bins, rest, restWant := 0.0, 0.0, 0.0, 0.0
	for s := range counts {
		exact.SetState(row, uint64(s))
		want := float64(n) * math.Exp(-check.FreeEnergy(m, row)-logZ)
		if want < 8 {
			rest, restWant = rest+counts[s], restWant+want
			continue
		}
		chi += (counts[s] - want) * (counts[s] - want) / want
		bins++
	}
	if restWant > 8 {
		chi += (rest - restWant) * (rest - restWant) / restWant
		bins++
	}
	if chi > bins-1+6*math.Sqrt(2*bins) {
		t.Errorf("%s: chi-square %.1f of %.0f bins", name, chi, bins)
	}
}

// Frustrated machines of three +-1 patterns, too large to be listed: all methods against the sum over pattern classes.
func TestAgainstPatternClasses(t *testing.T) {
	ctx := context.Background()
	e := engine(t)
	for _, gain := range []float64{0.02, 0.06} {
		a := bm.NewAxons(e, bm.Restricted(40, 50, false), 3, false)
		a.Bernoulli(1, 5)
		a.SetGain(gain)
		m := bm.New(e, a, false, false)
		p, err := exact.ClassesOf(m)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := p.LogZ(ctx, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		start, err := eval.StartPatterns(m)
		if err != nil {
			t.Fatal(err)
		}
		l := eval.AIS{Machine: m, Runs: 300, Betas: 100, Sweeps: 1, Key: 4}
		for name, f := range map[string]func() (eval.LogZ, error){
			"AIS":         func() (eval.LogZ, error) { return l.Forward(ctx) },
			"reverse AIS": func() (eval.LogZ, error) { return l.Reverse(ctx, start) },
			"bridge":      func() (eval.LogZ, error) { return l.Bridge(ctx, start) },
		} {
			z, err := f()
			if err != nil {
				t.Fatal(err)
			}
			within(t, fmt.Sprint(name, " at gain ", gain), z, exact, 0.1)
		}
	}
}

// Wrong settings are named, and a cancelled context ends every method.
func TestAnnealingErrors(t *testing.T) {
	m := check.SmallMachines(engine(t), 5, 4, 9)[0].Machine
	for want, a := range map[string]eval.AIS{
		"1 annealing runs, at least 2 are needed for an error":       {Runs: 1, Betas: 10, Sweeps: 1},
		"0 steps of inverse temperature, at least 1 is needed":       {Runs: 2, Sweeps: 1},
		"0 sweeps at each inverse temperature, at least 1 is needed": {Runs: 2, Betas: 10},
		"a base law of 4 spins for a machine of 5 visible ones":      {Runs: 2, Betas: 10, Sweeps: 1, Base: make([]float32, 4)},
		"field +Inf of visible spin 1 in the base law is not finite": {Runs: 2, Betas: 10, Sweeps: 1, Base: []float32{0, float32(math.Inf(1)), 0, 0, 0}},
	} {
		a.Machine = m
		if _, err := a.Forward(context.Background()); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := eval.AIS{Machine: m, Runs: 10, Betas: 10, Sweeps: 1}
	start, err := eval.StartExact(m)
	if err != nil {
		t.Fatal(err)
	}
	_, forward := a.Forward(ctx)
	_, reverse := a.Reverse(ctx, start)
	_, integration := (&eval.Integration{Machine: m, Ladders: 2, Betas: 8, Sweeps: 5}).Estimate(ctx)
	for _, err := range []error{forward, reverse, integration} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v after cancelling", err)
		}
	}
}

// log Z of a machine that can be listed: both bounds hold it and the bridge between them is sharper.
func ExampleAnnealing() {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(12, 20, false))
	d.Normal(0.3, 1)
	m := bm.New(e, d, false, false)
	exact, err := exact.Smallest(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	start, err := eval.StartExact(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	a := eval.AIS{Machine: m, Runs: 200, Betas: 100, Sweeps: 1, Key: 1}
	lower, err := a.Forward(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	bridge, err := a.Bridge(context.Background(), start)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, z := range []eval.LogZ{lower, bridge} {
		off := math.Abs(z.Value-exact.LogZ()) / z.Stderr
		fmt.Printf("%s: within 3 standard errors %t, stderr below 0.1 %t, %d warnings\n", z.Side, off < 3, z.Stderr < 0.1, len(z.Warnings))
	}
	// Output:
	// lower in expectation: within 3 standard errors true, stderr below 0.1 true, 0 warnings
	// none: within 3 standard errors true, stderr below 0.1 true, 0 warnings
}
