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
	return a.philoxOf(even, odd, m0, m1, keys, keysDisp, func(_, i int) Op { return a.broadcast(at(start, startDisp+4*i)) })
}

// philoxOf is philox with the four words of start as vectors, of the even (0) and the odd (1) columns.
func (a arm) philoxOf(even, odd reg.VecVirtual, m0, m1 Op, keys reg.Register, keysDisp int, start func(odd, i int) Op) [4]reg.VecVirtual {
	begin := func(col reg.VecVirtual, odd int) words {
		c3 := a.vec()
		VPMULUDQ(m0, col, c3)
		c2 := a.vec()
		a.high(c3, c2)
		a.xor(start(odd, 0), c2, c2)
		c1 := a.vec()
		VPMULUDQ(m1, c2, c1)
		c0 := a.vec()
		a.high(c1, c0)
		a.xor(start(odd, 1), c0, c0)
		second := a.vec()
		a.xor(start(odd, 2), c3, second)
		third, ok := start(odd, 3).(reg.VecVirtual)
		if !ok {
			third = a.copyOf(start(odd, 3))
		}
		return words{c0, c1, second, third}
	}
	e, o := begin(even, 0), begin(odd, 1)
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
