package bm_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
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
					sum := exact.LogSum{}
					all(h, func(x []int8) { sum.Add(exponent(i, vs[i], x)) })
					return -sum.Log()
				}},
				{"F(h)", bm.State{{}, state[1]}, func(i int) float64 {
					sum := exact.LogSum{}
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
		exact.SetState(x, s)
		f(x)
	}
}
