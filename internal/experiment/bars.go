package experiment

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/recipe"
	"mattis/sampler"
	"mattis/view"
)

// barSettings are the epochs and what Figs. 2 to 4 look at, every so many epochs: one training
// serves them all.
func barSettings(epochs, every int) []string {
	return []string{
		fmt.Sprintf("train.epochs=%d", epochs), fmt.Sprintf("measure.every=%d", every),
		"measure.test=[hamming, gibbs_accessibility, gibbs_accessibility_mean, method_accessibility, spectrum]",
		"measure.train=[hamming]", "measure.last=[nll_exact]",
	}
}

var smallBars = []string{"machine.hidden=12", "train.epochs=4", "measure.every=2", "measure.options.hamming.draws=4"}

// rapidBars and otherBars are the trainings on 4x4 Bars.
var (
	rapidBars = &study{[]*arm{
		{name: "rapid", recipe: "bars", settings: barSettings(300, 2), seconds: 1.2, miniature: smallBars,
			why: "300 epochs, the released program's; the rate falls by 0.96 an epoch and nothing moves after 100"},
	}}
	otherBars = &study{[]*arm{
		{name: "cd-10", recipe: "bars-cd", settings: barSettings(3000, 10), seconds: 8, miniature: smallBars,
			why: "3000 epochs: it reaches RAPID's distance of epoch 50 after 2000 or more"},
		{name: "pcd-10", recipe: "bars-pcd", settings: barSettings(300, 10), seconds: 100, miniature: append([]string{"negative.chains=16"}, smallBars...),
			why: "300 epochs, as RAPID: an update of 2048 chains costs 150 times CD's of one row; it still falls at the end"},
		{name: "exact", recipe: "bars-exact", settings: barSettings(300, 10), seconds: 36, miniature: append([]string{"data.size=3", "data.split=random"}, smallBars...),
			why: "300 epochs, as RAPID: an update by the sum over 2^15 states costs 50 times CD's; it still falls at the end"},
	}}
)

// others are the arms that are no RAPID, from the best estimate of the negative phase to the worst.
var others = []string{"exact", "pcd-10", "cd-10"}

var barArms = append([]string{"rapid"}, others...)

// gather returns the curves of a measure for all arms and adds them to the data.
func (r *results) gather(point string, arms ...string) map[string]Curve {
	curves := map[string]Curve{}
	for _, a := range arms {
		c := r.curve(a, a, point)
		if len(c.X) == 0 {
			continue
		}
		curves[a] = c
		r.add(c)
	}
	return curves
}

func ordered(curves map[string]Curve, names []string) []view.Series {
	var list []view.Series
	for _, n := range names {
		if c, ok := curves[n]; ok {
			list = append(list, series(c)...)
		}
	}
	return list
}

// The axes of Figs. 2 and 3: of what is known of untrained machines, and of what training draws.
var (
	epochs      = view.Axis{Label: "epoch (CD-10 ends at 3000, the others at 300; 0 at the left end)", Log: true, Zero: true}
	drawnEpochs = view.Axis{Label: "epoch (CD-10 ends at 3000, the others at 300)", Log: true}
)

// finishGibbs is Fig. 2a: the energy of Gibbs chains from random spins over that of the ground
// state.
func finishGibbs(r *results) error {
	least := r.gather("gibbs_accessibility", barArms...)
	mean := map[string]Curve{}
	for _, a := range barArms {
		mean[a] = r.curve(a+", mean of chains", a, "gibbs_accessibility_mean")
		r.add(mean[a])
	}
	share := view.Axis{Label: "energy / ground state", Min: 0, Max: 1.05}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: r.title() + ": lowest of 10 chains", X: epochs, Y: share}, Series: ordered(least, barArms)},
		view.CurvesPanel{Chart: view.Chart{Title: "mean of 10 chains", X: epochs, Y: share}, Series: named(mean, barArms)},
	}); err != nil {
		return err
	}
	for _, protocol := range []struct {
		word string
		of   map[string]Curve
	}{{"lowest of 10 chains", least}, {"mean of 10 chains", mean}} {
		rapid := protocol.of["rapid"]
		low := slices.Min(rapid.Mean)
		r.claim("RAPID is always in a regime of good sampling ("+protocol.word+")", "\"always\"; decided by a mean of at least 0.8 at every epoch",
			decided(low >= 0.8, low), "lowest mean over the epochs %.3f, %.3f at the start", low, rapid.Mean[0])
		var ends []Verdict
		text := ""
		for _, a := range others {
			c := protocol.of[a]
			v, note := decided(c.last() >= 0.8, c.last()), ""
			if d := r.distance(a); v == Differs && d > learned {
				v, note = Open, fmt.Sprintf(" (not learned: distance %.3f)", d)
			}
			ends = append(ends, v)
			text += fmt.Sprintf("%s %.3f to %.3f%s; ", a, c.Mean[0], c.last(), note)
		}
		r.claim("standard machines begin in a paramagnet and end where sampling reaches the ground state ("+protocol.word+")", "final mean at least 0.8 for exact, PCD-10 and CD-10; open for one that has not learned the training set (distance above 0.10)",
			all(ends...), "%s", trim(text))
		var at []float64
		text = ""
		for _, a := range others {
			x := protocol.of[a].reaches(0.8)
			at = append(at, x)
			text += fmt.Sprintf("%s at epoch %s; ", a, epoch(x))
		}
		v := decided(at[0] <= at[1] && at[1] <= at[2])
		if math.IsInf(at[2], 1) && v == Agrees && math.IsInf(at[1], 1) {
			v = Open
		}
		r.claim("the better the negative phase, the sooner that regime is reached ("+protocol.word+")", "epoch from which the mean stays above 0.8: exact, then PCD-10, then CD-10", v, "%s", trim(text))
	}
	return nil
}

