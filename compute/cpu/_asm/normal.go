package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The polynomials of compute.Normals; a test of package cpu compares all bits.
var (
	normalLog = []float64{0.0697161144339361, -0.11479733810679095, 0.11685419916238712, -0.12425687336986385,
		0.14249057647485922, -0.16667802319252786, 0.20000715748789707, -0.24999996957953977, 0.33333331180031756}
	normalSin = []float64{-3.595429072489802e-05, 0.0024900068014921087, -0.08074543470810139, 0.7853981609766183}
	normalCos = []float64{3.5419527287557446e-06, -0.00032596138034774553, 0.015854338147319534, -0.30842513734355487}
)

// normalConstants are the operands of normals.
type normalConstants struct {
	scale, half, rootBit, one, minusHalf, minusTwo, logHi, logLo Op
	eighth, fraction, unit, quadrant, sign, oneWord              Op
	log, sin, cos                                                []Op
}

func (a arm) normalConstants() normalConstants {
	c := normalConstants{
		scale: a.float("scale", 0x1p-31), half: a.float("half", 0x1p-32), rootBit: a.bits("rootBit", 0x3f3504f3),
		one: a.float("one", 1), minusHalf: a.float("minusHalf", -0.5), minusTwo: a.float("minusTwo", -2),
		logHi: a.float("ln2hi", 0.693145751953125), logLo: a.float("ln2lo", 1.42860682030941723212e-6),
		eighth: a.bits("eighthTurn", 1<<29), fraction: a.bits("fraction", 1<<30-1), unit: a.float("angleUnit", 0x1p-29),
		quadrant: a.bits("quadrant", 1<<30), sign: a.bits("sign", 0x80000000), oneWord: a.bits("oneWord", 1),
	}
	list := func(name string, terms []float64) (q []Op) {
		for i, x := range terms {
			q = append(q, a.float(labelf("%s_%d", name, i), x))
		}
		return q
	}
	c.log, c.sin, c.cos = list("normalLog", normalLog), list("normalSin", normalSin), list("normalCos", normalCos)
	return c
}

// horner returns the polynomial of x, highest power first; products and sums are rounded apart.
func (a arm) horner(q []Op, x reg.VecVirtual) reg.VecVirtual {
	p := a.copyOf(q[0])
	for _, c := range q[1:] {
		VMULPS(x, p, p)
		VADDPS(c, p, p)
	}
	return p
}

// uniform turns random words into SpinUniform's numbers: both roundings fall on one number, for
// the product is exact.
func (a arm) uniform(w reg.VecVirtual, scale, half Op) {
	VPSRLD(U8(1), w, w)
	VCVTDQ2PS(w, w)
	VMULPS(scale, w, w)
	VADDPS(half, w, w)
}

// normals returns the pairs of compute.Normals of two vectors of words, which are used up.
func (a arm) normals(radius, angle reg.VecVirtual, c normalConstants) (n0, n1 reg.VecVirtual) {
	a.uniform(radius, c.scale, c.half)
	e, z := a.vec(), radius
	VPSUBD(c.rootBit, radius, e)
	VPSRAD(U8(23), e, e)
	m := a.vec()
	VPSLLD(U8(23), e, m)
	VPSUBD(m, radius, z)
	VCVTDQ2PS(e, e)
	VSUBPS(c.one, z, z)
	square, l, t := a.vec(), a.vec(), a.vec()
	VMULPS(z, z, square)
	VMULPS(square, z, l)
	VMULPS(a.horner(c.log, z), l, l)
	VMULPS(c.minusHalf, square, t)
	VADDPS(t, l, l)
	VMULPS(c.logLo, e, t)
	VADDPS(t, l, l)
	VADDPS(z, l, l)
	VMULPS(c.logHi, e, t)
	VADDPS(t, l, l)
	r := l
	VMULPS(c.minusTwo, l, r)
	VSQRTPS(r, r)

	v := angle
	VPADDD(c.eighth, angle, v)
	x := a.vec()
	a.and(c.fraction, v, x)
	VPSUBD(c.eighth, x, x)
	a.or(c.oneWord, x, x)
	VCVTDQ2PS(x, x)
	VMULPS(c.unit, x, x)
	VMULPS(x, x, square)
	s, cos := a.horner(c.sin, square), a.horner(c.cos, square)
	VMULPS(x, s, s)
	VMULPS(square, cos, cos)
	VADDPS(c.one, cos, cos)
	n0, n1 = a.vec(), a.vec()
	VPSLLD(U8(1), v, t) // its sign is the lower bit of the quadrant
	if a.wide() {
		swap := K()
		VPMOVD2M(t, swap)
		VPBLENDMD(s, cos, swap, n0)
		VPBLENDMD(cos, s, swap, n1)
	} else {
		VBLENDVPS(t, s, cos, n0)
		VBLENDVPS(t, cos, s, n1)
	}
	VPADDD(c.quadrant, v, t)
	a.and(c.sign, t, t)
	a.xor(t, n0, n0)
	a.and(c.sign, v, t)
	a.xor(t, n1, n1)
	VMULPS(r, n0, n0)
	VMULPS(r, n1, n1)
	return n0, n1
}

func (a arm) normalTile() {
	a.text("normalTile", "func(t *byte)", `stores sums and normal numbers, four rows to a block of random numbers:
	dst[i,j] = factor*y[i,j] + scale[i]*n, n = number i%4 of compute.Normals of block (i/4, j)`)
	t := Load(Param("t"), GP64())
	y, rows, column := GP64(), GP64(), GP64()
	start, pointers, scales := GP64(), GP64(), GP64()
	MOVQ(at(t, tileY), y)
	MOVQ(at(t, tileRows), rows)
	MOVQ(t, start)
	MOVQ(t, pointers)
	MOVQ(t, scales)
	m0, m1 := a.bits("mult0", 0xD2511F53), a.bits("mult1", 0xCD9E8D57)
	a.lean = true
	c := a.normalConstants()
	if a.wide() {
		k := GP32()
		MOVL(U32(0xaaaa), k)
		a.odd = K()
		KMOVW(k, a.odd)
	}
	factor := at(t, tileFactor)
	Label("group")
	XORQ(column, column)
	Label("vector")
	even, odd := a.evenOdd(t, column)
	w := a.philox(even, odd, m0, m1, t, start, tileStart, tileKeys)
	for i := 0; i < 4; i += 2 {
		n0, n1 := a.normals(w[i], w[i+1], c)
		for k, n := range []reg.VecVirtual{n0, n1} {
			x := a.broadcast(factor)
			VMULPS(indexed(y, column, 4, (i+k)*a.tileStride()), x, x)
			VMULPS(a.broadcast(at(scales, tileScale+4*(i+k))), n, n)
			VADDPS(n, x, x)
			dst := GP64()
			MOVQ(at(pointers, tileDst+8*(i+k)), dst)
			VMOVUPS(x, indexed(dst, column, 4, 0))
		}
	}
	ADDQ(U32(a.lanes), column)
	CMPQ(column, at(t, tileColumns))
	JL(LabelRef("vector"))
	ADDQ(U32(4*a.tileStride()), y)
	ADDQ(U8(16), start)
	ADDQ(U8(16), scales)
	ADDQ(U8(32), pointers)
	SUBQ(U8(4), rows)
	JG(LabelRef("group"))
	a.done()
}
