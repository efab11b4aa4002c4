package experiment

import (
	"fmt"
	"math"
	"slices"

	"mattis/view"
)

// The settings of arms of small machines, which can be summed: Bars on 4x4 images, what chains reach,
// and how alike samples are, along the training.
var (
	summed = []string{"train.epochs=300", "measure.every=30", "measure.test=[hamming, nll_exact]", "measure.train=[hamming, nll_exact, gibbs_accessibility_mean, overlap]",
		"measure.last=[]", "measure.options.hamming.draws=20", "measure.options.samples.chains=200"}
	// With few hidden spins no pattern of +-1 turns between two projections: patterns are clipped.
	clipped = []string{"project={update: [{clip: 1}], epoch: []}", "optimizer.decay.factor=0.99"}
	byPCD   = []string{"couplings={kind: dense, init: {normal: 0.01}}", "negative={kind: pcd, steps: 5, chains: 500}", "project={epoch: []}",
		"optimizer={kind: adam, rate: 0.01, decay: {factor: 0.9985, floor: 1e-5}}", "train.epochs=3000", "train.batch=10", "measure.every=300"}
	summedShort  = []string{"train.epochs=4", "measure.every=2", "measure.options.hamming.draws=2", "measure.options.samples.chains=20"}
	stripesShort = []string{"data.size=4", "couplings.patterns=6", "train.batch=8", "train.epochs=4"}
	overStripes  = []string{"data={name: bas, size: 12}", "train.batch=120", "train.epochs=20", "measure.every=5", "measure.options.hamming.draws=5", "measure.options.hamming.rows=500",
		"negative.steps=3", "project={update: [{clip: 1}], epoch: []}"}
)

// Why so many epochs.
const (
	whyBars    = "200 epochs at the rate of bars-deep, which falls by 0.96 an epoch; the test distance with a gain a pair is 0 from epoch 30 on"
	whyClipped = "300 epochs, the rate falling by 0.99 an epoch; the NLL of deep machines does not fall after epoch 60"
	whyPCD     = "3000 epochs of Adam, the rate falling to a hundredth; the NLL still falls at the end"
	whyStripes = "20 epochs; the test distance of deep machines falls from 0.033 to 0.032 over the last five"
	whyWide    = "100 epochs, by when the rate has fallen to a sixtieth"
)

func settingsFrom(parts ...[]string) []string { return slices.Concat(parts...) }

// deeper is the figure deep: RAPID on two hidden layers, beside restricted machines of as many
// parameters, and what a standard training of the same graphs ends at.
var deeper = &study{[]*arm{
	{name: "rapid-deep", recipe: "bars-deep", seconds: 20, why: whyBars,
		settings:  []string{"train.epochs=200", "measure.options.hamming.draws=20"},
		miniature: []string{"machine.hidden=[20, 20]", "train.epochs=4", "measure.every=2", "measure.options.hamming.draws=2"}},
	{name: "rapid-one-gain", recipe: "bars-deep", seconds: 20, why: whyBars,
		settings:  []string{"couplings.gain=1", "train.epochs=200", "measure.options.hamming.draws=20"},
		miniature: []string{"machine.hidden=[20, 20]", "train.epochs=4", "measure.every=2", "measure.options.hamming.draws=2"}},
	{name: "rapid-restricted", recipe: "bars-deep", seconds: 10, why: whyBars,
		settings:  []string{"machine={kind: rbm, hidden: 2000}", "couplings.gain=1", "positive={kind: marginal}", "train.epochs=200", "measure.options.hamming.draws=20"},
		miniature: []string{"machine.hidden=20", "train.epochs=4", "measure.every=2", "measure.options.hamming.draws=2"}},
	{name: "small-rapid-deep", recipe: "bars-deep", seconds: 30, why: whyClipped, miniature: settingsFrom(summedShort, []string{"machine.hidden=[4, 4]"}),
		settings: settingsFrom([]string{"machine.hidden=[12, 12]", "couplings.gain={visible-hidden1: 1, hidden1-hidden2: 0.33}"}, clipped, summed)},
	{name: "small-rapid-restricted", recipe: "bars-deep", seconds: 20, why: whyClipped, miniature: settingsFrom(summedShort, []string{"machine.hidden=4"}),
		settings: settingsFrom([]string{"machine={kind: rbm, hidden: 24}", "couplings.gain=1", "positive={kind: marginal}"}, clipped, summed)},
	{name: "small-pcd-deep", recipe: "bars-deep", seconds: 60, why: whyPCD, miniature: settingsFrom(summedShort, []string{"machine.hidden=[4, 4]", "negative.chains=20"}),
		settings: settingsFrom([]string{"machine.hidden=[12, 12]"}, summed, byPCD)},
	{name: "small-pcd-restricted", recipe: "bars-deep", seconds: 40, why: whyPCD, miniature: settingsFrom(summedShort, []string{"machine.hidden=4", "negative.chains=20"}),
		settings: settingsFrom([]string{"machine={kind: rbm, hidden: 21}", "positive={kind: marginal}"}, summed, byPCD)},
	{name: "stripes-deep", recipe: "bars-deep", seconds: 150, why: whyStripes, miniature: settingsFrom(stripesShort, []string{"machine.hidden=[20, 20]"}),
		settings: settingsFrom([]string{"machine.hidden=[500, 500]", "couplings={patterns: 40, gain: {visible-hidden1: 1, hidden1-hidden2: 0.008}}"}, overStripes)},
	{name: "stripes-one-gain", recipe: "bars-deep", seconds: 150, why: whyStripes, miniature: settingsFrom(stripesShort, []string{"machine.hidden=[20, 20]"}),
		settings: settingsFrom([]string{"machine.hidden=[500, 500]", "couplings={patterns: 40}"}, overStripes)},
	{name: "stripes-restricted", recipe: "bars-deep", seconds: 60, why: whyStripes, miniature: settingsFrom(stripesShort, []string{"machine.hidden=20"}),
		settings: settingsFrom([]string{"machine={kind: rbm, hidden: 1000}", "couplings={patterns: 40}", "positive={kind: marginal}"}, overStripes)},
}}

