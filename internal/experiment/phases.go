package experiment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
	"mattis/sampler"
	"mattis/view"
)

// TwoPhases returns random machine number i of a family with several phases whose log Z is known by
// pattern classes: 784 visible and 8 to 32 hidden spins, 1 to 3 patterns, biases constant on
// classes, ordered at temperatures from a half to a twelfth of the critical one. The biases of
// either layer favour one sign by up to e^100, independently: as the machine cools, the mass may go
// from one phase to another at once. rows are states of one of the phases, from chains that began
// at a pattern or its negative.
func TwoPhases(e compute.Engine, i int, key rng.Key) (m *bm.Machine, name string, rows *data.Set) {
	key = key.Fold(uint64(i))
	const visible = 784
	patterns, hidden := 1+i%3, 8+key.Intn(25, 0, 0)
	a := bm.NewAxons(e, bm.Restricted(visible, hidden, false), patterns, false)
	a.Bernoulli(1, key.Fold(0))
	cold := 2 * math.Pow(6, float64(key.Uniform(0, 1)))
	a.SetGain(cold * math.Sqrt(float64(patterns)/float64(visible*hidden)))
	m = bm.New(e, a, true, true)
	xv, xh := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	for l, p := range []bm.Param{xv, xh} {
		x := make([]float32, p.Value.Len())
		compute.Read(e, x, p.Value)
		n := p.Value.Cols()
		b := make([]float32, n)
		field := map[string]float64{}
		for s := range b {
			column, sign := "", float64(x[s])
			for k := range patterns {
				column += fmt.Sprint(float64(x[k*n+s]) * sign)
			}
			if _, ok := field[column]; !ok {
				u := 2*float64(key.Fold(uint64(1+l)).Uniform(0, uint64(len(field)))) - 1
				field[column] = 100 * u / float64(2*n)
			}
			b[s] = float32(sign * field[column])
		}
		compute.Write(e, m.Bias(l).Value, b)
	}
	signs := make([]int8, patterns*visible)
	v := e.Alloc(compute.Int8, patterns, visible)
	e.Sign(v, xv.Value)
	compute.Read(e, signs, v)
	k, turn := key.Intn(patterns, 0, 2), int8(1-2*key.Intn(2, 0, 3))
	first := slices.Clone(signs[k*visible:][:visible])
	for s := range first {
		first[s] *= turn
	}
	return m, fmt.Sprintf("K=%d, H=%d, %.2g times critical", patterns, hidden, cold), around(m, first, key.Fold(3))
}

// SmallPhases returns Enumerable machine number i with states of one of its phases: chains that
// began in one random state.
func SmallPhases(e compute.Engine, i int, key rng.Key) (m *bm.Machine, name string, rows *data.Set) {
	m, name = Enumerable(e, i, key)
	first := make([]int8, m.Layers()[bm.Visible])
	for s := range first {
		first[s] = int8(1 - 2*key.Fold(uint64(i)).Fold(7).Intn(2, 0, uint64(s)))
	}
	return m, name, around(m, first, key.Fold(uint64(i)).Fold(8))
}

// around returns 200 states by chains of 30 sweeps from one.
func around(m *bm.Machine, first []int8, key rng.Key) *data.Set {
	const rows, sweeps = 200, 30
	s := sampler.Chains(m, rows)
	compute.Write(m.Engine(), s[bm.Visible], slices.Repeat(first, rows))
	sampler.Gibbs(m, s, bm.Law{Key: key}, sweeps)
	set := &data.Set{Name: "one phase", Visible: len(first), Rows: rows, Spins: make([]int8, rows*len(first))}
	compute.Read(m.Engine(), set.Spins, s[bm.Visible])
	return set
}

// BaseNames are the ways of choosing a base law that are compared: all, and each alone.
var BaseNames = []string{eval.BaseAuto, eval.BaseUniform, eval.BaseData, eval.BaseMean}

// OffByBase returns log Z of a machine by AIS from each of BaseNames.
func OffByBase(ctx context.Context, m *bm.Machine, rows *data.Set, o eval.Options, key rng.Key) ([]eval.LogZ, error) {
	subject := eval.Subject{Machine: m, Split: &data.Split{Train: rows}, SetName: "train", Key: key, Memo: &eval.Memo{}}
	measure, err := eval.Named("logz_ais")
	if err != nil {
		return nil, err
	}
	var all []eval.LogZ
	for _, o.AIS.Base = range BaseNames {
		r, err := measure.Run(ctx, subject, o)
		if err != nil {
			return nil, err
		}
		all = append(all, eval.LogZ{Value: r.Value, Stderr: r.Stderr, Warnings: r.Detail["warnings"].([]string)})
	}
	return all, nil
}

