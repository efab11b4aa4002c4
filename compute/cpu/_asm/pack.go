package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (a arm) copyRect() {
	a.text("copyRect", "func(dst, src *float32, dstStep, srcStep, rows, cols uintptr)",
		"copies a rectangle; steps are bytes between rows:\n\tdst[i,j] = src[i,j]")
	dst, src, dstStep, srcStep, rows, cols := a.rect()
	a.eachRow(dst, src, dstStep, srcStep, rows, cols, 4, func(d, s reg.Register) {
		VMOVUPS(a.load(at(s, 0)), at(d, 0))
	}, func(d, s reg.Register) {
		x := XMM()
		VMOVSS(at(s, 0), x)
		VMOVSS(x, at(d, 0))
	}, func(d, s reg.Register, k reg.OpmaskVirtual) {
		x := ZMM()
		VMOVUPS_Z(at(s, 0), k, x)
		VMOVUPS(x, k, at(d, 0))
	})
}

func (a arm) widenRect() {
	a.text("widenRect", "func(dst *float32, src *int8, dstStep, srcStep, rows, cols uintptr)",
		"widens a rectangle of int8; steps are bytes between rows:\n\tdst[i,j] = float32(src[i,j])")
	dst, src, dstStep, srcStep, rows, cols := a.rect()
	a.eachRow(dst, src, dstStep, srcStep, rows, cols, 1, func(d, s reg.Register) {
		v := a.vec()
		VPMOVSXBD(at(s, 0), v)
		VCVTDQ2PS(v, v)
		VMOVUPS(v, at(d, 0))
	}, func(d, s reg.Register) {
		w, x := GP32(), XMM()
		MOVBLSX(at(s, 0), w)
		VXORPS(x, x, x)
		VCVTSI2SSL(w, x, x)
		VMOVSS(x, at(d, 0))
	}, func(d, s reg.Register, k reg.OpmaskVirtual) {
		v, b := ZMM(), XMM()
		VMOVDQU8_Z(at(s, 0), k, b)
		VPMOVSXBD(b, v)
		VCVTDQ2PS(v, v)
		VMOVUPS(v, k, at(d, 0))
	})
}

func (a arm) rect() (dst, src, dstStep, srcStep, rows, cols reg.Register) {
	return Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("dstStep"), GP64()),
		Load(Param("srcStep"), GP64()), Load(Param("rows"), GP64()), Load(Param("cols"), GP64())
}

// eachRow emits the walk over a rectangle: whole vectors, then the rest of the
// row under a mask on the wide arm and one by one on the other.
func (a arm) eachRow(dst, src, dstStep, srcStep, rows, cols reg.Register, srcSize int,
	whole, single func(d, s reg.Register), masked func(d, s reg.Register, k reg.OpmaskVirtual)) {
	rest, k := GP64(), K()
	if a.wide() {
		one := GP64()
		MOVQ(cols, reg.RCX)
		ANDQ(U8(15), reg.RCX)
		MOVQ(U32(1), one)
		SHLQ(reg.CL, one)
		DECQ(one)
		MOVQ(one, rest)
		KMOVW(one.As32(), k)
	}
	loop("row", rows, 1, func() {
		d, s, n := GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(cols, n)
		loop("vector", n, a.lanes, func() {
			PREFETCHT0(Mem{Base: s, Index: srcStep, Scale: 8}) // eight rows further
			whole(d, s)
			ADDQ(U32(a.bytes()), d)
			ADDQ(U32(a.lanes*srcSize), s)
		})
		if a.wide() {
			TESTQ(rest, rest)
			JZ(LabelRef("next"))
			masked(d, s, k)
			Label("next")
		} else {
			loop("single", n, 1, func() {
				single(d, s)
				ADDQ(U8(4), d)
				ADDQ(U8(srcSize), s)
			})
		}
		ADDQ(dstStep, dst)
		ADDQ(srcStep, src)
	})
	VZEROUPPER()
	RET()
}

