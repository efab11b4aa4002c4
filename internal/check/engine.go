package check

import (
	"fmt"
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// Engine tests everything that compute.Engine promises against float64 sums:
// products of every shape, type and epilogue, vector operations, sums over pairs, memory. All
// operands are views inside larger matrices that hold NaN (or the spin 99), so
// that reading outside spoils the result and writing outside is seen.
func Engine(t *testing.T, e compute.Engine) {
	t.Run("products", func(t *testing.T) { engineProducts(t, e) })
	t.Run("origins", func(t *testing.T) { engineOrigins(t, e) })
	t.Run("specials", func(t *testing.T) { engineSpecials(t, e) })
	t.Run("vectors", func(t *testing.T) { engineVectors(t, e) })
	t.Run("pairs", func(t *testing.T) { enginePairs(t, e) })
	t.Run("memory", func(t *testing.T) { engineMemory(t, e) })
	t.Run("panics", func(t *testing.T) { enginePanics(t, e) })
	t.Run("allocations", func(t *testing.T) { engineAllocations(t, e) })
}

// SameBits tests that engines give the same bits for every product of the
// suite: one engine on different numbers of threads, or engines that promise
// one order of arithmetic.
func SameBits(t *testing.T, x compute.Engine, others ...compute.Engine) {
	for id, c := range productCases() {
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

// operand is a matrix that is a view inside a larger one full of guards.
type operand struct {
	m      compute.Matrix
	parent compute.Matrix
	before []float64 // the parent's entries as written
	values grid
}

const (
	guardSpin              = 99
	guardRows, guardBefore = 2, 3
	guardAfter             = 5
)

// newOperand returns a rows x cols view whose entries are given by value.
func newOperand(e compute.Engine, kind compute.Type, rows, cols int, value func(i, j int) float64) operand {
	o := operand{parent: e.Alloc(kind, rows+2*guardRows, guardBefore+cols+guardAfter)}
	o.before = make([]float64, o.parent.Len())
	for i := range o.before {
		o.before[i] = math.NaN()
		if kind == compute.Int8 {
			o.before[i] = guardSpin
		}
	}
	o.values = make(grid, rows)
	for i := range o.values {
		o.values[i] = make([]float64, cols)
		for j := range o.values[i] {
			x := value(i, j)
			if kind == compute.Float32 {
				x = float64(float32(x))
			}
			o.values[i][j] = x
			o.before[(i+guardRows)*o.parent.Cols()+guardBefore+j] = x
		}
	}
	setEntries(e, o.parent, o.before)
	o.m = o.parent.Slice(guardRows, guardRows+rows).Columns(guardBefore, guardBefore+cols)
	return o
}

func setEntries(e compute.Engine, m compute.Matrix, x []float64) {
	switch m.Type() {
	case compute.Float64:
		e.Write(m, x)
	case compute.Float32:
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = float32(v)
		}
		e.Write(m, y)
	case compute.Int8:
		y := make([]int8, len(x))
		for i, v := range x {
			y[i] = int8(v)
		}
		e.Write(m, y)
	}
}

func entriesOf(e compute.Engine, m compute.Matrix) []float64 {
	x := make([]float64, m.Len())
	switch m.Type() {
	case compute.Float64:
		e.Read(x, m)
	case compute.Float32:
		y := make([]float32, len(x))
		e.Read(y, m)
		for i, v := range y {
			x[i] = float64(v)
		}
	case compute.Int8:
		y := make([]int8, len(x))
		e.Read(y, m)
		for i, v := range y {
			x[i] = float64(v)
		}
	}
	return x
}

func same(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || x != x && y != y
}

// guarded fails the test if an entry outside the view has changed, or, for an
// operand that is only read, any entry.
func (o operand) guarded(t *testing.T, e compute.Engine, name string, readOnly bool) {
	t.Helper()
	if o.m.IsNone() {
		return
	}
	c := o.parent.Cols()
	for i, x := range entriesOf(e, o.parent) {
		row, col := i/c-guardRows, i%c-guardBefore
		inside := row >= 0 && row < o.m.Rows() && col >= 0 && col < o.m.Cols()
		if (!inside || readOnly) && !same(x, o.before[i]) {
			t.Fatalf("%s: entry (%d,%d) of %v became %v, was %v", name, row, col, o.m, x, o.before[i])
		}
	}
}

func sameEntries(x, y operand) (int, bool) {
	if x.m.IsNone() {
		return 0, true
	}
	a, b := hostEntries(x.m), hostEntries(y.m)
	for i := range a {
		if !same(a[i], b[i]) {
			return i, false
		}
	}
	return 0, true
}

// hostEntries returns the entries of a host matrix row by row.
func hostEntries(m compute.Matrix) []float64 {
	var x []float64
	for i := range m.Rows() {
		for j := range m.Cols() {
			switch m.Type() {
			case compute.Float32:
				x = append(x, float64(m.Float32s()[i*m.Stride()+j]))
			case compute.Float64:
				x = append(x, m.Float64s()[i*m.Stride()+j])
			case compute.Int8:
				x = append(x, float64(m.Int8s()[i*m.Stride()+j]))
			}
		}
	}
	return x
}

// productCase is one product of the suite.
type productCase struct {
	n, m, l        int
	transA, transB bool
	a, b           compute.Type
	then           int // one of the epilogues of newProduct
}

func (c productCase) String() string {
	return fmt.Sprintf("%dx%d over %d, a %v trans %v, b %v trans %v, epilogue %d", c.n, c.m, c.l, c.a, c.transA, c.b, c.transB, c.then)
}

const epilogues = 11

// productCases returns every transpose and type on every shape, with the
// epilogues in turn: shapes with nothing, one row or column, around the tiles
// of 4, 8, 16 and 48 and blocks of 256, thin, and small with long sums.
func productCases() []productCase {
	shapes := [][3]int{
		{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {1, 48, 16}, {3, 8, 16}, {3, 1000, 8}, {8, 16, 3}, {7, 47, 15},
		{8, 48, 16}, {9, 49, 17}, {4, 24, 256}, {5, 25, 257}, {13, 1, 300}, {1, 1, 700}, {64, 64, 64}, {65, 100, 513},
		{200, 40, 30}, {300, 50, 20}, {33, 800, 9}, {8, 16, 5000}, {40, 130, 2100}, {190, 200, 100}, {12, 31, 33}, {16, 32, 272},
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
		}
	}
	for then := range epilogues { // every epilogue on a shape with whole and broken tiles in both directions, and one block of the sum or three
		cases = append(cases, productCase{n: 22, m: 109, l: 40, a: compute.Int8, b: compute.Float32, then: then},
			productCase{n: 22, m: 109, l: 600, a: compute.Float32, b: compute.Float32, transB: true, then: then})
	}
	return cases
}

// mulCase is a case with its operands.
type mulCase struct {
	productCase
	key                                                            rng.Key
	op                                                             compute.Op
	dst, x, y, weights, logGain, bias, scale, base, clamp, logCosh operand
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
	p.op = compute.Op{TransA: c.transA, TransB: c.transB, Alpha: 2 / math.Sqrt(float64(c.l+1))}
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
	case 8, 9:
		th.Kind = compute.Discard
	}
	if c.then >= 4 {
		p.bias = newOperand(e, compute.Float32, 1, c.m, random(6))
	}
	if c.then >= 6 {
		p.scale = newOperand(e, compute.Float32, c.n, 1, random(7))
	}
	if c.then == 7 || c.then == 9 {
		p.base = newOperand(e, compute.Float32, 1, c.m, random(8))
	}
	if c.then == 4 || c.then == 7 || c.then >= 8 {
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
	th.Bias, th.Scale, th.Base, th.LogCosh = p.bias.m, p.scale.m, p.base.m, p.logCosh.m
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
	for _, o := range []operand{p.x, p.y, p.weights, p.logGain, p.bias, p.scale, p.base, p.clamp} {
		o.guarded(t, e, p.String(), true)
	}
	p.dst.guarded(t, e, p.String(), p.op.Then.Kind == compute.Discard)
	p.logCosh.guarded(t, e, p.String(), false)
	var gain float64
	if p.logGain.values != nil {
		gain = p.logGain.values[0][0]
	}
	y := product(p.n, p.m, p.l, p.dst.values, p.x.values, p.y.values, p.op, gain, p.weights.values)
	fieldOf(y, p.bias.values, p.scale.values, p.base.values)
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

// Fields that are large, zero of either sign, infinite or not a number.
func engineSpecials(t *testing.T, e compute.Engine) {
	x := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-30, 30, -30, 300, -300, 3e38, -3e38,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 8.9, 9.1, 0.3, -0.3}
	a, b := e.Alloc(compute.Float32, 1, 1), e.Alloc(compute.Float32, 1, len(x))
	e.Write(a, []float32{1})
	e.Write(b, x)
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

func engineVectors(t *testing.T, e compute.Engine) {
	engineSkips(t, e)
	random := func(id rng.Key) func(i, j int) float64 {
		return func(i, j int) float64 { return 4*float64(id.Uniform(uint64(i), uint64(j))) - 2 }
	}
	close := func(g, want float64, kind compute.Type) bool {
		if kind == compute.Float64 {
			return math.Abs(g-want) <= 1e-14*(1+math.Abs(want))
		}
		return math.Abs(g-want) <= 1e-6*(1+math.Abs(want))
	}
	for _, s := range [][2]int{{0, 3}, {3, 0}, {1, 1}, {5, 7}, {3, 16}, {2, 33}, {17, 65}, {1, 9000}, {9000, 1}} {
		rows, cols := s[0], s[1]
		for _, dk := range []compute.Type{compute.Float32, compute.Float64} {
			for _, xk := range []compute.Type{compute.Float32, compute.Float64, compute.Int8} {
				for _, f := range [][2]float64{{0.5, 2}, {1, 1}, {0, 0.25}, {-3, 0}, {0, 0}, {1, 0}} {
					d, x := newOperand(e, dk, rows, cols, random(1)), newOperand(e, xk, rows, cols, random(2))
					if xk == compute.Int8 {
						x = newOperand(e, xk, rows, cols, func(i, j int) float64 { return math.Trunc(random(2)(i, j)) + 0 })
					}
					e.Axpby(d.m, f[0], x.m, f[1])
					d.guarded(t, e, "Axpby", false)
					x.guarded(t, e, "Axpby", true)
					for i, g := range entriesOf(e, d.m) {
						if want := f[0]*x.values[i/cols][i%cols] + f[1]*d.values[i/cols][i%cols]; !close(g, want, dk) {
							t.Fatalf("Axpby %dx%d %v %v %v: entry %d is %v, want %v", rows, cols, dk, xk, f, i, g, want)
						}
					}
				}
				x := newOperand(e, dk, rows, cols, random(3))
				y := newOperand(e, xk, rows, cols, func(i, j int) float64 { return math.Trunc(random(4)(i, j)) + 0 })
				d := newOperand(e, compute.Float64, rows, 1, random(5))
				e.RowDot(d.m, -1.5, x.m, y.m)
				d.guarded(t, e, "RowDot", false)
				for i, g := range entriesOf(e, d.m) {
					want := 0.0
					for j := range cols {
						want += x.values[i][j] * y.values[i][j]
					}
					if want = d.values[i][0] - 1.5*want; math.Abs(g-want) > 1e-11*(1+math.Abs(want)) {
						t.Fatalf("RowDot %dx%d %v %v: row %d is %v, want %v", rows, cols, dk, xk, i, g, want)
					}
				}
			}
		}
		engineMoves(t, e, rows, cols, random)
	}
}

// engineSkips tests that a factor of 0 keeps what its operand holds out of Axpby.
func engineSkips(t *testing.T, e compute.Engine) {
	nan := func(i, j int) float64 { return math.NaN() }
	one := func(i, j int) float64 { return 1 }
	for _, kind := range []compute.Type{compute.Float32, compute.Float64} {
		for _, c := range []struct {
			d, x       func(i, j int) float64
			a, b, want float64
		}{{nan, one, 2, 0, 2}, {one, nan, 0, 3, 3}, {nan, nan, 0, 0, 0}} {
			d, x := newOperand(e, kind, 3, 37, c.d), newOperand(e, kind, 3, 37, c.x)
			e.Axpby(d.m, c.a, x.m, c.b)
			for i, g := range entriesOf(e, d.m) {
				if g != c.want {
					t.Fatalf("Axpby %v %v %v: entry %d is %v, want %v", kind, c.a, c.b, i, g, c.want)
				}
			}
		}
	}
}

// engineMoves tests Adam, Clip, Sign and Finite on one shape.
func engineMoves(t *testing.T, e compute.Engine, rows, cols int, random func(rng.Key) func(i, j int) float64) {
	d, g := newOperand(e, compute.Float32, rows, cols, random(1)), newOperand(e, compute.Float32, rows, cols, random(2))
	m := newOperand(e, compute.Float32, rows, cols, random(3))
	s := newOperand(e, compute.Float32, rows, cols, func(i, j int) float64 { return math.Abs(random(4)(i, j)) })
	e.Adam(d.m, g.m, m.m, s.m, 0.9, 0.99, 0.01, 0.3, 1e-3)
	for _, o := range []operand{d, m, s} {
		o.guarded(t, e, "Adam", false)
	}
	gd, gm, gs := entriesOf(e, d.m), entriesOf(e, m.m), entriesOf(e, s.m)
	for i := range gd {
		r, c := i/cols, i%cols
		x := g.values[r][c]
		wm, ws := 0.9*m.values[r][c]+0.1*x, 0.99*s.values[r][c]+0.01*x*x
		wd := d.values[r][c] - 0.01*wm/(math.Sqrt(ws/0.3)+1e-3)
		if math.Abs(gm[i]-wm) > 1e-6 || math.Abs(gs[i]-ws) > 1e-6 || math.Abs(gd[i]-wd) > 1e-6 {
			t.Fatalf("Adam %dx%d: entry %d is %v %v %v, want %v %v %v", rows, cols, i, gd[i], gm[i], gs[i], wd, wm, ws)
		}
	}
	d = newOperand(e, compute.Float32, rows, cols, func(i, j int) float64 {
		if (i+j)%5 == 4 {
			return math.NaN()
		}
		return random(1)(i, j)
	})
	e.Clip(d.m, 0.75)
	d.guarded(t, e, "Clip", false)
	for i, g := range entriesOf(e, d.m) {
		if want := max(-0.75, min(0.75, d.values[i/cols][i%cols])); !same(g, want) {
			t.Fatalf("Clip %dx%d: entry %d is %v, want %v", rows, cols, i, g, want)
		}
	}
	x := newOperand(e, compute.Float32, rows, cols, func(i, j int) float64 {
		switch (i + j) % 7 {
		case 3:
			return 0
		case 4:
			return math.Copysign(0, -1)
		}
		return random(6)(i, j)
	})
	for _, kind := range []compute.Type{compute.Float32, compute.Int8} {
		d := newOperand(e, kind, rows, cols, random(1))
		e.Sign(d.m, x.m)
		d.guarded(t, e, "Sign", false)
		for i, g := range entriesOf(e, d.m) {
			want := 1.0
			if x.values[i/cols][i%cols] < 0 {
				want = -1
			}
			if g != want {
				t.Fatalf("Sign %dx%d %v: entry %d is %v, want %v", rows, cols, kind, i, g, want)
			}
		}
	}
	for _, kind := range []compute.Type{compute.Float32, compute.Float64} {
		if o := newOperand(e, kind, rows, cols, random(7)); !e.Finite(o.m) {
			t.Fatalf("Finite %dx%d %v: finite entries called infinite", rows, cols, kind)
		}
		for at := 0; at < rows*cols; at += 1 + rows*cols/9 {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				o := newOperand(e, kind, rows, cols, func(i, j int) float64 {
					if i*cols+j == at {
						return bad
					}
					return 1
				})
				if e.Finite(o.m) {
					t.Fatalf("Finite %dx%d %v: %v at %d not seen", rows, cols, kind, bad, at)
				}
			}
		}
	}
}

func engineMemory(t *testing.T, e compute.Engine) {
	for _, kind := range []compute.Type{compute.Float32, compute.Float64, compute.Int8} {
		for i, x := range entriesOf(e, e.Alloc(kind, 5, 7)) {
			if x != 0 {
				t.Fatalf("Alloc of %v: entry %d is %v", kind, i, x)
			}
		}
		src := newOperand(e, kind, 6, 11, func(i, j int) float64 { return float64(i*11 + j - 30) })
		dst := newOperand(e, kind, 4, 11, func(i, j int) float64 { return 0 })
		rows := []int32{5, 0, 0, 3}
		e.Gather(dst.m, src.m, rows)
		dst.guarded(t, e, "Gather", false)
		for i, g := range entriesOf(e, dst.m) {
			if want := src.values[rows[i/11]][i%11]; g != want {
				t.Fatalf("Gather of %v: entry %d is %v, want %v", kind, i, g, want)
			}
		}
		start := e.Mark()
		a := e.Scratch(kind, 3, 100)
		setEntries(e, a, make([]float64, 300))
		mark := e.Mark()
		b := e.Scratch(kind, 1000, 1000) // larger than a chunk
		c := e.Scratch(kind, 1, 1)
		setEntries(e, b.Slice(999, 1000), constant(1000, 1))
		setEntries(e, c, []float64{2})
		e.Release(mark)
		d := e.Scratch(kind, 2, 2)
		setEntries(e, d, []float64{3, 3, 3, 3})
		for i, x := range entriesOf(e, a) {
			if x != 0 {
				t.Fatalf("Scratch of %v: later scratch wrote %v over entry %d", kind, x, i)
			}
		}
		e.Release(start)
	}
	if err := e.Sync(); err != nil {
		t.Fatalf("Sync: %v", err)
	}
}

func constant(n int, x float64) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = x
	}
	return s
}

