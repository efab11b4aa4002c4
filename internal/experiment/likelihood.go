package experiment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
	"mattis/view"
)

// Enumerable returns random machine number i of a family that can be summed over exactly: axons and
// Gaussian couplings in turn, two with and two without biases, 4 to 12 spins a layer, and couplings
// of strength 0.1 (hot) to 10 (cold), where 1 is about the strength at which spins begin to order.
func Enumerable(e compute.Engine, i int, key rng.Key) (m *bm.Machine, name string) {
	key = key.Fold(uint64(i))
	visible, hidden := 4+key.Intn(9, 0, 0), 4+key.Intn(9, 0, 1)
	return randomMachine(e, i, visible, hidden, 0.1*math.Pow(100, float64(key.Uniform(0, 2))), key)
}

// randomMachine returns machine number i of the kinds that Enumerable takes in turn, of that size
// and strength.
func randomMachine(e compute.Engine, i, visible, hidden int, strength float64, key rng.Key) (m *bm.Machine, name string) {
	bias := i/2%2 == 1
	var c bm.Couplings
	if i%2 == 0 {
		patterns := 1 + key.Intn(5, 0, 3)
		a := bm.NewAxons(e, bm.Restricted(visible, hidden, false), patterns, false)
		a.Bernoulli(1, key.Fold(0))
		a.SetGain(strength * math.Sqrt(float64(patterns)/float64(visible*hidden)))
		c, name = a, fmt.Sprintf("axons K=%d", patterns)
	} else {
		d := bm.NewDense(e, bm.Restricted(visible, hidden, false))
		d.Normal(strength/(math.Sqrt(float64(visible))+math.Sqrt(float64(hidden))), key.Fold(0))
		c, name = d, "Gaussian"
	}
	m = bm.New(e, c, bias, bias)
	for l := range 2 {
		if b := m.Bias(l).Value; !b.IsNone() {
			x := make([]float32, b.Len())
			for j := range x {
				x[j] = float32(0.3 * key.Fold(uint64(1+l)).Normal(0, uint64(j)))
			}
			compute.Write(e, b, x)
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

// Silently returns how many estimates lie more than 4 standard errors off without a warning, how
// many at most the law of errors over so many samples or more lets expect, and the chance of as
// many misses or more, NaN where every estimate warned.
func (c *Coverage) Silently(samples float64) (n int, expected, chance float64) {
	n = c.Far - c.FarWarned
	if c.Silent == 0 {
		return 0, 0, math.NaN()
	}
	expected = float64(c.Silent) * eval.TailOfStudent(4, samples)
	return n, expected, eval.TailOfPoisson(n, expected)
}

// Share returns the share of intervals without a warning that hold the exact value, and half the
// width of the 95 % interval that the binomial law puts round 0.95 for so many.
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

// ladders are those of an integration, whose error is over them.
const ladders = 8

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

// Annealed says how each machine is annealed.
type Annealed struct{ Runs, Betas int }

// Estimates returns log Z of Enumerable machine number i by each of the methods, reverse paths
// starting from exact samples, and the exact sum.
func Estimates(ctx context.Context, e compute.Engine, i int, s Annealed, key rng.Key) (truth float64, all []eval.LogZ, name string, err error) {
	m, name := Enumerable(e, i, key.Fold(0))
	truth, all, err = estimatesOf(ctx, m, s, key.Fold(1).Fold(uint64(i)))
	return truth, all, name, err
}

// estimatesOf returns log Z of a machine whose states can be listed by each of the methods, and the
// exact sum.
func estimatesOf(ctx context.Context, m *bm.Machine, s Annealed, key rng.Key) (truth float64, all []eval.LogZ, err error) {
	x, err := exact.Smallest(m)
	if err != nil {
		return 0, nil, err
	}
	start, err := eval.StartExact(m)
	if err != nil {
		return 0, nil, err
	}
	all, err = estimates(ctx,
		&eval.AIS{Machine: m, Runs: s.Runs, Betas: s.Betas, Sweeps: 1, Key: key},
		&eval.Integration{Machine: m, Ladders: ladders, Betas: 32, Sweeps: 400, Key: key}, start)
	return x.LogZ(), all, err
}

// PatternEstimates returns log Z of a machine of so many random patterns by AIS, by reverse AIS
// from exact samples and by their bridge, and the exact sum over pattern classes.
func PatternEstimates(ctx context.Context, e compute.Engine, visible, hidden, patterns int, gain float64, s Annealed, key rng.Key) (truth float64, all []eval.LogZ, err error) {
	a := bm.NewAxons(e, bm.Restricted(visible, hidden, false), patterns, false)
	a.Bernoulli(1, key.Fold(uint64(patterns)))
	a.SetGain(gain)
	m := bm.New(e, a, false, false)
	classes, err := exact.ClassesOf(m)
	if err != nil {
		return 0, nil, err
	}
	if truth, err = classes.LogZ(ctx, 1, nil); err != nil {
		return 0, nil, err
	}
	start, err := eval.StartPatterns(m)
	if err != nil {
		return 0, nil, err
	}
	l := &eval.AIS{Machine: m, Runs: s.Runs, Betas: s.Betas, Sweeps: 1, Key: key.Fold(100).Fold(math.Float64bits(gain))}
	for _, f := range []func() (eval.LogZ, error){
		func() (eval.LogZ, error) { return l.Forward(ctx) },
		func() (eval.LogZ, error) { return l.Reverse(ctx, start) },
		func() (eval.LogZ, error) { return l.Bridge(ctx, start) },
	} {
		z, err := f()
		if err != nil {
			return 0, nil, err
		}
		all = append(all, z)
	}
	return truth, all, nil
}

// likely is the figure likelihood: what estimates of log Z and their errors are worth where the sum
// is exact. An instance of machines and of hard machines is one random machine; patterns runs over
// the gains at the size of the paper's MNIST machine.
var likely = &study{[]*arm{likelyMachines(), likelyPatterns(), likelyHard()}}

func likelyMachines() *arm {
	a := &arm{name: "machines", seconds: 2, settings: []string{"runs=500", "betas=500"}, miniature: []string{"runs=20", "betas=10"}}
	a.draw = func(w *work) error {
		exact, all, _, err := Estimates(w.ctx, w.engine, w.key.Intn(1000, 0, 0), a.annealed(w.miniature), w.key)
		for j, z := range all {
			w.addEstimate(methods[j], 0, z, exact)
		}
		return err
	}
	return a
}

func likelyPatterns() *arm {
	a := &arm{name: "patterns", seconds: 900, single: true,
		settings:  []string{"visible=784", "hidden=3000", "gains=0.001,0.003,0.01,0.03,0.1,0.3,1", "runs=200", "betas=2000"},
		miniature: []string{"visible=30", "hidden=40", "gains=0.01,0.1", "runs=20", "betas=10"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		v, h := whole(setting(s, "visible")), whole(setting(s, "hidden"))
		gains := strings.Split(setting(s, "gains"), ",")
		for i, text := range gains {
			gain, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return err
			}
			for k := 2; k <= 3; k++ {
				exact, all, err := PatternEstimates(w.ctx, w.engine, v, h, k, gain, a.annealed(w.miniature), w.key)
				if err != nil {
					return err
				}
				w.add(fmt.Sprintf("K=%d, exact", k), gain, exact)
				for j, z := range all {
					w.addEstimate(fmt.Sprintf("K=%d, %s", k, methods[j]), gain, z, exact)
				}
			}
			w.progress(float64(i+1) / float64(len(gains)))
		}
		return nil
	}
	return a
}

// annealed reads the settings of an arm.
func (a *arm) annealed(miniature bool) Annealed {
	s := a.settingsOf(miniature)
	return Annealed{Runs: whole(setting(s, "runs")), Betas: whole(setting(s, "betas"))}
}

// addEstimate adds how far an estimate is off, its standard error, and whether it warned.
func (w *work) addEstimate(name string, x float64, z eval.LogZ, exact float64) {
	w.add(name+", off", x, z.Value-exact)
	w.add(name+", stderr", x, z.Stderr)
	warned := 0.0
	if len(z.Warnings) > 0 {
		warned = 1
	}
	w.add(name+", warned", x, warned)
}

// estimatesOf returns the estimates of one method at each X, off by their value from an exact 0.
func (r *results) estimatesOf(arm, name string) (x []float64, all [][]eval.LogZ) {
	off, errs, warned := r.curve("", arm, name+", off"), r.curve("", arm, name+", stderr"), r.curve("", arm, name+", warned")
	for i := range off.X {
		var list []eval.LogZ
		for j := range off.lists[i] {
			z := eval.LogZ{Value: off.lists[i][j], Stderr: errs.lists[i][j]}
			if warned.lists[i][j] > 0 {
				z.Warnings = []string{"warned"}
			}
			list = append(list, z)
		}
		all = append(all, list)
	}
	return off.X, all
}

// judgeIntervals judges the 95 % intervals of each method over the random machines of an arm, and
// returns the panel of how far their estimates are off.
func (r *results) judgeIntervals(a *arm, title string) view.Panel {
	var quantiles []view.Series
	for _, name := range methods {
		_, all := r.estimatesOf(a.name, name)
		var c Coverage
		var z []float64
		for _, x := range all[0] {
			c.Add(x, 0)
			if len(x.Warnings) == 0 {
				z = append(z, math.Abs(x.Value)/x.Stderr)
			}
		}
		slices.Sort(z)
		q := view.Series{Name: name}
		for i, v := range z {
			q.X, q.Mean = append(q.X, v), append(q.Mean, (float64(i)+0.5)/float64(len(z)))
		}
		quantiles = append(quantiles, q)
		r.add(r.curve(name+", off", a.name, name+", off"), r.curve(name+", stderr", a.name, name+", stderr"), r.curve(name+", warned", a.name, name+", warned"))
		share, margin := c.Share()
		verdict, found := decided(share >= 0.95-margin), fmt.Sprintf("%.1f %% of %d; median width %.2g nats", 100*share, c.Silent, c.MedianWidth())
		if c.Silent == 0 {
			verdict, found = Open, "every estimate warned"
		}
		r.claim("95 % intervals of "+name+" hold the exact log Z where nothing warned", fmt.Sprintf("95 %%, at most the binomial %.1f %% less", 100*margin), verdict, "%s", found)
		samples := eval.LeastSilent(a.annealed(r.options.Miniature).Runs)
		if name == "integration" {
			samples = ladders
		}
		n, expected, chance := c.Silently(samples)
		r.claim("misses of "+name+" beyond 4 standard errors do not go without a warning", fmt.Sprintf("all but as many as Student's t of %.0f samples, the fewest without a warning, gives; decided by a chance of 5 %%", samples), decided(chance >= 0.05, chance),
			"%d of %d estimates, at most %.2g are expected", n, c.Silent, expected)
	}
	normal := view.Series{Name: "exact, normal law"}
	for x := 0.05; x <= 4; x += 0.05 {
		normal.X, normal.Mean = append(normal.X, x), append(normal.Mean, 1-2*eval.TailOfNormal(x))
	}
	return view.CurvesPanel{Chart: view.Chart{Title: title, X: view.Axis{Label: "standard errors off", Min: 0, Max: 4}, Y: view.Axis{Label: "share of estimates closer"}}, Series: append(quantiles, normal)}
}

// finishLikelihood is the figure likelihood: coverage of the 95 % intervals, and the pattern
// machines over the gain.
func finishLikelihood(r *results) error {
	panels := []view.Panel{r.judgeIntervals(likely.arms[0], "random machines that can be summed")}
	r.judgeHard()
	rows := [][]string{}
	for k := 2; k <= 3; k++ {
		var errs []view.Series
		exact := r.curve(fmt.Sprintf("K=%d, exact", k), "patterns", fmt.Sprintf("K=%d, exact", k))
		r.add(exact)
		silent, worst := 0, 0.0
		lines := make([][]string, len(exact.X))
		for i, g := range exact.X {
			lines[i] = []string{strconv.Itoa(k), fmt.Sprintf("%g", g), fmt.Sprintf("%.4f", exact.Mean[i])}
		}
		for _, name := range methods[:3] {
			name = fmt.Sprintf("K=%d, %s", k, name)
			x, all := r.estimatesOf("patterns", name)
			s := view.Series{Name: name[5:]}
			for i, list := range all {
				z := list[0]
				s.X, s.Mean = append(s.X, x[i]), append(s.Mean, z.Stderr)
				text := fmt.Sprintf("%+.4f ± %.4f", z.Value, z.Stderr)
				if len(z.Warnings) > 0 {
					text += " warned"
				} else {
					silent++
					worst = max(worst, math.Abs(z.Value)/z.Stderr)
				}
				lines[i] = append(lines[i], text)
			}
			errs = append(errs, s)
			r.add(r.curve(name+", off", "patterns", name+", off"), r.curve(name+", stderr", "patterns", name+", stderr"), r.curve(name+", warned", "patterns", name+", warned"))
		}
		rows = append(rows, lines...)
		panels = append(panels, view.CurvesPanel{Chart: view.Chart{Title: fmt.Sprintf("%d random patterns", k), X: view.Axis{Label: "gain", Log: true}, Y: view.Axis{Label: "standard error (nats)", Log: true}}, Series: errs})
		r.claim(fmt.Sprintf("estimates without a warning agree with the sum over the classes of %d patterns", k), "within 4 standard errors", decided(worst <= 4), "%d estimates, at most %.1f off", silent, worst)
	}
	r.table = view.Table{Header: []string{"K", "gain", "exact log Z", "AIS off by", "reverse AIS off by", "bridge off by"}, Rows: rows}
	r.caption = "Machines of random patterns of ±1, in nats; the exact value is the sum over pattern classes, reverse paths start from exact samples."
	return r.paint(panels)
}
