package sampler

import (
	"fmt"
	"math"
)

// Autocorrelation says how far apart the values of series are independent.
type Autocorrelation struct {
	// Time is the integrated autocorrelation time 1/2 + sum_t rho(t), in steps of the series: 1/2 where the values are
	// independent, and a mean over N of them is as good as one over N/(2 Time). +Inf where no value ever changes.
	Time, Stderr float64
	Window       int     // the lag at which the sum ends
	N            int     // values of all chains together
	Effective    float64 // effective sample size, N/(2 Time)
	// Mean is that of all values; MeanStderr takes the autocorrelation into account.
	Mean, MeanStderr float64
	// Enough says that the window was found and that each chain is at least 20 times as long as Time. Otherwise
	// Time is a bound from below at best: the chains are too short to say more.
	Enough bool
}

const (
	// windowFactor is Wolff's S: the decay time of rho taken as a multiple of Time.
	windowFactor = 1.5
	enoughTimes  = 20
)

// Autocorrelate returns the autocorrelation of chains of equal length, at least four values
// each, by the method of Wolff (2004): the sum ends at the lag where the error of what is left out
// equals the statistical one, both in his model of an exponential decay. All chains share one mean, so chains that stay apart count as one long memory.
func Autocorrelate(chains [][]float64) (Autocorrelation, error) {
	n, err := equalLengths(chains)
	if err != nil {
		return Autocorrelation{}, err
	}
	total := float64(n * len(chains))
	a := Autocorrelation{N: n * len(chains)}
	for _, c := range chains {
		for _, x := range c {
			a.Mean += x / total
		}
	}
	gamma := []float64{covariance(chains, a.Mean, 0)}
	if scale := math.Abs(a.Mean) * 1e-12; !(gamma[0] > scale*scale) {
		a.Time, a.Stderr, a.MeanStderr = math.Inf(1), math.Inf(1), math.Inf(1)
		return a, nil
	}
	found := false
	var rest float64 // sum of rho
	for t := 1; t <= n/2 && !found; t++ {
		gamma = append(gamma, covariance(chains, a.Mean, t))
		rest += gamma[t] / gamma[0]
		decay := 1.0 // at least: rho may also fall with alternating signs
		if rest > 0 {
			decay = max(decay, windowFactor/math.Log((rest+1)/rest))
		}
		a.Window = t
		found = math.Exp(-float64(t)/decay) < decay/math.Sqrt(float64(t)*total)
	}
	sum := gamma[0]
	for _, g := range gamma[1:] {
		sum += 2 * g
	}
	// The estimated mean takes sum/total from each covariance.
	bias := sum / total
	variance := max(sum+bias*float64(2*a.Window+1), 0)
	a.Time = max(variance/(2*(gamma[0]+bias)), 0.5/total)
	a.Stderr = a.Time * 2 * math.Sqrt(max(float64(a.Window)+0.5-a.Time, 0.5)/total)
	a.Effective = total / (2 * a.Time)
	a.MeanStderr = math.Sqrt(variance / total)
	a.Enough = found && float64(n) >= enoughTimes*a.Time
	return a, nil
}

// covariance returns the mean of (x_i-mean)(x_(i+lag)-mean) over all chains.
func covariance(chains [][]float64, mean float64, lag int) float64 {
	var sum float64
	n := 0
	for _, c := range chains {
		for i := range len(c) - lag {
			sum += (c[i] - mean) * (c[i+lag] - mean)
		}
		n += len(c) - lag
	}
	return sum / float64(n)
}

// equalLengths returns the length of the chains.
func equalLengths(chains [][]float64) (int, error) {
	if len(chains) == 0 {
		return 0, fmt.Errorf("no chains to judge")
	}
	n := len(chains[0])
	for c, x := range chains {
		if len(x) != n {
			return 0, fmt.Errorf("chain %d has %d values and chain 0 has %d, want equal lengths", c, len(x), n)
		}
		for i, v := range x {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return 0, fmt.Errorf("value %d of chain %d is %v", i, c, v)
			}
		}
	}
	if n < 4 {
		return 0, fmt.Errorf("chains of %d values, want at least 4", n)
	}
	return n, nil
}

// SplitRHat returns the potential scale reduction of chains of equal length, each
// cut in two halves (Gelman et al., Bayesian Data Analysis, 3rd edition, section 11.4): how much wider all
// values together spread than each half does. It comes near 1 when the chains have forgotten their starts; above 1.01 they
// have not. It is +Inf where no half moves and they differ, and NaN where all values are one.
func SplitRHat(chains [][]float64) (float64, error) {
	n, err := equalLengths(chains)
	if err != nil {
		return 0, err
	}
	half := n / 2
	var means []float64
	var within, grand, largest float64
	for _, c := range chains {
		for _, part := range [...][]float64{c[:half], c[n-half:]} {
			var mean, square float64
			for _, x := range part {
				mean += x / float64(half)
			}
			for _, x := range part {
				largest = max(largest, math.Abs(x))
				square += (x - mean) * (x - mean)
			}
			within += square / float64(half-1)
			means = append(means, mean)
			grand += mean
		}
	}
	m := float64(len(means))
	within /= m
	grand /= m
	var between float64 // variance of the means
	for _, x := range means {
		between += (x - grand) * (x - grand) / (m - 1)
	}
	// The means of equal values are off by rounding.
	if floor := math.Pow(1e-12*largest, 2); within <= floor {
		if between <= floor {
			return math.NaN(), nil
		}
		return math.Inf(1), nil
	}
	return math.Sqrt(float64(half-1)/float64(half) + between/within), nil
}
