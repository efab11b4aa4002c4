package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"mattis/bm"
	"mattis/rng"
)

// AISOptions set the paths of annealed importance sampling, which logz, nll and all ais and bridge
// measures share. The time of each direction grows with runs times betas times sweeps; where an
// estimate warns of few effective runs, betas help most. The defaults take a minute or so at MNIST
// size.
type AISOptions struct {
	Runs   int `yaml:"runs"`   // independent paths in each direction; an error needs two
	Betas  int `yaml:"betas"`  // steps of inverse temperature from 0 to 1
	Sweeps int `yaml:"sweeps"` // Gibbs sweeps after each step
	// Base is the law at inverse temperature 0: uniform (fair coins), data (the smoothed log odds
	// of each training pixel) or auto, which is data where the machine has visible biases.
	Base string `yaml:"base"`
	// Start is what reverse paths start from: exact (samples by enumeration or by pattern classes),
	// data (training rows), annealing (ends of forward paths) or auto, the first of these that can
	// be had. Only from exact samples is reverse AIS a bound.
	Start string `yaml:"start"`
	// StartSweeps is the number of Gibbs sweeps that data and annealing starts are moved by; 0 is
	// none.
	StartSweeps int `yaml:"start_sweeps"`
}

var aisDefaults = AISOptions{Runs: 500, Betas: 1000, Sweeps: 1, Base: "auto", Start: "auto", StartSweeps: 100}

func (o AISOptions) check() error {
	return cmp.Or(inRange("runs", o.Runs, 2, most), inRange("betas", o.Betas, 1, most),
		inRange("sweeps", o.Sweeps, 1, most),
		oneOf("base", o.Base, "no base law", []string{"auto", "uniform", "data"}),
		oneOf("start", o.Start, "no start of reverse paths", []string{"auto", "exact", "data", "annealing"}),
		inRange("start_sweeps", o.StartSweeps, 0, most))
}

// likelihood is what measures of log Z share: the paths of one machine under the same
// options, and the estimates made of them.
type likelihood struct {
	of    likelihoodOf
	ais   *AIS
	base  string // what the base law is
	start *Start
	best  *bestLogZ
}

// likelihoodOf is what a likelihood depends on beside the parameters.
type likelihoodOf struct {
	AISOptions
	key rng.Key
}

// bestLogZ is the result of the best affordable method, and why it is that one.
type bestLogZ struct {
	LogZ
	method, why string
}

// likelihood returns the annealing that the options ask for, from the memo if it is there.
func (s Subject) likelihood(o AISOptions) (*likelihood, error) {
	m, ok := s.Machine.(*bm.RBM)
	if !ok {
		return nil, fmt.Errorf("no annealed importance sampling of a machine of layers %v: it takes restricted ones", s.Machine.Layers())
	}
	of := likelihoodOf{o, s.Key}
	if l := s.Memo.likelihood; l != nil && l.of == of {
		l.ais.Progress = s.Progress
		return l, nil
	}
	base, name, err := s.base(m, o.Base)
	if err != nil {
		return nil, err
	}
	l := &likelihood{of: of, base: name, ais: &AIS{
		Machine: m, Base: base, Runs: o.Runs, Betas: o.Betas, Sweeps: o.Sweeps,
		Key: s.Key.Fold(purposeLikelihood), Progress: s.Progress,
	}}
	s.Memo.likelihood = l
	return l, nil
}

// base returns the fields of the base law and its name: the smoothed log odds of the training rows, or none.
func (s Subject) base(m *bm.RBM, want string) ([]float32, string, error) {
	visible := m.Layers()[bm.Visible]
	known := s.Split != nil && s.Split.Train != nil && s.Split.Train.Rows > 0
	switch {
	case want == "uniform", want == "auto" && (!known || m.Bias(bm.Visible).Value.IsNone()):
		return nil, "uniform", nil
	case !known:
		return nil, "", fmt.Errorf("ais.base: data needs a training set")
	}
	set := s.Split.Train
	if set.Visible != visible {
		return nil, "", fmt.Errorf("the rows of the train set %q have %d spins, the machine has %d visible ones", set.Name, set.Visible, visible)
	}
	up := make([]int, visible)
	for i := range set.Rows {
		for j, x := range set.Row(i) {
			if x > 0 {
				up[j]++
			}
		}
	}
	fields := make([]float32, visible)
	for j, n := range up {
		fields[j] = float32(0.5 * math.Log(float64(n+1)/float64(set.Rows-n+1)))
	}
	return fields, "data", nil
}

