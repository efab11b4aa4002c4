package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Products with signs; package cpu says how their factors lie (integers.go).
const (
	lookupSpan  = 5                        // signs that an entry of a table stands for
	lookupParts = 3                        // tables of a word
	lookupSteps = lookupParts * lookupSpan // signs in a word of 16 bits
	tableBytes  = 2 << lookupSpan          // of a table
	shortBytes  = 2 * (lookupSteps + 1)    // of the integers that meet a word
	magnitude   = 0x7fffffff               // all bits of a float32 but its sign
	orOfXor     = 0xf6                     // VPTERNLOGD: dst | (x ^ y)
	orOfAnd     = 0xf8                     // dst | (x & y)
	andOfXor    = 0x28                     // (dst ^ x) & y
)

// integers emits the kernels of products with signs.
func (a arm) integers() {
	for rows := 4; rows <= a.rows; rows += 4 {
		for vectors := 1; vectors <= tileVectors; vectors++ {
			a.popcounts(rows, vectors)
			a.lookups(rows, vectors)
		}
	}
	a.spinWords()
	a.signWords()
	a.shorts()
	a.signIndices()
	a.tables()
}

// ternary emits dst = f(dst, x, y).
func ternary(f int, x, y Op, dst reg.VecVirtual) { VPTERNLOGD(U8(f), y, x, dst) }

// copied emits a copy between registers, which costs no time.
func (a arm) copied(v reg.VecVirtual) reg.VecVirtual {
	w := a.vec()
	VMOVDQA32(v, w)
	return w
}

// sums returns rows x vectors registers of zeros.
func (a arm) sums(rows, vectors int) (sum [8][tileVectors]reg.VecVirtual) {
	for i := range rows {
		for v := range vectors {
			sum[i][v] = a.zero()
		}
	}
	return sum
}

