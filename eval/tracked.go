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

// Tracked estimates log Z at states of a training, for a share of what the training costs. At each of
// them fresh paths go from the machine without couplings, whose log Z is known, to the state, W
// growing evenly and a sweep a step (annealed importance sampling): no error of one state is
// carried to the next, and nothing lags behind parameters that move. With the log weights
//
//	log w += F_k(s) - F_k+1(s)
//
// Where the training has chains that go on, as many paths come back from these by the reverse of the
// sweeps, and Bennett's acceptance ratio puts both together (Bennett 1976; Crooks 1999). Chains that
// are not the machine's show: log Z by the paths of one direction alone then differs from that of the
// other, and half of the difference is added to the error. Too few steps show as well: mean log weights
// of the two directions lie apart, and what is more than n paths see, ln n, adds an eighth of itself,
// which is what was measured of machines whose log Z is known from more steps. Where the paths from no couplings find
// clearly more they are believed alone: a mean weight is too large by a factor of e^t with a chance of
// at most e^-t (docs/decisions/0008-several-bases.md).
type Tracked struct {
	machine *bm.Machine
	params  []bm.Param // its
	power   []float64  // of the scale of W that each of them goes with
	state   []bm.Param // of the training
	forward walkers
	back    walkers
	sums    compute.Matrix // 1 x trackedSums Float64, see below
	host    []float64
	f       compute.Matrix // Float64, one a path
	f0, f1  []float64
}

// walkers are paths, the logarithms of their weights and the rows that they begin from.
type walkers struct {
	state, left bm.State
	logs        []float64
	rows        []int32
}

// What Tracked.sums holds.
const (
	sumBegun  = iota // whether it has begun
	sumUpdate        // the update followed to
	sumLogZ          // there
	sumVar           // its variance
	sumPaths         // the effective paths
	sumGap           // log Z by paths from no couplings less that by those from the chains
	sumAlone         // whether the former are believed alone though there are chains
	trackedSums
)

// How the paths are.
const (
	fewPaths   = 10.0 // fewer effective paths are told of
	wideGap    = 2.0  // nats between the two directions of paths that are told of
	lagShare   = 8    // see Tracked
	relaxShare = 4    // chains move by a sweep for so many steps of a path first
)

// Chains are those of a training in the state that is followed to.
type Chains struct {
	Visible compute.Matrix // the zero Matrix where there are none
	Rows    []int32        // those of its rows that count, all alike; a row that is there twice counts twice
}

// NewTracked returns the estimate by so many paths in each direction for the states of machines with
// the shape of the given one, which it makes its own. Its hidden layers have to sum out.
func NewTracked(own *bm.Machine, paths int) *Tracked {
	e := own.Engine()
	t := &Tracked{machine: own, params: own.Params(), host: make([]float64, trackedSums), sums: e.Alloc(compute.Float64, 1, trackedSums)}
	for _, p := range t.params {
		power := 0.0
		switch {
		case strings.HasPrefix(p.Name, "weights"):
			power = 1
		case strings.HasPrefix(p.Name, "patterns."): // those of two layers make W
			power = 0.5
		}
		t.power = append(t.power, power)
		t.state = append(t.state, bm.Param{Name: p.Name, Value: e.Alloc(p.Value.Type(), p.Value.Rows(), p.Value.Cols())})
	}
	for _, w := range []*walkers{&t.forward, &t.back} {
		*w = walkers{state: own.State(paths), left: make(bm.State, len(own.Layers())), logs: make([]float64, paths), rows: make([]int32, paths)}
		w.left[bm.Visible] = w.state[bm.Visible]
	}
	t.f, t.f0, t.f1 = e.Alloc(compute.Float64, paths, 1), make([]float64, paths), make([]float64, paths)
	return t
}

// TrackedName is the tensor of State that says what log Z is and where. Versions before this one kept
// other tensors and not this one.
const TrackedName = "tracked.sums"

// State returns what a checkpoint keeps.
func (t *Tracked) State() []bm.Param { return []bm.Param{{Name: TrackedName, Value: t.sums}} }

