package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/recipe"
	"mattis/run"
	"mattis/sampler"
	"mattis/view"
)

// cooled is the figure cooling: machines trained by the exact gradient until they hold 4x4 Bars,
// then cooled by a factor on all couplings, and the visits of samplers to the images beside their
// exact probabilities. Guided moves read patterns: in the dense machine those of its singular value
// decomposition with nothing cut off.
var cooled = &study{[]*arm{
	{name: "dense", recipe: "bars-exact", seconds: 120, after: coolDown, single: true, miniature: smallCooling,
		settings: append([]string{"train.epochs=200"}, coolingSettings...), why: "30 hidden spins, Adam 0.01, batches of all 10 images, 200 epochs: the NLL is within 0.03 nats of ln 10"},
	{name: "axons", recipe: "bars-exact", seconds: 120, after: coolDown, single: true, miniature: smallCooling,
		settings: append([]string{"couplings={kind: axons, patterns: 8, gain: 0.3, learn_gain: true, gain_rate: 1}", "train.epochs=300"}, coolingSettings...), why: "the same with 8 patterns and a learned gain, 300 epochs"},
}}

var (
	coolingSettings = []string{"machine.hidden=30", "optimizer.rate=0.01", "train.batch=10", "measure.train=[nll_exact]", "measure.test=[]", "measure.last=[]", "measure.every=100"}
	smallCooling    = []string{"data.size=3", "data.split=random", "machine.hidden=8", "train.epochs=2", "train.batch=3", "measure.every=1"}
)

// coolings are the factors, coolingSamplers how chains move.
var (
	coolings        = []float64{1, 2, 4, 8}
	coolingSamplers = []string{"gibbs", "annealing", "tempering", "guided"}
)

// coolingChains of coolingSweeps each, after half as many that are not looked at, all from fair
// coins. Visits that are compared with the exact probabilities lie coolingApart autocorrelation
// times apart: what is left of the correlation is below 0.3 %. Annealing gives independent samples,
// each cooled in annealingSweeps.
const coolingChains, coolingSweeps, coolingApart, annealingSweeps = 100, 4000, 6, 100

// coolDown gives, for each factor and sampler, how chains fare.
func coolDown(w *work, t *trained) error {
	chains, sweeps := coolingChains, coolingSweeps
	if w.miniature {
		chains, sweeps = 12, 40
	}
	for i, factor := range coolings {
		m, guided, err := scaledMachine(w.engine, t, factor)
		if err != nil {
			return err
		}
		p, err := imageChances(m, t.Split.Family)
		if err != nil {
			return err
		}
		w.add("images", factor, 1-p[len(p)-1])
		w.add("largest share", factor, slices.Max(p))
		for j, name := range coolingSamplers {
			of := m
			if name == "guided" {
				of = guided
			}
			if err := coolSampler(w, coolRun{machine: of, family: t.Split.Family, exact: p, name: name, factor: factor, chains: chains, sweeps: sweeps}); err != nil {
				return fmt.Errorf("%s at couplings times %g: %w", name, factor, err)
			}
			w.progress(float64(i*len(coolingSamplers)+j+1) / float64(len(coolings)*len(coolingSamplers)))
		}
	}
	return nil
}

// scaledMachine returns the trained machine with all couplings times the factor, and the same
// machine as axons.
func scaledMachine(e compute.Engine, t *trained, factor float64) (m, axons *bm.Machine, err error) {
	d, err := run.Open(t.dir)
	if err != nil {
		return nil, nil, err
	}
	c, _, err := d.Newest()
	if err != nil {
		return nil, nil, err
	}
	p, _, err := recipe.ReadPortable(c.File, recipe.Foreign{})
	if err != nil {
		return nil, nil, err
	}
	build := func(p *recipe.Portable) *bm.Machine {
		if p.Patterns == 0 {
			w := bm.NewDense(e, bm.Restricted(p.Visible, p.Hidden, false))
			compute.Write(e, w.Weights(0).Value, narrow(p.Weights, factor))
			return bm.New(e, w, false, false)
		}
		a := bm.NewAxons(e, bm.Restricted(p.Visible, p.Hidden, false), p.Patterns, false)
		v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
		compute.Write(e, v.Value, narrow(p.VisiblePatterns, 1))
		compute.Write(e, h.Value, narrow(p.HiddenPatterns, 1))
		a.SetGain(math.Exp(float64(p.LogGain)) * factor)
		return bm.New(e, a, false, false)
	}
	m = build(p)
	if p.Patterns > 0 {
		return m, m, nil
	}
	whole, _, err := p.Axons(min(p.Visible, p.Hidden))
	if err != nil {
		return nil, nil, err
	}
	return m, build(whole), nil
}

