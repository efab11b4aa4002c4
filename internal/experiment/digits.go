package experiment

import (
	"context"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
	"mattis/rng"
	"mattis/view"
)

var digitMeasures = []string{"measure.every=50", "measure.test=[hamming, nll_ais]", "measure.train=[hamming, nll_ais, phases]", "measure.last=[pseudo_likelihood]",
	"measure.options.hamming.draws=10", "measure.options.ais.runs=100"}

var smallDigits = []string{"data.limit=200", "machine.hidden=16", "train.batch=50", "train.epochs=2", "measure.every=1", "measure.options.hamming.draws=2",
	"measure.options.ais.runs=8", "measure.options.ais.betas=8"}

// digits are the machines of Figs. 6a, 6b and 7, frozenDigits the same from the start that
// Algorithm 1 has, moreDigits those of 6c, and standardDigits the standard machines of Sec. V.B.
var (
	digits = &study{[]*arm{{
		name: "rapid", recipe: "mnist", seconds: 1500, settings: digitMeasures, after: judgeDigits,
		why: "K = 190, the released program's 500 epochs; the patterns start at ±0.1, which the paper does not say", miniature: append([]string{"couplings.patterns=6", "negative.steps=1"}, smallDigits...),
	}}}
	frozenDigits = &study{[]*arm{{
		name: "rapid-unit", recipe: "mnist", seconds: 1400, settings: append([]string{"couplings.init={bernoulli: 1}"}, digitMeasures...),
		after: func(w *work, t *trained) error { return probeFeatures(w, t, eval.FeaturesSample) },
		why:   "as rapid, but from patterns of ±1 as in Algorithm 1", miniature: append([]string{"couplings.patterns=6", "negative.steps=1"}, smallDigits...),
	}}}
	moreDigits = &study{[]*arm{{
		name: "rapid-290", recipe: "mnist", seconds: 2100, settings: append([]string{"couplings.patterns=290"}, digitMeasures...), after: sampleDigits,
		why: "K = 290, 500 epochs as for K = 190", miniature: append([]string{"couplings.patterns=8", "negative.steps=1"}, smallDigits...),
	}}}
	standardDigits = &study{[]*arm{{
		name: "standard", recipe: "mnist", seconds: 150,
		settings: []string{"machine.hidden=300", "couplings={kind: dense, init: {normal: 0.01}}", "negative={kind: cd, steps: 1}", "optimizer={kind: sgd, rate: 0.01}",
			"project={}", "train.batch=100", "train.epochs=20", "measure.every=5", "measure.last=[]", "measure.options.hamming.draws=10"},
		after:     func(w *work, t *trained) error { return probeFeatures(w, t, eval.FeaturesSample, eval.FeaturesMean) },
		why:       "300 hidden spins, CD-1, a rate of 0.01, 20 epochs; the paper does not say how they were trained (after as many epochs of Adam at 0.001 a probe names 77 % of the test set)",
		miniature: []string{"data.limit=200", "machine.hidden=8", "train.batch=50", "train.epochs=1"},
	}}}
)

// reader names the digit of an image: a probe of the pixels of real digits, one for a figure.
type reader struct {
	probe  *eval.Probe
	engine compute.Engine
}

// readerRows bounds the digits that the reader learns from.
const readerRows = 20_000

func newReader(ctx context.Context, e compute.Engine, set *data.Set) (*reader, error) {
	rows := min(set.Rows, readerRows)
	x := e.Alloc(compute.Int8, rows, set.Visible)
	compute.Write(e, x, set.Spins[:rows*set.Visible])
	o := eval.Defaults().Probe
	o.Penalty, o.Tolerance = 1e-3, 1e-4
	p, err := eval.FitProbe(ctx, e, x, set.Labels[:rows], 10, o)
	return &reader{p, e}, err
}

// read returns the class of each image and the probability that the reader gives it.
func (r *reader) read(rows [][]int8) (classes []int, confidence []float64) {
	mark := r.engine.Mark()
	defer r.engine.Release(mark)
	x := r.engine.Scratch(compute.Int8, len(rows), len(rows[0]))
	compute.Write(r.engine, x, slices.Concat(rows...))
	for _, p := range r.probe.Probabilities(r.engine, x) {
		best := 0
		for c, y := range p {
			if y > p[best] {
				best = c
			}
		}
		classes, confidence = append(classes, best), append(confidence, p[best])
	}
	return classes, confidence
}

