package exact_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// classMachine returns axons of +-1 patterns. biases is none, classes (the bias of a spin is
// a function of its column of pattern signs, odd in it) or free (hidden ones are all different, visible ones take two values).
func classMachine(e compute.Engine, visible, hidden, patterns int, gain float64, biases string) *bm.Machine {
	a := bm.NewAxons(e, bm.Restricted(visible, hidden, true), patterns, false)
	a.Bernoulli(1, rng.Key(visible*patterns))
	a.SetGain(gain)
	r := bm.New(e, a, biases != "none", biases != "none")
	if biases == "none" {
		return r
	}
	pv, ph := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	for l, p := range []bm.Param{pv, ph} {
		x := make([]float32, p.Value.Len())
		compute.Read(e, x, p.Value)
		n := p.Value.Cols()
		b := make([]float32, n)
		for i := range b {
			for k := range patterns {
				b[i] += x[k*n+i] * 0.2 * float32(k+1)
			}
			switch {
			case biases == "free" && l == bm.Hidden:
				b[i] = float32(0.5 * rng.Key(5).Normal(0, uint64(i)))
			case biases == "free":
				b[i] = 0.3 - 0.7*float32(i%2)
			}
		}
		compute.Write(e, r.Bias(l).Value, b)
	}
	return r
}