func narrow(x []float64, factor float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v * factor)
	}
	return y
}

// imageChances returns the exact probabilities of the images, and that of all other states.
func imageChances(m *bm.Machine, f data.Family) ([]float64, error) {
	x, err := exact.Smallest(m)
	if err != nil {
		return nil, err
	}
	logZ := x.LogZ()
	e, v := m.Engine(), m.Layers()[bm.Visible]
	spins, free := make([]int8, f.Size()*v), make([]float64, f.Size())
	for i := range f.Size() {
		f.Image(spins[i*v:], i)
	}
	rows, dst := e.Alloc(compute.Int8, f.Size(), v), e.Alloc(compute.Float64, f.Size(), 1)
	compute.Write(e, rows, spins)
	m.Energy(dst, bm.State{rows}, bm.Law{})
	compute.Read(e, free, dst)
	p, other := make([]float64, f.Size()+1), 1.0
	for i, x := range free {
		p[i] = math.Exp(-x - logZ)
		other -= p[i]
	}
	p[f.Size()] = max(0, other)
	return p, nil
}

// coolRun is one sampler in one machine.
type coolRun struct {
	machine        *bm.Machine
	family         data.Family
	exact          []float64
	name           string
	factor         float64
	chains, sweeps int
}

// images returns the number of each row's image, that of the last cell for other states.
func (c coolRun) images(s bm.State) []int16 {
	v := s[bm.Visible]
	x := make([]int8, v.Len())
	compute.Read(c.machine.Engine(), x, v)
	list := make([]int16, v.Rows())
	for i := range list {
		list[i] = int16(c.family.Index(x[i*v.Cols():][:v.Cols()]))
		if list[i] < 0 {
			list[i] = int16(c.family.Size())
		}
	}
	return list
}

// coolSampler adds the points of one sampler.
func coolSampler(w *work, c coolRun) error {
	key := w.key.Fold(uint64(c.factor)).Fold(nameKey(c.name))
	add := func(what string, x float64) { w.add(c.name+", "+what, c.factor, min(x, 1e9)) }
	s, err := sampler.New(c.name, c.machine, sampler.Options{Key: key.Fold(0)})
	if err != nil {
		return err
	}
	counts := make([]int, len(c.exact))
	if c.name == "annealing" {
		state := sampler.Chains(c.machine, c.chains*20)
		begin := time.Now()
		s.Move(state, bm.Law{Key: key.Fold(1)}, annealingSweeps)
		seconds := time.Since(begin).Seconds()
		for _, i := range c.images(state) {
			counts[i]++
		}
		n := float64(state.Rows())
		add("sweeps per effective sample", annealingSweeps)
		add("milliseconds per effective sample", 1000*seconds/n)
		c.compare(add, counts)
		return nil
	}
	var seen [][]int16 // at each time, of each chain
	start := c.machine.Engine().Alloc(compute.Int8, c.chains, c.machine.Layers()[bm.Visible])
	sampler.Randomize(c.machine, bm.State{start}, bm.Law{Key: key.Fold(1)})
	m, err := eval.Watch{Machine: c.machine, Sampler: s, Start: start, Sweeps: c.sweeps, Key: key.Fold(2),
		Visit: func(s bm.State) { seen = append(seen, c.images(s)) }}.Run(w.ctx)
	if err != nil {
		return err
	}
	apart := len(seen)
	if slowest, ok := m.Slowest(); ok {
		if slowest.Enough {
			apart = min(apart, max(1, int(math.Ceil(coolingApart*slowest.Time/float64(m.Every)))))
		}
		known, deviation := 0.0, slowest.Time // of a bound nothing is known
		if slowest.Enough {
			known, deviation = 1, slowest.Stderr
		}
		add("time", slowest.Time)
		add("time error", deviation)
		add("time known", known)
		add("effective samples", slowest.Effective)
		add("sweeps per effective sample", float64(m.Chains*m.Sweeps*m.Replicas)/slowest.Effective)
		add("milliseconds per effective sample", 1000*m.Seconds/slowest.Effective)
	}
	if worst, ok := m.Apart(); ok {
		add("R-hat", worst.RHat)
	}
	for t := len(seen) - 1; t >= 0; t -= apart {
		for _, i := range seen[t] {
			counts[i]++
		}
	}
	c.compare(add, counts)
	if m.Swaps != nil {
		add("round trips", float64(m.Swaps.RoundTrips))
		add("rungs", float64(m.Replicas))
	}
	if p := m.Proposals; p != nil {
		add("mixture accepted", p.Mixture.Rate())
		add("exchange accepted", p.Exchange.Rate())
	}
	return nil
}

