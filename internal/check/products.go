package check

import (
	"fmt"
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// SameBits tests that engines give the same bits for every product of the
// suite: one engine on different numbers of threads, or engines that promise
// one order of arithmetic.
func SameBits(t *testing.T, x compute.Engine, others ...compute.Engine) {
	sameProducts(t, productCases(), x, others)
	for id, c := range scanCases() {
		p := newScan(x, c, rng.Key(id), uint64(id), 7)
		p.run(x)
		for _, y := range others {
			q := newScan(y, c, rng.Key(id), uint64(id), 7)
			q.run(y)
			if i, ok := sameEntries(p.s, q.s); !ok {
				t.Fatalf("%v: spins differ at %d", c, i)
			}
			if i, ok := sameEntries(p.a, q.a); !ok {
				t.Fatalf("%v: overlap differs at %d", c, i)
			}
		}
	}
}

func sameProducts(t *testing.T, cases []productCase, x compute.Engine, others []compute.Engine) {
	for id, c := range cases {
		p := newProduct(x, c, rng.Key(id))
		p.run(x)
		for _, y := range others {
			q := newProduct(y, c, rng.Key(id))
			q.run(y)
			if i, ok := sameEntries(p.dst, q.dst); !ok {
				t.Fatalf("%v: dst differs at %d", c, i)
			}
			if i, ok := sameEntries(p.logCosh, q.logCosh); !ok {
				t.Fatalf("%v: LogCosh differs at %d", c, i)
			}
		}
	}
}

// SameBF16 tests that engines give the same bits for every product in bfloat16 of the suite that is
// stored as it is.
func SameBF16(t *testing.T, x compute.Engine, others ...compute.Engine) {
	var cases []productCase
	for _, c := range productCases() {
		if c.precision == compute.BF16 && c.then <= accumulated {
			cases = append(cases, c)
		}
	}
	sameProducts(t, cases, x, others)
}

// productCase is one product of the suite.
type productCase struct {
	n, m, l        int
	transA, transB bool
	a, b           compute.Type
	then           int // one of the epilogues of newProduct
	precision      compute.Precision
}

func (c productCase) String() string {
	return fmt.Sprintf("%dx%d over %d, a %v trans %v, b %v trans %v, epilogue %d, %v", c.n, c.m, c.l, c.a, c.transA, c.b, c.transB, c.then, c.precision)
}

const (
	epilogues   = 17
	accumulated = 2 // the last one that stores the product itself
)

// productCases returns every transpose and type on every shape, with the
// epilogues in turn: shapes with nothing, one row or column, around the tiles
// of 4, 8, 16 and 48 and blocks of 256, thin, and small with long sums.
func productCases() []productCase {
	shapes := [][3]int{
		{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {1, 48, 16}, {3, 8, 16}, {3, 1000, 8}, {8, 16, 3}, {7, 47, 15},
		{8, 48, 16}, {9, 49, 17}, {4, 24, 256}, {5, 25, 257}, {13, 1, 300}, {1, 1, 700}, {64, 64, 64}, {65, 100, 513},
		{200, 40, 30}, {300, 50, 20}, {33, 800, 9}, {8, 16, 5000}, {40, 130, 2100}, {190, 200, 100}, {12, 31, 33}, {16, 32, 272},
		{11, 101, 1100}, {10, 130, 90},
	}
	var cases []productCase
	for id, s := range shapes {
		for bits := range 16 {
			c := productCase{n: s[0], m: s[1], l: s[2], transA: bits&1 != 0, transB: bits&2 != 0, a: compute.Float32, b: compute.Float32}
			if bits&4 != 0 {
				c.a = compute.Int8
			}
			if bits&8 != 0 {
				c.b = compute.Int8
			}
			c.then = (bits + id*7) % epilogues
			cases = append(cases, c)
			if (bits+bits/4+id)%4 == 0 { // each type with each transpose on every fourth shape
				c.precision, c.then = compute.BF16, (bits/4+id)%epilogues
				cases = append(cases, c)
			}
		}
	}
	for then := range epilogues { // every epilogue on a shape with whole and broken tiles in both directions, and one block of the sum or three
		cases = append(cases, productCase{n: 22, m: 109, l: 40, a: compute.Int8, b: compute.Float32, then: then},
			productCase{n: 22, m: 109, l: 600, a: compute.Float32, b: compute.Float32, transB: true, then: then},
			productCase{n: 22, m: 109, l: 1101, a: compute.Float32, b: compute.Float32, transA: true, then: then, precision: compute.BF16})
	}
	return cases
}

// mulCase is a case with its operands.
type mulCase struct {
	productCase
	key                                                            rng.Key
	op                                                             compute.Op
	dst, x, y, weights, logGain, bias, scale, base, clamp, logCosh operand
	add                                                            operand
}

func newProduct(e compute.Engine, c productCase, key rng.Key) *mulCase {
	p := &mulCase{productCase: c, key: key}
	random := func(id uint64) func(i, j int) float64 {
		k := uint64(key.Fold(id))
		return func(i, j int) float64 { // a hash in (-1,1): the blocks of rng take too long here
			x := (k ^ uint64(i)<<32 ^ uint64(j)) * 0x9E3779B97F4A7C15
			x = (x ^ x>>29) * 0xBF58476D1CE4E5B9
			return 2*float64(x>>11)*0x1p-53 - 1
		}
	}
	entries := func(kind compute.Type, id uint64) func(i, j int) float64 {
		f := random(id)
		if kind == compute.Float32 {
			return f
		}
		return func(i, j int) float64 { return math.Round(1.4*f(i, j)) + 0 } // + 0: no negative zero
	}
	shape := func(rows, cols int, trans bool) (int, int) {
		if trans {
			return cols, rows
		}
		return rows, cols
	}
	rows, cols := shape(c.n, c.l, c.transA)
	p.x = newOperand(e, c.a, rows, cols, entries(c.a, 1))
	rows, cols = shape(c.l, c.m, c.transB)
	p.y = newOperand(e, c.b, rows, cols, entries(c.b, 2))
	p.op = compute.Op{TransA: c.transA, TransB: c.transB, Alpha: 2 / math.Sqrt(float64(c.l+1)), Precision: c.precision}
	th := &p.op.Then
	kind := compute.Float32
	switch c.then {
	case 1:
		p.op.Accumulate = true
	case 2:
		p.op.Accumulate = true
		p.weights = newOperand(e, compute.Float32, c.l, 1, random(3))
	case 3:
		th.Kind = compute.Tanh
	case 4:
		th.Kind = compute.Tanh
		p.logGain = newOperand(e, compute.Float32, 1, 1, random(4))
	case 5, 6, 7:
		th.Kind, kind = compute.Spin, compute.Int8
		th.Key, th.Row, th.Col = key.Fold(5), uint64(c.then-5), 1<<32-20
	case 8, 9, 14:
		th.Kind = compute.Discard
	case 12:
		th.Kind = compute.Tanh
	case 13:
		th.Kind, kind = compute.Spin, compute.Int8
		th.Key, th.Row, th.Col = key.Fold(5), 1, 1<<32-20
	}
	if c.then >= 15 {
		th.Kind = compute.Normal
		th.Key, th.Row, th.Col = key.Fold(5), uint64(c.then-13), 1<<32-20
	}
	if c.then >= 11 && c.then != 16 {
		p.add = newOperand(e, compute.Float32, c.n, c.m, random(12))
	}
	if c.then >= 4 && c.then != 11 { // 11 has Add alone
		p.bias = newOperand(e, compute.Float32, 1, c.m, random(6))
	}
	if c.then >= 6 && c.then != 11 && c.then != 12 && c.then < 15 {
		p.scale = newOperand(e, compute.Float32, c.n, 1, random(7))
	}
	if c.then == 16 { // inverse temperatures, 0 among them
		p.scale = newOperand(e, compute.Float32, c.n, 1, func(i, j int) float64 { return max(0, random(7)(i, j)) })
	}
	if c.then == 7 || c.then == 9 || c.then == 13 {
		p.base = newOperand(e, compute.Float32, 1, c.m, random(8))
	}
	if c.then == 4 || c.then == 7 || c.then >= 8 && c.then <= 10 || c.then == 14 {
		p.logCosh = newOperand(e, compute.Float64, c.n, 1, random(9))
	}
	switch c.then {
	case 6:
		p.clamp = newOperand(e, compute.Int8, c.n, c.m, entries(compute.Int8, 10))
		th.Clamp = p.clamp.m
	case 7:
		p.clamp = newOperand(e, compute.Int8, 1, c.m, entries(compute.Int8, 10))
		th.Clamp = p.clamp.m.Repeat(c.n)
	}
	p.op.Weights, p.op.LogGain = p.weights.m, p.logGain.m
	th.Add, th.Bias, th.Scale, th.Base, th.LogCosh = p.add.m, p.bias.m, p.scale.m, p.base.m, p.logCosh.m
	p.dst = newOperand(e, kind, c.n, c.m, random(11))
	return p
}

func (p *mulCase) run(e compute.Engine) { e.Mul(p.dst.m, p.x.m, p.y.m, p.op) }

func engineProducts(t *testing.T, e compute.Engine) {
	var open, all int
	for id, c := range productCases() {
		p := newProduct(e, c, rng.Key(id))
		p.run(e)
		o, n := p.verify(t, e)
		open, all = open+o, all+n
	}
	if open*20 > all {
		t.Errorf("%d of %d spins could not be judged", open, all)
	}
}

// verify compares the result with the oracle and returns how many of how many
// spins the oracle could not decide.
func (p *mulCase) verify(t *testing.T, e compute.Engine) (open, all int) {
	t.Helper()
	for _, o := range []operand{p.x, p.y, p.weights, p.logGain, p.add, p.bias, p.scale, p.base, p.clamp} {
		o.guarded(t, e, p.String(), true)
	}
	p.dst.guarded(t, e, p.String(), p.op.Then.Kind == compute.Discard)
	p.logCosh.guarded(t, e, p.String(), false)
	var gain float64
	if p.logGain.values != nil {
		gain = p.logGain.values[0][0]
	}
	y := product(p.n, p.m, p.l, p.dst.values, p.x.values, p.y.values, p.op, gain, p.weights.values)
	scale := p.scale.values
	if p.op.Then.Kind == compute.Normal {
		scale = nil // it does not scale
	}
	fieldOf(y, p.add.values, p.bias.values, scale, p.base.values)
	got := entriesOf(e, p.dst.m)
	for i := range y {
		for j, x := range y[i] {
			g := got[i*p.m+j]
			switch p.op.Then.Kind {
			case compute.Store:
				if !(math.Abs(g-x.value) <= x.bound) {
					t.Fatalf("%v: entry (%d,%d) is %v, want %v +- %.2g", p, i, j, g, x.value, x.bound)
				}
			case compute.Tanh:
				want := math.Tanh(x.value)
				if !(math.Abs(g-want) <= x.bound+8*half*math.Abs(want)) {
					t.Fatalf("%v: tanh (%d,%d) is %v, want %v", p, i, j, g, want)
				}
			case compute.Normal:
				row, col := p.op.Then.Row+uint64(i), p.op.Then.Col+uint64(j)
				z := float64(compute.Normals(p.op.Then.Key.Block(row/4, col))[row%4])
				if p.scale.values != nil {
					z /= math.Sqrt(max(p.scale.values[i][0], 0x1p-100))
				}
				if !(math.Abs(g-x.value-z) <= x.bound+4*half*(math.Abs(x.value)+math.Abs(z))) {
					t.Fatalf("%v: number (%d,%d) of mean %v is %v, want %v", p, i, j, x.value, g, x.value+z)
				}
			case compute.Spin:
				want := int8(0)
				if p.clamp.values != nil {
					want = int8(p.clamp.values[i%len(p.clamp.values)][j])
				}
				if want == 0 {
					all++
					want = spinAt(x, p.op.Then.Key, p.op.Then.Row+uint64(i), p.op.Then.Col+uint64(j))
					if want == 0 {
						open++
					}
				}
				if g != 1 && g != -1 || want != 0 && float64(want) != g {
					t.Fatalf("%v: spin (%d,%d) in the field %v is %v, want %d", p, i, j, x.value, g, want)
				}
			}
		}
		if p.logCosh.values != nil {
			want, bound := p.logCosh.values[i][0], 1e-12
			for _, x := range y[i] {
				f := compute.LogTwoCosh(x.value)
				want, bound = want+f, bound+x.bound+4*half*f
			}
			if g := entriesOf(e, p.logCosh.m.Slice(i, i+1))[0]; !(math.Abs(g-want) <= bound) {
				t.Fatalf("%v: LogCosh of row %d is %v, want %v +- %.2g", p, i, g, want, bound)
			}
		}
	}
	return open, all
}

// A shard of a product draws the spins that the whole draws at its place, and
// so does Spins.
func engineOrigins(t *testing.T, e compute.Engine) {
	const n, m, l = 19, 70, 12
	random := func(i, j int) float64 { return float64(rng.Key(1).Uniform(uint64(i), uint64(j))) - 0.5 }
	a := newOperand(e, compute.Float32, n, l, random)
	b := newOperand(e, compute.Float32, l, m, random)
	whole := e.Alloc(compute.Int8, n, m)
	op := compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin, Key: 3, Row: 6, Col: 9}}
	e.Mul(whole, a.m, b.m, op)
	want := entriesOf(e, whole)
	for r0 := range n {
		c0 := (r0 * 5) % m
		part := e.Alloc(compute.Int8, n-r0, m-c0)
		op.Then.Row, op.Then.Col = uint64(6+r0), uint64(9+c0)
		e.Mul(part, a.m.Slice(r0, n), b.m.Columns(c0, m), op)
		for i, g := range entriesOf(e, part) {
			if r, c := r0+i/(m-c0), c0+i%(m-c0); g != want[r*m+c] {
				t.Fatalf("the shard from (%d,%d) differs from the whole at (%d,%d)", r0, c0, r, c)
			}
		}
	}
	for r0 := range 7 {
		coins := newOperand(e, compute.Int8, n, m, random)
		e.Spins(coins.m, 3, uint64(r0), 1<<32-11)
		coins.guarded(t, e, "Spins", false)
		for i, g := range entriesOf(e, coins.m) {
			u := compute.SpinUniform(rng.Key(3).Uint32(uint64(r0+i/m), uint64(1<<32-11+i%m)))
			if want := compute.SpinOf(0, u); float64(want) != g {
				t.Fatalf("Spins from row %d: entry %d is %v, want %d", r0, i, g, want)
			}
		}
	}
}

