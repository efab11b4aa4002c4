package sampler

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
)

// Trajectory is tempering over the states of one machine in the course of its training (Béreux et
// al. 2024, arXiv:2405.15376): each rung is a machine of its own, and after each sweep neighbouring
// rungs a, b exchange the spins on the left side of the data view, in a restricted machine v_a and
// v_b, with probability
//
//	min(1, exp(F_a(v_a) + F_b(v_b) - F_a(v_b) - F_b(v_a)))
//
// The others are summed over in it, which accepts more often than their energies do, and drawn anew
// afterwards. Early machines are nearly paramagnetic and mix at once; where training changes the
// distribution smoothly, as few rungs carry states to the last machine as a ladder of temperatures
// would need many for.
type Trajectory struct {
	// Odd says that the pairs of rungs (1,2), (3,4), ... are tried next, and not (0,1), (2,3), ...
	Odd bool

	rungs []rung // rung 0 is the target
	rows  int    // of a rung

	states, other bm.State       // the left layers, rows of rung 0 first
	at            []bm.State     // of each rung its part of states
	sweep         bm.State       // of a sweep: a rung's rows, and scratch for the others
	zero          compute.Matrix // rows x 1 Float32, inverse temperature 0
	replica       []int          // of each row of states
	from          []int32
	f             [4][]float64
	flow          flow
}

var _ Sampler = (*Trajectory)(nil)

// rung is a machine, or with free one at inverse temperature 0.
type rung struct {
	machine *bm.Machine
	free    bool
}

// NewTrajectory returns tempering over machines of equal shape on one engine,
// in the order of training; the last one is the target. independent adds a rung before the
// first machine that draws each state anew from the law's Base, or from fair coins.
func NewTrajectory(machines []*bm.Machine, independent bool) (*Trajectory, error) {
	if len(machines) == 0 {
		return nil, fmt.Errorf("trajectory tempering has no machines")
	}
	t := &Trajectory{}
	target := machines[len(machines)-1]
	for i, m := range slices.Backward(machines) {
		if !slices.Equal(m.Layers(), target.Layers()) {
			return nil, fmt.Errorf("machine %d of the trajectory has %v spins, the last one %v", i, m.Layers(), target.Layers())
		}
		if !slices.Equal(m.Graph().Pairs, target.Graph().Pairs) {
			return nil, fmt.Errorf("machine %d of the trajectory has other pairs than the last one", i)
		}
		if m.Engine() != target.Engine() {
			return nil, fmt.Errorf("machine %d of the trajectory is on another engine than the last one", i)
		}
		t.rungs = append(t.rungs, rung{machine: m})
	}
	if independent {
		t.rungs = append(t.rungs, rung{machine: machines[0], free: true})
	}
	return t, nil
}

// Rungs returns their number.
func (t *Trajectory) Rungs() int { return len(t.rungs) }

// Earlier sets the machines before the target, the oldest first, of equal shape and on its engine; the
// target and an independent rung stay. Replicas stay where they are, rung by rung, and what was counted
// is gone. There has to be room for them (see Room).
func (t *Trajectory) Earlier(machines []*bm.Machine) {
	last := t.rungs[len(t.rungs)-1]
	t.rungs = t.rungs[:1]
	for _, m := range slices.Backward(machines) {
		t.rungs = append(t.rungs, rung{machine: m})
	}
	if last.free {
		t.rungs = append(t.rungs, last)
	}
	for i := range t.replica {
		t.replica[i] = i
	}
	t.ResetStats()
}

// Stats returns what was counted since the first Move or ResetStats. Rung 0 is the last machine.
func (t *Trajectory) Stats() Stats { return t.flow.stats() }

// Swap is Stats().Swaps[pair] alone, of rungs (pair, pair+1).
func (t *Trajectory) Swap(pair int) SwapRate { return t.flow.rate(pair) }

// ResetStats begins all counts anew.
func (t *Trajectory) ResetStats() { t.flow.reset(len(t.rungs), len(t.rungs)*t.rows) }

func (t *Trajectory) engine() compute.Engine { return t.rungs[0].machine.Engine() }

// Room makes room for so many rungs of as many chains each, all spins 0: at least for those there are.
func (t *Trajectory) Room(rungs, chains int) {
	e, n := t.engine(), rungs*chains
	t.rows = chains
	m := t.rungs[0].machine
	t.states, t.other, t.sweep = make(bm.State, len(m.Layers())), make(bm.State, len(m.Layers())), make(bm.State, len(m.Layers()))
	for _, l := range m.View().Left {
		t.states[l], t.other[l] = e.Alloc(m.TypeOf(l), n, m.Layers()[l]), e.Alloc(m.TypeOf(l), n, m.Layers()[l])
	}
	for _, l := range m.View().Right {
		t.sweep[l] = e.Alloc(m.TypeOf(l), t.rows, m.Layers()[l])
	}
	t.at = make([]bm.State, rungs)
	for r := range t.at {
		t.at[r] = t.states.Slice(r*chains, (r+1)*chains)
	}
	t.rungs = slices.Grow(t.rungs, rungs-len(t.rungs))
	t.zero = e.Alloc(compute.Float32, t.rows, 1)
	t.replica, t.from = make([]int, n), make([]int32, n)
	for i := range t.f {
		t.f[i] = make([]float64, t.rows)
	}
	for i := range t.replica {
		t.replica[i] = i
	}
	t.Odd = false
	t.flow = newFlow(rungs, n)
	t.ResetStats()
}