// learned is the mean training distance at which a method has learned the training set.
const learned = 0.10

// distance returns the mean training distance of an arm at its end.
func (r *results) distance(arm string) float64 { return r.curve("", arm, "hamming train").last() }

// named is ordered for curves whose names say more than the method.
func named(curves map[string]Curve, names []string) []view.Series {
	list := ordered(curves, names)
	for i := range list {
		list[i].Name = names[i]
	}
	return list
}

func trim(s string) string {
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == ';') {
		s = s[:len(s)-1]
	}
	return s
}

// epoch writes an epoch that may never come.
func epoch(x float64) string {
	if math.IsInf(x, 1) {
		return "none"
	}
	return fmt.Sprintf("%.0f", x)
}

// finishMethod is Fig. 2b: the lowest energy that the negative phase is made of.
func finishMethod(r *results) error {
	names := []string{"rapid", "pcd-10", "cd-10"} // the exact sum samples nothing
	of := r.gather("method_accessibility", names...)
	if err := r.paint([]view.Panel{view.CurvesPanel{
		Chart:  view.Chart{Title: r.title(), X: drawnEpochs, Y: view.Axis{Label: "lowest energy drawn / ground state", Min: 0, Max: 1.05}},
		Series: ordered(of, names)}}); err != nil {
		return err
	}
	rapid := of["rapid"]
	const early = 10 // which all arms have
	var v []Verdict
	text := fmt.Sprintf("epoch %d: rapid %.3f", early, rapid.value(early))
	for _, a := range names[1:] {
		v = append(v, above(rapid.value(early), of[a].value(early), rapid.stderr(early), of[a].stderr(early)))
		text += fmt.Sprintf(", %s %.3f", a, of[a].value(early))
	}
	r.claim("PID describes the low energies best in the initial epochs", fmt.Sprintf("RAPID above PCD-10 and CD-10 at epoch %d by two standard errors", early), all(v...), "%s", text)
	v, text = nil, fmt.Sprintf("at the end: rapid %.3f", rapid.last())
	inf := math.Inf(1)
	for _, a := range names[1:] {
		late, note := above(of[a].last(), rapid.last(), of[a].stderr(inf), rapid.stderr(inf)), ""
		if d := r.distance(a); late == Differs && d > learned {
			late, note = Open, fmt.Sprintf(" (not learned: distance %.3f)", d)
		}
		v = append(v, late)
		text += fmt.Sprintf(", %s %.3f%s", a, of[a].last(), note)
	}
	r.claim("at late stages conventional methods describe them better", "PCD-10 and CD-10 above RAPID at their last epochs by two standard errors; open for one that has not learned", all(v...), "%s", text)
	first, last := rapid.Mean[0], rapid.last()
	r.claim("PID's method accessibility does not improve with training", "last epoch not above the first by two standard errors",
		notAbove(last, first, rapid.stderr(inf), rapid.stderr(rapid.X[0])), "%.3f at epoch %s, %.3f at the end", first, epoch(rapid.X[0]), last)
	cd := of["cd-10"]
	for _, protocol := range []struct{ words, measure string }{{"lowest of 10 chains", "gibbs_accessibility"}, {"mean of 10 chains", "gibbs_accessibility_mean"}} {
		gibbs := r.curve("", "cd-10", protocol.measure)
		var apart float64
		for i, x := range cd.X {
			apart += (cd.Mean[i] - gibbs.value(x)) / float64(len(cd.X))
		}
		r.claim("for CD, method accessibility is slightly above Gibbs accessibility ("+protocol.words+")", "mean difference over the epochs between 0 and 0.2; CD draws one row an update", decided(apart >= 0 && apart <= 0.2, apart), "%+.3f", apart)
	}
	return nil
}