// Wrong shapes and types panic instead of computing something.
func enginePanics(t *testing.T, e compute.Engine) {
	f := func(rows, cols int) compute.Matrix { return e.Alloc(compute.Float32, rows, cols) }
	one := compute.Op{Alpha: 1}
	with := func(change func(*compute.Op)) compute.Op { op := one; change(&op); return op }
	for name, call := range map[string]func(){
		"inner":     func() { e.Mul(f(2, 3), f(2, 4), f(5, 3), one) },
		"rows":      func() { e.Mul(f(3, 3), f(2, 4), f(4, 3), one) },
		"spin type": func() { e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Then.Kind = compute.Spin })) },
		"operand":   func() { e.Mul(f(2, 3), e.Alloc(compute.Float64, 2, 4), f(4, 3), one) },
		"accumulate": func() {
			e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Accumulate, o.Then.Kind = true, compute.Tanh }))
		},
		"bias":     func() { e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Then.Bias = f(1, 2) })) },
		"weights":  func() { e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Weights = f(3, 1) })) },
		"axpby":    func() { e.Axpby(f(2, 3), 1, f(3, 2), 1) },
		"rowdot":   func() { e.RowDot(f(2, 1), 1, f(2, 2), f(2, 2)) },
		"adam":     func() { e.Adam(f(2, 3), f(2, 3), f(2, 2), f(2, 3), 0, 0, 0, 1, 1) },
		"sign":     func() { e.Sign(e.Alloc(compute.Float64, 1, 1), f(1, 1)) },
		"gather":   func() { e.Gather(f(2, 3), f(4, 3), []int32{1}) },
		"write":    func() { e.Write(f(2, 3), make([]float32, 5)) },
		"negative": func() { e.Alloc(compute.Float32, -1, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

// In the steady state nothing allocates.
func engineAllocations(t *testing.T, e compute.Engine) {
	var cases []*mulCase
	for id, c := range productCases() {
		if c.n*c.m*c.l < 1<<18 && id%5 == 0 || c.l == 5000 {
			cases = append(cases, newProduct(e, c, rng.Key(id)))
		}
	}
	x, y := e.Alloc(compute.Float32, 300, 300), e.Alloc(compute.Float32, 300, 300)
	i8, sum, pairs := e.Alloc(compute.Int8, 300, 300), e.Alloc(compute.Float64, 300, 1), e.Alloc(compute.Float64, 300, 300)
	z, w := e.Alloc(compute.Float32, 300, 300), e.Alloc(compute.Float32, 300, 300)
	if n := testing.AllocsPerRun(2, func() {
		for _, p := range cases {
			p.run(e)
		}
		mark := e.Mark()
		e.Scratch(compute.Float32, 700, 900)
		e.Release(mark)
		e.Axpby(x, 1, y, 0.5)
		e.Axpby(x, 1, i8, 0.5)
		e.Adam(x, y, y, y, 0.9, 0.9, 0.1, 1, 1)
		e.Clip(x, 1)
		e.Sign(i8, x)
		e.Spins(i8, 1, 2, 3)
		e.RowDot(sum, 1, x, i8)
		e.Finite(x)
		e.Pairs(pairs, x, y, compute.Matrix{}, compute.PairAbs)
		e.Pairs(pairs, x, y, compute.Matrix{}, compute.PairLogCosh)
		e.PairMeans(z, w, x, y, y)
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}
