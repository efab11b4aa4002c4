package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// Tracked carries an estimate of log Z along a training: annealed importance sampling whose path is
// that of the parameters (Jarzynski; Carbone et al. 2023, arXiv:2305.19414). Paths begin in the
// machine without couplings, whose log Z is known. From one state of the parameters to the next
// they go by steps on the straight line between them, a sweep each, and
//
//	log w += F_k(s) - F_k+1(s)        log Z = log Z_0 + log mean w
//
// Where weights have come apart paths are drawn anew by them, and what that costs is added to the
// variance. Beside these others go from no couplings to all of them in freshStages states of the
// training, again and again. Where they find clearly more than the old paths, a phase that training
// has made since, they take their place: an estimate is too large by t nats with a chance of at
// most e^-t (docs/decisions/0008-several-bases.md).
type Tracked struct {
	machine *bm.Machine // at a point between two states of the training
	params  []bm.Param  // its
	coupled []bool      // of these, the couplings
	last    []bm.Param  // the state of the training that was followed to
	next    []bm.Param
	old     walkers
	fresh   walkers
	sums    compute.Matrix // 1x4 Float64: whether it has begun, the stage of the fresh paths, how often they took over, the update followed to
	host    []float64
	f       compute.Matrix // Float64, one a path
	f0, f1  []float64
}

// walkers are paths and what they have come to.
type walkers struct {
	state   bm.State
	kept    []bm.Param
	weights compute.Matrix // n x 1 Float64: logarithms
	sums    compute.Matrix // 1x2 Float64: log Z and its variance up to where all weights were last 1
	logs    []float64
	host    []float64
	rows    []int32
	other   bm.State
}

// How the paths are.
const (
	freshStages = 10   // in which fresh paths come to all couplings
	startSteps  = 10   // times the usual steps from no couplings to the first state
	fewPaths    = 10.0 // fewer effective paths are told of
)

// NewTracked returns the estimate by so many paths, and half as many fresh ones, for the states of
// machines with the shape of the given one, which it makes its own.
func NewTracked(own *bm.Machine, paths int) *Tracked {
	e := own.Engine()
	t := &Tracked{machine: own, params: own.Params(), host: make([]float64, 4), sums: e.Alloc(compute.Float64, 1, 4)}
	for _, p := range t.params {
		t.coupled = append(t.coupled, strings.HasPrefix(p.Name, "patterns.") || strings.HasPrefix(p.Name, "weights"))
		name := "tracked." + p.Name
		if p.Name == "weights" { // those of the paths have that name
			name = "tracked.couplings"
		}
		for _, list := range []*[]bm.Param{&t.last, &t.next} {
			*list = append(*list, bm.Param{Name: name, Value: e.Alloc(p.Value.Type(), p.Value.Rows(), p.Value.Cols())})
		}
	}
	t.old, t.fresh = newWalkers(own, paths, "tracked."), newWalkers(own, max(1, paths/2), "tracked.fresh.")
	t.f, t.f0, t.f1 = e.Alloc(compute.Float64, paths, 1), make([]float64, paths), make([]float64, paths)
	return t
}

func newWalkers(m *bm.Machine, n int, prefix string) walkers {
	e := m.Engine()
	w := walkers{state: m.State(n), other: m.State(n), weights: e.Alloc(compute.Float64, n, 1), sums: e.Alloc(compute.Float64, 1, 2),
		logs: make([]float64, n), host: make([]float64, 2), rows: make([]int32, n)}
	sampler.Randomize(m, w.state, bm.Law{})
	w.kept = sampler.Kept(m, w.state)
	for i := range w.kept {
		w.kept[i].Name = prefix + w.kept[i].Name
	}
	w.kept = append(w.kept, bm.Param{Name: prefix + "weights", Value: w.weights}, bm.Param{Name: prefix + "sums", Value: w.sums})
	return w
}

// State returns what a checkpoint keeps.
func (t *Tracked) State() []bm.Param {
	return slices.Concat(t.last, t.old.kept, t.fresh.kept, []bm.Param{{Name: "tracked.stage", Value: t.sums}})
}

// Products returns how many products of a row with the couplings following by so many steps takes.
func (t *Tracked) Products(steps int) float64 {
	return 4 * float64(steps*(len(t.old.rows)+len(t.fresh.rows)))
}

// At returns the update whose state was followed to; ok is false before the first.
func (t *Tracked) At() (update int, ok bool) {
	compute.Read(t.machine.Engine(), t.host, t.sums)
	return int(t.host[3]), t.host[0] != 0
}

