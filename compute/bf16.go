package compute

import (
	"fmt"
	"math"
)

// Precision is what the factors of a product are rounded to before they are multiplied. Sums are
// float32 either way.
type Precision uint8

const (
	Single Precision = iota // float32: not at all
	BF16                    // bfloat16: float32 with 7 bits after the point
)

// precisions are the names of recipes and flags.
var precisions = [...]string{Single: "float32", BF16: "bf16"}

func (p Precision) String() string { return precisions[p] }

// ParsePrecision returns the precision of the name.
func ParsePrecision(name string) (Precision, error) {
	for p, n := range precisions {
		if n == name {
			return Precision(p), nil
		}
	}
	return Single, fmt.Errorf("no precision %q, want float32 or bf16", name)
}

// RoundBF16 returns the bits of x as a bfloat16: rounded to nearest, ties to even, beyond the
// largest one to infinity. Numbers below 2^-126 become zero and keep their sign, a NaN stays one.
func RoundBF16(x float32) uint16 {
	b := math.Float32bits(x)
	switch exponent := b >> 23 & 0xff; {
	case exponent == 0:
		return uint16(b >> 16 & 0x8000)
	case exponent == 0xff && b<<9 != 0:
		return uint16(b>>16 | 0x40)
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FloatOfBF16 returns the number that a bfloat16 is.
func FloatOfBF16(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }

// AddProductsBF16 returns acc with two products added, that of the second factors first: each
// time a fused multiply-add to nearest even, where what is below 2^-126 before, or after rounding to 24
// bits, counts as zero. This is the arithmetic of products in BF16, in the order of the sum, on every engine, and what
// the processors' VDPBF16PS does.
func AddProductsBF16(acc float32, a, b [2]uint16) float32 {
	return addProduct(addProduct(acc, a[1], b[1]), a[0], b[0])
}

func addProduct(acc float32, a, b uint16) float32 {
	if a&0x7f80 == 0 || b&0x7f80 == 0 { // zeros, whatever is below their exponents
		a, b = keepIfZero(a), keepIfZero(b)
	}
	c := float64(flush(acc))
	p := float64(FloatOfBF16(a)) * float64(FloatOfBF16(b)) // exact
	s := float64(c + p)
	if bits := math.Float64bits(s); bits&(1<<29-1) == 1<<28 {
		// Half way between two float32: what the sum has lost decides.
		if lost := lostOf(c, p, s); lost != 0 {
			if lost > 0 == (s > 0) {
				bits++
			} else {
				bits--
			}
			s = math.Float64frombits(bits)
		}
	}
	if math.Abs(s) < 0x1p-120 { // rounded as if exponents went on below, and then judged
		r := float64(float32(s*0x1p100)) * 0x1p-100
		if math.Abs(r) < 0x1p-126 {
			r = math.Copysign(0, r)
		}
		return float32(r)
	}
	return float32(s)
}

// lostOf returns what the float64 s = c + p has lost (Knuth).
func lostOf(c, p, s float64) float64 {
	if math.IsInf(s, 0) || s != s {
		return 0
	}
	d := float64(s - c)
	return float64(float64(c-float64(s-d)) + float64(p-d))
}

// keepIfZero returns a, or a zero of its sign where its exponent is that of zero.
func keepIfZero(a uint16) uint16 {
	if a&0x7f80 == 0 {
		return a & 0x8000
	}
	return a
}

// flush returns x, or a zero of its sign where it is below 2^-126.
func flush(x float32) float32 {
	if math.Float32bits(x)&0x7f800000 == 0 {
		return math.Float32frombits(math.Float32bits(x) & 0x80000000)
	}
	return x
}