// Start makes a replica of each row of s at every rung; layers that s lacks begin with 0.
func (t *Trajectory) Start(s bm.State) {
	t.Room(len(t.rungs), s.Rows())
	for r := range t.rungs {
		t.Put(r, s)
	}
}

// Put sets the replicas at a rung to the rows of s, as far as it has their layers.
func (t *Trajectory) Put(rung int, s bm.State) {
	for l, x := range t.at[rung] {
		if from := s.Layer(l); !x.IsNone() && !from.IsNone() {
			t.engine().Copy(x, from)
		}
	}
}

// At returns the spins on the left side of the data view at a rung, which the next Move changes.
func (t *Trajectory) At(rung int) bm.State { return t.at[rung] }

// All returns those of all rungs that there is room for, rung after rung.
func (t *Trajectory) All() bm.State { return t.states }

// of returns the law at a rung.
func (t *Trajectory) of(rung int, law bm.Law) bm.Law {
	if t.rungs[rung].free {
		law.Beta = t.zero
	}
	return law
}

// Move puts the rows of s at rung 0, the last machine, moves all rungs by so many rounds, a sweep
// and an exchange each, and copies rung 0 back. A number of rows that differs from the last one's
// starts all rungs anew, from s.
func (t *Trajectory) Move(s bm.State, law bm.Law, sweeps int) {
	if s.Rows() != t.rows {
		t.Start(s)
	}
	e := t.engine()
	t.Put(0, s)
	for round := range sweeps {
		if law.Stopped() {
			break
		}
		key := law.Key.Fold(uint64(round))
		for r := range t.rungs {
			inner := t.of(r, law)
			inner.Key = key.Fold(uint64(r))
			for l, x := range t.at[r] {
				if !x.IsNone() {
					t.sweep[l] = x
				}
			}
			t.rungs[r].machine.Sweep(t.sweep, inner)
		}
		inner := law
		inner.Key = key.Fold(trajectoryStream)
		first := 0
		if t.Odd {
			first = 1
		}
		t.exchange(inner, first)
		t.Odd = !t.Odd
		t.flow.rounds++
		for i, k := range t.replica[:len(t.rungs)*t.rows] {
			t.flow.visit(k, i/t.rows)
		}
	}
	for l, x := range t.at[0] {
		if !x.IsNone() {
			e.Copy(s[l], x)
		}
	}
	law.Key = law.Key.Fold(startStream)
	t.rungs[0].machine.SampleRight(s, law)
}

// trajectoryStream is the key that a round's key is folded for beside the rungs.
const trajectoryStream uint64 = math.MaxUint64

// Chance returns the mean probability of an exchange between two rungs, neighbours or not, where
// their replicas are.
func (t *Trajectory) Chance(a, b int, law bm.Law) float64 {
	var sum float64
	for _, x := range t.ratios(a, b, law) {
		sum += math.Exp(min(0, x))
	}
	return sum / float64(t.rows)
}

// ratios returns the logarithm of the ratio of the probabilities of the two rungs' replicas after and
// before an exchange, row by row; valid until the next call.
func (t *Trajectory) ratios(a, b int, law bm.Law) []float64 {
	for i, c := range [...]struct{ machine, state int }{{a, a}, {b, b}, {a, b}, {b, a}} {
		freeEnergies(t.rungs[c.machine].machine, t.f[i], t.at[c.state], t.of(c.machine, law))
	}
	x := t.f[0]
	for i := range x {
		x[i] = x[i] + t.f[1][i] - t.f[2][i] - t.f[3][i]
	}
	return x
}

// exchange tries the pairs of rungs from parity on.
func (t *Trajectory) exchange(law bm.Law, parity int) {
	e, n := t.engine(), len(t.rungs)*t.rows
	from := t.from[:n]
	for i := range from {
		from[i] = int32(i)
	}
	moved := false
	for a := parity; a+1 < len(t.rungs); a += 2 {
		for i, x := range t.ratios(a, a+1, law) {
			ok := accepts(x, law.Key, law.Row+uint64(i), uint64(a))
			t.flow.swap(a, math.Exp(min(0, x)), ok)
			if ok {
				p, q := a*t.rows+i, (a+1)*t.rows+i
				from[p], from[q] = from[q], from[p]
				t.replica[p], t.replica[q] = t.replica[q], t.replica[p]
				moved = true
			}
		}
	}
	if !moved {
		return
	}
	for l, x := range t.states {
		if !x.IsNone() {
			y := t.other[l].Slice(0, n)
			e.Gather(y, x, from)
			e.Copy(x.Slice(0, n), y)
		}
	}
}
