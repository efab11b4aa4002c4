package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// expConstants are the operands of exp.
type expConstants struct {
	limit, perLog2, round, hi, lo, minusTwo, one Op
	q                                            []Op
}

// The polynomials are Chebyshev fits of (expm1(r)-r)/r^2 on |r| <= 0.3475 and
// of log1p(e)/e on [0,1], highest power first. Their errors are below 1.5e-9
// (six terms), 7e-8 (five; the exponential is off by r^2 times that) and 6e-9.
var (
	exp6  = []float64{0.00019891247211489826, 0.0013933881418779492, 0.00833331048488617, 0.041666463017463684, 0.1666666716337204, 0.5}
	exp5  = []float64{0.001392637612298131, 0.008363333530724049, 0.04166655242443085, 0.16666576266288757, 0.5}
	log10 = []float64{-0.0031760570127516985, 0.019542526453733444, -0.056373611092567444, 0.10543623566627502, -0.1526966691017151,
		0.1966327428817749, -0.24951615929603577, 0.33329710364341736, -0.49999892711639404, 1.0}
)

// reciprocal is the polynomial nearest to 1/d on [1,2] in relative error,
// highest power first: 1-d*p(d) = T6(3-2d)/19601 with Chebyshev's T6, at most 1/19601.
var reciprocal = []float64{-2048.0 / 19601, 18432.0 / 19601, -68352.0 / 19601, 133632.0 / 19601, -145224.0 / 19601, 83160.0 / 19601}

func (a arm) expConstants(terms []float64) expConstants {
	c := expConstants{
		limit:    a.float("limit", 43), // exp(-86) is still a normal number
		perLog2:  a.float("perLog2", -2/math.Ln2),
		round:    a.float("round", 0x1.8p23), // adding it leaves the nearest integer in the low bits
		hi:       a.float("ln2hi", 0.693145751953125),
		lo:       a.float("ln2lo", 1.42860682030941723212e-6),
		minusTwo: a.float("minusTwo", -2),
		one:      a.float("one", 1),
	}
	for i, x := range terms {
		c.q = append(c.q, a.float(labelf("exp%d_%d", len(terms), i), x))
	}
	return c
}

// exp returns s and p with exp(-2t) = s*(1+p) for t >= -43, s a power of two and
// p the expm1 of the rest. t is used up; NaN gives p = NaN.
func (a arm) exp(t reg.VecVirtual, c expConstants) (s, p reg.VecVirtual) {
	limited := a.copyOf(c.limit)
	VMINPS(t, limited, t) // NaN stays: the operand that comes back is t
	s = a.copyOf(c.round)
	VFMADD231PS(c.perLog2, t, s)
	n := a.vec()
	VSUBPS(c.round, s, n)
	VPSLLD(U8(23), s, s)
	VPADDD(c.one, s, s)
	VMULPS(c.minusTwo, t, t)
	VFNMADD231PS(c.hi, n, t)
	VFNMADD231PS(c.lo, n, t)
	square := n
	VMULPS(t, t, square)
	p = a.polynomial(c.q, t, square)
	VFMADD213PS(t, square, p)
	return s, p
}

// polynomial returns the polynomial of t, highest power first. Pairs of terms
// go side by side, for the chain of operations is what takes time.
func (a arm) polynomial(q []Op, t, square reg.VecVirtual) reg.VecVirtual {
	p := a.copyOf(q[0])
	q = q[1:]
	if len(q)%2 == 1 {
		VFMADD213PS(q[0], t, p)
		q = q[1:]
	}
	for ; len(q) > 0; q = q[2:] {
		pair := a.copyOf(q[0])
		VFMADD213PS(q[1], t, pair)
		VFMADD213PS(pair, square, p)
	}
	return p
}
