package eval

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
)

// ProbeOptions set the logistic regression of probe_accuracy.
type ProbeOptions struct {
	// Features is what the probe reads: sample, mean, untrained, random or pixels.
	Features string `yaml:"features"`
	// Layer is the hidden layer that it reads, by its name, or "first".
	Layer string `yaml:"layer"`
	// Rows bounds the training rows that it is fitted to, chosen by the key.
	Rows int `yaml:"rows"`
	// Iterations bounds those of L-BFGS.
	Iterations int `yaml:"iterations"`
	// Penalty is the factor of |w|^2/2 beside the mean cross-entropy. Its 0 asks for what the data
	// suggest, 1 over the number of rows: without any penalty a fit of separable rows has no end.
	Penalty float64 `yaml:"penalty"`
	// HeldOut is how many of Rows training rows choose the penalty (ChoosePenalty). The probe is then
	// fitted to all of them with that one over their number. 0 chooses none.
	HeldOut int `yaml:"held_out"`
	// Tolerance is the largest entry of the gradient at which the fit has converged.
	Tolerance float64 `yaml:"tolerance"`
}

// probePenalties are what held-out rows choose from, each over the number of rows that a probe is
// fitted to; 1 is scikit-learn's.
var probePenalties = [...]float64{1, 10, 100, 1000}

var probeDefaults = ProbeOptions{
	Features: FeaturesSample, Layer: firstLayer, Rows: 60000, Iterations: 1000, Penalty: 0, HeldOut: 0, Tolerance: 1e-5,
}

// firstLayer stands for the first hidden layer, unless one has that name.
const firstLayer = "first"

var layerName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (o ProbeOptions) check() error {
	if !layerName.MatchString(o.Layer) {
		return fmt.Errorf("layer: %q is no name of a layer", o.Layer)
	}
	if o.HeldOut > 0 && o.Penalty > 0 {
		return fmt.Errorf("held_out: %d rows are to choose the penalty, and it is given: set penalty or held_out to 0", o.HeldOut)
	}
	return cmp.Or(oneOf("features", o.Features, "no features", Features), inRange("rows", o.Rows, 1, most),
		inRange("iterations", o.Iterations, 1, most), inRange("penalty", o.Penalty, 0, 1e6),
		inRange("held_out", o.HeldOut, 0, most), inRange("tolerance", o.Tolerance, 1e-15, 1e6))
}

// layer returns the number of the layer that is read, or an error that says which there are.
func (o ProbeOptions) layer(m *bm.Machine) (int, error) {
	if len(m.Layers()) == 1 {
		return 0, &NoValue{"the machine has no hidden layers whose features a probe could read"}
	}
	l, err := HiddenLayer(m, o.Layer)
	if err != nil && o.Layer == firstLayer {
		return bm.Hidden, nil
	}
	if err != nil {
		return 0, fmt.Errorf("probe.layer: %w", err)
	}
	return l, nil
}

// HiddenLayer returns the number of the hidden layer of that name, or an error that says which
// there are.
func HiddenLayer(m *bm.Machine, name string) (int, error) {
	var names []string
	for l, layer := range m.Graph().Layers[1:] {
		if layer.Name == name {
			return l + 1, nil
		}
		names = append(names, layer.Name)
	}
	if len(names) == 0 {
		return 0, fmt.Errorf("%q is no hidden layer: the machine has none", name)
	}
	return 0, fmt.Errorf("%q is no hidden layer of the machine: %s", name, strings.Join(names, ", "))
}

// The features that a probe can read.
const (
	FeaturesSample    = "sample"    // one sample of the hidden layer of each row: the paper's (see SampleHidden)
	FeaturesMean      = "mean"      // its means (see HiddenMeans): tanh of the hidden fields of a restricted machine
	FeaturesPixels    = "pixels"    // the visible spins themselves
	FeaturesRandom    = "random"    // signs of as many random projections: what any hidden layer of that size gives
	FeaturesUntrained = "untrained" // one sample of the hidden layer of a machine of that shape, drawn anew: patterns of ±1, or normal weights of deviation 0.01
)

// Features are the names of all features, in the order of a table.
var Features = []string{FeaturesSample, FeaturesMean, FeaturesUntrained, FeaturesRandom, FeaturesPixels}