// curvesOf returns the curves of a measure of the arms, and adds them to the data.
func (r *results) curvesOf(point string, arms ...string) (curves []Curve) {
	for _, a := range arms {
		c := r.curve(a, a, point)
		curves = append(curves, c)
		c.Name += ", " + point
		r.add(c)
	}
	return curves
}

// ends returns the mean at the end and its standard error.
func ends(c Curve) (mean, stderr float64) { return c.last(), c.stderr(math.Inf(1)) }

// least returns the smallest mean of a curve from x on.
func (c Curve) least(from float64) float64 {
	x := math.Inf(1)
	for i, v := range c.X {
		if v >= from {
			x = min(x, c.Mean[i])
		}
	}
	return x
}

// endTable makes the figure's table of what measures are at the end.
func (r *results) endTable(arms []*arm, points ...string) {
	r.table.Header = append([]string{"method"}, points...)
	for _, a := range arms {
		row := []string{a.name}
		for _, p := range points {
			c, text := r.curve("", a.name, p), "-"
			if len(c.X) > 0 {
				mean, stderr := ends(c)
				text = pm(mean, stderr, 3)
			}
			row = append(row, text)
		}
		r.table.Rows = append(r.table.Rows, row)
	}
	r.caption = "At the end of the trainings; likelihoods are exact, in nats per sample."
}

