package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in the struct scanBlock of package cpu; a test there compares them.
const (
	scanY         = 0
	scanDelta     = 8
	scanCouplings = 16
	scanPerSpin   = 24
	scanBounds    = 32
	scanUniform   = 40
	scanAdd       = 48
	scanScale     = 56
	scanOld       = 64
	scanClamp     = 72
	scanStart     = 80
	scanOffsets   = 88
	scanVectors   = 96
	scanFactor    = 104
	scanColumn    = 108
	scanFour      = 112
	scanKeys      = 116

	scanSpins      = 16 // of a block
	scanSpinStride = 48 // bytes between rows of spins
)

// A bound log((1-u)/u)/2 is -(e log 2)/2 + l(z) + u*p(u) for u = 2^e * (1+z): boundLog is l(z) =
// -log(1+z)/2 for 1+z from sqrt 1/2 to sqrt 2, off by 4e-5, and boundRest p(u) = log(1-u)/(2u) for
// u from 0 to 1/2, off by 4e-5, highest power first; they interpolate at Chebyshev's nodes. Beyond
// 1/2 a bound is below 0 as it should be, where no spin flips. boundNear is the distance of a field
// from its bound below which the uniform number itself decides: bounds need no more than their
// error, and one in a thousand vectors comes so close.
var (
	boundLog  = []float64{0.1087418671111442, -0.17870567619488847, 0.2520239308805475, -0.49970128013656534, -2.273861138996236e-05}
	boundRest = []float64{-0.36813091211190335, 0.02424005734388425, -0.19639361266402597, -0.24804390354518321, -0.5000198145955824}
	boundNear = 0x1p-12
)

func (a arm) scanNumbers() {
	a.text("scanNumbers", "func(b *byte)", `sets the random numbers of a block, for position p and lane r, which is row r%4 of group r/4:
	uniform[p,r] = u, the uniform number of word r%4 of block (r/4, column of p)
	bounds[p,r] = log((1-u)/u)/2`)
	b := Load(Param("b"), GP64())
	uniform, bounds, start := GP64(), GP64(), GP64()
	MOVQ(at(b, scanUniform), uniform)
	MOVQ(at(b, scanBounds), bounds)
	MOVQ(at(b, scanStart), start)
	left := GP64()
	MOVQ(at(b, scanVectors), left)
	m0, m1 := a.bits("mult0", 0xD2511F53), a.bits("mult1", 0xCD9E8D57)
	a.lean = true
	if a.wide() {
		k := GP32()
		MOVL(U32(0xaaaa), k)
		a.odd = K()
		KMOVW(k, a.odd)
	}
	scale, half, one := a.float("scale", 0x1p-31), a.float("half", 0x1p-32), a.float("one", 1)
	rootBit := a.bits("rootBit", 0x3f3504f3)
	log2 := a.float("halfLog2", -0.34657359027997264)
	var log []Op
	for i, x := range boundLog {
		log = append(log, a.float(labelf("boundLog_%d", i), x))
	}
	var rest []Op
	for i, x := range boundRest {
		rest = append(rest, a.float(labelf("boundRest_%d", i), x))
	}
	// The registers' order of a row's words is 4 (or 2) groups of each row; lanes want four rows of
	// each group.
	order := GLOBL("rowsOfGroups"+a.suffix, RODATA|NOPTR)
	per := a.lanes / 4
	for r := range a.lanes {
		DATA(4*r, U32(uint32(per*(r%4)+r/4)))
	}
	Label("vector")
	column, offsets := a.vec(), GP64()
	MOVQ(at(b, scanOffsets), offsets)
	VPBROADCASTD(at(b, scanColumn), column)
	VPADDD(at(offsets, 0), column, column)
	four := GP64()
	MOVQ(U32(scanSpins/4), four)
	u, t := GP64(), GP64()
	MOVQ(uniform, u)
	MOVQ(bounds, t)
	Label("four")
	w := a.philoxOf(column, column, m0, m1, b, scanKeys, func(odd, i int) Op { return at(start, (4*odd+i)*a.bytes()) })
	for i := range w {
		a.uniform(w[i], scale, half)
	}
	turn := a.load(order)
	for i, x := range a.byPosition(w) {
		a.permute(turn, x)
		VMOVUPS(x, at(u, i*a.tileStride()))
		e, z := a.vec(), a.vec()
		VPSUBD(rootBit, x, e)
		VPSRAD(U8(23), e, e)
		VPSLLD(U8(23), e, z)
		VPSUBD(z, x, z)
		VCVTDQ2PS(e, e)
		VSUBPS(one, z, z)
		l := a.fused(log, z)
		VFMADD231PS(log2, e, l)
		VFMADD231PS(a.fused(rest, x), x, l)
		VMOVUPS(l, at(t, i*a.tileStride()))
	}
	step := a.vec()
	VPBROADCASTD(at(b, scanFour), step)
	VPADDD(step, column, column)
	ADDQ(U32(4*a.tileStride()), u)
	ADDQ(U32(4*a.tileStride()), t)
	DECQ(four)
	JNZ(LabelRef("four"))
	ADDQ(U32(a.bytes()), uniform)
	ADDQ(U32(a.bytes()), bounds)
	ADDQ(U32(8*a.bytes()), start)
	DECQ(left)
	JNZ(LabelRef("vector"))
	a.done()
}

