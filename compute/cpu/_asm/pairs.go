package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pairLanes are the running products of a pair of rows, however wide the
// vectors are, so that all arms multiply in one order.
const pairLanes = 8

// pairRows returns the rows of b that one call works on.
func (a arm) pairRows() int {
	if a.wide() {
		return 4
	}
	return 2
}

// rowsFrom returns the addresses of so many rows, step bytes apart, the first included.
func rowsFrom(first, step reg.Register, rows int) []reg.Register {
	list := []reg.Register{first}
	for len(list) < rows {
		next := GP64()
		MOVQ(list[len(list)-1], next)
		ADDQ(step, next)
		list = append(list, next)
	}
	return list
}

// pairProducts emits the kernel of Pairs.
func (a arm) pairProducts() {
	rows := a.pairRows()
	a.text("pairProducts", "func(mantissas *float64, exponents *int64, x, y *float64, yStep, steps, per uintptr)",
		fmt.Sprintf(`multiplies the factors of one row x with %d rows y, yStep bytes apart:
	for l := range steps: for i := range 8: product[q,i] *= x[16*l+i]*y[q,16*l+i] + x[16*l+8+i]*y[q,16*l+8+i]
After every per steps, and at the end, the product gives its binary exponent (with the bias of 1023) to exponents[q,i], and
its mantissa in [1,2) goes on; mantissas[q,i] is the last one.`, rows))
	mantissas := Load(Param("mantissas"), GP64())
	exponents := Load(Param("exponents"), GP64())
	x := Load(Param("x"), GP64())
	y0 := Load(Param("y"), GP64())
	yStep := Load(Param("yStep"), GP64())
	steps := Load(Param("steps"), GP64())
	per := Load(Param("per"), GP64())
	ys := rowsFrom(y0, yStep, rows)
	parts := pairLanes * 8 / a.bytes()
	one := a.quads("pairOne", math.Float64bits(1))
	mask := a.quads("pairMantissa", 1<<52-1)
	product, exponent := make([][]reg.VecVirtual, rows), make([][]reg.VecVirtual, rows)
	for q := range rows {
		for range parts {
			product[q] = append(product[q], a.copyOf(one))
			exponent[q] = append(exponent[q], a.zero())
		}
	}
	count := GP64()
	Label("pairs_outer")
	TESTQ(steps, steps)
	JZ(LabelRef("pairs_end"))
	MOVQ(per, count)
	CMPQ(steps, count)
	CMOVQCS(steps, count)
	SUBQ(count, steps)
	Label("pairs_inner")
	for p := range parts {
		up, down := a.load(at(x, p*a.bytes())), a.load(at(x, 64+p*a.bytes()))
		for q := range rows {
			f := a.vec()
			VMULPD(at(ys[q], p*a.bytes()), up, f)
			VFMADD231PD(at(ys[q], 64+p*a.bytes()), down, f)
			VMULPD(f, product[q][p], product[q][p])
		}
	}
	ADDQ(U32(128), x)
	for _, y := range ys {
		ADDQ(U32(128), y)
	}
	DECQ(count)
	JNZ(LabelRef("pairs_inner"))
	for q := range rows {
		for p := range parts {
			e := a.vec()
			VPSRLQ(U8(52), product[q][p], e)
			VPADDQ(e, exponent[q][p], exponent[q][p])
			a.and(mask, product[q][p], product[q][p])
			a.or(one, product[q][p], product[q][p])
		}
	}
	JMP(LabelRef("pairs_outer"))
	Label("pairs_end")
	for q := range rows {
		for p := range parts {
			VMOVUPD(product[q][p], at(mantissas, 64*q+p*a.bytes()))
			VMOVUPD(exponent[q][p], at(exponents, 64*q+p*a.bytes()))
		}
	}
	VZEROUPPER()
	RET()
}

// pairMaxRows are the rows of y that pairMaxima works on, on all arms.
const pairMaxRows = 4