// finishDeep is the figure deep.
func finishDeep(r *results) error {
	bars := []string{"rapid-deep", "rapid-one-gain", "rapid-restricted"}
	small := []string{"small-rapid-deep", "small-rapid-restricted", "small-pcd-deep", "small-pcd-restricted"}
	stripes := []string{"stripes-deep", "stripes-one-gain", "stripes-restricted"}
	test := r.curvesOf("hamming test", bars...)
	train := r.curvesOf("hamming train", bars...)
	ofStripes := r.curvesOf("hamming test", stripes...)
	r.curvesOf("hamming train", stripes...)
	nll := r.curvesOf("nll_exact train", small...)
	r.curvesOf("nll_exact test", small...)
	reach := r.curvesOf("gibbs_accessibility_mean", small...)
	alike := r.curvesOf("overlap", small...)
	epoch, share := view.Axis{Label: "epoch"}, view.Axis{Label: "Hamming distance, test", Min: 0, Max: 0.55}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: "Bars 4x4", X: epoch, Y: share}, Series: series(test...)},
		view.CurvesPanel{Chart: view.Chart{Title: "Bars and Stripes 12x12", X: epoch, Y: share}, Series: series(ofStripes...)},
	}, []view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: "small machines on Bars", X: epoch, Y: view.Axis{Label: "NLL, training set", Log: true}}, Series: series(nll...)},
		view.CurvesPanel{Chart: view.Chart{Title: "small machines on Bars", X: epoch, Y: view.Axis{Label: "mean energy / ground state", Min: 0, Max: 1.05}}, Series: series(reach...)},
	}); err != nil {
		return err
	}
	r.endTable(deeper.arms, "hamming train", "hamming test", "nll_exact train", "nll_exact test", "gibbs_accessibility_mean", "overlap")

	deep, deepErr := ends(test[0])
	r.claim("RAPID trains deep machines: reconstruction (Sec. VI)", "mean test distance of 16-1000-1000 on Bars at most 0.1 at the end, with one gain a pair", decided(deep <= 0.1, deep),
		"%s, training set %.3f", pm(deep, deepErr, 3), train[0].last())
	one, oneErr := ends(test[1])
	r.claim("one gain for all pairs does as well (Eq. 5)", "its mean test distance is not above that of a gain a pair by two standard errors", notAbove(one, deep, oneErr, deepErr), "%s against %s", pm(one, oneErr, 3), pm(deep, deepErr, 3))
	flat, flatErr := ends(test[2])
	r.claim("two layers reconstruct better than one of as many parameters (not in the paper)", "test distances on Bars, two standard errors apart", above(flat, deep, flatErr, deepErr), "%s against %s", pm(deep, deepErr, 3), pm(flat, flatErr, 3))
	x, xErr := ends(ofStripes[0])
	r.claim("RAPID trains deep machines on 12x12 BAS: reconstruction (Sec. VI)", "mean test distance at most 0.1 at the end, with one gain a pair", decided(x <= 0.1, x),
		"%s; one gain for all %.3f, restricted machine of as many parameters %.3f", pm(x, xErr, 3), ofStripes[1].last(), ofStripes[2].last())

	rapid, rapidErr := ends(nll[0])
	pcd, pcdErr := ends(nll[2])
	likely := notAbove(rapid, pcd, rapidErr, pcdErr)
	r.claim("RAPID trains deep machines: likelihood (Sec. VI)", "exact NLL of 16-12-12 on Bars is not above that of the same graph trained by PCD, by two standard errors", likely, "%s against %s nats", pm(rapid, rapidErr, 3), pm(pcd, pcdErr, 3))
	reached, reachedErr := ends(reach[0])
	standard, standardErr := ends(reach[2])
	other := Open // RAPID has not failed
	if likely == Differs {
		other = notAbove(standard, reached, standardErr, reachedErr)
	}
	r.claim("or else glassiness is not the difficulty of deep machines (Sec. VI)",
		"RAPID fails by its likelihood, and its chains reach no smaller share of the ground state's energy at the end than those of PCD's machines do, by two standard errors", other,
		"%s against %s, for RAPID %.3f at least along the training; mean squared overlap of samples %.3f against %.3f", pm(reached, reachedErr, 3), pm(standard, standardErr, 3), reach[0].least(0), alike[0].last(), alike[2].last())
	shallow, shallowErr := ends(nll[3])
	r.claim("two layers have a better likelihood than one of as many parameters (not in the paper)", "exact NLL by PCD, two standard errors apart", above(shallow, pcd, shallowErr, pcdErr), "%s against %s nats", pm(pcd, pcdErr, 3), pm(shallow, shallowErr, 3))
	return nil
}

