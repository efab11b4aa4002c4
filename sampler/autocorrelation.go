package sampler

import (
	"fmt"
	"math"
	"slices"
)

// Autocorrelation says how far apart the values of series are independent.
type Autocorrelation struct {
	// Time is the integrated autocorrelation time 1/2 + sum_t rho(t), in steps of the series: 1/2
	// where the values are independent, and a mean over N of them is as good as one over N/(2
	// Time). +Inf where no value ever changes. Where it is not known (Enough is false) it is what
	// the time is at least, with about 95 % confidence, and Stderr is NaN.
	Time, Stderr float64
	Window       int     // the lag up to which correlations count in full; they count for nothing beyond twice that
	N            int     // values of all chains together
	Effective    float64 // effective sample size, N/(2 Time): at most, where Time is not known
	// Mean is that of all values; MeanStderr takes the autocorrelation into account.
	Mean, MeanStderr float64
	// Enough says that the time is known: longer windows find no more, each chain is at least 20
	// times as long as Time, and Stderr is at most about a third of it and comes from many parts of
	// the chains. A slow mode that is rare fails in the last: a few visits carry the error, and as
	// many more or fewer would have been as likely.
	Enough bool
}

const (
	enoughTimes = 20
	// longerFinds is by how many standard errors a longer window has to find more for it to be
	// taken, and stillFinds for the longest not to be long enough.
	longerFinds, stillFinds = 2, 3
	mostRelative            = 0.35 // error of a time that is known, as a share of it
	leastEffective          = 8    // effective number of parts that the error of a known time comes from
)

// Autocorrelate returns the autocorrelation of chains of equal length, at least four values
// each. All chains share one mean, so chains that stay apart count as one long memory.
//
// The time is estimated from sums S_b over b neighbouring values,
//
//	(<S_2b^2> - <S_b^2>)/(2 b <S_1^2>) = 1/2 + sum_t w(t) rho(t),  w = 1 up to b and falling to 0 at 2b,
//
// a flat-topped window (Politis and Romano 1995): what it leaves out vanishes exponentially with b.
// The window is the shortest b = 1, 2, 4, ... that all longer ones agree with within their errors
// (Lepski 1991), doubled: the bias that agreement leaves room for is then below the error. A window
// that closes where rho is lost in noise (Wolff 2004) leaves out a slow mode that is rare, whose
// sum is not lost. The error is the larger one of the spread over chains, or parts of them, and of
// the one that is right for normal series (Wolff's, for this window), beside what the doubling
// found.
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
	levels := 1 // sums over 1, 2, ..., 2^levels values
	for longest := min(n/8, a.N/256); 1<<levels <= longest; levels++ {
	}
	parts := 1 // of each chain
	for len(chains)*parts < 16 && n/(2*parts) >= 4<<(levels-1) {
		parts *= 2
	}
	squares := make([][]float64, levels+1)
	for k := range squares {
		squares[k] = squaredSums(chains, a.Mean, 1<<k, parts)
	}
	variance := mean(squares[0])
	if scale := math.Abs(a.Mean) * 1e-12; !(variance > scale*scale) {
		a.Time, a.Stderr, a.MeanStderr = math.Inf(1), math.NaN(), math.Inf(1)
		return a, nil
	}
	windows := make([]windowed, levels)
	for k := range windows {
		windows[k] = newWindowed(squares[0], squares[k], squares[k+1], 1<<k, total)
	}
	k := 0
	for k < levels-1 && slices.ContainsFunc(windows[k+1:], func(w windowed) bool {
		return math.Abs(w.time-windows[k].time) > longerFinds*spread(w.parts, windows[k].parts)
	}) {
		k++
	}
	a.Enough = levels > 1
	if last := levels - 1; k == last && last > 0 {
		a.Enough = windows[last].time-windows[last-1].time <= stillFinds*spread(windows[last].parts, windows[last-1].parts)
	}
	k = min(k+1, levels-1)
	w := windows[k]
	a.Window, a.Time = 1<<k, max(w.time, 0.5/total)
	deviation, effective, pieces := spread(w.parts, nil), fourth(w.parts), len(w.parts)
	// More and shorter parts, which chance visits of a rare mode cannot fill.
	if fine := min(16, n/(8*a.Window)); fine > parts {
		x := newWindowed(squaredSums(chains, a.Mean, 1, fine), squaredSums(chains, a.Mean, a.Window, fine), squaredSums(chains, a.Mean, 2*a.Window, fine), a.Window, total)
		deviation, effective, pieces = max(deviation, spread(x.parts, nil)), fourth(x.parts), len(x.parts)
	}
	normal := a.Time * math.Sqrt(2*max(8./3*float64(a.Window)+1-2*a.Time, 1)/total)
	a.Stderr = max(deviation, normal) * studentFactor(effective)
	if k > 0 { // what the doubling found: another may find as much
		a.Stderr = math.Hypot(a.Stderr, w.time-windows[k-1].time)
	}
	a.Enough = a.Enough && float64(n) >= enoughTimes*a.Time && a.Stderr <= mostRelative*a.Time && effective >= min(leastEffective, float64(pieces)/5)
	a.MeanStderr = math.Sqrt(2 * a.Time * variance / total)
	if !a.Enough {
		a.Stderr = math.NaN()
		a.Time = 0.5 / total
		for _, w := range windows {
			a.Time = max(a.Time, w.time-2*spread(w.parts, nil))
		}
		if len(chains) > 1 { // the means of whole chains, which see whatever keeps chains apart
			var between float64
			for _, x := range squaredSums(chains, a.Mean, n, 1) {
				between += x / float64(n) / float64(len(chains)-1)
			}
			a.Time = max(a.Time, between/(2*variance)*atLeast(float64(len(chains)-1)))
			a.MeanStderr = max(a.MeanStderr, math.Sqrt(between/total))
		}
	}
	a.Effective = total / (2 * a.Time)
	return a, nil
}