// fused returns the polynomial of x, highest power first, one term after the other.
func (a arm) fused(q []Op, x reg.VecVirtual) reg.VecVirtual {
	p := a.copyOf(q[0])
	for _, c := range q[1:] {
		VFMADD213PS(c, x, p)
	}
	return p
}

// byPosition turns the four words of a vector of (position, group) pairs, positions slowest, into
// four vectors of positions, each the groups of the four rows one row after the other.
func (a arm) byPosition(w [4]reg.VecVirtual) (x [4]reg.VecVirtual) {
	var lo, hi [2]reg.VecVirtual
	for i := range x {
		x[i] = a.vec()
	}
	for i := range 2 {
		lo[i], hi[i] = a.vec(), a.vec()
		if a.wide() {
			VSHUFF32X4(U8(0x44), w[2*i+1], w[2*i], lo[i])
			VSHUFF32X4(U8(0xee), w[2*i+1], w[2*i], hi[i])
		} else {
			VUNPCKLPD(w[2*i+1], w[2*i], lo[i])
			VUNPCKHPD(w[2*i+1], w[2*i], hi[i])
		}
	}
	if a.wide() {
		VSHUFF32X4(U8(0x88), lo[1], lo[0], x[0])
		VSHUFF32X4(U8(0xdd), lo[1], lo[0], x[1])
		VSHUFF32X4(U8(0x88), hi[1], hi[0], x[2])
		VSHUFF32X4(U8(0xdd), hi[1], hi[0], x[3])
	} else {
		VPERM2F128(U8(0x20), lo[1], lo[0], x[0])
		VPERM2F128(U8(0x20), hi[1], hi[0], x[1])
		VPERM2F128(U8(0x31), lo[1], lo[0], x[2])
		VPERM2F128(U8(0x31), hi[1], hi[0], x[3])
	}
	return x
}

// permute puts the words of x in the given order.
func (a arm) permute(order, x reg.VecVirtual) { VPERMPS(x, order, x) }

