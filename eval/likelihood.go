package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/data"
	"mattis/exact"
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
	// Error is the standard error in nats that is wanted of estimates from all bases: runs or betas
	// are doubled until it is met. 0 asks for none.
	Error float64 `yaml:"error"`
	// Seconds bounds the time of that; where no error is wanted, they are spent. 0 is no bound.
	// What comes out then depends on the machine's speed: runs and betas of the detail say what to
	// ask for to have it again.
	Seconds float64 `yaml:"seconds"`
	// Base is the law at inverse temperature 0: uniform (fair coins), data (the smoothed log odds
	// of each training pixel), mean (the machine's own means by mean-field theory) or auto, all of
	// them, the largest estimate being the one to believe.
	Base string `yaml:"base"`
	// Start is what reverse paths start from: exact (samples by enumeration or by pattern classes),
	// phases (ends of paths from all bases, each phase by its estimated mass), data (training
	// rows), annealing (ends of forward paths) or auto, the first of these that can be had. Only
	// from exact samples is reverse AIS a bound.
	Start string `yaml:"start"`
	// StartSweeps is the number of Gibbs sweeps that starts which are not exact are moved by; 0 is
	// none.
	StartSweeps int `yaml:"start_sweeps"`
}

var aisDefaults = AISOptions{
	Runs: 500, Betas: 1000, Sweeps: 1, Base: BaseAuto, Start: BaseAuto, StartSweeps: 100,
}

func (o AISOptions) check() error {
	return cmp.Or(inRange("runs", o.Runs, 2, most), inRange("betas", o.Betas, 1, most),
		inRange("sweeps", o.Sweeps, 1, most),
		inRange("error", o.Error, 0, 1e6), inRange("seconds", o.Seconds, 0, 1e9),
		oneOf("base", o.Base, "no base law", []string{BaseAuto, BaseUniform, BaseData, BaseMean}),
		oneOf("start", o.Start, "no start of reverse paths",
			[]string{BaseAuto, StartFromExact, StartFromPhases, StartFromData, StartFromAnnealing}),
		inRange("start_sweeps", o.StartSweeps, 0, most))
}

// likelihood is what measures of log Z share: the estimates of one machine under the same options.
type likelihood struct {
	of      likelihoodOf
	several *OfBases // from all bases, once made
	ais     *AIS     // from the one base that was asked for, or that leads
	base    string   // what that is
	start   *Start
}

// likelihoodOf is what a likelihood depends on beside the parameters.
type likelihoodOf struct {
	AISOptions
	PhasesOptions
	key rng.Key
}

// bestLogZ is the result of the best affordable method, and why it is that one.
type bestLogZ struct {
	LogZ
	method, why string
}

// likelihood returns what the options ask for, from the memo if it is there.
func (s Subject) likelihood(o Options) (*likelihood, *bm.Machine, error) {
	m := s.Machine
	of := likelihoodOf{o.AIS, o.Phases, s.Key}
	if l := s.Memo.likelihood; l != nil && l.of == of {
		return l, m, nil
	}
	s.Memo.likelihood = &likelihood{of: of}
	return s.Memo.likelihood, m, nil
}

// several returns the estimate from several bases, whichever one the options ask for.
func (s Subject) several(ctx context.Context, o Options) (*OfBases, error) {
	l, m, err := s.likelihood(o)
	if err != nil {
		return nil, err
	}
	if l.several != nil {
		return l.several, nil
	}
	b, err := NewBases(m, s.known(m), o)
	if err != nil {
		return nil, err
	}
	b.Key, b.Progress, b.Comm = s.Key.Fold(purposeLikelihood), s.Progress, s.Comm
	z, err := b.Estimate(ctx)
	if err != nil {
		return nil, err
	}
	l.several = z
	return z, nil
}

// known returns the training rows, or nil where there are none.
func (s Subject) known(m *bm.Machine) *data.Set {
	if s.Split == nil || s.Split.Train == nil || s.Split.Train.Rows == 0 {
		return nil
	}
	return s.Split.Train
}

