package sampler

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
)

// Tempering is parallel tempering (Hukushima and Nemoto 1996; for RBMs Desjardins et al. 2010): for
// each chain a ladder of replicas at falling inverse temperatures, all replicas of all chains moved
// as rows of one batch. After each sweep neighbouring rungs i, j exchange their temperatures, and
// the spins stay where they are, with probability
//
//	min(1, exp((b_i-b_j) (E_i-E_j)))
//
// E being that of all spins, Gaussian layers summed out, and Base.v: under a base rate the exponent
// of the Boltzmann weight is Base.v - beta (E + Base.v), and the part without beta is the same
// before and after. Even pairs (0,1), (2,3), ... and odd pairs (1,2), ... take turns from one round
// to the next, over all moves: a replica that is never refused goes straight along the ladder.
//
// The law's own Beta multiplies the ladder, so rung 0 of inverse temperature 1
// is the law itself. The joint law of all rungs stays unchanged; the chains themselves do once the
// hotter rungs are in equilibrium too.
type Tempering struct {
	machine *bm.Machine
	betas   []float64
	ladders int

	replicas bm.State       // row i*R+r is replica r of ladder i
	spins    bm.State       // the replicas without Gaussian layers
	rungs    compute.Matrix // ladders x R Float32: the rung that each replica holds
	parity   compute.Matrix // 1x1 Float32: 0 where even pairs are next, 1 where odd ones are
	beta     compute.Matrix // ladders*R x 1 Float32
	energy   compute.Matrix // ladders*R x 1 Float64
	base     compute.Matrix // ladders*R x 1 Float64

	// Host copies and lists.
	rung32, beta32 []float32
	law32          []float32 // the law's own Beta of each ladder
	parity32       []float32
	energies       []float64
	rung           []int   // of each replica
	at             []int32 // ladder i, rung r: its row
	cold           []int32 // the rows at rung 0
	owner          []int32 // the ladder of each row
	clamp          bm.State

	flow       flow
	energySum  []float64 // ladder i, rung r: of E + Base.v
	energySums int       // sweeps
}

var _ Sampler = (*Tempering)(nil)

// NewTempering returns tempering over the inverse temperatures, which fall from the first; rung 0
// is the target and 1 is usual. 0 is a good last one: there a sweep draws independent spins.
func NewTempering(m *bm.Machine, betas []float64) (*Tempering, error) {
	if err := CheckLadder(betas); err != nil {
		return nil, err
	}
	return &Tempering{machine: m, betas: append([]float64(nil), betas...), clamp: make(bm.State, len(m.Layers()))}, nil
}

// CheckLadder returns what is wrong with a ladder of inverse temperatures.
func CheckLadder(betas []float64) error {
	if len(betas) == 0 {
		return fmt.Errorf("the ladder has no temperatures; want inverse temperatures falling from 1")
	}
	for r, b := range betas {
		if !(b >= 0) || math.IsInf(b, 0) {
			return fmt.Errorf("inverse temperature %d of the ladder is %v, want a number of at least 0", r, b)
		}
		if r > 0 && b >= betas[r-1] {
			return fmt.Errorf("inverse temperature %d of the ladder is %v after %v, want falling ones", r, b, betas[r-1])
		}
	}
	return nil
}

// Betas returns the ladder, rung 0 first.
func (t *Tempering) Betas() []float64 { return append([]float64(nil), t.betas...) }

// Start makes so many ladders. All replicas of ladder i begin with the spins of row i mod the rows
// of s; what was counted and kept is gone.
func (t *Tempering) Start(s bm.State, ladders int) {
	e, r := t.machine.Engine(), len(t.betas)
	n := ladders * r
	if t.ladders != ladders {
		t.ladders = ladders
		t.replicas = Chains(t.machine, n)
		t.spins = spinsOf(t.replicas)
		t.rungs, t.parity = e.Alloc(compute.Float32, ladders, r), e.Alloc(compute.Float32, 1, 1)
		t.beta = e.Alloc(compute.Float32, n, 1)
		t.energy, t.base = e.Alloc(compute.Float64, n, 1), e.Alloc(compute.Float64, n, 1)
		t.rung32, t.beta32, t.energies = make([]float32, n), make([]float32, n), make([]float64, n)
		t.law32, t.parity32 = make([]float32, ladders), make([]float32, 1)
		t.rung, t.at, t.cold, t.owner = make([]int, n), make([]int32, n), make([]int32, ladders), make([]int32, n)
	}
	for i := range n {
		t.owner[i] = int32(i / r % s.Rows())
		t.rung32[i] = float32(i % r)
	}
	t.parity32[0] = 0
	compute.Write(e, t.parity, t.parity32)
	compute.Write(e, t.rungs, t.rung32)
	for l, m := range s {
		if !m.IsNone() {
			e.Gather(t.replicas[l], m, t.owner)
		}
	}
	for i := range n {
		t.owner[i] = int32(i / r)
	}
	t.ResetStats()
}