// pairMaxima emits the kernel of Pairs of absolute values.
func (a arm) pairMaxima() {
	a.text("pairMaxima", "func(sums, x, y *float64, yStep, steps uintptr)",
		fmt.Sprintf(`sums the greater entries of one row x and %d rows y, yStep bytes apart, with eight sums for each:
	for l := range steps: for i := range 8: sums[q,i] = sum of max(x[8*l+i], y[q,8*l+i])`, pairMaxRows))
	sums, x, y0 := Load(Param("sums"), GP64()), Load(Param("x"), GP64()), Load(Param("y"), GP64())
	yStep, steps := Load(Param("yStep"), GP64()), Load(Param("steps"), GP64())
	ys := rowsFrom(y0, yStep, pairMaxRows)
	parts := pairLanes * 8 / a.bytes()
	var sum [pairMaxRows][]reg.VecVirtual
	for q := range sum {
		for range parts {
			sum[q] = append(sum[q], a.zero())
		}
	}
	loop("maxima", steps, 1, func() {
		for p := range parts {
			v := a.load(at(x, p*a.bytes()))
			for q := range sum {
				m := a.vec()
				VMAXPD(at(ys[q], p*a.bytes()), v, m)
				VADDPD(m, sum[q][p], sum[q][p])
			}
		}
		ADDQ(U32(64), x)
		for _, y := range ys {
			ADDQ(U32(64), y)
		}
	})
	for q := range sum {
		for p, s := range sum[q] {
			VMOVUPD(s, at(sums, 64*q+p*a.bytes()))
		}
	}
	VZEROUPPER()
	RET()
}

// pairMeans emits the kernels of PairMeans, of fields and of their exponentials.
func (a arm) pairMeans(name, formula string, mean func() func(x reg.VecVirtual, y Op) reg.VecVirtual) {
	a.text(name, "func(sum, other, a, b, weights *float32, steps uintptr)",
		fmt.Sprintf(`adds weighted means to one row and to all rows of %d columns:
	for q := range steps: t[j] = %s; sum[j] += weights[q]*t[j]; other[%[1]d*q+j] += weights[q]*t[j]
with x = a[j] and y = b[%[1]d*q+j], in the order of q, by fused multiply-adds.`, a.lanes, formula))
	sum, other, x, b := Load(Param("sum"), GP64()), Load(Param("other"), GP64()), Load(Param("a"), GP64()), Load(Param("b"), GP64())
	weights, steps := Load(Param("weights"), GP64()), Load(Param("steps"), GP64())
	of := mean()
	field, total := a.load(at(x, 0)), a.load(at(sum, 0))
	loop("means", steps, 1, func() {
		t := of(field, at(b, 0))
		w := a.broadcast(at(weights, 0))
		VFMADD231PS(w, t, total)
		VFMADD213PS(at(other, 0), w, t)
		VMOVUPS(t, at(other, 0))
		ADDQ(U32(a.bytes()), b)
		ADDQ(U32(a.bytes()), other)
		ADDQ(U32(4), weights)
	})
	VMOVUPS(total, at(sum, 0))
	VZEROUPPER()
	RET()
}

func (a arm) pairMeansOfFields() {
	a.pairMeans("pairMeans", "tanh(x+y)", func() func(x reg.VecVirtual, y Op) reg.VecVirtual {
		c := a.tanhConstants()
		return func(x reg.VecVirtual, y Op) reg.VecVirtual {
			t := a.vec()
			VADDPS(y, x, t)
			return a.tanhOf(t, c)
		}
	})
}

