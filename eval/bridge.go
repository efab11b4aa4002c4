package eval

import (
	"context"
	"fmt"
	"math"
)

// Bridge returns the estimate that combines forward paths and reverse paths from the start by
// Bennett's acceptance ratio (1976), the best use of both: with n of each, log Z - log Z_0 is the D
// that solves
//
//	sum over forward paths 1/(1 + exp(D - log w)) = sum over reverse paths 1/(1 + exp(log w - D))
func (a *AIS) Bridge(ctx context.Context, start Start) (LogZ, error) {
	forward, err := a.forward(ctx)
	if err != nil {
		return LogZ{}, err
	}
	reverse, err := a.reverse(ctx, start)
	if err != nil {
		return LogZ{}, err
	}
	return a.bridge(forward, reverse, start), nil
}

func (a *AIS) bridge(forward, reverse []float64, start Start) LogZ {
	b := bennett(forward, reverse)
	z := LogZ{
		Value: a.baseLogZ() + b.d, Side: NoSide, ESS: b.ess, Overlap: b.overlap, Started: start.Name,
		Runs: len(forward), Betas: a.Betas, Sweeps: a.Sweeps,
	}
	z.Stderr = math.Hypot(b.stderr, rounding(a.Machine, z.Value))
	if b.ess < LeastESS {
		z.Warnings = append(z.Warnings, fmt.Sprintf("bridge: forward and reverse paths hardly overlap (%.2g; ESS %.1f of %d)", b.overlap, b.ess, len(forward)))
	}
	if !start.Exact {
		z.Warnings = append(z.Warnings, "reverse paths did not start from exact samples ("+start.Name+")")
		if f, r := a.lower(forward), a.upper(reverse, start); f.Value-r.Value > 4*math.Hypot(f.Stderr, r.Stderr) {
			z.contradicts = true
			z.Warnings = append(z.Warnings, fmt.Sprintf("reverse AIS lies %.3g nats below AIS: the start is not the machine's law", f.Value-r.Value))
		}
	}
	return z
}

// Overlaps reports whether z is a bridge whose forward and reverse paths overlap and do not
// contradict each other.
func (z LogZ) Overlaps() bool { return z.Overlap > 0 && z.ESS >= LeastESS && !z.contradicts }

// bridged is the solution of Bennett's equation.
type bridged struct {
	d       float64 // log of the ratio of the two Z
	stderr  float64
	overlap float64 // integral of 2 p q/(p+q) over the forward law p and the reverse law q of paths: 1 where they are equal
	ess     float64 // of the smaller of the two sums
}

// bennett solves Bennett's equation for log weights of forward and reverse paths, any number of
// each.
func bennett(forward, reverse []float64) bridged {
	shift := math.Log(float64(len(forward)) / float64(len(reverse)))
	excess := func(d float64) float64 {
		var s float64
		for _, l := range forward {
			s += fermi(shift + d - l)
		}
		for _, l := range reverse {
			s -= fermi(l - d - shift)
		}
		return s
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, all := range [...][]float64{forward, reverse} {
		for _, l := range all {
			if !math.IsInf(l, -1) { // a path that counts for nothing
				lo, hi = min(lo, l-shift), max(hi, l-shift)
			}
		}
	}
	lo, hi = lo-50, hi+50 // excess decreases with d
	for range 200 {
		if mid := (lo + hi) / 2; excess(mid) > 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	b := bridged{d: (lo + hi) / 2}
	moments := func(n int, term func(i int) float64) (mean, variance, ess float64) {
		var s, q float64
		for i := range n {
			f := term(i)
			s += f
			q += f * f
		}
		mean = s / float64(n)
		ess = s * s / q
		return mean, (float64(n)/ess - 1) / float64(max(1, n-1)), ess
	}
	f, vf, ef := moments(len(forward), func(i int) float64 { return fermi(shift + b.d - forward[i]) })
	r, vr, er := moments(len(reverse), func(i int) float64 { return fermi(reverse[i] - b.d - shift) })
	b.ess = min(ef, er)
	b.stderr = math.Sqrt(max(0, vf)+max(0, vr)) * Student(b.ess)
	b.overlap = min(1, f+r) // 1/(1+exp) sums to one over both laws where they agree
	return b
}

// fermi returns 1/(1+exp(x)).
func fermi(x float64) float64 {
	if x > 0 {
		e := math.Exp(-x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(x))
}