// ResetStats begins all counts anew.
func (t *Tempering) ResetStats() {
	n := t.ladders * len(t.betas)
	t.flow.reset(len(t.betas), n)
	t.energySum = slices.Grow(t.energySum[:0], n)[:n]
	clear(t.energySum)
	t.energySums = 0
}

// Stats returns what was counted since Start or ResetStats.
func (t *Tempering) Stats() Stats { return t.flow.stats() }

// MeanEnergies returns the mean of E(v,h) + Base.v at each rung since Start or ResetStats, in units
// of kT: minus its integral over beta is log Z (thermodynamic integration). It is NaN before the
// first round.
func (t *Tempering) MeanEnergies() []float64 {
	mean := make([]float64, len(t.betas))
	for i, x := range t.energySum {
		mean[i%len(mean)] += x / float64(t.ladders)
	}
	for r := range mean {
		mean[r] /= float64(t.energySums)
	}
	return mean
}

// SumEnergies sets dst[i*R+r] to the sum of E(v,h) + Base.v over the sweeps since Start or
// ResetStats, at rung r of R of ladder i.
func (t *Tempering) SumEnergies(dst []float64) {
	if len(dst) != len(t.energySum) {
		panic(fmt.Sprintf("sampler: %d sums of energies for %d ladders of %d rungs", len(dst), t.ladders, len(t.betas)))
	}
	copy(dst, t.energySum)
}

// State returns what a checkpoint keeps: the spins of all replicas on the left side of the data
// view, row i*R+r for replica r of ladder i (a sweep draws the others from them), the rung that
// each holds, and which pairs are next.
func (t *Tempering) State() []bm.Param {
	return append(Kept(t.machine, t.replicas), bm.Param{Name: "chains.rungs", Value: t.rungs, Divided: true}, bm.Param{Name: "chains.parity", Value: t.parity})
}

// Move puts the rows of s at rung 0, advances and copies rung 0 back. A number of rows
// that differs from the last one's starts the ladders anew, from s.
func (t *Tempering) Move(s bm.State, law bm.Law, sweeps int) {
	if s.Rows() != t.ladders {
		t.Start(s[:1], s.Rows())
	}
	e := t.machine.Engine()
	t.readRungs()
	for i, row := range t.cold {
		for _, l := range t.machine.View().Left {
			if x := s.Layer(l); !x.IsNone() {
				e.Copy(t.replicas[l].Slice(int(row), int(row)+1), x.Slice(i, i+1))
			}
		}
	}
	t.Advance(law, sweeps)
	t.Cold(s)
	if sweeps == 0 { // the replicas' hidden spins may be older than s
		t.machine.SampleRight(s, law)
	}
}

// Cold sets dst to the replicas at rung 0, in the order of the ladders.
func (t *Tempering) Cold(dst bm.State) { t.At(dst, 0) }

// At sets dst to the replicas at a rung, in the order of the ladders.
func (t *Tempering) At(dst bm.State, rung int) {
	t.readRungs()
	for i := range t.cold {
		t.cold[i] = t.at[i*len(t.betas)+rung]
	}
	for l, m := range dst {
		t.machine.Engine().Gather(m, t.replicas[l], t.cold)
	}
}

// readRungs takes the rungs from their matrix, which a checkpoint may have set.
func (t *Tempering) readRungs() {
	r := len(t.betas)
	compute.Read(t.machine.Engine(), t.rung32, t.rungs)
	for i := range t.at {
		t.at[i] = -1
	}
	for i, x := range t.rung32 {
		k := int(x)
		if float32(k) != x || k < 0 || k >= r || t.at[i/r*r+k] >= 0 {
			panic(fmt.Sprintf("sampler: the rungs %v of ladder %d are no permutation of 0 to %d", t.rung32[i/r*r:][:r], i/r, r-1))
		}
		t.rung[i] = k
		t.at[i/r*r+k] = int32(i)
	}
	for i := range t.cold {
		t.cold[i] = t.at[i*r]
	}
}

