package experiment

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/rng"
)

// Enumerable returns random machine number i of a family that can be summed over exactly: axons and
// Gaussian couplings in turn, two with and two without biases, 4 to 12 spins a layer, and couplings of strength
// 0.1 (hot) to 10 (cold), where 1 is about the strength at which spins begin to order.
func Enumerable(e compute.Engine, i int, key rng.Key) (m *bm.RBM, name string) {
	key = key.Fold(uint64(i))
	visible, hidden := 4+key.Intn(9, 0, 0), 4+key.Intn(9, 0, 1)
	strength := 0.1 * math.Pow(100, float64(key.Uniform(0, 2)))
	bias := i/2%2 == 1
	var c bm.Couplings
	if i%2 == 0 {
		patterns := 1 + key.Intn(5, 0, 3)
		a := bm.NewAxons(e, visible, hidden, patterns, false, false)
		a.Bernoulli(1, key.Fold(0))
		a.SetGain(strength * math.Sqrt(float64(patterns)/float64(visible*hidden)))
		c, name = a, fmt.Sprintf("axons K=%d", patterns)
	} else {
		d := bm.NewDense(e, visible, hidden, false)
		d.Normal(strength/(math.Sqrt(float64(visible))+math.Sqrt(float64(hidden))), key.Fold(0))
		c, name = d, "Gaussian"
	}
	m = bm.NewRBM(e, c, bias, bias)
	for l := range 2 {
		if b := m.Bias(l).Value; !b.IsNone() {
			x := make([]float32, b.Len())
			for j := range x {
				x[j] = float32(0.3 * key.Fold(uint64(1+l)).Normal(0, uint64(j)))
			}
			e.Write(b, x)
		}
	}
	if bias {
		name += " with biases"
	}
	return m, fmt.Sprintf("%s, %dx%d, strength %.2g", name, visible, hidden, strength)
}

// Coverage counts how often the intervals value +- 1.96 stderr of one method hold the exact log Z.
type Coverage struct {
	Method    string
	Machines  int
	Silent    int       // estimates without a warning
	Covered   int       // of those, the intervals that hold the exact value
	Far       int       // estimates more than 4 standard errors off
	FarWarned int       // of those, the ones with a warning
	Widths    []float64 // of the intervals without a warning, nats
}

// Add counts an estimate.
func (c *Coverage) Add(z eval.LogZ, exact float64) {
	c.Machines++
	off := math.Abs(z.Value-exact) / z.Stderr
	warned := len(z.Warnings) > 0
	if !(off <= 4) {
		c.Far++
		if warned {
			c.FarWarned++
		}
	}
	if warned {
		return
	}
	c.Silent++
	if off <= 1.96 {
		c.Covered++
	}
	c.Widths = append(c.Widths, 2*1.96*z.Stderr)
}

// Share returns the share of intervals without a warning that hold the exact value, and half the width of the 95 %
// interval that the binomial law puts round 0.95 for so many.
func (c *Coverage) Share() (share, margin float64) {
	n := float64(max(1, c.Silent))
	return float64(c.Covered) / n, 1.96 * math.Sqrt(0.95*0.05/n)
}

// MedianWidth returns the median width of the intervals without a warning, in nats.
func (c *Coverage) MedianWidth() float64 {
	if len(c.Widths) == 0 {
		return math.NaN()
	}
	w := slices.Sorted(slices.Values(c.Widths))
	return w[len(w)/2]
}

// methods are the ways to log Z that the tables compare.
var methods = []string{"AIS", "reverse AIS", "bridge", "integration"}

// estimates returns log Z by each of the methods.
func estimates(ctx context.Context, a *eval.AIS, t *eval.Integration, start eval.Start) ([]eval.LogZ, error) {
	var all []eval.LogZ
	for _, f := range []func() (eval.LogZ, error){
		func() (eval.LogZ, error) { return a.Forward(ctx) },
		func() (eval.LogZ, error) { return a.Reverse(ctx, start) },
		func() (eval.LogZ, error) { return a.Bridge(ctx, start) },
		func() (eval.LogZ, error) { return t.Estimate(ctx) },
	} {
		z, err := f()
		if err != nil {
			return nil, err
		}
		all = append(all, z)
	}
	return all, nil
}

// CoverageShape is the number of machines of CoverageTable, and the annealing of each.
type CoverageShape struct{ Machines, Runs, Betas int }