func (a arm) pairMeansOfRatios() {
	a.pairMeans("pairMeansOfRatios", "2/(1+x*y) - 1", func() func(x reg.VecVirtual, y Op) reg.VecVirtual {
		one, two := a.copyOf(a.float("one", 1)), a.copyOf(a.float("two", 2))
		return func(x reg.VecVirtual, y Op) reg.VecVirtual {
			d := a.copyOf(one)
			VFMADD231PS(y, x, d)
			r := a.vec()
			if !a.wide() {
				VDIVPS(d, two, r)
				VSUBPS(one, r, r)
				return r
			}
			// Newton's step from an estimate that is off by 2^-14: a quarter of a division's time.
			VRCP14PS(d, r)
			VFNMADD213PS(one, r, d)
			VFMADD213PS(r, r, d)
			VFMSUB213PS(one, two, d)
			return d
		}
	})
}

// pairRatios emits the exponentials of PairMeans.
func (a arm) pairRatios() {
	a.text("pairRatios", "func(x *float32, n uintptr)", `sets x[i] = exp(-2x[i]), |x[i]| <= 43; n is a multiple of the vector's length.`)
	x, n := Load(Param("x"), GP64()), Load(Param("n"), GP64())
	c := a.expConstants(exp6)
	loop("ratios", n, a.lanes, func() {
		s, p := a.exp(a.load(at(x, 0)), c)
		VFMADD213PS(s, s, p)
		VMOVUPS(p, at(x, 0))
		ADDQ(U32(a.bytes()), x)
	})
	VZEROUPPER()
	RET()
}

// pairFactors emits the exponentials of Pairs.
func (a arm) pairFactors() {
	a.text("pairFactors", "func(dst *float64, x *float32, n uintptr)", `sets the factors of fields of at most 700; n is a multiple of 8:
	for each eight: dst[2*i:] = exp(x[i:]), dst[2*i+8:] = exp(-x[i:])
exp x = 2^n e^r with Taylor's polynomial of e^r, |r| <= log(2)/2, whose rest is below 2e-16.`)
	dst, x, n := Load(Param("dst"), GP64()), Load(Param("x"), GP64()), Load(Param("n"), GP64())
	constant := func(name string, v float64) Op { return a.quads(name, math.Float64bits(v)) }
	perLog2, shift := constant("perLog2Wide", 1/math.Ln2), constant("shiftWide", 0x1.8p52)
	hi, lo := constant("ln2hiWide", 0x1.62e42feep-1), constant("ln2loWide", 0x1.a39ef35793c76p-33) // n times the first is exact
	one := constant("oneWide", 1)
	terms := make([]Op, 13)
	for i := range terms {
		terms[i] = constant(labelf("taylor_%d", i), 1/math.Gamma(float64(i+1)))
	}
	loop("eight", n, 8, func() {
		for half := 0; half < 64; half += a.bytes() {
			v := a.vec()
			VCVTPS2PD(at(x, half/2), v)
			z := a.copyOf(shift)
			VFMADD231PD(perLog2, v, z)
			m := a.vec()
			VSUBPD(shift, z, m)
			VFNMADD231PD(hi, m, v)
			VFNMADD231PD(lo, m, v)
			p := a.copyOf(terms[12])
			for i := 11; i >= 0; i-- {
				VFMADD213PD(terms[i], v, p)
			}
			VPSLLQ(U8(52), z, z)
			VPADDQ(z, p, p)
			VMOVUPD(p, at(dst, half))
			down := a.copyOf(one)
			VDIVPD(p, down, down)
			VMOVUPD(down, at(dst, half+64))
		}
		ADDQ(U32(32), x)
		ADDQ(U32(128), dst)
	})
	VZEROUPPER()
	RET()
}

// quads returns a vector of equal 64-bit words: in a register on the wide arm,
// in memory on the other.
func (a arm) quads(name string, word uint64) Op {
	if a.wide() {
		r, v := GP64(), a.vec()
		MOVQ(U64(word), r)
		VPBROADCASTQ(r, v)
		return v
	}
	m := GLOBL(name+a.suffix, RODATA|NOPTR)
	for i := range a.lanes / 2 {
		DATA(8*i, U64(word))
	}
	return m
}
