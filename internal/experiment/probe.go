package experiment

import (
	"math"
	"runtime"
	"slices"

	"mattis/data"
	"mattis/eval"
	"mattis/view"
)

// probePenalties are what the penalty of a probe is chosen from, each over the number of rows that
// it is fitted to; 1 is that of scikit-learn.
var probePenalties = []float64{1, 10, 100, 1000}

// probeRows bounds the training rows that choose.
const probeRows = 20_000

// probePenalty returns the one of probePenalties under which a probe that is fitted to three
// quarters of some training rows names most of the other quarter: no test row has a say.
func probePenalty(w *work, t *trained, measure eval.Measure, o eval.Options) (best float64, err error) {
	order := make([]int32, t.Split.Train.Rows)
	data.Order(order, w.key)
	order = order[:min(len(order), probeRows)]
	split := *t.Split
	fit := len(order) * 3 / 4
	split.Train, split.Test, split.Validation = t.Split.Train.Take(order[:fit]), t.Split.Train.Take(order[fit:]), nil
	o.Probe.Iterations, o.Probe.Tolerance = 300, 1e-4
	most := -1.0
	for _, p := range probePenalties {
		o.Probe.Penalty = p / float64(fit)
		x, err := measure.Run(w.ctx, eval.Subject{Machine: t.Machine, Split: &split, SetName: "test", Key: w.key, Memo: &eval.Memo{}}, o)
		if err != nil {
			return 0, err
		}
		if x.Value > most {
			most, best = x.Value, p
		}
	}
	return best, nil
}

// probeFeatures gives the accuracies of probes of the features, on both sets.
func probeFeatures(w *work, t *trained, features ...string) error {
	measure, err := eval.Named("probe_accuracy")
	if err != nil {
		return err
	}
	for _, f := range features {
		o := t.Recipe.Measure.Options
		o.Probe.Features = f
		penalty, err := probePenalty(w, t, measure, o)
		if err != nil {
			return err
		}
		o.Probe.Penalty = penalty / float64(t.Split.Train.Rows)
		memo := &eval.Memo{}
		for _, set := range []string{"train", "test"} {
			s := eval.Subject{Machine: t.Machine, Split: t.Split, SetName: set, Key: w.key, Memo: memo}
			x, err := measure.Run(w.ctx, s, o)
			if err != nil {
				return err
			}
			size := float64(x.Detail["size"].(int))
			w.add("probe "+f+" "+set, size, x.Value)
			if set == "test" {
				w.add("probe "+f+" penalty", size, penalty)
			}
		}
		runtime.GC() // a set of features takes up to 0.7 GB
	}
	return nil
}

// judgeDigits gives the probes and their baselines.
func judgeDigits(w *work, t *trained) error {
	return probeFeatures(w, t, eval.Features...)
}

// finishProbe is the table of Sec. V.B: labels from hidden layers, and from what is no machine at
// all.
func finishProbe(r *results) error {
	type row struct{ label, arm, features string }
	rows := []row{
		{"RA, one sample", "rapid", eval.FeaturesSample}, {"RA, means", "rapid", eval.FeaturesMean}, {"RA from ±1, one sample", "rapid-unit", eval.FeaturesSample},
		{"RA untrained from ±1, one sample", "rapid", eval.FeaturesUntrained}, {"random signs", "rapid", eval.FeaturesRandom}, {"pixels", "rapid", eval.FeaturesPixels},
		{"standard, one sample", "standard", eval.FeaturesSample}, {"standard, means", "standard", eval.FeaturesMean},
	}
	accuracy := map[string]Curve{}
	var train, test Curve
	train.Name, test.Name = "train", "test"
	var names []string
	for _, x := range rows {
		drawn := x.arm != "rapid-unit" // whose chance level would take the scale from the others
		if drawn {
			names = append(names, x.label)
		}
		for _, set := range []string{"train", "test"} {
			c := r.curve(x.label+", "+set, x.arm, "probe "+x.features+" "+set)
			accuracy[x.label+" "+set] = c
			r.add(c)
			to := &train
			if set == "test" {
				to = &test
			}
			if drawn {
				to.X = append(to.X, float64(len(names)))
				to.Mean, to.SD, to.N = append(to.Mean, 100*c.Mean[0]), append(to.SD, 100*c.SD[0]), append(to.N, c.N[0])
			}
		}
		r.add(r.curve("penalty times rows, "+x.label, x.arm, "probe "+x.features+" penalty"))
	}
	place := func(label string) float64 { return float64(slices.Index(names, label) + 1) }
	paper := exactly("paper, test", []float64{place("RA, one sample"), place("standard, one sample")}, []float64{93.84, 92.04})
	bars := view.DotsPanel{Title: r.title(), Value: view.Axis{Label: "accuracy (%)"}, Names: names, Series: series(train, test, paper)}
	if err := r.paint([]view.Panel{bars}); err != nil {
		return err
	}
	value := func(label string) (mean, stderr float64) {
		c := accuracy[label]
		rows := 10_000.0 // of the test set; the sampling error of one machine's accuracy
		p := c.Mean[0]
		return p, math.Sqrt(p * (1 - p) / rows)
	}
	sample, err := value("RA, one sample test")
	standard, _ := value("standard, one sample test")
	trainSample := accuracy["RA, one sample train"].Mean[0]
	r.claim("labels from one sample of the RA machine's hidden layer", "95.47 ± 0.19 % (train) and 93.84 ± 0.19 % (test); decided by 0.5 % on the test set", decided(math.Abs(sample-0.9384) <= 0.005, sample), "%.2f %% and %.2f %%; from patterns of ±1 %.2f %% and %.2f %%", 100*trainSample, 100*sample, 100*accuracy["RA from ±1, one sample train"].Mean[0], 100*accuracy["RA from ±1, one sample test"].Mean[0])
	r.claim("labels from a standard machine of 300 hidden spins", "93.01 ± 0.10 % (train) and 92.04 ± 0.19 % (test); decided by 0.5 % on the test set", decided(math.Abs(standard-0.9204) <= 0.005, standard), "%.2f %% and %.2f %%", 100*accuracy["standard, one sample train"].Mean[0], 100*standard)
	for _, baseline := range []string{"RA untrained from ±1, one sample", "random signs", "pixels"} {
		x, e := value(baseline + " test")
		r.claim("the hidden layer has learned to distil the relevant information (against "+baseline+")", "the paper has no baseline; decided on the test set by two standard errors, each with the penalty that held-out training rows choose", above(sample, x, err, e), "%.2f %% against %.2f %%", 100*sample, 100*x)
	}
	mean, e := value("RA, means test")
	r.claim("means of hidden spins tell more than one sample", "not in the paper; decided on the test set by two standard errors", above(mean, sample, e, err), "%.2f %% against %.2f %%", 100*mean, 100*sample)
	random, randomErr := value("random signs test")
	r.claim("means of hidden spins have distilled it (against random signs)", "not in the paper; decided on the test set by two standard errors", above(mean, random, e, randomErr), "%.2f %% against %.2f %%", 100*mean, 100*random)
	return nil
}