// fullyCoupled is the figure full: machines in which every two spins meet. Untrained ones of random
// patterns have phases that are known (refs. 19-21); trained ones stand beside restricted machines
// of as many parameters.
var fullyCoupled = &study{[]*arm{
	loadedArm(),
	{name: "rapid", recipe: "bars-full", seconds: 30, why: whyClipped, miniature: summedShort,
		settings: settingsFrom([]string{"machine.hidden=0"}, ofRAPID, clipped, summed)},
	{name: "rapid-hidden", recipe: "bars-full", seconds: 40, why: whyClipped, miniature: summedShort,
		settings: settingsFrom(ofRAPID, clipped, summed)},
	{name: "rapid-gain-a-pair", recipe: "bars-full", seconds: 40, why: whyClipped, miniature: summedShort,
		settings: settingsFrom(ofRAPID, []string{"couplings.gain={visible-visible: 0.25, visible-hidden: 1, hidden-hidden: 0.25}"}, clipped, summed)},
	{name: "rapid-restricted", recipe: "bars-full", seconds: 20, why: whyClipped, miniature: summedShort,
		settings: settingsFrom(ofRAPID, []string{"machine={kind: rbm, hidden: 8}", "positive={kind: marginal}"}, clipped, summed)},
	{name: "rapid-wide", recipe: "bars-full", seconds: 60, why: whyWide, miniature: wideShort,
		settings: settingsFrom([]string{"machine.hidden=400"}, ofRAPID, wide)},
	{name: "rapid-wide-gain-a-pair", recipe: "bars-full", seconds: 60, why: whyWide, miniature: wideShort,
		settings: settingsFrom([]string{"machine.hidden=400"}, ofRAPID, []string{"couplings.gain={visible-visible: 1, visible-hidden: 1, hidden-hidden: 0.01}"}, wide)},
	{name: "rapid-wide-restricted", recipe: "bars-full", seconds: 10, why: whyWide, miniature: wideShort,
		settings: settingsFrom(ofRAPID, []string{"machine={kind: rbm, hidden: 400}", "positive={kind: marginal}"}, wide)},
	{name: "stripes-full", recipe: "bars-full", seconds: 150, why: whyStripes, miniature: settingsFrom(stripesShort, []string{"machine.hidden=10"}),
		settings: settingsFrom([]string{"machine.hidden=300"}, ofRAPID, []string{"couplings={kind: axons, patterns: 40, gain: {visible-visible: 1, visible-hidden: 1, hidden-hidden: 0.013}}"}, overStripes, []string{"measure.last=[]"})},
	{name: "stripes-restricted", recipe: "bars-full", seconds: 30, why: whyStripes, miniature: settingsFrom(stripesShort, []string{"machine.hidden=10"}),
		settings: settingsFrom(ofRAPID, []string{"machine={kind: rbm, hidden: 300}", "couplings={kind: axons, patterns: 40}", "positive={kind: marginal}"}, overStripes, []string{"measure.last=[]"})},
	{name: "pcd", recipe: "bars-full", seconds: 60, why: whyPCD, miniature: settingsFrom(summedShort, []string{"negative.chains=20"}),
		settings: settingsFrom([]string{"machine.hidden=0", "positive={kind: marginal}"}, summed, byPCD)},
	{name: "pcd-hidden", recipe: "bars-full", seconds: 100, why: whyPCD, miniature: settingsFrom(summedShort, []string{"negative.chains=20"}),
		settings: settingsFrom([]string{"positive={kind: clamped, steps: 5, chains: 10}"}, summed, byPCD)},
	{name: "pcd-restricted", recipe: "bars-full", seconds: 40, why: whyPCD, miniature: settingsFrom(summedShort, []string{"negative.chains=20"}),
		settings: settingsFrom([]string{"machine={kind: rbm, hidden: 17}", "positive={kind: marginal}"}, summed, byPCD)},
}}

// wide are the settings of machines in which K << N, as the paper wants it; no sum reaches these.
var (
	wide      = []string{"train.epochs=100", "measure.every=10", "measure.test=[hamming]", "measure.train=[hamming]", "measure.last=[]", "measure.options.hamming.draws=20"}
	wideShort = []string{"machine.hidden=20", "train.epochs=4", "measure.every=2", "measure.options.hamming.draws=2"}
)

// ofRAPID are the settings of RAPID on a fully connected machine.
var ofRAPID = []string{"couplings={kind: axons, patterns: 8, gain: 1}", "positive={kind: mean-field, steps: 10}", "negative={kind: pid-gibbs, steps: 10}",
	"optimizer={kind: sgd, rate: 0.02, decay: {factor: 0.96}}", "project={epoch: [sign]}", "train.batch=3"}