func classLogZ(t *testing.T, r *bm.Machine) (*exact.PatternClasses, float64) {
	t.Helper()
	p, err := exact.ClassesOf(r)
	if err != nil {
		t.Fatal(err)
	}
	z, err := p.LogZ(context.Background(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, z
}

// The sum over counts is the sum over states: odd, even and empty classes,
// either layer listed, with and without biases.
func TestPatternClassesAgainstEnumeration(t *testing.T) {
	e := engine(t)
	listed := map[int]bool{}
	for _, n := range [][3]int{{1, 1, 1}, {7, 5, 1}, {8, 6, 1}, {9, 40, 2}, {12, 9, 2}, {11, 30, 3}, {30, 10, 3}, {10, 9, 4}, {6, 12, 5}} {
		for _, biases := range []string{"none", "classes", "free"} {
			for _, gain := range []float64{0.05, 0.6} {
				r := classMachine(e, n[0], n[1], n[2], gain, biases)
				p, got := classLogZ(t, r)
				listed[p.Layer()] = true
				x, err := exact.Smallest(r)
				if err != nil {
					t.Fatal(err)
				}
				want := x.LogZ()
				if n[0] <= 12 {
					want = check.LogZ(r)
				}
				if math.Abs(got-want) > 1e-5 { // the fields of the enumeration are float32
					t.Errorf("%v, biases %s, gain %v: log Z = %.8f, want %.8f", n, biases, gain, got, want)
				}
				if biases == "none" && p.Terms() > math.Exp2(float64(r.Layers()[p.Layer()])) {
					t.Errorf("%v: %v terms", n, p.Terms())
				}
			}
		}
	}
	if !listed[bm.Visible] || !listed[bm.Hidden] {
		t.Errorf("only layers %v were listed", listed)
	}
}

// The Boltzmann weights exp(-F) of all states add up to Z in float64, and F is that of the engine within the rounding of
// its fields: either layer listed, with biases and a constant, patterns of another magnitude than 1. Tables of the wrong layer, an overlap
// of the wrong sign and a factor rounded apart from that of the sum fail.
func TestPatternClassesFreeEnergies(t *testing.T) {
	e := engine(t)
	listed := map[int]bool{}
	for _, n := range [][3]int{{1, 1, 1}, {7, 5, 1}, {9, 40, 2}, {12, 9, 2}, {11, 30, 3}, {10, 3, 3}, {10, 9, 4}, {6, 12, 5}} {
		for _, biases := range []string{"none", "classes", "free"} {
			r := classMachine(e, n[0], n[1], n[2], 0.3, biases)
			r.SetConstant(2.5)
			if n[0] == 12 {
				r.Couplings().(*bm.Axons).Bernoulli(0.7, 2)
			}
			p, want := classLogZ(t, r)
			listed[p.Layer()] = true
			rows := 1 << n[0]
			spins := make([]int8, rows*n[0])
			for i := range rows {
				exact.SetState(spins[i*n[0]:(i+1)*n[0]], uint64(i))
			}
			f := make([]float64, rows)
			p.FreeEnergies(f, spins)
			var z exact.LogSum
			for _, x := range f {
				z.Add(-x)
			}
			if math.Abs(z.Log()-want) > 1e-11*float64(n[0]*n[1]) {
				t.Errorf("%v, biases %s: log of the sum of exp(-F) = %.12f, log Z = %.12f", n, biases, z.Log(), want)
			}
			v, y := e.Alloc(compute.Int8, rows, n[0]), e.Alloc(compute.Float64, rows, 1)
			compute.Write(e, v, spins)
			r.Energy(y, bm.State{v}, bm.Law{})
			g := make([]float64, rows)
			compute.Read(e, g, y)
			for i := range g {
				if math.Abs(f[i]-g[i]) > 1e-4 {
					t.Fatalf("%v, biases %s: F of state %d = %.6f, the engine has %.6f", n, biases, i, f[i], g[i])
				}
			}
		}
	}
	if !listed[bm.Visible] || !listed[bm.Hidden] {
		t.Errorf("only layers %v were listed", listed)
	}
}

// At the size of MNIST: one pattern against the sum over its overlap, two against the sum over both
// classes, written out; and no coupling at all.
func TestPatternClassesAtRealSize(t *testing.T) {
	const v, h = 784, 3000
	e := engine(t)
	binomial := func(n, k int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return a - b - c
	}
	for _, gain := range []float64{1e-9, 0.001, 0.01, 1} {
		_, got := classLogZ(t, classMachine(e, v, h, 1, gain, "none"))
		g := float64(compute.Factor(1, float32(math.Log(gain))))
		var one exact.LogSum
		for up := range v + 1 {
			one.Add(binomial(v, up) + h*compute.LogTwoCosh(g*float64(2*up-v)))
		}
		if want := one.Log(); math.Abs(got-want) > 1e-9*want {
			t.Errorf("K = 1, gain %v: log Z = %.9f, want %.9f", gain, got, want)
		}

		r := classMachine(e, v, h, 2, gain, "none")
		p, got := classLogZ(t, r)
		n := p.Classes()
		if len(n) != 2 || n[0]+n[1] != v {
			t.Fatalf("classes %v of %d spins", n, v)
		}
		// Hidden spins whose two signs agree see f(A_1+A_2), the others f(A_1-A_2). With the overlaps M of
		// the visible classes (signs equal, signs opposite) these are 2 f M_equal and 2 f M_opposite.
		equal := func(l int) (same int) {
			m := r.Axons().Patterns(l).Value
			x := make([]float32, m.Len())
			compute.Read(e, x, m)
			for i := range m.Cols() {
				if x[i] == x[m.Cols()+i] {
					same++
				}
			}
			return same
		}
		f := float64(compute.Factor(1/math.Sqrt(2), float32(math.Log(gain))))
		z := 0.0 // the two classes are independent
		for _, c := range [][2]int{{equal(0), equal(1)}, {v - equal(0), h - equal(1)}} {
			var sum exact.LogSum
			for up := range c[0] + 1 {
				sum.Add(binomial(c[0], up) + float64(c[1])*compute.LogTwoCosh(2*f*float64(2*up-c[0])))
			}
			z += sum.Log()
		}
		if math.Abs(got-z) > 1e-9*z {
			t.Errorf("K = 2, gain %v: log Z = %.9f, want %.9f", gain, got, z)
		}
		if gain == 1e-9 && math.Abs(got-(v+h)*math.Ln2) > 1e-6 {
			t.Errorf("log Z without couplings = %.9f", got)
		}
	}
}

// The bits do not depend on the number of threads; progress rises to 1; an ended context stops the sum.
func TestPatternClassesThreads(t *testing.T) {
	r := classMachine(engine(t), 60, 50, 3, 0.2, "none")
	var want float64
	for _, threads := range []int{1, 2, 5} {
		p, err := exact.ClassesOf(r)
		if err != nil {
			t.Fatal(err)
		}
		last := 0.0
		got, err := p.LogZ(context.Background(), threads, func(share float64) {
			if share <= last {
				t.Errorf("progress %v after %v", share, last)
			}
			last = share
		})
		if err != nil || last != 1 {
			t.Errorf("progress ended at %v, error %v", last, err)
		}
		if threads == 1 {
			want = got
		}
		if got != want {
			t.Errorf("%d threads: log Z = %v, one gives %v", threads, got, want)
		}
	}
	p, _ := exact.ClassesOf(r)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := p.LogZ(ctx, 2, nil); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// Samples follow the enumerated distribution: of both layers on machines small enough to list.
func TestPatternClassesSample(t *testing.T) {
	const rows = 1 << 15
	e := engine(t)
	for _, n := range [][3]int{{5, 4, 2}, {4, 5, 2}, {4, 4, 3}, {5, 3, 1}} {
		for _, biases := range []string{"none", "classes", "free"} {
			r := classMachine(e, n[0], n[1], n[2], 0.3, biases)
			p, _ := classLogZ(t, r)
			err := check.Drift(r, check.Free(), func(s bm.State, law bm.Law) {
				for _, m := range s {
					e.Copy(m, m.Slice(0, 1).Repeat(m.Rows()))
				}
				for _, part := range [][2]int{{0, 1000}, {1000, rows}} {
					if err := p.Sample(context.Background(), 2, s.Slice(part[0], part[1]), bm.Law{Key: law.Key, Row: uint64(part[0])}); err != nil {
						t.Fatal(err)
					}
				}
			})
			if err != nil {
				t.Errorf("%v, biases %s, layer %d: %v", n, biases, p.Layer(), err)
			}
		}
	}
	// A larger one: the mean energy against the derivative of log Z by the gain, 5 standard errors (6e-7).
	r := classMachine(e, 60, 80, 3, 0.05, "none")
	p, _ := classLogZ(t, r)
	s := bm.State{e.Alloc(compute.Int8, 4000, 60), e.Alloc(compute.Int8, 4000, 80)}
	if err := p.Sample(context.Background(), 2, s, bm.Law{Key: 3}); err != nil {
		t.Fatal(err)
	}
	// The numbers of a row are those of its place: in parts as in one piece.
	parts := bm.State{e.Alloc(compute.Int8, 4000, 60), e.Alloc(compute.Int8, 4000, 80)}
	for _, part := range [][2]int{{0, 1500}, {1500, 4000}} {
		if err := p.Sample(context.Background(), 1, parts.Slice(part[0], part[1]), bm.Law{Key: 3, Row: uint64(part[0])}); err != nil {
			t.Fatal(err)
		}
	}
	for l := range s {
		whole, cut := make([]int8, s[l].Len()), make([]int8, s[l].Len())
		compute.Read(e, whole, s[l])
		compute.Read(e, cut, parts[l])
		if !slices.Equal(whole, cut) {
			t.Errorf("layer %d in two parts differs from the whole", l)
		}
	}
	energy, x := e.Alloc(compute.Float64, 4000, 1), make([]float64, 4000)
	r.Energy(energy, s, bm.Law{})
	compute.Read(e, x, energy)
	var mean, square float64
	for _, y := range x {
		mean += y / 4000
		square += y * y / 4000
	}
	a := r.Couplings().(*bm.Axons)
	logZ := func(gain float64) float64 {
		a.SetGain(gain)
		_, z := classLogZ(t, r)
		return z
	}
	const step = 1e-3
	want := -(logZ(0.05*math.Exp(step)) - logZ(0.05*math.Exp(-step))) / (2 * step)
	if stderr := math.Sqrt((square - mean*mean) / 4000); math.Abs(mean-want) > 5*stderr {
		t.Errorf("mean energy %.4f(%.4f), the derivative of log Z says %.4f", mean, stderr, want)
	}
}

func TestPatternClassesRefuses(t *testing.T) {
	e := engine(t)
	axons := func(change func(a *bm.Axons)) *bm.Machine {
		a := bm.NewAxons(e, bm.Restricted(4, 3, true), 2, false)
		a.Bernoulli(1, 1)
		change(a)
		return bm.New(e, a, false, false)
	}
	large := classMachine(e, 784, 3000, 4, 1, "none")
	biased := classMachine(e, 300, 200, 1, 1, "none")
	both := bm.New(e, biased.Couplings(), true, true)
	for l := range 2 {
		b := make([]float32, both.Layers()[l])
		for i := range b {
			b[i] = float32(i + 1)
		}
		compute.Write(e, both.Bias(l).Value, b)
	}
	for _, c := range []struct {
		name string
		r    *bm.Machine
		want string
	}{
		{"dense", bm.New(e, bm.NewDense(e, bm.Restricted(4, 3, false)), false, false), "pattern classes need axons, and the couplings are dense"},
		{"offset", axons(func(a *bm.Axons) { a.SetOffset(e, bm.Visible, []float32{0, 0, 0.25, 0}) }), "offset.visible[2] is 0.25; pattern classes need offsets of 0"},
		{"patterns", axons(func(a *bm.Axons) {
			v := a.Patterns(bm.Visible)
			compute.Write(e, v.Value, []float32{1, 1, 1, 1, 1, -0.5, 1, 1})
		}), "patterns.visible[1,1] is -0.5 and [0,0] is 1; pattern classes need patterns of one magnitude, such as +-1"},
		{"size", large, "the sum over pattern classes has about 4e+15 terms of 8 parts each (8 classes of visible, 8 of hidden spins with equal pattern signs and biases), at most 4e+09 terms of 4 parts can be"},
		{"biases", both, "(300 classes of visible, 200 of hidden spins"},
	} {
		_, err := exact.ClassesOf(c.r)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// Patterns of another magnitude are scaled ones.
	r := axons(func(a *bm.Axons) { a.Bernoulli(0.7, 2) })
	if _, got := classLogZ(t, r); math.Abs(got-check.LogZ(r)) > 1e-6 {
		t.Errorf("log Z of patterns of +-0.7 = %v, want %v", got, check.LogZ(r))
	}
}

// log Z of a machine of MNIST's size with two patterns, summed exactly.
func ExamplePatternClasses() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(784, 3000, false), 2, false)
	a.Bernoulli(1, 1)
	a.SetGain(0.001)
	p, err := exact.ClassesOf(bm.New(e, a, false, false))
	if err != nil {
		panic(err)
	}
	logZ, err := p.LogZ(context.Background(), 1, nil)
	fmt.Printf("%.0f terms, log Z = %.3f nats, %v\n", p.Terms(), logZ, err)
	// Output:
	// 77164 terms, log Z = 2637.655 nats, <nil>
}
