package sampler

import (
	"math"

	"mattis/rng"
)

// accepts reports whether a proposal is taken whose acceptance probability is
// min(1, exp(logRatio)), by the number at (row, col). NaN is never taken.
func accepts(logRatio float64, key rng.Key, row, col uint64) bool {
	return math.Log(key.Uniform64(row, col)) < logRatio
}