func (a arm) scanBlock() {
	a.text("scanBlock", "func(b *byte)", `draws the spins of a block one after the other, for each lane r:
	for p := range 16:
		x = y[p,r] - self[p]*s[p,r] + bias[p]  (+ add[p,r])
		x = scale[r]*x + (1-scale[r])*base[p]  (if there is a scale)
		new = the sign of x, flipped where |x| < bounds[p,r]  (or clamp[p,r] where that is not 0)
		delta[p,r], s[p,r] = factor*(new - s[p,r]), new
		for q := p+1 to 15: y[q,r] += couplings[p,q]*delta[p,r]
Where |x| is close to the bound the spin flips if u + u*e < e, e = exp(-2|x|), as it does in spinTile.
y is read and not written; perSpin holds self, bias and base.`)
	b := Load(Param("b"), GP64())
	ptr := func(disp int) reg.GPVirtual {
		r := GP64()
		MOVQ(at(b, disp), r)
		return r
	}
	y, delta, bounds, uniform := ptr(scanY), ptr(scanDelta), ptr(scanBounds), ptr(scanUniform)
	j, per, old := ptr(scanCouplings), ptr(scanPerSpin), ptr(scanOld)
	add, clamp, scale := ptr(scanAdd), ptr(scanClamp), ptr(scanScale)
	left := ptr(scanVectors)
	a.lean = true
	c := a.expConstants(exp5)
	abs, near := a.bits("abs", 0x7fffffff), a.float("boundNear", boundNear)
	oneWord := a.bits("oneWord", 1)
	var ones, minus reg.VecVirtual
	if a.wide() {
		k := GP32()
		ones, minus = XMM(), XMM()
		MOVL(U32(0x01010101), k)
		VPBROADCASTD(k, ones)
		VPCMPEQD(minus, minus, minus)
	}
	// fma adds x*m to sum, m a word in memory.
	fma := func(m Mem, x, sum reg.VecVirtual) {
		if a.wide() {
			VFMADD231PS_BCST(m, x, sum)
		} else {
			VFMADD231PS(a.broadcast(m), x, sum)
		}
	}
	plus := func(m Mem, x reg.VecVirtual) {
		if a.wide() {
			VADDPS_BCST(m, x, x)
		} else {
			VADDPS(a.broadcast(m), x, x)
		}
	}
	Label("vector")
	var field [8]reg.VecVirtual
	for half := range 2 {
		for i := range field {
			field[i] = a.load(at(y, (8*half+i)*a.tileStride()))
		}
		if half == 1 {
			for p := range 8 {
				d := a.load(at(delta, p*a.tileStride()))
				for i := range field {
					fma(at(j, 4*(p*scanSpins+8+i)), d, field[i])
				}
			}
		}
		for i := range field {
			p := 8*half + i
			row := p * a.tileStride()
			name := func(what string) string { return labelf("%s_%d", what, p) }
			x, before := field[i], a.vec()
			spin := at(old, p*scanSpinStride)
			VPMOVSXBD(spin, before)
			VCVTDQ2PS(before, before)
			if a.wide() {
				VFNMADD231PS_BCST(at(per, 4*p), before, x)
			} else {
				VFNMADD231PS(a.broadcast(at(per, 4*p)), before, x)
			}
			plus(at(per, 4*(scanSpins+p)), x)
			TESTQ(add, add)
			JZ(LabelRef(name("added")))
			VADDPS(at(add, row), x, x)
			Label(name("added"))
			TESTQ(scale, scale)
			JZ(LabelRef(name("scaled")))
			s, rest := a.load(at(scale, 0)), a.copyOf(c.one)
			VSUBPS(s, rest, rest)
			VMULPS(s, x, x)
			if a.wide() {
				VMULPS_BCST(at(per, 4*(2*scanSpins+p)), rest, rest)
			} else {
				VMULPS(a.broadcast(at(per, 4*(2*scanSpins+p))), rest, rest)
			}
			VADDPS(rest, x, x)
			Label(name("scaled"))

			size, bound, gap := a.vec(), a.load(at(bounds, row)), a.vec()
			a.and(abs, x, size)
			VSUBPS(bound, size, gap)
			a.and(abs, gap, gap)
			exact := func() (e, f reg.VecVirtual) {
				s, e := a.exp(size, c)
				VFMADD213PS(s, s, e)
				u := a.load(at(uniform, row))
				f = a.copyOf(u)
				VFMADD213PS(u, e, f)
				return e, f
			}
			now := a.vec() // the new spins, as float32
			if a.wide() {
				flip, isNear, sign := K(), K(), K()
				VCMPPS(U8(1), bound, size, flip)
				VCMPPS(U8(1), near, gap, isNear)
				KORTESTW(isNear, isNear)
				JZ(LabelRef(name("far")))
				e, f := exact()
				VCMPPS(U8(1), e, f, flip)
				Label(name("far"))
				VPMOVD2M(x, sign)
				KXORW(flip, sign, sign)
				TESTQ(clamp, clamp)
				JZ(LabelRef(name("free")))
				held, up := K(), K()
				v := XMM()
				VMOVDQU8(at(clamp, p*scanSpinStride), v)
				VPTESTMB(v, v, held)
				VPMOVB2M(v, up)
				KANDNW(sign, held, sign)
				KORW(up, sign, sign)
				Label(name("free"))
				bytes := XMM()
				VPBLENDMB(minus, ones, sign, bytes)
				VMOVDQU8(bytes, spin)
				VPMOVSXBD(bytes, now)
			} else {
				flip := a.vec()
				VCMPPS(U8(1), near, gap, gap)
				r := GP32()
				VMOVMSKPS(gap, r)
				VCMPPS(U8(1), bound, size, flip)
				TESTL(r, r)
				JZ(LabelRef(name("far")))
				e, f := exact()
				VCMPPS(U8(1), e, f, flip)
				Label(name("far"))
				VPSRAD(U8(31), x, now)
				VPXOR(flip, now, now)
				VPOR(oneWord, now, now)
				TESTQ(clamp, clamp)
				JZ(LabelRef(name("free")))
				held, free := a.vec(), a.zero()
				VPMOVSXBD(at(clamp, p*scanSpinStride), held)
				VPCMPEQD(free, held, free)
				VBLENDVPS(free, now, held, now)
				Label(name("free"))
				h, l := XMM(), XMM()
				VEXTRACTI128(U8(1), now, h)
				VMOVDQU(now.AsX(), l)
				VPACKSSDW(h, l, l)
				VPACKSSWB(l, l, l)
				VMOVQ(l, spin)
			}
			VCVTDQ2PS(now, now)
			d := now
			VSUBPS(before, now, d)
			VMULPS(a.broadcast(at(b, scanFactor)), d, d)
			VMOVUPS(d, at(delta, row))
			for q := i + 1; q < 8; q++ {
				fma(at(j, 4*(p*scanSpins+8*half+q)), d, field[q])
			}
		}
	}
	for _, r := range []reg.GPVirtual{y, delta, bounds, uniform} {
		ADDQ(U32(a.bytes()), r)
	}
	ADDQ(U32(a.lanes), old)
	TESTQ(add, add)
	JZ(LabelRef("noAdd"))
	ADDQ(U32(a.bytes()), add)
	Label("noAdd")
	TESTQ(clamp, clamp)
	JZ(LabelRef("noClamp"))
	ADDQ(U32(a.lanes), clamp)
	Label("noClamp")
	TESTQ(scale, scale)
	JZ(LabelRef("noScale"))
	ADDQ(U32(a.bytes()), scale)
	Label("noScale")
	DECQ(left)
	JNZ(LabelRef("vector"))
	a.done()
}

