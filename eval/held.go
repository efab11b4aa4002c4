package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// ClampedAISOptions set the annealing of hidden layers with the visible one held, by which nll_ais,
// and nll where no exact sum is affordable, find log p(v) + log Z of machines whose hidden layers
// do not sum out; and that of missing entries with what is known held, where they are too many for
// a sum. The time grows with rows times runs times betas times sweeps.
type ClampedAISOptions struct {
	Rows   int `yaml:"rows"`   // rows of the set that are looked at, chosen by the key where a set has more
	Runs   int `yaml:"runs"`   // independent paths of each row
	Betas  int `yaml:"betas"`  // equal steps of inverse temperature from 0 to 1
	Sweeps int `yaml:"sweeps"` // sweeps of the hidden layers after each step
}

var clampedAISDefaults = ClampedAISOptions{Rows: 200, Runs: 50, Betas: 200, Sweeps: 1}

func (o ClampedAISOptions) check() error {
	return cmp.Or(inRange("rows", o.Rows, 1, most), inRange("runs", o.Runs, 2, 100_000), inRange("betas", o.Betas, 1, most),
		inRange("sweeps", o.Sweeps, 1, most))
}

// Held is annealed importance sampling of the hidden layers of a machine with its visible layer
// held: it estimates -F(v) = log sum over the hidden layers of exp(-E) of each row. Paths start
// from the mean-field product of p(h|v), a law for each row, on the layers of the left side; those
// on the right are summed out. With mu these means and c its fields atanh mu the exponent at
// inverse temperature beta is
//
//	-beta E(v,h) + (1-beta) c.h
//
// Entries of rows that are missing, spins 0, are moved as the layers of the left side are, from their
// means given what is known and the mean field of that; F(v) is then that of what is known.
//
// The exponential of an estimate is unbiased, so that -F(v) is a bound from below in expectation,
// and F(v) one from above.
type Held struct {
	Machine             *bm.Machine
	Runs, Betas, Sweeps int
	MeanField           MeanFieldOptions
	Key                 rng.Key
	// Progress, if there is one, is told the share done, in [0,1].
	Progress func(share float64)
	Comm     *comm.Comm // see AIS.Comm
}

