package experiment

import (
	"math"
	"math/bits"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/exact"
)

// law is all that can be known about a machine of few spins: sums over all its states and its exact
// transition probabilities, in float64 from its parameters. State s of a layer has spin i up where
// bit i of s is set.
type law struct {
	visible, hidden int
	w               [][]float64 // V x H
	b, c            []float64   // biases
	symmetric       bool

	free     []float64   // F(v) of each visible state, nats
	p        []float64   // its Boltzmann probability
	up, down [][]float64 // p(h|v), 2^V x 2^H, and p(v|h), 2^H x 2^V
	logZ     float64
	ground   float64 // the lowest E(v,h), kT
}

// lawOf sums over all states of m.
func lawOf(m *bm.Machine) *law {
	n := m.Layers()
	l := &law{visible: n[bm.Visible], hidden: n[bm.Hidden], symmetric: m.Symmetric()}
	e := m.Engine()
	read := func(x compute.Matrix) []float64 {
		y := make([]float64, x.Len())
		if x.IsNone() {
			return y
		}
		f := make([]float32, x.Len())
		compute.Read(e, f, x)
		for i, v := range f {
			y[i] = float64(v)
		}
		return y
	}
	l.b, l.c = make([]float64, l.visible), make([]float64, l.hidden)
	copy(l.b, read(m.Bias(bm.Visible).Value))
	copy(l.c, read(m.Bias(bm.Hidden).Value))
	l.w = make([][]float64, l.visible)
	for i := range l.w {
		l.w[i] = make([]float64, l.hidden)
	}
	switch c := m.Couplings().(type) {
	case *bm.Dense:
		x := read(c.Weights(0).Value)
		for i := range l.w {
			copy(l.w[i], x[i*l.hidden:])
		}
	case *bm.Axons:
		xv, xh := c.Patterns(bm.Visible), c.Patterns(bm.Hidden)
		v, h, k := read(xv.Value), read(xh.Value), xv.Value.Rows()
		gain := float64(compute.Factor(1/math.Sqrt(float64(k)), float32(read(c.LogGain(0).Value)[0])))
		for i := range l.w {
			for j := range l.w[i] {
				for a := range k {
					l.w[i][j] += gain * v[a*l.visible+i] * h[a*l.hidden+j]
				}
			}
		}
	}
	l.sum()
	return l
}

func spinOf(state, i int) float64 { return float64(state>>i&1*2 - 1) }

// chance returns the probability that a spin in field x is s.
func chance(x, s float64) float64 { return 1 / (1 + math.Exp(-2*x*s)) }

// hiddenField returns the field on hidden spin j, where the spins of v may be 0.
func (l *law) hiddenField(v []float64, j int) float64 {
	x := l.c[j]
	for i, s := range v {
		x += s * l.w[i][j]
	}
	return x
}

// given returns p(h) of all hidden states in the fields of v.
func (l *law) given(v []float64) []float64 {
	p := make([]float64, 1<<l.hidden)
	p[0] = 1
	for j := range l.hidden {
		x := l.hiddenField(v, j)
		for h := range 1 << j {
			p[h|1<<j] = p[h] * chance(x, 1)
			p[h] *= chance(x, -1)
		}
	}
	return p
}

// visibleUp returns the probability that visible spin i is up, given a hidden state.
func (l *law) visibleUp(h, i int) float64 {
	x := l.b[i]
	for j, w := range l.w[i] {
		x += w * spinOf(h, j)
	}
	return chance(x, 1)
}

func (l *law) spins(v int) []float64 {
	x := make([]float64, l.visible)
	for i := range x {
		x[i] = spinOf(v, i)
	}
	return x
}

func (l *law) sum() {
	l.ground = math.Inf(1)
	var z exact.LogSum
	for v := range 1 << l.visible {
		x := l.spins(v)
		var f, least float64
		for i, s := range x {
			f -= l.b[i] * s
		}
		least = f
		for j := range l.hidden {
			y := l.hiddenField(x, j)
			f -= compute.LogTwoCosh(y)
			least -= math.Abs(y)
		}
		l.free = append(l.free, f)
		l.ground = min(l.ground, least)
		l.up = append(l.up, l.given(x))
		z.Add(-f)
	}
	l.logZ = z.Log()
	for _, f := range l.free {
		l.p = append(l.p, math.Exp(-f-l.logZ))
	}
	for h := range 1 << l.hidden {
		p := make([]float64, 1<<l.visible)
		p[0] = 1
		for i := range l.visible {
			up := l.visibleUp(h, i)
			for v := range 1 << i {
				p[v|1<<i] = p[v] * up
				p[v] *= 1 - up
			}
		}
		l.down = append(l.down, p)
	}
}

// through returns p times the matrix of transition probabilities t.
func through(p []float64, t [][]float64) []float64 {
	q := make([]float64, len(t[0]))
	for i, row := range t {
		for j, x := range row {
			q[j] += p[i] * x
		}
	}
	return q
}

// after returns the law of v after so many Gibbs sweeps from fair coins, and of the h that was
// drawn last.
func (l *law) after(sweeps int) (v, h []float64) {
	v = make([]float64, 1<<l.visible)
	for i := range v {
		v[i] = 1 / float64(len(v))
	}
	for range sweeps {
		h = through(v, l.up)
		v = through(h, l.down)
	}
	return v, h
}

// meanFree returns the mean of F over all states.
func (l *law) meanFree() (mean float64) {
	for _, f := range l.free {
		mean += f / float64(len(l.free))
	}
	return mean
}