// probeAccuracy is the share of the rows of the set whose label a multinomial logistic regression
// names (Sec. V.B). It is fitted to the features of the training set, whatever set it is judged on.
// The standard error is over rows, and Detail.interval the 95 % interval of Wilson (1927).
func probeAccuracy(ctx context.Context, s Subject, o Options) (Result, error) {
	set, err := s.set()
	if err != nil {
		return Result{}, err
	}
	f, err := s.probeOf(ctx, o.Probe)
	if err != nil {
		return Result{}, err
	}
	e := s.Machine.Engine()
	right := 0
	x := f.features
	mark := e.Mark()
	defer e.Release(mark)
	rows := make([]int32, set.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	step := max(256, s.part())
	for first := 0; first < set.Rows; first += step {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		inner := e.Mark()
		part := rows[first:min(first+step, set.Rows)]
		y := x.of(s, set, part, s.probeStream(set), first)
		labels := make([]int32, len(part))
		for i, r := range part {
			labels[i] = set.Labels[r]
		}
		right += f.probe.right(e, y, labels)
		e.Release(inner)
	}
	share, stderr, interval := shareOf(right, set.Rows)
	detail := map[string]any{
		"interval": interval, "features": o.Probe.Features, "size": f.probe.Features, "trained_on": f.rows, "penalty": f.probe.Penalty,
		"iterations": f.probe.Iterations, "gradient": f.probe.Gradient, "converged": f.probe.Converged, "loss": f.probe.Loss,
	}
	if f.heldOut != nil {
		detail["held_out"] = f.heldOut
		if f.times == probePenalties[len(probePenalties)-1] {
			detail["warnings"] = []string{fmt.Sprintf("the held-out rows choose the largest penalty that is tried, %g over the number of rows: a larger one may name more", f.times)}
		}
	}
	return Result{Value: share, Stderr: stderr, N: set.Rows, Detail: detail}, nil
}

// place returns the place of the largest entry.
func place(p []float64) int {
	best := 0
	for c, x := range p {
		if x > p[best] {
			best = c
		}
	}
	return best
}

// fittedProbe is the probe of a memo and what it depends on.
type fittedProbe struct {
	of       ProbeOptions
	key      rng.Key
	features features
	probe    *Probe
	rows     int
	heldOut  []map[string]any // what the held-out rows said of each penalty; nil where they were not asked
	times    float64          // the penalty that they choose, times the rows
}

// probeOf returns the probe fitted to the training set, from the memo if it is there.
func (s Subject) probeOf(ctx context.Context, o ProbeOptions) (*fittedProbe, error) {
	if f := s.Memo.probe; f != nil && f.of == o && f.key == s.Key {
		return f, nil
	}
	set := s.Split.Train
	x, err := s.features(o)
	if err != nil {
		return nil, err
	}
	rows := s.rows(set, o.Rows)
	var heldOut []map[string]any
	var times float64
	fit := o
	if o.HeldOut > 0 {
		fit.HeldOut = 0
		if times, heldOut, err = ChoosePenalty(ctx, s, o); err != nil {
			return nil, err
		}
		fit.Penalty = times / float64(len(rows))
	}
	all, labels, err := s.featuresOf(ctx, x, rows)
	if err != nil {
		return nil, err
	}
	p, err := FitProbe(ctx, s.Machine.Engine(), all, labels, s.classes(), fit)
	if err != nil {
		return nil, err
	}
	s.Memo.probe = &fittedProbe{o, s.Key, x, p, len(rows), heldOut, times}
	return s.Memo.probe, nil
}

// featuresOf returns the features of rows of the training set, a row each, and their labels.
func (s Subject) featuresOf(ctx context.Context, x features, rows []int32) (all compute.Matrix, labels []int32, err error) {
	set, e := s.Split.Train, s.Machine.Engine()
	all = e.Alloc(x.kind, len(rows), x.size)
	labels = make([]int32, len(rows))
	for i, r := range rows {
		labels[i] = set.Labels[r]
	}
	step := max(256, s.part())
	for first := 0; first < len(rows); first += step {
		if err := ctx.Err(); err != nil {
			return compute.Matrix{}, nil, err
		}
		mark := e.Mark()
		last := min(first+step, len(rows))
		e.Copy(all.Slice(first, last), x.of(s, set, rows[first:last], s.probeStream(set), first))
		e.Release(mark)
	}
	return all, labels, nil
}

// ChoosePenalty returns the penalty, times the number of rows that a probe is fitted to, under which a
// fit to Rows training rows, drawn by the key, without HeldOut of them names most of these: no other row
// has a say. Of several it is the smallest. It also returns the accuracy of each, and whether its fit
// has converged.
func ChoosePenalty(ctx context.Context, s Subject, o ProbeOptions) (times float64, said []map[string]any, err error) {
	if err := s.holdOut(o); err != nil {
		return 0, nil, err
	}
	x, err := s.features(o)
	if err != nil {
		return 0, nil, err
	}
	order := s.drawn(s.Split.Train, o.Rows)
	n := len(order) - o.HeldOut
	all, labels, err := s.featuresOf(ctx, x, order)
	if err != nil {
		return 0, nil, err
	}
	e, best := s.Machine.Engine(), -1
	for k, p := range probePenalties {
		s.tell(k, len(probePenalties))
		fit := o
		fit.HeldOut, fit.Penalty = 0, p/float64(n)
		probe, err := FitProbe(ctx, e, all.Slice(0, n), labels[:n], s.classes(), fit)
		if err != nil {
			return 0, nil, err
		}
		right := probe.right(e, all.Slice(n, len(order)), labels[n:])
		said = append(said, map[string]any{"times": p, "accuracy": float64(right) / float64(o.HeldOut), "converged": probe.Converged})
		if right > best {
			best, times = right, p
		}
	}
	s.tell(1, 1)
	return times, said, nil
}

// holdOut returns what is wrong with the number of rows that choose the penalty.
func (s Subject) holdOut(o ProbeOptions) error {
	if n := min(s.Split.Train.Rows, o.Rows); o.HeldOut < 1 || o.HeldOut >= n {
		return fmt.Errorf("probe.held_out: %d of %d training rows are to choose the penalty, want 1 to %d", o.HeldOut, n, n-1)
	}
	return nil
}

// right returns how many rows of x have their label named.
func (p *Probe) right(e compute.Engine, x compute.Matrix, labels []int32) (n int) {
	for i, q := range p.Probabilities(e, x) {
		if place(q) == int(labels[i]) {
			n++
		}
	}
	return n
}

// probeStream returns the key of the hidden samples of a set's rows.
func (s Subject) probeStream(set *data.Set) rng.Key {
	stream := uint64(1)
	if set == s.Split.Train {
		stream = 0
	}
	return s.Key.Fold(purposeProbe).Fold(stream)
}

// features makes of rows of a set what a probe reads.
type features struct {
	name    string
	kind    compute.Type
	size    int
	machine *bm.Machine
	layer   int // of the machine
}

func (s Subject) features(o ProbeOptions) (features, error) {
	m, e, key := s.Machine, s.Machine.Engine(), s.Key.Fold(purposeProbe).Fold(2)
	v := m.Layers()[bm.Visible]
	if o.Features == FeaturesPixels {
		return features{o.Features, compute.Int8, v, m, bm.Visible}, nil
	}
	l, err := o.layer(m)
	if err != nil {
		return features{}, err
	}
	f := features{o.Features, m.TypeOf(l), m.Layers()[l], m, l}
	switch o.Features {
	case FeaturesMean:
		f.kind = compute.Float32
	case FeaturesRandom:
		d := bm.NewDense(e, bm.Restricted(v, f.size, false))
		d.Normal(1, key)
		f.kind, f.machine, f.layer = compute.Int8, bm.New(e, d), bm.Hidden
	case FeaturesUntrained:
		g := m.Graph()
		g.Layers = slices.Clone(g.Layers)
		for l := range g.Layers {
			g.Layers[l].Offset, g.Layers[l].Off = false, false
		}
		switch c := m.Couplings().(type) {
		case *bm.Axons:
			a := bm.NewAxons(e, g, c.K(), false)
			a.Bernoulli(1, key)
			f.machine = bm.New(e, a)
		default:
			d := bm.NewDense(e, g)
			d.Normal(0.01, key)
			f.machine = bm.New(e, d)
		}
	}
	return f, nil
}

// of returns the features of the rows, scratch of the engine. first is the place of the first one
// in the key's stream.
func (f features) of(s Subject, set *data.Set, rows []int32, key rng.Key, first int) compute.Matrix {
	e := s.Machine.Engine()
	spins := make([]int8, 0, len(rows)*set.Visible)
	for _, r := range rows {
		spins = append(spins, set.Row(int(r))...)
	}
	v := e.Scratch(compute.Int8, len(rows), set.Visible)
	compute.Write(e, v, spins)
	if f.name == FeaturesPixels {
		return v
	}
	y := e.Scratch(f.kind, len(rows), f.size)
	switch f.name {
	case FeaturesMean:
		HiddenMeans(f.machine, y, v, f.layer)
	case FeaturesRandom:
		mean := e.Scratch(compute.Float32, len(rows), f.size)
		HiddenMeans(f.machine, mean, v, f.layer)
		e.Sign(y, mean)
	default:
		SampleHidden(f.machine, y, v, f.layer, bm.Law{Key: key, Row: uint64(first)})
	}
	return y
}
