package compute

import "math"

// Factor returns alpha * exp(logGain) rounded to float32 once: the factor of a
// product that every kernel and every exact sum shares. logGain is 0 without a gain.
func Factor(alpha float64, logGain float32) float32 {
	return float32(alpha * math.Exp(float64(logGain)))
}

// SpinUniform returns the number u that decides about a spin, from its 32
// random bits: the midpoint of one of 2^31 equal parts of (0,1), in float32
// with its full precision near 0.
func SpinUniform(r uint32) float32 {
	return float32(float64(float32(int32(r>>1)))*0x1p-31 + 0x1p-32)
}

// SpinOf returns a fair spin in the field x: the sign of x (the sign bit
// decides, so -0 gives -1), flipped where the uniform number u is below sigma(-2|x|) = e/(1+e)
// with e = exp(-2|x|). The rule is symmetric: SpinOf(-x, u) = -SpinOf(x, u). Spins in fields
// beyond |x| = 16 ln 2 = 11.09 never flip; their flips have a probability below 2^-32.
//
// This is the rule in float64; kernels evaluate it in float32, where u is
// compared with a probability that is off by a few units in the last place.
func SpinOf(x, u float32) int8 {
	s := int8(1)
	if math.Signbit(float64(x)) {
		s = -1
	}
	e := math.Exp(-2 * math.Abs(float64(x)))
	if float64(u)*(1+e) < e {
		return -s
	}
	return s
}

// LogTwoCosh returns log(2 cosh x) = |x| + log(1 + exp(-2|x|)), which never overflows.
func LogTwoCosh(x float64) float64 {
	x = math.Abs(x)
	return x + math.Log1p(math.Exp(-2*x))
}
