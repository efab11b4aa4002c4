package bm_test

import (
	"context"
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
)

// The constant is in every energy at its inverse temperature, in log Z and in the ground state's energy. A machine that
// forgets it in one of them, or scales it wrongly, fails.
func TestConstant(t *testing.T) {
	const v, h, rows, c = 6, 4, 5, 3.25
	e := engine(t)
	for _, s := range check.SmallMachines(e, v, h, 3) {
		t.Run(s.Name, func(t *testing.T) {
			r := s.Machine
			if r.Constant() != 0 {
				t.Fatalf("the constant of a new machine is %v", r.Constant())
			}
			state := bm.State{e.Alloc(compute.Int8, rows, v), e.Alloc(compute.Int8, rows, h)}
			write(e, state[0], randomRows(rows, v, 5))
			write(e, state[1], randomRows(rows, h, 6))
			beta := []float32{0, 0.25, 0.5, 1, 2}
			law := bm.Law{Beta: e.Alloc(compute.Float32, rows, 1), Base: e.Alloc(compute.Float32, 1, v)}
			compute.Write(e, law.Beta, beta)
			compute.Write(e, law.Base, []float32{0.3, -0.2, 0.1, 0, 0.5, -0.4})
			energies := func() (all [][]float64) {
				dst := e.Alloc(compute.Float64, rows, 1)
				for _, l := range []bm.Law{{}, law} {
					for _, st := range []bm.State{state, state[:1], {{}, state[1]}} {
						x := make([]float64, rows)
						r.Energy(dst, st, l)
						compute.Read(e, x, dst)
						all = append(all, x)
					}
				}
				return all
			}
			sums := func() (x [4]float64) {
				for l := range 2 {
					list, err := exact.Enumerate(r, l)
					if err != nil {
						t.Fatal(err)
					}
					x[2*l] = list.LogZ()
					x[2*l+1], _ = list.GroundState()
				}
				return x
			}
			before, sumsBefore := energies(), sums()
			r.SetConstant(1)
			r.SetConstant(c)
			after, sumsAfter := energies(), sums()
			for i := range before {
				for j := range before[i] {
					want := before[i][j] + c
					if i >= 3 {
						want = before[i][j] + c*float64(beta[j])
					}
					if math.Abs(after[i][j]-want) > 1e-12 {
						t.Errorf("energy %d of row %d is %v, want %v", i, j, after[i][j], want)
					}
				}
			}
			for l := range 2 {
				if d := sumsAfter[2*l] - sumsBefore[2*l] + c; math.Abs(d) > 1e-12 {
					t.Errorf("layer %d: log Z is off by %v", l, d)
				}
				if d := sumsAfter[2*l+1] - sumsBefore[2*l+1] - c; math.Abs(d) > 1e-12 {
					t.Errorf("layer %d: the ground state's energy is off by %v", l, d)
				}
			}
			p := r.Params()
			last := p[len(p)-1]
			if last.Name != "energy_constant" || last.Value.Type() != compute.Float64 || !last.Grad.IsNone() {
				t.Errorf("the last parameter is %s %v, want energy_constant in float64 without a gradient", last.Name, last.Value)
			}
		})
	}
}

func TestConstantOfPatternClasses(t *testing.T) {
	e := engine(t)
	a := bm.NewAxons(e, bm.Restricted(8, 6, false), 2, false)
	a.Bernoulli(1, 4)
	r := bm.New(e, a, false, false)
	r.SetConstant(-2.5)
	p, err := exact.ClassesOf(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.LogZ(context.Background(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := exact.Smallest(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := list.LogZ(); math.Abs(got-want) > 1e-6 {
		t.Errorf("log Z by pattern classes %v, by states %v", got, want)
	}
}
