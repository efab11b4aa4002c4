package experiment

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/recipe"
	"mattis/rng"
	"mattis/sampler"
	"mattis/view"
)

// stripes is Fig. 5: RAPID on 12x12 Bars and Stripes.
var stripes = &study{[]*arm{{
	name: "rapid", recipe: "bas12", seconds: 60,
	settings: []string{"train.epochs=100", "measure.every=2", "measure.test=[hamming]", "measure.train=[hamming]",
		"measure.last=[valid_share, coverage]", "measure.options.hamming.draws=10"},
	why:       "100 epochs, by when the rate has fallen to a sixtieth and the curves are flat; the paper's rate and number of epochs are not published",
	miniature: []string{"data.size=4", "machine.hidden=20", "couplings.patterns=6", "train.batch=8", "train.epochs=4", "measure.options.samples.chains=20"},
	after:     sampleStripes,
}}}

// What a sampled image is to the training.
const (
	isTrain = "in the training set"
	isTest  = "in the test set"
	isNone  = "no bars or stripes"
)

// stripeSamples is how many chains are counted.
const stripeSamples, stripeSweeps = 400, 100

// judgeStripes returns what each row is.
func judgeStripes(split *data.Split, rows [][]int8) []string {
	where := map[int]string{}
	for i := range split.Train.Rows {
		where[split.Family.Index(split.Train.Row(i))] = isTrain
	}
	for i := range split.Test.Rows {
		where[split.Family.Index(split.Test.Row(i))] = isTest
	}
	is := make([]string, len(rows))
	for i, row := range rows {
		is[i] = isNone
		if n := split.Family.Index(row); n >= 0 {
			is[i] = where[n]
		}
	}
	return is
}

// sampleStripes counts what chains from random spins end in.
func sampleStripes(w *work, t *trained) error {
	is := judgeStripes(t.Split, chainsFrom(t.Machine, nil, stripeSamples, stripeSweeps, recipe.SampleKey(t.Recipe.Seed)))
	for _, kind := range []string{isTrain, isTest, isNone} {
		n := 0
		for _, x := range is {
			if x == kind {
				n++
			}
		}
		w.add("samples "+kind, stripeSweeps, float64(n)/stripeSamples)
	}
	// Images whose negative was trained on would come for nothing.
	trained := map[int]bool{}
	for i := range t.Split.Train.Rows {
		trained[t.Split.Family.Index(t.Split.Train.Row(i))] = true
	}
	leaked := 0
	negative := make([]int8, t.Split.Test.Visible)
	for i := range t.Split.Test.Rows {
		for j, s := range t.Split.Test.Row(i) {
			negative[j] = -s
		}
		if trained[t.Split.Family.Index(negative)] {
			leaked++
		}
	}
	w.add("test images whose negative was trained on", 0, float64(leaked))
	return nil
}

// chainsFrom returns the visible spins of n Gibbs chains after their sweeps, all from one row, or
// from random spins where start is nil.
func chainsFrom(m *bm.Machine, start []int8, n, sweeps int, key rng.Key) [][]int8 {
	e := m.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	v := m.Layers()[bm.Visible]
	s := m.Scratch(n)
	if start == nil {
		sampler.Randomize(m, s, bm.Law{Key: key.Fold(0)})
	} else {
		compute.Write(e, s[bm.Visible], slices.Repeat(start, n))
	}
	sampler.Gibbs(m, s, bm.Law{Key: key.Fold(1)}, sweeps)
	flat := make([]int8, n*v)
	compute.Read(e, flat, s[bm.Visible])
	return slices.Collect(slices.Chunk(flat, v))
}

// finishStripes is Fig. 5 with its inset.
func finishStripes(r *results) error {
	train, test := r.curve("train", "rapid", "hamming train"), r.curve("test", "rapid", "hamming test")
	r.add(train, test)
	for _, kind := range []string{isTrain, isTest, isNone} {
		r.add(r.curve("samples "+kind, "rapid", "samples "+kind))
	}
	r.add(r.curve("valid samples", "rapid", "valid_share"), r.curve("coverage", "rapid", "coverage"))

	first := r.of("rapid")[0]
	m, err := r.model(first)
	if err != nil {
		return err
	}
	split, err := m.LoadData()
	if err != nil {
		return err
	}
	rows := chainsFrom(m.Machine, nil, stripeSamples, stripeSweeps, recipe.SampleKey(m.Recipe.Seed))
	is := judgeStripes(split, rows)
	// The first chains, test images in front as in the paper.
	const shown = 24
	var images [][]float32
	var borders []color.Color
	for _, kind := range []struct {
		name   string
		border color.Color
	}{{isTest, view.BorderTest}, {isTrain, view.BorderTrain}, {isNone, nil}} {
		for i, row := range rows[:shown] {
			if is[i] == kind.name {
				images, borders = append(images, shades(row)), append(borders, kind.border)
			}
		}
	}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: r.title(), X: view.Axis{Label: "epoch"}, Y: view.Axis{Label: "Hamming distance", Min: 0, Max: 0.55}}, Series: series(train, test)},
		view.ImagesPanel{Title: fmt.Sprintf("the first chains of one machine, %d Gibbs steps from random spins", stripeSweeps), Images: images,
			Sheet:  view.Sheet{Height: m.Height, Width: m.Width, Columns: 6, Borders: borders},
			Frames: []view.Frame{{Border: view.BorderTest, Label: isTest}, {Border: view.BorderTrain, Label: isTrain}, {Label: isNone}}},
	}); err != nil {
		return err
	}

	var worst, at float64
	for i, x := range test.X {
		if d := math.Abs(test.Mean[i] - train.value(x)); d > worst {
			worst, at = d, x
		}
	}
	r.claim("training and test distances fall together", "means within 0.02 of each other at every epoch", decided(worst <= 0.02, worst), "largest difference %.4f, at epoch %.0f", worst, at)
	inf := math.Inf(1)
	r.claim("unknown images are reconstructed satisfactorily", "mean test distance at most 0.08 at the end", decided(test.last() <= 0.08, test.last()), "%s, training set %.4f", pm(test.last(), test.stderr(inf), 4), train.last())
	seen, leaked := r.curve("", "rapid", "samples "+isTest), r.curve("", "rapid", "test images whose negative was trained on")
	none := r.curve("", "rapid", "samples "+isNone)
	least := slices.Min(seen.lists[0])
	r.claim("it generates images that were not in the training set", fmt.Sprintf("test images among %d samples of every machine; their negatives were not trained on either", stripeSamples), decided(least > 0 && leaked.Mean[0] == 0, least, leaked.Mean[0]),
		"%.1f %% of the samples are test images, at least %.1f %% for each machine (%.1f %% are no bars or stripes); %.0f negatives of test images trained on", 100*seen.Mean[0], 100*least, 100*none.Mean[0], leaked.Mean[0])
	return nil
}

// shades returns spins as an image's numbers.
func shades(row []int8) []float32 {
	x := make([]float32, len(row))
	for i, s := range row {
		x[i] = float32(s)
	}
	return x
}