// Products returns how many products of a row with the couplings following by so many steps takes.
func (t *Tracked) Products(steps int) float64 {
	return (8 + 2./relaxShare) * float64(steps*len(t.forward.rows))
}

// At returns the update whose state was followed to; ok is false before the first.
func (t *Tracked) At() (update int, ok bool) {
	compute.Read(t.machine.Engine(), t.host, t.sums)
	return int(t.host[sumUpdate]), t.host[sumBegun] != 0
}

// Peek follows to the present state of the machine while look is called, and comes back.
func (t *Tracked) Peek(m *bm.Machine, update, steps int, chains Chains, key rng.Key, look func()) {
	e := t.machine.Engine()
	before := make([]float64, trackedSums)
	compute.Read(e, before, t.sums)
	t.Follow(m, update, steps, chains, key)
	look()
	compute.Write(e, t.sums, before)
}

// Follow goes to the present state of the machine, that after so many updates, by so many steps.
func (t *Tracked) Follow(m *bm.Machine, update, steps int, chains Chains, key rng.Key) {
	e := t.machine.Engine()
	for i, p := range m.Params() {
		e.Copy(t.state[i].Value, p.Value)
	}
	w, h := &t.forward, t.host
	h[sumBegun], h[sumUpdate], h[sumGap], h[sumAlone] = 1, float64(update), 0, 0
	base := t.begin(key.Fold(0))
	t.walk(w, 0, 1, steps, key.Fold(1))
	up := weigh(w.logs)
	mean := 0.0
	for _, l := range w.logs {
		mean += l / float64(len(w.logs))
	}
	// Where the logarithms are normal, the log of the mean weight is this far above their mean: what
	// the paths lack of it they may have missed.
	lacks := mean + up.logVar/2 - up.logMean
	h[sumLogZ], h[sumVar], h[sumPaths] = base+up.logMean, up.stderr*up.stderr+lacks*lacks, up.ess
	t.comeBack(base, up, steps, chains, key)
	compute.Write(e, t.sums, h)
}

// comeBack puts log Z together with that of paths back from the chains. Where there are none paths come
// back from the ends of the others: they have no say in log Z, and show what it may lack.
func (t *Tracked) comeBack(base float64, up weighed, steps int, chains Chains, key rng.Key) {
	b, h, ends := &t.back, t.host, chains.Visible
	if ends.IsNone() {
		sampler.Redraw(b.rows, t.forward.logs, key.Fold(4))
		ends = t.forward.state[bm.Visible]
	} else {
		evenly(b.rows, chains.Rows)
	}
	t.machine.Engine().Gather(b.state[bm.Visible], ends, b.rows)
	t.set(1)
	for k := range max(1, steps/relaxShare) {
		t.machine.Sweep(b.state, bm.Law{Key: key.Fold(2).Fold(uint64(k))})
	}
	t.walk(b, 1, 0, steps, key.Fold(3))
	down := weigh(b.logs)
	for i := range b.logs {
		b.logs[i] = -b.logs[i]
	}
	var apart, n = 0.0, float64(len(b.logs))
	for i, l := range b.logs {
		apart += (l - t.forward.logs[i]) / n
	}
	lag := max(0, apart-math.Log(n)) / lagShare
	if chains.Visible.IsNone() {
		h[sumVar] += lag * lag
		return
	}
	worth := float64(different(b.rows)) / n // independent chains a path
	gap := up.logMean + down.logMean
	h[sumGap] = gap
	if gap > math.Log(100)+3*math.Hypot(up.stderr, down.stderr/math.Sqrt(worth)) {
		h[sumAlone] = 1
		h[sumVar] += lag * lag
		return
	}
	both := bennett(t.forward.logs, b.logs)
	h[sumLogZ], h[sumVar], h[sumPaths] = base+both.d, both.stderr*both.stderr/worth+gap*gap/4+lag*lag, both.ess*worth
}

// evenly sets dst to rows of src from all of it, each as often as any other or once more.
func evenly(dst, src []int32) {
	for i := range dst {
		dst[i] = src[i*len(src)/len(dst)]
	}
}

// different returns how many different rows there are.
func different(rows []int32) int {
	return len(slices.Compact(slices.Sorted(slices.Values(rows))))
}

