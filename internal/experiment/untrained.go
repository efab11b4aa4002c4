package experiment

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/eval"
	"mattis/rng"
	"mattis/view"
)

// untrained is Fig. 1: machines as they are drawn, over the standard deviation of their weights and
// over V. The deviation of the measured W counts; energies scale with it, so the ground state of a
// machine is found once.
var untrained = &study{[]*arm{
	drawnArm("rapid", 0.9, "couplings=axons", "patterns=10"),
	drawnArm("normal", 0.9, "couplings=normal"),
	drawnArm("uniform", 0.9, "couplings=uniform"),
}}

func drawnArm(name string, seconds float64, settings ...string) *arm {
	a := &arm{name: name, seconds: seconds,
		settings:  append(settings, "visible=20", "hidden=1000", "sizes=4,8,12,16,20,24", "at=10", "deviations=1e-3..100/4"),
		miniature: []string{"visible=6", "hidden=30", "sizes=4,6", "deviations=1e-2..10/1"}}
	a.draw = func(w *work) error { return scan(w, a.settingsOf(w.miniature)) }
	return a
}

// scan gives the accessibility over the deviation at V spins, and over V at one deviation.
func scan(w *work, settings []string) error {
	hidden := whole(setting(settings, "hidden"))
	visible := whole(setting(settings, "visible"))
	at, err := strconv.ParseFloat(setting(settings, "at"), 64)
	if err != nil {
		return err
	}
	var sizes []int
	for _, s := range strings.Split(setting(settings, "sizes"), ",") {
		sizes = append(sizes, whole(s))
	}
	from, to, perDecade := gridOf(setting(settings, "deviations"))
	var deviations []float64
	for k := 0; ; k++ {
		d := from * math.Pow(10, float64(k)/perDecade)
		if d > to*(1+1e-9) {
			break
		}
		deviations = append(deviations, d)
	}
	total, done := 0.0, 0.0
	for _, v := range sizes {
		total += math.Exp2(float64(v))
	}
	for _, v := range sizes {
		m, key := drawMachine(w, settings, v, hidden)
		scanned := []float64{at}
		if v == visible {
			scanned = append(append(scanned, eval.GlorotDeviation(v, hidden)), deviations...)
		}
		before, weight := done, math.Exp2(float64(v))
		s := eval.Subject{Machine: m, Key: key, Progress: func(share float64) { w.progress((before + share*weight) / total) }}
		reaches, err := eval.Scan(w.ctx, s, eval.Defaults().Accessibility, scanned)
		if err != nil {
			return err
		}
		w.add("minimum over V", float64(v), reaches[0].Minimum)
		w.add("mean over V", float64(v), reaches[0].Mean)
		if v == visible {
			w.add("Glorot, minimum", reaches[1].Deviation, reaches[1].Minimum)
			w.add("Glorot, mean", reaches[1].Deviation, reaches[1].Mean)
			for _, x := range reaches[2:] {
				w.add("minimum", x.Deviation, x.Minimum)
				w.add("mean", x.Deviation, x.Mean)
			}
			w.add("deviation as drawn", float64(v), eval.Deviation(m))
		}
		done += weight
	}
	return nil
}

// gridOf reads "1e-3..100/4": from, to, and steps a decade.
func gridOf(s string) (from, to, perDecade float64) {
	if _, err := fmt.Sscanf(strings.NewReplacer("..", " ", "/", " ").Replace(s), "%g %g %g", &from, &to, &perDecade); err != nil {
		panic("experiment: " + s + " is no grid")
	}
	return from, to, perDecade
}

func whole(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("experiment: " + s + " is no number")
	}
	return n
}

