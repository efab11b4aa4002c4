package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// aheadBytes is what a micro-kernel fetches ahead for each step of its sum. A
// step of a whole column panel of the wide arm has 192 bytes, so that 12
// row panels fetch the next column panel.
const aheadBytes = 16

// micro emits the product of a row panel and a column panel, kept in registers
// from the first to the last step.
func (a arm) micro(rows, vectors int) {
	a.text(fmt.Sprintf("micro%dx%d", rows, vectors),
		"func(c, a, b *float32, aRow, aStep, bStep, aNext, steps, add uintptr, ahead *float32)",
		fmt.Sprintf(`computes a tile of %d rows and %d columns of sums, a and b being addressed in bytes:
	for l := range steps: sum[i,j] += a[i*aRow + l*aStep] * b[l*bStep + 4*j]
	c[i,j] = sum[i,j], or c[i,j] + sum[i,j] if add is not 0
Every sum starts at 0 and takes its products in the order of l, by fused multiply-adds. Rows of c are %d bytes apart; the panel of a that is
needed next lies aNext bytes further; %d bytes a step from ahead on are fetched into the second cache.`, rows, vectors*a.lanes, a.tileStride(), aheadBytes))
	c := Load(Param("c"), GP64())
	pa := Load(Param("a"), GP64())
	pb := Load(Param("b"), GP64())
	aRow := Load(Param("aRow"), GP64())
	aStep := Load(Param("aStep"), GP64())
	bStep := Load(Param("bStep"), GP64())
	steps := Load(Param("steps"), GP64())
	aRow3 := GP64()
	LEAQ(Mem{Base: aRow, Index: aRow, Scale: 2}, aRow3)
	bases := []reg.Register{pa}
	if rows == 8 {
		pa4 := GP64()
		LEAQ(Mem{Base: pa, Index: aRow, Scale: 4}, pa4)
		bases = append(bases, pa4)
	}
	ahead := Load(Param("ahead"), GP64())
	next := GP64() // row 0 and row 4 of the next panel
	MOVQ(Load(Param("aNext"), GP64()), next)
	nexts := []reg.Register{next}
	if rows == 8 {
		next4 := GP64()
		LEAQ(Mem{Base: next, Index: bases[1], Scale: 1}, next4)
		nexts = append(nexts, next4)
	}
	ADDQ(pa, next)
	for i := range rows {
		for v := range vectors {
			if a.wide() || v%2 == 0 {
				PREFETCHT0(at(c, i*a.tileStride()+v*a.bytes()))
			}
		}
	}
	rowOf := func(bases []reg.Register, i int) Mem {
		m := Mem{Base: bases[i/4]}
		switch i % 4 {
		case 1:
			m.Index, m.Scale = aRow, 1
		case 2:
			m.Index, m.Scale = aRow, 2
		case 3:
			m.Index, m.Scale = aRow3, 1
		}
		return m
	}
	var sum [8][tileVectors]reg.VecVirtual
	for i := range rows {
		for v := range vectors {
			sum[i][v] = a.zero()
		}
	}
	step := func() {
		var b [tileVectors]reg.VecVirtual
		for v := range vectors {
			b[v] = a.load(at(pb, v*a.bytes()))
		}
		for i := range rows {
			x := a.broadcast(rowOf(bases, i))
			for v := range vectors {
				VFMADD231PS(b[v], x, sum[i][v])
			}
		}
		ADDQ(bStep, pb)
		for _, base := range bases {
			ADDQ(aStep, base)
		}
	}
	loop("four", steps, 4, func() {
		for i := range rows {
			PREFETCHT0(rowOf(nexts, i))
		}
		for i := range aheadBytes * 4 / 64 {
			PREFETCHT1(at(ahead, 64*i))
		}
		ADDQ(U32(aheadBytes*4), ahead)
		for range 4 {
			step()
		}
		for _, base := range nexts {
			LEAQ(Mem{Base: base, Index: aStep, Scale: 4}, base)
		}
	})
	loop("one", steps, 1, step)
	add := Load(Param("add"), GP64())
	TESTQ(add, add)
	JZ(LabelRef("store"))
	for i := range rows {
		for v := range vectors {
			VADDPS(at(c, i*a.tileStride()+v*a.bytes()), sum[i][v], sum[i][v])
		}
	}
	Label("store")
	for i := range rows {
		for v := range vectors {
			VMOVUPS(sum[i][v], at(c, i*a.tileStride()+v*a.bytes()))
		}
	}
	VZEROUPPER()
	RET()
}

// peakAdds is the number of multiply-adds in a turn of peak: as many on each of
// 12 sums, which come round after six cycles, more than one of them takes.
const peakAdds = 24

// peak emits a loop of multiply-adds that nothing slows down.
func (a arm) peak() {
	a.text("peak", "func(turns uintptr)", fmt.Sprintf("does turns times %d independent fused multiply-adds of %d numbers.", peakAdds, a.lanes))
	turns := Load(Param("turns"), GP64())
	var x [12]reg.VecVirtual
	for i := range x {
		x[i] = a.zero()
	}
	f := a.zero()
	loop("turn", turns, 1, func() {
		for i := range peakAdds {
			VFMADD231PS(f, f, x[i%len(x)])
		}
	})
	VZEROUPPER()
	RET()
}
