package bm_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/rng"
)

// deepOfSines is the deep machine 4-3-2 of which exact numbers are known: W(n,m,a,b,s)_ij = s sin(a
// i + b j) and biases 0.3 cos i, counted from 1.
func deepOfSines(e compute.Engine) *bm.Machine {
	d := bm.NewDense(e, bm.Deep(4, 3, 2))
	for pair, c := range [][3]float64{{1.3, .7, .8}, {.4, 1.9, .9}} {
		w := d.Weights(pair).Value
		x := make([]float32, w.Len())
		for i := range x {
			x[i] = float32(c[2] * math.Sin(c[0]*float64(i/w.Cols()+1)+c[1]*float64(i%w.Cols()+1)))
		}
		compute.Write(e, w, x)
	}
	m := bm.New(e, d, true, true, true)
	for l, n := range m.Layers() {
		b := make([]float32, n)
		for i := range b {
			b[i] = float32(.3 * math.Cos(float64(i+1)))
		}
		compute.Write(e, m.Bias(l).Value, b)
	}
	return m
}

// means returns rows of the given visible spins with room for the means of the other layers.
func means(m *bm.Machine, visible []int8) bm.State {
	e, sizes := m.Engine(), m.Layers()
	rows := len(visible) / sizes[bm.Visible]
	s := bm.State{e.Alloc(compute.Int8, rows, sizes[bm.Visible])}
	compute.Write(e, s[0], visible)
	for _, n := range sizes[1:] {
		s = append(s, e.Alloc(compute.Float32, rows, n))
	}
	return s
}

func floats(e compute.Engine, x compute.Matrix) []float64 {
	y := make([]float32, x.Len())
	compute.Read(e, y, x)
	z := make([]float64, len(y))
	for i, v := range y {
		z[i] = float64(v)
	}
	return z
}

func bound(m *bm.Machine, s bm.State) []float64 {
	d := m.Engine().Alloc(compute.Float64, s.Rows(), 1)
	m.Bound(d, s)
	f := make([]float64, s.Rows())
	compute.Read(m.Engine(), f, d)
	return f
}

// The fixed point of ++-- and its bound on -log p, computed in float64 elsewhere.
func TestMeanFieldOfDeepMachine(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	m := deepOfSines(e)
	s := means(m, []int8{1, 1, -1, -1})
	if _, moving := m.MeanField(s, 200, 1e-6); moving != 0 {
		t.Errorf("%d rows have not settled", moving)
	}
	for l, want := range [][]float64{1: {.994462374, .745852234, -.807939770}, 2: {.795472196, -.703740422}} {
		for i, x := range want {
			if got := floats(e, s[l])[i]; math.Abs(got-x) > 2e-5 {
				t.Errorf("layer %d, spin %d: mean %.9f, want %.9f", l, i, got, x)
			}
		}
	}
	if got := bound(m, s)[0] + 9.931395590821; math.Abs(got-3.167254965727) > 2e-5 {
		t.Errorf("bound on -log p %.9f, want 3.167254966", got)
	}
}

// fieldOn returns minus half the difference of the energies of a mean of 1 and of -1: the field
// that it is in.
func fieldOn(m *bm.Machine, s bm.State, l, row, i int) float64 {
	e := m.Engine()
	at := s[l].Slice(row, row+1).Columns(i, i+1)
	was, d := floats(e, at), e.Alloc(compute.Float64, 1, 1)
	var energy [2]float64
	for k, x := range []float64{-1, 1} {
		e.Fill(at, x)
		m.Energy(d, s.Slice(row, row+1), bm.Law{})
		compute.Read(e, energy[k:k+1], d)
	}
	e.Fill(at, was[0])
	return (energy[0] - energy[1]) / 2
}