// one returns the annealing from one base: the one that the options ask for, or that leads among
// all.
func (s Subject) one(ctx context.Context, o Options) (*likelihood, error) {
	l, m, err := s.likelihood(o)
	if err != nil {
		return nil, err
	}
	if l.ais != nil {
		l.ais.Progress = s.Progress
		return l, nil
	}
	if o.AIS.Base == BaseAuto {
		z, err := s.several(ctx, o)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(z.Bases, func(b OfBase) bool { return b.Law.Name == z.Base })
		l.ais, l.base = z.Bases[i].ais, z.Base
		return l, nil
	}
	law, err := s.law(m, o.AIS.Base)
	if err != nil {
		return nil, err
	}
	l.base, l.ais = law.Name, &AIS{
		Machine: m, Base: law.Fields, Runs: o.AIS.Runs, Betas: o.AIS.Betas, Sweeps: o.AIS.Sweeps,
		Key: s.Key.Fold(purposeLikelihood), Progress: s.Progress, Comm: s.Comm,
	}
	return l, nil
}

// law returns the base law of that name; auto is that of the data where the machine has visible
// biases, and else of fair coins.
func (s Subject) law(m *bm.Machine, name string) (BaseLaw, error) {
	known := s.known(m)
	switch {
	case name == BaseMean:
		return MeanLaw(m), nil
	case name == BaseUniform, name == BaseAuto && (known == nil || m.Bias(bm.Visible).Value.IsNone()):
		return UniformLaw(), nil
	case known == nil:
		return BaseLaw{}, fmt.Errorf("ais.base: data needs a training set")
	}
	return lawOfSet(m, known)
}

// started returns what reverse paths start from.
func (s Subject) started(ctx context.Context, l *likelihood, opts Options) (Start, error) {
	if l.start != nil {
		return *l.start, nil
	}
	m, o := l.ais.Machine, opts.AIS
	known := s.known(m)
	if known != nil && known.Visible != m.Layers()[bm.Visible] {
		known = nil
	}
	var start Start
	var err error
	switch {
	case o.Start == StartFromExact:
		if start, err = StartExact(m); err != nil {
			var other error
			if start, other = StartPatterns(m); other != nil {
				err = fmt.Errorf("ais.start: %w; %v", err, other)
			} else {
				err = nil
			}
		}
	case o.Start == StartFromData && known == nil:
		err = fmt.Errorf("ais.start: data needs a training set")
	case o.Start == StartFromData:
		start = StartData(m, known, o.StartSweeps)
	case o.Start == StartFromAnnealing:
		start = StartAnnealed(l.ais, o.StartSweeps)
	default:
		if _, affordable := s.affordable(); o.Start == BaseAuto && affordable {
			start, err = StartExact(m)
		} else if p, none := exact.ClassesOf(m); o.Start == BaseAuto && none == nil {
			start = startPatterns(m, p)
		} else {
			var z *OfBases
			if z, err = s.several(ctx, opts); err == nil {
				start = StartPhases(z, o.StartSweeps)
			}
		}
	}
	if err != nil {
		return Start{}, err
	}
	l.start = &start
	return start, nil
}

// affordableTerms bounds the terms, states times spins of the other layer, that an exact sum takes
// without being asked for by name: about ten seconds.
var affordableTerms = 1 << 34

// isPlain reports whether a machine is restricted and its hidden layer has no offset: free energies are then
// sums of log 2cosh and biases alone.
func isPlain(m *bm.Machine) bool {
	return m.Graph().IsRestricted() && m.Couplings().Offset(bm.Hidden).IsNone()
}

// affordable returns how many terms are summed unasked: sums of machines that are not restricted
// are in float64, on one thread, and take some sixteen times as long.
func affordable(m *bm.Machine) float64 {
	if isPlain(m) {
		return float64(affordableTerms)
	}
	return float64(affordableTerms) / 16
}

// affordable reports whether the sum over all states is, and says why in words.
func (s Subject) affordable() (why string, ok bool) {
	x, err := s.enumeration()
	if err != nil {
		return err.Error(), false
	}
	others := 1
	for l, n := range s.Machine.Layers() {
		if !slices.Contains(x.Layers(), l) {
			others += n
		}
	}
	terms, most := float64(x.Len())*float64(max(1, others-1)), affordable(s.Machine)
	if terms > most {
		return fmt.Sprintf("an exact sum has %.2g terms, more than the %.2g that are summed unasked", terms, most), false
	}
	return fmt.Sprintf("an exact sum has only %.2g terms", terms), true
}

