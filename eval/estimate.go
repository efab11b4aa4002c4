package eval

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"mattis/bm"
	"mattis/exact"
)

// The sides of an estimate of log Z.
const (
	Exact      = "exact"
	LowerBound = "lower in expectation" // its expectation is below log Z
	UpperBound = "upper in expectation" // its expectation is above log Z
	UpperSide  = "upper"                // it is above, whatever was drawn
	NoSide     = "none"
)

// LogZ is an estimate of log Z in nats and what is known about its error.
type LogZ struct {
	Value float64
	// Stderr is the standard error, of the runs and of float32 sums: Value +- 1.96 Stderr is a 95 %
	// interval where there are no Warnings.
	Stderr   float64
	Side     string   // side of the bias: Exact, LowerBound, UpperBound or NoSide
	ESS      float64  // effective number of runs; 0 where there are no weights
	Runs     int      // runs, in each direction where there are two
	Betas    int      // steps from inverse temperature 0 to 1
	Sweeps   int      // Gibbs sweeps at each
	Overlap  float64  // bridge: overlap of the two laws of paths, in [0,1]
	Started  string   // what reverse runs started from
	Warnings []string // why the error may be larger than Stderr says

	classes     *exact.PatternClasses // that Value is the sum over; nil of other methods
	contradicts bool                  // reverse paths from an approximate start lie below the forward ones
}

// widest is the variance of log weights above which an estimate of less than many effective runs
// warns: the mean weight of normal ones lies half of it above the middle, where few runs are.
const widest, many = 1, 200

// LeastESS is the effective number of runs below which an estimate warns.
const LeastESS = 60

// LeastSilent returns the effective number of so many runs below which their estimate warns.
func LeastSilent(runs int) float64 { return min(LeastESS, 0.5*float64(runs)) }

// weighed is the logarithm of the mean of weights given by their logarithms.
type weighed struct {
	logMean float64
	stderr  float64 // of logMean
	ess     float64 // (sum w)^2 / sum w^2
	normal  float64 // the same for normal log weights of the observed variance
	logVar  float64 // variance of the log weights
	tail    float64 // index of the weights' tail
}

// weigh returns the logarithm of the mean of exp(logs) with its standard error
// by the delta method, widened by Student's t of as many degrees of freedom as there are
// effective runs. A weight of 0 has the logarithm -Inf; the variance is that of the others.
func weigh(logs []float64) weighed {
	n := float64(len(logs))
	top := math.Inf(-1)
	for _, l := range logs {
		top = max(top, l)
	}
	var sum, square float64
	for _, l := range logs {
		w := math.Exp(l - top) // NaN where all are -Inf
		sum += w
		square += w * w
	}
	if math.IsInf(top, -1) {
		return weighed{logMean: top, stderr: math.Inf(1)}
	}
	w := weighed{logMean: top + math.Log(sum/n), ess: sum * sum / square}
	if finite := slices.DeleteFunc(slices.Clone(logs), func(l float64) bool { return math.IsInf(l, -1) }); len(finite) > 1 {
		w.logVar = stat.Variance(finite, nil)
	}
	w.normal = n * math.Exp(-w.logVar)
	w.tail = tailIndex(logs)
	w.stderr = math.Sqrt(max(0, n/w.ess-1)/max(1, n-1)) * Student(w.ess)
	return w
}

// Student returns the factor by which the 95 % interval of Student's t with so many
// samples is wider than the normal one: with one degree of freedom less than samples, and at least one.
func Student(samples float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: max(1, samples-1)}
	return t.Quantile(0.975) / distuv.UnitNormal.Quantile(0.975)
}

// TailOfStudent returns the probability that a mean of so many independent normal samples lies more
// than z standard errors off, of errors that are widened by Student's t as those of LogZ are.
func TailOfStudent(z, samples float64) float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: max(1, samples-1)}
	return 2 * t.Survival(z*Student(samples))
}

// warn returns what is wrong with weights of n runs by the method of that name. The
// variance of the log weights is looked at beside the effective sample size because the latter
// is largest where the heavy weights were missed.
func (w weighed) warn(method string, n int) []string {
	var all []string
	least := LeastSilent(n)
	if w.ess < 2 {
		all = append(all, fmt.Sprintf("%s did not mix: ESS %.1f of %d", method, w.ess, n))
	} else if w.ess < least {
		all = append(all, fmt.Sprintf("%s: few runs carry the weight: ESS %.1f of %d", method, w.ess, n))
	}
	if w.normal < least || w.logVar > widest && w.ess < many {
		all = append(all, fmt.Sprintf("%s: the logarithms of the weights vary by %.3g (variance): their mean can be dominated by few runs", method, w.logVar))
	}
	if w.tail > heavyTail(n) && w.ess < min(many, float64(n)/2) {
		all = append(all, fmt.Sprintf("%s: the weights have a heavy tail (index %.2g): runs that were not drawn may carry much of their sum; more of them tell (ais.runs, ais.seconds)", method, w.tail))
	}
	return all
}

// rounding is the error in nats of float32 fields summed over the hidden spins of a restricted
// machine, or the spins of all layers of another one, into a log Z.
func rounding(m *bm.Machine, logZ float64) float64 {
	spins := 0
	for l, n := range m.Layers() {
		if l != bm.Visible || !m.Graph().IsRestricted() {
			spins += n
		}
	}
	return 0x1p-24 * (float64(spins) + math.Abs(logZ))
}