// ExactLogZ returns log Z by pattern classes, or by listing all states where there are none.
func ExactLogZ(ctx context.Context, m *bm.Machine) (float64, error) {
	if p, err := exact.ClassesOf(m); err == nil {
		return p.LogZ(ctx, 1, nil)
	}
	x, err := exact.Smallest(m)
	if err != nil {
		return 0, err
	}
	return x.LogZ(), nil
}

// Optimism counts estimates of log Z that make a likelihood better than it is.
type Optimism struct {
	Machines int
	Low      int // below the 95 % interval
	Far      int // more than a nat and 1.96 standard errors below
	Named    int // of those, the ones with a warning
	Worst    float64
}

// Add counts an estimate.
func (o *Optimism) Add(z eval.LogZ, exact float64) {
	o.Machines++
	off := exact - z.Value
	if off > 1.96*z.Stderr {
		o.Low++
		if off > 1 {
			o.Far++
			if len(z.Warnings) > 0 {
				o.Named++
			}
		}
	}
	o.Worst = max(o.Worst, off)
}

// hiddenPhases is the figure phases: what estimates of log Z are worth where a phase may be missed.
var hiddenPhases = &study{[]*arm{
	phasesArm("pattern classes", 8, TwoPhases),
	phasesArm("enumerable", 2, SmallPhases),
}}

func phasesArm(name string, seconds float64, family func(compute.Engine, int, rng.Key) (*bm.Machine, string, *data.Set)) *arm {
	a := &arm{name: name, seconds: seconds, settings: []string{"runs=200", "betas=500"}, miniature: []string{"runs=40", "betas=20"}}
	a.draw = func(w *work) error {
		i := w.key.Intn(3000, 0, 0)
		m, _, rows := family(w.engine, i, w.key.Fold(0))
		exact, err := ExactLogZ(w.ctx, m)
		if err != nil {
			return err
		}
		o, size := eval.Defaults(), a.annealed(w.miniature)
		o.AIS.Runs, o.AIS.Betas = size.Runs, size.Betas
		all, err := OffByBase(w.ctx, m, rows, o, w.key.Fold(1))
		for j, z := range all {
			w.addEstimate(BaseNames[j], 0, z, exact)
		}
		return err
	}
	return a
}

// finishPhases is the figure phases: how far each choice of a base is below the exact log Z.
func finishPhases(r *results) error {
	var panels []view.Panel
	var rows [][]string
	for _, a := range hiddenPhases.arms {
		var series []view.Series
		for _, base := range BaseNames {
			_, lists := r.estimatesOf(a.name, base)
			var o Optimism
			var off []float64
			for _, z := range lists[0] {
				o.Add(z, 0)
				off = append(off, max(1e-3, -z.Value))
			}
			slices.Sort(off)
			s := view.Series{Name: base}
			if base == eval.BaseAuto {
				s.Name = "all bases"
			}
			for i, x := range off {
				s.X, s.Mean = append(s.X, x), append(s.Mean, (float64(i)+0.5)/float64(len(off)))
			}
			series = append(series, s)
			r.add(r.curve(a.name+", "+base+", off", a.name, base+", off"), r.curve(a.name+", "+base+", stderr", a.name, base+", stderr"), r.curve(a.name+", "+base+", warned", a.name, base+", warned"))
			n := float64(o.Machines)
			rows = append(rows, []string{a.name, s.Name, fmt.Sprint(o.Machines), fmt.Sprintf("%.1f %%", 100*float64(o.Low)/n), fmt.Sprint(o.Far), fmt.Sprint(o.Far - o.Named), fmt.Sprintf("%.3g", o.Worst)})
			if base != eval.BaseAuto {
				continue
			}
			margin := 1.96 * math.Sqrt(0.05*0.95/n)
			r.claim(fmt.Sprintf("log Z from all bases is not too low where phases are far apart (%s)", a.name), "at most 5 % below the 95 % interval, and the binomial margin", decided(float64(o.Low)/n <= 0.05+margin),
				"%.1f %% of %d, at most %.1f %%", 100*float64(o.Low)/n, o.Machines, 100*(0.05+margin))
			r.claim(fmt.Sprintf("misses beyond 1 nat carry a warning (%s)", a.name), "all of them", decided(o.Far == o.Named), "%d of %d, %.3g nats at most", o.Named, o.Far, o.Worst)
		}
		panels = append(panels, view.CurvesPanel{Chart: view.Chart{Title: strings.ToUpper(a.name[:1]) + a.name[1:], X: view.Axis{Label: "nats below the exact log Z", Log: true}, Y: view.Axis{Label: "share of machines closer"}}, Series: series})
	}
	r.table = view.Table{Header: []string{"machines", "base", "number", "below the 95 % interval", "more than a nat low", "of these silent", "lowest, nats"}, Rows: rows}
	r.caption = "AIS where the data lie in one of several phases: V = 784 with the exact log Z by pattern classes, and machines of 4 to 12 spins a layer."
	return r.paint(panels)
}
