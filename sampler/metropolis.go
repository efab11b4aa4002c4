package sampler

import (
	"math"

	"mattis/rng"
)

// accepts reports whether a proposal is taken whose acceptance probability is
// min(1, exp(logRatio)), by the number at (row, col). NaN is never taken.
func accepts(logRatio float64, key rng.Key, row, col uint64) bool {
	return math.Log(uniform(key, row, col)) < logRatio
}

// uniform returns the number at (row, col), uniform on the midpoints of 2^53 parts of (0,1).
func uniform(key rng.Key, row, col uint64) float64 {
	return (float64(key.Uint64(row, col)>>11) + 0.5) * 0x1p-53
}
