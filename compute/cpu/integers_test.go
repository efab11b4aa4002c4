package cpu

import (
	"math"
	"slices"
	"testing"
	"unsafe"

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
	state := uint64(key)
	next := func() uint32 { // enough for signs, and quick
		state = state*6364136223846793005 + 1442695040888963407
		return uint32(state >> 33)
	}
	for i := range p.n {
		for l := range p.l {
			at := i*a.Stride() + l
			if r := next(); p.spins {
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
			b.Float32s()[i*b.Stride()+j] = float32(1 - 2*int(next()>>7&1))
		}
	}
	vector := func(rows, cols int, scale float32) compute.Matrix {
		m := e.Alloc(compute.Float32, rows, cols)
		for i := range m.Float32s() {
			m.Float32s()[i] = scale * float32(next()%1000) / 1000
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
				op.Then.Clamp.Int8s()[i] = int8(key.Uint32(9, uint64(i))%3) - 1
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
			products, most := 200, math.MaxInt
			if !reference.kernels.signs.fast { // plain Go
				products, most = 80, 1<<18
			}
			for i := range products {
				p := product{n: size(&draw), m: size(&draw), l: size(&draw), spins: i%2 == 0, zeros: i%3 == 0, large: []int{1, 30, 1000, 2184}[i%4],
					then: compute.Kind(i / 2 % 5), row: uint64(i % 4), fields: i%7 < 3, cosh: i%5 < 2, plus: i%11 < 5}
				if i%20 == 19 {
					p.n, p.l = 300, 2100 // longer than a block of the sum in float32
				}
				for p.m > 2 && p.n*p.m*p.l > most {
					p.m = p.m/2 + 1
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

// The packing kernels of every arm set the words that they say, of rows of any length and whatever lies beside them, set no
// others, and report every entry that is not a spin, a sign or an integer of 16 bits, at whatever place it stands.
func TestIntegerPacking(t *testing.T) {
	const most, stride = 133, 140
	spins, signs, numbers := make([]int8, 40*stride), make([]float32, 40*stride), make([]float32, 40*stride)
	for i := range spins {
		r := rng.Key(6).Uint32(1, uint64(i))
		spins[i], signs[i], numbers[i] = int8(r%3)-1, float32(1-2*int(r>>8&1)), float32(int(r>>9)%4001-2000)
	}
	const mark = 0xabab
	fresh := func(n int) []uint32 {
		w := make([]uint32, n)
		for i := range w {
			w[i] = mark<<16 | mark
		}
		return w
	}
	bit := func(set bool, b int) uint32 {
		if set {
			return 1 << b
		}
		return 0
	}
	for _, k := range arms() {
		high, s := k.rows, &k.signs
		wrong := func(what string, n, rows int) { t.Fatalf("%s: %s of %d rows of %d entries", k.name, what, rows, n) }
		for n := 1; n <= most; n++ {
			rows := 1 + n%high
			words := ceil(n, wordSteps)
			spinsOf := func() ([]uint32, []uint32, uint32) {
				dst, count := fresh(2*high*words+1), fresh(rows+1)
				return dst, count, s.spinWords(&dst[0], &count[0], &spins[3], stride, uintptr(rows), uintptr(n))
			}
			signsOf := func() ([]uint32, uint32) {
				dst := fresh((rows+1)*words + 1)
				return dst, s.signWords(&dst[0], &signs[3], 4*uintptr(rows+1), 4*stride, uintptr(rows), uintptr(n))
			}
			steps := ceil(n, lookupSteps)
			shortsOf := func() ([]int16, []int32, uint32) {
				dst, bounds := fresh(rows*(steps*shortLen/2+1)), make([]int32, steps+1)
				bounds[0] = 5000 // of rows before
				other := s.shorts(&words16(dst)[0], &bounds[0], &numbers[3], uintptr(2*steps*shortLen+4), 4*stride, uintptr(rows), uintptr(n/lookupSteps), uintptr(n%lookupSteps))
				return words16(dst), bounds, other
			}
			dst, count, other := spinsOf()
			if other != 0 {
				wrong("spins refused", n, rows)
			}
			dst2, other := signsOf()
			if other != 0 {
				wrong("signs refused", n, rows)
			}
			for i := range rows {
				number := uint32(0)
				for l := range words {
					var sign, mask, sign2 uint32
					for b := range min(wordSteps, n-l*wordSteps) {
						at := 3 + i*stride + l*wordSteps + b
						sign, mask, sign2 = sign|bit(spins[at] < 0, b), mask|bit(spins[at] != 0, b), sign2|bit(signs[at] < 0, b)
						number += bit(spins[at] != 0, 0)
					}
					if dst[2*high*l+i] != sign || dst[2*high*l+high+i] != mask || dst2[(rows+1)*l+i] != sign2 {
						wrong("words", n, rows)
					}
				}
				if count[i] != number {
					wrong("number of spins", n, rows)
				}
			}
			for at, w := range dst {
				if (at%high >= rows || at == len(dst)-1) && w != mark<<16|mark {
					wrong("a word beside those of spins", n, rows)
				}
			}
			for at, w := range dst2 {
				if (at%(rows+1) == rows || at == len(dst2)-1) && w != mark<<16|mark {
					wrong("a word beside those of signs", n, rows)
				}
			}
			ints, bounds, other := shortsOf()
			if other != 0 {
				wrong("integers refused", n, rows)
			}
			want := make([]int32, steps+1)
			want[0] = 5000
			for i := range rows {
				sums := make([]int32, steps)
				for l := range steps*shortLen + 2 {
					x, j := float32(0), l/shortLen*lookupSteps+l%shortLen
					if l == steps*shortLen || l == steps*shortLen+1 {
						x = float32(int16(mark - 1<<16))
					} else if l%shortLen < lookupSteps && j < n {
						x = numbers[3+i*stride+j]
						sums[l/shortLen] += int32(math.Abs(float64(x)))
					}
					if float32(ints[i*(steps*shortLen+2)+l]) != x {
						wrong("integers", n, rows)
					}
				}
				for l, sum := range sums {
					want[l] = max(want[l], sum)
				}
			}
			if !slices.Equal(bounds, want) {
				wrong("bounds", n, rows)
			}
			at := 3 + int(rng.Key(7).Uint32(0, uint64(n))%uint32(rows))*stride + int(rng.Key(8).Uint32(0, uint64(n))%uint32(n))
			for _, x := range []int8{2, -2, 127, -128, 64} {
				old := spins[at]
				spins[at] = x
				if _, _, other := spinsOf(); other == 0 {
					wrong("a spin that is none taken", n, rows)
				}
				spins[at] = old
			}
			nan, inf := float32(math.NaN()), float32(math.Inf(-1))
			for _, x := range []float32{0, 2, -0.5, nan, inf, math.Nextafter32(1, 2), -math.Nextafter32(1, 0), float32(math.Copysign(0, -1)), 1e-40} {
				old := signs[at]
				signs[at] = x
				if _, other := signsOf(); other == 0 {
					wrong("a sign that is none taken", n, rows)
				}
				signs[at] = old
			}
			for _, x := range []float32{0.5, -1.25, 32768, -32768, 1 << 31, -1 << 31, 1 << 32, 1e30, nan, inf, 1e-40, 0x1p-20 + 5} {
				old := numbers[at]
				numbers[at] = x
				if _, _, other := shortsOf(); other == 0 {
					wrong("an integer that is none taken", n, rows)
				}
				numbers[at] = old
			}
			// Signs of columns: n is the number of rows here.
			for _, cols := range []int{1, 15, 16, 17, 31, 2 * k.cols()} {
				if n > 39 {
					break
				}
				indices := func() ([]int16, uint32) {
					dst := fresh(steps*(k.cols()+1) + 1)
					return words16(dst), s.signIndices((*uint16)(unsafe.Pointer(&dst[0])), &signs[3], 4*uintptr(k.cols()+1), 4*stride, uintptr(n), uintptr(cols))
				}
				ints, other := indices()
				if other != 0 {
					wrong("signs of columns refused", cols, n)
				}
				for l := range steps {
					for j := range 2*k.cols() + 2 {
						var w uint32
						for b := range min(lookupSteps, n-l*lookupSteps) {
							w |= bit(j < cols && signs[3+(l*lookupSteps+b)*stride+j] < 0, b)
						}
						have := uint16(ints[l*2*(k.cols()+1)+j])
						if j >= round(cols, 16) {
							w = mark
						}
						if uint32(have) != w && (j < cols || have != mark) {
							wrong("words of columns", cols, n)
						}
					}
				}
				at := 3 + n/2*stride + cols/2
				old := signs[at]
				signs[at] = 0.5
				if _, other := indices(); other == 0 {
					wrong("a sign of a column that is none taken", cols, n)
				}
				signs[at] = old
			}
		}
	}
}

func words16(x []uint32) []int16 { return unsafe.Slice((*int16)(unsafe.Pointer(&x[0])), 2*len(x)) }

// Products whose numbers are not those of integers with signs have the bits of float32 in every mode, for they are multiplied so:
// one entry, of either factor, at a place that is looked at before packing or not.
func TestOthersAreFloats(t *testing.T) {
	for _, arm := range Arms() {
		off, on := inMode(t, arm, "off", 1), inMode(t, arm, "always", 2)
		const n, m, l = 70, 60, 50
		for _, of := range []compute.Type{compute.Int8, compute.Float32} {
			a, b := off.Alloc(of, n, l), off.Alloc(compute.Float32, l, m)
			op := compute.Op{Alpha: 0.3}
			if of == compute.Int8 {
				b, op.TransB = off.Alloc(compute.Float32, m, l), true
			}
			for i := range n * l {
				r := rng.Key(4).Uint32(0, uint64(i))
				if of == compute.Int8 {
					a.Int8s()[i] = int8(1 - 2*int(r&1))
				} else {
					a.Float32s()[i] = float32(int(r%101) - 50)
				}
			}
			for i := range b.Float32s() {
				b.Float32s()[i] = float32(1 - 2*int(rng.Key(4).Uint32(1, uint64(i))&1))
			}
			check := func(what string, integers int) {
				t.Helper()
				before := on.IntegerProducts()
				want, got := off.Alloc(compute.Float32, n, m), off.Alloc(compute.Float32, n, m)
				off.Mul(want, a, b, op)
				on.Mul(got, a, b, op)
				if on.IntegerProducts() != before+integers {
					t.Errorf("%s: %v times signs, %s: %d products of integers, want %d", arm, of, what, on.IntegerProducts()-before, integers)
				}
				for i, x := range want.Float32s() {
					if math.Float32bits(x) != math.Float32bits(got.Float32s()[i]) {
						t.Errorf("%s: %v times signs, %s: other bits", arm, of, what)
						break
					}
				}
			}
			check("as it is", 1)
			for _, at := range []int{0, 777, m*l - 1} {
				old := b.Float32s()[at]
				b.Float32s()[at] = 0.75 * old
				check("one that is no sign", 0)
				b.Float32s()[at] = old
			}
			for _, at := range []int{0, 1234, n*l - 1} {
				if of == compute.Int8 {
					old := a.Int8s()[at]
					a.Int8s()[at] = 3
					check("one that is no spin", 0)
					a.Int8s()[at] = old
					continue
				}
				old := a.Float32s()[at]
				for _, x := range []float32{0.25, 40000} {
					a.Float32s()[at] = x
					check("one that is no integer of 16 bits", 0)
				}
				a.Float32s()[at] = old
			}
		}
	}
}

// Signs of which one is another, wherever it stands, are packed in vain once in 32 products, and once they are signs at most 31 products
// go by before they are taken as such.
func TestDoubts(t *testing.T) {
	e := newEngine(t, 1)
	if !e.kernels.signs.fast {
		t.Skip("this arm multiplies in float32")
	}
	const n, m, l = 200, 500, 100
	a, b, dst := e.Alloc(compute.Float32, n, l), e.Alloc(compute.Float32, l, m), e.Alloc(compute.Float32, n, m)
	e.Fill(b, 1)
	multiply := func() bool {
		before := e.IntegerProducts()
		e.Mul(dst, a, b, compute.Op{Alpha: 1})
		return e.IntegerProducts() > before
	}
	if !multiply() {
		t.Error("signs are multiplied in float32")
	}
	b.Float32s()[777] = 0.5
	if multiply() || e.mul.integers.doubts[0].left != doubted {
		t.Error("a half is taken for a sign")
	}
	b.Float32s()[777] = 1
	for i := range doubted {
		if multiply() {
			t.Fatalf("product %d after one in vain is tried", i)
		}
	}
	if first := multiply(); !first || !multiply() {
		t.Error("signs are not tried anew")
	}
}

// The bounds are sharp: sums of 2^24 are worked out as integers, and beyond, where float32 rounds on the way to another sum, as in float32;
// and so are 15 integers whose sizes add up to 2^15 - 1, the most of a block, and to 2^15.
func TestIntegerBounds(t *testing.T) {
	for _, arm := range Arms() {
		off, on := inMode(t, arm, "off", 1), inMode(t, arm, "always", 1)
		check := func(what string, a, b compute.Matrix, trans bool, want float32, integers int) {
			t.Helper()
			before := on.IntegerProducts()
			for _, e := range []*Engine{off, on} {
				dst := off.Alloc(compute.Float32, 1, 1)
				e.Mul(dst, a, b, compute.Op{TransB: trans, Alpha: 1})
				if got := dst.Float32s()[0]; got != want {
					t.Errorf("%s: %s: %v, want %v", arm, what, got, want)
				}
			}
			if n := on.IntegerProducts() - before; n != integers {
				t.Errorf("%s: %s: %d products of integers, want %d", arm, what, n, integers)
			}
		}
		signs := off.Alloc(compute.Float32, 20000, 1)
		off.Fill(signs, 1)
		// 512 steps of 2^15 - 1 and one of 512 make 2^24, and then twice one more, in blocks of their own.
		numbers := make([]float32, 20000)
		for i := range 512 * lookupSteps {
			if numbers[i] = 2184; i%lookupSteps == 0 {
				numbers[i] = 2184 + shortLimit - lookupSteps*2184
			}
		}
		numbers[512*lookupSteps] = 512
		a := off.Alloc(compute.Float32, 1, 20000)
		compute.Write(off, a, numbers)
		check("2^24", a, signs, false, 1<<24, 1)
		numbers[10000], numbers[15000] = 1, 1
		compute.Write(off, a, numbers)
		check("2^24+2", a, signs, false, 1<<24, 0)
		few := signs.Slice(0, lookupSteps)
		check("a block of 2^15-1", a.Columns(0, lookupSteps), few, false, shortLimit, 1)
		a.Float32s()[3]++
		check("a block of 2^15", a.Columns(0, lookupSteps), few, false, shortLimit+1, 0)
		// The last of many rows alone wants two blocks.
		many, sums := off.Alloc(compute.Float32, 2*packRows+1, 2*lookupSteps), off.Alloc(compute.Float32, 2*packRows+1, 1)
		off.Fill(many.Slice(2*packRows, 2*packRows+1), 1400)
		on.Mul(sums, many, signs.Slice(0, 2*lookupSteps), compute.Op{Alpha: 1})
		if got := sums.Float32s()[2*packRows]; got != 1400*2*lookupSteps || len(on.mul.integers.ends) != 2 {
			t.Errorf("%s: a last row of large integers: %v in %d blocks", arm, got, len(on.mul.integers.ends))
		}
	}
}

// Sums of more spins than float32 can count are not those of integers.
func TestSpinBound(t *testing.T) {
	undo, err := Integers("always")
	if err != nil {
		t.Fatal(err)
	}
	defer undo()
	for l, want := range map[int]int{1 << 24: popcounts, 1<<24 + 1: noIntegers} {
		d := NewDry(1) // which needs no such matrices
		d.Mul(d.Alloc(compute.Float32, 1, 1), d.Alloc(compute.Int8, 1, l), d.Alloc(compute.Float32, 1, l), compute.Op{TransB: true, Alpha: 1})
		if got := d.engine.mul.integers.kind; got != want {
			t.Errorf("%d spins: kind %d, want %d", l, got, want)
		}
	}
}

// The dry engine counts the scratch of products with signs, and the steady state of these allocates nothing.
func TestIntegerScratch(t *testing.T) {
	undo, err := Integers("always")
	if err != nil {
		t.Fatal(err)
	}
	defer undo()
	for _, threads := range []int{1, 3} {
		for _, s := range [][3]int{{1, 1, 1}, {7, 300, 40}, {600, 20, 3000}, {8, 5000, 33}, {2000, 100, 700}, {3, 9, 4000}, {40, 2100, 300}} {
			for _, of := range []compute.Type{compute.Float32, compute.Int8} {
				for _, cosh := range []bool{false, true} {
					e, d := New(threads), NewDry(threads)
					product := func(e compute.Engine) func() {
						a, b, dst := e.Alloc(of, s[0], s[1]), e.Alloc(compute.Float32, s[1], s[2]), e.Alloc(compute.Float32, s[0], s[2])
						op := compute.Op{Alpha: 1}
						if of == compute.Int8 {
							b, op.TransB = e.Alloc(compute.Float32, s[2], s[1]), true
						}
						if cosh {
							op.Then.LogCosh = e.Alloc(compute.Float64, s[0], 1)
						}
						e.Fill(b, 1)
						return func() { e.Mul(dst, a, b, op) }
					}
					work := product(e)
					work()
					if e.IntegerProducts() != 1 {
						t.Errorf("%v of %v is multiplied in float32", s, of)
					}
					product(d)()
					for i, chunks := range d.chunks { // it counts the product in float32 too, which it may be
						if have := e.arena.chunks[i]; len(have) > len(chunks) {
							t.Errorf("%v of %v, %d threads: %d chunks, the dry engine has %d", s, of, threads, len(have), len(chunks))
						} else {
							for j, c := range have {
								if n := len(c.F32) + len(c.F64) + len(c.I8); n > chunks[j] {
									t.Errorf("%v of %v, %d threads: a chunk of %d, of the dry engine %d", s, of, threads, n, chunks[j])
								}
							}
						}
					}
					if n := testing.AllocsPerRun(2, work); n != 0 {
						t.Errorf("%v of %v: %v allocations", s, of, n)
					}
					e.Close()
				}
			}
		}
	}
}

func TestModesOfIntegers(t *testing.T) {
	if _, err := Integers("sometimes"); err == nil {
		t.Error("an unknown mode is taken")
	}
	defer func() {
		t.Setenv("MATTIS_INTEGERS", "")
		chosen.set, chosen.err, chosen.integers = false, nil, auto
	}()
	for name, want := range map[string]int{"": auto, "off": off, "always": always, "sometimes": auto} {
		t.Setenv("MATTIS_INTEGERS", name)
		chosen.set, chosen.err, chosen.integers = false, nil, auto
		_, err := Arch()
		if e := newEngine(t, 1); e.integers != want || (err != nil) != (name == "sometimes") {
			t.Errorf("MATTIS_INTEGERS=%s gives mode %d, %v", name, e.integers, err)
		}
	}
}
