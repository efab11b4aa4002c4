package experiment

import (
	"math"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/exact"
	"mattis/recipe"
	"mattis/view"
)

// summedOut is the figure hybrid: Appendix E in numbers on random hybrid machines, and the couplings
// of trained ones.
var summedOut = &study{[]*arm{
	identities(), embedded(),
	{name: "trained-axons", recipe: "bars-deep", seconds: 20, why: whyClipped, after: summedCouplings, miniature: summedShort,
		settings: settingsFrom([]string{"machine={kind: hybrid, hidden: 30}", "couplings={patterns: 8, gain: 0.3}", "positive={kind: marginal}"}, clipped, summed, []string{"measure.train=[hamming, nll_exact]"})},
	{name: "trained-dense", recipe: "bars-deep", seconds: 60, why: whyPCD, after: summedCouplings, miniature: settingsFrom(summedShort, []string{"negative.chains=20"}),
		settings: settingsFrom([]string{"machine={kind: hybrid, hidden: 15}", "positive={kind: marginal}"}, summed, byPCD, []string{"measure.train=[hamming, nll_exact]"})},
}}

// identities are E1 and E2 on random hybrid machines of +-1 patterns, over H/K.
func identities() *arm {
	a := &arm{name: "random", seconds: 5, settings: []string{"visible=12", "patterns=6", "ratios=0.5,1,2,5,10,20,50,100"}, miniature: []string{"visible=6", "patterns=3", "ratios=1,2"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		n, k := whole(setting(s, "visible")), whole(setting(s, "patterns"))
		for i, text := range strings.Split(setting(s, "ratios"), ",") {
			ratio, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return err
			}
			h := max(1, int(ratio*float64(k)))
			x := bm.NewAxons(w.engine, bm.Hybrid(n, h), k, false)
			x.Bernoulli(1, w.key.Fold(uint64(i)))
			x.SetGain(math.Sqrt(1 / float64(h)))
			m := bm.New(w.engine, x)
			once, twice := offBy(m)
			w.add("E1, pairs once", ratio, once)
			w.add("E1, pairs twice", ratio, twice)
			w.addForm(m, ratio)
		}
		return nil
	}
	return a
}

