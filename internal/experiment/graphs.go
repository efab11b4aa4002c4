package experiment

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
	"mattis/view"
)

// graphs is the figure graphs: what estimates of log Z are worth for machines on other graphs than
// the restricted one. An instance of graphs is one random machine that can be summed; mattis runs
// over the couplings of a deep machine of one pattern, at a size of MNIST.
var graphs = &study{[]*arm{graphMachines(), deepMattis()}}

func graphMachines() *arm {
	a := &arm{name: "graphs", seconds: 4, settings: []string{"runs=500", "betas=500"}, miniature: []string{"runs=20", "betas=10"}}
	a.draw = func(w *work) error {
		i := w.key.Intn(1000, 0, 0)
		m, _ := RandomGraph(w.engine, i, w.key)
		truth, all, err := estimatesOf(w.ctx, m, a.annealed(w.miniature), w.key.Fold(1))
		for j, z := range all {
			w.addEstimate(methods[j], 0, z, truth)
		}
		return err
	}
	return a
}

// RandomGraph returns random machine number i of the other topologies in turn: deep ones of two and
// three hidden layers, full ones without and with hidden spins, hybrid ones, triangles of layers,
// and ones with a Gaussian top; with axons and Gaussian couplings, with and without biases. Layers
// have 2 to 6 spins, a full machine without hidden ones up to 12, and couplings a strength of 0.1
// (hot) to 10 (cold), where 1 is about the strength at which spins begin to order.
func RandomGraph(e compute.Engine, i int, key rng.Key) (m *bm.Machine, name string) {
	key = key.Fold(uint64(i))
	size := func(n int) int { return 2 + key.Intn(5, 1, uint64(n)) }
	layer := func(n int, name string, kind bm.Kind) bm.Layer { return bm.Layer{Name: name, N: size(n), Kind: kind} }
	kinds := []struct {
		name  string
		graph bm.Graph
	}{
		{"deep of two", bm.Deep(size(0), size(1), size(2))}, {"deep of three", bm.Deep(size(0), size(1), size(2), size(3))},
		{"full", bm.Full(2*size(0), 0)}, {"full with hidden", bm.Full(size(0), size(1))}, {"hybrid", bm.Hybrid(2*size(0), size(1))},
		{"triangle", bm.Graph{Layers: []bm.Layer{layer(0, "visible", bm.Spins), layer(1, "a", bm.Spins), layer(2, "b", bm.Spins)}, Pairs: []bm.Pair{{A: 0, B: 1}, {A: 0, B: 2}, {A: 1, B: 2}}}},
		{"Gaussian top", bm.Graph{Layers: []bm.Layer{layer(0, "visible", bm.Spins), layer(1, "h", bm.Spins), layer(2, "z", bm.Gaussian)}, Pairs: []bm.Pair{{A: 0, B: 1}, {A: 1, B: 2}}}},
	}
	k := kinds[i%len(kinds)]
	g, strength := k.graph, 0.1*math.Pow(100, float64(key.Uniform(0, 2)))
	if k.name == "hybrid" || k.name == "Gaussian top" { // the energy is of the square of the couplings
		strength = math.Sqrt(strength)
	}
	var c bm.Couplings
	if i/len(kinds)%2 == 0 {
		a := bm.NewAxons(e, g, 1+key.Intn(5, 0, 3), false)
		a.Bernoulli(1, key.Fold(0))
		for n, p := range g.Pairs {
			a.SetPairGain(n, strength*math.Sqrt(float64(a.K())/float64(g.Layers[p.A].N*g.Layers[p.B].N)))
		}
		c, name = a, fmt.Sprintf("axons K=%d", a.K())
	} else {
		d := bm.NewDense(e, g)
		d.Normal(1, key.Fold(0))
		for n, p := range g.Pairs {
			deviation := strength / (math.Sqrt(float64(g.Layers[p.A].N)) + math.Sqrt(float64(g.Layers[p.B].N)))
			e.Axpby(d.Weights(n).Value, 0, d.Weights(n).Value, deviation)
		}
		c, name = d, "Gaussian"
	}
	biased := make([]bool, len(g.Layers))
	for l := range biased {
		biased[l] = i/(2*len(kinds))%2 == 1
	}
	m = bm.New(e, c, biased...)
	for l := range biased {
		if b := m.Bias(l).Value; !b.IsNone() {
			x := make([]float32, b.Len())
			for j := range x {
				x[j] = float32(0.3 * key.Fold(uint64(1+l)).Normal(0, uint64(j)))
			}
			compute.Write(e, b, x)
		}
	}
	if biased[bm.Visible] {
		name += " with biases"
	}
	return m, fmt.Sprintf("%s, %s, %v, strength %.2g", k.name, name, m.Layers(), strength)
}