// Machines of several topologies against a scalar ascent on energies alone, one spin after the
// other; the bound is never below F and never rises from sweep to sweep, and rows do not depend on
// each other. A wrong order within a coupled layer, its own spin in a field, and an offset or bias
// left out fail. The layers of 33 spins need two blocks.
func TestMeanFieldAgainstScalarAscent(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	graphs := map[string]bm.Graph{
		"restricted": bm.Restricted(4, 3, true), "deep": bm.Deep(4, 3, 2), "deeper": bm.Deep(3, 3, 2, 3),
		"full": bm.Full(4, 5), "full, two blocks": bm.Full(3, 33), "hybrid": bm.Hybrid(4, 3),
		"triangle": {Layers: []bm.Layer{{Name: "visible", N: 3, Kind: bm.Spins}, {Name: "a", N: 3, Kind: bm.Spins, Offset: true}, {Name: "b", N: 2, Kind: bm.Spins}},
			Pairs: []bm.Pair{{0, 1}, {0, 2}, {1, 2}, {1, 1}}},
		"Gaussian top": {Layers: []bm.Layer{{Name: "visible", N: 3, Kind: bm.Spins}, {Name: "a", N: 3, Kind: bm.Spins}, {Name: "z", N: 2, Kind: bm.Gaussian}},
			Pairs: []bm.Pair{{0, 1}, {1, 2}}},
	}
	for name, g := range graphs {
		for _, axons := range []bool{false, true} {
			var c bm.Couplings
			if axons {
				a := bm.NewAxons(e, g, 2, false)
				a.Uniform(.7, 5)
				c = a
			} else {
				d := bm.NewDense(e, g)
				d.Normal(.3, 5)
				c = d
			}
			m := bm.New(e, c, true, true, true, true)
			for j, p := range m.Params() {
				if p.Value.Rows() == 1 && p.Value.Cols() > 1 {
					x := make([]float32, p.Value.Len())
					for i := range x {
						x[i] = float32(.3 * rng.Key(9).Normal(uint64(j), uint64(i)))
					}
					compute.Write(e, p.Value, x)
				}
			}
			v := make([]int8, 3*g.Layers[0].N)
			for i := range v {
				v[i] = int8(2*(i*i%3%2) - 1)
			}
			got, want := means(m, v), means(m, v)
			order := append(append([]int(nil), m.View().Right...), m.View().Left[1:]...)
			before := make([]float64, 3)
			for sweep := 1; sweep <= 4; sweep++ {
				m.MeanField(got, sweep, 0)
				for _, l := range order {
					for row := range 3 {
						for i := range g.Layers[l].N {
							x := fieldOn(m, want, l, row, i)
							if g.Layers[l].Kind == bm.Spins {
								x = math.Tanh(x)
							}
							e.Fill(want[l].Slice(row, row+1).Columns(i, i+1), x)
						}
					}
					x, y := floats(e, got[l]), floats(e, want[l])
					for i := range x {
						if sweep == 4 && math.Abs(x[i]-y[i]) > 1e-5 {
							t.Fatalf("%s, axons %v: layer %d, entry %d is %.7f after %d sweeps, want %.7f", name, axons, l, i, x[i], sweep, y[i])
						}
					}
				}
				now := bound(m, got)
				for i, b := range now {
					if sweep > 1 && b > before[i]+1e-5 {
						t.Errorf("%s, axons %v: the bound rose from %.7f to %.7f", name, axons, before[i], b)
					}
				}
				before = now
			}
			m.MeanField(got, 500, 1e-5)
			if name != "full, two blocks" {
				f := make([]float64, 3)
				if err := exact.FreeEnergies(m, f, v); err != nil {
					t.Fatal(err)
				}
				for i, b := range bound(m, got) {
					if b < f[i]-1e-5 || m.SumsOut() && math.Abs(b-f[i]) > 1e-5 {
						t.Errorf("%s, axons %v: bound %.7f of F = %.7f", name, axons, b, f[i])
					}
				}
			}
			alone := means(m, v[:g.Layers[0].N])
			m.MeanField(alone, 500, 1e-5)
			for l := 1; l < len(alone); l++ {
				x, y := floats(e, alone[l]), floats(e, got[l].Slice(0, 1))
				for i := range x {
					if x[i] != y[i] {
						t.Errorf("%s, axons %v: layer %d of a row alone is %v, among others %v", name, axons, l, x, y)
						break
					}
				}
			}
		}
	}
}

// Two hidden spins of coupling -3 in equal fields would flip together for ever; one after the other
// they settle, and what has not settled after so many sweeps is counted.
func TestMeanFieldSettles(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	d := bm.NewDense(e, bm.Graph{Layers: []bm.Layer{{Name: "visible", N: 1, Kind: bm.Spins}, {Name: "h", N: 2, Kind: bm.Spins}}, Pairs: []bm.Pair{{0, 1}, {1, 1}}})
	compute.Write(e, d.Weights(0).Value, []float32{.1, .1})
	compute.Write(e, d.Weights(1).Value, []float32{0, -3, -3, 0})
	m := bm.New(e, d)
	s := means(m, []int8{1, -1, 1})
	if sweeps, moving := m.MeanField(s, 1, 1e-5); sweeps != 1 || moving != 3 {
		t.Errorf("%d sweeps and %d moving rows, want 1 and 3", sweeps, moving)
	}
	sweeps, moving := m.MeanField(s, 100, 1e-5)
	if moving != 0 || sweeps < 3 || sweeps == 100 {
		t.Errorf("%d rows move after %d sweeps", moving, sweeps)
	}
	if x := floats(e, s[1]); x[0] < .9 || x[1] > -.9 || x[2] > -.9 || x[3] < .9 {
		t.Errorf("means %v", x)
	}
}