func (a arm) popcounts(rows, vectors int) {
	a.text(fmt.Sprintf("popcounts%dx%d", rows, vectors), "func(c *float32, a, b *uint32, steps uintptr)",
		fmt.Sprintf(`computes a tile of %d rows and %d columns of sums of spins times signs. A step of a has the signs of %d rows and then their masks, that of b the
signs of %d columns; before the first step of a stand the numbers of spins:
	c[i,j] = number[i] - 2 * sum over l of the ones in (a[l,i] ^ b[l,j]) & mask[l,i]`, rows, vectors*a.lanes, a.rows, tileVectors*a.lanes))
	c, pa, pb := Load(Param("c"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	steps := Load(Param("steps"), GP64())
	numbers := GP64()
	MOVQ(pa, numbers)
	sum := a.sums(rows, vectors)
	loop("step", steps, 1, func() {
		ADDQ(U32(8*a.rows), pa)
		var b [tileVectors]reg.VecVirtual
		for v := range vectors {
			b[v] = a.load(at(pb, v*a.bytes()))
		}
		for i := range rows {
			sign, mask := a.broadcast(at(pa, 4*i)), a.broadcast(at(pa, 4*(a.rows+i)))
			for v := range vectors {
				x := a.copied(b[v])
				ternary(andOfXor, sign, mask, x)
				VPOPCNTD(x, x)
				VPADDD(x, sum[i][v], sum[i][v])
			}
		}
		ADDQ(U32(a.tileStride()), pb)
	})
	for i := range rows {
		number := a.broadcast(at(numbers, 4*i))
		for v := range vectors {
			s := sum[i][v]
			VPADDD(s, s, s)
			VPSUBD(s, number, s)
			VCVTDQ2PS(s, s)
			VMOVUPS(s, at(c, i*a.tileStride()+v*a.bytes()))
		}
	}
	VZEROUPPER()
	RET()
}

func (a arm) lookups(rows, vectors int) {
	a.text(fmt.Sprintf("lookups%dx%d", rows, vectors), "func(c *float32, tables *int16, b *uint16, steps, add uintptr)",
		fmt.Sprintf(`computes two tiles of %d rows, one after the other, of which %d columns in all: sums of entries of tables, %d from each word of b by %d bits:
	for l := range steps: for g := range %d: sum[i,j] += tables[%d*l+g][i][b[l,j] >> (%d*g) %% %d]
	c[i,j] = sum[i,j], or c[i,j] + sum[i,j] if add is not 0
Sums have 16 bits; tables are those of %d rows, and a step of b has %d columns.`, rows, 2*vectors*a.lanes, lookupParts, lookupSpan, lookupParts, lookupParts, lookupSpan, 1<<lookupSpan, a.rows, 2*tileVectors*a.lanes))
	c, tables, pb := Load(Param("c"), GP64()), Load(Param("tables"), GP64()), Load(Param("b"), GP64())
	steps := Load(Param("steps"), GP64())
	sum := a.sums(rows, vectors)
	loop("step", steps, 1, func() {
		var b [tileVectors]reg.VecVirtual
		for v := range vectors {
			b[v] = a.load(at(pb, v*a.bytes()))
		}
		for g := range lookupParts {
			for i := range rows {
				table := a.load(at(tables, (g*a.rows+i)*tableBytes))
				for v := range vectors {
					x := a.vec()
					VPERMW(table, b[v], x)
					VPADDW(x, sum[i][v], sum[i][v])
				}
			}
			if g < lookupParts-1 {
				for v := range vectors {
					VPSRLW(U8(lookupSpan), b[v], b[v])
				}
			}
		}
		ADDQ(U32(lookupParts*a.rows*tableBytes), tables)
		ADDQ(U32(a.tileStride()), pb)
	})
	add := Load(Param("add"), GP64())
	// place returns the place of half h of vector v of row i: a tile has three halves.
	place := func(i, v, h int) Mem {
		q := 2*v + h
		return at(c, (q/tileVectors*a.rows+i)*a.tileStride()+q%tileVectors*a.bytes())
	}
	store := func(added bool) {
		for i := range rows {
			for v := range vectors {
				for h := range 2 {
					half, x := sum[i][v].AsY(), a.vec()
					if h == 1 {
						y := YMM()
						VEXTRACTI64X4(U8(1), sum[i][v], y)
						VPMOVSXWD(y, x)
					} else {
						VPMOVSXWD(half, x)
					}
					VCVTDQ2PS(x, x)
					if added {
						VADDPS(place(i, v, h), x, x)
					}
					VMOVUPS(x, place(i, v, h))
				}
			}
		}
		VZEROUPPER()
		RET()
	}
	TESTQ(add, add)
	JZ(LabelRef("set"))
	store(true)
	Label("set")
	store(false)
}

// report returns from a kernel whether v has a bit of mask.
func (a arm) report(v reg.VecVirtual, mask Op) {
	k, r := K(), GP32()
	VPTESTMD(mask, v, k)
	KMOVW(k, r)
	Store(r, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func (a arm) spinWords() {
	a.text("spinWords", "func(dst, numbers *uint32, src *int8, srcStep, rows, n uintptr) (other uint32)",
		fmt.Sprintf(`packs rows of n spins, of which 0 is none; srcStep is bytes between rows:
	bit b of word %d*l+i of dst = src[i,32*l+b] < 0, bit b of word %d*l+%d+i = src[i,32*l+b] != 0, 0 beyond the last column
	numbers[i] = how many are not 0
other is 0 where all entries are -1, 0 or 1.`, 2*a.rows, 2*a.rows, a.rows))
	dst, numbers, src := Load(Param("dst"), GP64()), Load(Param("numbers"), GP64()), Load(Param("src"), GP64())
	srcStep, rows, n := Load(Param("srcStep"), GP64()), Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	step := 8 * a.rows // bytes
	sizes := a.zero()
	k, left, r := K(), GP64(), GP64()
	MOVQ(n, left)
	ANDQ(U8(63), left)
	MOVQ(left, reg.RCX)
	lowest(r)
	KMOVQ(r, k)
	// words emits the words of a vector, two or, where left is not more than 32, one.
	words := func(x reg.VecVirtual, d, number reg.GPVirtual, label string) {
		negative, there, size := K(), K(), a.vec()
		VPABSB(x, size)
		VPORD(size, sizes, sizes)
		VPMOVB2M(x, negative)
		VPTESTMB(x, x, there)
		signs, masks, ones := GP64(), GP64(), GP64()
		KMOVQ(negative, signs)
		KMOVQ(there, masks)
		POPCNTQ(masks, ones)
		ADDQ(ones, number)
		MOVL(signs.As32(), at(d, 0))
		MOVL(masks.As32(), at(d, 4*a.rows))
		if label != "" {
			CMPQ(left, U32(32))
			JLE(LabelRef(label))
		}
		SHRQ(U8(32), signs)
		SHRQ(U8(32), masks)
		MOVL(signs.As32(), at(d, step))
		MOVL(masks.As32(), at(d, step+4*a.rows))
	}
	loop("row", rows, 1, func() {
		d, s, count, number := GP64(), GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(n, count)
		XORQ(number, number)
		loop("vector", count, 64, func() {
			x := a.vec()
			VMOVDQU8(at(s, 0), x)
			words(x, d, number, "")
			ADDQ(U32(2*step), d)
			ADDQ(U32(64), s)
		})
		TESTQ(left, left)
		JZ(LabelRef("next"))
		x := a.vec()
		VMOVDQU8_Z(at(s, 0), k, x)
		words(x, d, number, "next")
		Label("next")
		MOVL(number.As32(), at(numbers, 0))
		ADDQ(U32(4), numbers)
		ADDQ(U32(4), dst)
		ADDQ(srcStep, src)
	})
	a.report(sizes, a.bits("aboveOne", 0xfefefefe))
}

func (a arm) signWords() {
	a.text("signWords", "func(dst *uint32, src *float32, dstStep, srcStep, rows, n uintptr) (other uint32)",
		`packs the signs of rows of n numbers; steps are bytes, dstStep between words:
	bit b of word l of row i = src[i,32*l+b] < 0, 0 beyond the last column; row i+1 follows row i by a word
other is 0 where all entries are -1 or 1.`)
	dst, src, dstStep, srcStep := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64())
	rows, n := Load(Param("rows"), GP64()), Load(Param("n"), GP64())
	others, one := a.zero(), a.copyOf(a.float("one", 1))
	first, second := K(), K()
	left, r := GP64(), GP64()
	MOVQ(n, left)
	leftOver(left, r, first, second)
	word := func(x, y reg.VecVirtual, d reg.Register) {
		ternary(orOfXor, x, one, others)
		ternary(orOfXor, y, one, others)
		low, high, w := K(), K(), GP32()
		VPMOVD2M(x, low)
		VPMOVD2M(y, high)
		KUNPCKWD(low, high, low)
		KMOVD(low, w)
		MOVL(w, at(d, 0))
	}
	loop("row", rows, 1, func() {
		d, s, count := GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(n, count)
		loop("vector", count, 32, func() {
			word(a.load(at(s, 0)), a.load(at(s, 64)), d)
			ADDQ(dstStep, d)
			ADDQ(U32(128), s)
		})
		TESTQ(left, left)
		JZ(LabelRef("next"))
		x, y := a.copied(one), a.copied(one)
		VMOVUPS(at(s, 0), first, x)
		VMOVUPS(at(s, 64), second, y)
		word(x, y, d)
		Label("next")
		ADDQ(U32(4), dst)
		ADDQ(srcStep, src)
	})
	a.report(others, a.bits("magnitude", magnitude))
}

func (a arm) shorts() {
	a.text("shorts", "func(dst *int16, bounds *int32, src *float32, dstStep, srcStep, rows, steps, rest uintptr) (other uint32)",
		fmt.Sprintf(`packs rows of integers, %d to a step and the rest in a last one, each followed by zeros to %d; dstStep and srcStep are bytes between rows:
	bounds[l] = the largest of bounds[l] and, of all rows, the sum of |src[i,j]| over the columns of step l
other is 0 where all entries are integers of 16 bits.`, lookupSteps, lookupSteps+1))
	dst, bounds, src := Load(Param("dst"), GP64()), Load(Param("bounds"), GP64()), Load(Param("src"), GP64())
	dstStep, srcStep, rows := Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64()), Load(Param("rows"), GP64())
	steps, rest := Load(Param("steps"), GP64()), Load(Param("rest"), GP64())
	sizes := a.zero()
	broken := K()
	KXORW(broken, broken, broken)
	whole, last, r := K(), K(), GP64()
	MOVQ(U32(1<<lookupSteps-1), r)
	KMOVW(r.As32(), whole)
	MOVQ(rest, reg.RCX)
	lowest(r)
	KMOVW(r.As32(), last)
	step := func(k reg.OpmaskVirtual, d, s, m reg.Register) {
		x, i, back, half := a.vec(), a.vec(), a.vec(), YMM()
		VMOVUPS_Z(at(s, 0), k, x)
		VCVTPS2DQ(x, i)
		VCVTDQ2PS(i, back)
		unequal := K()
		VCMPPS(U8(4), x, back, unequal)
		KORW(unequal, broken, broken)
		VPMOVSDW(i, half)
		VMOVDQU(half, at(d, 0))
		VPABSD(i, i)
		VPMAXUD(i, sizes, sizes)
		VEXTRACTI64X4(U8(1), i, half)
		y, quarter := i.AsY(), XMM()
		VPADDD(half, y, half)
		VEXTRACTI128(U8(1), half, quarter)
		z := XMM()
		VPADDD(quarter, half.AsX(), z)
		VPSHUFD(U8(0x4e), z, quarter)
		VPADDD(quarter, z, z)
		VPSHUFD(U8(0xb1), z, quarter)
		VPADDD(quarter, z, z)
		VMOVD(at(m, 0), quarter)
		VPMAXSD(quarter, z, z)
		VMOVD(z, at(m, 0))
	}
	loop("row", rows, 1, func() {
		d, s, m, count := GP64(), GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(bounds, m)
		MOVQ(steps, count)
		loop("step", count, 1, func() {
			step(whole, d, s, m)
			ADDQ(U32(shortBytes), d)
			ADDQ(U32(4*lookupSteps), s)
			ADDQ(U32(4), m)
		})
		TESTQ(rest, rest)
		JZ(LabelRef("next"))
		step(last, d, s, m)
		Label("next")
		ADDQ(dstStep, dst)
		ADDQ(srcStep, src)
	})
	large := a.vec()
	VPMOVM2D(broken, large)
	VPORD(large, sizes, sizes)
	a.report(sizes, a.bits("above16Bits", 0xffff8000))
}

func (a arm) signIndices() {
	a.text("signIndices", "func(dst *uint16, src *float32, dstStep, srcStep, rows, cols uintptr) (other uint32)",
		fmt.Sprintf(`packs the signs of columns, %d rows to a word of 16 bits; steps are bytes, dstStep between steps of %d rows:
	bit b of word j of step l = src[%d*l+b,j] < 0, 0 beyond the last row and, in whole vectors of %d words, beyond the last column
other is 0 where all entries are -1 or 1.`, lookupSteps, lookupSteps, lookupSteps, a.lanes))
	dst, src, dstStep, srcStep := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("dstStep"), GP64()), Load(Param("srcStep"), GP64())
	rows, cols := Load(Param("rows"), GP64()), Load(Param("cols"), GP64())
	others, one, sign := a.zero(), a.copyOf(a.float("one", 1)), a.copyOf(a.bits("sign", 1<<31))
	k, left, r := K(), GP64(), GP64()
	MOVQ(cols, left)
	ANDQ(U8(15), left)
	MOVQ(left, reg.RCX)
	lowest(r)
	KMOVW(r.As32(), k)
	sourceStep := GP64() // of a step
	IMUL3Q(U8(lookupSteps), srcStep, sourceStep)
	d, s, n, p := GP64(), GP64(), GP64(), GP64()
	// row emits the part of a row in a vector of words: bits come in from above.
	row := func(words reg.VecVirtual, masked bool) {
		x := a.vec()
		if masked {
			VMOVDQA32(one, x)
			VMOVUPS(at(p, 0), k, x)
		} else {
			VMOVUPS(at(p, 0), x)
			PREFETCHT0(Mem{Base: p, Index: srcStep, Scale: 8})
		}
		VPSRLD(U8(1), words, words)
		ternary(orOfAnd, x, sign, words)
		ternary(orOfXor, x, one, others)
		ADDQ(srcStep, p)
	}
	store := func(words reg.VecVirtual) {
		half := YMM()
		VPMOVDW(words, half)
		VMOVDQU(half, at(d, 0))
	}
	// step emits a step of so many rows: a vector of columns after the other.
	step := func(label string, vector func(masked bool)) {
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(cols, n)
		loop(label+"_vector", n, a.lanes, func() {
			MOVQ(s, p)
			vector(false)
			ADDQ(U32(2*a.lanes), d)
			ADDQ(U32(a.bytes()), s)
		})
		TESTQ(left, left)
		JZ(LabelRef(label + "_next"))
		MOVQ(s, p)
		vector(true)
		Label(label + "_next")
	}
	loop("steps", rows, lookupSteps, func() {
		step("whole", func(masked bool) {
			words := a.zero()
			for range lookupSteps {
				row(words, masked)
			}
			VPSRLD(U8(32-lookupSteps), words, words)
			store(words)
		})
		ADDQ(sourceStep, src)
		ADDQ(dstStep, dst)
	})
	TESTQ(rows, rows)
	JZ(LabelRef("done"))
	shift, by := GP64(), XMM()
	MOVQ(U32(32), shift)
	SUBQ(rows, shift)
	VMOVD(shift.As32(), by)
	step("rest", func(masked bool) {
		words, count := a.zero(), GP64()
		MOVQ(rows, count)
		name := "rest_row"
		if masked {
			name = "rest_masked"
		}
		loop(name, count, 1, func() { row(words, masked) })
		VPSRLD(by, words, words)
		store(words)
	})
	Label("done")
	a.report(others, a.bits("magnitude", magnitude))
}

// weightsOfTable returns a vector of words: the sign that entry c of a table gives its term b.
func (a arm) weightsOfTable(b int) reg.VecVirtual {
	m := GLOBL(fmt.Sprintf("term%d%s", b, a.suffix), RODATA|NOPTR)
	word := func(c int) uint32 {
		if c>>b&1 == 1 {
			return 0xffff
		}
		return 1
	}
	for i := range a.lanes {
		DATA(4*i, U32(word(2*i)|word(2*i+1)<<16))
	}
	return a.load(m)
}

func (a arm) tables() {
	a.text("tables", "func(dst, src *int16, srcStep, rows, steps uintptr)",
		fmt.Sprintf(`sets the tables of rows of integers as shorts packs them, srcStep bytes apart, those of %d rows side by side for each %d integers x:
	table[c] = sum over b < %d of x[b], negative where bit b of c is 1`, a.rows, lookupSpan, lookupSpan))
	dst, src, srcStep := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("srcStep"), GP64())
	rows, steps := Load(Param("rows"), GP64()), Load(Param("steps"), GP64())
	var weights [lookupSpan]reg.VecVirtual
	for b := range weights {
		weights[b] = a.weightsOfTable(b)
	}
	loop("row", rows, 1, func() {
		d, s, n := GP64(), GP64(), GP64()
		MOVQ(dst, d)
		MOVQ(src, s)
		MOVQ(steps, n)
		loop("step", n, 1, func() {
			for g := range lookupParts {
				var x [lookupSpan]reg.VecVirtual
				for b := range x {
					x[b] = a.vec()
					VPBROADCASTW(at(s, 2*(lookupSpan*g+b)), x[b])
					VPMULLW(weights[b], x[b], x[b])
				}
				VPADDW(x[0], x[1], x[1])
				VPADDW(x[2], x[3], x[3])
				VPADDW(x[1], x[4], x[4])
				VPADDW(x[3], x[4], x[4])
				VMOVDQU16(x[4], at(d, g*a.rows*tableBytes))
			}
			ADDQ(U32(lookupParts*a.rows*tableBytes), d)
			ADDQ(U32(shortBytes), s)
		})
		ADDQ(U32(tableBytes), dst)
		ADDQ(srcStep, src)
	})
	VZEROUPPER()
	RET()
}