// FreeEnergies returns the estimates of F(v) of the rows (V spins each) in kT, their standard
// errors and effective numbers of paths.
func (h Held) FreeEnergies(ctx context.Context, rows []int8) (f, stderr, ess []float64, err error) {
	m, e := h.Machine, h.Machine.Engine()
	v := m.Layers()[bm.Visible]
	n := len(rows) / v
	f, stderr, ess = make([]float64, n), make([]float64, n), make([]float64, n)
	b := blocks{comm: h.Comm, n: n, size: max(1, rowsAtOnce(m)/h.Runs)}
	from, to := b.own()
	err = b.each(func(first, count int) error {
		mark := e.Mark()
		logs, err := h.paths(ctx, rows[first*v:(first+count)*v], first, func(share float64) {
			if h.Progress != nil {
				h.Progress((float64(first-from) + share*float64(count)) / float64(to-from))
			}
		})
		e.Release(mark)
		if err != nil {
			return err
		}
		for i := range count {
			w := weigh(logs[i*h.Runs:][:h.Runs])
			f[first+i], stderr[first+i], ess[first+i] = -w.logMean, w.stderr, w.ess
		}
		return nil
	})
	for _, x := range [...][]float64{f, stderr, ess} {
		if err == nil {
			err = spread(b, x, 1)
		}
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return f, stderr, ess, e.Sync()
}

// paths returns the log weights of the paths of some rows, Runs of each; first is the number of the
// first row.
func (h Held) paths(ctx context.Context, visible []int8, first int, tell func(share float64)) ([]float64, error) {
	m, e := h.Machine, h.Machine.Engine()
	sizes := m.Layers()
	v := sizes[bm.Visible]
	rows := len(visible) / v
	n := rows * h.Runs
	once := e.Scratch(compute.Int8, rows, v)
	compute.Write(e, once, visible)
	copies := make([]int32, n)
	for i := range copies {
		copies[i] = int32(i / h.Runs)
	}
	s := m.Scratch(n)
	e.Gather(s[bm.Visible], once, copies)

	law := bm.Law{Key: h.Key.Fold(0), Row: uint64(first * h.Runs), Field: make(bm.State, len(s))}
	moved, sweep := m.View().Left[1:], m.SweepHidden
	if slices.Contains(visible, 0) {
		moved, sweep = m.View().Left, m.Sweep
		known := e.Scratch(compute.Int8, n, v)
		e.Copy(known, s[bm.Visible])
		law.Clamp = bm.State{known}
	}
	base := make(bm.State, len(s))
	logs := make([]float64, n)
	h.start(s, base, once, copies, logs, law, moved)
	for _, l := range moved {
		law.Field[l] = e.Scratch(compute.Float32, n, sizes[l])
	}
	weights, sum := e.Scratch(compute.Float64, n, 1), e.Scratch(compute.Float64, n, 1)
	compute.Write(e, weights, logs)
	law.Beta = e.Scratch(compute.Float32, n, 1)
	side := leftOf(m).of(s)
	stop, end := sampler.Stopping(ctx)
	defer end()
	law.Stop = stop
	at := func(b float64) {
		e.Fill(law.Beta, b)
		m.Energy(sum, side, bm.Law{Beta: law.Beta})
	}
	sweeps := uint64(1)
	for t := range h.Betas {
		from, to := float64(float32(float64(t)/float64(h.Betas))), float64(float32(float64(t+1)/float64(h.Betas)))
		at(from)
		e.Axpby(weights, 1, sum, 1)
		at(to)
		e.Axpby(weights, -1, sum, 1)
		for _, l := range moved {
			e.RowDot(weights, from-to, s[l], base[l])
		}
		if t+1 == h.Betas {
			break
		}
		for _, l := range moved { // to times this is (1-to) c
			e.Axpby(law.Field[l], (1-to)/to, base[l], 0)
		}
		for range h.Sweeps {
			law.Key = h.Key.Fold(sweeps)
			sweep(s, law)
			sweeps++
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		tell(float64(t+1) / float64(h.Betas))
	}
	compute.Read(e, logs, weights)
	return logs, nil
}

// start sets base to the fields of the mean-field product, draws the layers that are moved from it,
// of the visible one what is missing, and sets logs to the logarithms of its sums.
func (h Held) start(s, base bm.State, once compute.Matrix, copies []int32, logs []float64, law bm.Law, moved []int) {
	// As certain as if so many states had been seen: a mean of 1 leaves the others a chance.
	const seen = 1000
	m, e := h.Machine, h.Machine.Engine()
	means, _ := meansOf(m, once, h.MeanField)
	outer := 0.0
	for _, l := range m.View().Right {
		if m.Graph().Layers[l].Kind == bm.Spins {
			outer += float64(m.Layers()[l]) * math.Ln2
		}
	}
	for i := range logs {
		logs[i] = outer
	}
	var given []int8 // the rows, where some of their entries are missing
	for _, l := range moved {
		n := m.Layers()[l]
		mean := means[l]
		if l == bm.Visible {
			mean = e.Scratch(compute.Float32, once.Rows(), n)
			m.Mean(mean, means, l, bm.Law{})
			given = make([]int8, once.Len())
			compute.Read(e, given, once)
		}
		mu := make([]float32, mean.Len())
		compute.Read(e, mu, mean)
		spins := make([]int8, len(copies)*n)
		fields := make([]float32, len(spins))
		for i, row := range copies {
			for j, x := range mu[int(row)*n:][:n] {
				if l == bm.Visible && given[int(row)*n+j] != 0 {
					spins[i*n+j] = given[int(row)*n+j]
					continue
				}
				c := float32(math.Atanh(float64(x) * seen / (seen + 2)))
				fields[i*n+j] = c
				logs[i] += compute.LogTwoCosh(float64(c))
				up := 1 / (1 + math.Exp(-2*float64(c)))
				if spins[i*n+j] = -1; float64(law.Key.Fold(uint64(l)).Uniform(law.Row+uint64(i), uint64(j))) < up {
					spins[i*n+j] = 1
				}
			}
		}
		base[l] = e.Scratch(compute.Float32, len(copies), n)
		compute.Write(e, base[l], fields)
		compute.Write(e, s[l], spins)
	}
}

// heldBy returns the annealing that the options ask for.
func (s Subject) heldBy(o Options) Held {
	c := o.ClampedAIS
	return Held{Machine: s.Machine, Runs: c.Runs, Betas: c.Betas, Sweeps: c.Sweeps, MeanField: o.MeanField, Key: s.Key.Fold(purposeHeld), Comm: s.Comm}
}

// held returns the mean of F(v) by annealing with the visible layer held over rows of the set.
func (s Subject) held(ctx context.Context, o Options) (freeMean, error) {
	set, err := s.set()
	if err != nil {
		return freeMean{}, err
	}
	c := o.ClampedAIS
	rows := s.rows(set, c.Rows)
	h := s.heldBy(o)
	h.Progress = s.Progress
	f, _, ess, err := h.FreeEnergies(ctx, set.Take(rows).Spins)
	if err != nil {
		return freeMean{}, err
	}
	x := freeMean{rows: len(rows), way: FreeByAnnealing, detail: map[string]any{
		"clamped_runs": c.Runs, "clamped_betas": c.Betas, "clamped_ess": slices.Min(ess)}}
	x.mean, x.stderr = meanOf(f)
	few := 0
	for _, y := range ess {
		if y < LeastSilent(c.Runs) {
			few++
		}
	}
	if few > 0 {
		x.warnings = append(x.warnings, fmt.Sprintf("AIS with the visible layer held: few runs carry the weight of %d of %d rows (ESS %.1f of %d at least)", few, len(rows), slices.Min(ess), c.Runs))
	}
	return x, nil
}
