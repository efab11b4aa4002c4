package sampler

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"mattis/bm"
	"mattis/rng"
)

// Sampler moves chains.
type Sampler interface {
	// Move moves every row of s under its law, by work that is counted in sweeps. The hidden spins
	// of s need not be set before; after it both layers are a configuration. Clamped spins stay.
	// The numbers come from law.Key and the rows' places alone.
	Move(s bm.State, law bm.Law, sweeps int)
}

// GibbsSampler moves chains by Gibbs sweeps.
type GibbsSampler struct{ Machine *bm.Machine }

var _ Sampler = GibbsSampler{}

// Move is Gibbs.
func (g GibbsSampler) Move(s bm.State, law bm.Law, sweeps int) { Gibbs(g.Machine, s, law, sweeps) }

// Options say how a sampler is made by its name.
type Options struct {
	// Betas is the ladder of tempering: inverse temperatures from 1 down. None: one is
	// adapted to the machine and to Law, which costs 900 sweeps of 8 ladders of it.
	Betas []float64
	// Law is what the chains will move under, as far as adaptation has to know: its
	// Base, and its Clamp if that is the same for all rows (Repeat of one row).
	Law bm.Law
	// Earlier are the machines of a run's checkpoints before the machine itself, the
	// oldest first: what trajectory tempering moves through.
	Earlier []*bm.Machine
	// Key is the source of the numbers that adaptation draws.
	Key rng.Key
}

// Named is a sampler that can be called by its name.
type Named struct {
	Name string
	What string // in a few words, for help texts
	// Stationary says that the sampler leaves the law unchanged; another one is a heuristic.
	Stationary bool
	New        func(r *bm.Machine, o Options) (Sampler, error)
}

// Samplers is every sampler by its name.
var Samplers = []Named{
	{"gibbs", "alternating draws of both layers", true,
		func(r *bm.Machine, _ Options) (Sampler, error) { return GibbsSampler{r}, nil }},
	{"tempering", "replicas at several temperatures that exchange them", true,
		func(r *bm.Machine, o Options) (Sampler, error) {
			betas := o.Betas
			if betas == nil {
				law := o.Law
				law.Key = o.Key
				ladder, err := AdaptLadder(r, LadderOptions{}, law)
				if err != nil {
					return nil, err
				}
				betas = ladder.Betas
			}
			return NewTempering(r, betas)
		}},
	{"annealing", "cooling from random spins", false,
		func(r *bm.Machine, _ Options) (Sampler, error) { return NewAnnealing(r, Linear(0, 1)), nil }},
	{"guided", "jumps between the patterns, and Gibbs sweeps", true,
		func(r *bm.Machine, _ Options) (Sampler, error) {
			return NewGuided(r, Round{Gibbs: 1, Mixture: 1, Exchange: 1, Flip: 1})
		}},
	{"trajectory", "replicas at the checkpoints of a run that exchange states", true,
		func(r *bm.Machine, o Options) (Sampler, error) {
			if len(o.Earlier) == 0 {
				return nil, fmt.Errorf("trajectory tempering needs earlier checkpoints of the run; set train.checkpoint.keep to keep more of them")
			}
			return NewTrajectory(append(append([]*bm.Machine(nil), o.Earlier...), r), true)
		}},
	{"descent", "each spin follows its field, at zero temperature", false,
		func(r *bm.Machine, _ Options) (Sampler, error) { return Descent{r}, nil }},
}

// Names returns the names of all samplers.
func Names() []string {
	var n []string
	for _, s := range Samplers {
		n = append(n, s.Name)
	}
	return n
}

// Find returns the sampler of the name, or an error that lists all.
func Find(name string) (Named, error) {
	for _, s := range Samplers {
		if s.Name == name {
			return s, nil
		}
	}
	return Named{}, fmt.Errorf("sampler %q is unknown, want one of %s", name, strings.Join(Names(), ", "))
}

// New returns the sampler of the name for the machine.
func New(name string, r *bm.Machine, o Options) (Sampler, error) {
	n, err := Find(name)
	if err != nil {
		return nil, err
	}
	s, err := n.New(r, o)
	if err != nil {
		return nil, fmt.Errorf("sampler %s: %w", name, err)
	}
	return s, nil
}

// Stopping returns a flag that is true once ctx is cancelled, for the laws of chains, and what ends
// the watch.
func Stopping(ctx context.Context) (flag *atomic.Bool, end func() bool) {
	flag = new(atomic.Bool)
	return flag, context.AfterFunc(ctx, func() { flag.Store(true) })
}