// digitChains chains from random spins make the samples of Fig. 6c, which are looked at after so
// many sweeps; the picture shows those of digitsShown. The machines are trained to be right after
// 10 sweeps from the patterns.
const digitChains, digitsShown = 500, 30

var digitSweeps = []int{10, digitsShown, 100, 1000}

// drawDigits returns samples after so many sweeps. A machine without biases gives an image and its
// negative the same probability: the one with more background than ink stands for both.
func drawDigits(m *bm.Machine, start []int8, n, sweeps int, key rng.Key) [][]int8 {
	rows := chainsFrom(m, start, n, sweeps, key)
	if m.Symmetric() {
		lessInk(rows)
	}
	return rows
}

// lessInk turns the rows that have more ink than background into their negatives.
func lessInk(rows [][]int8) {
	for _, row := range rows {
		sum := 0
		for _, s := range row {
			sum += int(s)
		}
		if sum > 0 {
			for i := range row {
				row[i] *= -1
			}
		}
	}
}

// sampleDigits gives how surely a reader of real digits names samples, beside real digits and
// coins.
func sampleDigits(w *work, t *trained) error {
	reader, err := newReader(w.ctx, w.engine, t.Split.Train)
	if err != nil {
		return err
	}
	key := recipe.SampleKey(t.Recipe.Seed)
	look := func(name string, x int, rows [][]int8) {
		classes, confidence := reader.read(rows)
		mean, _ := moments(confidence)
		w.add("confidence in "+name, float64(x), mean)
		w.add("classes in "+name, float64(x), float64(len(sure(classes, confidence))))
	}
	for _, sweeps := range digitSweeps {
		look("samples", sweeps, drawDigits(t.Machine, nil, digitChains, sweeps, key))
	}
	test := slices.Collect(slices.Chunk(t.Split.Test.Spins, t.Split.Test.Visible))
	look("test digits", 0, test[:min(len(test), 1000)])
	flips := coins(digitChains, t.Split.Test.Visible, key)
	lessInk(flips)
	look("coins", 0, flips)
	return nil
}

// sure returns the classes that one image of a hundred has, with a confidence over 0.8.
func sure(classes []int, confidence []float64) (seen []int) {
	var images [10]int
	for i, c := range classes {
		if confidence[i] > 0.8 {
			images[c]++
		}
	}
	for c, n := range images {
		if n > 0 && 100*n >= len(classes) {
			seen = append(seen, c)
		}
	}
	return seen
}

func coins(n, visible int, key rng.Key) [][]int8 {
	rows := make([][]int8, n)
	for i := range rows {
		rows[i] = make([]int8, visible)
		for j := range rows[i] {
			rows[i][j] = int8(2*key.Intn(2, uint64(i), uint64(j)) - 1)
		}
	}
	return rows
}

