package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// inMode returns an engine on the arm that works integers out in the mode.
func inMode(t testing.TB, arm, mode string, threads int) *Engine {
	undo, err := Force(arm)
	if err != nil {
		t.Fatal(err)
	}
	defer undo()
	undoMode, err := Integers(mode)
	if err != nil {
		t.Fatal(err)
	}
	defer undoMode()
	return newEngine(t, threads)
}

// product is one product with signs: shapes, where its factors lie, and what becomes of it.
type product struct {
	n, m, l int
	spins   bool // spins times transposed signs; else integers times signs
	zeros   bool // some spins are none
	large   int  // magnitude of integers
	then    compute.Kind
	row     uint64
	fields  bool // Add, Bias, Scale, Base, Clamp, as far as the kind allows
	cosh    bool
	plus    bool // Accumulate, where the kind is Store
}

// guarded returns a view of rows x cols within a matrix whose other entries are marks, and what tells whether these are still there.
func guarded(e *Engine, kind compute.Type, rows, cols int) (view compute.Matrix, intact func() bool) {
	whole := e.Alloc(kind, rows+2, cols+7)
	e.Fill(whole, 77)
	view = whole.Slice(1, 1+rows).Columns(3, 3+cols)
	return view, func() bool {
		for i := range rows + 2 {
			for j := range cols + 7 {
				if i > 0 && i <= rows && j >= 3 && j < 3+cols {
					continue
				}
				at := i*whole.Stride() + j
				if kind == compute.Int8 && whole.Int8s()[at] != 77 || kind == compute.Float32 && whole.Float32s()[at] != 77 {
					return false
				}
			}
		}
		return true
	}
}

// on returns the bits of all that the product sets on the engine.
func (p product) on(t *testing.T, e *Engine, key rng.Key) (all []uint64) {
	of, trans := compute.Float32, false
	if p.spins {
		of, trans = compute.Int8, true
	}
	a, _ := guarded(e, of, p.n, p.l)
	rows, cols := p.l, p.m
	if trans {
		rows, cols = cols, rows
	}
	b, _ := guarded(e, compute.Float32, rows, cols)
	for i := range p.n {
		for l := range p.l {
			at := i*a.Stride() + l
			if r := key.Uint32(uint64(i), uint64(l)); p.spins {
				a.Int8s()[at] = int8(1 - 2*int(r&1))
				if p.zeros && r%5 == 0 {
					a.Int8s()[at] = 0
				}
			} else {
				a.Float32s()[at] = float32(int(r)%(2*p.large+1) - p.large)
				if r%7 == 0 {
					a.Float32s()[at] = float32(math.Copysign(0, -1))
				}
			}
		}
	}
	for i := range rows {
		for j := range cols {
			b.Float32s()[i*b.Stride()+j] = float32(1 - 2*int(key.Uint32(uint64(i), uint64(j+1<<20))&1))
		}
	}
	vector := func(rows, cols int, scale float32) compute.Matrix {
		m := e.Alloc(compute.Float32, rows, cols)
		for i := range m.Float32s() {
			m.Float32s()[i] = scale * key.Uniform(uint64(rows), uint64(i))
		}
		return m
	}
	result := compute.Float32
	if p.then == compute.Spin {
		result = compute.Int8
	}
	dst, intact := guarded(e, result, p.n, p.m)
	op := compute.Op{TransB: trans, Alpha: 1 / math.Sqrt(float64(p.l)), LogGain: vector(1, 1, 0.3), Accumulate: p.plus && p.then == compute.Store,
		Then: compute.Epilogue{Kind: p.then, Key: key, Row: p.row, Col: 5}}
	if p.spins {
		op.Alpha, op.LogGain = 1, compute.Matrix{} // exact sums are seen as they are
	}
	if p.fields {
		op.Then.Bias = vector(1, p.m, 1)
		op.Then.Scale = vector(p.n, 1, 1)
		if !op.Accumulate {
			op.Then.Add = vector(p.n, p.m, 1)
		}
		if p.then != compute.Normal {
			op.Then.Base = vector(1, p.m, 0.5)
		}
		if p.then == compute.Spin {
			op.Then.Clamp = e.Alloc(compute.Int8, p.n, p.m)
			for i := range op.Then.Clamp.Int8s() {
				op.Then.Clamp.Int8s()[i] = int8(key.Uint32(9, uint64(i)) % 3) - 1
			}
		}
	}
	if p.cosh {
		op.Then.LogCosh = e.Alloc(compute.Float64, p.n, 1)
	}
	e.Mul(dst, a, b, op)
	if !intact() {
		t.Errorf("%+v: entries beside the destination have changed", p)
	}
	for i := range p.n {
		for j := range p.m {
			if at := i*dst.Stride() + j; result == compute.Int8 {
				all = append(all, uint64(dst.Int8s()[at]))
			} else {
				all = append(all, uint64(math.Float32bits(dst.Float32s()[at])))
			}
		}
	}
	if p.cosh {
		for _, x := range op.Then.LogCosh.Float64s() {
			all = append(all, math.Float64bits(x))
		}
	}
	return all
}

// Products of integers with signs have the bits of the same products in float32, on each arm: of every kind, with every part of an
// epilogue, of sizes about those of tiles, words and blocks, for 1 and 2 threads, and nothing beside the destination is touched.
func TestIntegersHaveTheBitsOfFloats(t *testing.T) {
	for _, arm := range Arms() {
		t.Run(arm, func(t *testing.T) {
			reference := inMode(t, arm, "off", 1)
			engines := []*Engine{inMode(t, arm, "always", 1), inMode(t, arm, "always", 2)}
			key := rng.Key(5)
			sizes := []int{1, 2, 7, 8, 9, 14, 15, 16, 29, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 96, 97, 129, 200, 260, 511}
			size := func(n *uint64) int { *n++; return sizes[key.Uint32(77, *n)%uint32(len(sizes))] }
			var draw uint64
			products := 400
			if arm == "generic" || testing.Short() {
				products = 120
			}
			for i := range products {
				p := product{n: size(&draw), m: size(&draw), l: size(&draw), spins: i%2 == 0, zeros: i%3 == 0, large: []int{1, 30, 1000, 2184}[i%4],
					then: compute.Kind(i / 2 % 5), row: uint64(i % 4), fields: i%7 < 3, cosh: i%5 < 2, plus: i%11 < 5}
				if i%20 == 19 {
					p.n, p.l = 300, 2100 // longer than a block of the sum in float32
				}
				if p.then == compute.Discard {
					p.cosh = true
				}
				want := p.on(t, reference, key+rng.Key(i))
				for _, e := range engines {
					before := e.IntegerProducts()
					got := p.on(t, e, key+rng.Key(i))
					if e.IntegerProducts() != before+1 {
						t.Fatalf("%+v is multiplied in float32", p)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%+v, %d threads: other bits than in float32", p, e.Threads())
					}
				}
			}
			if n := reference.IntegerProducts(); n != 0 {
				t.Errorf("%d products with signs in mode off", n)
			}
		})
	}
}

var _ = fmt.Sprint