// finishFull is the figure full.
func finishFull(r *results) error {
	arms := []string{"rapid", "rapid-hidden", "rapid-gain-a-pair", "rapid-restricted", "pcd", "pcd-hidden", "pcd-restricted"}
	wider := []string{"rapid-wide", "rapid-wide-gain-a-pair", "rapid-wide-restricted"}
	nll := r.curvesOf("nll_exact train", arms...)
	r.curvesOf("hamming test", arms...)
	wideTest, stripes := r.curvesOf("hamming test", wider...), r.curvesOf("hamming test", "stripes-full", "stripes-restricted")
	r.curvesOf("hamming train", append(wider, "stripes-full", "stripes-restricted")...)
	r.curvesOf("nll_exact test", arms...)
	r.curvesOf("hamming train", arms...)
	r.curvesOf("gibbs_accessibility_mean", arms...)
	loaded := r.curvesOf("random starts", "random patterns")[0]
	own := r.curvesOf("pattern starts", "random patterns")[0]
	stays := r.curvesOf("overlap kept", "random patterns")[0]
	loaded.Name, own.Name, stays.Name = "chains from random spins", "descents from patterns", "overlap with the pattern"
	epoch := view.Axis{Label: "epoch"}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: "random patterns, N = " + setting(fullyCoupled.arms[0].settingsOf(r.options.Miniature), "spins"),
			X: view.Axis{Label: "K/N", Log: true}, Y: view.Axis{Label: "energy / lowest found; overlap", Min: 0, Max: 1.05}}, Series: series(loaded, own, stays)},
		view.CurvesPanel{Chart: view.Chart{Title: "small machines on Bars", X: epoch, Y: view.Axis{Label: "NLL, training set", Log: true}}, Series: series(nll...)},
	}, []view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: "Bars 4x4, 16 + 400 spins", X: epoch, Y: view.Axis{Label: "Hamming distance, test", Min: 0, Max: 0.55}}, Series: series(wideTest...)},
		view.CurvesPanel{Chart: view.Chart{Title: "Bars and Stripes 12x12", X: epoch, Y: view.Axis{Label: "Hamming distance, test", Min: 0, Max: 0.55}}, Series: series(stripes...)},
	}); err != nil {
		return err
	}
	r.endTable(fullyCoupled.arms[1:], "hamming train", "hamming test", "nll_exact train", "nll_exact test", "gibbs_accessibility_mean", "overlap")

	at := func(c Curve, x float64) string { return pm(c.value(x), c.stderr(x), 3) }
	first := own.X[0]
	r.claim("for K << N patterns are low-energy configurations (Sec. III.A)", fmt.Sprintf("descents from patterns end within 5 %% of the lowest energy found, at K/N = %g", first), decided(own.value(first) >= 0.95, own.value(first)), "%s of it", at(own, first))
	low, high := stays.value(0.12), stays.value(0.16)
	r.claim("K/N decides about the phase, and there is a threshold (Sec. IV.C, refs. 20, 21)", "the mean overlap with the pattern that a descent starts from is above 0.9 at K/N = 0.12 and below it by 0.2 and more at 0.2", decided(low > 0.9 && low-stays.value(0.2) >= 0.2, low, stays.value(0.2)),
		"%s at 0.12, %.3f at 0.16, %s at 0.2", at(stays, 0.12), high, at(stays, 0.2))
	a, b := loaded.value(0.05), loaded.value(0.3)
	r.claim("below the threshold low-energy configurations are easy to reach, above it hard (Sec. IV.C)", "the mean energy of 10 Gibbs sweeps from random spins, as a share of the lowest found, is larger at K/N = 0.05 than at 0.3, two standard errors apart", above(a, b, loaded.stderr(0.05), loaded.stderr(0.3)),
		"%s at 0.05, %s at 0.138, %s at 0.3", at(loaded, 0.05), at(loaded, 0.138), at(loaded, 0.3))

	rapid, rapidErr := ends(nll[0])
	pcd, pcdErr := ends(nll[4])
	r.claim("RAPID applies to fully connected machines: likelihood (Sec. VI)", "exact NLL of 16 visible spins on Bars is not above that by PCD, by two standard errors", notAbove(rapid, pcd, rapidErr, pcdErr), "%s against %s nats", pm(rapid, rapidErr, 3), pm(pcd, pcdErr, 3))
	hidden, hiddenErr := ends(wideTest[1])
	r.claim("RAPID applies to fully connected machines: reconstruction (Sec. VI)", "mean test distance of 16 + 400 spins on Bars at most 0.1 at the end, with one gain a pair", decided(hidden <= 0.1, hidden), "%s; one gain for all %.3f, restricted machine of as many parameters %.3f", pm(hidden, hiddenErr, 3), wideTest[0].last(), wideTest[2].last())
	r.claim("the same on 12x12 BAS", "mean test distance of 144 + 300 spins at most 0.1 at the end, with one gain a pair", decided(stripes[0].last() <= 0.1, stripes[0].last()), "%s; restricted machine of as many parameters %.3f", pm(stripes[0].last(), stripes[0].stderr(math.Inf(1)), 3), stripes[1].last())
	with, withErr := ends(nll[5])
	flat, flatErr := ends(nll[6])
	r.claim("couplings within layers have a better likelihood than a restricted machine of as many parameters (not in the paper)", "exact NLL by PCD of 16 + 8 spins, two standard errors apart", above(flat, with, flatErr, withErr), "%s against %s nats", pm(with, withErr, 3), pm(flat, flatErr, 3))
	return nil
}
