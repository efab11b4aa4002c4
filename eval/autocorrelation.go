package eval

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// AutocorrelationOptions set the chains that autocorrelation watches.
type AutocorrelationOptions struct {
	Chains int `yaml:"chains"` // two or more
	Sweeps int `yaml:"sweeps"` // looked at, eight or more, after half as many that are not
	// Sampler is how they move: gibbs, tempering or guided, the samplers that need no more than
	// the machine.
	Sampler string `yaml:"sampler"`
}

var autocorrelationDefaults = AutocorrelationOptions{Chains: 40, Sweeps: 1000, Sampler: "gibbs"}

func (o AutocorrelationOptions) check() error {
	return cmp.Or(inRange("chains", o.Chains, 2, most), inRange("sweeps", o.Sweeps, 8, most),
		oneOf("sampler", o.Sampler, "no sampler whose chains can be watched", []string{"gibbs", "tempering", "guided"}))
}

// autocorrelation is the integrated autocorrelation time of the energy F(v) along chains, in
// sweeps: 1/2 where each sweep forgets the last. Half of the chains start from fair coins and half,
// where there are patterns, from the patterns. Detail.r_hat and detail.slowest are of the energy
// and the leading modes together. Where the chains are too short, or saw the slowest changes too
// rarely, for the time to be known (detail.enough), the value is what it is at least,
// detail.at_least is true and the error unknown.
func autocorrelation(ctx context.Context, s Subject, o Options) (Result, error) {
	r := s.Machine
	a := o.Autocorrelation
	key := s.Key.Fold(purposeAutocorrelation)
	stop, end := sampler.Stopping(ctx)
	defer end()
	mover, err := sampler.New(a.Sampler, r, sampler.Options{Key: key.Fold(0), Law: bm.Law{Stop: stop}})
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if err != nil {
		return Result{}, err
	}
	start, _ := Scattered(r, a.Chains, nil, key.Fold(1))
	m, err := Watch{Machine: r, Sampler: mover, Start: start, Sweeps: a.Sweeps, Key: key.Fold(2), Progress: s.Progress}.Run(ctx)
	if err != nil {
		return Result{}, err
	}
	if m.Energy.Constant() {
		return Result{}, &NoValue{fmt.Sprintf("the energy is the same in all of %d sweeps of %d chains", m.Sweeps, m.Chains)}
	}
	slowest, _ := m.Slowest()
	apart, _ := m.Apart()
	verdict, _ := m.Verdict()
	stderr := Unknown
	if m.Energy.Enough {
		stderr = m.Energy.Stderr
	}
	return Result{Value: m.Energy.Time, Stderr: stderr, N: m.Energy.N, Detail: map[string]any{
		atLeast: !m.Energy.Enough, "ess": m.Energy.Effective, "enough": m.Energy.Enough, "chains": m.Chains, "sweeps": m.Sweeps, "sampler": a.Sampler,
		"r_hat": bounded(apart.RHat), "slowest": slowest.Name, "slowest_time": slowest.Time, "slowest_enough": slowest.Enough, "slowest_ess": slowest.Effective, "verdict": string(verdict),
	}}, nil
}

// atLeast is the detail of a value that is only a bound from below.
const atLeast = "at_least"

// AtLeast reports whether the value is not known, and no less than Value.
func (r Result) AtLeast() bool {
	bound, _ := r.Detail[atLeast].(bool)
	return bound
}

// bounded returns x, or the largest number that a reader of JSON takes for an infinite one.
func bounded(x float64) float64 { return min(x, 1e308) }

// Scattered returns where so many chains begin, far apart (C x V Int8), and from what: fair coins,
// the signs of the patterns where the machine has some, and the rows (V spins each) where some are
// given, in turn.
func Scattered(m *bm.Machine, chains int, rows []int8, key rng.Key) (start compute.Matrix, from []string) {
	e, visible := m.Engine(), m.Layers()[bm.Visible]
	start = e.Alloc(compute.Int8, chains, visible)
	sampler.Randomize(m, bm.State{start}, bm.Law{Key: key})
	x := make([]int8, start.Len())
	compute.Read(e, x, start)
	sources := [][]int8{slices.Clone(x)}
	from = append(from, "random")
	if a, ok := m.Couplings().(*bm.Axons); ok {
		v := a.Patterns(bm.Visible)
		signs := e.Alloc(compute.Int8, v.Value.Rows(), visible)
		e.Sign(signs, v.Value)
		p := make([]int8, signs.Len())
		compute.Read(e, p, signs)
		sources, from = append(sources, p), append(from, "patterns")
	}
	if len(rows) > 0 {
		sources, from = append(sources, rows), append(from, "data")
	}
	for c := range chains {
		source := sources[c%len(sources)]
		copy(x[c*visible:][:visible], source[c/len(sources)*visible%len(source):])
	}
	compute.Write(e, start, x)
	return start, from
}
