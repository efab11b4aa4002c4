package experiment

import (
	"fmt"
	"math"
	"strings"

	"mattis/bm"
	"mattis/eval"
	"mattis/view"
)

// noise is the figure crosstalk: random patterns of a bipartite machine, over their number.
var noise = &study{[]*arm{noiseArm()}}

func noiseArm() *arm {
	a := &arm{name: "axons", seconds: 2,
		settings:  []string{"visible=100", "hidden=1000", "patterns=2,5,10,20,40,70,100,150,200,300,400"},
		miniature: []string{"visible=20", "hidden=40", "patterns=2,8"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		v, h := whole(setting(s, "visible")), whole(setting(s, "hidden"))
		counts := strings.Split(setting(s, "patterns"), ",")
		measure, err := eval.Named("crosstalk")
		if err != nil {
			return err
		}
		for i, text := range counts {
			k := whole(text)
			axons := bm.NewAxons(w.engine, bm.Restricted(v, h, false), k, false)
			axons.Bernoulli(1, w.key.Fold(uint64(k)))
			x, err := measure.Run(w.ctx, eval.Subject{Machine: bm.New(w.engine, axons, false, false)}, eval.Defaults())
			if err != nil {
				return err
			}
			w.add("hidden", float64(k), x.Value)
			w.add("visible", float64(k), x.Detail["visible"].(float64))
			w.progress(float64(i+1) / float64(len(counts)))
		}
		return nil
	}
	return a
}

// finishCrosstalk is the figure crosstalk: the share of spins that the other patterns turn, beside
// theory.
func finishCrosstalk(r *results) error {
	s := r.of("axons")[0].arm.settingsOf(r.options.Miniature)
	v, h := float64(whole(setting(s, "visible"))), float64(whole(setting(s, "hidden")))
	hidden, visible := r.curve("hidden spins", "axons", "hidden"), r.curve("visible spins", "axons", "visible")
	theory := func(name string, n float64) Curve {
		var y []float64
		for _, k := range hidden.X {
			y = append(y, eval.Crosstalk(int(n), int(k)))
		}
		return exactly(name, hidden.X, y)
	}
	th, tv := theory("Q(√(V/(K-1)))", v), theory("Q(√(H/(K-1)))", h)
	r.add(hidden, visible, th, tv)
	if err := r.paint([]view.Panel{view.CurvesPanel{
		Chart:  view.Chart{Title: fmt.Sprintf("%s (V = %.0f, H = %.0f)", r.title(), v, h), X: view.Axis{Label: "patterns K", Log: true}, Y: view.Axis{Label: "share of spins turned by crosstalk"}},
		Series: series(hidden, th, visible, tv)}}); err != nil {
		return err
	}
	var worst, at float64
	for i, k := range hidden.X {
		if d := math.Abs(hidden.Mean[i] - th.Mean[i]); d > worst && k >= 10 {
			worst, at = d, k
		}
	}
	r.claim("hidden spins are turned with probability Q(√(V/(K-1)))", "theory of normal noise from the K-1 other patterns; decided by 0.02 for K of 10 and more", decided(worst <= 0.02, worst), "largest difference %.4f, at K = %.0f", worst, at)
	k := hidden.X[hidden.at(v)]
	r.claim("K << V + H keeps the patterns low in energy", "the paper's condition; decided at K = V, where K/(V+H) is small: at most 5 % of the hidden spins turned", decided(hidden.value(k) <= 0.05, hidden.value(k)),
		"K/(V+H) = %.2f, yet %.1f %% of the hidden spins and %.2g %% of the visible ones are turned: K << min(V,H) is the condition", k/(v+h), 100*hidden.value(k), 100*visible.value(k))
	return nil
}
