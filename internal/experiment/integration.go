package experiment

import (
	"context"
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
)

// Hard returns random machine number i of a family whose log Z is known though chains do not mix in
// most of it: axons of 1 to 3 random patterns of +-1, summed over pattern classes; Gaussian
// couplings; and axons of 2 to 8 patterns, the last two half of the time with biases and with a
// layer of 7 to 12 spins that is listed. All others have 7 to 40 spins a layer. Gains, or three
// times the deviation of couplings, go from 0.1 to 100.
func Hard(e compute.Engine, i int, key rng.Key) (m *bm.Machine, name string) {
	key = key.Fold(uint64(i))
	strength := math.Pow(10, -1+3*float64(key.Uniform(0, 0)))
	visible, hidden := 7+key.Intn(34, 0, 1), 7+key.Intn(34, 0, 2)
	bias := false
	if i%3 != 0 {
		visible = 7 + key.Intn(6, 0, 1)
		if key.Intn(2, 0, 4) == 1 {
			visible, hidden = hidden, visible
		}
		bias = key.Intn(2, 0, 5) == 1
	}
	var c bm.Couplings
	if i%3 == 1 {
		d := bm.NewDense(e, bm.Restricted(visible, hidden, false))
		d.Normal(strength/3, key.Fold(0))
		c, name = d, "Gaussian"
	} else {
		patterns := 1 + key.Intn(3, 0, 3)
		if i%3 == 2 {
			patterns = 2 + key.Intn(7, 0, 6)
		}
		a := bm.NewAxons(e, bm.Restricted(visible, hidden, false), patterns, false)
		a.Bernoulli(1, key.Fold(0))
		a.SetGain(strength)
		c, name = a, fmt.Sprintf("axons K=%d", patterns)
	}
	m = bm.New(e, c, bias, bias)
	if bias {
		for l := range 2 {
			x := make([]float32, m.Layers()[l])
			for j := range x {
				x[j] = float32(strength * key.Fold(uint64(10+l)).Normal(0, uint64(j)))
			}
			compute.Write(e, m.Bias(l).Value, x)
		}
		name += " with biases"
	}
	return m, fmt.Sprintf("%s, %dx%d, strength %.3g", name, visible, hidden, strength)
}

// HardIntegration returns log Z of Hard machine number i by thermodynamic integration, and the
// exact sum.
func HardIntegration(ctx context.Context, e compute.Engine, i int, o eval.IntegrationOptions, key rng.Key) (truth float64, z eval.LogZ, name string, err error) {
	m, name := Hard(e, i, key.Fold(0))
	if p, none := exact.ClassesOf(m); none == nil {
		truth, err = p.LogZ(ctx, 1, nil)
	} else if x, large := exact.Smallest(m); large == nil {
		truth = x.LogZ()
	} else {
		err = large
	}
	if err != nil {
		return 0, eval.LogZ{}, name, err
	}
	t := eval.Integration{Machine: m, Ladders: o.Ladders, Betas: o.Betas, Sweeps: o.Sweeps, Key: key.Fold(1).Fold(uint64(i))}
	z, err = t.Estimate(ctx)
	return truth, z, name, err
}

// likelyHard is the arm of integration on machines in which chains do not mix.
func likelyHard() *arm {
	a := &arm{name: "hard machines", seconds: 1, settings: []string{"betas=64", "sweeps=400"}, miniature: []string{"betas=16", "sweeps=40"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		exact, z, _, err := HardIntegration(w.ctx, w.engine, w.key.Intn(1000, 0, 0),
			eval.IntegrationOptions{Ladders: ladders, Betas: whole(setting(s, "betas")), Sweeps: whole(setting(s, "sweeps"))}, w.key)
		w.addEstimate("integration", 0, z, exact)
		return err
	}
	return a
}

// judgeHard adds the claims on integration in machines in which chains do not mix.
func (r *results) judgeHard() {
	_, all := r.estimatesOf("hard machines", "integration")
	c := Coverage{}
	missed, warned := 0, 0
	for _, z := range all[0] {
		c.Add(z, 0)
		if math.Abs(z.Value) > 1 {
			missed++
			if len(z.Warnings) > 0 {
				warned++
			}
		}
	}
	for _, what := range []string{"off", "stderr", "warned"} {
		r.add(r.curve("hard machines, integration, "+what, "hard machines", "integration, "+what))
	}
	share, _ := c.Share()
	verdict, found := decided(share >= leastHeld), fmt.Sprintf("%.1f %% of %d, of %d machines; median width %.2g nats", 100*share, c.Silent, c.Machines, c.MedianWidth())
	if c.Silent == 0 {
		verdict, found = Open, "every estimate warned"
	}
	r.claim("95 % intervals of integration hold the exact log Z where nothing warned, in machines in which chains do not mix", "gains of 0.1 to 100, most of them glassy; at least 90 %", verdict, "%s", found)
	r.claim("integration that is off by more than 1 nat warns, in machines in which chains do not mix", "all", decided(warned == missed), "%d of %d warned", warned, missed)
	n, expected, chance := c.Silently(ladders)
	r.claim("misses of integration beyond 4 standard errors do not go without a warning, in machines in which chains do not mix", fmt.Sprintf("all but as many as Student's t of %d samples gives; decided by a chance of 5 %%", ladders), decided(chance >= 0.05, chance),
		"%d of %d estimates, at most %.2g are expected", n, c.Silent, expected)
}
