package sampler

import (
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// Schedule gives the inverse temperature at a share of the way in (0,1]; 1 is the last sweep.
type Schedule func(share float64) float64

// Linear returns the schedule that goes from one inverse temperature to another in equal steps.
func Linear(from, to float64) Schedule {
	return func(share float64) float64 { return from + share*(to-from) }
}

// Geometric returns the schedule whose steps have equal ratios. Both ends have to be positive.
func Geometric(from, to float64) Schedule {
	if !(from > 0 && to > 0) {
		panic(fmt.Sprintf("sampler: geometric schedule from %v to %v, want positive inverse temperatures", from, to))
	}
	return func(share float64) float64 { return from * math.Pow(to/from, share) }
}

// Annealing is simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983):
// sweeps from random spins while the temperature falls. It is a heuristic: the chains
// end near the law if they cool slowly enough, and no number of sweeps says so.
type Annealing struct {
	machine  *bm.Machine
	schedule Schedule
	beta     compute.Matrix // Bx1 Float32
	law, now []float32
}

var _ Sampler = (*Annealing)(nil)

// NewAnnealing returns annealing along the schedule; the law's own Beta multiplies it.
func NewAnnealing(m *bm.Machine, schedule Schedule) *Annealing {
	return &Annealing{machine: m, schedule: schedule}
}

// Move starts all rows of s from fair coins, clamped spins aside, and cools
// them in so many sweeps.
func (a *Annealing) Move(s bm.State, law bm.Law, sweeps int) {
	e, rows := a.machine.Engine(), s.Rows()
	if len(a.now) != rows {
		a.beta = e.Alloc(compute.Float32, rows, 1)
		a.law, a.now = make([]float32, rows), make([]float32, rows)
	}
	for i := range a.law {
		a.law[i] = 1
	}
	if !law.Beta.IsNone() {
		compute.Read(e, a.law, law.Beta)
	}
	start := law
	start.Key = law.Key.Fold(startStream)
	Randomize(a.machine, s, start)
	for _, l := range a.machine.View().Left {
		overlay(e, s[l], law.Clamp.Layer(l))
	}
	inner := law
	inner.Beta = a.beta
	for i := range sweeps {
		if law.Stopped() {
			return
		}
		b := float32(a.schedule(float64(i+1) / float64(sweeps)))
		for j, x := range a.law {
			a.now[j] = b * x
		}
		compute.Write(e, a.beta, a.now)
		inner.Key = law.Key.Fold(uint64(i))
		a.machine.Sweep(s, inner)
	}
	if sweeps == 0 {
		a.machine.SampleRight(s, law)
	}
}

// startStream is the key that a move's key is folded for beside its sweeps.
const startStream uint64 = math.MaxUint64 - 1

// overlay sets the spins of m to those of clamp that are not 0.
func overlay(e compute.Engine, m, clamp compute.Matrix) {
	if clamp.IsNone() {
		return
	}
	spins, fixed := make([]int8, m.Len()), make([]int8, m.Len())
	compute.Read(e, spins, m)
	compute.Read(e, fixed, clamp)
	for i, c := range fixed {
		if c != 0 {
			spins[i] = c
		}
	}
	compute.Write(e, m, spins)
}

// Search says how a ground state is looked for.
type Search struct {
	Chains   int      // 0 means 64
	Sweeps   int      // 0 means 200
	Schedule Schedule // nil: geometric from 1/1000 to 100 times the machine's own inverse temperature
	Clamp    bm.State // per layer: none, or one row of spins that stay, 0 where they are free
	Key      rng.Key
}

// Ground is a configuration of low energy.
type Ground struct {
	Energy  float64  // E in kT, Gaussian layers at their lowest
	Layers  [][]int8 // spins of each layer; nil of Gaussian ones
	Chains  int      // that ended at this energy, within 1e-6 of it
	Settled int      // chains in which no spin would flip any more at zero temperature; the others were cut off
}

// GroundState returns the best configuration that annealed chains end in after
// a descent at zero temperature (see Descend), until no spin flips. The
// energy is a bound from above; whether it is the least, only an exact sum can say.
func GroundState(m *bm.Machine, o Search) Ground {
	if o.Chains <= 0 {
		o.Chains = 64
	}
	if o.Sweeps <= 0 {
		o.Sweeps = 200
	}
	if o.Schedule == nil {
		o.Schedule = Geometric(1e-3, 100)
	}
	law := bm.Law{Key: o.Key}
	for l := range o.Clamp {
		if c := o.Clamp[l]; !c.IsNone() {
			if law.Clamp == nil {
				law.Clamp = make(bm.State, len(m.Layers()))
			}
			law.Clamp[l] = c.Slice(0, 1).Repeat(o.Chains)
		}
	}
	e := m.Engine()
	s := Chains(m, o.Chains)
	NewAnnealing(m, o.Schedule).Move(s, law, o.Sweeps)
	_, settled := Descend(m, s, law, MostDescents)
	g := Ground{Settled: settled}
	energy := e.Alloc(compute.Float64, o.Chains, 1)
	m.Energy(energy, spinsOf(s), bm.Law{})
	energies := make([]float64, o.Chains)
	compute.Read(e, energies, energy)
	best := 0
	for i, x := range energies {
		if x < energies[best] {
			best = i
		}
	}
	g.Energy = energies[best]
	for _, x := range energies {
		if x-g.Energy <= 1e-6*math.Abs(g.Energy) {
			g.Chains++
		}
	}
	g.Layers = make([][]int8, len(s))
	for l, x := range s {
		if x.Type() == compute.Int8 {
			g.Layers[l] = make([]int8, x.Cols())
			compute.Read(e, g.Layers[l], x.Slice(best, best+1))
		}
	}
	return g
}

// spinsOf returns s without its Gaussian layers: Energy sums these out, which leaves the spins the
// energy at their lowest.
func spinsOf(s bm.State) bm.State {
	for l, x := range s {
		if x.Type() == compute.Float32 {
			s = append(bm.State(nil), s...)
			s[l] = compute.Matrix{}
		}
	}
	return s
}
