package check

import (
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// scanMachine is a layer coupled with itself by patterns, with offsets, biases and the overlap of
// another layer.
type scanMachine struct {
	n, k       int
	x          grid
	m, b, base []float64
	rest       []float64 // of every row
	f          float64
}

// newScanMachine returns a machine whose fields are about size.
func newScanMachine(n, k int, size float64) *scanMachine {
	u := func(id uint64, i, j int) float64 { return 2*rng.Key(31).Fold(id).Uniform64(uint64(i), uint64(j)) - 1 }
	c := &scanMachine{n: n, k: k, f: size / math.Sqrt(float64(n*k))}
	for i := range k {
		c.x = append(c.x, nil)
		for j := range n {
			c.x[i] = append(c.x[i], float64(float32(1.7*u(1, i, j))))
		}
		c.rest = append(c.rest, float64(float32(0.3*u(5, 0, i))))
	}
	for i := range n {
		c.m = append(c.m, float64(float32(0.8*u(2, 0, i))))
		c.b = append(c.b, float64(float32(0.4*u(3, 0, i))))
		c.base = append(c.base, float64(float32(0.7*u(4, 0, i))))
	}
	return c
}

// energy returns E(s) of compute.ScanOp with the fields of biases and of the other layer.
func (c *scanMachine) energy(s []float64) (e float64) {
	for k, x := range c.x {
		a, field := 0.0, 0.0
		for i, v := range x {
			a += (s[i] - c.m[i]) * v
			field += v * s[i]
		}
		e -= c.f/2*a*a + c.rest[k]*field
	}
	for i, v := range s {
		var d float64
		for _, x := range c.x {
			d += x[i] * x[i]
		}
		e += c.f/2*d*(v-c.m[i])*(v-c.m[i]) - c.b[i]*v
	}
	return e
}

// state returns state number i of the spins.
func (c *scanMachine) state(i int) []float64 {
	s := make([]float64, c.n)
	for l := range s {
		s[l] = float64(2*(i>>l&1) - 1)
	}
	return s
}

// law returns the probability of every state at an inverse temperature: exp(-beta E + (1-beta)
// base.s)/Z.
func (c *scanMachine) law(beta float64) []float64 {
	p, sum := make([]float64, 1<<c.n), 0.0
	for i := range p {
		s := c.state(i)
		x := -beta * c.energy(s)
		for l, v := range s {
			x += (1 - beta) * c.base[l] * v
		}
		p[i] = math.Exp(x)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// scanChains is a batch of such layers on an engine.
type scanChains struct {
	s    compute.Matrix
	op   compute.ScanOp
	host []int8
}

// chains returns rows of spins at an inverse temperature, all -1.
func (c *scanMachine) chains(e compute.Engine, rows int, beta float64, order compute.Order) *scanChains {
	vector := func(x ...float64) compute.Matrix {
		m := e.Alloc(compute.Float32, 1, len(x))
		setEntries(e, m, x)
		return m
	}
	x := e.Alloc(compute.Float32, c.k, c.n)
	for k := range c.k {
		setEntries(e, x.Slice(k, k+1), c.x[k])
	}
	rest, scale := e.Alloc(compute.Float32, rows, c.k), e.Alloc(compute.Float32, rows, 1)
	for i := range rows {
		setEntries(e, rest.Slice(i, i+1), c.rest)
	}
	e.Fill(scale, beta)
	p := &scanChains{s: e.Alloc(compute.Int8, rows, c.n), host: make([]int8, rows*c.n)}
	e.Fill(p.s, -1)
	p.op = compute.ScanOp{Patterns: x, Overlap: e.Alloc(compute.Float32, rows, c.k), Rest: rest,
		Offset: vector(c.m...), Alpha: c.f, Order: order,
		Then: compute.Epilogue{Kind: compute.Spin, Bias: vector(c.b...), Scale: scale, Base: vector(c.base...)}}
	return p
}

// begin sets the spins, and their overlap.
func (p *scanChains) begin(e compute.Engine) {
	compute.Write(e, p.s, p.host)
	shift := e.Alloc(compute.Float32, 1, p.op.Patterns.Rows())
	e.Mul(shift, p.op.Offset, p.op.Patterns, compute.Op{TransB: true, Alpha: -1})
	e.Mul(p.op.Overlap, p.s, p.op.Patterns, compute.Op{TransB: true, Alpha: 1, Then: compute.Epilogue{Bias: shift}})
}

func (p *scanChains) sweep(e compute.Engine, key rng.Key, sweeps int) {
	for i := range sweeps {
		p.op.Then.Key, p.op.Normals = key.Fold(uint64(2*i)), key.Fold(uint64(2*i+1))
		e.Scan(p.s, p.op)
	}
	compute.Read(e, p.host, p.s)
}

// number returns the number of the state in row r.
func (p *scanChains) number(r int) (state int) {
	n := p.s.Cols()
	for l, v := range p.host[r*n : (r+1)*n] {
		if v > 0 {
			state |= 1 << l
		}
	}
	return state
}

// drawStates sets the rows to independent draws of the law.
func (p *scanChains) drawStates(law []float64, key rng.Key) {
	n := p.s.Cols()
	for r := range p.s.Rows() {
		u, state := key.Uniform64(uint64(r), 0), 0
		for ; state < len(law)-1 && u >= law[state]; state++ {
			u -= law[state]
		}
		for l := range n {
			p.host[r*n+l] = int8(2*(state>>l&1) - 1)
		}
	}
}

// engineScanLaw tests that all orders leave the exact law as it is: rows drawn from it are moved by
// four sweeps and counted by state, at two inverse temperatures. Chi-square over 63 degrees of
// freedom (standard deviation 11.2) stays below 145, which a right engine exceeds with 2e-8. A
// self-term that is left in or taken twice, an offset's field with the wrong sign, auxiliaries that
// are as wide at every temperature, and a base or the other layer's part that is forgotten by one
// kernel fail.
func engineScanLaw(t *testing.T, e compute.Engine) {
	const rows = 30000
	c := newScanMachine(6, 3, 1.8)
	for _, order := range []compute.Order{compute.Forward, compute.Backward, compute.AtOnce} {
		for _, beta := range []float64{1, 0.4} {
			law := c.law(beta)
			p := c.chains(e, rows, beta, order)
			p.drawStates(law, rng.Key(5).Fold(uint64(order)))
			p.begin(e)
			p.sweep(e, rng.Key(6).Fold(uint64(order)), 4)
			counts := make([]float64, len(law))
			for r := range rows {
				counts[p.number(r)]++
			}
			chi := 0.0
			for i, n := range counts {
				chi += (n - rows*law[i]) * (n - rows*law[i]) / (rows * law[i])
			}
			if chi > 145 {
				t.Errorf("order %d at beta %v: chi-square %.1f over 63 degrees of freedom", order, beta, chi)
			}
		}
	}
}

// engineScanReverse tests that Backward is the reverse of Forward, and AtOnce its own: from the
// exact law, steps a -> b of the one are as frequent as steps b -> a of the other. Chi-square of
// the two tables over 63 degrees of freedom stays below 145 (2e-8). A Backward that goes forward
// fails: the steps of Forward alone, turned round, are told apart.
func engineScanReverse(t *testing.T, e compute.Engine) {
	const rows = 60000
	c := newScanMachine(3, 2, 3)
	law := c.law(1)
	steps := func(order compute.Order, key rng.Key) (n [8][8]float64) {
		p := c.chains(e, rows, 1, order)
		p.drawStates(law, key)
		p.begin(e)
		from := make([]int, rows)
		for r := range from {
			from[r] = p.number(r)
		}
		p.sweep(e, key.Fold(1), 1)
		for r, a := range from {
			n[a][p.number(r)]++
		}
		return n
	}
	chi := func(x, y [8][8]float64) (sum float64) {
		for a := range x {
			for b := range x[a] {
				if n := x[a][b] + y[b][a]; n > 0 {
					sum += (x[a][b] - y[b][a]) * (x[a][b] - y[b][a]) / n
				}
			}
		}
		return sum
	}
	forward, other := steps(compute.Forward, 1), steps(compute.Forward, 2)
	if x := chi(forward, steps(compute.Backward, 3)); x > 145 {
		t.Errorf("Backward is not the reverse of Forward: chi-square %.1f", x)
	}
	if x := chi(steps(compute.AtOnce, 4), steps(compute.AtOnce, 5)); x > 145 {
		t.Errorf("AtOnce is not its own reverse: chi-square %.1f", x)
	}
	if x := chi(forward, other); x < 300 {
		t.Errorf("the machine does not tell Forward from its reverse: chi-square %.1f", x)
	}
}

// engineScanKernels tests the kernels by each other on a layer of 80 spins: the mean energy of
// chains that have forgotten their start, and of its parts, by the scan and at once. They agree
// within 5 standard errors (6e-7 for each of the two numbers); half the width of the auxiliaries or
// a diagonal counted once too often fails.
func engineScanKernels(t *testing.T, e compute.Engine) {
	const rows, n = 200, 80
	c := newScanMachine(n, 7, 0.5)
	type moments struct{ mean, stderr [2]float64 }
	of := func(order compute.Order) (m moments) {
		p := c.chains(e, rows, 1, order)
		for i := range p.host {
			p.host[i] = int8(2*(i*i/3&1) - 1)
		}
		p.begin(e)
		var chain [rows][2]float64
		const kept = 10
		for i := range kept {
			p.sweep(e, rng.Key(order).Fold(uint64(i)), 60-55*min(i, 1))
			s := make([]float64, n)
			for r := range rows {
				up := 0.0
				for l, v := range p.host[r*n : (r+1)*n] {
					s[l] = float64(v)
					up += s[l] * c.base[l]
				}
				chain[r][0] += c.energy(s) / kept
				chain[r][1] += up / kept
			}
		}
		for k := range 2 {
			var sum, squares float64
			for _, x := range chain {
				sum, squares = sum+x[k], squares+x[k]*x[k]
			}
			m.mean[k] = sum / rows
			m.stderr[k] = math.Sqrt((squares/rows - m.mean[k]*m.mean[k]) / (rows - 1))
		}
		return m
	}
	x, y := of(compute.Forward), of(compute.AtOnce)
	for k, name := range []string{"energy", "overlap with the base"} {
		if z := (x.mean[k] - y.mean[k]) / math.Hypot(x.stderr[k], y.stderr[k]); !(math.Abs(z) <= 5) {
			t.Errorf("%s by the scan %v +- %.2g, at once %v +- %.2g", name, x.mean[k], x.stderr[k], y.mean[k], y.stderr[k])
		} else {
			t.Logf("%s: %.3f +- %.3f and %.3f +- %.3f", name, x.mean[k], x.stderr[k], y.mean[k], y.stderr[k])
		}
	}
}