// started returns what reverse paths start from.
func (s Subject) started(l *likelihood) (Start, error) {
	if l.start != nil {
		return *l.start, nil
	}
	m, o := l.ais.Machine, l.of.AISOptions
	known := s.Split != nil && s.Split.Train != nil && s.Split.Train.Rows > 0 && s.Split.Train.Visible == m.Layers()[bm.Visible]
	var start Start
	var err error
	switch {
	case o.Start == "exact":
		if start, err = StartExact(m); err != nil {
			var other error
			if start, other = StartPatterns(m); other != nil {
				err = fmt.Errorf("ais.start: %w; %v", err, other)
			} else {
				err = nil
			}
		}
	case o.Start == "data" && !known:
		err = fmt.Errorf("ais.start: data needs a training set")
	case o.Start == "data":
		start = StartData(m, s.Split.Train, o.StartSweeps)
	case o.Start == "annealing":
		start = StartAnnealed(l.ais, o.StartSweeps)
	default:
		if _, affordable := s.affordable(); affordable {
			start, err = StartExact(m)
		} else if p, none := m.PatternClasses(); none == nil {
			start = startPatterns(m, p)
		} else if known {
			start = StartData(m, s.Split.Train, o.StartSweeps)
		} else {
			start = StartAnnealed(l.ais, o.StartSweeps)
		}
	}
	if err != nil {
		return Start{}, err
	}
	l.start = &start
	return start, nil
}

// affordableTerms bounds the terms, states times spins of the other layer, that an exact sum takes without being asked for by
// name: about ten seconds.
var affordableTerms = 1 << 34

// affordable reports whether the sum over all states is, and says why in words.
func (s Subject) affordable() (why string, ok bool) {
	x, err := s.enumeration()
	if err != nil {
		return err.Error(), false
	}
	n := s.Machine.Layers()
	terms := float64(x.Len()) * float64(n[1-x.Layer()])
	if terms > float64(affordableTerms) {
		return fmt.Sprintf("an exact sum has %.2g terms, more than the %.2g that are summed unasked", terms, float64(affordableTerms)), false
	}
	return fmt.Sprintf("an exact sum has only %.2g terms", terms), true
}

// best returns log Z by the best affordable method.
func (s Subject) best(ctx context.Context, o Options) (*bestLogZ, *likelihood, error) {
	why, ok := s.affordable()
	if ok {
		z, err := s.logZ(ctx)
		if err != nil {
			return nil, nil, err
		}
		return &bestLogZ{LogZ{Value: z, Side: Exact}, "enumeration", why}, nil, nil
	}
	if p, err := s.patternSum(ctx); err != nil {
		return nil, nil, err
	} else if p != nil {
		return &bestLogZ{LogZ{Value: p.logZ, Side: Exact}, "pattern classes", fmt.Sprintf("the sum over classes of equal pattern signs has only %.2g terms", p.classes.Terms())}, nil, nil
	}
	l, err := s.likelihood(o.AIS)
	if err != nil {
		return nil, nil, err
	}
	if l.best != nil {
		return l.best, l, nil
	}
	start, err := s.started(l)
	if err != nil {
		return nil, nil, err
	}
	lower, err := l.ais.Forward(ctx)
	if err != nil {
		return nil, nil, err
	}
	bridge, err := l.ais.Bridge(ctx, start)
	if err != nil {
		return nil, nil, err
	}
	l.best = choose(lower, bridge, why)
	return l.best, l, nil
}