func hamming(r *results, set, what string) (map[string]Curve, error) {
	of := r.gather("hamming "+set, barArms...)
	return of, r.paint([]view.Panel{view.CurvesPanel{
		Chart:  view.Chart{Title: r.title(), X: epochs, Y: view.Axis{Label: "Hamming distance, " + what, Min: 0, Max: 0.55}},
		Series: ordered(of, barArms)}})
}

// finishMemory is Fig. 3a: reconstruction of the training set.
func finishMemory(r *results) error {
	of, err := hamming(r, "train", "training set")
	if err != nil {
		return err
	}
	end := math.Inf(1)
	for _, a := range others {
		end = min(end, of[a].X[len(of[a].X)-1])
	}
	var lo, hi, tolerance float64 = math.Inf(1), math.Inf(-1), 0
	text := fmt.Sprintf("at epoch %.0f:", end)
	for _, a := range others {
		x := of[a].value(end)
		lo, hi = min(lo, x), max(hi, x)
		tolerance = max(tolerance, 2*of[a].stderr(end))
		text += fmt.Sprintf(" %s %.3f", a, x)
	}
	r.claim("the methods for standard machines memorise alike", "training distances at the last common epoch within 0.05 of each other", equal(hi, lo, tolerance/2, 0, 0.05), "%s", text)
	r.rapidSpeed(of, "training")
	return nil
}

// rapidSpeed judges how much sooner RAPID learns.
func (r *results) rapidSpeed(of map[string]Curve, set string) {
	const bound = 0.10
	rapid := of["rapid"].settles(bound)
	for _, a := range others {
		x := of[a].settles(bound)
		ratio := x / rapid
		v, text := Open, fmt.Sprintf("rapid at epoch %s, %s at epoch %s", epoch(rapid), a, epoch(x))
		switch {
		case math.IsInf(rapid, 1):
			v = Differs
		case math.IsInf(x, 1): // later than its last epoch
			end := of[a].X[len(of[a].X)-1]
			text += fmt.Sprintf(" (up to %.0f, where it is %.3f)", end, of[a].last())
			if end/rapid >= 10 {
				v = Agrees
			}
		case ratio >= 10:
			v = Agrees
		default:
			v = Differs
		}
		r.claim("RAPID needs fewer epochs than "+a+" by orders of magnitude ("+set+" set)", fmt.Sprintf("\"can be orders of magnitude smaller\"; decided by a factor of 10 in the epoch from which the mean stays below %.2f", bound), v, "%s", text)
	}
}

// finishGeneralization is Fig. 3b: reconstruction of the test set.
func finishGeneralization(r *results) error {
	of, err := hamming(r, "test", "test set")
	if err != nil {
		return err
	}
	end := math.Inf(1)
	for _, a := range others {
		end = min(end, of[a].X[len(of[a].X)-1])
	}
	// The mean distance up to the last common epoch says how fast a curve falls.
	area := func(a string) (mean, stderr float64) {
		var sums []float64
		for k, x := range of[a].X {
			if x > end {
				break
			}
			for i, y := range of[a].lists[k] {
				if i == len(sums) {
					sums = append(sums, 0)
				}
				sums[i] += y
			}
		}
		steps := 0
		for _, x := range of[a].X {
			if x <= end {
				steps++
			}
		}
		for i := range sums {
			sums[i] /= float64(steps)
		}
		m, sd := moments(sums)
		return m, sd / math.Sqrt(float64(len(sums)))
	}
	var m, s [3]float64
	text := ""
	for i, a := range others {
		m[i], s[i] = area(a)
		text += fmt.Sprintf("%s %s; ", a, pm(m[i], s[i], 4))
	}
	r.claim("generalisation is faster with a better negative phase", fmt.Sprintf("mean test distance up to epoch %.0f: exact below PCD-10 below CD-10, each by two standard errors", end),
		all(above(m[1], m[0], s[1], s[0]), above(m[2], m[1], s[2], s[1])), "%s", trim(text))

	train, test := r.curve("rapid, training set", "rapid", "hamming train"), of["rapid"]
	r.add(train)
	var worst, at float64
	band := true
	for i, x := range test.X {
		d := math.Abs(test.Mean[i] - train.value(x))
		if d > worst {
			worst, at = d, x
		}
		if !math.IsNaN(test.SD[i]) && d > max(test.SD[i], train.SD[i]) {
			band = false
		}
	}
	v := decided(band)
	if len(r.of("rapid")) < 2 {
		v = Open
	}
	r.claim("RAPID generalises as it memorises", "\"almost no difference\"; decided by test and training means within one standard deviation at every epoch", v, "largest difference %.3f, at epoch %.0f", worst, at)

	rapid, cd := of["rapid"].value(50), of["cd-10"].value(50)
	r.claim("RAPID has learned by epoch 50, CD-10 has not", "mean test distance at most 0.06 for RAPID and above 0.15 for CD-10", decided(rapid <= 0.06 && cd > 0.15, rapid, cd),
		"rapid %s, cd-10 %s", pm(rapid, of["rapid"].stderr(50), 3), pm(cd, of["cd-10"].stderr(50), 3))
	r.rapidSpeed(of, "test")
	return nil
}

