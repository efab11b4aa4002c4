package eval

import (
	"fmt"
	"math"
	"sort"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// critical returns the inverse temperature at which spins begin to order: 1/s for the largest
// eigenvalue s of all couplings in size, by power iteration. Of a restricted machine that is the
// largest singular value of W; for axons of random patterns and H >> K it is about sqrt K/(g
// sqrt(VH)).
func critical(m *bm.Machine, key rng.Key) float64 {
	const iterations = 20
	e, c, g := m.Engine(), m.Couplings(), m.Graph()
	mark := e.Mark()
	defer e.Release(mark)
	var x, next, part []compute.Matrix
	var host [][]float32
	for l, layer := range g.Layers {
		x, next = append(x, e.Scratch(compute.Float32, 1, layer.N)), append(next, e.Scratch(compute.Float32, 1, layer.N))
		part = append(part, e.Scratch(compute.Float32, 1, layer.N))
		host = append(host, make([]float32, layer.N))
		for i := range host[l] {
			host[l][i] = float32(key.Fold(uint64(l)).Normal(0, uint64(i)))
		}
	}
	var s float64
	for range iterations { // two steps each: of layers that do not meet themselves eigenvalues come in pairs +s and -s
		norm := 0.0
		for _, y := range host {
			norm = math.Hypot(norm, length(y))
		}
		if norm == 0 {
			return 1
		}
		for l, y := range host {
			for i := range y {
				y[i] = float32(float64(y[i]) / norm)
			}
			compute.Write(e, x[l], y)
		}
		for range 2 {
			for _, y := range next {
				e.Fill(y, 0)
			}
			for i, p := range g.Pairs {
				c.Times(part[p.B], x[p.A], i, false)
				e.Axpby(next[p.B], 1, part[p.B], 1)
				if p.A != p.B {
					c.Times(part[p.A], x[p.B], i, true)
					e.Axpby(next[p.A], 1, part[p.A], 1)
				}
			}
			x, next = next, x
		}
		norm = 0
		for l, y := range host {
			compute.Read(e, y, x[l])
			norm = math.Hypot(norm, length(y))
		}
		s = math.Sqrt(norm)
	}
	if !(s > 1) || math.IsInf(s, 0) {
		return 1
	}
	return 1 / s
}

func length(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// density is a law on [0,1] that inverse temperatures are spaced by: a part that is
// dense below the critical one and logarithmic beyond, an even part, and, once a pilot run has
// measured it, a part in proportion to the deviation of the log weights' increments.
type density struct {
	critical float64
	at       []float64 // ends of the pilot's steps, from 0 to 1; nil before the pilot
	measured []float64 // cumulative share of the deviation at each end, from 0 to 1
}

// cumulative returns the share of inverse temperatures up to b.
func (d density) cumulative(b float64) float64 {
	logarithmic := math.Log1p(b/d.critical) / math.Log1p(1/d.critical)
	if d.at == nil {
		return 0.7*logarithmic + 0.3*b
	}
	i := min(max(1, sort.SearchFloat64s(d.at, b)), len(d.at)-1)
	f := (b - d.at[i-1]) / (d.at[i] - d.at[i-1])
	measured := d.measured[i-1] + f*(d.measured[i]-d.measured[i-1])
	return 0.15*logarithmic + 0.1*b + 0.75*measured
}

// ladder returns n+1 inverse temperatures from 0 to 1 spaced by d, each a float32 number.
// They increase, but a few may be equal where n is in the millions.
func (d density) ladder(n int) []float64 {
	b := make([]float64, n+1)
	for i := 1; i < n; i++ {
		want := float64(i) / float64(n)
		lo, hi := b[i-1], 1.0
		for hi-lo > 0x1p-30*hi {
			mid := (lo + hi) / 2
			if d.cumulative(mid) < want {
				lo = mid
			} else {
				hi = mid
			}
		}
		b[i] = float64(float32(hi))
	}
	b[n] = 1
	return b
}

// adapt returns d with the measured part: deviations[t] is in proportion to that of the log
// weights' increment between betas t and t+1.
func (d density) adapt(betas, deviations []float64) (density, error) {
	total := 0.0
	for _, x := range deviations {
		total += x
	}
	if math.IsNaN(total) || math.IsInf(total, 0) {
		return d, fmt.Errorf("the free energies of the pilot run are not finite")
	}
	if total == 0 {
		return d, nil
	}
	d.at, d.measured = []float64{0}, []float64{0}
	sum := 0.0
	for t, x := range deviations {
		sum += x
		if betas[t+1] > betas[t] {
			d.at = append(d.at, betas[t+1])
			d.measured = append(d.measured, sum/total)
		}
	}
	return d, nil
}