// meanPseudo returns the mean log pseudo-likelihood over all states.
func (l *law) meanPseudo() (mean float64) {
	for v, f := range l.free {
		for i := range l.visible {
			mean -= math.Log1p(math.Exp(f-l.free[v^1<<i])) / float64(len(l.free))
		}
	}
	return mean
}

// meanEnergy returns the mean of E(v,h) where h has that law and v is drawn given h.
func (l *law) meanEnergy(h []float64) (mean float64) {
	for s, p := range h {
		if p == 0 {
			continue
		}
		for j, c := range l.c {
			mean -= p * c * spinOf(s, j)
		}
		for i := range l.visible {
			x := l.b[i]
			for j, w := range l.w[i] {
				x += w * spinOf(s, j)
			}
			mean -= p * x * math.Tanh(x)
		}
	}
	return mean
}

// time returns the integrated autocorrelation time of F along Gibbs sweeps in equilibrium, 1/2 +
// sum over t from 1 on of rho(t). With p(v'|v) = up down the sum goes over powers of the smaller
// matrix down up, and doubles its length in each step.
func (l *law) time() float64 {
	var mean, variance float64
	for v, p := range l.p {
		mean += p * l.free[v]
	}
	f := make([]float64, len(l.free))
	for v, p := range l.p {
		f[v] = l.free[v] - mean
		variance += p * f[v] * f[v]
	}
	left := make([]float64, 1<<l.hidden) // sum over v of p(v) f(v) p(h|v)
	for v, row := range l.up {
		for h, x := range row {
			left[h] += l.p[v] * f[v] * x
		}
	}
	right := times(l.down, f)
	m := make([][]float64, 1<<l.hidden) // p(h'|h)
	for h := range m {
		m[h] = through(l.down[h], l.up)
	}
	for range 50 { // 2^50 sweeps
		next := times(m, right)
		for h := range right {
			right[h] += next[h]
		}
		square := make([][]float64, len(m))
		for h := range m {
			square[h] = through(m[h], m)
		}
		m = square
	}
	var sum float64
	for h, x := range left {
		sum += x * right[h]
	}
	return 0.5 + sum/variance
}

// times returns t x.
func times(t [][]float64, x []float64) []float64 {
	y := make([]float64, len(t))
	for i, row := range t {
		for j, a := range row {
			y[i] += a * x[j]
		}
	}
	return y
}

// squaredOverlap returns the mean of q^2 of two draws of v.
func (l *law) squaredOverlap(v []float64) (mean float64) {
	for i := range l.visible {
		for j := range l.visible {
			var c float64
			for s, p := range v {
				c += p * spinOf(s, i) * spinOf(s, j)
			}
			mean += c * c
		}
	}
	return mean / float64(l.visible*l.visible)
}

// ultrametricity returns what the measure of that name tends to for many draws of v.
func (l *law) ultrametricity(v []float64) float64 {
	distance := make([]float64, l.visible+1) // at so many spins that differ
	for n := range distance {
		distance[n] = float64(n) / float64(l.visible)
		if l.symmetric {
			distance[n] = min(distance[n], 1-distance[n])
		}
	}
	longer := func(a, b, c float64) float64 {
		most := max(a, b, c)
		return most - max(min(a, b), min(max(a, b), c))
	}
	sides := make([]float64, l.visible+1)
	var gap float64 // two draws of one state make an isosceles triangle
	for i, p := range v {
		for j, q := range v {
			sides[bits.OnesCount(uint(i^j))] += p * q
			if j >= i || p*q < 1e-15 {
				continue
			}
			a := distance[bits.OnesCount(uint(i^j))]
			for k, r := range v[:j] {
				gap += 6 * p * q * r * longer(a, distance[bits.OnesCount(uint(i^k))], distance[bits.OnesCount(uint(j^k))])
			}
		}
	}
	var chance float64
	for a, p := range sides {
		for b, q := range sides {
			for c, r := range sides {
				chance += p * q * r * longer(distance[a], distance[b], distance[c])
			}
		}
	}
	return gap / chance
}

// images returns the share of draws of v that are images of the family, and the mean share of the
// images that n draws cover.
func (l *law) images(v []float64, f data.Family, n int) (valid, covered float64) {
	spins := make([]int8, l.visible)
	for s, p := range v {
		exact.SetState(spins, uint64(s))
		if f.Index(spins) >= 0 {
			valid += p
			covered -= math.Expm1(float64(n)*math.Log1p(-p)) / float64(f.Size())
		}
	}
	return valid, covered
}

// wrong returns the mean share of the spins of a row that differ after so many sweeps from its
// known spins, the others being 0 at first; with clamp the known ones stay.
func (l *law) wrong(row []int8, known []bool, sweeps int, clamp bool) (share float64) {
	start := make([]float64, l.visible)
	for i, k := range known {
		if k {
			start[i] = float64(row[i])
		}
	}
	h := l.given(start)
	for range sweeps - 1 {
		v := make([]float64, 1<<l.visible)
		for s, p := range h {
			q := []float64{p}
			for i := range l.visible {
				up := l.visibleUp(s, i)
				if clamp && known[i] {
					up = (1 + start[i]) / 2
				}
				next := make([]float64, 2*len(q))
				for x, y := range q {
					next[x], next[x|1<<i] = y*(1-up), y*up
				}
				q = next
			}
			for x, y := range q {
				v[x] += y
			}
		}
		h = through(v, l.up)
	}
	for s, p := range h {
		for i := range l.visible {
			if clamp && known[i] {
				continue
			}
			up := l.visibleUp(s, i)
			if row[i] > 0 {
				up = 1 - up
			}
			share += p * up / float64(l.visible)
		}
	}
	return share
}
