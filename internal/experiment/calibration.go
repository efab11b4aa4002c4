package experiment

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
	"mattis/view"
)

// calibrated is the figure calibration: what the standard errors of all measures that report one
// are worth on machines whose truth is known. An instance is one key and one machine.
var calibrated = &study{[]*arm{calibratedArm()}}

// calibratedSpins are the visible spins of its machines: 3x3 images.
const calibratedSpins = 9

// calibratedRows are the rows of each set, drawn from all states alike.
const calibratedRows = 100

func calibratedArm() *arm {
	a := &arm{name: "machines", seconds: 10,
		settings:  []string{"hidden=6", "runs=500", "betas=500", "chains=400", "sweeps=100", "watched=1000", "ladders=8"},
		miniature: []string{"hidden=3", "runs=20", "betas=10", "chains=60", "sweeps=10", "watched=60", "ladders=2"}}
	a.draw = func(w *work) error { return calibrate(w, a.settingsOf(w.miniature)) }
	return a
}

// calibrate adds, for each measure that can report an error, how far it is off, its error, and
// whether its interval holds and it warned.
func calibrate(w *work, settings []string) error {
	number := func(name string) int { return whole(setting(settings, name)) }
	strength := 0.3 * math.Pow(10, float64(w.key.Uniform(0, 2))) // 1 is about where spins begin to order
	m, _ := randomMachine(w.engine, w.key.Intn(4, 0, 3), calibratedSpins, number("hidden"), strength, w.key.Fold(0))
	split, err := calibratedSplit(w.key.Fold(1))
	if err != nil {
		return err
	}
	s := eval.Subject{Machine: m, Split: split, SetName: "test", Key: w.key.Fold(2), Memo: &eval.Memo{}}
	o := eval.Defaults()
	o.AIS.Runs, o.AIS.Betas = number("runs"), number("betas")
	o.Integration.Ladders = number("ladders")
	o.Samples.Chains, o.Samples.Sweeps = number("chains"), number("sweeps")
	o.Autocorrelation.Sweeps = number("watched")
	o.Probe.Features = eval.FeaturesMean
	t := truths{law: lawOf(m), subject: s, options: o}
	var asked []eval.Measure
	for _, m := range eval.Measures {
		// The groups of phases are found by chains: there is no share that theirs would tend to.
		// Of no flips recall is exact. Measures without a value here are of other data, or of a training.
		var none *eval.NoValue
		if m.Errors&eval.Estimated != 0 && m.Name != "phases" && m.Name != "recall" && !errors.As(m.Possible(s, o), &none) {
			asked = append(asked, m)
		}
	}
	for i, m := range asked {
		truth, err := t.of(w, m)
		if err != nil {
			return err
		}
		r, err := m.Run(w.ctx, s, o)
		var none *eval.NoValue
		if err != nil && !errors.As(err, &none) {
			return err
		}
		if err == nil {
			w.addCalibration(r, truth)
		}
		w.progress(float64(i+1) / float64(len(asked)))
	}
	return nil
}

// addCalibration adds what a result has to do with the truth. The interval is Detail.interval where
// there is one, and value +- 1.96 standard errors otherwise; one that is exact holds up to the
// rounding of float32.
func (w *work) addCalibration(r eval.Result, truth float64) {
	add := func(what string, value float64) { w.add(r.Measure+", "+what, 0, value) }
	flag := func(what string, is bool) {
		x := 0.0
		if is {
			x = 1
		}
		add(what, x)
	}
	interval, ok := r.Detail["interval"].([]float64)
	add("off", r.Value-truth)
	flag("warned", warns(r))
	flag("known", ok || !eval.IsUnknown(r.Stderr))
	flag("exact", !ok && r.Stderr == 0)
	switch {
	case ok:
		flag("holds", interval[0] <= truth && truth <= interval[1])
	case r.Stderr == 0:
		flag("holds", math.Abs(r.Value-truth) <= 1e-5*max(1, math.Abs(truth)))
	default:
		flag("holds", math.Abs(r.Value-truth) <= 1.96*r.Stderr)
	}
}

