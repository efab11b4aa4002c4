package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/negative"
	"mattis/rng"
	"mattis/view"
)

// costs is the table of Appendix D: operations of a negative phase beside the time they take on one
// core.
var costs = &study{[]*arm{costArm()}}

func costArm() *arm {
	a := &arm{name: "cost", seconds: 60, single: true,
		settings: []string{"base=V200,H400,K20,f25,k5", "V=50,100,200,400,800", "H=100,200,400,800,1600", "K=5,10,20,40,80",
			"f=10,20,40,80,160", "k=1,2,5,10,20", "passes=30", "seconds=0.02"},
		miniature: []string{"base=V20,H40,K4,f6,k2", "V=10,20", "H=20,40", "K=2,4", "f=3,6", "k=1,2", "passes=2", "seconds=0"}}
	a.draw = func(w *work) error { return timeCosts(w, a.settingsOf(w.miniature)) }
	return a
}

// shape is what the cost depends on, in the letters of Appendix D.
type shape struct{ V, H, K, f, k int }

func (s shape) with(letter string, x int) shape {
	switch letter {
	case "V":
		s.V = x
	case "H":
		s.H = x
	case "K":
		s.K = x
	case "f":
		s.f = x
	case "k":
		s.k = x
	}
	return s
}

// negatives are the ways to the negative phase, with the multiply-adds that they need. The paper
// counts those of the sampling for CD, and for PID those of W from the patterns; the gradient's
// products are the same for both kinds of couplings and left out.
var negatives = []struct {
	name string
	law  string
	ops  func(s shape) float64
	work func(e compute.Engine, s shape) func()
}{
	{"cd", "2kfHV", func(s shape) float64 { return 2 * float64(s.k) * float64(s.f) * float64(s.V) * float64(s.H) }, contrastive},
	{"pid, W formed", "KVH", func(s shape) float64 { return float64(s.K) * float64(s.V) * float64(s.H) }, formed},
	{"pid, W never formed", "K²(V+H)", func(s shape) float64 { return float64(s.K) * float64(s.K) * float64(s.V+s.H) }, unformed},
}

// contrastive is CD-k: k sweeps of f rows with dense couplings.
func contrastive(e compute.Engine, s shape) func() {
	d := bm.NewDense(e, bm.Restricted(s.V, s.H, false))
	d.Normal(0.01, 1)
	m := bm.New(e, d, false, false)
	rows := e.Alloc(compute.Int8, s.f, s.V)
	e.Spins(rows, 2, 0, 0)
	cd := negative.NewCD(m, s.k)
	key := rng.Key(3)
	return func() { key++; cd.Draw(bm.Batch{State: bm.State{rows}}, key) }
}

// formed is what Eq. 5 costs after an update: W from the patterns.
func formed(e compute.Engine, s shape) func() {
	a := bm.NewAxons(e, bm.Restricted(s.V, s.H, false), s.K, false)
	a.Bernoulli(1, 1)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	w := e.Alloc(compute.Float32, s.V, s.H)
	return func() {
		e.Mul(w, v.Value, h.Value, compute.Op{TransA: true, Alpha: 1 / math.Sqrt(float64(s.K))})
	}
}

// unformed is the negative phase of this program: the K patterns as spins, and the fields of their
// hidden spins through the patterns.
func unformed(e compute.Engine, s shape) func() {
	a := bm.NewAxons(e, bm.Restricted(s.V, s.H, false), s.K, false)
	a.Bernoulli(1, 1)
	m := bm.New(e, a, false, false)
	pid := negative.NewPID(m, a, nil)
	mean := e.Alloc(compute.Float32, s.K, s.H)
	return func() {
		b := pid.Draw(bm.Batch{}, 0)
		m.Mean(mean, b.State, bm.Hidden, bm.Law{})
	}
}

// timeCosts times every way over every letter.
func timeCosts(w *work, settings []string) error {
	var base shape
	if _, err := fmt.Sscanf(setting(settings, "base"), "V%d,H%d,K%d,f%d,k%d", &base.V, &base.H, &base.K, &base.f, &base.k); err != nil {
		return err
	}
	var seconds float64
	if _, err := fmt.Sscan(setting(settings, "seconds"), &seconds); err != nil {
		return err
	}
	type timed struct {
		name string
		x    float64
		ops  float64
		work func()
		best float64
	}
	var list []*timed
	for _, letter := range []string{"V", "H", "K", "f", "k"} {
		for _, text := range strings.Split(setting(settings, letter), ",") {
			s := base.with(letter, whole(text))
			for _, n := range negatives {
				t := &timed{n.name + " over " + letter, float64(whole(text)), n.ops(s), n.work(w.engine, s), math.Inf(1)}
				t.work() // warm
				list = append(list, t)
			}
		}
	}
	// In passes over all of them, so that what else the machine does for a while spoils none.
	passes := whole(setting(settings, "passes"))
	for pass := range passes {
		for _, t := range list {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			t.best = min(t.best, least(t.work, seconds))
		}
		w.progress(float64(pass+1) / float64(passes))
	}
	for _, t := range list {
		w.add(t.name+", operations", t.x, t.ops)
		w.add(t.name+", seconds", t.x, t.best)
	}
	return nil
}

