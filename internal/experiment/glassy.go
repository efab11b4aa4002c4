package experiment

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/rng"
	"mattis/sampler"
	"mattis/view"
)

// glassy is the figure ultrametricity: samples of a machine deep in its spin-glass phase beside
// those of trained ones, all of 144 visible and 1000 hidden spins. Samples are the cold replicas of
// independent ladders of parallel tempering, which stand for the machine's distribution, and beside
// them the ends of Gibbs chains from random spins, which stand for its valleys.
var glassy = &study{[]*arm{
	glassArm(),
	{name: "cd-10", recipe: "bas12", seconds: 90, after: replicaOverlaps,
		settings: []string{"couplings={kind: dense, init: {normal: 0.01}}", "negative={kind: cd, steps: 10}", "optimizer={kind: adam, rate: 0.001}", "project={}",
			"train.epochs=60", "measure.every=10", "measure.last=[]", "measure.options.hamming.draws=10"},
		why: "a standard machine, 60 epochs, after which the test distance hardly falls", miniature: smallGlass},
	{name: "rapid", recipe: "bas12", seconds: 90, after: replicaOverlaps,
		settings:  []string{"train.epochs=60", "measure.every=10", "measure.last=[]", "measure.options.hamming.draws=10"},
		why:       "60 epochs, as for cd-10",
		miniature: append([]string{"couplings.patterns=6"}, smallGlass...)},
}}

var smallGlass = []string{"data.size=4", "machine.hidden=20", "train.batch=8", "train.epochs=2", "measure.every=1"}