// best returns log Z by the best affordable method. The bridge to reverse paths is not among them:
// without exact samples for these to start from, two estimates that share one blind spot would
// agree, and with exact samples there are exact sums.
func (s Subject) best(ctx context.Context, o Options) (*bestLogZ, map[string]any, error) {
	why, ok := s.affordable()
	if ok {
		z, err := s.logZ(ctx)
		if err != nil {
			return nil, nil, err
		}
		b := &bestLogZ{LogZ{Value: z, Side: Exact}, "enumeration", why}
		return b, b.detail(""), nil
	}
	if p, err := s.patternSum(ctx); err != nil {
		return nil, nil, err
	} else if p != nil {
		b := &bestLogZ{LogZ{Value: p.logZ, Side: Exact, classes: p.classes}, "pattern classes", fmt.Sprintf("the sum over classes of equal pattern signs has only %.2g terms", p.classes.Terms())}
		return b, b.detail(""), nil
	}
	z, d, err := byAIS(ctx, s, o)
	if err != nil {
		return nil, nil, err
	}
	return &bestLogZ{z, "ais", why}, d, nil
}

// detail returns what a report says about z.
func (z LogZ) detail(base string) map[string]any {
	warnings := append([]string{}, z.Warnings...) // reports add to theirs
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
	if base != "" {
		d["base"] = base
	}
	return d
}

// detail returns what a report says about z: the largest estimate, the others beside it, a bound
// that needs no trust, and the share of the mass where the data lie.
func (z *OfBases) detail() map[string]any {
	d := z.LogZ.detail(z.Base)
	var list []map[string]any
	for _, o := range z.Bases {
		b := map[string]any{"base": o.Law.Name, "log_z": o.Value, "stderr": o.Stderr, "ess": o.ESS, "runs": o.Runs, "betas": o.Betas}
		if math.IsInf(o.Value, -1) { // of a law that a symmetric machine's paths all left
			b["log_z"], b["stderr"] = nil, nil
		}
		list = append(list, b)
	}
	d["bases"], d["lower_bound"], d["phases"] = list, z.LowerBound, len(z.Phases.All)
	if z.Phases.Known {
		d["data_share"] = 0.0
		if at := z.Phases.Data; at >= 0 {
			d["data_share"] = z.Phases.All[at].Share()
		}
	}
	return d
}

// estimator is a way to log Z: the estimate and what a report says about it.
type estimator func(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error)

func byBest(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	b, d, err := s.best(ctx, o)
	if err != nil {
		return LogZ{}, nil, err
	}
	d["method"], d["why"] = b.method, b.why
	return b.LogZ, d, nil
}

func byAIS(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	if o.AIS.Base == BaseAuto {
		z, err := s.several(ctx, o)
		if err != nil {
			return LogZ{}, nil, err
		}
		return z.LogZ, z.detail(), nil
	}
	l, err := s.one(ctx, o)
	if err != nil {
		return LogZ{}, nil, err
	}
	z, err := l.ais.Forward(ctx)
	return z, z.detail(l.base), err
}

func byReverse(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	return s.fromStart(ctx, o, func(a *AIS, start Start) (LogZ, error) { return a.Reverse(ctx, start) })
}

func byBridge(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	return s.fromStart(ctx, o, func(a *AIS, start Start) (LogZ, error) { return a.Bridge(ctx, start) })
}

func (s Subject) fromStart(ctx context.Context, o Options, estimate func(a *AIS, start Start) (LogZ, error)) (LogZ, map[string]any, error) {
	l, err := s.one(ctx, o)
	if err != nil {
		return LogZ{}, nil, err
	}
	start, err := s.started(ctx, l, o)
	if err != nil {
		return LogZ{}, nil, err
	}
	z, err := estimate(l.ais, start)
	return z, z.detail(l.base), err
}

func byIntegration(ctx context.Context, s Subject, o Options) (LogZ, map[string]any, error) {
	_, m, err := s.likelihood(o)
	if err != nil {
		return LogZ{}, nil, err
	}
	law, err := s.law(m, o.AIS.Base)
	if err != nil {
		return LogZ{}, nil, err
	}
	t := Integration{
		Machine: m, Base: law.Fields, Progress: s.Progress, Key: s.Key.Fold(purposeIntegration),
		Ladders: o.Integration.Ladders, Betas: o.Integration.Betas, Sweeps: o.Integration.Sweeps,
	}
	z, err := t.Estimate(ctx)
	return z, z.detail(law.Name), err
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
