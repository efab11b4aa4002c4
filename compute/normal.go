package compute

import "math"

// The polynomials of Normals, highest power first: (log(1+z) - z + z^2/2)/z^3 for 1+z from sqrt 1/2
// to sqrt 2, off by 3e-8; sin(pi/4 sqrt y)/sqrt y and (cos(pi/4 sqrt y) - 1)/y for y from 0 to 1,
// off by 3e-9. They interpolate at Chebyshev's nodes.
var (
	NormalLog = [...]float32{0.0697161144339361, -0.11479733810679095, 0.11685419916238712, -0.12425687336986385,
		0.14249057647485922, -0.16667802319252786, 0.20000715748789707, -0.24999996957953977, 0.33333331180031756}
	NormalSin = [...]float32{-3.595429072489802e-05, 0.0024900068014921087, -0.08074543470810139, 0.7853981609766183}
	NormalCos = [...]float32{3.5419527287557446e-06, -0.00032596138034774553, 0.015854338147319534, -0.30842513734355487}
)

// Parts of log 2, of which NormalLogHi times a small integer is exact, and the bits of sqrt 1/2.
const (
	NormalLogHi   = 0.693145751953125
	NormalLogLo   = 1.42860682030941723212e-6
	NormalRootBit = 0x3f3504f3
)

// Normals returns the standard normal numbers of a block of random words (rng.Key.Block), one a row
// of its group of four: Box and Muller's transform of words 0 and 1 for rows 0 and 1, of words 2
// and 3 for rows 2 and 3. With u = SpinUniform of the first word and an angle in a quadrant that
// the top bits of the second choose,
//
//	n0 = sqrt(-2 log u) cos phi     n1 = sqrt(-2 log u) sin phi
//
// No |n| is above 6.67, beyond which a normal number lies with probability 3e-11. Each operation is
// rounded to float32 and none is fused, so that every arm of every engine gives these bits.
func Normals(w [4]uint32) (n [4]float32) {
	n[0], n[1] = normalPair(w[0], w[1])
	n[2], n[3] = normalPair(w[2], w[3])
	return n
}

func normalPair(radius, angle uint32) (n0, n1 float32) {
	u := math.Float32bits(SpinUniform(radius))
	e := int32(u-NormalRootBit) >> 23
	z := math.Float32frombits(u-uint32(e)<<23) - 1
	square := float32(z * z)
	l := float32(float32(square*z) * horner(NormalLog[:], z))
	l -= float32(0.5 * square)
	l += float32(float32(e) * NormalLogLo)
	l += z
	l += float32(float32(e) * NormalLogHi)
	r := float32(math.Sqrt(float64(float32(-2 * l))))

	v := angle + 1<<29                                   // its two top bits are the quadrant around phi
	x := float32(int32((v&(1<<30-1))-1<<29|1)) * 0x1p-29 // phi less the quadrant's middle, in units of pi/4
	square = float32(x * x)
	s := float32(x * horner(NormalSin[:], square))
	c := float32(square*horner(NormalCos[:], square)) + 1
	if v&(1<<30) != 0 {
		s, c = c, s
	}
	n0 = float32(r * math.Float32frombits(math.Float32bits(c)^(v+1<<30)&(1<<31)))
	n1 = float32(r * math.Float32frombits(math.Float32bits(s)^v&(1<<31)))
	return n0, n1
}

func horner(q []float32, x float32) float32 {
	p := q[0]
	for _, c := range q[1:] {
		p = float32(p*x) + c
	}
	return p
}
