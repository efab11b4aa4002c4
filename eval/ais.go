package eval

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"gonum.org/v1/gonum/stat"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// AIS is annealed importance sampling: it estimates log Z by paths between the base law at inverse
// temperature 0, whose Z is known, and the machine at 1 (Neal 2001; Salakhutdinov and Murray 2008,
// hidden spins summed out). Paths move the layers on the left side of the data view, the visible
// one among them, and those on the right are summed out: at inverse temperature beta the exponent
// of a visible configuration of a restricted machine is
//
//	f_beta(v) = sum_a log 2cosh(beta x_a) + beta b.v - beta (v-m) W n + (1-beta) base.v
//
// with the offsets m and n of its layers,
// and that of any other -beta E with the layers on the right summed over. At inverse temperature 0
// the visible layer has the base law and all others are fair coins. Gaussian layers are summed out
// before there is a temperature. Paths are drawn by Key alone: they do not depend on threads.
type AIS struct {
	Machine *bm.Machine
	Base    []float32 // fields of the base law, one a visible spin; nil for fair coins
	Runs    int       // independent paths in each direction
	Betas   int       // steps from 0 to 1
	Sweeps  int       // Gibbs sweeps after each step
	Key     rng.Key
	// Progress, if there is one, is told the share done of each direction, in [0,1].
	Progress func(share float64)
	// Comm are the processes that have a share of the paths each, nil for one: all have the same
	// estimates, whose bits do not depend on how many they are.
	Comm *comm.Comm

	// ends, if there is one, is shown the ends of forward paths, rows of the left side, those from
	// path number first on.
	ends func(first int, rows []int8)

	spacing *density  // measured once by a pilot run
	betas   []float64 // spaced by it
	ahead   []float64 // log weights of the forward paths, once drawn
	back    []float64 // log weights of the reverse paths from the start of that name
	started string
}

// The streams that AIS folds its key for.
const (
	streamPilot uint64 = iota
	streamForward
	streamReverse
	streamStart
	streamIntegration
)

func (a *AIS) check() error {
	visible := a.Machine.Layers()[bm.Visible]
	switch {
	case a.Runs < 2:
		return fmt.Errorf("%d annealing runs, at least 2 are needed for an error", a.Runs)
	case a.Betas < 1:
		return fmt.Errorf("%d steps of inverse temperature, at least 1 is needed", a.Betas)
	case a.Sweeps < 1:
		return fmt.Errorf("%d sweeps at each inverse temperature, at least 1 is needed", a.Sweeps)
	case a.Base != nil && len(a.Base) != visible:
		return fmt.Errorf("a base law of %d spins for a machine of %d visible ones", len(a.Base), visible)
	}
	for i, b := range a.Base {
		if b != b || math.IsInf(float64(b), 0) {
			return fmt.Errorf("field %v of visible spin %d in the base law is not finite", b, i)
		}
	}
	return nil
}

// baseLogZ returns log Z at inverse temperature 0, less the machine's energy constant: paths leave
// it out.
func (a *AIS) baseLogZ() float64 {
	n, hidden := a.Machine.Layers(), 0
	for l, layer := range a.Machine.Graph().Layers {
		if l != bm.Visible && layer.Kind == bm.Spins {
			hidden += layer.N
		}
	}
	z := float64(hidden)*math.Ln2 - a.Machine.Constant()
	if a.Base == nil {
		return z + float64(n[bm.Visible])*math.Ln2
	}
	for _, b := range a.Base {
		z += compute.LogTwoCosh(float64(b))
	}
	return z
}