// compare adds what independent visits are worth against the exact probabilities.
func (c coolRun) compare(add func(string, float64), counts []int) {
	n, visited := 0, 0
	for i, k := range counts {
		n += k
		if k > 0 && i < len(counts)-1 {
			visited++
		}
	}
	var apart float64
	for i, k := range counts {
		apart += math.Abs(float64(k)/float64(n)-c.exact[i]) / 2
	}
	statistic, freedom, chance := eval.ChiSquare(counts, c.exact)
	add("visits", float64(n))
	add("images seen", float64(visited))
	add("chi-square", statistic)
	add("degrees of freedom", float64(freedom))
	add("chance", chance)
	add("total variation", apart)
}

// unlikely is the chance below which visits are not in the exact proportions: 16 comparisons of a
// right sampler fall below it together in 2 of 100 cases.
const unlikely = 0.001

// finishCooling is the figure cooling, with its table.
func finishCooling(r *results) error {
	arms := []string{cooled.arms[0].name, cooled.arms[1].name}
	get := func(arm, name, what string) Curve { return r.curve(arm+", "+name+", "+what, arm, name+", "+what) }
	var times, off []view.Panel
	var rows [][]string
	known := func(arm, name string, x float64) bool { return get(arm, name, "time known").value(x) == 1 }
	longest := 0.0 // of the autocorrelation times that are known
	for _, a := range arms {
		for _, name := range coolingSamplers {
			for _, x := range coolings {
				if known(a, name, x) {
					longest = max(longest, get(a, name, "time").value(x))
				}
			}
		}
	}
	factor := view.Axis{Label: "couplings times", Log: true, Ticks: coolings}
	chance := map[string]map[float64][]float64{}
	for _, a := range arms {
		var timeCurves, offCurves []view.Series
		for _, name := range coolingSamplers {
			at := func(what string, x float64) (float64, bool) {
				c := get(a, name, what)
				i := slices.Index(c.X, x)
				if i < 0 {
					return 0, false
				}
				return c.Mean[i], true
			}
			if chance[name] == nil {
				chance[name] = map[float64][]float64{}
			}
			for _, what := range []string{"time", "effective samples", "R-hat", "visits", "images seen", "chi-square", "degrees of freedom", "chance", "total variation", "round trips", "sweeps per effective sample", "milliseconds per effective sample", "mixture accepted"} {
				if c := get(a, name, what); len(c.X) > 0 {
					r.add(c)
				}
			}
			if c := get(a, name, "time"); len(c.X) > 0 {
				timeCurves = append(timeCurves, view.Series{Name: name, X: c.X, Mean: c.Mean})
			}
			c := get(a, name, "total variation")
			offCurves = append(offCurves, view.Series{Name: name, X: c.X, Mean: c.Mean})
			for _, x := range coolings {
				p, _ := at("chance", x)
				chance[name][x] = append(chance[name][x], p)
				rows = append(rows, coolingRow(a, name, x, at))
			}
		}
		times = append(times, view.CurvesPanel{Chart: view.Chart{Title: a + ": slowest autocorrelation time", X: factor, Y: view.Axis{Label: fmt.Sprintf("sweeps (above %.0f: at least so many)", longest), Log: true}}, Series: timeCurves})
		off = append(off, view.CurvesPanel{Chart: view.Chart{Title: a + ": distance from the exact proportions", X: factor, Y: view.Axis{Label: "total variation"}}, Series: offCurves})
	}
	r.table = view.Table{Header: []string{"machine", "couplings", "sampler", "R-hat", "time, sweeps", "effective", "visits", "images", "chi-square / dof", "chance", "off", "round trips", "cost, sweeps", "cost, ms"}, Rows: rows}
	r.caption = fmt.Sprintf("%d chains from random spins, %d sweeps looked at after half as many that are not. The time is of the slowest of energy, modes and their squares; chi-square is of visits %d times as far apart, "+
		"one for each chain where the time is not known, and of independent samples of annealing in %d sweeps; *chance* is that of independent draws of the exact law looking as bad or worse: by chi-square over the states expected at least 5 times and, where the others are not expected 5 times together, by the Poisson law of their visits too, and then twice the smaller, *off* the total variation, *cost* sweeps of one row (all replicas counted) and milliseconds on one core for each effective sample.",
		coolingChains, coolingSweeps, coolingApart, annealingSweeps)
	if err := r.paint(times, off); err != nil {
		return err
	}
	var found []string
	worst := 0.0
	for _, a := range arms {
		c := r.curve("NLL of "+a, a, "nll_exact train")
		images := r.curve("exact share of the images, "+a, a, "images")
		r.add(c, images)
		worst = max(worst, c.last())
		found = append(found, fmt.Sprintf("%s %.3f nats, images hold %.3f", a, c.last(), images.value(1)))
	}
	r.claim("the machines have learned before they are cooled", "train NLL below 2.6 nats (ln 10 = 2.303)", decided(worst < 2.6, worst), "%s", strings.Join(found, "; "))
	least := func(name string, factors ...float64) float64 {
		p := 1.0
		for _, x := range factors {
			p = min(p, slices.Min(chance[name][x]))
		}
		return p
	}
	const unknown = "; open where the chains are not 20 times as long as their autocorrelation time, so that one visit a chain is all"
	for _, name := range []string{"tempering", "guided"} {
		for i, a := range arms {
			p, at := 1.0, coolings[0]
			for _, x := range coolings {
				if chance[name][x][i] < p {
					p, at = chance[name][x][i], x
				}
			}
			what := name + " visits the images of the " + a + " machine in their exact proportions, however cold it is"
			if name == "guided" {
				what = "jumps guided by " + map[string]string{"dense": "singular vectors", "axons": "patterns"}[a] + " visit the images of the " + a + " machine in their exact proportions, however cold it is"
			}
			v := decided(p > unlikely, p)
			for _, x := range coolings {
				v = provided(v, known(a, name, x))
			}
			r.claim(what, fmt.Sprintf("chi-square of visits %d autocorrelation times apart; chances above %g for couplings times %v", coolingApart, unlikely, coolings)+unknown, v, "smallest chance %.2g, times %g", p, at)
		}
	}
	warm, cold := least("gibbs", 1), slices.Max(chance["gibbs"][8])
	v, short := decided(warm > unlikely, warm), ""
	for i, a := range arms {
		short += fmt.Sprintf("%s: chance %.3g at 1, R-hat %.2f; ", a, chance["gibbs"][1][i], get(a, "gibbs", "R-hat").value(1))
		v = provided(v, known(a, "gibbs", 1))
	}
	r.claim("Gibbs chains do so in the machine as trained and not in one eight times colder", fmt.Sprintf("chances above %g at 1 and below at 8", unlikely)+unknown, all(v, decided(cold < unlikely, cold)),
		"%schance at most %.3g at 8", short, cold)
	p := least("annealing", coolings...)
	r.claim("annealing is a heuristic: fast cooling misses the proportions", fmt.Sprintf("%d sweeps a sample; some chance below %g", annealingSweeps, unlikely), decided(p < unlikely, p), "smallest chance %.3g", p)
	return nil
}

// coolingRow is a line of the table.
func coolingRow(arm, name string, x float64, at func(string, float64) (float64, bool)) []string {
	text := func(format, what string) string {
		v, ok := at(what, x)
		if !ok {
			return "-"
		}
		if v >= 1e9 {
			return "> 1e9"
		}
		if format == "" {
			return digits3(v)
		}
		return fmt.Sprintf(format, v)
	}
	duration := "-"
	if t, ok := at("time", x); ok {
		e, _ := at("time error", x)
		duration = fmt.Sprintf("%s ± %.2g", digits3(t), e)
		if known, _ := at("time known", x); known == 0 {
			duration = "at least " + digits3(t)
		}
	}
	return []string{arm, fmt.Sprintf("x %g", x), name, text("%.3f", "R-hat"), duration, text("%.0f", "effective samples"), text("%.0f", "visits"), text("%.0f", "images seen"),
		text("%.1f", "chi-square") + " / " + text("%.0f", "degrees of freedom"), text("%.2g", "chance"), text("%.3f", "total variation"), text("%.0f", "round trips"),
		text("", "sweeps per effective sample"), text("", "milliseconds per effective sample")}
}

// digits3 prints three digits, or all before the point.
func digits3(x float64) string {
	if math.Abs(x) >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}