// warns reports whether a result says that its error may be larger.
func warns(r eval.Result) bool {
	warnings, _ := r.Detail["warnings"].([]string)
	enough, ok := r.Detail["enough"].(bool)
	return len(warnings) > 0 || ok && !enough
}

// calibratedSplit returns rows drawn from all states alike, labelled by the majority of their
// pixels, and the family of 3x3 bars and stripes.
func calibratedSplit(key rng.Key) (*data.Split, error) {
	split, err := data.BAS(data.Options{Size: 3, Split: "all"})
	if err != nil {
		return nil, err
	}
	for k, set := range []**data.Set{&split.Train, &split.Test} {
		states := make([]int, calibratedRows)
		for i := range states {
			states[i] = key.Intn(1<<calibratedSpins, uint64(k), uint64(i))
		}
		*set = statesOf(states)
	}
	return split, nil
}

// statesOf returns a set of the states of these numbers.
func statesOf(states []int) *data.Set {
	s := &data.Set{Name: "states", Rows: len(states), Visible: calibratedSpins, Height: 3, Width: 3, Labels: make([]int32, len(states)), Spins: make([]int8, len(states)*calibratedSpins)}
	for i, state := range states {
		exact.SetState(s.Row(i), uint64(state))
		sum := 0
		for _, x := range s.Row(i) {
			sum += int(x)
		}
		if sum > 0 {
			s.Labels[i] = 1
		}
	}
	return s
}

// truths are the exact values of measures of one machine.
type truths struct {
	law     *law
	subject eval.Subject
	options eval.Options
}

// of returns what the measure tends to: for measures whose error is over rows the mean over all
// states, of which rows are draws; for those of chains the law after their sweeps, mixed or not.
func (t truths) of(w *work, m eval.Measure) (float64, error) {
	l, o := t.law, t.options
	test := t.subject.Split.Test
	switch name := m.Name; {
	case strings.HasPrefix(name, "logz"):
		return l.logZ, nil
	case strings.HasPrefix(name, "nll"):
		return l.meanFree() + l.logZ, nil
	case name == "pseudo_likelihood":
		return l.meanPseudo(), nil
	case name == "hamming", name == "hamming_clamped": // over draws: all rows are taken
		sweeps, clamp := 1, false
		if name == "hamming_clamped" {
			sweeps, clamp = o.HammingClamped.Sweeps, true
		}
		known, mean := make([]bool, calibratedSpins), 0.0
		for i := range test.Rows {
			test.Known(i, known)
			mean += l.wrong(test.Row(i), known, sweeps, clamp) / float64(test.Rows)
		}
		return mean, nil
	case name == "gibbs_accessibility_mean":
		_, h := l.after(o.Accessibility.Sweeps)
		return l.meanEnergy(h) / l.ground, nil
	case name == "autocorrelation":
		return l.time(), nil
	case name == "probe_accuracy": // the same fit, judged on every state
		all := make([]int, 1<<calibratedSpins)
		for i := range all {
			all[i] = i
		}
		s := t.subject
		s.Memo = nil
		s.Split = &data.Split{Train: t.subject.Split.Train, Test: statesOf(all)}
		r, err := m.Run(w.ctx, s, o)
		return r.Value, err
	}
	v, _ := l.after(o.Samples.Sweeps)
	valid, covered := l.images(v, t.subject.Split.Family, o.Samples.Chains)
	switch m.Name {
	case "valid_share":
		return valid, nil
	case "coverage":
		return covered, nil
	case "overlap":
		return l.squaredOverlap(v), nil
	case "ultrametricity":
		return l.ultrametricity(v), nil
	}
	return 0, fmt.Errorf("the truth of %s is not known here: the figure calibration needs it", m.Name)
}

// calibration is what one measure's intervals were worth.
type calibration struct {
	name                               string
	intervals, held                    int // of values that have an error, and of exact ones that are wrong
	missed, missedWarned, warned, none int // none: values whose error is not known
	exact                              int // values that are right without an error
}

