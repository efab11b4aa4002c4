package exact_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/internal/check"
)

func engine(t *testing.T) *cpu.Engine {
	e := cpu.New(2)
	t.Cleanup(e.Close)
	return e
}

func all(n int, f func(x []int8)) {
	x := make([]int8, n)
	for s := range uint64(1) << n {
		exact.SetState(x, s)
		f(x)
	}
}

// log Z by visible and by hidden enumeration against the plain float64 sum;
// odd and even sizes, one spin, and a layer split in more than one block.
func TestEnumeration(t *testing.T) {
	e := engine(t)
	for _, n := range [][2]int{{6, 4}, {1, 3}, {7, 1}, {12, 5}} {
		for _, s := range check.SmallMachines(e, n[0], n[1], 4) {
			want := check.LogZ(s.Machine)
			for l := range 2 {
				x, err := exact.Enumerate(s.Machine, l)
				if err != nil {
					t.Fatal(err)
				}
				if got := x.LogZ(); math.Abs(got-want) > 1e-5 {
					t.Errorf("%v %s: log Z over layer %d = %.8f, want %.8f", n, s.Name, l, got, want)
				}
				if n[0]+n[1] > 14 {
					continue
				}
				energy, state := x.GroundState()
				best, at := math.Inf(1), []int8(nil)
				all(n[l], func(a []int8) {
					all(n[1-l], func(b []int8) {
						v, h := a, b
						if l == bm.Hidden {
							v, h = b, a
						}
						if en := check.Energy(s.Machine, v, h); en < best {
							best, at = en, append([]int8(nil), a...)
						}
					})
				})
				got := make([]int8, n[l])
				exact.SetState(got, state)
				if math.Abs(energy-best) > 1e-5 || (!equal(got, at, 1) && !(x.Half() && equal(got, at, -1))) {
					t.Errorf("%v %s: ground state of layer %d %v at %.6f, want %v at %.6f", n, s.Name, l, got, energy, at, best)
				}
			}
		}
	}
}

func equal(a, b []int8, sign int8) bool {
	for i := range a {
		if a[i] != sign*b[i] {
			return false
		}
	}
	return true
}

// +-1 patterns make equal columns, which are summed once: K = 3 leaves 4 of 300
// hidden spins. Clipped patterns make none, and both give the plain sum.
func TestEnumerationGroupsColumns(t *testing.T) {
	e := engine(t)
	for _, bias := range []bool{false, true} {
		for _, equal := range []bool{false, true} {
			a := bm.NewAxons(e, bm.Restricted(7, 300, false), 3, false)
			a.Uniform(1, 9)
			if equal {
				a.Bernoulli(1, 9)
			}
			r := bm.New(e, a, false, bias)
			if bias {
				c := make([]float32, 300)
				for i := range c {
					c[i] = 0.5 * float32(i%2)
				}
				compute.Write(e, r.Bias(bm.Hidden).Value, c)
			}
			x, err := exact.Enumerate(r, bm.Visible)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := x.LogZ(), check.LogZ(r); math.Abs(got-want) > 1e-6*want {
				t.Errorf("equal=%v bias=%v: log Z = %.8f, want %.8f", equal, bias, got, want)
			}
			if _, err := exact.Enumerate(r, bm.Hidden); err == nil {
				t.Error("300 spins enumerated")
			}
		}
	}
}

// Listing the states again allocates nothing: the exact estimator does it at every update.
func TestEnumerationAllocatesNothing(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Restricted(8, 20, true))
	d.Normal(0.3, 1)
	x, err := exact.Enumerate(bm.New(e, d, true, true), bm.Visible)
	if err != nil {
		t.Fatal(err)
	}
	visit := func(uint64, []float64) bool { return false }
	if n := testing.AllocsPerRun(10, func() { x.Exponents(visit) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The two ground states of one pattern are the pattern and its negative, at -V H g (Mattis 1976).
func TestMattisGroundState(t *testing.T) {
	e := engine(t)
	a := bm.NewAxons(e, bm.Restricted(9, 50, false), 1, false)
	a.Bernoulli(1, 10)
	a.SetGain(0.25)
	r := bm.New(e, a, false, false)
	x, err := exact.Enumerate(r, bm.Visible)
	if err != nil {
		t.Fatal(err)
	}
	energy, state := x.GroundState()
	if math.Abs(energy+9*50*0.25) > 1e-4 {
		t.Errorf("ground energy %v, want %v", energy, -9*50*0.25)
	}
	got, xi := make([]int8, 9), make([]float32, 9)
	exact.SetState(got, state)
	v := a.Patterns(bm.Visible)
	compute.Read(e, xi, v.Value)
	for i := range got {
		if float32(got[i])*float32(got[0]) != xi[i]*xi[0] {
			t.Fatalf("ground state %v, want +-%v", got, xi)
		}
	}
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
