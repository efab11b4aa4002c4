package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scalar returns a vector of the float32 parameter.
func (a arm) scalar(name string) reg.VecVirtual {
	v := a.vec()
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, v)
	return v
}

// elements emits the walk over arrays of float32 (size 4) or int8 (size 1)
// named by parameters, vector by vector.
func (a arm) elements(names []string, sizes []int, body func(m []Mem)) {
	var m []Mem
	for _, name := range names {
		m = append(m, Mem{Base: Load(Param(name), GP64())})
	}
	n := Load(Param("n"), GP64())
	loop("vector", n, a.lanes, func() {
		body(m)
		for i := range m {
			ADDQ(U32(a.lanes*sizes[i]), m[i].Base)
		}
	})
}

func (a arm) done() {
	VZEROUPPER()
	RET()
}

// number returns the float32 vector at m, which holds float32 or int8.
func (a arm) number(m Mem, size int) reg.VecVirtual {
	if size == 4 {
		return a.load(m)
	}
	v := a.vec()
	VPMOVSXBD(m, v)
	VCVTDQ2PS(v, v)
	return v
}

func (a arm) combine(suffix, kind string, size int) {
	a.text("combine"+suffix, "func(dst *float32, x *"+kind+", n uintptr, a, b float32)", "combines two arrays; n is a multiple of the lanes:\n\tdst[i] = a*x[i] + b*dst[i]")
	f, g := a.scalar("a"), a.scalar("b")
	a.elements([]string{"dst", "x"}, []int{4, size}, func(m []Mem) {
		x, y := a.number(m[1], size), a.vec()
		VMULPS(m[0], g, y)
		VMULPS(f, x, x)
		VADDPS(y, x, x)
		VMOVUPS(x, m[0])
	})
	a.done()
	a.text("scale"+suffix, "func(dst *float32, x *"+kind+", n uintptr, a float32)", "scales an array; n is a multiple of the lanes:\n\tdst[i] = a*x[i]")
	f = a.scalar("a")
	a.elements([]string{"dst", "x"}, []int{4, size}, func(m []Mem) {
		x := a.number(m[1], size)
		VMULPS(f, x, x)
		VMOVUPS(x, m[0])
	})
	a.done()
}

func (a arm) adam() {
	a.text("adam", "func(dst, grad, m, s *float32, n uintptr, p *float32)", `is a step of Adam; n is a multiple of the lanes:
	m[i] = keep1*m[i] + take1*grad[i]
	s[i] = keep2*s[i] + (take2*grad[i])*grad[i]
	dst[i] -= step*m[i] / (sqrt(s[i]/correction) + eps)`)
	p := Load(Param("p"), GP64())
	var f [7]reg.VecVirtual
	for i := range f {
		f[i] = a.broadcast(at(p, 4*i))
	}
	a.elements([]string{"dst", "grad", "m", "s"}, []int{4, 4, 4, 4}, func(e []Mem) {
		g, m, s, t := a.load(e[1]), a.vec(), a.vec(), a.vec()
		VMULPS(e[2], f[0], m)
		VMULPS(f[1], g, t)
		VADDPS(t, m, m)
		VMOVUPS(m, e[2])
		VMULPS(e[3], f[2], s)
		VMULPS(f[3], g, t)
		VMULPS(g, t, t)
		VADDPS(t, s, s)
		VMOVUPS(s, e[3])
		VDIVPS(f[5], s, s)
		VSQRTPS(s, s)
		VADDPS(f[6], s, s)
		VMULPS(f[4], m, m)
		VDIVPS(s, m, m)
		d := a.load(e[0])
		VSUBPS(m, d, d)
		VMOVUPS(d, e[0])
	})
	a.done()
}

func (a arm) clip() {
	a.text("clip", "func(dst *float32, n uintptr, bound float32)", "clips an array, NaN stays; n is a multiple of the lanes:\n\tdst[i] = the nearest to dst[i] in [-bound, bound]")
	b, minus := a.scalar("bound"), a.vec()
	a.xor(a.bits("sign", 0x80000000), b, minus)
	a.elements([]string{"dst"}, []int{4}, func(m []Mem) {
		x := a.vec()
		VMINPS(m[0], b, x)
		VMAXPS(x, minus, x)
		VMOVUPS(x, m[0])
	})
	a.done()
}

