package optim_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/optim"
	"mattis/rng"
)

// others returns all parameters but the patterns.
func others(r *bm.Machine) (all []float64) {
	for _, p := range r.Params() {
		if p.Name != "patterns.visible" && p.Name != "patterns.hidden" {
			all = append(all, floats(r.Engine(), p.Value)...)
		}
	}
	return all
}

func TestSignAndClip(t *testing.T) {
	r := machines(t)[1].Machine
	a := r.Couplings().(*bm.Axons)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	e := r.Engine()
	special := []float64{0, math.Copysign(0, -1), 1e-30, -1e-30, 1, -1, 0.5, -0.5, 3, -3, 0.75, -0.75}
	for _, c := range []struct {
		name string
		p    optim.Projection
		rule func(x float64) float64
	}{
		{"sign", optim.Sign{Machine: r, Axons: a}, func(x float64) float64 {
			if x < 0 {
				return -1
			}
			return 1
		}},
		{"clip 0.75", optim.Clip{Machine: r, Axons: a, Bound: 0.75}, func(x float64) float64 { return max(-0.75, min(0.75, x)) }},
	} {
		kept := others(r)
		for _, p := range []bm.Param{v, h} {
			x := make([]float64, p.Value.Len())
			for i := range x {
				x[i] = special[i%len(special)]
			}
			write(e, p.Value, x)
		}
		before := [][]float64{floats(e, v.Value), floats(e, h.Value)}
		c.p.Project(7)
		for l, p := range []bm.Param{v, h} {
			for i, got := range floats(e, p.Value) {
				if want := c.rule(before[l][i]); got != want {
					t.Errorf("%s of %v is %v, want %v", c.name, before[l][i], got, want)
				}
			}
		}
		if !slices.Equal(others(r), kept) {
			t.Errorf("%s changed what is no pattern", c.name)
		}
	}
}

// The spins that the projection draws follow the product of Eqs. B2 from the
// continuous visible patterns, after one step and after two; the law of the signs as seeds is told apart.
func TestGibbsProjectionLaw(t *testing.T) {
	const draws = 6000
	all := check.SmallMachines(engine(t), 3, 3, 42)
	for _, s := range []check.Small{all[4], all[7]} {
		r := s.Machine
		a := r.Couplings().(*bm.Axons)
		e := r.Engine()
		v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
		xv, xh := floats(e, v.Value), floats(e, h.Value)
		kept := others(r)
		for _, steps := range []int{1, 2} {
			p, err := optim.NewGibbs(r, a, steps)
			if err != nil {
				t.Fatal(err)
			}
			counts := make([][]float64, 3)
			for k := range counts {
				counts[k] = make([]float64, 64)
			}
			for i := range draws {
				p.Project(rng.Key(43).Fold(uint64(i)))
				x, y := floats(e, v.Value), floats(e, h.Value)
				for k := range counts {
					n := 0
					for j := range 3 {
						for l, s := range []float64{x[k*3+j], y[k*3+j]} {
							switch s {
							case 1:
								n |= 1 << (j + 3*l)
							case -1:
							default:
								t.Fatalf("entry %d of pattern %d is %v after the projection", j, k, s)
							}
						}
					}
					counts[k][n]++
				}
				write(e, v.Value, xv)
				write(e, h.Value, xh)
			}
			told := false
			for k := range counts {
				seed, signs := xv[k*3:][:3], make([]float64, 3)
				for i, x := range seed {
					signs[i] = math.Copysign(1, x)
				}
				if err := check.ChiSquare(counts[k], check.SweepLaw(r, seed, steps)); err != nil {
					t.Errorf("%s: %d steps, pattern %d: %v", s.Name, steps, k, err)
				}
				told = told || check.ChiSquare(counts[k], check.SweepLaw(r, signs, steps)) != nil
			}
			if steps == 1 && !told {
				t.Errorf("%s: continuous seeds and their signs are not told apart", s.Name)
			}
		}
		if !slices.Equal(others(r), kept) {
			t.Errorf("%s: the projection changed what is no pattern", s.Name)
		}
	}
}

// The paper projects the patterns of the Bars to their signs after every epoch.
func ExampleSign() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(4, 3, false), 1, false)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	compute.Write(e, v.Value, []float32{0.3, -0.2, 0, -1.4})
	compute.Write(e, h.Value, []float32{0.9, -0.9, 2})
	optim.Sign{Machine: bm.New(e, a, false, false), Axons: a}.Project(0)
	fmt.Println(floats(e, v.Value), floats(e, h.Value))
	// Output: [1 -1 1 -1] [1 -1 1]
}
