package sampler

import (
	"fmt"
	"math"
	"slices"
)

// Histogram counts values in bins of equal width: bin i holds those from Low +
// i*Width to below the next one, the last bin also the largest value.
type Histogram struct {
	Low, Width float64
	Counts     []int
}

// NewHistogram returns the histogram of the values over their range in so many bins. Values
// that are all equal fall into the first bin, of width 0.
func NewHistogram(values []float64, bins int) (Histogram, error) {
	if bins < 1 {
		return Histogram{}, fmt.Errorf("histogram of %d bins, want at least 1", bins)
	}
	h := Histogram{Counts: make([]int, bins)}
	if len(values) == 0 {
		return h, nil
	}
	for i, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return Histogram{}, fmt.Errorf("value %d of a histogram is %v", i, x)
		}
	}
	h.Low = slices.Min(values)
	h.Width = (slices.Max(values) - h.Low) / float64(bins)
	for _, x := range values {
		i := 0
		if h.Width > 0 {
			i = min(int((x-h.Low)/h.Width), bins-1)
		}
		h.Counts[i]++
	}
	return h, nil
}