// finishDigits is Fig. 6: the NLL by AIS from several bases, its late part, and samples.
func finishDigits(r *results) error {
	var forward []Curve
	at := map[string]Curve{}
	for _, c := range []struct{ name, arm, measure string }{
		{"train, AIS", "rapid", "nll_ais train"}, {"test, AIS", "rapid", "nll_ais test"},
		{"share of the data's phase", "rapid", "phases"}, {"from ±1, share of the data's phase", "rapid-unit", "phases"},
		{"from ±1, train, AIS", "rapid-unit", "nll_ais train"}, {"from ±1, test, AIS", "rapid-unit", "nll_ais test"},
		{"K = 290, test, AIS", "rapid-290", "nll_ais test"},
	} {
		x := r.curve(c.name, c.arm, c.measure)
		at[c.name] = x
		r.add(x)
		if c.arm == "rapid" && strings.HasPrefix(c.measure, "nll_ais") {
			forward = append(forward, x)
		}
	}
	unit := at["from ±1, train, AIS"]
	for _, of := range []string{"samples", "test digits", "coins"} {
		r.add(r.curve("confidence in "+of, "rapid-290", "confidence in "+of), r.curve("classes in "+of, "rapid-290", "classes in "+of))
	}
	end := forward[0].X[len(forward[0].X)-1]
	var late []Curve
	for _, c := range forward {
		from := c.at(end * 0.6)
		late = append(late, Curve{Name: c.Name, X: c.X[from:], Mean: c.Mean[from:], SD: c.SD[from:], N: c.N[from:]})
	}
	m, err := r.model(r.of("rapid-290")[0])
	if err != nil {
		return err
	}
	split, err := m.LoadData()
	if err != nil {
		return err
	}
	reader, err := newReader(r.ctx, r.engine, split.Train)
	if err != nil {
		return err
	}
	samples := drawDigits(m.Machine, nil, digitChains, digitsShown, recipe.SampleKey(m.Recipe.Seed))[:48]
	classes, _ := reader.read(samples)
	order := make([]int, len(samples)) // by class, so that a reader sees what there is
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return classes[a] - classes[b] })
	var images [][]float32
	for _, i := range order {
		images = append(images, shades(samples[i]))
	}
	nats := view.Axis{Label: "NLL (nats)"}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: r.title(), X: view.Axis{Label: "epoch"}, Y: view.Axis{Label: nats.Label, Log: true}}, Series: series(append(forward, unit)...)},
		view.CurvesPanel{Chart: view.Chart{Title: "late training", X: view.Axis{Label: "epoch"}, Y: nats}, Series: series(late...)},
	}, []view.Panel{
		view.ImagesPanel{Title: fmt.Sprintf("K = 290: samples, %d Gibbs steps from random spins; an image and its negative are one", digitsShown), Images: images, Sheet: view.Sheet{Height: m.Height, Width: m.Width, Columns: 12}},
	}); err != nil {
		return err
	}
	train, test := at["train, AIS"], at["test, AIS"]
	orders := func(c Curve) float64 { return math.Log10(c.Mean[0] / c.last()) }
	r.claim("training lowers the NLL by four orders of magnitude", "final values \"four orders of magnitude smaller than the initial\"; decided by a ratio of at least 10^3.5 from Algorithm 1's start, patterns of ±1, which would be an NLL that no model of these data has", decided(orders(unit) >= 3.5, orders(unit)),
		"from ±1 %.0f nats to %.0f nats by AIS, a factor of 10^%.1f; from ±0.1 %.0f to %.1f", unit.Mean[0], unit.last(), orders(unit), train.Mean[0], train.last())
	// An NLL by annealing is too low where a phase is missed, so that only a high one decides by
	// itself.
	unitTest, unitShare := at["from ±1, test, AIS"].last(), at["from ±1, share of the data's phase"].last()
	learns := decided(unitTest <= 1.05*test.last(), unitTest, test.last())
	if learns == Agrees && !(unitShare >= 0.5) {
		learns = Open
	}
	r.claim("the machine learns from patterns of ±1", "Algorithm 1's start; decided by a final test NLL within 5 % of that from ±0.1, open where less than half of the mass is found where the data lie", learns, "%.1f nats (a share of %.2g of the mass where the data lie), from ±0.1 %.1f", unitTest, unitShare, test.last())
	last := train.last()
	gap, best := test.last()-last, slices.Min(test.Mean)
	r.claim("training and test NLL move parallel: no overfitting", "final test NLL within 5 % of the training one and of its own lowest value", decided(math.Abs(gap) <= 0.05*last && test.last() <= 1.05*best, gap, best), "%s and %s nats, lowest test value %.1f", pm(last, train.stderr(math.Inf(1)), 1), pm(test.last(), test.stderr(math.Inf(1)), 1), best)
	share := at["share of the data's phase"]
	r.claim("the mass of the machine lies where the data do", "annealing from several bases finds at least half of the mass in the phase of the data at the end; of several machines by two standard errors", beyond(share.last(), 0.5, share.stderr(math.Inf(1))), "%s", shareOf(share))
	k290 := at["K = 290, test, AIS"]
	if len(k290.Mean) > 0 {
		inf := math.Inf(1)
		v := above(k290.last(), test.last(), k290.stderr(inf), test.stderr(inf))
		r.claim("a lower K gives a lower NLL", "K = 190 below K = 290 on the test set by two standard errors", v, "%s against %s nats", pm(test.last(), test.stderr(inf), 1), pm(k290.last(), k290.stderr(inf), 1))
	}
	c, classesSeen := r.curve("", "rapid-290", "confidence in samples"), r.curve("", "rapid-290", "classes in samples")
	text := ""
	for _, sweeps := range digitSweeps {
		text += fmt.Sprintf("%.3f and %.0f of 10 classes after %d steps, ", c.value(float64(sweeps)), classesSeen.value(float64(sweeps)), sweeps)
	}
	shown := c.value(digitsShown)
	r.claim("the machines generate good digits", fmt.Sprintf("after %d Gibbs steps from random spins, a length chosen after looking, a classifier of real digits names samples with a mean confidence over 0.8 and finds at least 8 classes, each in one of a hundred; of several machines by two standard errors", digitsShown),
		all(beyond(shown, 0.8, c.stderr(digitsShown)), beyond(classesSeen.value(digitsShown), 8, classesSeen.stderr(digitsShown))), "%sreal digits %.3f, coins %.3f", text, r.curve("", "rapid-290", "confidence in test digits").last(), r.curve("", "rapid-290", "confidence in coins").last())
	return nil
}