func deepMattis() *arm {
	a := &arm{name: "mattis", seconds: 300, single: true,
		settings: []string{"visible=784", "first=500", "second=1000", "runs=300", "betas=2000",
			"gains=0.0005,0.0008,0.001,0.00106,0.0012,0.0015,0.002,0.003,0.006,0.01,0.03,0.1"},
		miniature: []string{"visible=12", "first=8", "second=10", "gains=0.01,0.1", "runs=20", "betas=10"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		sizes := [3]int{whole(setting(s, "visible")), whole(setting(s, "first")), whole(setting(s, "second"))}
		gains := strings.Split(setting(s, "gains"), ",")
		for i, text := range gains {
			gain, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return err
			}
			truth, z, err := DeepMattis(w.ctx, w.engine, sizes, gain, a.annealed(w.miniature), w.key.Fold(uint64(i)))
			if err != nil {
				return err
			}
			w.add("exact", gain, truth)
			w.addEstimate("AIS", gain, z, truth)
			w.progress(float64(i+1) / float64(len(gains)))
		}
		return nil
	}
	return a
}

// DeepMattis returns log Z of a deep machine of one random pattern by AIS from several bases, as
// the measure logz_ais has it, and the exact sum over pattern classes. Its layers order all at once
// where the gain is about 1/sqrt(N_1 (N_0 + N_2)).
func DeepMattis(ctx context.Context, e compute.Engine, sizes [3]int, gain float64, s Annealed, key rng.Key) (truth float64, z eval.LogZ, err error) {
	a := bm.NewAxons(e, bm.Deep(sizes[0], sizes[1], sizes[2]), 1, false)
	a.Bernoulli(1, key.Fold(0))
	a.SetGain(gain)
	m := bm.New(e, a)
	classes, err := exact.ClassesOf(m)
	if err != nil {
		return 0, z, err
	}
	if truth, err = classes.LogZ(ctx, 1, nil); err != nil {
		return 0, z, err
	}
	o := eval.Defaults()
	o.AIS.Runs, o.AIS.Betas = s.Runs, s.Betas
	b, err := eval.NewBases(m, nil, o)
	if err != nil {
		return 0, z, err
	}
	b.Key = key.Fold(1)
	all, err := b.Estimate(ctx)
	if err != nil {
		return 0, z, err
	}
	return truth, all.LogZ, nil
}

// finishGraphs is the figure graphs: coverage of the 95 % intervals on random machines, and the
// deep Mattis machine over its gain.
func finishGraphs(r *results) error {
	panels := []view.Panel{r.judgeIntervals(graphs.arms[0], "random machines that can be summed")}
	truth := r.curve("exact", "mattis", "exact")
	x, all := r.estimatesOf("mattis", "AIS")
	r.add(truth, r.curve("AIS, off", "mattis", "AIS, off"), r.curve("AIS, stderr", "mattis", "AIS, stderr"), r.curve("AIS, warned", "mattis", "AIS, warned"))
	off, errs := view.Series{Name: "off by"}, view.Series{Name: "standard error"}
	covered, loud := 0, true
	for i, list := range all {
		z := list[0]
		holds := math.Abs(z.Value) <= 1.96*z.Stderr
		if holds {
			covered++
		}
		loud = loud && (holds || len(z.Warnings) > 0)
		text := fmt.Sprintf("%+.4f ± %.4f", z.Value, z.Stderr)
		if len(z.Warnings) > 0 {
			text += " warned"
		}
		off.X, off.Mean = append(off.X, x[i]), append(off.Mean, math.Max(math.Abs(z.Value), 1e-6))
		errs.X, errs.Mean = append(errs.X, x[i]), append(errs.Mean, z.Stderr)
		r.table.Rows = append(r.table.Rows, []string{fmt.Sprintf("%g", x[i]), fmt.Sprintf("%.6f", truth.Mean[i]), text, map[bool]string{true: "yes", false: "no"}[holds]})
	}
	r.claim("95 % intervals of AIS hold the exact log Z of the deep Mattis machine", "at all gains but one, with a warning beside each miss",
		decided(covered >= len(all)-1 && loud), "at %d of %d", covered, len(all))
	panels = append(panels, view.CurvesPanel{Chart: view.Chart{Title: "deep Mattis machine", X: view.Axis{Label: "gain", Log: true}, Y: view.Axis{Label: "nats", Log: true}}, Series: []view.Series{off, errs}})
	r.table.Header = []string{"gain", "exact log Z", "AIS off by", "interval holds"}
	r.caption = "The deep machine of one pattern, in nats; the exact value is the sum over pattern classes."
	return r.paint(panels)
}