// set brings the machine to the state with W times scale.
func (t *Tracked) set(scale float64) {
	for i, p := range t.params {
		t.machine.Engine().Axpby(p.Value, math.Pow(scale, t.power[i]), t.state[i].Value, 0)
	}
}

// begin draws the paths without couplings, where all spins are independent, and returns log Z there.
func (t *Tracked) begin(key rng.Key) (logZ float64) {
	e, m, w := t.machine.Engine(), t.machine, &t.forward
	t.set(0)
	sampler.Randomize(m, w.state, bm.Law{})
	m.Sweep(w.state, bm.Law{Key: key})
	t.freeEnergies(w, t.f0)
	logZ = -t.f0[0] // of the hidden layers, less what the visible one has in path 0
	n := m.Layers()[bm.Visible]
	b, spins := make([]float32, n), make([]int8, n)
	if bias := m.Bias(bm.Visible).Value; !bias.IsNone() {
		compute.Read(e, b, bias)
	}
	compute.Read(e, spins, w.state[bm.Visible].Slice(0, 1))
	for i, x := range b {
		logZ += compute.LogTwoCosh(float64(x)) - float64(x)*float64(spins[i])
	}
	return logZ
}

func (t *Tracked) freeEnergies(w *walkers, f []float64) {
	t.machine.Energy(t.f, w.left, bm.Law{})
	compute.Read(t.machine.Engine(), f, t.f)
}

// walk takes paths from one scale of the couplings to another. Those forward move after the couplings
// have, those back before, by the reverse of these sweeps: so each is the other's reverse.
func (t *Tracked) walk(w *walkers, from, to float64, steps int, key rng.Key) {
	back := to < from
	clear(w.logs)
	for k := range steps {
		sweep := bm.Law{Key: key.Fold(uint64(k)), Back: back}
		if back {
			t.machine.Sweep(w.state, sweep)
		}
		t.freeEnergies(w, t.f0)
		t.set(from + (to-from)*float64(k+1)/float64(steps))
		t.freeEnergies(w, t.f1)
		for i := range w.logs {
			w.logs[i] += t.f0[i] - t.f1[i]
		}
		if !back {
			t.machine.Sweep(w.state, sweep)
		}
	}
}

// LogZ returns the estimate in nats, its standard error and how many effective paths it has; ok is
// false before the first state.
func (t *Tracked) LogZ() (value, stderr, paths float64, ok bool) {
	_, ok = t.At()
	return t.host[sumLogZ], math.Sqrt(t.host[sumVar]), t.host[sumPaths], ok
}

// along is for what is estimated along a training.
func along(s Subject, _ Options) error {
	switch {
	case !s.Machine.SumsOut():
		return fmt.Errorf("hidden layers that meet each other do not sum out of F(v); take nll")
	case s.Tracked == nil:
		return &NoValue{"log Z was not estimated along a training here: name nll_tracked in the measures of one, or take nll"}
	}
	return nil
}

// nllTracked is the mean over the rows of the set of F(v), plus log Z as it is estimated along the
// training (see Tracked), in nats.
func nllTracked(ctx context.Context, s Subject, o Options) (Result, error) {
	z, stderr, paths, ok := s.Tracked.LogZ()
	if !ok {
		return Result{}, &NoValue{"log Z is not estimated yet"}
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
	gap := s.Tracked.host[sumGap]
	if math.Abs(gap) > wideGap {
		than := "more"
		if gap < 0 {
			than = "less"
		}
		warnings = append(warnings, fmt.Sprintf("paths from no couplings say %.2g nats %s of log Z than paths back from the chains: these are not in equilibrium, or the paths too few; nll tells more", math.Abs(gap), than))
	}
	return Result{Value: f.mean + z, Stderr: math.Hypot(f.stderr, stderr), N: f.rows, Detail: map[string]any{
		"log_z": z, "log_z_stderr": stderr, "mean_free_energy": f.mean, "effective_paths": paths, "gap": gap, "alone": s.Tracked.host[sumAlone] != 0, "warnings": warnings,
	}}, nil
}