// choose returns the bridge where forward and reverse paths overlap and agree, and AIS, which is a bound on its
// own, where they do not.
func choose(lower, bridge LogZ, why string) *bestLogZ {
	if bridge.Overlaps() {
		return &bestLogZ{bridge, "bridge", why + "; forward and reverse paths agree"}
	}
	b := &bestLogZ{lower, "ais", why + "; forward and reverse paths do not agree"}
	b.Warnings = append(append([]string(nil), lower.Warnings...), bridge.Warnings...)
	return b
}

// detail returns what a report says about z.
func (z LogZ) detail(l *likelihood) map[string]any {
	warnings := z.Warnings
	if warnings == nil {
		warnings = []string{}
	}
	d := map[string]any{"side": z.Side, "warnings": warnings}
	if z.Runs > 0 {
		d["runs"], d["betas"], d["sweeps"] = z.Runs, z.Betas, z.Sweeps
	}
	if z.ESS > 0 {
		d["ess"] = z.ESS
	}
	if z.Started != "" {
		d["started"] = z.Started
	}
	if z.Overlap > 0 {
		d["overlap"] = z.Overlap
	}
	if l != nil {
		d["base"] = l.base
	}
	return d
}

// estimator is a way to log Z: the estimate and what a report says about it.
type estimator func(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error)

func byBest(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	b, l, err := s.best(ctx, o)
	if err != nil {
		return LogZ{}, nil, err
	}
	d := b.detail(l)
	d["method"], d["why"] = b.method, b.why
	return b.LogZ, d, nil
}

func byAIS(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	l, err := s.likelihood(o.AIS)
	if err != nil {
		return LogZ{}, nil, err
	}
	z, err := l.ais.Forward(ctx)
	return z, z.detail(l), err
}

func byReverse(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	return s.fromStart(o, func(a *AIS, start Start) (LogZ, error) { return a.Reverse(ctx, start) })
}

func byBridge(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	return s.fromStart(o, func(a *AIS, start Start) (LogZ, error) { return a.Bridge(ctx, start) })
}

func (s Subject) fromStart(o Options, estimate func(a *AIS, start Start) (LogZ, error)) (LogZ, map[string]any, error) {
	l, err := s.likelihood(o.AIS)
	if err != nil {
		return LogZ{}, nil, err
	}
	start, err := s.started(l)
	if err != nil {
		return LogZ{}, nil, err
	}
	z, err := estimate(l.ais, start)
	return z, z.detail(l), err
}

func byIntegration(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	l, err := s.likelihood(o.AIS) // for the base law
	if err != nil {
		return LogZ{}, nil, err
	}
	t := Integration{
		Machine: l.ais.Machine, Base: l.ais.Base, Progress: s.Progress, Key: s.Key.Fold(purposeIntegration),
		Ladders: o.Integration.Ladders, Betas: o.Integration.Betas, Sweeps: o.Integration.Sweeps,
	}
	z, err := t.Estimate(ctx)
	return z, z.detail(l), err
}

// logZBy returns the measure log Z by the estimator, in nats.
func logZBy(by estimator) func(context.Context, Subject, Options) (Result, error) {
	return func(ctx context.Context, s Subject, o Options) (Result, error) {
		z, d, err := by(ctx, s, o)
		if err != nil {
			return Result{}, err
		}
		return Result{Value: z.Value, Stderr: z.Stderr, N: max(1, z.Runs), Detail: d}, nil
	}
}

// nllBy returns the measure NLL by the estimator: the mean of F(v) + log Z over all rows of the set in nats. Its
// standard error is that over rows beside that of log Z, and its bias is on the side of log Z's.
func nllBy(by estimator) func(context.Context, Subject, Options) (Result, error) {
	return func(ctx context.Context, s Subject, o Options) (Result, error) {
		mean, stderr, rows, err := s.meanFreeEnergy(ctx)
		if err != nil {
			return Result{}, err
		}
		z, d, err := by(ctx, s, o)
		if err != nil {
			return Result{}, err
		}
		d["log_z"], d["log_z_stderr"], d["mean_free_energy"] = z.Value, z.Stderr, mean
		return Result{Value: mean + z.Value, Stderr: math.Hypot(stderr, z.Stderr), N: rows, Detail: d}, nil
	}
}
