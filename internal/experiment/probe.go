package experiment

import (
	"math"
	"runtime"
	"slices"

	"mattis/eval"
	"mattis/view"
)

// probeRows bounds the training rows that choose a penalty, a quarter of them judging fits to the others.
const probeRows = 20_000

// probeFeatures gives the accuracies of probes of the features, on both sets.
func probeFeatures(w *work, t *trained, features ...string) error {
	measure, err := eval.Named("probe_accuracy")
	if err != nil {
		return err
	}
	for _, f := range features {
		o := t.Recipe.Measure.Options
		o.Probe.Features = f
		choice := o.Probe
		choice.Rows = min(t.Split.Train.Rows, probeRows)
		choice.HeldOut = choice.Rows - choice.Rows*3/4
		choice.Iterations, choice.Tolerance = 300, 1e-4
		penalty, _, err := eval.ChoosePenalty(w.ctx, eval.Subject{Machine: t.Machine, Split: t.Split, Key: w.key}, choice)
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
	value := func(label string) (mean, stderr float64) { return accuracy[label].accuracy() }
	sample, err := value("RA, one sample test")
	standard, standardErr := value("standard, one sample test")
	if reduced := !slices.Contains(r.figure.studies, digits); reduced { // the paper's numbers are of other machines
		r.claim("one sample of the RA machine's hidden layer tells more than one of a standard machine's", "93.84 % against 92.04 % of the test set at full size; decided on the test set by two standard errors", above(sample, standard, err, standardErr), "%s against %s", percent(sample, err), percent(standard, standardErr))
	} else {
		r.judgeLabels(accuracy)
	}
	for _, baseline := range []string{"RA untrained from ±1, one sample", "random signs", "pixels"} {
		x, e := value(baseline + " test")
		r.claim("the hidden layer has learned to distil the relevant information (against "+baseline+")", "the paper has no baseline; decided on the test set by two standard errors, each with the penalty that held-out training rows choose", above(sample, x, err, e), "%s against %s", percent(sample, err), percent(x, e))
	}
	mean, e := value("RA, means test")
	r.claim("means of hidden spins tell more than one sample", "not in the paper; decided on the test set by two standard errors", above(mean, sample, e, err), "%s against %s", percent(mean, e), percent(sample, err))
	random, randomErr := value("random signs test")
	r.claim("means of hidden spins have distilled it (against random signs)", "not in the paper; decided on the test set by two standard errors", above(mean, random, e, randomErr), "%s against %s", percent(mean, e), percent(random, randomErr))
	return nil
}

// testRows are those of MNIST's test set, of which accuracies are a share.
const testRows = 10_000.0

// accuracy returns a mean accuracy and its standard error: that of a share of the test set, which all
// machines have in common, beside that over machines.
func (c Curve) accuracy() (mean, stderr float64) {
	p := c.Mean[0]
	stderr = math.Sqrt(p * (1 - p) / testRows)
	if c.N[0] > 1 {
		stderr = math.Hypot(stderr, c.stderr(c.X[0]))
	}
	return p, stderr
}

func percent(p, stderr float64) string { return pm(100*p, 100*stderr, 2) + " %" }

// judgeLabels compares accuracies with the paper's.
func (r *results) judgeLabels(accuracy map[string]Curve) {
	at := func(label string) float64 { return 100 * accuracy[label].Mean[0] }
	sample, standard := at("RA, one sample test"), at("standard, one sample test")
	r.claim("labels from one sample of the RA machine's hidden layer", "95.47 ± 0.19 % (train) and 93.84 ± 0.19 % (test); decided by 0.5 % on the test set", decided(math.Abs(sample-93.84) <= 0.5, sample),
		"%.2f %% and %.2f %%; from patterns of ±1 %.2f %% and %.2f %%", at("RA, one sample train"), sample, at("RA from ±1, one sample train"), at("RA from ±1, one sample test"))
	r.claim("labels from a standard machine of 300 hidden spins", "93.01 ± 0.10 % (train) and 92.04 ± 0.19 % (test); decided by 0.5 % on the test set", decided(math.Abs(standard-92.04) <= 0.5, standard),
		"%.2f %% and %.2f %%", at("standard, one sample train"), standard)
}