func glassArm() *arm {
	a := &arm{name: "glass", seconds: 60,
		settings:  []string{"visible=144", "hidden=1000", "couplings=normal", "deviation=0.2", "chains=100"},
		miniature: []string{"visible=16", "hidden=20"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		var deviation float64
		if _, err := fmt.Sscan(setting(s, "deviation"), &deviation); err != nil {
			return err
		}
		d := bm.NewDense(w.engine, bm.Restricted(whole(setting(s, "visible")), whole(setting(s, "hidden")), false))
		d.Normal(deviation, w.key.Fold(0))
		return overlapsOf(w, bm.New(w.engine, d, false, false))
	}
	return a
}

// replicaOverlaps gives the overlaps of a trained machine's samples, and of its training set.
func replicaOverlaps(w *work, t *trained) error {
	if err := overlapsOf(w, t.Machine); err != nil {
		return err
	}
	set := t.Split.Train
	order := make([]int32, set.Rows)
	data.Order(order, w.key.Fold(7))
	return describe(w, "data", set.Take(order[:min(glassReplicas, set.Rows)]).Spins, set.Visible, w.key.Fold(8))
}

// glassReplicas are the ladders, glassRungs their temperatures, glassRounds the rounds of sweep and
// exchange; glassSweeps are those of the Gibbs chains.
const glassReplicas, glassRungs, glassRounds, glassSweeps = 96, 20, 1000, 100

func overlapsOf(w *work, m *bm.Machine) error {
	e := m.Engine()
	v := m.Layers()[bm.Visible]
	betas := make([]float64, glassRungs)
	for r := range betas { // down to the paramagnet
		betas[r] = math.Pow(0.02, float64(r)/(glassRungs-1))
	}
	t, err := sampler.NewTempering(m, betas)
	if err != nil {
		return err
	}
	s := m.State(glassReplicas)
	sampler.Randomize(m, s, bm.Law{Key: w.key.Fold(2)})
	rounds := glassRounds
	if w.miniature {
		rounds = 20
	}
	t.Start(s, glassReplicas)
	const step = 20
	for done := 0; done < rounds; done += step {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		t.Advance(bm.Law{Key: w.key.Fold(3).Fold(uint64(done))}, step)
		w.progress(float64(done+step) / float64(rounds))
	}
	t.Cold(s)
	spins := make([]int8, glassReplicas*v)
	compute.Read(e, spins, s[bm.Visible])
	if err := describe(w, "replicas", spins, v, w.key.Fold(4)); err != nil {
		return err
	}
	chains := chainsFrom(m, nil, glassReplicas, glassSweeps, w.key.Fold(5))
	return describe(w, "chains", slices.Concat(chains...), v, w.key.Fold(6))
}

// describe gives P(|q|), <q^2> and the ultrametricity of rows of v spins.
func describe(w *work, name string, spins []int8, v int, key rng.Key) error {
	x, err := eval.Overlaps(w.ctx, spins, v, true, key)
	if err != nil {
		return err
	}
	for i, q := range x.Q {
		w.add("P(q) of "+name, q, x.Density[i])
	}
	w.add("q2 of "+name, 0, x.Squared)
	if !math.IsNaN(x.Ultrametricity) {
		w.add("ultrametricity of "+name, 0, x.Ultrametricity)
	}
	return nil
}

// finishUltrametricity is the figure ultrametricity.
func finishUltrametricity(r *results) error {
	arms := []string{"glass", "cd-10", "rapid"}
	names := append(slices.Clone(arms), "data")
	var rows [][]view.Panel
	var tempered map[string]Curve // <q^2>
	for _, kind := range []struct{ point, words string }{{"replicas", "parallel tempering"}, {"chains", fmt.Sprintf("chains of %d Gibbs steps", glassSweeps)}} {
		var curves []Curve
		gaps, squares := map[string]Curve{}, map[string]Curve{}
		dots := Curve{Name: "gap"}
		lines := slices.Clone(names)
		for i, name := range names {
			arm, point := name, kind.point
			if name == "data" {
				arm, point = "rapid", "data"
			}
			label := name + ", " + kind.words
			if name == "data" {
				label = name
			}
			density := r.curve(name, arm, "P(q) of "+point)
			curves = append(curves, density)
			gaps[name] = r.curve("ultrametricity, "+label, arm, "ultrametricity of "+point)
			squares[name] = r.curve("<q^2>, "+label, arm, "q2 of "+point)
			if name != "data" || len(rows) == 0 {
				d := density
				d.Name = "P(q), " + label
				r.add(d, gaps[name], squares[name])
			}
			whole := squares[name].N[0] // machines; those whose samples are one configuration and its negative have no triangle
			if g := gaps[name]; len(g.Mean) > 0 {
				dots.X, dots.Mean, dots.SD, dots.N = append(dots.X, float64(i+1)), append(dots.Mean, g.Mean[0]), append(dots.SD, g.SD[0]), append(dots.N, g.N[0])
				if g.N[0] < whole {
					lines[i] += fmt.Sprintf(" (%d of %d)", g.N[0], whole)
				}
			} else {
				lines[i] += " (one pair)"
			}
		}
		end := 1.1 // of the axis
		for i, x := range dots.Mean {
			end = max(end, x)
			if sd := dots.SD[i]; !math.IsNaN(sd) {
				end = max(end, x+sd)
			}
		}
		rows = append(rows, []view.Panel{
			view.CurvesPanel{Chart: view.Chart{Title: r.title() + ": " + kind.words, X: view.Axis{Label: "overlap q of two samples"}, Y: view.Axis{Label: "P(q)"}}, Series: series(curves...)},
			view.DotsPanel{Title: "triangles of samples: 0 is ultrametric, 1 is chance (n of m: machines with triangles)", Value: view.Axis{Label: "gap of the longer sides / chance", Min: 0, Max: end}, Names: lines, Series: series(dots)},
		})
		criterion := "; open where some machines have but one configuration and its negative"
		if kind.point == "replicas" {
			tempered = squares
		} else {
			criterion += ", and for a machine whose <q^2> in chains and in tempering differ by more than 0.02 and two standard errors: one of the two does not sample it"
		}
		compare := func(claim, decides, a, b string) {
			x, y := gaps[a], gaps[b]
			say := func(name string) string {
				g, whole := gaps[name], squares[name].N[0]
				switch {
				case len(g.Mean) == 0:
					return name + ": all samples are one configuration or its negative"
				case g.N[0] < whole:
					return fmt.Sprintf("%s %s (%d of %d machines: in the others all samples are one configuration or its negative)", name, pm(g.Mean[0], g.stderr(0), 3), g.N[0], whole)
				}
				return name + " " + pm(g.Mean[0], g.stderr(0), 3)
			}
			v, text := above(x.value(0), y.value(0), x.stderr(0), y.stderr(0)), say(a)+", "+say(b)
			for _, name := range []string{a, b} {
				if g := gaps[name]; len(g.N) > 0 && g.N[0] < squares[name].N[0] {
					v = Open // the machines with triangles are a selection
				}
				q, t := squares[name], tempered[name]
				if equal(q.value(0), t.value(0), q.stderr(0), t.stderr(0), 0.02) == Differs {
					v = Open
					text += fmt.Sprintf("; %s has <q^2> %s in chains, %s in tempering", name, pm(q.value(0), q.stderr(0), 4), pm(t.value(0), t.stderr(0), 4))
				}
			}
			r.claim(claim+" ("+kind.words+")", decides+criterion, v, "%s", text)
		}
		compare("machines in the spin-glass phase give ultrametric samples, far more than the data", "the glass' gap below that of the data by two standard errors", "data", "glass")
		compare("training drives a standard machine out of the spin glass", "the trained machine's gap above the glass' by two standard errors", "cd-10", "glass")
		compare("a trained RA machine is no spin glass", "its gap above the glass' by two standard errors", "rapid", "glass")
	}
	return r.paint(rows...)
}