// finishSpectra is Fig. 4: singular values of the couplings after training, and before.
func finishSpectra(r *results) error {
	var before, after []view.Spectrum
	show := func(list *[]view.Spectrum, label string, c Curve) {
		s := view.Spectrum{Name: label, Values: c.Mean, Deviation: series(c)[0].Deviation}
		*list = append(*list, s)
	}
	for _, a := range barArms {
		first := r.curve(a+", untrained", a, "spectrum 0")
		last := r.curve(a, a, fmt.Sprintf("spectrum %.0f", r.curve("", a, "spectrum").X[len(r.curve("", a, "spectrum").X)-1]))
		r.add(first, last)
		show(&before, a, first)
		show(&after, a, last)
		ratio := func(c Curve) float64 {
			if len(c.Mean) < 5 {
				return math.NaN()
			}
			return c.Mean[3] / c.Mean[4]
		}
		was, is := ratio(first), ratio(last)
		if d := r.distance(a); d > learned {
			r.claim("four large singular values stand out after training by "+a, "the 4th over the 5th at least 2, and more than untrained; of a machine that has learned the training set (distance at most 0.10)", Open,
				"ratio %s, untrained %.2f, but the training distance is %.3f", ratioText(is), was, d)
			continue
		}
		r.claim("four large singular values stand out after training by "+a, "the 4th over the 5th at least 2, and more than untrained", decided(is >= 2 && is > was, is, was), "ratio %s, untrained %.2f", ratioText(is), was)
	}
	return r.paint([]view.Panel{
		view.SpectraPanel{Title: r.title(), Spectra: after},
		view.SpectraPanel{Title: "before training", Spectra: before},
	})
}

// ratioText writes the ratio of two singular values, the second of which may be 0 up to rounding.
func ratioText(x float64) string {
	if x > 1e6 {
		return "over 10^6 (a rank of 4)"
	}
	return fmt.Sprintf("%.2f", x)
}

// finishCorrupted is Fig. C.1: what reconstruction of the test set starts from, and what RAPID
// makes of it.
func finishCorrupted(r *results) error {
	m, err := r.model(r.of("rapid")[0])
	if err != nil {
		return err
	}
	split, err := m.LoadData()
	if err != nil {
		return err
	}
	given, result, original := reconstruct(m, split.Test)
	panel := func(title string, rows [][]int8) view.Panel {
		var images [][]float32
		for _, row := range rows {
			images = append(images, shades(row))
		}
		return view.ImagesPanel{Title: title, Images: images, Sheet: view.Sheet{Height: m.Height, Width: m.Width, Columns: 2}}
	}
	if err := r.paint([]view.Panel{panel("given", given), panel("after one Gibbs step of RAPID", result), panel("test set", original)}); err != nil {
		return err
	}
	right, known := 0, 0
	for i := range given {
		if slices.Equal(result[i], original[i]) {
			right++
		}
		for _, s := range given[i] {
			if s != 0 {
				known++
			}
		}
	}
	r.add(exactly("pixels known, test images", []float64{float64(len(given))}, []float64{float64(known) / float64(len(given))}))
	r.add(exactly("images reconstructed without a fault", []float64{float64(len(given))}, []float64{float64(right)}))
	r.claim("the top row alone is given", "every corrupted image keeps one row of pixels", decided(known == len(given)*m.Width), "%d of %d pixels of an image; one draw of RAPID rebuilds %d of %d images", known/len(given), m.Visible(), right, len(given))
	return nil
}

// reconstruct returns the rows of the set with their unknown pixels 0, one Gibbs step from there,
// and the rows.
func reconstruct(m *recipe.Model, set *data.Set) (given, result, original [][]int8) {
	known := make([]bool, set.Visible)
	for i := range set.Rows {
		set.Known(i, known)
		start := make([]int8, set.Visible)
		data.Corrupt(start, set.Row(i), known)
		given, original = append(given, start), append(original, set.Row(i))
	}
	e := m.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	s := bm.State{e.Scratch(compute.Int8, set.Rows, set.Visible), e.Scratch(compute.Int8, set.Rows, m.Machine.Layers()[bm.Hidden])}
	compute.Write(e, s[bm.Visible], slices.Concat(given...))
	sampler.Gibbs(m.Machine, s, bm.Law{Key: recipe.SampleKey(m.Recipe.Seed)}, 1)
	flat := make([]int8, set.Rows*set.Visible)
	compute.Read(e, flat, s[bm.Visible])
	return given, slices.Collect(slices.Chunk(flat, set.Visible)), original
}