// Advance moves all replicas by so many rounds: a sweep, then exchanges.
// law has a row for each ladder.
func (t *Tempering) Advance(law bm.Law, sweeps int) {
	e, r := t.machine.Engine(), len(t.betas)
	if !law.Beta.IsNone() && law.Beta.Rows() != t.ladders {
		panic(fmt.Sprintf("sampler: inverse temperatures %v for %d ladders", law.Beta, t.ladders))
	}
	mark := e.Mark()
	t.readRungs()
	for i := range t.law32 {
		t.law32[i] = 1
	}
	if !law.Beta.IsNone() {
		compute.Read(e, t.law32, law.Beta)
	}
	inner := bm.Law{Beta: t.beta, Base: law.Base, Row: law.Row * uint64(r), Clamp: t.clampOf(law.Clamp)}
	t.writeBetas()
	compute.Read(e, t.parity32, t.parity)
	for round := range sweeps {
		if law.Stopped() {
			break
		}
		inner.Key = law.Key.Fold(uint64(round))
		t.machine.Sweep(t.replicas, inner)
		t.readEnergies(law)
		if t.exchange(inner, law.Row, int(t.parity32[0])&1) {
			t.writeBetas()
		}
		t.parity32[0] = 1 - t.parity32[0]
		t.flow.rounds++
		for i, k := range t.rung {
			t.flow.visit(i, k)
		}
	}
	for i, k := range t.rung {
		t.rung32[i] = float32(k)
	}
	compute.Write(e, t.rungs, t.rung32)
	compute.Write(e, t.parity, t.parity32)
	e.Release(mark)
}

// swapStream returns what a round's key is folded for beside the layers.
func (t *Tempering) swapStream() uint64 { return uint64(max(2, len(t.machine.Layers()))) }

// clampOf returns the clamps of the ladders as those of all replicas.
func (t *Tempering) clampOf(c bm.State) bm.State {
	any := false
	for l := range t.clamp {
		t.clamp[l] = compute.Matrix{}
		m := c.Layer(l)
		if m.IsNone() {
			continue
		}
		any = true
		if m.Stride() == 0 {
			t.clamp[l] = m.Slice(0, 1).Repeat(len(t.owner))
			continue
		}
		e := t.machine.Engine()
		t.clamp[l] = e.Scratch(compute.Int8, len(t.owner), m.Cols())
		e.Gather(t.clamp[l], m, t.owner)
	}
	if !any {
		return nil
	}
	return t.clamp
}

func (t *Tempering) writeBetas() {
	for i, k := range t.rung {
		t.beta32[i] = float32(t.betas[k]) * t.law32[i/len(t.betas)]
	}
	compute.Write(t.machine.Engine(), t.beta, t.beta32)
}

// readEnergies sets energies to E(v,h) + Base.v of each replica, and sums them by rung.
func (t *Tempering) readEnergies(law bm.Law) {
	e := t.machine.Engine()
	t.machine.Energy(t.energy, t.spins, bm.Law{})
	if !law.Base.IsNone() {
		v := t.replicas[bm.Visible]
		e.RowDot(t.energy, 1, v, law.Base.Repeat(v.Rows()))
	}
	compute.Read(e, t.energies, t.energy)
	r := len(t.betas)
	for i, k := range t.rung {
		t.energySum[i/r*r+k] += t.energies[i]
	}
	t.energySums++
}

// exchange tries the pairs of rungs from parity on, and reports whether any moved.
func (t *Tempering) exchange(law bm.Law, row uint64, parity int) (moved bool) {
	r := len(t.betas)
	key := law.Key.Fold(t.swapStream())
	for i := range t.ladders {
		at := t.at[i*r:][:r]
		for k := parity; k+1 < r; k += 2 {
			a, b := at[k], at[k+1]
			x := float64(t.beta32[a]-t.beta32[b]) * (t.energies[a] - t.energies[b])
			ok := accepts(x, key, row+uint64(i), uint64(k))
			t.flow.swap(k, math.Exp(min(0, x)), ok)
			if ok {
				at[k], at[k+1] = b, a
				t.rung[a], t.rung[b] = k+1, k
				moved = true
			}
		}
	}
	return moved
}
