package check

import (
	"fmt"
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// scanCase is one draw of a layer that is coupled with itself.
type scanCase struct {
	rows, n, k int // k < 0: dense couplings
	order      compute.Order
	exact      bool // patterns of +-1 and multiples of powers of two: no sum is rounded
	with       int  // which of the optional matrices are there, by bits
}

// The bits of scanCase.with.
const (
	scanOffset = 1 << iota
	scanRest
	scanAdd
	scanBias
	scanScale // with a base
	scanClamp
	scanUnknown // spins of 0 among those that come
	scanAll     = 1<<iota - 1
)

func (c scanCase) String() string {
	return fmt.Sprintf("scan of %dx%d over %d, order %d, exact %v, with %b", c.rows, c.n, c.k, c.order, c.exact, c.with)
}

// scanCases returns every order, patterns and dense couplings on shapes around the blocks of 16
// spins, the lanes of 8 and 16 rows and parts of 256 of a sum; the optional matrices in turn, all
// at once and none.
func scanCases() []scanCase {
	shapes := [][3]int{{0, 5, 3}, {4, 0, 3}, {1, 1, 1}, {3, 16, 8}, {5, 17, 9}, {16, 40, 1}, {48, 32, 20}, {50, 33, 64},
		{23, 100, 300}, {107, 7, 16}, {2, 150, 5}, {70, 64, 31}, {96, 48, 8}, {9, 16, 0}}
	var cases []scanCase
	id := 0
	for _, s := range shapes {
		for _, order := range []compute.Order{compute.Forward, compute.Backward} {
			for _, exact := range []bool{true, false} {
				for _, with := range []int{0, scanAll, 1 << (id % 7), 37 * id % scanAll} {
					cases = append(cases, scanCase{s[0], s[1], s[2], order, exact, with})
					id++
				}
			}
		}
		cases = append(cases, scanCase{s[0], s[1], -1, compute.Forward, true, 37 * id % scanAll},
			scanCase{s[0], s[1], -1, compute.Backward, false, scanAll})
	}
	return append(cases, scanCase{30, 300, -1, compute.Forward, true, 0}, scanCase{30, 300, -1, compute.Backward, true, scanAll})
}

// scanRun is a case with its operands.
type scanRun struct {
	scanCase
	op                                                               compute.ScanOp
	s, x, a, rest, j, offset, logGain, add, bias, scale, base, clamp operand
	factor                                                           float64
}

// newScan returns a case with its first row and column at such a place.
func newScan(e compute.Engine, c scanCase, key rng.Key, row, col uint64) *scanRun {
	p := &scanRun{scanCase: c}
	uniform := func(id uint64, i, j int) float64 { return 2*key.Fold(id).Uniform64(uint64(i), uint64(j)) - 1 }
	random := func(id uint64, size float64) func(i, j int) float64 {
		return func(i, j int) float64 {
			x := size * uniform(id, i, j)
			if c.exact {
				return math.Round(8*x) / 8
			}
			return x
		}
	}
	spin := func(id uint64) func(i, j int) float64 {
		return func(i, j int) float64 { return math.Copysign(1, uniform(id, i, j)) }
	}
	p.s = newOperand(e, compute.Int8, c.rows, c.n, func(i, j int) float64 {
		if c.with&scanUnknown != 0 && uniform(1, i, j) > 0.7 {
			return 0
		}
		return spin(2)(i, j)
	})
	if c.with&scanOffset != 0 {
		p.offset = newOperand(e, compute.Float32, 1, c.n, random(3, 1))
	}
	// Fields of about 1.
	alpha, gain := 1/math.Sqrt(float64(max(1, c.k)*max(1, c.n))), 0.3
	if c.exact {
		alpha, gain = math.Exp2(math.Round(math.Log2(alpha))), 0
	}
	p.logGain = newOperand(e, compute.Float32, 1, 1, func(int, int) float64 { return gain })
	p.factor = float64(compute.Factor(alpha, float32(gain)))
	p.op = compute.ScanOp{Alpha: alpha, LogGain: p.logGain.m, Order: c.order, Offset: p.offset.m, Normals: 8}
	if c.k >= 0 {
		entries := spin(4)
		if !c.exact {
			entries = random(4, 1.5)
		}
		p.x = newOperand(e, compute.Float32, c.k, c.n, entries)
		p.a = newOperand(e, compute.Float32, c.rows, c.k, func(i, k int) (sum float64) {
			for l := range c.n {
				sum += (p.s.values[i][l] - p.m(l)) * p.x.values[k][l]
			}
			return sum
		})
		if c.with&scanRest != 0 {
			p.rest = newOperand(e, compute.Float32, c.rows, c.k, random(5, 0.5))
		}
		p.op.Patterns, p.op.Overlap, p.op.Rest = p.x.m, p.a.m, p.rest.m
	} else {
		p.j = newOperand(e, compute.Float32, c.n, c.n, func(i, j int) float64 {
			return random(6, 1.5)(min(i, j), max(i, j)) // the diagonal too, which takes no part
		})
		p.op.Dense = p.j.m
	}
	th := &p.op.Then
	th.Kind, th.Key, th.Row, th.Col = compute.Spin, key.Fold(7), row, col
	if c.with&scanAdd != 0 {
		p.add = newOperand(e, compute.Float32, c.rows, c.n, random(8, 0.5))
	}
	if c.with&scanBias != 0 {
		p.bias = newOperand(e, compute.Float32, 1, c.n, random(9, 0.5))
	}
	if c.with&scanScale != 0 {
		p.scale = newOperand(e, compute.Float32, c.rows, 1, func(i, j int) float64 { return math.Abs(uniform(10, i, j)) })
		p.base = newOperand(e, compute.Float32, 1, c.n, random(11, 0.5))
	}
	th.Add, th.Bias, th.Scale, th.Base = p.add.m, p.bias.m, p.scale.m, p.base.m
	if c.with&scanClamp != 0 {
		p.clamp = newOperand(e, compute.Int8, c.rows, c.n, func(i, j int) float64 { return math.Round(uniform(12, i, j)) + 0 })
		th.Clamp = p.clamp.m
		if c.n%2 == 0 && c.rows > 0 {
			th.Clamp = p.clamp.m.Slice(0, 1).Repeat(c.rows)
			for i := range p.clamp.values {
				p.clamp.values[i] = p.clamp.values[0]
			}
		}
	}
	return p
}

func (p *scanRun) m(i int) float64 {
	if p.offset.values == nil {
		return 0
	}
	return p.offset.values[0][i]
}

// coupling returns J_ij.
func (p *scanRun) coupling(i, j int) (sum float64) {
	if p.k < 0 {
		return p.j.values[i][j]
	}
	for k := range p.k {
		sum += p.x.values[k][i] * p.x.values[k][j]
	}
	return sum
}

func (p *scanRun) run(e compute.Engine) { e.Scan(p.s.m, p.op) }

// engineScan tests the sequential orders of Scan against a loop over the spins in float64, which
// follows the engine's spins: each has to be the one of its field, given those that came before.
// With exact sums no spin may differ from what the engine itself draws in that field; otherwise the
// uniform number of one that does lies within 1e-5 of its threshold. The overlap has to be that of
// the spins drawn.
func engineScan(t *testing.T, e compute.Engine) {
	differ, all := 0, 0
	for id, c := range scanCases() {
		p := newScan(e, c, rng.Key(id), uint64(id%5), 1<<32-uint64(id%40))
		p.run(e)
		d, n := p.verify(t, e)
		differ, all = differ+d, all+n
	}
	if differ > 5 || all < 50000 { // probability of a difference: some 1e-6 a spin
		t.Errorf("%d of %d spins differ", differ, all)
	}
}

// verify compares the result with the oracle and returns how many of how many spins differ from it.
func (p *scanRun) verify(t *testing.T, e compute.Engine) (differ, all int) {
	t.Helper()
	for _, o := range []operand{p.x, p.rest, p.j, p.offset, p.logGain, p.add, p.bias, p.scale, p.base, p.clamp} {
		o.guarded(t, e, p.String(), true)
	}
	p.s.guarded(t, e, p.String(), false)
	p.a.guarded(t, e, p.String(), false)
	got := entriesOf(e, p.s.m)
	j := make(grid, p.n)
	for i := range j {
		j[i] = make([]float64, p.n)
		for l := range j[i] {
			j[i][l] = p.coupling(i, l)
		}
	}
	fields := make([]float32, p.rows*p.n)
	now := make([]float64, p.n)
	for r := range p.rows {
		copy(now, p.s.values[r])
		for step := range p.n {
			i := step
			if p.order == compute.Backward {
				i = p.n - 1 - step
			}
			x := p.field(r, i, now, j)
			fields[r*p.n+i] = float32(x)
			g := got[r*p.n+i]
			now[i] = g
			if p.clamp.values != nil && p.clamp.values[r][i] != 0 {
				if g != p.clamp.values[r][i] {
					t.Fatalf("%v: spin (%d,%d) is %v, held at %v", p, r, i, g, p.clamp.values[r][i])
				}
				continue
			}
			if g != 1 && g != -1 {
				t.Fatalf("%v: spin (%d,%d) is %v", p, r, i, g)
			}
			all++
			u := compute.SpinUniform(p.op.Then.Key.Uint32(p.op.Then.Row+uint64(r), p.op.Then.Col+uint64(i)))
			if compute.SpinOf(float32(x), u) == int8(g) {
				continue
			}
			differ++
			f := math.Exp(-2 * math.Abs(x))
			if gap := math.Abs(float64(u) - f/(1+f)); gap > 1e-5 && math.Abs(x) > 1e-5 {
				t.Fatalf("%v: spin (%d,%d) in the field %v is %v, its uniform number %v is %.1e off the threshold",
					p, r, i, x, g, u, gap)
			}
		}
	}
	if p.exact {
		p.verifyExact(t, e, fields, got)
	}
	if p.k < 0 || p.rows*p.k == 0 {
		return differ, all
	}
	for i, g := range entriesOf(e, p.a.m) {
		r, k := i/p.k, i%p.k
		want, size := 0.0, 1.0
		for l := range p.n {
			x := (got[r*p.n+l] - p.m(l)) * p.x.values[k][l]
			want, size = want+x, size+math.Abs(x)
		}
		if p.rest.values != nil {
			size += math.Abs(p.rest.values[r][k]) / p.factor
		}
		bound := size * 16 * half
		if p.exact {
			bound = 0
		}
		if !(math.Abs(g-want) <= bound) {
			t.Fatalf("%v: overlap (%d,%d) is %v, want %v", p, r, k, g, want)
		}
	}
	return differ, all
}

// field returns the field on spin i of row r, of Add and Bias, Scale and Base too.
func (p *scanRun) field(r, i int, now []float64, j grid) float64 {
	x := 0.0
	for l := range p.n {
		if l != i {
			x += (now[l] - p.m(l)) * j[l][i]
		}
	}
	x *= p.factor
	if p.rest.values != nil {
		for k := range p.k {
			x += p.rest.values[r][k] * p.x.values[k][i]
		}
	}
	if p.add.values != nil {
		x += p.add.values[r][i]
	}
	if p.bias.values != nil {
		x += p.bias.values[0][i]
	}
	if p.scale.values != nil { // rounded as the engine rounds them, so that exact sums stay exact
		s := float32(p.scale.values[r][0])
		x = float64(float32(s*float32(x)) + float32((1-s)*float32(p.base.values[0][i])))
	}
	return x
}

// verifyExact compares with the spins that a product draws in the same fields.
func (p *scanRun) verifyExact(t *testing.T, e compute.Engine, fields []float32, got []float64) {
	f, none := e.Alloc(compute.Float32, p.rows, p.n), e.Alloc(compute.Float32, p.rows, 0)
	compute.Write(e, f, fields)
	d := e.Alloc(compute.Int8, p.rows, p.n)
	th := p.op.Then
	e.Mul(d, none, e.Alloc(compute.Float32, 0, p.n), compute.Op{Alpha: 1, Then: compute.Epilogue{
		Kind: compute.Spin, Key: th.Key, Row: th.Row, Col: th.Col, Add: f, Clamp: th.Clamp}})
	for i, want := range entriesOf(e, d) {
		if got[i] != want {
			t.Fatalf("%v: spin (%d,%d) in the exact field %v is %v, a product draws %v",
				p, i/p.n, i%p.n, fields[i], got[i], want)
		}
	}
}

// engineScanParts tests that parts of a batch draw what the whole draws, whatever the rows of a
// part, bit for bit.
func engineScanParts(t *testing.T, e compute.Engine) {
	for _, k := range []int{20, -1} {
		c := scanCase{rows: 75, n: 50, k: k, with: scanOffset | scanAdd | scanBias | scanScale}
		whole := newScan(e, c, 3, 6, 9)
		whole.run(e)
		for from := 0; from < c.rows; {
			to := min(from+1+from/2, c.rows)
			p := newScan(e, c, 3, 6+uint64(from), 9)
			cut := func(m compute.Matrix) compute.Matrix {
				if m.IsNone() {
					return m
				}
				return m.Slice(from, to)
			}
			op := p.op
			op.Overlap, op.Then.Add, op.Then.Scale = cut(op.Overlap), cut(op.Then.Add), cut(op.Then.Scale)
			e.Scan(p.s.m.Slice(from, to), op)
			for _, o := range [][2]operand{{p.s, whole.s}, {p.a, whole.a}} {
				if o[0].m.IsNone() {
					continue
				}
				got, want := entriesOf(e, o[0].m.Slice(from, to)), entriesOf(e, o[1].m.Slice(from, to))
				for i := range want {
					if !same(got[i], want[i]) {
						t.Fatalf("rows %d to %d over %d: entry %d is %v, the whole has %v", from, to, k, i, got[i], want[i])
					}
				}
			}
			from = to
		}
	}
}