// CoverageTable returns what the 95 % intervals of each method are worth on so many Enumerable machines, reverse
// paths starting from exact samples. Estimates more than 4 standard errors off are written to w.
func CoverageTable(ctx context.Context, e compute.Engine, w io.Writer, s CoverageShape, key rng.Key) ([]Coverage, error) {
	table := make([]Coverage, len(methods))
	for j, name := range methods {
		table[j].Method = name
	}
	for i := range s.Machines {
		m, name := Enumerable(e, i, key.Fold(0))
		x, err := m.EnumerateSmaller()
		if err != nil {
			return nil, err
		}
		start, err := eval.StartExact(m)
		if err != nil {
			return nil, err
		}
		exact := x.LogZ()
		k := key.Fold(1).Fold(uint64(i))
		all, err := estimates(ctx,
			&eval.AIS{Machine: m, Runs: s.Runs, Betas: s.Betas, Sweeps: 1, Key: k},
			&eval.Integration{Machine: m, Ladders: 8, Betas: 32, Sweeps: 400, Key: k}, start)
		if err != nil {
			return nil, fmt.Errorf("machine %d (%s): %w", i, name, err)
		}
		for j, z := range all {
			table[j].Add(z, exact)
			if math.Abs(z.Value-exact) > 4*z.Stderr {
				fmt.Fprintf(w, "machine %d, %s: %s is off by %+.4f, %.1f standard errors; warnings: %s\n",
					i, name, methods[j], z.Value-exact, math.Abs(z.Value-exact)/z.Stderr, said(z.Warnings))
			}
		}
	}
	return table, nil
}

func said(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, "; ")
}

// Likelihood writes two tables about estimates of log Z: CoverageTable on so many machines, and PatternTable.
func Likelihood(ctx context.Context, e compute.Engine, w io.Writer, machines int, seed uint64) error {
	key := rng.Key(seed)
	shape := CoverageShape{Machines: machines, Runs: 500, Betas: 500}
	table, err := CoverageTable(ctx, e, w, shape, key)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d random machines summed exactly; 95 %% intervals of %d runs x %d temperatures, integration of 8 ladders x 32\n", machines, shape.Runs, shape.Betas)
	fmt.Fprintf(w, "%-12s %14s %20s %24s %20s\n", "method", "no warning", "of those, covered", "beyond 4 standard errors", "median width, nats")
	for _, c := range table {
		share, margin := c.Share()
		fmt.Fprintf(w, "%-12s %14d %9.1f (95 +- %.1f) %% %17d, %d warned %20.2g\n",
			c.Method, c.Silent, 100*share, 100*margin, c.Far, c.FarWarned, c.MedianWidth())
	}
	fmt.Fprintln(w)
	return PatternTable(ctx, e, w, PatternShape{Visible: 784, Hidden: 3000, Runs: 200, Betas: 2000}, key.Fold(2))
}

// PatternShape is the size of the machines of PatternTable, and of the annealing.
type PatternShape struct{ Visible, Hidden, Runs, Betas int }

// PatternTable writes log Z of machines of 2 and 3 random patterns over the gain: the sum over pattern classes, and what AIS,
// reverse AIS from exact samples and the bridge are off from it, with their standard errors.
func PatternTable(ctx context.Context, e compute.Engine, w io.Writer, s PatternShape, key rng.Key) error {
	fmt.Fprintf(w, "machines of +-1 patterns, V=%d, H=%d, against the sum over pattern classes; %d runs x %d temperatures\n",
		s.Visible, s.Hidden, s.Runs, s.Betas)
	fmt.Fprintf(w, "%2s %6s %7s %14s %18s %18s %18s %8s  %s\n", "K", "gain", "g/g_c", "exact, nats", "AIS off", "reverse off", "bridge off", "seconds", "warnings of")
	for patterns := 2; patterns <= 3; patterns++ {
		for i, gain := range []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1} {
			a := bm.NewAxons(e, s.Visible, s.Hidden, patterns, false, false)
			a.Bernoulli(1, key.Fold(uint64(patterns)))
			a.SetGain(gain)
			m := bm.NewRBM(e, a, false, false)
			classes, err := m.PatternClasses()
			if err != nil {
				return err
			}
			exact, err := classes.LogZ(ctx, 2, nil)
			if err != nil {
				return err
			}
			start, err := eval.StartPatterns(m)
			if err != nil {
				return err
			}
			began := time.Now()
			l := eval.AIS{Machine: m, Runs: s.Runs, Betas: s.Betas, Sweeps: 1, Key: key.Fold(3).Fold(uint64(i))}
			var columns, warned []string
			for j, f := range []func() (eval.LogZ, error){
				func() (eval.LogZ, error) { return l.Forward(ctx) },
				func() (eval.LogZ, error) { return l.Reverse(ctx, start) },
				func() (eval.LogZ, error) { return l.Bridge(ctx, start) },
			} {
				z, err := f()
				if err != nil {
					return err
				}
				columns = append(columns, fmt.Sprintf("%+.4f +- %.4f", z.Value-exact, z.Stderr))
				if len(z.Warnings) > 0 {
					warned = append(warned, methods[j])
				}
			}
			critical := math.Sqrt(float64(patterns) / float64(s.Visible*s.Hidden))
			fmt.Fprintf(w, "%2d %6.3g %7.2g %14.4f %18s %18s %18s %8.1f  %s\n",
				patterns, gain, gain/critical, exact, columns[0], columns[1], columns[2], time.Since(began).Seconds(), said(warned))
		}
	}
	return nil
}
