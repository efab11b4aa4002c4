package check

import (
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/rng"
	"mattis/sampler"
)

// A wrong sampler drifts, for every kind of machine.
func TestDriftSeesWrongSamplers(t *testing.T) {
	e := cpu.New(2)
	t.Cleanup(e.Close)
	free, warm, clamped := Free(), Ensemble{}, []Ensemble{}
	machines := SmallMachines(e, 5, 4, 11)
	for _, en := range Ensembles(machines[0].Machine) {
		switch en.Name {
		case "temperatures":
			warm = en
		case "clamped alike", "clamped by row":
			clamped = append(clamped, en)
		}
	}
	sweeps := func(m *bm.Machine, change func(law *bm.Law, sweep int)) func(bm.State, bm.Law) {
		return func(s bm.State, law bm.Law) {
			for i := range 3 {
				l := law
				l.Key = law.Key.Fold(uint64(i))
				change(&l, i)
				m.Sweep(s, l)
			}
		}
	}
	for _, s := range []Small{machines[0], machines[7]} {
		r := s.Machine
		hotter := func(law *bm.Law, _ int) {
			law.Beta = e.Alloc(compute.Float32, driftRows, 1)
			ones := make([]float32, driftRows)
			for i := range ones {
				ones[i] = 1.1
			}
			compute.Write(e, law.Beta, ones)
		}
		for _, c := range []struct {
			name  string
			under []Ensemble
			move  func(bm.State, bm.Law)
		}{
			{"fields times 1.1", []Ensemble{free}, sweeps(r, hotter)},
			{"temperatures ignored", []Ensemble{warm}, sweeps(r, func(law *bm.Law, _ int) { law.Beta = compute.Matrix{} })},
			{"base rate ignored", []Ensemble{warm}, sweeps(r, func(law *bm.Law, _ int) { law.Base = compute.Matrix{} })},
			{"clamp ignored", clamped, sweeps(r, func(law *bm.Law, _ int) { law.Clamp = nil })},
			{"clamp put back at the end", clamped, func(s bm.State, law bm.Law) {
				free := law
				free.Clamp = nil
				sampler.Gibbs(r, s, free, 3)
				for l, c := range law.Clamp {
					if !c.IsNone() {
						putBack(e, s[l], c)
					}
				}
			}},
			{"one key for all sweeps", []Ensemble{free}, func(s bm.State, law bm.Law) {
				for range 3 {
					r.Sweep(s, law)
				}
			}},
			{"one key for both layers", []Ensemble{free}, func(s bm.State, law bm.Law) {
				for i := range 3 {
					k := law.Key.Fold(uint64(i))
					fields := e.Alloc(compute.Float32, driftRows, 5)
					for l := range 2 {
						drawWith(r, s, 1-l, fields, k)
					}
				}
			}},
			{"both layers drawn from the old state", []Ensemble{free}, func(s bm.State, law bm.Law) {
				old := e.Alloc(compute.Int8, driftRows, 4)
				e.Copy(old, s[bm.Hidden])
				r.Sample(s, bm.Hidden, law)
				r.Sample(bm.State{s[bm.Visible], old}, bm.Visible, law)
			}},
			{"frozen at its start", []Ensemble{free}, func(s bm.State, _ bm.Law) {
				e.Copy(s[bm.Visible], s[bm.Visible].Slice(0, 1).Repeat(driftRows))
			}},
		} {
			for _, en := range c.under {
				err := Drift(r, en, c.move)
				if err == nil {
					t.Errorf("%s, %s, %s: no drift seen", s.Name, en.Name, c.name)
				}
				t.Logf("%s, %s, %s: %v", s.Name, en.Name, c.name, err)
			}
		}
		NoDrift(t, r, func(s bm.State, law bm.Law) { sampler.Gibbs(r, s, law, 3) })
	}
}

// putBack sets the spins of m that are clamped.
func putBack(e compute.Engine, m, clamp compute.Matrix) {
	spins, fixed := make([]int8, m.Len()), make([]int8, m.Len())
	compute.Read(e, spins, m)
	compute.Read(e, fixed, clamp)
	for i, c := range fixed {
		if c != 0 {
			spins[i] = c
		}
	}
	compute.Write(e, m, spins)
}

// drawWith draws layer l with numbers that do not depend on the layer.
func drawWith(r *bm.Machine, s bm.State, l int, fields compute.Matrix, k rng.Key) {
	e := r.Engine()
	m := s[l]
	mean := e.Alloc(compute.Float32, m.Rows(), m.Cols())
	r.Mean(mean, s, l, bm.Law{})
	x, spins := make([]float32, m.Len()), make([]int8, m.Len())
	compute.Read(e, x, mean)
	for i := range spins {
		u := compute.SpinUniform(k.Uint32(uint64(i/m.Cols()), uint64(i%m.Cols())))
		spins[i] = 1
		if 2*u > 1+x[i] {
			spins[i] = -1
		}
	}
	compute.Write(e, m, spins)
}

func TestChiSquare(t *testing.T) {
	for _, c := range []struct {
		name      string
		counts, p []float64
		ok        bool
	}{
		{"as expected", []float64{50, 30, 20}, []float64{0.5, 0.3, 0.2}, true},
		{"far off", []float64{80, 10, 10}, []float64{0.5, 0.3, 0.2}, false},
		{"in an impossible state", []float64{50, 49, 1}, []float64{0.5, 0.5, 0}, false},
		{"rare cells are pooled", []float64{997, 3, 0, 0}, []float64{0.997, 0.001, 0.001, 0.001}, true},
		{"one cell", []float64{7}, []float64{1}, true},
	} {
		if err := ChiSquare(c.counts, c.p); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
