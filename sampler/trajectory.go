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
	rungs []rung // rung 0 is the target
	rows  int

	states, other bm.State       // rungs*rows of the left layers: rows of rung 0 first
	sweep         bm.State       // of a sweep: a rung's rows, and scratch for the others
	zero          compute.Matrix // rows x 1 Float32, inverse temperature 0
	replica       []int          // of each row of states
	from          []int32
	f             [4][]float64
	parity        int // 0 where even pairs are next, 1 where odd ones are
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

// Stats returns what was counted since the first Move or ResetStats. Rung 0 is the last machine.
func (t *Trajectory) Stats() Stats { return t.flow.stats() }

// ResetStats begins all counts anew.
func (t *Trajectory) ResetStats() { t.flow = newFlow(len(t.rungs), len(t.rungs)*t.rows) }

func (t *Trajectory) engine() compute.Engine { return t.rungs[0].machine.Engine() }

// Start makes a replica of each row of s at every rung; layers that s lacks begin with 0.
func (t *Trajectory) Start(s bm.State) {
	e, n := t.engine(), s.Rows()*len(t.rungs)
	t.rows = s.Rows()
	m := t.rungs[0].machine
	t.states, t.other, t.sweep = m.State(n), m.State(n), m.State(t.rows)
	for _, l := range m.View().Right {
		t.states[l], t.other[l] = compute.Matrix{}, compute.Matrix{}
	}
	t.zero = e.Alloc(compute.Float32, t.rows, 1)
	t.replica, t.from = make([]int, n), make([]int32, n)
	for i := range t.f {
		t.f[i] = make([]float64, t.rows)
	}
	for r := range t.rungs {
		t.put(r, s)
	}
	for i := range t.replica {
		t.replica[i] = i
	}
	t.parity = 0
	t.ResetStats()
}

// put sets the states at a rung to those of s, as far as it has their layers.
func (t *Trajectory) put(rung int, s bm.State) {
	for l, x := range t.At(rung) {
		if from := s.Layer(l); !x.IsNone() && !from.IsNone() {
			t.engine().Copy(x, from)
		}
	}
}

// At returns the spins on the left side of the data view at a rung, valid until the next Move.
func (t *Trajectory) At(rung int) bm.State {
	return t.states.Slice(rung*t.rows, (rung+1)*t.rows)
}

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
	t.put(0, s)
	for round := range sweeps {
		if law.Stopped() {
			break
		}
		key := law.Key.Fold(uint64(round))
		for r := range t.rungs {
			inner := t.of(r, law)
			inner.Key = key.Fold(uint64(r))
			for l, x := range t.At(r) {
				if !x.IsNone() {
					t.sweep[l] = x
				}
			}
			t.rungs[r].machine.Sweep(t.sweep, inner)
		}
		inner := law
		inner.Key = key.Fold(trajectoryStream)
		t.exchange(inner, t.parity)
		t.parity = 1 - t.parity
		t.flow.rounds++
		for i, k := range t.replica {
			t.flow.visit(k, i/t.rows)
		}
	}
	for l, x := range t.At(0) {
		if !x.IsNone() {
			e.Copy(s[l], x)
		}
	}
	law.Key = law.Key.Fold(startStream)
	t.rungs[0].machine.SampleRight(s, law)
}

// trajectoryStream is the key that a round's key is folded for beside the rungs.
const trajectoryStream uint64 = math.MaxUint64

// exchange tries the pairs of rungs from parity on.
func (t *Trajectory) exchange(law bm.Law, parity int) {
	e := t.engine()
	for i := range t.from {
		t.from[i] = int32(i)
	}
	moved := false
	for a := parity; a+1 < len(t.rungs); a += 2 {
		b := a + 1
		for i, c := range [...]struct{ machine, state int }{{a, a}, {b, b}, {a, b}, {b, a}} {
			freeEnergies(t.rungs[c.machine].machine, t.f[i], t.At(c.state), t.of(c.machine, law))
		}
		for i := range t.rows {
			x := t.f[0][i] + t.f[1][i] - t.f[2][i] - t.f[3][i]
			ok := accepts(x, law.Key, law.Row+uint64(i), uint64(a))
			t.flow.swap(a, math.Exp(min(0, x)), ok)
			if ok {
				p, q := a*t.rows+i, b*t.rows+i
				t.from[p], t.from[q] = t.from[q], t.from[p]
				t.replica[p], t.replica[q] = t.replica[q], t.replica[p]
				moved = true
			}
		}
	}
	if moved {
		for l, x := range t.states {
			if !x.IsNone() {
				e.Gather(t.other[l], x, t.from)
			}
		}
		t.states, t.other = t.other, t.states
	}
}
