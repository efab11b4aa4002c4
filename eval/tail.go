package eval

import (
	"math"
	"slices"
)

// heavyTail returns the tail index above which the mean of n weights is not to be trusted, whatever
// their spread says: with so many weights it is hardly better known than one of infinite variance
// (Vehtari et al. 2024). Of fewer than a hundred the index is not known well enough to say.
func heavyTail(n int) float64 {
	if n < 100 {
		return math.Inf(1)
	}
	return min(0.7, 1-1/math.Log10(float64(n)))
}

// tailIndex returns the shape k of the generalised Pareto law that fits the largest weights, given
// by their logarithms: the moments of the weights up to 1/k exist, as far as these can tell. It is
// the estimate of Zhang and Stephens (2009) over the largest fifth or 3 sqrt n of n weights, drawn
// a little towards 1/2, as Vehtari et al. (2024) take it to judge importance sampling. It is -Inf
// where the largest weights are all the same or too few to tell.
func tailIndex(logs []float64) float64 {
	const fewest, towards, prior = 5, 0.5, 10
	x := slices.DeleteFunc(slices.Clone(logs), func(l float64) bool { return math.IsInf(l, -1) })
	slices.Sort(x)
	n := len(x)
	m := int(min(0.2*float64(n), 3*math.Sqrt(float64(n))))
	if m < fewest {
		return math.Inf(-1)
	}
	top := x[n-1]
	least := math.Exp(x[n-m-1] - top)
	over := make([]float64, m) // what the largest weights exceed the others by, increasing
	for i := range over {
		over[i] = math.Exp(x[n-m+i]-top) - least
	}
	quarter := over[int(float64(m)/4+0.5)-1]
	if !(quarter > 0) || over[m-1]-quarter < 1e-12 {
		return math.Inf(-1)
	}
	// shape of the law 1 - (1 - theta y)^(1/k), by its likelihood given theta
	shape := func(theta float64) float64 {
		var sum float64
		for _, y := range over {
			sum += math.Log1p(-theta * y)
		}
		return sum / float64(m)
	}
	grid := 30 + int(math.Sqrt(float64(m)))
	thetas, fit := make([]float64, grid), make([]float64, grid)
	for j := range thetas {
		thetas[j] = 1/over[m-1] + (1-math.Sqrt(float64(grid)/(float64(j)+0.5)))/(3*quarter)
		k := shape(thetas[j])
		fit[j] = float64(m) * (math.Log(-thetas[j]/k) - k - 1)
	}
	best := slices.Max(fit)
	var mean, all float64
	for j, l := range fit {
		w := math.Exp(l - best)
		mean += w * thetas[j]
		all += w
	}
	k := shape(mean / all)
	return (float64(m)*k + prior*towards) / (float64(m) + prior)
}
