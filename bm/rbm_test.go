package bm_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/rng"
)

func engine(t *testing.T) *cpu.Engine {
	e := cpu.New(2)
	t.Cleanup(e.Close)
	return e
}

func randomRows(n, spins int, key rng.Key) [][]int8 {
	rows := make([][]int8, n)
	for i := range rows {
		rows[i] = make([]int8, spins)
		for j := range rows[i] {
			rows[i][j] = 1
			if key.Uniform(uint64(i), uint64(j)) < 0.4 {
				rows[i][j] = -1
			}
		}
	}
	return rows
}

func TestGradient(t *testing.T) {
	for _, s := range check.SmallMachines(engine(t), 6, 4, 1) {
		t.Run(s.Name, func(t *testing.T) { check.Gradient(t, s.Machine, randomRows(5, 6, 2)) })
	}
}

// Energies and free energies of both layers, with temperature and base rate,
// against sums over all states in float64.
func TestEnergy(t *testing.T) {
	const v, h, rows = 6, 4, 9
	e := engine(t)
	for _, s := range check.SmallMachines(e, v, h, 3) {
		t.Run(s.Name, func(t *testing.T) {
			r := s.Machine
			vs, hs := randomRows(rows, v, 5), randomRows(rows, h, 6)
			state := bm.State{e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Int8, rows, h)}
			write(e, state[0], vs)
			write(e, state[1], hs)
			beta, base := make([]float32, rows), []float32{0.3, -0.2, 0.1, 0, 0.5, -0.4}
			for i := range beta {
				beta[i] = float32(i) / (rows - 1)
			}
			law := bm.Law{Beta: e.Alloc(compute.Float32, rows, 1), Base: e.Alloc(compute.Float32, 1, v)}
			compute.Write(e, law.Beta, beta)
			compute.Write(e, law.Base, base)
			dst := e.Alloc(compute.Float64, rows, 1)
			got := make([]float64, rows)
			exponent := func(i int, vi, hi []int8) float64 {
				x := -float64(beta[i]) * check.Energy(r, vi, hi)
				for j, b := range base {
					x += (1 - float64(beta[i])) * float64(b) * float64(vi[j])
				}
				return x
			}
			for _, c := range []struct {
				name  string
				state bm.State
				want  func(i int) float64
			}{
				{"E(v,h)", state, func(i int) float64 { return -exponent(i, vs[i], hs[i]) }},
				{"F(v)", state[:1], func(i int) float64 {
					sum := bm.LogSum{}
					all(h, func(x []int8) { sum.Add(exponent(i, vs[i], x)) })
					return -sum.Log()
				}},
				{"F(h)", bm.State{{}, state[1]}, func(i int) float64 {
					sum := bm.LogSum{}
					all(v, func(x []int8) { sum.Add(exponent(i, x, hs[i])) })
					return -sum.Log()
				}},
			} {
				r.Energy(dst, c.state, law)
				compute.Read(e, got, dst)
				for i := range got {
					if want := c.want(i); math.Abs(got[i]-want) > 1e-5 {
						t.Errorf("%s of row %d = %.8f, want %.8f", c.name, i, got[i], want)
					}
				}
			}
		})
	}
}

func write(e compute.Engine, m compute.Matrix, rows [][]int8) {
	var x []int8
	for _, r := range rows {
		x = append(x, r...)
	}
	compute.Write(e, m, x)
}

func all(n int, f func(x []int8)) {
	x := make([]int8, n)
	for s := range uint64(1) << n {
		bm.SetState(x, s)
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
				x, err := s.Machine.Enumerate(l)
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
				bm.SetState(got, state)
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
			a := bm.NewAxons(e, 7, 300, 3, false, false)
			a.Uniform(1, 9)
			if equal {
				a.Bernoulli(1, 9)
			}
			r := bm.NewRBM(e, a, false, bias)
			if bias {
				c := make([]float32, 300)
				for i := range c {
					c[i] = 0.5 * float32(i%2)
				}
				compute.Write(e, r.Bias(bm.Hidden).Value, c)
			}
			x, err := r.Enumerate(bm.Visible)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := x.LogZ(), check.LogZ(r); math.Abs(got-want) > 1e-6*want {
				t.Errorf("equal=%v bias=%v: log Z = %.8f, want %.8f", equal, bias, got, want)
			}
			if _, err := r.Enumerate(bm.Hidden); err == nil {
				t.Error("300 spins enumerated")
			}
		}
	}
}

// Listing the states again allocates nothing: the exact estimator does it at every update.
func TestEnumerationAllocatesNothing(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, 8, 20, true)
	d.Normal(0.3, 1)
	x, err := bm.NewRBM(e, d, true, true).Enumerate(bm.Visible)
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
	a := bm.NewAxons(e, 9, 50, 1, false, false)
	a.Bernoulli(1, 10)
	a.SetGain(0.25)
	r := bm.NewRBM(e, a, false, false)
	x, err := r.Enumerate(bm.Visible)
	if err != nil {
		t.Fatal(err)
	}
	energy, state := x.GroundState()
	if math.Abs(energy+9*50*0.25) > 1e-4 {
		t.Errorf("ground energy %v, want %v", energy, -9*50*0.25)
	}
	got, xi := make([]int8, 9), make([]float32, 9)
	bm.SetState(got, state)
	v, _ := a.Patterns()
	compute.Read(e, xi, v.Value)
	for i := range got {
		if float32(got[i])*float32(got[0]) != xi[i]*xi[0] {
			t.Fatalf("ground state %v, want +-%v", got, xi)
		}
	}
}