// offBy returns the largest difference, over all visible states, between the free energies of a
// hybrid machine and the energies of its Hopfield machine with the diagonal trace(W W^T)/2, which
// counts pairs once; and the same where the energy counts them twice, up to the best constant.
func offBy(m *bm.Machine) (once, twice float64) {
	e, n := m.Engine(), m.Layers()[bm.Visible]
	states := statesOfLayer(m, n)
	hopfield := hopfieldOf(m)
	f := energiesOf(m, bm.State{states, compute.Matrix{}})
	pairs := energiesOf(hopfield, bm.State{states})
	w := hostOf(e, m.Couplings().Formed(0))
	trace := 0.0
	for _, x := range w {
		trace += float64(x) * float64(x)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range f {
		once = max(once, math.Abs(f[i]-(pairs[i]-trace/2)))
		low, high = min(low, f[i]-2*pairs[i]), max(high, f[i]-2*pairs[i])
	}
	return once, (high - low) / 2
}

// statesOfLayer returns all states of the visible layer.
func statesOfLayer(m *bm.Machine, n int) compute.Matrix {
	rows := make([]int8, n<<n)
	for s := range 1 << n {
		exact.SetState(rows[s*n:][:n], uint64(s))
	}
	v := m.Engine().Alloc(compute.Int8, 1<<n, n)
	compute.Write(m.Engine(), v, rows)
	return v
}

func hostOf(e compute.Engine, m compute.Matrix) []float32 {
	x := make([]float32, m.Len())
	compute.Read(e, x, m)
	return x
}

// addForm gives what E2 says of a machine of axons: how far W W^T is from (g^2/K) X_v^T M X_v, how
// much of its couplings is Hebb's rule of its visible parts, how large M is beside its diagonal, and
// how far the weights W are from binary: the deviation of |W| over its mean, 0 of binary ones.
func (w *work) addForm(m *bm.Machine, at float64) {
	e, a, n := m.Engine(), m.Axons(), m.Layers()[bm.Visible]
	mark := e.Mark()
	defer e.Release(mark)
	j := hostOf(e, hopfieldOf(m).Couplings().Formed(0))
	xv, xh, k, h := hostOf(e, a.Patterns(bm.Visible).Value), hostOf(e, a.Patterns(bm.Hidden).Value), a.K(), m.Layers()[bm.Hidden]
	c := a.Factor(0) * a.Factor(0)
	inner := make([]float64, k*k)
	diagonal, off := 0.0, 0.0
	for p := range k {
		for q := range k {
			for b := range h {
				inner[p*k+q] += float64(xh[p*h+b]) * float64(xh[q*h+b])
			}
			if p == q {
				diagonal += inner[p*k+q] / float64(k)
			} else {
				off += math.Abs(inner[p*k+q]) / float64(max(1, k*(k-1)))
			}
		}
	}
	var worst, jj, hh, jh float64
	for i := range n {
		for l := range i {
			byForm, hebb := 0.0, 0.0
			for p := range k {
				hebb += float64(xv[p*n+i]) * float64(xv[p*n+l])
				for q := range k {
					byForm += c * float64(xv[p*n+i]) * float64(xv[q*n+l]) * inner[p*k+q]
				}
			}
			x := float64(j[i*n+l])
			worst = max(worst, math.Abs(x-byForm)/max(1, math.Abs(byForm)))
			jj, hh, jh = jj+x*x, hh+hebb*hebb, jh+x*hebb
		}
	}
	var mean, square float64
	weights := hostOf(e, m.Couplings().Formed(0))
	for _, x := range weights {
		mean += math.Abs(float64(x)) / float64(len(weights))
		square += float64(x) * float64(x) / float64(len(weights))
	}
	w.add("E2, off", at, worst)
	w.add("like Hebb", at, jh/math.Sqrt(jj*hh))
	w.add("M off its diagonal", at, off/diagonal)
	w.add("deviation of |W|", at, math.Sqrt(max(0, square-mean*mean))/mean)
}

// embedded is the projection rule as a hybrid machine of axons: hidden parts C^(-1/2), so that
// X_h X_h^T = (K/g^2) (X_v X_v^T)^-1.
func embedded() *arm {
	a := &arm{name: "projection", seconds: 5, settings: []string{"size=400", "count=200"}, miniature: []string{"size=30", "count=10"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		n, k := whole(setting(s, "size")), whole(setting(s, "count"))
		split, err := data.Memories(data.Options{Size: n, Count: k, Key: w.key})
		if err != nil {
			return err
		}
		x := bm.NewAxons(w.engine, bm.Hybrid(n, k), k, false)
		x.SetGain(math.Sqrt(float64(k) / float64(n)))
		if _, err := recipe.StoreMemories(x, split.Train, "hebb"); err != nil {
			return err
		}
		root, err := recipe.OverlapRoot(split.Train)
		if err != nil {
			return err
		}
		compute.Write(w.engine, x.Patterns(bm.Hidden).Value, root)
		m := hopfieldOf(bm.New(w.engine, x))
		d := bm.NewDense(w.engine, bm.Full(n, 0))
		if _, err := recipe.StoreMemories(d, split.Train, "projection"); err != nil {
			return err
		}
		got, want := hostOf(w.engine, m.Couplings().Formed(0)), hostOf(w.engine, d.Formed(0))
		worst := 0.0
		for i := range got {
			worst = max(worst, math.Abs(float64(got[i]-want[i])))
		}
		w.add("off", 0, worst)
		for _, flips := range []float64{0, 0.05} {
			wrong, err := recallOf(w, m, split.Train, flips)
			if err != nil {
				return err
			}
			w.add("wrong over flips", flips, wrong)
		}
		return nil
	}
	return a
}

// summedCouplings gives the eigenvalues of the couplings of a trained hybrid machine's Hopfield
// machine, its diagonal kept, and of axons what addForm has.
func summedCouplings(w *work, t *trained) error {
	once, _ := offBy(t.Machine)
	w.add("E1, pairs once", 0, once)
	if t.Axons != nil {
		w.addForm(t.Machine, 0)
	}
	return nil
}

// finishHybrid is the figure hybrid.
func finishHybrid(r *results) error {
	like := r.curve("random machines", "random", "like Hebb")
	var y []float64
	for _, x := range like.X {
		y = append(y, 1/math.Sqrt(1+1/x))
	}
	theory := exactly("1/√(1+K/H)", like.X, y)
	r.add(like, theory)
	var nll []Curve
	for _, a := range []string{"trained-axons", "trained-dense"} {
		c := r.curve(a, a, "nll_exact train")
		nll = append(nll, c)
		r.add(c)
	}
	if err := r.paint([]view.Panel{
		view.CurvesPanel{Chart: view.Chart{Title: r.title(), X: view.Axis{Label: "H/K", Log: true}, Y: view.Axis{Label: "correlation of J with Hebb's rule", Min: 0, Max: 1.05}}, Series: series(like, theory)},
		view.CurvesPanel{Chart: view.Chart{Title: "hybrid machines on Bars 4x4", X: view.Axis{Label: "epoch"}, Y: view.Axis{Label: "NLL, training set", Log: true}}, Series: series(nll...)},
	}); err != nil {
		return err
	}
	worst := func(arms []string, point string) (x float64) {
		for _, a := range arms {
			c := r.curve("", a, point)
			r.add(Curve{Name: a + ", " + point, X: c.X, Mean: c.Mean, SD: c.SD, N: c.N})
			for _, list := range c.lists {
				for _, v := range list {
					x = max(x, v)
				}
			}
		}
		return x
	}
	once := worst([]string{"random", "trained-axons", "trained-dense"}, "E1, pairs once")
	r.claim("summing the hidden units of an HBM out leaves the Hopfield model of J = W W^T (E1)", "free energies of all states agree within 0.001 with -1/2 v J v, its diagonal in the constant trace/2; random and trained machines", decided(once <= 1e-3, once), "they differ by %.2g kT at most", once)
	twice := worst([]string{"random"}, "E1, pairs twice")
	r.claim("the same with Eq. 1 as printed, which counts each pair twice", "free energies of random machines agree within 0.001, up to a constant", decided(twice <= 1e-3, twice), "they differ by up to %.2g kT: J has to be half of W W^T there", twice)
	off := worst([]string{"random", "trained-axons"}, "E2, off")
	r.claim("the couplings of an RA-HBM are (1/K) X_v^T M X_v (E2)", "W W^T agrees with it within 1e-5 of its size, g = 1/sqrt H and trained", decided(off <= 1e-5, off), "within %.2g", off)
	binary := r.curve("", "random", "deviation of |W|")
	trainedBinary := r.curve("", "trained-axons", "deviation of |W|")
	r.claim("the weights of an RA-HBM are not binary, even approximately (App. E)", "the deviation of |W| is at least a quarter of its mean, for all random and trained machines", decided(min(binary.least(0), trainedBinary.least(0)) >= 0.25, binary.least(0), trainedBinary.least(0)), "%.2f of it at least for random machines, %.2f for trained ones", binary.least(0), trainedBinary.least(0))
	trainedLike, beside := r.curve("", "trained-axons", "like Hebb"), r.curve("", "trained-axons", "M off its diagonal")
	at := like.value(1)
	r.claim("the Hebbian form in an RA-HBM is not the Hebbian form of its Hopfield model (App. E)", "the correlation of J with Hebb's rule of the visible parts is below 0.9 for random machines with H = K", decided(at < 0.9, at),
		"%s at H = K (theory 0.707), %.3f at H = %g K; trained machines %s, where |M| off the diagonal is %.2f of it", pm(at, like.stderr(1), 3), like.last(), like.X[len(like.X)-1], pm(trainedLike.last(), trainedLike.stderr(math.Inf(1)), 3), beside.last())
	same := worst([]string{"projection"}, "off")
	wrong := r.curve("", "projection", "wrong over flips")
	r.claim("the form E2 reaches capacities beyond Hebb's (App. E, left open)", "with X_h X_h^T = (K/g^2) (X_v X_v^T)^-1 it is the projection rule, couplings within 1e-5, and holds 0.5 N memories with at most 0.1 % wrong spins", decided(same <= 1e-5 && wrong.value(0) <= 1e-3, same, wrong.value(0)),
		"couplings within %.2g; %.2f %% wrong spins, %.2f %% from 5 %% flipped", same, 100*wrong.value(0), 100*wrong.value(0.05))
	r.endTable(summedOut.arms[2:], "hamming train", "hamming test", "nll_exact train", "nll_exact test")
	return nil
}
