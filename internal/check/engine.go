package check

import (
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
	t.Run("rowwise", func(t *testing.T) { engineRowwise(t, e) })
	t.Run("origins", func(t *testing.T) { engineOrigins(t, e) })
	t.Run("normals", func(t *testing.T) { engineNormals(t, e) })
	t.Run("specials", func(t *testing.T) { engineSpecials(t, e) })
	t.Run("scans", func(t *testing.T) { engineScan(t, e) })
	t.Run("parts of scans", func(t *testing.T) { engineScanParts(t, e) })
	t.Run("the law of scans", func(t *testing.T) { engineScanLaw(t, e) })
	t.Run("the reverse of scans", func(t *testing.T) { engineScanReverse(t, e) })
	t.Run("scans and auxiliaries", func(t *testing.T) { engineScanKernels(t, e) })
	t.Run("vectors", func(t *testing.T) { engineVectors(t, e) })
	t.Run("descend", func(t *testing.T) { engineDescend(t, e) })
	t.Run("pairs", func(t *testing.T) { enginePairs(t, e) })
	t.Run("memory", func(t *testing.T) { engineMemory(t, e) })
	t.Run("panics", func(t *testing.T) { enginePanics(t, e) })
	t.Run("allocations", func(t *testing.T) { engineAllocations(t, e) })
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
	for _, kind := range []compute.Type{compute.Float32, compute.Float64, compute.Int8} {
		for _, x := range []float64{0, -1, 3} {
			d := newOperand(e, kind, rows, cols, random(1))
			e.Fill(d.m, x)
			d.guarded(t, e, "Fill", false)
			for i, g := range entriesOf(e, d.m) {
				if g != x {
					t.Fatalf("Fill %dx%d %v: entry %d is %v, want %v", rows, cols, kind, i, g, x)
				}
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
		"add": func() { e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Then.Add = f(1, 3) })) },
		"accumulate add": func() {
			e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Accumulate, o.Then.Add = true, f(2, 3) }))
		},
		"base of a normal": func() {
			e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Then.Kind, o.Then.Base = compute.Normal, f(1, 3) }))
		},
		"normals": func() { e.Normals(e.Alloc(compute.Float64, 1, 1), 1, 0, 0) },
		"scan rows": func() {
			e.Scan(e.Alloc(compute.Int8, 2, 3), compute.ScanOp{Patterns: f(4, 3), Overlap: f(1, 4), Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin}})
		},
		"scan kind": func() {
			e.Scan(e.Alloc(compute.Int8, 2, 3), compute.ScanOp{Patterns: f(4, 3), Overlap: f(2, 4), Alpha: 1})
		},
		"scan of nothing": func() {
			e.Scan(e.Alloc(compute.Int8, 2, 3), compute.ScanOp{Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin}})
		},
		"scan at once of dense couplings": func() {
			e.Scan(e.Alloc(compute.Int8, 2, 3), compute.ScanOp{Dense: f(3, 3), Alpha: 1, Order: compute.AtOnce, Then: compute.Epilogue{Kind: compute.Spin}})
		},
		"bias":     func() { e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Then.Bias = f(1, 2) })) },
		"weights":  func() { e.Mul(f(2, 3), f(2, 4), f(4, 3), with(func(o *compute.Op) { o.Weights = f(3, 1) })) },
		"axpby":    func() { e.Axpby(f(2, 3), 1, f(3, 2), 1) },
		"rowdot":   func() { e.RowDot(f(2, 1), 1, f(2, 2), f(2, 2)) },
		"adam":     func() { e.Adam(f(2, 3), f(2, 3), f(2, 2), f(2, 3), 0, 0, 0, 1, 1) },
		"sign":     func() { e.Sign(e.Alloc(compute.Float64, 1, 1), f(1, 1)) },
		"gather":   func() { e.Gather(f(2, 3), f(4, 3), []int32{1}) },
		"read":     func() { compute.Read(e, make([]float64, 6), f(2, 3)) },
		"write":    func() { compute.Write(e, f(2, 3), make([]float32, 5)) },
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
	var scans []*scanRun
	for id, c := range scanCases() {
		if id%9 == 0 || c.rows > 90 {
			scans = append(scans, newScan(e, c, rng.Key(id), 0, 0))
		}
	}
	host32, host64, host8 := make([]float32, x.Len()), make([]float64, sum.Len()), make([]int8, i8.Len())
	if n := testing.AllocsPerRun(2, func() {
		for _, p := range cases {
			p.run(e)
		}
		for _, p := range scans {
			p.run(e)
			if p.k >= 0 {
				op := p.op
				op.Order = compute.AtOnce
				e.Scan(p.s.m, op)
			}
		}
		mark := e.Mark()
		e.Scratch(compute.Float32, 700, 900)
		e.Release(mark)
		compute.Write(e, x, host32)
		compute.Write(e, sum, host64)
		compute.Write(e, i8, host8)
		compute.Read(e, host32, x)
		compute.Read(e, host64, sum)
		compute.Read(e, host8, i8)
		e.Fill(x, 1)
		e.Axpby(x, 1, y, 0.5)
		e.Axpby(x, 1, i8, 0.5)
		e.Adam(x, y, y, y, 0.9, 0.9, 0.1, 1, 1)
		e.Clip(x, 1)
		e.Sign(i8, x)
		e.Spins(i8, 1, 2, 3)
		e.Normals(x, 1, 2, 3)
		e.RowDot(sum, 1, x, i8)
		e.Finite(x)
		e.Pairs(pairs, x, y, compute.Matrix{}, compute.PairAbs)
		e.Pairs(pairs, x, y, compute.Matrix{}, compute.PairLogCosh)
		e.PairMeans(z, w, x, y, y)
	}); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}
