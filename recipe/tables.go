package recipe

import (
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/negative"
	"mattis/optim"
	"mattis/positive"
	"mattis/rng"
)

// The tables of this file, and data.Sources, are the one place where names become objects. Each
// entry gives the defaults of the fields that have a meaning for its kind.

type couplingsKind struct {
	name     string
	defaults func(*Couplings)
	inits    []initKind
}

// initKind is a way to draw the first couplings. value is the default of its number, NaN if
// it has none. Without draw they are made of the data (memories.go).
type initKind struct {
	name  string
	value float64
	draw  func(c bm.Couplings, value float64, key rng.Key)
}

var couplings = []couplingsKind{
	{name: "axons",
		defaults: func(c *Couplings) {
			c.Patterns, c.Gain, c.LearnGain, c.Init = ptr(8), ptr(Gains{All: 1}), ptr(false), Choice{Name: "bernoulli"}
		},
		inits: []initKind{
			{"bernoulli", 1, func(c bm.Couplings, x float64, k rng.Key) { c.(*bm.Axons).Bernoulli(x, k) }},
			{"uniform", 1, func(c bm.Couplings, x float64, k rng.Key) { c.(*bm.Axons).Uniform(x, k) }},
			{"data", math.NaN(), nil},
			{principalName, 0.1, func(c bm.Couplings, x float64, k rng.Key) { c.(*bm.Axons).Bernoulli(x, k) }}, // and then principal
		}},
	{name: "dense",
		defaults: func(c *Couplings) { c.Init = Choice{Name: "normal", Value: ptr(0.01)} },
		inits: []initKind{
			{"normal", 0.01, func(c bm.Couplings, x float64, k rng.Key) { c.(*bm.Dense).Normal(x, k) }},
			{"uniform", 0.01, func(c bm.Couplings, x float64, k rng.Key) { c.(*bm.Dense).Uniform(x, k) }},
			{"glorot", math.NaN(), func(c bm.Couplings, _ float64, k rng.Key) { c.(*bm.Dense).Glorot(k) }},
			{"data", math.NaN(), nil},
		}},
}

type positiveKind struct {
	name     string
	defaults func(*Positive)
	build    func(m *bm.Machine, p Positive, rows int, gaps bool, key rng.Key) (positive.Estimator, error)
}

var positives = []positiveKind{
	{name: "marginal", defaults: func(*Positive) {},
		build: func(m *bm.Machine, _ Positive, _ int, _ bool, _ rng.Key) (positive.Estimator, error) {
			return positive.NewMarginal(m)
		}},
	{name: "mean-field", defaults: func(p *Positive) { p.Steps, p.Tolerance = ptr(30), ptr(1e-3) },
		build: func(m *bm.Machine, p Positive, _ int, _ bool, _ rng.Key) (positive.Estimator, error) {
			return positive.NewMeanField(m, *p.Steps, *p.Tolerance), nil
		}},
	{name: "clamped", defaults: func(p *Positive) { p.Steps, p.Chains = ptr(5), ptr(1) },
		build: func(m *bm.Machine, p Positive, rows int, gaps bool, key rng.Key) (positive.Estimator, error) {
			return positive.NewClamped(m, rows, *p.Chains, *p.Steps, gaps, key), nil
		}},
}

type negativeKind struct {
	name     string
	axons    bool // reads the patterns
	batch    bool // starts from the rows of the batch
	fresh    bool // takes fresh chains beside its own
	growing  bool // takes restart and grow
	lasting  bool // its chains go on from update to update: takes start
	whole    bool // cannot be divided over the shards of a batch
	apart    bool // they move under other parameters than the machine's
	defaults func(*Negative)
	build    func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error)
}

// basis is what a negative phase is built from beside the machine and its settings.
type basis struct {
	given  positive.Estimator // what stands for the hidden layers given the visible parts of patterns
	of     part
	key    rng.Key
	fields compute.Matrix // of independent visible spins with the means of the training set; none where nothing is drawn from these
}

