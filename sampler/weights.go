package sampler

import (
	"math"
	"slices"

	"mattis/rng"
)

// MeanWeight returns the logarithm of the mean of weights given by their logarithms, and their
// variance over the square of the mean: n weights are worth n/(1 + variance) equal ones.
func MeanWeight(logs []float64) (mean, variance float64) {
	top := slices.Max(logs)
	var sum, squares float64
	for _, x := range logs {
		w := math.Exp(x - top)
		sum += w
		squares += w * w
	}
	n := float64(len(logs))
	return top + math.Log(sum/n), max(0, n*squares/(sum*sum)-1)
}

// Redraw sets rows to those that chains are drawn anew from by their weights, given by their
// logarithms: as many copies of each as its share, rounded up or down by one number for all.
func Redraw(rows []int32, logs []float64, key rng.Key) {
	mean, _ := MeanWeight(logs)
	share := float64(len(rows)) / float64(len(logs))
	u, sum, at := key.Uniform64(0, 0), 0.0, 0
	for i, x := range logs {
		sum += share * math.Exp(x-mean)
		for ; at < len(rows) && (float64(at)+u < sum || i == len(logs)-1); at++ {
			rows[at] = int32(i)
		}
	}
}
