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
// from the first to the last step. The processor's clock falls with the work that goes on beside
// the multiply-adds, so there is as little as can be: addresses move once in four steps. Where there are
// registers for it a step loads the columns of the next one, which come from the second cache.
func (a arm) micro(layout string, rows, vectors int) {
	place := map[string]string{"Rows": "i*aStep + 4*l", "Columns": "4*i + l*aStep"}[layout]
	how := "by fused multiply-adds"
	if a.bf16 {
		how = "two of bfloat16 from a word, by compute.AddProductsBF16"
	}
	a.text(fmt.Sprintf("micro%s%dx%d", layout, rows, vectors),
		"func(c, a, b *float32, aStep, bStep, steps, add uintptr, ahead, out *float32, outStep uintptr)",
		fmt.Sprintf(`computes a tile of %d rows and %d columns of sums, a and b being addressed in bytes:
	for l := range steps: sum[i,j] += a[%s] * b[l*bStep + 4*j]
	c[i,j] = sum[i,j], or c[i,j] + sum[i,j] if add is not 0
Every sum starts at 0 and takes its products in the order of l, %s. Rows of c are %d bytes apart;
%d bytes a step from ahead on are fetched into the second cache, and a tile's columns of rows outStep bytes apart from out on into the first.`, rows, vectors*a.lanes, place, how, a.tileStride(), aheadBytes))
	c := Load(Param("c"), GP64())
	pa := Load(Param("a"), GP64())
	pb := Load(Param("b"), GP64())
	aStep := Load(Param("aStep"), GP64())
	bStep := Load(Param("bStep"), GP64())
	steps := Load(Param("steps"), GP64())
	ahead := Load(Param("ahead"), GP64())
	aStep3, bStep3 := GP64(), GP64()
	LEAQ(Mem{Base: aStep, Index: aStep, Scale: 2}, aStep3)
	LEAQ(Mem{Base: bStep, Index: bStep, Scale: 2}, bStep3)
	bases := []reg.Register{pa} // of rows 0 to 3 and 4 to 7
	if layout == "Rows" && rows == 8 {
		pa4 := GP64()
		LEAQ(Mem{Base: pa, Index: aStep, Scale: 4}, pa4)
		bases = append(bases, pa4)
	}
	out, outStep := Load(Param("out"), GP64()), Load(Param("outStep"), GP64())
	touch := func() { // a row of out
		for v := range vectors {
			if a.wide() || v%2 == 0 {
				PREFETCHT0(at(out, v*a.bytes()))
			}
		}
		ADDQ(outStep, out)
	}
	times := func(base, step, step3 reg.Register, n, disp int) Mem { // base + n*step + disp
		switch n {
		case 0:
			return at(base, disp)
		case 3:
			return indexed(base, step3, 1, disp)
		}
		return indexed(base, step, uint8(n), disp)
	}
	entry := func(i, l int) Mem {
		if layout == "Rows" {
			return times(bases[i/4], aStep, aStep3, i%4, 4*l)
		}
		return times(pa, aStep, aStep3, l, 4*i)
	}
	var sum [8][tileVectors]reg.VecVirtual
	for i := range rows {
		for v := range vectors {
			sum[i][v] = a.zero()
		}
	}
	type columns [tileVectors]reg.VecVirtual
	columnsAt := func(l, v int) Mem { return times(pb, bStep, bStep3, l, v*a.bytes()) }
	loadAll := func(l int) (b columns) {
		for v := range vectors {
			b[v] = a.load(columnsAt(l, v))
		}
		return b
	}
	// step emits one of four steps; beside row i goes beside(i).
	step := func(l int, b columns, beside func(i int)) {
		for i := range rows {
			x := a.broadcast(entry(i, l))
			beside(i)
			for v := range vectors {
				a.multiplyAdd(b[v], x, sum[i][v])
			}
		}
	}
	alone := func(int) {}
	fetch := func() {
		PREFETCHT1(at(ahead, 0))
		ADDQ(U32(aheadBytes*4), ahead)
	}
	move := func(n int) {
		for _, base := range bases {
			switch {
			case layout == "Rows":
				ADDQ(U32(4*n), base)
			case n == 1:
				ADDQ(aStep, base)
			default:
				LEAQ(indexed(base, aStep, 4, 0), base)
			}
		}
	}
	var four func(beside func()) // emits four steps; in their middle goes beside
	if a.wide() {
		sets := [2]columns{loadAll(0)} // of even and odd steps
		for v := range vectors {
			sets[1][v] = a.vec()
		}
		DECQ(steps) // the last step has no next
		four = func(beside func()) {
			for l := range 4 {
				if l == 3 {
					LEAQ(indexed(pb, bStep, 4, 0), pb)
				}
				step(l, sets[l%2], func(i int) {
					if v := i - rows/4; v >= 0 && v < vectors {
						VMOVUPS(columnsAt((l+1)%4, v), sets[(l+1)%2][v])
					}
					if l == 0 && i == 0 {
						fetch()
					}
					if l == 2 && i == 0 {
						beside()
					}
				})
			}
			move(4)
		}
	} else {
		four = func(beside func()) {
			for l := range 4 {
				step(l, loadAll(l), alone)
				if l == 0 {
					fetch()
				}
				if l == 2 {
					beside()
				}
			}
			LEAQ(indexed(pb, bStep, 4, 0), pb)
			move(4)
		}
	}
	// A row of out is fetched in four steps: all at once they would hold up those of b.
	left := GP64()
	MOVQ(U32(rows), left)
	Label("touch")
	CMPQ(steps, U32(4))
	JL(LabelRef("touched"))
	four(touch)
	SUBQ(U32(4), steps)
	DECQ(left)
	JNZ(LabelRef("touch"))
	Label("touched")
	loop("four", steps, 4, func() { four(func() {}) })
	if a.wide() {
		INCQ(steps)
	}
	loop("one", steps, 1, func() {
		step(0, loadAll(0), alone)
		ADDQ(bStep, pb)
		move(1)
	})
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

// outerTile emits the product of two panels of few steps that goes straight to its place.
func (a arm) outerTile() {
	a.text("outerTile", "func(dst, a, b *float32, dstStep, bStep, steps, add uintptr, factor float32)",
		fmt.Sprintf(`sets a whole tile to the products of few steps, or adds them: a tile of %d rows and %d columns; steps are bytes between rows:
	for l := range steps: sum[i,j] += a[%d*l+i] * b[l*bStep + 4*j], by fused multiply-adds
	dst[i*dstStep + 4*j] = factor*sum[i,j] + 0, or + what it was if add is not 0`, a.rows, tileVectors*a.lanes, a.rows))
	dst, pa, pb := Load(Param("dst"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	dstStep, bStep, steps := Load(Param("dstStep"), GP64()), Load(Param("bStep"), GP64()), Load(Param("steps"), GP64())
	var sum [8][tileVectors]reg.VecVirtual
	for i := range a.rows {
		for v := range tileVectors {
			sum[i][v] = a.zero()
		}
	}
	loop("step", steps, 1, func() {
		var b [tileVectors]reg.VecVirtual
		for v := range tileVectors {
			b[v] = a.load(at(pb, v*a.bytes()))
		}
		for i := range a.rows {
			x := a.broadcast(at(pa, 4*i))
			for v := range tileVectors {
				VFMADD231PS(b[v], x, sum[i][v])
			}
		}
		ADDQ(U32(4*a.rows), pa)
		ADDQ(bStep, pb)
	})
	place, err := Param("factor").Resolve()
	if err != nil {
		panic(err)
	}
	factor := a.broadcast(place.Addr)
	for i := range a.rows {
		for v := range tileVectors {
			VMULPS(sum[i][v], factor, sum[i][v])
		}
	}
	add := Load(Param("add"), GP64())
	TESTQ(add, add)
	JZ(LabelRef("set"))
	store := func(what func(v int) Op) {
		for i := range a.rows {
			for v := range tileVectors {
				VADDPS(what(v), sum[i][v], sum[i][v])
				VMOVUPS(sum[i][v], at(dst, v*a.bytes()))
			}
			ADDQ(dstStep, dst)
		}
		VZEROUPPER()
		RET()
	}
	store(func(v int) Op { return at(dst, v*a.bytes()) })
	Label("set")
	none := a.zero()
	store(func(int) Op { return none }) // -0 becomes 0, as in a sum
}

// peakAdds is the number of multiply-adds in a turn of peak: as many on each of
// 12 sums, which come round after six cycles, more than one of them takes.
const peakAdds = 24

// peak emits a loop of multiply-adds that nothing slows down.
func (a arm) peak() {
	what := fmt.Sprintf("fused multiply-adds of %d numbers", a.lanes)
	if a.bf16 {
		what = fmt.Sprintf("additions of two products each to %d numbers", a.lanes)
	}
	a.text("peak", "func(turns uintptr)", fmt.Sprintf("does turns times %d independent %s.", peakAdds, what))
	turns := Load(Param("turns"), GP64())
	var x [12]reg.VecVirtual
	for i := range x {
		x[i] = a.zero()
	}
	f := a.zero()
	loop("turn", turns, 1, func() {
		for i := range peakAdds {
			a.multiplyAdd(f, f, x[i%len(x)])
		}
	})
	VZEROUPPER()
	RET()
}