func (r *results) calibrationOf(name string) calibration {
	c := calibration{name: name}
	curve := func(what string) []float64 {
		x := r.curve("", "machines", name+", "+what)
		if len(x.lists) == 0 {
			return nil
		}
		return x.lists[0]
	}
	holds, known, exact, warned := curve("holds"), curve("known"), curve("exact"), curve("warned")
	for i := range holds {
		if warned[i] > 0 {
			c.warned++
		}
		switch {
		case known[i] == 0:
			c.none++
			continue
		case exact[i] > 0 && holds[i] > 0:
			c.exact++
			continue
		case holds[i] > 0:
			c.held++
		default:
			c.missed++
			if warned[i] > 0 {
				c.missedWarned++
			}
		}
		c.intervals++
	}
	return c
}

// The shares of 95 % intervals that hold the truth which a measure has to lie between, and the
// chance below which a count is not laid to luck.
const leastHeld, mostHeld, calibrationChance = 0.9, 0.99, 0.05

// verdict reports whether the share that holds lies between the two, up to the binomial law, or
// every miss is warned of.
func (c calibration) verdict() Verdict {
	switch {
	case c.intervals > 0:
	case c.exact > 0:
		return Agrees
	default:
		return Open
	}
	few, _ := eval.TailsOfBinomial(c.held, c.intervals, leastHeld)
	_, many := eval.TailsOfBinomial(c.held, c.intervals, mostHeld)
	return decided(few >= calibrationChance && many >= calibrationChance || c.missed > 0 && c.missed == c.missedWarned)
}

// finishCalibration is the figure calibration: a row a measure.
func finishCalibration(r *results) error {
	shares := view.Series{Name: "share"}
	var names []string
	for _, m := range eval.Measures {
		if m.Errors&eval.Estimated == 0 {
			continue
		}
		c := r.calibrationOf(m.Name)
		if c.intervals+c.none+c.exact == 0 {
			continue
		}
		names = append(names, c.name)
		row := []string{c.name, fmt.Sprint(c.intervals), fmt.Sprint(c.held), "-", fmt.Sprint(c.missed), fmt.Sprint(c.missedWarned), fmt.Sprint(c.warned), fmt.Sprint(c.none), fmt.Sprint(c.exact)}
		found := "no value has an error"
		switch {
		case c.intervals == 0 && c.exact > 0:
			found = fmt.Sprintf("%d exact values are it", c.exact)
		case c.intervals > 0:
			share := float64(c.held) / float64(c.intervals)
			row[3] = fmt.Sprintf("%.0f %%", 100*share)
			shares.X, shares.Mean = append(shares.X, float64(len(names))), append(shares.Mean, share)
			shares.Deviation = append(shares.Deviation, math.Sqrt(0.95*0.05/float64(c.intervals)))
			found = fmt.Sprintf("%d of %d hold it; %d of %d misses are warned of", c.held, c.intervals, c.missedWarned, c.missed)
		}
		r.table.Rows = append(r.table.Rows, row)
		r.add(r.curve(c.name+", off", "machines", c.name+", off"), r.curve(c.name+", holds", "machines", c.name+", holds"), r.curve(c.name+", warned", "machines", c.name+", warned"), r.curve(c.name+", known", "machines", c.name+", known"))
		r.claim("95 % intervals of "+c.name+" hold the truth", fmt.Sprintf("in %.0f to %.0f %% of all keys, up to a chance of %.0f %%, or with a warning beside each miss", 100*leastHeld, 100*mostHeld, 100*calibrationChance), c.verdict(), "%s", found)
	}
	r.table.Header = []string{"measure", "intervals", "hold", "share", "misses", "of them warned", "warned in all", "error not known", "exact"}
	r.caption = fmt.Sprintf("Machines of %d visible spins, axons and Gaussian couplings with and without biases from hot to cold, a new machine for each key; the truth is the sum over all states, and for chains the law after as many sweeps by the exact transition probabilities. Rows are draws from all states alike.", calibratedSpins)
	return r.paint([]view.Panel{view.DotsPanel{Title: r.title(), Value: view.Axis{Label: "share of 95 % intervals that hold the truth"}, Names: names, Series: []view.Series{shares}}})
}