// Ladder returns the Betas+1 inverse temperatures, from 0 to 1. A pilot run of few paths spaces
// them so that each step adds about the same variance to the log weights.
func (a *AIS) Ladder(ctx context.Context) ([]float64, error) {
	if a.betas != nil {
		return a.betas, nil
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	if a.spacing == nil {
		d, err := a.pilot(ctx)
		if err != nil {
			return nil, err
		}
		a.spacing = &d
	}
	a.betas = a.spacing.ladder(a.Betas)
	return a.betas, nil
}

// resized returns an annealing of the same laws in more or fewer steps or runs, spaced by what the
// pilot run of a has measured.
func (a *AIS) resized(runs, betas int) *AIS {
	return &AIS{
		Machine: a.Machine, Base: a.Base, Runs: runs, Betas: betas, Sweeps: a.Sweeps, Key: a.Key, Progress: a.Progress, Comm: a.Comm,
		spacing: a.spacing,
	}
}

// pilot returns the law that inverse temperatures are spaced by, from few paths of half as many
// steps. The variance is that of the log weights over several steps at a time, so that places where
// paths forget slowly count for more.
func (a *AIS) pilot(ctx context.Context) (density, error) {
	const n, fewest, most, longest = 32, 50, 2000, 16
	d := density{critical: critical(a.Machine, a.Key.Fold(streamPilot).Fold(0))}
	betas := d.ladder(min(max(a.Betas/2, fewest), most))
	steps := len(betas) - 1
	window := min(longest, steps/8)
	e := a.Machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	a.Machine.Couplings().Hold()
	defer a.Machine.Couplings().LetGo()
	p := a.paths(n, 0, a.Key.Fold(streamPilot).Fold(1))
	stop, end := sampler.Stopping(ctx)
	defer end()
	p.stop = stop
	p.fromBase()
	logs := make([]float64, (steps+1)*n) // after each step
	gained := make([]float64, n)
	deviations := make([]float64, steps)
	for t := range steps {
		if err := ctx.Err(); err != nil {
			return density{}, err
		}
		p.step(betas[t], betas[t+1], betas[t+1], t+1 == steps)
		now := logs[(t+1)*n : (t+2)*n]
		p.read(now)
		from := max(0, t+1-window)
		for i := range gained {
			gained[i] = now[i] - logs[from*n+i]
		}
		each := stat.StdDev(gained, nil) / float64(t+1-from)
		for u := from; u <= t; u++ {
			deviations[u] += each
		}
	}
	return d.adapt(betas, deviations)
}

// Forward returns the estimate of annealed importance sampling, whose exponential is
// unbiased: it is a lower bound of log Z in expectation.
func (a *AIS) Forward(ctx context.Context) (LogZ, error) {
	logs, err := a.forward(ctx)
	if err != nil {
		return LogZ{}, err
	}
	return a.lower(logs), nil
}

// lower returns the estimate from the log weights of forward paths.
func (a *AIS) lower(logs []float64) LogZ {
	w := weigh(logs)
	return a.estimate(w, 1, LowerBound, w.warn("AIS", len(logs)), len(logs))
}

// estimate returns base log Z + sign * log of the mean weight.
func (a *AIS) estimate(w weighed, sign float64, side string, warnings []string, runs int) LogZ {
	z := LogZ{
		Value: a.baseLogZ() + sign*w.logMean, Side: side, ESS: w.ess, Warnings: warnings,
		Runs: runs, Betas: a.Betas, Sweeps: a.Sweeps,
	}
	z.Stderr = math.Hypot(w.stderr, rounding(a.Machine, z.Value))
	return z
}

// forward returns the log weights of the forward paths, drawn at the first call.
func (a *AIS) forward(ctx context.Context) ([]float64, error) {
	if a.ahead != nil {
		return a.ahead, nil
	}
	logs := make([]float64, a.Runs)
	left := leftOf(a.Machine)
	err := a.cool(ctx, a.Key.Fold(streamForward), func(p *paths) {
		own := logs[p.first : p.first+p.n]
		p.read(own)
		if a.ends == nil && !a.turns() {
			return
		}
		ends := p.ends()
		if a.ends != nil {
			a.ends(p.first, ends)
		}
		for i := range own {
			own[i] += weightOfSide(a.side(ends[i*left.width:][:left.visible]))
		}
	})
	if err == nil {
		err = spread(a.blocks(), logs, 1)
	}
	if err != nil {
		return nil, err
	}
	a.ahead = logs
	return logs, nil
}

// turns reports whether a state and its negative are as likely but the base prefers one of them.
// Paths hardly ever cross over then, and half of Z would be missing. But half of Z is on the base's
// side: forward ends there count twice and others not at all, and reverse paths start there.
func (a *AIS) turns() bool { return a.Base != nil && a.Machine.Symmetric() }

// side returns the sign of the overlap of visible spins with the base's fields where paths are
// turned, and 0 where they are not.
func (a *AIS) side(row []int8) int {
	if !a.turns() {
		return 0
	}
	var dot float64
	for i, x := range row {
		dot += float64(a.Base[i]) * float64(x)
	}
	switch {
	case dot > 0:
		return 1
	case dot < 0:
		return -1
	}
	return 0
}

// weightOfSide returns the logarithm of the factor of an end's weight.
func weightOfSide(side int) float64 {
	switch {
	case side > 0:
		return math.Ln2
	case side < 0:
		return math.Inf(-1)
	}
	return 0
}

// cool draws Runs paths from the base law to the machine and shows look their ends, part by part.
// Their log weights are the sums of f at the new less f at the old inverse temperature over the
// steps.
func (a *AIS) cool(ctx context.Context, key rng.Key, look func(p *paths)) error {
	betas, err := a.Ladder(ctx)
	if err != nil {
		return err
	}
	return a.parts(ctx, key, func(p *paths, tell func(int) error) error {
		p.fromBase()
		for t := range a.Betas {
			p.step(betas[t], betas[t+1], betas[t+1], t+1 == a.Betas)
			if err := tell(t + 1); err != nil {
				return err
			}
		}
		look(p)
		return nil
	})
}

// blocks returns the paths as blocks, one of which fits into memory.
func (a *AIS) blocks() blocks { return blocksOf(a.Comm, a.Machine, a.Runs) }

// parts calls run with this process's paths, block by block. run calls tell after each step.
func (a *AIS) parts(ctx context.Context, key rng.Key, run func(p *paths, tell func(step int) error) error) error {
	e, b := a.Machine.Engine(), a.blocks()
	stop, end := sampler.Stopping(ctx)
	defer end()
	from, to := b.own()
	return b.each(func(first, n int) error {
		mark := e.Mark()
		defer e.Release(mark)
		a.Machine.Couplings().Hold()
		defer a.Machine.Couplings().LetGo()
		p := a.paths(n, first, key)
		p.stop = stop
		return run(p, func(step int) error {
			if a.Progress != nil {
				a.Progress((float64(first-from) + float64(n)*float64(step)/float64(a.Betas)) / float64(to-from))
			}
			return ctx.Err()
		})
	})
}

// paths are n annealing paths that move together, the first of which is number first of all. They
// are scratch.
type paths struct {
	a          *AIS
	first, n   int
	key        rng.Key
	restricted bool   // one overlap of the visible layer makes the weights at both temperatures of a step and the draw of the hidden layer
	back       bool   // they go back: sweeps are the reverse of those ahead
	sweeps     uint64 // sweeps done: the number of the next one's key
	state      bm.State
	left       side
	side       bm.State       // the state without the layers that are summed out
	base       compute.Matrix // 1xV; none for fair coins
	near       [1]bm.Overlap
	linear     compute.Matrix // what the weights take of v, 1xV: b - base, and of restricted machines - W n, n being the offset of the hidden layer; none where it is 0
	constant   compute.Matrix // 1x1 Float64, which weights take with every step: the energy constant, which energies have and paths leave out, and of restricted machines m W n in its place
	logWeight  compute.Matrix // Bx1 Float64
	sum        compute.Matrix // Bx1 Float64
	beta       [2]compute.Matrix
	rows       []float32
	stop       *atomic.Bool // true once the paths are of no use any more
}

func (a *AIS) paths(n, first int, key rng.Key) *paths {
	m, e := a.Machine, a.Machine.Engine()
	size := m.Layers()
	p := &paths{
		a: a, first: first, n: n, key: key, rows: make([]float32, n), state: m.Scratch(n), left: leftOf(m),
		logWeight: e.Scratch(compute.Float64, n, 1),
		sum:       e.Scratch(compute.Float64, n, 1),
		beta:      [2]compute.Matrix{e.Scratch(compute.Float32, n, 1), e.Scratch(compute.Float32, n, 1)},
		constant:  e.Scratch(compute.Float64, 1, 1),
	}
	p.side = p.left.of(p.state)
	e.Fill(p.logWeight, 0)
	p.restricted = m.Graph().IsRestricted()
	b, shift := m.Bias(bm.Visible).Value, compute.Matrix{}
	if p.restricted {
		shift = m.Couplings().Shift(bm.Hidden, bm.Visible)
		e.Fill(p.constant, 0)
		if o := m.Couplings().Offset(bm.Visible); !shift.IsNone() && !o.IsNone() {
			e.RowDot(p.constant, -1, o, shift)
		}
	} else {
		e.Fill(p.constant, m.Constant())
	}
	if a.Base != nil {
		p.base = e.Scratch(compute.Float32, 1, size[bm.Visible])
		compute.Write(e, p.base, a.Base)
	}
	if !b.IsNone() || a.Base != nil || !shift.IsNone() {
		p.linear = e.Scratch(compute.Float32, 1, size[bm.Visible])
		e.Fill(p.linear, 0)
		if !b.IsNone() {
			e.Axpby(p.linear, 1, b, 1)
		}
		if a.Base != nil {
			e.Axpby(p.linear, -1, p.base, 1)
		}
		if !shift.IsNone() {
			e.Axpby(p.linear, 1, shift, 1)
		}
	}
	return p
}

// fromBase draws the left side from the base law: sweep number 0 at inverse temperature 0.
func (p *paths) fromBase() {
	m := p.a.Machine
	law := bm.Law{Key: p.key.Fold(0), Row: uint64(p.first)}
	p.left.coins(p.state, law)
	if p.a.Base != nil {
		// A draw in no field but the base's: the other layers may be anything that is finite.
		for _, l := range m.View().Right {
			m.Engine().Fill(p.state[l], 0)
		}
		law.Base, law.Beta = p.base, p.at(0, 0)
		m.Sample(p.state, bm.Visible, law)
	}
	p.sweeps = 1
}

// at returns the inverse temperature b for every row, in one of two matrices.
func (p *paths) at(which int, b float64) compute.Matrix {
	for i := range p.rows {
		p.rows[i] = float32(b)
	}
	compute.Write(p.a.Machine.Engine(), p.beta[which], p.rows)
	return p.beta[which]
}

// step adds f at inverse temperature to less f at from to the log weights and, but for the last
// step, moves the paths by the sweeps at move, which is from or to.
func (p *paths) step(from, to, move float64, last bool) {
	// The temperature that the paths do not move at, with its sign, and then the other.
	other, sign := from, -1.0
	if move == from {
		other, sign = to, 1
	}
	first := 0 // sweep that is still to be made
	if p.restricted {
		p.overlapStep(from, to, other, move, sign, last)
		first = 1
	} else {
		p.energyStep(from, to, other, move, sign)
	}
	if last {
		return
	}
	law := bm.Law{Row: uint64(p.first), Base: p.base, Beta: p.beta[1], Back: p.back}
	for range p.a.Sweeps - first {
		if p.stop.Load() {
			return
		}
		law.Key = p.key.Fold(p.sweeps)
		p.a.Machine.Sweep(p.state, law)
		p.sweeps++
	}
}

// energyStep adds to the log weights by the energies of the left side at both temperatures.
func (p *paths) energyStep(from, to, other, move, sign float64) {
	m, e := p.a.Machine, p.a.Machine.Engine()
	for i, b := range [...]float64{other, move} {
		m.Energy(p.sum, p.side, bm.Law{Beta: p.at(i, b), Base: p.base})
		e.Axpby(p.logWeight, -sign, p.sum, 1)
		sign = -sign
	}
	e.Axpby(p.logWeight, to-from, p.constant.Repeat(p.n), 1)
}

// overlapStep adds to the log weights of a restricted machine and, but for the last step, makes the
// first sweep. The fields on the hidden layer serve all three.
//
// For axons it costs K(2V+3H) multiply-adds a row and sweep, the overlap with the patterns being
// computed once.
func (p *paths) overlapStep(from, to, other, move, sign float64, last bool) {
	m := p.a.Machine
	e, c := m.Engine(), m.Couplings()
	v, h := p.state[bm.Visible], p.state[bm.Hidden]
	mark := e.Mark()
	p.near[0] = c.Overlap(v, bm.Visible)
	shape := compute.Over(nil, compute.Float32, h.Rows(), h.Cols(), 0)
	then := compute.Epilogue{Kind: compute.Discard, Bias: m.Bias(bm.Hidden).Value, LogCosh: p.sum}
	law := bm.Law{Key: p.key.Fold(p.sweeps), Row: uint64(p.first), Base: p.base}

	e.Fill(p.sum, 0)
	then.Scale = p.at(0, other)
	c.Fields(shape, p.near[:], bm.Hidden, then)
	e.Axpby(p.logWeight, sign, p.sum, 1)

	e.Fill(p.sum, 0)
	then.Scale = p.at(1, move)
	law.Beta = then.Scale
	if last {
		c.Fields(shape, p.near[:], bm.Hidden, then)
	} else {
		then.Kind, then.Key, then.Row = compute.Spin, law.Key.Fold(bm.Hidden), law.Row
		c.Fields(h, p.near[:], bm.Hidden, then)
	}
	e.Axpby(p.logWeight, -sign, p.sum, 1)
	if !p.linear.IsNone() {
		e.RowDot(p.logWeight, to-from, v, p.linear.Repeat(p.n))
		e.Axpby(p.logWeight, to-from, p.constant.Repeat(p.n), 1)
	}
	e.Release(mark)
	if !last {
		m.Sample(p.state, bm.Visible, law)
		p.sweeps++
	}
}

// ends returns the rows of the left side of the paths.
func (p *paths) ends() []int8 {
	x := make([]int8, p.n*p.left.width)
	p.left.read(x, p.state)
	return x
}

// read sets dst to the log weights.
func (p *paths) read(dst []float64) { compute.Read(p.a.Machine.Engine(), dst, p.logWeight) }
