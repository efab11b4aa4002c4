package tensorfile

import "math"

// Half is a number of IEEE 754's binary16: a sign, 5 bits of exponent and 10 of fraction.
type Half uint16

// Float32 returns the number, which every float32 can hold.
func (h Half) Float32() float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // subnormal: fraction * 2^-24
		x := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(x) | sign)
	case 0x1f:
		exponent = 0xff - (127 - 15)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// HalfOf returns the number nearest to x, of two as near the even one; what is too large is
// infinite.
func HalfOf(x float32) Half {
	bits := math.Float32bits(x)
	sign, low := Half(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case low > 0x7f800000: // NaN, made quiet
		return sign | 0x7e00 | Half(low>>13&0x1ff)
	case low < 0x38800000: // below 2^-14: subnormal
		return sign | Half(math.RoundToEven(float64(math.Float32frombits(low))*(1<<24)))
	}
	rounded := low + 0xfff + low>>13&1
	if rounded >= 0x47800000 { // 2^16
		return sign | 0x7c00
	}
	return sign | Half((rounded-(127-15)<<23)>>13)
}
