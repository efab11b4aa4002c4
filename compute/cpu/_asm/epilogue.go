package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in the struct tile of package cpu; a test there compares them.
const (
	tileY       = 0
	tileRows    = 8
	tileColumns = 16
	tileBias    = 24
	tileBase    = 32
	tileCosh    = 40
	tileFactor  = 48
	tileAdd     = 52
	tileColumn  = 56
	tileScaled  = 60
	tileKeys    = 64
	tileStart   = 144
	tileScale   = 176
	tileDst     = 208
	tileMask    = 272
)

// tileLoop emits the walk over a tile, row by row and in a row vector by
// vector: first is called at a row's start with its number, body for each
// vector with its place in y and the offset of its column in bytes.
func (a arm) tileLoop(t reg.Register, first func(row reg.Register), body func(y Mem, column reg.Register), last func(row reg.Register)) {
	y, rows, columns := GP64(), GP64(), GP64()
	MOVQ(at(t, tileY), y)
	MOVQ(at(t, tileRows), rows)
	row, column := GP64(), GP64()
	XORQ(row, row)
	Label("row")
	first(row)
	MOVQ(at(t, tileColumns), columns)
	SHLQ(U8(2), columns)
	XORQ(column, column)
	Label("vector")
	body(indexed(y, column, 1, 0), column)
	ADDQ(U32(a.bytes()), column)
	CMPQ(column, columns)
	JL(LabelRef("vector"))
	last(row)
	ADDQ(U32(a.tileStride()), y)
	INCQ(row)
	CMPQ(row, rows)
	JL(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func nothing(reg.Register) {}

func (a arm) fieldTile() {
	a.text("fieldTile", "func(t *byte)", `sets the tile's sums to fields:
	y[i,j] = factor*y[i,j]  (+ dst[i,j] if add)  (+ bias[j])
	y[i,j] = scale[i]*y[i,j] + (1-scale[i])*base[j]  (if scaled; without base the first half)`)
	t := Load(Param("t"), GP64())
	factor := a.broadcast(at(t, tileFactor))
	one := a.copyOf(a.float("one", 1))
	bias, base, dst := GP64(), GP64(), GP64()
	MOVQ(at(t, tileBias), bias)
	MOVQ(at(t, tileBase), base)
	var scale, rest reg.VecVirtual
	a.tileLoop(t, func(row reg.Register) {
		MOVQ(indexed(t, row, 8, tileDst), dst)
		scale, rest = a.broadcast(indexed(t, row, 4, tileScale)), a.vec()
		VSUBPS(scale, one, rest)
	}, func(y Mem, column reg.Register) {
		x := a.vec()
		VMULPS(y, factor, x)
		a.unless(at(t, tileAdd), "added", func() { VADDPS(indexed(dst, column, 1, 0), x, x) })
		TESTQ(bias, bias)
		JZ(LabelRef("biased"))
		VADDPS(indexed(bias, column, 1, 0), x, x)
		Label("biased")
		a.unless(at(t, tileScaled), "scaled", func() {
			VMULPS(scale, x, x)
			TESTQ(base, base)
			JZ(LabelRef("scaled"))
			p := a.vec()
			VMULPS(indexed(base, column, 1, 0), rest, p)
			VADDPS(p, x, x)
		})
		VMOVUPS(x, y)
	}, nothing)
}

// unless emits body behind a jump to the label that is taken where the word at m is 0.
func (a arm) unless(m Mem, label string, body func()) {
	CMPL(m, U8(0))
	JE(LabelRef(label))
	body()
	Label(label)
}

func (a arm) storeTile() {
	a.text("storeTile", "func(t *byte)", "stores a tile:\n\tdst[i,j] = factor*y[i,j]  (+ dst[i,j] if add)")
	t := Load(Param("t"), GP64())
	factor := a.broadcast(at(t, tileFactor))
	dst := GP64()
	a.tileLoop(t, func(row reg.Register) { MOVQ(indexed(t, row, 8, tileDst), dst) },
		func(y Mem, column reg.Register) {
			x := a.vec()
			VMULPS(y, factor, x)
			a.unless(at(t, tileAdd), "added", func() { VADDPS(indexed(dst, column, 1, 0), x, x) })
			VMOVUPS(x, indexed(dst, column, 1, 0))
		}, nothing)
}

func (a arm) tanhTile() {
	a.text("tanhTile", "func(t *byte)", `stores tanh of a tile, odd bit for bit:
	dst[i,j] = tanh(factor*y[i,j]) = -m/(2+m), m = expm1(-2|y|)
The quotient needs no division: d = 2+m lies in (1,2].`)
	t := Load(Param("t"), GP64())
	factor := a.broadcast(at(t, tileFactor))
	c := a.tanhConstants()
	dst := GP64()
	a.tileLoop(t, func(row reg.Register) { MOVQ(indexed(t, row, 8, tileDst), dst) },
		func(y Mem, column reg.Register) {
			x := a.vec()
			VMULPS(y, factor, x)
			VMOVUPS(a.tanhOf(x, c), indexed(dst, column, 1, 0))
		}, nothing)
}

// tanhConstants are the operands of tanhOf.
type tanhConstants struct {
	exp            expConstants
	abs, sign, two Op
	near           []Op
}

func (a arm) tanhConstants() tanhConstants {
	c := tanhConstants{exp: a.expConstants(exp6), abs: a.bits("abs", 0x7fffffff), sign: a.bits("sign", 0x80000000), two: a.float("two", 2)}
	for i, x := range reciprocal {
		c.near = append(c.near, a.float(labelf("reciprocal_%d", i), x))
	}
	return c
}

// tanhOf returns tanh x; x is used up.
func (a arm) tanhOf(x reg.VecVirtual, c tanhConstants) reg.VecVirtual {
	u := a.vec()
	a.and(c.abs, x, u)
	s, p := a.exp(u, c.exp)
	m := a.vec()
	VSUBPS(c.exp.one, s, m)
	VFMADD231PS(p, s, m)
	d := u
	VADDPS(c.two, m, d)
	square := a.vec()
	VMULPS(d, d, square)
	r := a.polynomial(c.near, d, square)
	q := a.vec()
	VMULPS(m, r, q)
	VFNMADD231PS(d, q, m)
	VFMADD231PS(m, r, q) // q += r*(m-d*q): off by (1-d*r)^2 < 3e-9
	a.copySign(x, c.sign, q)
	return q
}

// copySign gives q the sign of x, which is used up.
func (a arm) copySign(x reg.VecVirtual, sign Op, q reg.VecVirtual) {
	if a.wide() {
		const second, third = 0xcc, 0xaa // the truth tables of x and sign; q is first
		VPTERNLOGD(U8(0xf0&^third|second&third), sign, x, q)
		return
	}
	VPAND(sign, x, x)
	VPOR(sign, q, q) // minus |q|
	VPXOR(sign, q, q)
	VPOR(x, q, q)
}

func (a arm) coshTile() {
	a.text("coshTile", "func(t *byte)", `adds up log 2cosh in float64, with eight sums for the columns of a row modulo 8:
	cosh[i,j%8] += |x| + log1p(exp(-2|x|)), x = factor*y[i,j], where mask[j] is not 0`)
	t := Load(Param("t"), GP64())
	factor := a.broadcast(at(t, tileFactor))
	c := a.expConstants(exp6)
	abs := a.bits("abs", 0x7fffffff)
	var l []Op
	for i, x := range log10 {
		l = append(l, a.memory(labelf("log_%d", i), math.Float32bits(float32(x))))
	}
	cosh := GP64()
	MOVQ(at(t, tileCosh), cosh)
	var sums [2]reg.VecVirtual
	parts := 1
	if !a.wide() {
		parts = 2
	}
	a.tileLoop(t, func(reg.Register) {
		for i := range parts {
			sums[i] = a.vec()
			VMOVUPD(at(cosh, i*a.bytes()), sums[i])
		}
	}, func(y Mem, column reg.Register) {
		x, u := a.vec(), a.vec()
		VMULPS(y, factor, x)
		a.and(abs, x, x)
		VMOVAPS(x, u)
		s, p := a.exp(u, c)
		e := a.vec()
		VMOVAPS(s, e)
		VFMADD231PS(p, s, e)
		f := a.copyOf(l[0])
		for _, q := range l[1:] {
			VFMADD213PS(q, e, f)
		}
		VMULPS(e, f, f)
		mask := a.load(indexed(t, column, 1, tileMask))
		a.and(mask, x, x)
		a.and(mask, f, f)
		// Half a vector at a time, and within it |x| before the rest.
		for half := range 2 {
			for _, z := range []reg.VecVirtual{x, f} {
				if a.wide() {
					d, h := ZMM(), YMM()
					VEXTRACTF64X4(U8(half), z, h)
					VCVTPS2PD(h, d)
					VADDPD(d, sums[0], sums[0])
				} else {
					d, h := YMM(), XMM()
					VEXTRACTF128(U8(half), z, h)
					VCVTPS2PD(h, d)
					VADDPD(d, sums[half], sums[half])
				}
			}
		}
	}, func(reg.Register) {
		for i := range parts {
			VMOVUPD(sums[i], at(cosh, i*a.bytes()))
		}
		ADDQ(U8(64), cosh)
	})
}

// evenOdd returns the places of the columns from column on in the random stream: the low words of
// the even and of the odd ones, each in the low half of a 64-bit lane.
func (a arm) evenOdd(t, column reg.Register) (even, odd reg.VecVirtual) {
	lanes, ok := constants["evenLanes"]
	if !ok {
		lanes = GLOBL("evenLanes"+a.suffix, RODATA|NOPTR)
		for i := range a.lanes / 2 {
			DATA(8*i, U64(uint64(2*i)))
		}
		constants["evenLanes"] = lanes
	}
	even, odd = a.vec(), a.vec()
	VPBROADCASTD(at(t, tileColumn), even)
	r, first := GP32(), a.vec()
	MOVL(column.(reg.GP).As32(), r)
	if a.wide() {
		VPBROADCASTD(r, first)
	} else {
		x := XMM()
		VMOVD(r, x)
		VPBROADCASTD(x, first)
	}
	VPADDD(first, even, even)
	VPADDD(lanes, even, even)
	VPADDD(a.bits("oneWord", 1), even, odd)
	return even, odd
}

func (a arm) spinTile() {
	a.text("spinTile", "func(t *byte)", `stores spins, four rows to a block of random numbers:
	dst[i,j] = the sign of x = factor*y[i,j], flipped where u + u*e < e,
	e = exp(-2|x|), u = the uniform number of word i%4 of block (i/4, j)`)
	t := Load(Param("t"), GP64())
	y, rows, column := GP64(), GP64(), GP64()
	start, pointers := GP64(), GP64()
	MOVQ(at(t, tileY), y)
	MOVQ(at(t, tileRows), rows)
	MOVQ(t, start)
	MOVQ(t, pointers)
	m0, m1, abs := a.bits("mult0", 0xD2511F53), a.bits("mult1", 0xCD9E8D57), a.bits("abs", 0x7fffffff)
	a.lean = true
	c := a.expConstants(exp5)
	scale, half := a.float("scale", 0x1p-31), a.float("half", 0x1p-32)
	var ones, minus reg.VecVirtual
	if a.wide() {
		k := GP32()
		MOVL(U32(0xaaaa), k)
		a.odd = K()
		KMOVW(k, a.odd)
		ones, minus = XMM(), XMM()
		MOVL(U32(0x01010101), k)
		VPBROADCASTD(k, ones)
		VPCMPEQD(minus, minus, minus)
	}
	oneWord := a.bits("oneWord", 1)
	factor := at(t, tileFactor)
	Label("group")
	XORQ(column, column)
	Label("vector")
	even, odd := a.evenOdd(t, column)
	w := a.philox(even, odd, m0, m1, t, start, tileStart, tileKeys)
	for i := range 4 {
		x, v := a.broadcast(factor), a.vec()
		VMULPS(indexed(y, column, 4, i*a.tileStride()), x, x)
		a.and(abs, x, v)
		s, p := a.exp(v, c)
		VFMADD213PS(s, s, p) // p = e = s*p + s
		u := w[i]
		VPSRLD(U8(1), u, u)
		VCVTDQ2PS(u, u)
		scaled := a.copyOf(half)
		VFMADD231PS(scale, u, scaled)
		u = scaled
		f := a.copyOf(u)
		VFMADD213PS(u, p, f) // f = u*e + u
		dst := GP64()
		MOVQ(at(pointers, tileDst+8*i), dst)
		place := indexed(dst, column, 1, 0)
		if a.wide() {
			flip, sign := K(), K()
			VCMPPS(U8(1), p, f, flip)
			VPMOVD2M(x, sign)
			KXORW(flip, sign, flip)
			b := XMM()
			VPBLENDMB(minus, ones, flip, b)
			VMOVDQU(b, place)
		} else {
			flip := a.vec()
			VCMPPS(U8(1), p, f, flip)
			VPSRAD(U8(31), x, x)
			VPXOR(flip, x, x)
			VPOR(oneWord, x, x)
			h := XMM()
			VEXTRACTI128(U8(1), x, h)
			l := XMM()
			VMOVDQU(x.AsX(), l)
			VPACKSSDW(h, l, l)
			VPACKSSWB(l, l, l)
			VMOVQ(l, place)
		}
	}
	ADDQ(U32(a.lanes), column)
	CMPQ(column, at(t, tileColumns))
	JL(LabelRef("vector"))
	ADDQ(U32(4*a.tileStride()), y)
	ADDQ(U8(16), start)
	ADDQ(U8(32), pointers)
	SUBQ(U8(4), rows)
	JG(LabelRef("group"))
	VZEROUPPER()
	RET()
}