func (a arm) sign() {
	a.text("sign", "func(dst, x *float32, n uintptr)", "takes signs, +1 for both zeros and NaN; n is a multiple of the lanes:\n\tdst[i] = -1 if x[i] < 0, else 1")
	one, sign, zero := a.copyOf(a.float("one", 1)), a.copyOf(a.bits("sign", 0x80000000)), a.zero()
	a.elements([]string{"dst", "x"}, []int{4, 4}, func(m []Mem) {
		x, s := a.load(m[1]), a.vec()
		if a.wide() {
			k := K()
			VCMPPS(U8(1), zero, x, k)
			VMOVAPS(one, s)
			VPORD(sign, s, k, s)
		} else {
			VCMPPS(U8(1), zero, x, s)
			VPAND(sign, s, s)
			VPOR(one, s, s)
		}
		VMOVUPS(s, m[0])
	})
	a.done()
	a.text("signSpins", "func(dst *int8, x *float32, n uintptr)", "takes signs as spins, +1 for both zeros and NaN; n is a multiple of the lanes:\n\tdst[i] = -1 if x[i] < 0, else 1")
	zero = a.zero()
	ones := a.copyOf(a.bits("oneWord", 1))
	a.elements([]string{"dst", "x"}, []int{1, 4}, func(m []Mem) {
		x := a.load(m[1])
		if a.wide() {
			k, b := K(), ZMM()
			VCMPPS(U8(1), zero, x, k)
			VPMOVM2D(k, b)
			VPORD(ones, b, b)
			VPMOVDB(b, m[0])
			return
		}
		VCMPPS(U8(1), zero, x, x)
		VPOR(ones, x, x)
		h, l := XMM(), XMM()
		VEXTRACTI128(U8(1), x, h)
		VMOVDQU(x.AsX(), l)
		VPACKSSDW(h, l, l)
		VPACKSSWB(l, l, l)
		VMOVQ(l, m[0])
	})
	a.done()
}

// dot adds x*y to the eight float64 sums of the columns modulo 8: both
// arms add the products of a column's sum in order.
func (a arm) dot(suffix, kind string, size int) {
	a.text("dot"+suffix, "func(sums *[8]float64, x *float32, y *"+kind+", n uintptr)", "adds products in float64, where they are exact; n is a multiple of the lanes:\n\tsums[i%8] += x[i]*y[i]")
	sums := Load(Param("sums"), GP64())
	parts := 16 / a.lanes
	acc := make([]reg.VecVirtual, parts)
	for i := range acc {
		acc[i] = a.vec()
		VMOVUPD(at(sums, i*a.bytes()), acc[i])
	}
	half := a.lanes / 2
	a.elements([]string{"x", "y"}, []int{4, size}, func(m []Mem) {
		for i := range 2 {
			dx, dy := a.vec(), a.vec()
			VCVTPS2PD(m[0].Offset(4*half*i), dx)
			if size == 4 {
				VCVTPS2PD(m[1].Offset(4*half*i), dy)
			} else if a.wide() {
				w := YMM()
				VPMOVSXBD(m[1].Offset(half*i), w)
				VCVTDQ2PD(w, dy)
			} else {
				w := XMM()
				VPMOVSXBD(m[1].Offset(half*i), w)
				VCVTDQ2PD(w, dy)
			}
			VFMADD231PD(dx, dy, acc[i%parts])
		}
	})
	for i := range acc {
		VMOVUPD(acc[i], at(sums, i*a.bytes()))
	}
	a.done()
}

func (a arm) largest() {
	a.text("largest", "func(x *float32, n uintptr) uint32", "returns the largest bit pattern of |x[i]|, which is that of an infinity or more where not all are finite; n is a multiple of the lanes.")
	abs, top := a.bits("abs", 0x7fffffff), a.zero()
	a.elements([]string{"x"}, []int{4}, func(m []Mem) {
		v := a.load(m[0])
		a.and(abs, v, v)
		VPMAXUD(v, top, top)
	})
	h := XMM()
	var y reg.VecVirtual = top
	if a.wide() {
		u, v := YMM(), YMM()
		VEXTRACTF64X4(U8(1), top, u)
		VEXTRACTF64X4(U8(0), top, v)
		VPMAXUD(u, v, v)
		y = v
	}
	l := XMM()
	VEXTRACTI128(U8(1), y, h)
	VEXTRACTI128(U8(0), y, l)
	VPMAXUD(h, l, l)
	VPSHUFD(U8(0x4e), l, h)
	VPMAXUD(h, l, l)
	VPSHUFD(U8(0xb1), l, h)
	VPMAXUD(h, l, l)
	r := GP32()
	VMOVD(l, r)
	Store(r, ReturnIndex(0))
	a.done()
}
