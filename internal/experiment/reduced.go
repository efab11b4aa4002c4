package experiment

import "mattis/eval"

// The machines of Figs. 6 and 7 and of the probe at a third of their size: 1000 hidden spins, 20 000
// rows in batches of 2000, 1200 updates in place of 4000. The rate falls in the same parts of a
// training as at full size, after a fifth of it and to the floor at three quarters.
var (
	reducedSize = []string{"data.limit=20000", "machine.hidden=1000", "train.batch=2000", "train.epochs=120", "measure.every=40",
		"optimizer.decay={factor: 0.96, after: 24, floor: 1e-3}", "measure.options.hamming.draws=5"}
	reducedWhy = "1000 hidden spins, 20 000 rows, 120 epochs of 10 updates: about a third of Fig. 6's in each, so that ten machines can be had"
)

var (
	reducedDigits = &study{[]*arm{{
		name: "rapid", recipe: "mnist", seconds: 240, settings: settingsFrom(digitMeasures, reducedSize), after: judgeDigits, why: "K = 190, " + reducedWhy,
		miniature: settingsFrom([]string{"couplings.patterns=6", "negative.steps=1"}, smallDigits),
	}}}
	reducedFrozenDigits = &study{[]*arm{{
		name: "rapid-unit", recipe: "mnist", seconds: 200, settings: settingsFrom([]string{"couplings.init={bernoulli: 1}"}, digitMeasures, reducedSize),
		after: func(w *work, t *trained) error { return probeFeatures(w, t, eval.FeaturesSample) },
		why:   "as rapid, but from patterns of ±1 as in Algorithm 1", miniature: settingsFrom([]string{"couplings.patterns=6", "negative.steps=1"}, smallDigits),
	}}}
	reducedMoreDigits = &study{[]*arm{{
		name: "rapid-290", recipe: "mnist", seconds: 200, settings: settingsFrom([]string{"couplings.patterns=290"}, digitMeasures, reducedSize), after: sampleDigits,
		why: "K = 290, 120 epochs as for K = 190", miniature: settingsFrom([]string{"couplings.patterns=8", "negative.steps=1"}, smallDigits),
	}}}
	reducedStandardDigits = &study{[]*arm{{
		name: "standard", recipe: "mnist", seconds: 60,
		settings:  settingsFrom(standardDigits.arms[0].settings, []string{"data.limit=20000", "train.epochs=30", "measure.options.hamming.draws=5"}),
		after:     standardDigits.arms[0].after,
		why:       "300 hidden spins, CD-1, a rate of 0.01, 30 epochs of 20 000 rows, half the updates of the full size",
		miniature: standardDigits.arms[0].miniature,
	}}}
)
