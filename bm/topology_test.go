package bm_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// The gradients of every parameter of every pair and layer, of every topology.
func TestGradientsOfTopologies(t *testing.T) {
	for _, s := range check.Machines(engine(t), 1) {
		t.Run(s.Name, func(t *testing.T) { check.Gradient(t, s.Machine, randomRows(4, s.Machine.Layers()[bm.Visible], 2)) })
	}
}

// Energies with all spins there, and with each set of layers summed out that sums out, with temperatures and base rate, against
// sums over all states in float64.
func TestEnergiesOfTopologies(t *testing.T) {
	const rows = 9
	e := engine(t)
	for _, small := range check.Machines(e, 3) {
		m, n := small.Machine, small.Machine.Layers()
		m.SetConstant(0.3)
		x := check.ExactOf(m)
		full := m.State(rows)
		beta, base := make([]float32, rows), make([]float32, n[bm.Visible])
		states := make([][][]int8, rows)
		for i := range rows {
			beta[i] = float32(i) / (rows - 2)
			states[i] = x.Split(rng.Key(9).Uint64(uint64(i), 0))
		}
		for i := range base {
			base[i] = 0.3 - 0.2*float32(i)
		}
		for l := range n {
			if m.Graph().Layers[l].Kind != bm.Spins {
				continue
			}
			var flat []int8
			for i := range rows {
				flat = append(flat, states[i][l]...)
			}
			compute.Write(e, full[l], flat)
		}
		law := bm.Law{Beta: e.Alloc(compute.Float32, rows, 1), Base: e.Alloc(compute.Float32, 1, n[bm.Visible])}
		compute.Write(e, law.Beta, beta)
		compute.Write(e, law.Base, base)
		dst, got := e.Alloc(compute.Float64, rows, 1), make([]float64, rows)
		energies := x.Energies()
		for missing := range 1 << len(n) {
			s, ok := make(bm.State, len(n)), true
			for l := range n {
				gone := missing>>l&1 == 1
				ok = ok && (gone || m.Graph().Layers[l].Kind == bm.Spins) && !(gone && m.Self(l))
				for _, other := range m.Near(l) {
					ok = ok && !(gone && missing>>other&1 == 1)
				}
				if !gone {
					s[l] = full[l]
				}
			}
			if !ok || missing == 1<<len(n)-1 {
				continue
			}
			m.Energy(dst, s, law)
			compute.Read(e, got, dst)
			for i := range got {
				var sum exact.LogSum
				for state, energy := range energies {
					y := x.Split(uint64(state))
					same := true
					for l := range n {
						for j := range y[l] {
							same = same && (missing>>l&1 == 1 || y[l][j] == states[i][l][j])
						}
					}
					if same {
						z := -float64(beta[i]) * energy
						for j, b := range base {
							z += (1 - float64(beta[i])) * float64(b) * float64(y[bm.Visible][j])
						}
						sum.Add(z)
					}
				}
				if want := -sum.Log(); math.Abs(got[i]-want) > 2e-5*(1+math.Abs(want)) {
					t.Errorf("%s: layers %b summed out, row %d: %.8f, want %.8f", small.Name, missing, i, got[i], want)
				}
			}
		}
	}
}

// The fields on every spin by all others, those of its own layer included, against loops in float64.
func TestFieldsOfTopologies(t *testing.T) {
	e := engine(t)
	for _, small := range check.Machines(e, 4) {
		m, x, n := small.Machine, check.ExactOf(small.Machine), small.Machine.Layers()
		const rows = 5
		s, states := m.State(rows), make([][][]int8, rows)
		for i := range rows {
			states[i] = x.Split(rng.Key(8).Uint64(uint64(i), 1))
		}
		for l := range n {
			if m.Graph().Layers[l].Kind == bm.Gaussian {
				s[l] = compute.Matrix{}
				continue
			}
			var flat []int8
			for i := range rows {
				flat = append(flat, states[i][l]...)
			}
			compute.Write(e, s[l], flat)
		}
		for l := range n {
			dst, got := e.Alloc(compute.Float32, rows, n[l]), make([]float32, rows*n[l])
			set := false
			for _, other := range m.Near(l) {
				set = set || !s[other].IsNone()
			}
			if !set && !m.Self(l) {
				continue
			}
			m.Fields(dst, s, l, compute.Epilogue{Bias: m.Bias(l).Value})
			compute.Read(e, got, dst)
			for i := range rows {
				for j := range n[l] {
					if want := x.Field(states[i], l, j); math.Abs(float64(got[i*n[l]+j])-want) > 2e-5*(1+math.Abs(want)) {
						t.Errorf("%s: field on spin %d of layer %d in row %d: %.7f, want %.7f", small.Name, j, l, i, got[i*n[l]+j], want)
					}
				}
			}
		}
	}
}

// The mean of a Gaussian layer given the rest is its field at every inverse temperature, about which Sample draws it; that of spins is
// tanh of Beta times theirs.
func TestMeanUnderBeta(t *testing.T) {
	e := engine(t)
	for _, g := range []bm.Graph{bm.Hybrid(3, 2), bm.Restricted(3, 2, false)} {
		d := bm.NewDense(e, g)
		d.Normal(0.5, 1)
		m := bm.New(e, d)
		v, dst, beta := e.Alloc(compute.Int8, 1, 3), e.Alloc(compute.Float32, 1, 2), e.Alloc(compute.Float32, 1, 1)
		compute.Write(e, v, []int8{1, -1, 1})
		e.Fill(beta, 0.5)
		m.Mean(dst, bm.State{v}, bm.Hidden, bm.Law{Beta: beta})
		got, w := make([]float32, 2), make([]float32, 6)
		compute.Read(e, got, dst)
		compute.Read(e, w, d.Weights(0).Value)
		for j, x := range got {
			want := float64(w[j]) - float64(w[2+j]) + float64(w[4+j])
			if g.Layers[bm.Hidden].Kind == bm.Spins {
				want = math.Tanh(want / 2)
			}
			if math.Abs(float64(x)-want) > 1e-6 {
				t.Errorf("%s layer: mean %v, want %v", g.Layers[bm.Hidden].Kind, x, want)
			}
		}
	}
}
