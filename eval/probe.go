package eval

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/optimize"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
)

// The features that a probe can read.
const (
	FeaturesSample    = "sample"    // one sample of the hidden layer of each row: the paper's
	FeaturesMean      = "mean"      // tanh of the hidden fields
	FeaturesPixels    = "pixels"    // the visible spins themselves
	FeaturesRandom    = "random"    // signs of as many random projections: what any hidden layer of that size gives
	FeaturesUntrained = "untrained" // one sample of the hidden layer of a machine of that shape, drawn anew
)

// Features are the names of all features, in the order of a table.
var Features = []string{FeaturesSample, FeaturesMean, FeaturesUntrained, FeaturesRandom, FeaturesPixels}

// probeAccuracy is the share of the rows of the set whose label a multinomial
// logistic regression names (Sec. V.B). It is fitted to the features of the training set, whatever set it is
// judged on. The standard error is over rows.
func probeAccuracy(ctx context.Context, s Subject, o Options) (Result, error) {
	set, err := s.set()
	if err != nil {
		return Result{}, err
	}
	if set.Labels == nil || s.Split.Train == nil || s.Split.Train.Labels == nil {
		return Result{}, &NoValue{"the data have no labels"}
	}
	if set.LabelNames != nil {
		return Result{}, &NoValue{"the labels are visible spins, which the features would tell"}
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
		for i, p := range f.probe.Probabilities(e, y) {
			if place(p) == int(set.Labels[part[i]]) {
				right++
			}
		}
		e.Release(inner)
	}
	share := float64(right) / float64(set.Rows)
	return Result{Value: share, Stderr: math.Sqrt(share * (1 - share) / float64(set.Rows)), N: set.Rows, Detail: map[string]any{
		"features": o.Probe.Features, "size": f.probe.Features, "trained_on": f.rows,
		"iterations": f.probe.Iterations, "gradient": f.probe.Gradient, "converged": f.probe.Converged, "loss": f.probe.Loss,
	}}, nil
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

// Probe is a multinomial logistic regression: p(c|x) goes with exp(w_c.x + b_c).
type Probe struct {
	Classes, Features int
	Weights           []float64 // Classes x (Features+1), the last entry of a row is b_c
	Loss              float64   // mean cross-entropy in nats with the penalty
	Gradient          float64   // largest entry of its gradient
	Iterations        int
	Converged         bool // the gradient is below the tolerance
}

// FitProbe returns the regression of least mean cross-entropy plus Penalty/2 |w|^2 on the rows of x
// (N x F, Int8 or Float32) with labels in [0,classes), by L-BFGS from 0. The products run on the engine in
// float32; parameters, probabilities and sums are float64.
func FitProbe(ctx context.Context, e compute.Engine, x compute.Matrix, labels []int32, classes int, o ProbeOptions) (*Probe, error) {
	if x.Rows() != len(labels) || len(labels) == 0 || classes < 2 {
		return nil, fmt.Errorf("a probe of %d classes on features %v with %d labels", classes, x, len(labels))
	}
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return nil, fmt.Errorf("row %d has the label %d, want 0 to %d", i, l, classes-1)
		}
	}
	o = Options{Probe: o}.Filled().Probe
	n, f := x.Rows(), x.Cols()
	penalty := o.Penalty
	if penalty == 0 {
		penalty = 1 / float64(n)
	}
	mark := e.Mark()
	defer e.Release(mark)
	w32, grad32 := e.Scratch(compute.Float32, classes, f), e.Scratch(compute.Float32, classes, f)
	logits, off := e.Scratch(compute.Float32, n, classes), e.Scratch(compute.Float32, n, classes)
	hostW, hostL := make([]float32, classes*f), make([]float32, n*classes)

	var at, gradient []float64 // of the last evaluation
	var loss float64
	evaluate := func(w []float64) {
		if at != nil && same(at, w) {
			return
		}
		for c := range classes {
			for j := range f {
				hostW[c*f+j] = float32(w[c*(f+1)+j])
			}
		}
		e.Write(w32, hostW)
		e.Mul(logits, x, w32, compute.Op{TransB: true, Alpha: 1})
		e.Read(hostL, logits)
		loss = 0
		if gradient == nil {
			gradient = make([]float64, len(w))
		}
		clear(gradient)
		p := make([]float64, classes)
		for i, label := range labels {
			row := hostL[i*classes : (i+1)*classes]
			for c := range p {
				p[c] = float64(row[c]) + w[c*(f+1)+f]
			}
			own := p[label]
			loss += softmax(p) - own
			p[label]--
			for c := range p {
				p[c] /= float64(n)
				gradient[c*(f+1)+f] += p[c]
				row[c] = float32(p[c])
			}
		}
		loss /= float64(n)
		e.Write(off, hostL)
		e.Mul(grad32, off, x, compute.Op{TransA: true, Alpha: 1})
		e.Read(hostW, grad32)
		for c := range classes {
			for j := range f {
				k := c*(f+1) + j
				gradient[k] = float64(hostW[c*f+j]) + penalty*w[k]
				loss += penalty / 2 * w[k] * w[k]
			}
		}
		at = append(at[:0], w...)
	}
	problem := optimize.Problem{
		Func: func(w []float64) float64 { evaluate(w); return loss },
		Grad: func(grad, w []float64) { evaluate(w); copy(grad, gradient) },
		Status: func() (optimize.Status, error) {
			if ctx.Err() != nil {
				return optimize.MethodConverge, ctx.Err()
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{GradientThreshold: o.Tolerance, MajorIterations: o.Iterations, Converger: optimize.NeverTerminate{}}
	r, err := optimize.Minimize(problem, make([]float64, classes*(f+1)), settings, &optimize.LBFGS{Store: 20})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// A line search that float32 products leave no way down is an end: Converged says how good it is.
	if err != nil && (r == nil || r.X == nil) {
		return nil, fmt.Errorf("fit the probe: %w", err)
	}
	evaluate(r.X)
	var top float64
	for _, g := range gradient {
		top = max(top, math.Abs(g))
	}
	return &Probe{Classes: classes, Features: f, Weights: r.X, Loss: loss, Gradient: top, Iterations: r.MajorIterations, Converged: top <= o.Tolerance}, e.Sync()
}

func same(a, b []float64) bool {
	for i, x := range a {
		if x != b[i] {
			return false
		}
	}
	return true
}

// softmax sets p to exp(p) normalised and returns the logarithm of the sum.
func softmax(p []float64) float64 {
	top := math.Inf(-1)
	for _, x := range p {
		top = max(top, x)
	}
	var sum float64
	for c, x := range p {
		p[c] = math.Exp(x - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return top + math.Log(sum)
}

// Probabilities returns p(c|x) of each row of x.
func (p *Probe) Probabilities(e compute.Engine, x compute.Matrix) [][]float64 {
	if x.Cols() != p.Features {
		panic(fmt.Sprintf("eval: a probe of %d features on %v", p.Features, x))
	}
	mark := e.Mark()
	defer e.Release(mark)
	w, y := e.Scratch(compute.Float32, p.Classes, p.Features), e.Scratch(compute.Float32, x.Rows(), p.Classes)
	host := make([]float32, p.Classes*p.Features)
	for c := range p.Classes {
		for j := range p.Features {
			host[c*p.Features+j] = float32(p.Weights[c*(p.Features+1)+j])
		}
	}
	e.Write(w, host)
	e.Mul(y, x, w, compute.Op{TransB: true, Alpha: 1})
	flat := make([]float32, y.Len())
	e.Read(flat, y)
	all := make([][]float64, x.Rows())
	for i := range all {
		all[i] = make([]float64, p.Classes)
		for c := range all[i] {
			all[i][c] = float64(flat[i*p.Classes+c]) + p.Weights[c*(p.Features+1)+p.Features]
		}
		softmax(all[i])
	}
	return all
}

// fittedProbe is the probe of a memo and what it depends on.
type fittedProbe struct {
	of       ProbeOptions
	key      rng.Key
	features features
	probe    *Probe
	rows     int
}

// probeOf returns the probe fitted to the training set, from the memo if it is there.
func (s Subject) probeOf(ctx context.Context, o ProbeOptions) (*fittedProbe, error) {
	if f := s.Memo.probe; f != nil && f.of == o && f.key == s.Key {
		return f, nil
	}
	set := s.Split.Train
	if v := s.Machine.Layers()[bm.Visible]; set.Visible != v {
		return nil, fmt.Errorf("the rows of the train set %q have %d spins, the machine has %d visible ones", set.Name, set.Visible, v)
	}
	x, err := s.features(o.Features)
	if err != nil {
		return nil, err
	}
	classes := 0
	for _, part := range []*data.Set{set, s.Split.Test, s.Split.Validation} {
		if part != nil {
			for _, l := range part.Labels {
				classes = max(classes, int(l)+1)
			}
		}
	}
	rows := s.rows(set, o.Rows)
	e := s.Machine.Engine()
	all := e.Alloc(x.kind, len(rows), x.size)
	labels := make([]int32, len(rows))
	for i, r := range rows {
		labels[i] = set.Labels[r]
	}
	step := max(256, s.part())
	for first := 0; first < len(rows); first += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		mark := e.Mark()
		last := min(first+step, len(rows))
		e.Copy(all.Slice(first, last), x.of(s, set, rows[first:last], s.probeStream(set), first))
		e.Release(mark)
	}
	p, err := FitProbe(ctx, e, all, labels, classes, o)
	if err != nil {
		return nil, err
	}
	s.Memo.probe = &fittedProbe{o, s.Key, x, p, len(rows)}
	return s.Memo.probe, nil
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
	machine bm.Machine
}

func (s Subject) features(name string) (features, error) {
	v, h, err := s.layers()
	if err != nil {
		return features{}, err
	}
	f := features{name, compute.Int8, h, s.Machine}
	e, key := s.Machine.Engine(), s.Key.Fold(purposeProbe).Fold(2)
	switch name {
	case FeaturesMean:
		f.kind = compute.Float32
	case FeaturesPixels:
		f.size = v
	case FeaturesRandom:
		d := bm.NewDense(e, v, h, false)
		d.Normal(1, key)
		f.machine = bm.NewRBM(e, d, false, false)
	case FeaturesUntrained:
		m, ok := s.Machine.(*bm.RBM)
		if !ok {
			return f, fmt.Errorf("probe.features: no untrained machine of layers %v", s.Machine.Layers())
		}
		switch c := m.Couplings().(type) {
		case *bm.Axons:
			patterns, _ := c.Patterns()
			a := bm.NewAxons(e, v, h, patterns.Value.Rows(), false, false)
			a.Bernoulli(1, key)
			f.machine = bm.NewRBM(e, a, false, false)
		default:
			d := bm.NewDense(e, v, h, false)
			d.Normal(0.01, key)
			f.machine = bm.NewRBM(e, d, false, false)
		}
	}
	return f, nil
}

// of returns the features of the rows, scratch of the engine. first is the place of the first one in the key's stream.
func (f features) of(s Subject, set *data.Set, rows []int32, key rng.Key, first int) compute.Matrix {
	e := s.Machine.Engine()
	spins := make([]int8, 0, len(rows)*set.Visible)
	for _, r := range rows {
		spins = append(spins, set.Row(int(r))...)
	}
	v := e.Scratch(compute.Int8, len(rows), set.Visible)
	e.Write(v, spins)
	if f.name == FeaturesPixels {
		return v
	}
	y := e.Scratch(f.kind, len(rows), f.size)
	state := bm.State{v, y}
	switch f.name {
	case FeaturesMean:
		f.machine.Mean(y, state, bm.Hidden, bm.Law{})
	case FeaturesRandom:
		mean := e.Scratch(compute.Float32, len(rows), f.size)
		f.machine.Mean(mean, state, bm.Hidden, bm.Law{})
		e.Sign(y, mean)
	default:
		f.machine.Sample(state, bm.Hidden, bm.Law{Key: key, Row: uint64(first)})
	}
	return y
}