// turn emits the turning of a square of 16 bytes: four times rows i and i+8 (or i+4 of 8) are put
// one beside the other, byte by byte, and become rows 2i and 2i+1. 16 rows want more than 16
// registers, so the narrow arm takes half the columns at a time.
func (a arm) turn() {
	a.text("turn", "func(dst, src *int8, dstStep, srcStep uintptr)", "turns a square of 16; steps are bytes between rows:\n\tdst[l,i] = src[i,l]")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	dstStep, srcStep := Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64())
	parts := 2
	if a.wide() {
		parts = 1
	}
	for part := range parts {
		row := GP64()
		MOVQ(src, row)
		x := make([]reg.VecVirtual, 16)
		for i := range x {
			x[i] = XMM()
			if a.wide() {
				VMOVDQU8(at(row, 0), x[i])
			} else {
				VMOVQ(at(row, 8*part), x[i])
			}
			ADDQ(srcStep, row)
		}
		for stage := range 4 {
			half := len(x) / 2
			var next []reg.VecVirtual
			for i := range half {
				lo := XMM()
				VPUNPCKLBW(x[i+half], x[i], lo)
				next = append(next, lo)
				if a.wide() || stage > 0 {
					hi := XMM()
					VPUNPCKHBW(x[i+half], x[i], hi)
					next = append(next, hi)
				}
			}
			x = next
		}
		for i := range x {
			if a.wide() {
				VMOVDQU8(x[i], at(dst, 0))
			} else {
				VMOVDQU(x[i], at(dst, 0))
			}
			ADDQ(dstStep, dst)
		}
	}
	RET()
}