// Peek follows to the present state of the machine while look is called, and comes back.
func (t *Tracked) Peek(m *bm.Machine, update, steps int, key rng.Key, look func() error) error {
	e := t.machine.Engine()
	kept := t.State()
	before := make([]compute.Matrix, len(kept))
	for i, p := range kept {
		before[i] = e.Alloc(p.Value.Type(), p.Value.Rows(), p.Value.Cols())
		e.Copy(before[i], p.Value)
	}
	t.Follow(m, update, steps, key)
	err := look()
	for i, p := range kept {
		e.Copy(p.Value, before[i])
	}
	return err
}

// Follow goes on to the present state of the machine, that after so many updates, by so many steps.
func (t *Tracked) Follow(m *bm.Machine, update, steps int, key rng.Key) {
	e := t.machine.Engine()
	for i, p := range m.Params() {
		e.Copy(t.next[i].Value, p.Value)
	}
	compute.Read(e, t.host, t.sums)
	if t.host[0] == 0 {
		for i, p := range t.next {
			e.Copy(t.last[i].Value, p.Value)
		}
		t.begin(&t.old, key.Fold(0))
		t.advance(&t.old, 0, 1, startSteps*steps, key.Fold(1))
		t.host[0] = 1
	} else {
		t.advance(&t.old, 1, 1, steps, key.Fold(1))
	}
	if t.host[1] == 0 {
		t.begin(&t.fresh, key.Fold(2))
	}
	stage := t.host[1]
	t.advance(&t.fresh, stage/freshStages, (stage+1)/freshStages, steps, key.Fold(3))
	if t.host[1] = math.Mod(stage+1, freshStages); t.host[1] == 0 && t.moreThan() {
		t.takeOver(key.Fold(4))
		t.host[2]++
	}
	t.host[3] = float64(update)
	compute.Write(e, t.sums, t.host)
	for i, p := range t.next {
		e.Copy(t.last[i].Value, p.Value)
	}
}

// set brings the machine to the part of the way from last to next, its couplings times scale.
func (t *Tracked) set(part, scale float64) {
	e := t.machine.Engine()
	for i, p := range t.params {
		x := scale
		if !t.coupled[i] {
			x = 1
		}
		e.Axpby(p.Value, (1-part)*x, t.last[i].Value, 0)
		e.Axpby(p.Value, part*x, t.next[i].Value, 1)
	}
}

// begin draws paths in the machine without couplings: all spins are independent there.
func (t *Tracked) begin(w *walkers, key rng.Key) {
	e, m := t.machine.Engine(), t.machine
	t.set(0, 0)
	m.Sweep(w.state, bm.Law{Key: key})
	n := len(w.rows)
	t.freeEnergies(w, t.f0[:n])
	logZ := -t.f0[0] // of the layers that are summed out, less what the others have in path 0
	for _, l := range m.View().Left {
		b, spins := make([]float32, m.Layers()[l]), make([]int8, m.Layers()[l])
		if bias := m.Bias(l).Value; !bias.IsNone() {
			compute.Read(e, b, bias)
		}
		compute.Read(e, spins, w.state[l].Slice(0, 1))
		for i, x := range b {
			logZ += compute.LogTwoCosh(float64(x)) - float64(x)*float64(spins[i])
		}
	}
	w.host[0], w.host[1] = logZ, 0
	compute.Write(e, w.sums, w.host)
	clear(w.logs)
	compute.Write(e, w.weights, w.logs)
}

func (t *Tracked) freeEnergies(w *walkers, f []float64) {
	left := make(bm.State, len(w.state))
	for _, l := range t.machine.View().Left {
		left[l] = w.state[l]
	}
	to := t.f.Slice(0, len(f))
	t.machine.Energy(to, left, bm.Law{})
	compute.Read(t.machine.Engine(), f, to)
}

// advance takes paths along the way from last to next while couplings go from one scale to another.
func (t *Tracked) advance(w *walkers, from, to float64, steps int, key rng.Key) {
	e, n := t.machine.Engine(), len(w.rows)
	compute.Read(e, w.logs, w.weights)
	compute.Read(e, w.host, w.sums)
	f0, f1 := t.f0[:n], t.f1[:n]
	t.set(0, from)
	for k := range steps {
		part := float64(k+1) / float64(steps)
		t.freeEnergies(w, f0)
		t.set(part, from+part*(to-from))
		t.freeEnergies(w, f1)
		for i := range w.logs {
			w.logs[i] += f0[i] - f1[i]
		}
		if _, variance := sampler.MeanWeight(w.logs); variance > 1 { // fewer than half of the paths are left
			w.redraw(e, key.Fold(uint64(2*k)))
		}
		t.machine.Sweep(w.state, bm.Law{Key: key.Fold(uint64(2*k + 1))})
	}
	compute.Write(e, w.weights, w.logs)
	compute.Write(e, w.sums, w.host)
}