// squaredSums returns the mean square of the sums over b neighbouring values less their mean, for
// each of so many parts of each chain: a sum belongs to the part that it begins in.
func squaredSums(chains [][]float64, mean float64, b, parts int) []float64 {
	n := len(chains[0])
	sums := n - b + 1
	squares := make([]float64, len(chains)*parts)
	before := make([]float64, n+1) // sum of the values before each
	for c, x := range chains {
		for i, v := range x {
			before[i+1] = before[i] + v - mean
		}
		for p := range parts {
			from, to := p*sums/parts, (p+1)*sums/parts
			var sum float64
			for i := from; i < to; i++ {
				s := before[i+b] - before[i]
				sum += s * s
			}
			squares[c*parts+p] = sum / float64(to-from)
		}
	}
	return squares
}

// windowed is the time by one window, and what each part of the chains adds to its error.
type windowed struct {
	time  float64
	parts []float64
}

// newWindowed returns the time by the window b of so many values in all, from the squares of values
// and of sums of b and 2b. The mean that is taken from the values takes a share from every square,
// which is given back.
func newWindowed(values, short, long []float64, b int, total float64) windowed {
	variance, sum := mean(values), (mean(long)-mean(short))/float64(b)
	all := sum / max(1-3*float64(b)/total, 0.2)
	w := windowed{all / 2 / (variance + all/total), make([]float64, len(values))}
	for p := range w.parts {
		w.parts[p] = ((long[p]-short[p])/float64(b) - sum - 2*w.time*(values[p]-variance)) / (2 * variance)
	}
	return w
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

// spread returns the standard error of the mean of x, or of x less y, whose means are 0.
func spread(x, y []float64) float64 {
	var sum float64
	for i, v := range x {
		if y != nil {
			v -= y[i]
		}
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(x)) / max(1, float64(len(x)-1)))
}

// fourth returns the effective number of terms that a sum of squares is made of, (sum x^2)^2 / sum
// x^4: a third of all for normal ones, and 1 where one is far larger than the others.
func fourth(x []float64) float64 {
	var square, power float64
	for _, v := range x {
		square += v * v
		power += v * v * v * v
	}
	if power == 0 {
		return float64(len(x))
	}
	return square * square / power
}

// studentFactor returns the factor by which the 95 % interval of Student's t with so many samples
// is wider than the normal one, by the expansion of Cornish and Fisher.
func studentFactor(samples float64) float64 {
	nu := max(1, samples-1)
	return 1 + (2.372/nu+2.823/(nu*nu)+2.556/(nu*nu*nu))/1.96
}

// atLeast returns the factor that makes a variance of so many degrees of freedom a lower bound at
// 95 %, by the chi-squared quantile of Wilson and Hilferty.
func atLeast(freedom float64) float64 {
	x := 2 / (9 * freedom)
	return 1 / math.Pow(1-x+1.645*math.Sqrt(x), 3)
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

// SplitRHat returns the potential scale reduction of chains of equal length, each cut in two halves
// (Gelman et al., Bayesian Data Analysis, 3rd edition, section 11.4): how much wider all values
// together spread than each half does. It comes near 1 when the chains have forgotten their starts;
// above 1.01 they have not. It is +Inf where no half moves and they differ, and NaN where all
// values are one.
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
