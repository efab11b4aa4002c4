package check

import (
	"math"

	"mattis/compute"
	"mattis/rng"
)

// half is the unit roundoff of float32: the largest relative error of one rounding.
const half = 0x1p-24

// estimate is a number and a bound on what float32 arithmetic may be off from it.
type estimate struct{ value, bound float64 }

// rounded returns x after one more float32 operation with that result.
func (x estimate) rounded() estimate {
	x.bound += (math.Abs(x.value) + x.bound) * 2 * half
	return x
}

// sumSteps is the number of roundings that the sum of l products may pass
// through one after the other: engines sum in blocks of at most this size and
// then the blocks.
func sumSteps(l int) float64 {
	const block = 256
	return float64(min(l, block) + l/block + 4)
}

// nearestBF16 returns x, rounded to float32, as a bfloat16: a multiple of 2^-7 of its binade.
func nearestBF16(x float64) float64 {
	f, e := math.Frexp(float64(float32(x)))
	return math.Ldexp(math.RoundToEven(f*256), e-8)
}

// product returns, for every entry of an engine's Mul, y of compute.Op in
// float64 with a bound on its float32 error: n x m entries, sums over l. dst
// holds the old destination.
func product(n, m, l int, dst, a, b grid, op compute.Op, logGain float64, weights grid) [][]estimate {
	factor := op.Alpha * math.Exp(logGain)
	y := make([][]estimate, n)
	for i := range y {
		y[i] = make([]estimate, m)
		for j := range y[i] {
			var sum, size float64
			for k := range l {
				x, z := a.at(i, k, op.TransA), b.at(k, j, op.TransB)
				if weights != nil {
					x *= weights[k][0]
				}
				if op.Precision == compute.BF16 {
					x, z = nearestBF16(x), nearestBF16(z)
				}
				p := x * z
				sum += p
				size += math.Abs(p)
			}
			x := estimate{sum * factor, math.Abs(factor) * size * sumSteps(l) * half}.rounded()
			if op.Accumulate {
				x.value += dst[i][j]
				x = x.rounded()
			}
			y[i][j] = x
		}
	}
	return y
}

// fieldOf applies Add, Bias, Scale and Base of compute.Epilogue.
func fieldOf(y [][]estimate, add, bias, scale, base grid) {
	for i := range y {
		for j := range y[i] {
			x := y[i][j]
			if add != nil {
				x.value += add[i][j]
				x = x.rounded()
			}
			if bias != nil {
				x.value += bias[0][j]
				x = x.rounded()
			}
			if scale != nil {
				s := scale[i][0]
				x = estimate{x.value * s, x.bound * math.Abs(s)}.rounded()
				if base != nil {
					p := estimate{(1 - s) * base[0][j], 0}.rounded().rounded()
					x = estimate{x.value + p.value, x.bound + p.bound}.rounded()
				}
			}
			y[i][j] = x
		}
	}
}

// spinAt returns the spin that the rule of compute.SpinOf gives at the place
// and +1, -1, or 0 where the field's error leaves it open.
func spinAt(x estimate, key rng.Key, row, col uint64) int8 {
	// The uniform number and exp(-2|x|) are off by at most 8 units in the last place.
	u := float64(compute.SpinUniform(key.Uint32(row, col)))
	at := func(x float64) (below, open bool) {
		e := math.Exp(-2 * math.Abs(x))
		p := e / (1 + e)
		return u < p, math.Abs(u-p) <= 8*2*half*p
	}
	lo, hi := x.value-x.bound, x.value+x.bound
	if lo < 0 && hi > 0 || x.value == 0 {
		return 0
	}
	flipLo, openLo := at(lo)
	flipHi, openHi := at(hi)
	if flipLo != flipHi || openLo || openHi {
		return 0
	}
	if x.value > 0 != flipLo {
		return 1
	}
	return -1
}

// grid is a matrix of the oracle.
type grid [][]float64

func (g grid) at(i, j int, trans bool) float64 {
	if trans {
		return g[j][i]
	}
	return g[i][j]
}