// least returns the shortest of many repetitions, as long as the time lasts: what others do on the
// machine only adds.
func least(work func(), seconds float64) float64 {
	best := math.Inf(1)
	for begin := time.Now(); ; {
		start := time.Now()
		work()
		best = min(best, time.Since(start).Seconds())
		if time.Since(begin).Seconds() >= seconds {
			return best
		}
	}
}

// finishCosts is the table of Appendix D: how times grow with each letter, beside the law.
func finishCosts(r *results) error {
	letters := []string{"V", "H", "K", "f", "k"}
	var panels [][]view.Panel
	exponent := map[string]float64{}
	get := func(n, letter, what string) Curve {
		return r.curve(n+" over "+letter+", "+what, "cost", n+" over "+letter+", "+what)
	}
	for i, letter := range letters {
		var curves []view.Series
		for _, n := range negatives {
			ops, t := get(n.name, letter, "operations"), get(n.name, letter, "seconds")
			r.add(ops, t)
			exponent[n.name+letter] = slope(t)
			curves = append(curves, view.Series{Name: n.name, X: t.X, Mean: t.Mean})
		}
		panel := view.CurvesPanel{Chart: view.Chart{Title: "over " + letter, X: view.Axis{Label: letter, Log: true}, Y: view.Axis{Label: "seconds", Log: true}}, Series: curves}
		if i%2 == 0 {
			panels = append(panels, nil)
		}
		panels[len(panels)-1] = append(panels[len(panels)-1], panel)
	}
	// All of them against the operations.
	var together []view.Series
	for _, n := range negatives {
		var c Curve
		for _, letter := range letters {
			ops, t := get(n.name, letter, "operations"), get(n.name, letter, "seconds")
			for k, x := range t.X {
				y := ops.value(x)
				if i := slices.Index(c.X, y); i >= 0 { // the base shape, or as much work in another shape
					c.lists[i] = append(c.lists[i], t.Mean[k])
					continue
				}
				c.X, c.lists = append(c.X, y), append(c.lists, []float64{t.Mean[k]})
			}
		}
		c.sort()
		together = append(together, view.Series{Name: n.name, X: c.X, Mean: c.Mean})
	}
	panels[len(panels)-1] = append(panels[len(panels)-1], view.CurvesPanel{Chart: view.Chart{Title: "all of them", X: view.Axis{Label: "multiply-adds", Log: true}, Y: view.Axis{Label: "seconds", Log: true}}, Series: together})
	if err := r.paint(panels...); err != nil {
		return err
	}
	for _, law := range []struct {
		n     int
		grows map[string]float64
	}{
		{0, map[string]float64{"V": 1, "H": 1, "K": 0, "f": 1, "k": 1}},
		{1, map[string]float64{"V": 1, "H": 1, "K": 1, "f": 0, "k": 0}},
	} {
		n := negatives[law.n]
		var v []Verdict
		var text []string
		for _, letter := range letters {
			x := exponent[n.name+letter]
			v = append(v, decided(math.Abs(x-law.grows[letter]) <= 0.35, x))
			text = append(text, fmt.Sprintf("%s^%.2f", letter, x))
		}
		r.claim("the negative phase of "+n.name+" costs O("+n.law+")", "exponents of the measured times within 0.35 of 1, and of 0 for letters that are not there", all(v...), "%s", strings.Join(text, " "))
	}
	cd, paper, ours := get("cd", "k", "seconds"), get("pid, W formed", "k", "seconds"), get("pid, W never formed", "k", "seconds")
	at := cd.X[len(cd.X)/2]
	ops := get("cd", "k", "operations").value(at) / get("pid, W formed", "k", "operations").value(at)
	ratio := cd.value(at) / paper.value(at)
	r.claim("PID has a speedup over CD in the complexity of each update", fmt.Sprintf("2kf/K = %.0f times fewer operations at k = %.0f; decided by a faster negative phase", ops, at), decided(ratio > 1, ratio), "%.0f times faster with W formed, %.0f times without", ratio, cd.value(at)/ours.value(at))
	return nil
}

// slope returns the least-squares slope of log y over log x in the upper half of x, where constant
// costs are left behind.
func slope(c Curve) float64 {
	from := len(c.X) / 2
	if len(c.X)-from < 2 {
		from = max(0, len(c.X)-2)
	}
	var x, y []float64
	for i := from; i < len(c.X); i++ {
		x, y = append(x, math.Log(c.X[i])), append(y, math.Log(c.Mean[i]))
	}
	mx, _ := moments(x)
	my, _ := moments(y)
	var xy, xx float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
	}
	return xy / xx
}