// panels emits the packing of the row panels of a transposed matrix.
func (a arm) panels(name, element string, size int) {
	a.text("panels"+name, "func(dst *float32, src *"+element+", weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr)",
		labelf(`packs panels of %d columns side by side; the steps are bytes between panels, rows and weights:
	dst[p,l,i] = weights[l] * float32(src[l,%d*p+i])`, a.rows, a.rows))
	dst, src, weights := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("weights"), GP64())
	dstStep, srcStep, weightStep := Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64()), Load(Param("weightStep"), GP64())
	steps, panels := Load(Param("steps"), GP64()), Load(Param("panels"), GP64())
	loop("row", steps, 1, func() {
		d, s, n := GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(panels, n)
		var w, x Op
		if a.rows == 8 {
			w, x = YMM(), YMM()
		} else {
			w, x = XMM(), XMM()
		}
		VBROADCASTSS(at(weights, 0), w)
		loop("panel", n, 1, func() {
			if size == 1 {
				VPMOVSXBD(at(s, 0), x)
				VCVTDQ2PS(x, x)
				VMULPS(x, w, x)
			} else {
				VMULPS(at(s, 0), w, x)
			}
			VMOVUPS(x, at(d, 0))
			ADDQ(dstStep, d)
			ADDQ(U32(a.rows*size), s)
		})
		ADDQ(U32(4*a.rows), dst)
		ADDQ(srcStep, src)
		ADDQ(weightStep, weights)
	})
	VZEROUPPER()
	RET()
}

// transpose emits the turning of squares of lanes x lanes, of which so many
// rows are there, by pairs of rows at distance 1, 2, 4 (and 8).
func (a arm) transpose(name string, rows int) {
	n := a.lanes
	a.text("transpose"+name, "func(dst, src *float32, dstStep, srcStep, squares uintptr)",
		labelf("turns %d rows into columns, in squares one after the other; steps are bytes between rows:\n\tdst[l,i] = src[i,l], 0 for i >= %d, for i < %d, l < %d*squares", rows, rows, n, n))
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	dstStep, srcStep, squares := Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64()), Load(Param("squares"), GP64())
	loop("square", squares, 1, func() {
		row := GP64()
		MOVQ(src, row)
		x := make([]reg.VecVirtual, n)
		for i := range x {
			if i >= rows {
				x[i] = a.zero()
				continue
			}
			x[i] = a.load(at(row, 0))
			ADDQ(srcStep, row)
		}
		pairs := func(distance int, turn func(u, v, lo, hi reg.VecVirtual)) {
			for i := range x {
				if i&distance == 0 {
					lo, hi := a.vec(), a.vec()
					turn(x[i], x[i+distance], lo, hi)
					x[i], x[i+distance] = lo, hi
				}
			}
		}
		// After each stage row i holds, of every group of columns, the ones that agree with i in one more bit.
		pairs(1, func(u, v, lo, hi reg.VecVirtual) { VUNPCKLPS(v, u, lo); VUNPCKHPS(v, u, hi) })
		pairs(2, func(u, v, lo, hi reg.VecVirtual) { VUNPCKLPD(v, u, lo); VUNPCKHPD(v, u, hi) })
		if a.wide() {
			pairs(4, func(u, v, lo, hi reg.VecVirtual) { VSHUFF32X4(U8(0x88), v, u, lo); VSHUFF32X4(U8(0xdd), v, u, hi) })
			pairs(8, func(u, v, lo, hi reg.VecVirtual) { VSHUFF32X4(U8(0x88), v, u, lo); VSHUFF32X4(U8(0xdd), v, u, hi) })
		} else {
			pairs(4, func(u, v, lo, hi reg.VecVirtual) { VPERM2F128(U8(0x20), v, u, lo); VPERM2F128(U8(0x31), v, u, hi) })
		}
		// The two unpackings leave columns 0, 1 in rows 0, 2 and columns 2, 3 in rows 1, 3; the wide shuffles keep
		// quarters in order of the bits 4, 8.
		for l := range n {
			VMOVUPS(x[turned(l)], at(dst, 0))
			ADDQ(dstStep, dst)
		}
		ADDQ(U32(a.bytes()), src)
	})
	VZEROUPPER()
	RET()
}

// turned returns the register that holds column l after all stages.
func turned(l int) int { return l&^3 | l&1<<1 | l>>1&1 }

// addTo emits the sum of two arrays.
func (a arm) addTo() {
	a.text("addTo", "func(dst, src *float32, n uintptr)", labelf("adds an array whose length is a multiple of %d:\n\tdst[i] += src[i]", a.lanes))
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("n"), GP64())
	loop("vector", n, a.lanes, func() {
		x := a.load(at(dst, 0))
		VADDPS(at(src, 0), x, x)
		VMOVUPS(x, at(dst, 0))
		ADDQ(U32(a.bytes()), dst)
		ADDQ(U32(a.bytes()), src)
	})
	VZEROUPPER()
	RET()
}
