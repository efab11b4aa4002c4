package eval

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// fewExpected is the least count that a cell of Pearson's statistic is expected to hold.
const fewExpected = 5

// ChiSquare compares counts of independent draws with the probabilities of their cells: it returns
// Pearson's statistic, its degrees of freedom, and the chance that right draws look as bad or
// worse. Cells expected to hold fewer than 5 are joined; where they hold fewer even together, their
// count is judged by itself, by the Poisson law, so that visits of states that are all but
// impossible are not overlooked, and the chance is twice that of the worse of the two tests.
func ChiSquare(counts []int, p []float64) (statistic float64, freedom int, chance float64) {
	if len(counts) != len(p) {
		panic(fmt.Sprintf("eval: %d counts for %d probabilities", len(counts), len(p)))
	}
	n := 0
	for _, c := range counts {
		n += c
	}
	var seen []int
	var share []float64
	rest, restShare, few := 0, 0.0, false
	for i, c := range counts {
		if p[i]*float64(n) < fewExpected {
			rest, restShare, few = rest+c, restShare+p[i], true
			continue
		}
		seen, share = append(seen, c), append(share, p[i])
	}
	alone := 1.0
	if few && restShare*float64(n) >= fewExpected {
		seen, share, few = append(seen, rest), append(share, restShare), false
	} else if few && rest > 0 {
		alone = TailOfPoisson(rest, restShare*float64(n))
	}
	total, all := 0, 0.0
	for i, c := range seen {
		total, all = total+c, all+share[i]
	}
	chance = 1
	if total == 0 {
		return 0, 0, min(1, 2*alone)
	}
	for i, c := range seen {
		want := float64(total) * share[i] / all
		statistic += (float64(c) - want) * (float64(c) - want) / want
	}
	if freedom = len(seen) - 1; freedom > 0 {
		chance = distuv.ChiSquared{K: float64(freedom)}.Survival(statistic)
	}
	if few {
		chance = min(1, 2*min(chance, alone))
	}
	return statistic, freedom, chance
}

// TailOfPoisson returns the probability that a Poisson count of the given mean is n or more.
func TailOfPoisson(n int, mean float64) float64 {
	switch {
	case n <= 0:
		return 1
	case mean <= 0:
		return 0
	}
	return distuv.Poisson{Lambda: mean}.Survival(float64(n) - 1)
}

// TailsOfBinomial returns the probabilities that of n independent trials that succeed with
// probability p at most k, and at least k, do.
func TailsOfBinomial(k, n int, p float64) (most, least float64) {
	b := distuv.Binomial{N: float64(n), P: p}
	least = 1
	if k > 0 {
		least = 1 - b.CDF(float64(k-1))
	}
	return b.CDF(float64(k)), least
}
