package sampler_test

import (
	"fmt"
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// hostLaw is a law whose matrices have been read: what exact draws refer to.
type hostLaw struct {
	beta  []float32 // of each row
	base  []float32
	clamp [2][]int8 // rows x N, or nil
}

func readLaw(r *bm.Machine, law bm.Law, rows int) hostLaw {
	e, l := r.Engine(), hostLaw{beta: make([]float32, rows)}
	for i := range l.beta {
		l.beta[i] = 1
	}
	if !law.Beta.IsNone() {
		compute.Read(e, l.beta, law.Beta)
	}
	if !law.Base.IsNone() {
		l.base = make([]float32, law.Base.Cols())
		compute.Read(e, l.base, law.Base)
	}
	for i := range law.Clamp {
		if c := law.Clamp[i]; !c.IsNone() {
			l.clamp[i] = spins(e, c)
		}
	}
	return l
}

// exactVisible returns a draw of the visible spins for each row i from the enumerated law at
// inverse temperature beta_i * factor(i), hidden spins summed over, in float64.
func exactVisible(r *bm.Machine, l hostLaw, row func(i int) int, factor func(i int) float64, rows int, key rng.Key) []int8 {
	n := r.Layers()
	v := n[bm.Visible]
	fields, bias := make([][]float64, 1<<v), make([]float64, 1<<v)
	states := make([][]int8, 1<<v)
	b := make([]float32, v)
	if p := r.Bias(bm.Visible).Value; !p.IsNone() {
		compute.Read(r.Engine(), b, p)
	}
	for s := range states {
		states[s] = make([]int8, v)
		exact.SetState(states[s], uint64(s))
		fields[s] = check.HiddenFields(r, states[s])
		for i, x := range states[s] {
			bias[s] += float64(b[i]) * float64(x)
		}
	}
	seen := map[string][]float64{}
	out := make([]int8, rows*v)
	for i := range rows {
		j := row(i)
		beta := float64(l.beta[j]) * factor(i)
		var clamp [2][]int8
		for k, c := range l.clamp {
			if c != nil {
				clamp[k] = c[j*n[k]:][:n[k]]
			}
		}
		name := fmt.Sprint(beta, clamp)
		sums, ok := seen[name]
		if !ok {
			sums = make([]float64, len(states))
			var z float64
			for s := range states {
				x := beta * bias[s]
				for k, y := range states[s] {
					if l.base != nil {
						x += (1 - beta) * float64(l.base[k]) * float64(y)
					}
					if clamp[0] != nil && clamp[0][k] != 0 && clamp[0][k] != y {
						x = math.Inf(-1)
					}
				}
				for a, f := range fields[s] {
					if clamp[1] != nil && clamp[1][a] != 0 {
						x += beta * f * float64(clamp[1][a])
					} else {
						x += compute.LogTwoCosh(beta * f)
					}
				}
				z += math.Exp(x)
				sums[s] = z
			}
			seen[name] = sums
		}
		u := key.Uniform64(uint64(i), 0) * sums[len(sums)-1]
		s := 0
		for sums[s] < u {
			s++
		}
		copy(out[i*v:], states[s])
	}
	return out
}

// stationary tests that a move of two rounds leaves every ensemble of a machine unchanged.
func stationary(t *testing.T, r *bm.Machine, move func(s bm.State, law bm.Law)) {
	t.Helper()
	check.NoDrift(t, r, move, check.Ensembles(r)...)
}