// shareOf writes the share of the mass at the end, and its range over machines.
func shareOf(c Curve) string {
	text := fmt.Sprintf("a share of %.3g", c.last())
	if list := c.lists[len(c.lists)-1]; len(list) > 1 {
		text += fmt.Sprintf(", from %.3g to %.3g", slices.Min(list), slices.Max(list))
	}
	return text
}

// patternsShown are drawn of one machine in Fig. 7; from the first of them so many chains start, and
// are looked at after so many sweeps.
const patternsShown, patternChains, patternSweeps = 8, 32, 100

// ofPatterns is what Fig. 7 has of one machine.
type ofPatterns struct {
	flat    []float32 // K x V: the visible parts
	order   []int32   // in which they are shown; the samples start from the first
	samples [][]int8  // of the chains from it
	classes []int     // that a reader of digits finds among them
	// nearest are the overlaps of signs of patterns, of test images and of samples with the nearest
	// training image.
	nearest [3][]float64
}

// nearestTo are the rows whose nearest training images Fig. 7 looks for.
var nearestTo = [3]string{"patterns", "test images", "samples from one pattern"}

// lookAtPatterns gives what Fig. 7 has of a machine. The test images are the same for all.
func (r *results) lookAtPatterns(m *recipe.Model, split *data.Split, reader *reader, unseen []float64) ofPatterns {
	visible := m.Axons.Patterns(bm.Visible)
	e, k, v := m.Machine.Engine(), visible.Value.Rows(), visible.Value.Cols()
	x := ofPatterns{flat: make([]float32, k*v), order: make([]int32, k)}
	compute.Read(e, x.flat, visible.Value)
	data.Order(x.order, recipe.SampleKey(m.Recipe.Seed))
	signs := make([][]int8, k)
	for p := range signs {
		signs[p] = make([]int8, v)
		for j := range v {
			signs[p][j] = 1
			if x.flat[p*v+j] < 0 {
				signs[p][j] = -1
			}
		}
	}
	x.samples = drawDigits(m.Machine, signs[x.order[0]], patternChains, patternSweeps, recipe.SampleKey(m.Recipe.Seed))
	x.classes = sure(reader.read(x.samples))
	x.nearest = [...][]float64{nearest(e, signs, split.Train), unseen, nearest(e, x.samples, split.Train)}
	return x
}

