package experiment

import (
	"math"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/sampler"
)

// loadedArm is the fully connected machine of random patterns, g = 1, over K/N: the energy that
// Gibbs sweeps from random spins reach and the energy that a descent from a pattern ends at, as
// shares of the lowest found, and the overlap that such a descent keeps.
func loadedArm() *arm {
	a := &arm{name: "random patterns", seconds: 20,
		settings:  []string{"spins=400", "loads=0.01,0.02,0.03,0.05,0.08,0.1,0.12,0.138,0.16,0.2,0.3,0.5,1", "chains=32", "sweeps=100", "steps=10"},
		miniature: []string{"spins=30", "loads=0.05,0.12,0.138,0.16,0.2,0.3", "chains=4", "sweeps=4"}}
	a.draw = func(w *work) error {
		s := a.settingsOf(w.miniature)
		n, loads := whole(setting(s, "spins")), strings.Split(setting(s, "loads"), ",")
		for i, text := range loads {
			load, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return err
			}
			if err := w.ctx.Err(); err != nil {
				return err
			}
			key := w.key.Fold(uint64(i))
			x := bm.NewAxons(w.engine, bm.Full(n, 0), max(1, int(math.Round(load*float64(n)))), false)
			x.Bernoulli(1, key.Fold(0))
			m := bm.New(w.engine, x)

			chains := sampler.Chains(m, whole(setting(s, "chains")))
			sampler.Randomize(m, chains, bm.Law{Key: key.Fold(1)})
			sampler.Gibbs(m, chains, bm.Law{Key: key.Fold(2)}, whole(setting(s, "steps")))
			random := energiesOf(m, chains)

			patterns := x.Patterns(bm.Visible).Value
			ends := sampler.Chains(m, patterns.Rows())
			w.engine.Sign(ends[bm.Visible], patterns)
			sampler.Descend(m, ends, bm.Law{}, sampler.MostDescents)
			own := energiesOf(m, ends)
			end, from := make([]int8, ends[bm.Visible].Len()), make([]float32, patterns.Len())
			compute.Read(w.engine, end, ends[bm.Visible])
			compute.Read(w.engine, from, patterns)
			kept := 0.0
			for j := range end {
				kept += float64(end[j]) * float64(from[j]) / float64(len(end))
			}

			lowest := sampler.GroundState(m, sampler.Search{Chains: whole(setting(s, "chains")), Sweeps: whole(setting(s, "sweeps")), Key: key.Fold(3)}).Energy
			for _, e := range append(random, own...) {
				lowest = min(lowest, e)
			}
			r, _ := moments(random)
			o, _ := moments(own)
			w.add("random starts", load, r/lowest)
			w.add("pattern starts", load, o/lowest)
			w.add("overlap kept", load, kept)
			w.progress(float64(i+1) / float64(len(loads)))
		}
		return nil
	}
	return a
}

// energiesOf returns the energies of the configurations, in kT.
func energiesOf(m *bm.Machine, s bm.State) []float64 {
	e := m.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	to := e.Scratch(compute.Float64, s.Rows(), 1)
	m.Energy(to, s, bm.Law{})
	x := make([]float64, s.Rows())
	compute.Read(e, x, to)
	return x
}