var negatives = []negativeKind{
	{name: "exact", defaults: func(*Negative) {},
		build: func(m *bm.Machine, _ Negative, x basis) (negative.Estimator, error) {
			return negative.NewExactPart(m, x.of.at, x.of.of)
		}},
	{name: "cd", batch: true, defaults: func(n *Negative) { n.Steps = ptr(10) },
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			return negative.NewCD(m, *n.Steps), nil
		}},
	{name: "pcd", fresh: true, growing: true, lasting: true, defaults: func(n *Negative) { n.Steps, n.Chains = ptr(10), ptr(2048) },
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			p, err := n.persistent(m, x)
			if err != nil {
				return nil, err
			}
			return n.renewed(m, p, x)
		}},
	{name: "fpcd", fresh: true, lasting: true, apart: true,
		defaults: func(n *Negative) {
			n.Steps, n.Chains, n.FastRate, n.FastKeep = ptr(10), ptr(2048), ptr(0.001), ptr(0.95)
		},
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			f := negative.NewFPCD(m, n.held(), *n.Steps, *n.FastRate, *n.FastKeep, x.key)
			if err := n.begin(f, x); err != nil {
				return nil, err
			}
			return n.renewed(m, f, x)
		}},
	{name: "jarzynski", lasting: true, defaults: func(n *Negative) { n.Steps, n.Chains = ptr(10), ptr(2048) },
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			j := negative.NewJarzynski(m, *n.Chains, *n.Steps, x.key)
			if x.of != whole {
				j.Part()
			}
			return j, n.begin(j, x)
		}},
	{name: "pid", axons: true, defaults: func(*Negative) {},
		build: func(m *bm.Machine, _ Negative, x basis) (negative.Estimator, error) {
			p := negative.NewPID(m, m.Axons(), x.given)
			p.Only(x.of.rows(m.Axons().K()))
			return p, nil
		}},
	{name: "pid-literal", axons: true, defaults: func(*Negative) {},
		build: func(m *bm.Machine, _ Negative, x basis) (negative.Estimator, error) {
			p, err := negative.NewPIDLiteral(m, m.Axons())
			if err != nil {
				return nil, err
			}
			p.Only(x.of.rows(m.Axons().K()))
			return p, nil
		}},
	{name: "pid-gibbs", axons: true, defaults: func(n *Negative) { n.Steps, n.Seeds = ptr(10), ptr("sign") },
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			p, err := negative.NewPIDGibbs(m, m.Axons(), *n.Steps, *n.Seeds == "continuous")
			if err != nil {
				return nil, err
			}
			p.Only(x.of.rows(m.Axons().K()))
			return p, nil
		}},
	{name: "tempering", fresh: true, lasting: true,
		defaults: func(n *Negative) {
			n.Steps, n.Chains, n.Temperatures = ptr(10), ptr(100), &[]float64{1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0}
		},
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			t, err := negative.NewTempering(m, *n.Temperatures, n.held(), *n.Steps, x.key)
			if err != nil {
				return nil, err
			}
			if err := n.begin(t, x); err != nil {
				return nil, err
			}
			return n.renewed(m, t, x)
		}},
	{name: "trajectory", fresh: true, lasting: true, whole: true,
		defaults: func(n *Negative) {
			n.Steps, n.Chains, n.Rungs, n.Acceptance, n.Every = ptr(2), ptr(100), ptr(16), ptr(0.3), ptr(1)
		},
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			t, err := negative.NewTrajectory(m, negative.TrajectoryOptions{Chains: n.held(), Steps: *n.Steps, Rungs: *n.Rungs, Every: *n.Every,
				Acceptance: *n.Acceptance, Base: x.fields}, x.key)
			if err != nil {
				return nil, err
			}
			if err := n.begin(t, x); err != nil {
				return nil, err
			}
			return n.renewed(m, t, x)
		}},
	{name: "annealing", defaults: func(n *Negative) { n.Steps, n.Chains = ptr(100), ptr(100) },
		build: func(m *bm.Machine, n Negative, x basis) (negative.Estimator, error) {
			return negative.NewAnnealing(m, *n.Chains, *n.Steps), nil
		}},
	{name: "pseudo-likelihood", batch: true, defaults: func(*Negative) {},
		build: func(m *bm.Machine, _ Negative, x basis) (negative.Estimator, error) {
			return negative.NewPseudoLikelihood(m)
		}},
}

type optimizerKind struct {
	name     string
	defaults func(*Optimizer)
	build    func(m *bm.Machine, o Optimizer) optim.Optimizer
}

var optimizers = []optimizerKind{
	{"sgd", func(o *Optimizer) { o.Rate, o.Momentum = 0.02, ptr(0.0) },
		func(m *bm.Machine, o Optimizer) optim.Optimizer { return optim.NewSGD(m, *o.Momentum, o.WeightDecay) }},
	{"adam", func(o *Optimizer) { o.Rate, o.Beta1, o.Beta2, o.Eps = 0.001, ptr(0.9), ptr(0.999), ptr(1e-8) },
		func(m *bm.Machine, o Optimizer) optim.Optimizer {
			return optim.NewAdam(m, *o.Beta1, *o.Beta2, *o.Eps, o.WeightDecay)
		}},
}

// projectionKind is a projection; value is the default of its number, NaN if it has none.
type projectionKind struct {
	name  string
	value float64
	build func(m *bm.Machine, value float64) (optim.Projection, error)
}

var projections = []projectionKind{
	{"sign", math.NaN(), func(m *bm.Machine, _ float64) (optim.Projection, error) {
		return optim.Sign{Machine: m, Axons: m.Axons()}, nil
	}},
	{"clip", 1, func(m *bm.Machine, x float64) (optim.Projection, error) {
		return optim.Clip{Machine: m, Axons: m.Axons(), Bound: x}, nil
	}},
	{"gibbs", 1, func(m *bm.Machine, x float64) (optim.Projection, error) { return optim.NewGibbs(m, m.Axons(), int(x)) }},
}

// Estimators returns the names of all estimators.
func Estimators() []string { return names(negatives) }

func ptr[T any](x T) *T { return &x }

// entry is one line of a table.
type entry interface{ called() string }

func (k couplingsKind) called() string  { return k.name }
func (i initKind) called() string       { return i.name }
func (k positiveKind) called() string   { return k.name }
func (k negativeKind) called() string   { return k.name }
func (k optimizerKind) called() string  { return k.name }
func (k projectionKind) called() string { return k.name }
func (d dialect) called() string        { return d.name }

// find returns the entry of that name, and whether there is one.
func find[T entry](table []T, name string) (T, bool) {
	for _, t := range table {
		if t.called() == name {
			return t, true
		}
	}
	var none T
	return none, false
}

func names[T entry](table []T) []string {
	var n []string
	for _, t := range table {
		n = append(n, t.called())
	}
	return n
}
