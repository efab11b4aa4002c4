package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// words is one state of Philox4x32 for half of a vector's columns: each word in
// the low half of a 64-bit lane, whatever the high half holds.
type words [4]reg.VecVirtual

// high sets the low halves of dst to the high halves of x.
func (a arm) high(x, dst reg.VecVirtual) { VPSHUFD(U8(0xf5), x, dst) }

// roundOf replaces w by the next state; k0 and k1 are words in memory.
func (a arm) roundOf(w *words, m0, m1 Op, k0, k1 Mem) {
	p0, p1 := a.vec(), a.vec()
	VPMULUDQ(m0, w[0], p0)
	VPMULUDQ(m1, w[2], p1)
	c0, c2 := a.vec(), a.vec()
	a.high(p1, c0)
	a.high(p0, c2)
	if a.wide() {
		VPTERNLOGD_BCST(U8(0x96), k0, w[1], c0)
		VPTERNLOGD_BCST(U8(0x96), k1, w[3], c2)
	} else {
		VPXOR(w[1], c0, c0)
		VPXOR(w[3], c2, c2)
		VPXOR(a.broadcast(k0), c0, c0)
		VPXOR(a.broadcast(k1), c2, c2)
	}
	*w = words{c0, p1, c2, p0}
}

// philox returns the four words of the blocks of a vector's columns. keys
// holds the ten round keys, start the four words that the first two rounds
// need and that do not depend on the column (see philoxStart in package cpu).
func (a arm) philox(even, odd reg.VecVirtual, m0, m1 Op, keys, start reg.Register, startDisp, keysDisp int) [4]reg.VecVirtual {
	begin := func(col reg.VecVirtual) words {
		c3 := a.vec()
		VPMULUDQ(m0, col, c3)
		c2 := a.vec()
		a.high(c3, c2)
		a.xor(a.broadcast(at(start, startDisp)), c2, c2)
		c1 := a.vec()
		VPMULUDQ(m1, c2, c1)
		c0 := a.vec()
		a.high(c1, c0)
		a.xor(a.broadcast(at(start, startDisp+4)), c0, c0)
		second := a.vec()
		a.xor(a.broadcast(at(start, startDisp+8)), c3, second)
		return words{c0, c1, second, a.broadcast(at(start, startDisp+12))}
	}
	e, o := begin(even), begin(odd)
	for r := 2; r < 10; r++ {
		k0, k1 := at(keys, keysDisp+8*r), at(keys, keysDisp+8*r+4)
		a.roundOf(&e, m0, m1, k0, k1)
		a.roundOf(&o, m0, m1, k0, k1)
	}
	var w [4]reg.VecVirtual
	for i := range w {
		w[i] = e[i]
		VMOVSLDUP(o[i], o[i])
		if a.wide() {
			VBLENDMPS(o[i], e[i], a.odd, w[i])
		} else {
			VPBLENDD(U8(0xaa), o[i], e[i], w[i])
		}
	}
	return w
}