// finishUntrained is Fig. 1 with its inset.
func finishUntrained(r *results) error {
	var rows [][]view.Panel
	glorot := r.curve("", "uniform", "Glorot, minimum").X[0]
	for _, protocol := range []struct{ name, words string }{{"minimum", "lowest of 10 chains"}, {"mean", "mean of 10 chains"}} {
		var main, inset []Curve
		of, over := map[string]Curve{}, map[string]Curve{}
		for _, a := range []string{"rapid", "normal", "uniform"} {
			of[a] = r.curve(a, a, protocol.name)
			over[a] = r.curve(a, a, protocol.name+" over V")
			main, inset = append(main, of[a]), append(inset, over[a])
			c, d := of[a], over[a]
			c.Name, d.Name = a+", "+protocol.words, a+" over V, "+protocol.words
			r.add(c, d)
		}
		star := r.curve("Glorot's point", "uniform", "Glorot, "+protocol.name)
		c := star
		c.Name += ", " + protocol.words
		r.add(c)
		share := view.Axis{Label: "energy / ground state", Min: 0, Max: 1.05}
		title := fmt.Sprintf("%s, %s", r.title(), protocol.words)
		rows = append(rows, []view.Panel{
			view.CurvesPanel{Chart: view.Chart{Title: title, X: view.Axis{Label: "standard deviation of the weights", Log: true}, Y: share}, Series: append(series(main...), series(star)...)},
			view.CurvesPanel{Chart: view.Chart{Title: "at deviation 10, over V", X: view.Axis{Label: "visible spins V"}, Y: view.Axis{Label: "energy / ground state"}}, Series: series(inset...)},
		})

		const plateau = 10
		rapid := of["rapid"]
		for _, a := range []string{"normal", "uniform"} {
			x := of[a]
			r.claim("on the plateau RA is above "+a+" weights ("+protocol.words+")", "higher \"except for extremely small energy scales\"; decided at deviation 10 by two standard errors",
				above(rapid.value(plateau), x.value(plateau), rapid.stderr(plateau), x.stderr(plateau)), "%s against %s", pm(rapid.value(plateau), rapid.stderr(plateau), 4), pm(x.value(plateau), x.stderr(plateau), 4))
		}
		n, u := of["normal"], of["uniform"]
		r.claim("Gaussian and uniform weights are equally hard ("+protocol.words+")", "equal at deviation 10 within 0.01 or two standard errors",
			equal(n.value(plateau), u.value(plateau), n.stderr(plateau), u.stderr(plateau), 0.01), "%.4f against %.4f", n.value(plateau), u.value(plateau))
		r.claim("Glorot's point reaches no more than a third of the ground state ("+protocol.words+")", "at most 1/3 for uniform weights of deviation sqrt(2/(V+H))", decided(star.Mean[0] <= 1./3, star.Mean[0]), "%.3f at %.4f", star.Mean[0], glorot)
		low := 0.0
		for _, c := range of {
			low = max(low, c.Mean[0])
		}
		r.claim("small weights give little access ("+protocol.words+")", "below 0.15 for all at the smallest deviation", decided(low < 0.15), "at most %.3f at %g", low, rapid.X[0])
		falls := func(c Curve) (by, stderr float64) {
			big, small := c.X[len(c.X)-1], c.X[0]
			return c.value(small) - c.value(big), math.Hypot(c.stderr(small), c.stderr(big))
		}
		by, stderr := falls(over["rapid"])
		r.claim("for RA the accessibility stays constant in V ("+protocol.words+")", "change from the smallest V to the largest within 0.02 or two standard errors", equal(by, 0, stderr, 0, 0.02), "%s", fall(by, stderr))
		for _, a := range []string{"normal", "uniform"} {
			other, e := falls(over[a])
			r.claim("for "+a+" weights it decreases quickly with V ("+protocol.words+")", "it falls, and by more than RA's, by two standard errors", all(above(other, 0, e, 0), above(other, by, e, stderr)), "%s; RA %s", fall(other, e), fall(by, stderr))
		}
	}
	return r.paint(rows...)
}

// fall says by how much something falls, or rises.
func fall(by, stderr float64) string {
	if by < 0 {
		return "rises by " + pm(-by, stderr, 4)
	}
	return "falls by " + pm(by, stderr, 4)
}

// drawMachine returns a machine as the settings say, of weights with a deviation of about 1, and a
// key for what is done with it.
func drawMachine(w *work, settings []string, visible, hidden int) (*bm.Machine, rng.Key) {
	key := w.key.Fold(uint64(visible))
	e := w.engine
	switch kind := setting(settings, "couplings"); kind {
	case "axons":
		a := bm.NewAxons(e, bm.Restricted(visible, hidden, false), whole(setting(settings, "patterns")), false)
		a.Bernoulli(1, key.Fold(0))
		return bm.New(e, a, false, false), key.Fold(1)
	case "normal", "uniform":
		d := bm.NewDense(e, bm.Restricted(visible, hidden, false))
		if kind == "normal" {
			d.Normal(1, key.Fold(0))
		} else {
			d.Uniform(math.Sqrt(3), key.Fold(0))
		}
		return bm.New(e, d, false, false), key.Fold(1)
	default:
		panic("experiment: no couplings " + kind)
	}
}