// finishPatterns is Fig. 7: visible parts of patterns, and what chains from one of them become. The
// picture is of the first machine.
func finishPatterns(r *results) error {
	var all []ofPatterns
	var split *data.Split
	var reader *reader
	var unseen []float64
	var height, width int
	for _, i := range r.of("rapid") {
		m, err := r.model(i)
		if err != nil {
			return err
		}
		if split == nil {
			height, width = m.Height, m.Width
			if split, err = m.LoadData(); err != nil {
				return err
			}
			if reader, err = newReader(r.ctx, r.engine, split.Train); err != nil {
				return err
			}
			test := slices.Collect(slices.Chunk(split.Test.Spins, split.Test.Visible))
			unseen = nearest(r.engine, test[:min(len(test), 200)], split.Train)
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		all = append(all, r.lookAtPatterns(m, split, reader, unseen))
	}
	first, v := all[0], split.Train.Visible
	shown := first.order[:min(patternsShown, len(first.order))]
	borders := make([]color.Color, len(shown))
	borders[0] = view.BorderSeed
	var largest float32
	for _, p := range shown {
		for _, x := range first.flat[int(p)*v : (int(p)+1)*v] {
			largest = max(largest, x, -x)
		}
	}
	var images, tiles [][]float32
	for _, p := range shown { // in greys up to the largest entry that is shown
		image := slices.Clone(first.flat[int(p)*v : (int(p)+1)*v])
		for j := range image {
			image[j] /= max(largest, 1e-30)
		}
		images = append(images, image)
	}
	for _, s := range first.samples {
		tiles = append(tiles, shades(s))
	}
	if err := r.paint([]view.Panel{
		view.ImagesPanel{Title: fmt.Sprintf("visible parts of patterns, white -%.2f to black +%.2f", largest, largest), Images: images, Sheet: view.Sheet{Height: height, Width: width, Columns: 4, Borders: borders},
			Frames: []view.Frame{{Border: view.BorderSeed, Label: "where the samples start"}}},
		view.ImagesPanel{Title: fmt.Sprintf("samples, %d Gibbs steps from the marked one", patternSweeps), Images: tiles, Sheet: view.Sheet{Height: height, Width: width, Columns: 8}},
	}); err != nil {
		return err
	}
	// How near the nearest training image is: for patterns, samples, and images that were never
	// seen.
	var near [len(nearestTo)]Curve
	for k, name := range nearestTo {
		mean, sd := moments(first.nearest[k])
		r.add(Curve{Name: "overlap with the nearest training image, " + name, X: []float64{float64(len(first.nearest[k]))}, Mean: []float64{mean}, SD: []float64{sd}, N: []int{len(first.nearest[k])}})
		near[k] = overMachines("mean overlap over machines, "+name, float64(len(first.nearest[k])), all, func(x ofPatterns) float64 { mean, _ := moments(x.nearest[k]); return mean })
	}
	r.add(exactly("classes of samples from one pattern", []float64{patternSweeps}, []float64{float64(len(first.classes))}))
	classes := overMachines("classes over machines", patternSweeps, all, func(x ofPatterns) float64 { return float64(len(x.classes)) })
	if len(all) > 1 {
		r.add(append(near[:], classes)...)
	}
	of := func(k int) string { mean, stderr := ends(near[k]); return pm(mean, stderr, 3) }
	patterns, other := near[0].last(), near[1].last()
	r.claim("patterns do not resemble images of the training set", "overlap with the nearest training image below that of test images by 0.1 or more", decided(other-patterns >= 0.1, patterns, other), "%s for patterns (the nearer of the two signs), %.3f for test images, %s for samples", of(0), other, of(2))
	least := slices.Min(classes.lists[0])
	found := fmt.Sprintf("%.0f classes among %d chains", classes.last(), patternChains)
	if len(all) > 1 {
		found = fmt.Sprintf("%.1f classes among %d chains, at least %.0f for each machine", classes.last(), patternChains, least)
	}
	r.claim("one pattern leads to images of different classes", "at least 2 classes named with a confidence over 0.8 among the chains from one pattern, for every machine", decided(least >= 2), "%s", found)
	return nil
}

// overMachines returns a curve of one point: the mean of a number over machines.
func overMachines(name string, x float64, all []ofPatterns, number func(ofPatterns) float64) Curve {
	c := Curve{Name: name, X: []float64{x}, lists: [][]float64{nil}}
	for _, m := range all {
		c.lists[0] = append(c.lists[0], number(m))
	}
	c.sort()
	return c
}

// nearest returns the largest |q| of each row with the rows of the set.
func nearest(e compute.Engine, rows [][]int8, set *data.Set) []float64 {
	best := make([]float64, len(rows))
	mark := e.Mark()
	defer e.Release(mark)
	x := e.Scratch(compute.Int8, len(rows), set.Visible)
	compute.Write(e, x, slices.Concat(rows...))
	const block = 4096
	for first := 0; first < set.Rows; first += block {
		inner := e.Mark()
		n := min(block, set.Rows-first)
		y, q := e.Scratch(compute.Int8, n, set.Visible), e.Scratch(compute.Float32, len(rows), n)
		compute.Write(e, y, set.Spins[first*set.Visible:(first+n)*set.Visible])
		e.Mul(q, x, y, compute.Op{TransB: true, Alpha: 1 / float64(set.Visible)})
		flat := make([]float32, q.Len())
		compute.Read(e, flat, q)
		e.Release(inner)
		for i := range best {
			for _, f := range flat[i*n : (i+1)*n] {
				best[i] = max(best[i], math.Abs(float64(f)))
			}
		}
	}
	return best
}
