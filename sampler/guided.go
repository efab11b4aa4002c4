package sampler

import (
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// Round says what one round of Guided is made of, in this order. A count of 0 leaves a move out.
type Round struct {
	Gibbs    int // sweeps
	Mixture  int // proposals from the mixture of product distributions round the patterns and their negatives
	Exchange int // proposals v -> v o xi_k o xi_l with two patterns drawn at random
	Flip     int // proposals v -> -v
}

// Guided moves the visible spins of a machine with axons by Metropolis steps that its K patterns
// guide, alone or between Gibbs sweeps. The target is the marginal law of v, exp(-F(v)), under the
// law's Beta and Base; hidden spins are drawn given v at the end. All steps are exact:
//
//   - Mixture proposes v' from a density q that does not depend on v, and accepts
//     with min(1, exp(F(v)-F(v')) q(v)/q(v')). Given clamped spins it proposes from q's conditional
//     law, whose normalisation is the same for v and v'.
//   - Exchange multiplies v spin by spin with the signs of two patterns, which moves one pattern onto the
//     other. Doing it twice is doing nothing, so it accepts with min(1, exp(F(v)-F(v'))).
//   - Flip is v -> -v, always accepted where F(v) = F(-v).
//
// Exchange and Flip leave clamped spins out: on the free ones they are involutions all the same.
type Guided struct {
	machine *bm.Machine
	axons   *bm.Axons
	round   Round
	stats   GuidedStats
	held    map[float32]*mixture // by inverse temperature, after Hold
}

var _ Sampler = (*Guided)(nil)

// GuidedStats counts the proposals of each kind, over all rows.
type GuidedStats struct{ Mixture, Exchange, Flip Proposals }

// Proposals counts the proposals of one kind.
type Proposals struct{ Tried, Accepted int }

// Rate returns the accepted share, 0 without proposals.
func (p Proposals) Rate() float64 {
	if p.Tried == 0 {
		return 0
	}
	return float64(p.Accepted) / float64(p.Tried)
}

// NewGuided returns guided moves by such rounds, or an error if the machine has no
// patterns to be guided by.
func NewGuided(r *bm.Machine, round Round) (*Guided, error) {
	a, ok := r.Couplings().(*bm.Axons)
	if !ok {
		return nil, fmt.Errorf("guided moves read the patterns of axons, and the couplings are dense; convert them or take tempering")
	}
	if !r.SumsOut() {
		return nil, fmt.Errorf("guided moves need hidden layers that sum out given the visible one; take tempering")
	}
	if min(round.Gibbs, round.Mixture, round.Exchange, round.Flip) < 0 || round == (Round{}) {
		return nil, fmt.Errorf("a round of guided moves is %+v, want counts of at least 0 and one above", round)
	}
	return &Guided{machine: r, axons: a, round: round}, nil
}

// Stats returns what was counted since the start or ResetStats.
func (g *Guided) Stats() GuidedStats { return g.stats }

// ResetStats begins all counts anew.
func (g *Guided) ResetStats() { g.stats = GuidedStats{} }

// Hold keeps the mixtures that moves make, so that many short moves cost no more than a long one.
// It is for a machine whose parameters stay as they are, and for laws of one Base.
func (g *Guided) Hold() { g.held = map[float32]*mixture{} }

// mostMixtures bounds the temperatures that have a mixture of their own; rows at others propose
// from the nearest one.
const mostMixtures = 16

// guidedMove is one call of Move.
type guidedMove struct {
	*Guided
	law      bm.Law
	rows, v  int
	spins    []int8 // rows x V
	proposed []int8
	on       compute.Matrix // the proposed rows on the engine
	free     []float64      // F of spins
	next     []float64      // F of proposed
	clamp    []int8         // rows x V, V for all rows, or nil
	signs    []int8         // K x V

	mixtures []*mixture
	of       []int       // the mixture of each row
	weights  [][]float64 // log weights of each row, given its clamp

	density, nextDensity []float64 // log q of spins and of proposed
	known, dense         bool      // free, and density, belong to spins
}

// Move moves the rows by so many rounds. The patterns are read at its start. Rows
// with a spin of 0, an unknown one, get a Gibbs sweep before the first round.
func (g *Guided) Move(s bm.State, law bm.Law, sweeps int) {
	e := g.machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	visible := s[bm.Visible]
	m := &guidedMove{Guided: g, law: law, rows: visible.Rows(), v: visible.Cols()}
	m.spins, m.proposed = make([]int8, visible.Len()), make([]int8, visible.Len())
	m.free, m.next = make([]float64, m.rows), make([]float64, m.rows)
	m.on = e.Scratch(compute.Int8, m.rows, m.v)
	overlay(e, visible, law.Clamp.Layer(bm.Visible))
	compute.Read(e, m.spins, visible)
	if slices.Contains(m.spins, 0) {
		start := law
		start.Key = law.Key.Fold(startStream)
		g.machine.Sweep(s, start)
		compute.Read(e, m.spins, visible)
	}
	if c := law.Clamp.Layer(bm.Visible); !c.IsNone() {
		if c.Stride() == 0 {
			c = c.Slice(0, 1)
		}
		m.clamp = make([]int8, c.Len())
		compute.Read(e, m.clamp, c)
	}
	m.readSigns()
	if g.round.Mixture > 0 && sweeps > 0 {
		m.makeMixtures()
	}
	inner := law
	for i := range sweeps {
		if law.Stopped() {
			return
		}
		key := law.Key.Fold(uint64(i))
		if g.round.Gibbs > 0 {
			compute.Write(e, visible, m.spins)
			for j := range g.round.Gibbs {
				inner.Key = key.Fold(gibbsStream).Fold(uint64(j))
				g.machine.Sweep(s, inner)
			}
			compute.Read(e, m.spins, visible)
			m.known = false
		}
		for j := range g.round.Mixture {
			m.step(&g.stats.Mixture, key.Fold(mixtureStream).Fold(uint64(j)), m.fromMixture, true)
		}
		for j := range g.round.Exchange {
			if len(m.signs) > m.v { // two patterns at least
				m.step(&g.stats.Exchange, key.Fold(exchangeStream).Fold(uint64(j)), m.exchanged, false)
			}
		}
		for j := range g.round.Flip {
			m.step(&g.stats.Flip, key.Fold(flipStream).Fold(uint64(j)), m.flipped, false)
		}
	}
	compute.Write(e, visible, m.spins)
	inner.Key = law.Key.Fold(endStream)
	g.machine.SampleRight(s, inner)
}

// The keys that a round's key is folded for, and the move's for its end.
const (
	gibbsStream uint64 = iota
	mixtureStream
	exchangeStream
	flipStream
	endStream uint64 = math.MaxUint64
)

func (m *guidedMove) readSigns() {
	v := m.axons.Patterns(bm.Visible)
	x := make([]float32, v.Value.Len())
	compute.Read(m.machine.Engine(), x, v.Value)
	m.signs = make([]int8, len(x))
	for i, y := range x {
		m.signs[i] = 1
		if y < 0 {
			m.signs[i] = -1
		}
	}
}

// clampOf returns the clamped spins of a row, or nil.
func (m *guidedMove) clampOf(row int) []int8 {
	switch {
	case m.clamp == nil:
		return nil
	case len(m.clamp) == m.v:
		return m.clamp
	}
	return m.clamp[row*m.v:][:m.v]
}

// makeMixtures builds a mixture for each temperature of the rows, and the weights given their
// clamps.
func (m *guidedMove) makeMixtures() {
	betas := make([]float32, m.rows)
	for i := range betas {
		betas[i] = 1
	}
	if !m.law.Beta.IsNone() {
		compute.Read(m.machine.Engine(), betas, m.law.Beta)
	}
	different := slices.Compact(slices.Sorted(slices.Values(betas)))
	if n := len(different); n > mostMixtures {
		few := make([]float32, mostMixtures)
		for i := range few {
			few[i] = different[i*(n-1)/(mostMixtures-1)]
		}
		different = few
	}
	for _, b := range different {
		q := m.held[b]
		if q == nil {
			q = newMixture(m.machine, m.signs, b, m.law.Base, m.held != nil)
		}
		if m.held != nil {
			m.held[b] = q
		}
		m.mixtures = append(m.mixtures, q)
	}
	m.of, m.density, m.nextDensity = make([]int, m.rows), make([]float64, m.rows), make([]float64, m.rows)
	for i, b := range betas {
		for k, x := range different {
			if math.Abs(float64(x-b)) < math.Abs(float64(different[m.of[i]]-b)) {
				m.of[i] = k
			}
		}
	}
	m.weights = make([][]float64, m.rows)
	shared := make([][]float64, len(m.mixtures)) // where all rows have one clamp
	for i := range m.weights {
		k := m.of[i]
		w := shared[k]
		if w == nil || len(m.clamp) > m.v {
			w = make([]float64, len(m.mixtures[k].logs))
			m.mixtures[k].conditioned(w, m.clampOf(i))
			shared[k] = w
		}
		m.weights[i] = w
	}
}

// step is one Metropolis step of all rows: propose sets proposed. Proposals that are mixed, drawn
// from the mixture, have log q(v)/q(v') in the logarithm of their acceptance ratio.
func (m *guidedMove) step(count *Proposals, key rng.Key, propose func(key rng.Key), mixed bool) {
	e := m.machine.Engine()
	if !m.known {
		compute.Write(e, m.on, m.spins)
		freeEnergies(m.machine, m.free, bm.State{m.on}, m.law)
		m.known, m.dense = true, false
	}
	propose(key.Fold(0))
	compute.Write(e, m.on, m.proposed)
	freeEnergies(m.machine, m.next, bm.State{m.on}, m.law)
	logs := make([]float64, m.rows)
	for i := range logs {
		logs[i] = m.free[i] - m.next[i]
	}
	if mixed {
		if !m.dense {
			m.densities(m.density, m.spins)
			m.dense = true
		}
		m.densities(m.nextDensity, m.proposed)
		for i := range logs {
			logs[i] += m.density[i] - m.nextDensity[i]
		}
	}
	accept := key.Fold(1)
	for i, x := range logs {
		count.Tried++
		if !accepts(x, accept, m.law.Row+uint64(i), 0) {
			copy(m.proposed[i*m.v:][:m.v], m.spins[i*m.v:])
			continue
		}
		count.Accepted++
		m.free[i] = m.next[i]
		if mixed {
			m.density[i] = m.nextDensity[i]
		} else {
			m.dense = false
		}
	}
	m.spins, m.proposed = m.proposed, m.spins
}

func (m *guidedMove) fromMixture(key rng.Key) {
	for i := range m.rows {
		m.mixtures[m.of[i]].draw(m.proposed[i*m.v:][:m.v], m.weights[i], m.clampOf(i), key, m.law.Row+uint64(i))
	}
}

// densities sets dst to log q of each row of spins.
func (m *guidedMove) densities(dst []float64, spins []int8) {
	e := m.machine.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	compute.Write(e, m.on, spins)
	for k, q := range m.mixtures {
		near := e.Scratch(compute.Float32, m.rows, len(q.logs))
		e.Mul(near, m.on, q.matrix, compute.Op{TransB: true, Alpha: 1})
		x := make([]float32, near.Len())
		compute.Read(e, x, near)
		for i := range dst {
			if m.of[i] == k {
				dst[i] = q.density(spins[i*m.v:][:m.v], x[i*len(q.logs):][:len(q.logs)])
			}
		}
	}
}

// exchanged proposes v o xi_k o xi_l on the free spins, for two different patterns drawn by the
// row.
func (m *guidedMove) exchanged(key rng.Key) {
	patterns := len(m.signs) / m.v
	for i := range m.rows {
		row := m.law.Row + uint64(i)
		k := key.Intn(patterns, row, 0)
		l := key.Intn(patterns-1, row, 1)
		if l >= k {
			l++
		}
		a, b := m.signs[k*m.v:][:m.v], m.signs[l*m.v:][:m.v]
		m.involute(i, func(j int) bool { return a[j] != b[j] })
	}
}

func (m *guidedMove) flipped(rng.Key) {
	for i := range m.rows {
		m.involute(i, func(int) bool { return true })
	}
}

// involute proposes row i with the chosen spins flipped, as far as they are free.
func (m *guidedMove) involute(i int, flips func(j int) bool) {
	clamp := m.clampOf(i)
	from, to := m.spins[i*m.v:][:m.v], m.proposed[i*m.v:][:m.v]
	for j, x := range from {
		if flips(j) && (clamp == nil || clamp[j] == 0) {
			x = -x
		}
		to[j] = x
	}
}