// redraw draws the paths anew by their weights, which are then 1.
func (w *walkers) redraw(e compute.Engine, key rng.Key) {
	mean, variance := sampler.MeanWeight(w.logs)
	w.host[0] += mean
	w.host[1] += variance / float64(len(w.logs))
	sampler.Redraw(w.rows, w.logs, key)
	clear(w.logs)
	for l, x := range w.state {
		e.Gather(w.other[l], x, w.rows)
	}
	for l, x := range w.other {
		e.Copy(w.state[l], x)
	}
}

// logZ returns the estimate and its variance.
func (w *walkers) logZ(e compute.Engine) (value, variance float64) {
	compute.Read(e, w.logs, w.weights)
	compute.Read(e, w.host, w.sums)
	mean, spread := sampler.MeanWeight(w.logs)
	return w.host[0] + mean, w.host[1] + spread/float64(len(w.logs))
}

// moreThan reports whether the fresh paths have found clearly more than the old ones.
func (t *Tracked) moreThan() bool {
	e := t.machine.Engine()
	a, va := t.old.logZ(e)
	b, vb := t.fresh.logZ(e)
	return b-a > math.Log(100)+3*math.Sqrt(va+vb)
}

// takeOver draws the old paths among the fresh ones.
func (t *Tracked) takeOver(key rng.Key) {
	e := t.machine.Engine()
	compute.Read(e, t.fresh.logs, t.fresh.weights)
	compute.Read(e, t.fresh.host, t.fresh.sums)
	t.fresh.redraw(e, key)
	for i := range t.old.rows {
		t.old.rows[i] = int32(i % len(t.fresh.rows))
	}
	for l, x := range t.old.state {
		e.Gather(x, t.fresh.state[l], t.old.rows)
	}
	clear(t.old.logs)
	compute.Write(e, t.old.weights, t.old.logs)
	compute.Write(e, t.old.sums, t.fresh.host)
}

// LogZ returns the estimate in nats, its standard error, how many independent paths would be as
// certain, and how often fresh paths have found more than the others knew; ok is false before the
// first state.
func (t *Tracked) LogZ() (value, stderr, paths float64, found int, ok bool) {
	_, ok = t.At()
	value, variance := t.old.logZ(t.machine.Engine())
	return value, math.Sqrt(variance), min(1/variance, float64(len(t.old.rows))), int(t.host[2]), ok
}

// carried is for what a training carries along.
func carried(s Subject, _ Options) error {
	switch {
	case !s.Machine.SumsOut():
		return fmt.Errorf("hidden layers that meet each other do not sum out of F(v); take nll")
	case s.Tracked == nil:
		return &NoValue{"nothing carried log Z along here: name nll_tracked in the measures of a training, or take nll"}
	}
	return nil
}

// nllTracked is the mean over the rows of the set of F(v), plus log Z as weights carried along the
// training have it (see Tracked), in nats.
func nllTracked(ctx context.Context, s Subject, o Options) (Result, error) {
	z, stderr, paths, found, ok := s.Tracked.LogZ()
	if !ok {
		return Result{}, &NoValue{"log Z is not followed yet"}
	}
	set, err := s.set()
	if err != nil {
		return Result{}, err
	}
	var f freeMean
	if set.Gaps() {
		f, err = s.freeKnown(ctx, o)
	} else {
		f, err = s.meanFreeEnergy(ctx, FreeSummedOut, o.MeanField)
	}
	if err != nil {
		return Result{}, err
	}
	warnings := []string{}
	if paths < fewPaths {
		warnings = append(warnings, fmt.Sprintf("the weights of the paths have come apart, and %.1f effective ones are left: take nll", paths))
	}
	return Result{Value: f.mean + z, Stderr: math.Hypot(f.stderr, stderr), N: f.rows, Detail: map[string]any{
		"log_z": z, "log_z_stderr": stderr, "mean_free_energy": f.mean, "effective_paths": paths, "found": found, "warnings": warnings,
	}}, nil
}