// engineNormals tests Normals bit for bit: shapes around tiles, every first row of a group of four,
// the end of the low word of columns. An arm that fuses a product with a sum or takes another order
// of operations fails.
func engineNormals(t *testing.T, e compute.Engine) {
	for _, s := range [][2]int{{0, 3}, {3, 0}, {1, 1}, {5, 7}, {3, 16}, {2, 33}, {17, 65}, {1, 9000}, {900, 1}, {70, 100}} {
		for row := range uint64(5) {
			for _, col := range []uint64{0, 1<<32 - 5} {
				d := newOperand(e, compute.Float32, s[0], s[1], func(int, int) float64 { return 1 })
				e.Normals(d.m, 3, row, col)
				d.guarded(t, e, "Normals", false)
				for i, g := range entriesOf(e, d.m) {
					r, c := row+uint64(i/s[1]), col+uint64(i%s[1])
					if want := float64(compute.Normals(rng.Key(3).Block(r/4, c))[r%4]); !same(g, want) {
						t.Fatalf("Normals %v from (%d,%d): entry %d is %v, want %v", s, row, col, i, g, want)
					}
				}
			}
		}
	}
}

// Fields that are large, zero of either sign, infinite or not a number.
func engineSpecials(t *testing.T, e compute.Engine) {
	x := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-30, 30, -30, 300, -300, 3e38, -3e38,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 8.9, 9.1, 0.3, -0.3}
	a, b := e.Alloc(compute.Float32, 1, 1), e.Alloc(compute.Float32, 1, len(x))
	compute.Write(e, a, []float32{1})
	compute.Write(e, b, x)
	tanh := e.Alloc(compute.Float32, 1, len(x))
	e.Mul(tanh, a, b, compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Tanh}})
	for j, g := range entriesOf(e, tanh) {
		want := math.Tanh(float64(x[j]))
		if !(math.Abs(g-want) <= 8*half*math.Abs(want)+0x1p-149) && !(want != want && g != g) {
			t.Errorf("tanh(%v) = %v, want %v", x[j], g, want)
		}
	}
	spin := e.Alloc(compute.Int8, 1, len(x))
	e.Mul(spin, a, b, compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin, Key: 1}})
	for j, g := range entriesOf(e, spin) {
		if math.Abs(float64(x[j])) < 12 {
			if g != 1 && g != -1 {
				t.Errorf("spin in the field %v is %v", x[j], g)
			}
		} else if want := math.Copysign(1, float64(x[j])); g != want && x[j] == x[j] {
			t.Errorf("spin in the field %v is %v, want %v", x[j], g, want)
		}
	}
	for j := range x {
		sum := e.Alloc(compute.Float64, 1, 1)
		e.Mul(b.Columns(j, j+1), a, b.Columns(j, j+1), compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Discard, LogCosh: sum}})
		g, want := entriesOf(e, sum)[0], compute.LogTwoCosh(float64(x[j]))
		if !(math.Abs(g-want) <= 4*half*want) && !(g == want) && !(want != want && g != g) {
			t.Errorf("log 2cosh(%v) = %v, want %v", x[j], g, want)
		}
	}
}
