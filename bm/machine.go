// Package bm implements Boltzmann machines on any graph of layers: their energies, gradients
// and conditional draws, with dense couplings or regularized axons.
package bm

import (
	"slices"
	"sync/atomic"

	"mattis/compute"
	"mattis/rng"
)

// Param is a matrix that belongs to a machine, an optimizer or an estimator and
// is kept in checkpoints under its name.
type Param struct {
	Name  string
	Value compute.Matrix
	Grad  compute.Matrix // dL/dValue, same shape; none where nothing is learned
	Rate  float32        // factor of the learning rate
	Decay float32        // factor of the weight decay: 1 for couplings, 0 for biases and gain

	// Divided says that it has a row for each chain, or several, of which the shards of a training
	// have some each.
	Divided bool

	// Settled says that of an estimator's state no draw changes it (see negative.Settling).
	Settled bool

	// Fixed says that it never has another value than the one it was made with.
	Fixed bool

	// Terms are those of the gradient between Machine.Phases and the step, which Grad then does not
	// hold; nil where there are never any.
	Terms *Terms
}

// Learned returns the parameters of m that have a gradient.
func Learned(m *Machine) []Param {
	var l []Param
	for _, p := range m.Params() {
		if !p.Grad.IsNone() {
			l = append(l, p)
		}
	}
	return l
}

// State holds one BxN_l matrix per layer, the visible one first: Int8 of spins, Float32 of a
// Gaussian layer and of means. A missing layer is the zero Matrix.
type State []compute.Matrix

// Layer returns layer l, or the zero Matrix.
func (s State) Layer(l int) compute.Matrix {
	if l < len(s) {
		return s[l]
	}
	return compute.Matrix{}
}

// Rows returns the number of configurations.
func (s State) Rows() int {
	for _, m := range s {
		if !m.IsNone() {
			return m.Rows()
		}
	}
	return 0
}

// Slice returns the view of rows [from, to) of each layer.
func (s State) Slice(from, to int) State {
	c := make(State, len(s))
	for l, m := range s {
		if !m.IsNone() {
			c[l] = m.Slice(from, to)
		}
	}
	return c
}

// Batch is a set of weighted configurations: what stands for an average.
type Batch struct {
	State   State
	Weights compute.Matrix // Bx1 Float32; none means 1/B each
	// Marginal makes Phase integrate the layers on the right side of the data view out although
	// State has them: they are then there for whoever looks at the configurations.
	Marginal bool
	// Listed says that the rows are all visible states of a list, in its order, or is nil.
	Listed Listed
}

// Listed is a list of all visible states of a restricted machine that can add up a phase faster
// than row by row.
type Listed interface {
	// Machine returns the machine whose states they are.
	Machine() *Machine
	// Len returns how many states are listed.
	Len() int
	// Phase adds the gradients of scale * sum_s w_s sum_a log 2cosh x_a(s), those of the visible
	// biases left out, or does nothing and returns false.
	Phase(weights compute.Matrix, scale float64) bool
}

// Law is the distribution that a draw or an energy refers to. The zero Law is
// the machine's own at temperature 1, drawn with key 0.
type Law struct {
	Beta  compute.Matrix // Bx1 Float32 inverse temperatures; none means 1
	Base  compute.Matrix // 1xV Float32: visible field at Beta 0, the base rate of annealed importance sampling
	Field State          // per layer: none, or BxN Float32: fields on its spins beside the machine's own, which Sample adds
	Clamp State          // per layer: none, or BxN Int8 whose entries that are not 0 stay
	Key   rng.Key
	Row   uint64 // the place of row 0 in the key's stream, for batches drawn in parts

	// Back makes a sweep draw the layers on the left side of the data view in the opposite order,
	// and spins that are drawn one after the other too: the reverse of the sweep's kernel on the
	// left side.
	Back bool

	// Stop, once true, lets those who move chains end before their next sweep; what they were
	// moving is of no use then. It may be nil.
	Stop *atomic.Bool
}

// Stopped reports whether Stop is true.
func (l Law) Stopped() bool { return l.Stop != nil && l.Stop.Load() }

func (l Law) clamp(layer int) compute.Matrix { return l.Clamp.Layer(layer) }

// Machine is the Boltzmann machine on a graph of layers,
//
//	E(s) = - sum over pairs (s_l-m_l) W_lm (s_m-m_m)^T - sum_l b_l.s_l + constant + 1/2 |z|^2 for each Gaussian layer z
//
// with each two spins counted once, those of one layer too. The restricted machine of the paper has
// one pair, b = m = 0 and no constant. One goroutine at a time may use a machine.
type Machine struct {
	engine    compute.Engine
	couplings Couplings
	graph     Graph
	sizes     []int
	biases    []Param // 1xN_l; the zero Param where there is none
	constant  Param   // 1x1 Float64; the zero Param where there is none
	near      [][]int // of each layer those that it meets, itself left out
	self      []bool  // layers coupled to themselves
	view      View    // the data view
	single    bool

	overlaps, all []Overlap // room for those of a call
	kept          []Overlap // of a sweep under way, as far as they are of the spins as they are now; nil between sweeps
	room          []Overlap // for kept
	held          []Overlap // of the layers coupled to themselves, between Hold and LetGo; nil elsewhere
	holding       []Overlap // room for held
	filled        State
	number        [1]float64
	means         meanFieldRoom
}

// New returns the machine of the couplings, with biases of 0 on the layers that biased names by
// true.
func New(e compute.Engine, c Couplings, biased ...bool) *Machine {
	g := c.Graph()
	if err := g.Check(); err != nil {
		panic("bm: " + err.Error())
	}
	n := len(g.Layers)
	m := &Machine{engine: e, couplings: c, graph: g, sizes: make([]int, n), biases: make([]Param, n), near: make([][]int, n), self: make([]bool, n),
		view: g.DataView(), single: g.single(), overlaps: make([]Overlap, 0, n), all: make([]Overlap, n), room: make([]Overlap, n), holding: make([]Overlap, n), filled: make(State, n)}
	for l, layer := range g.Layers {
		m.sizes[l] = layer.N
		if l < len(biased) && biased[l] {
			m.biases[l] = learned(e, "bias."+layer.Name, 1, layer.N, 0)
		}
	}
	m.means = meanFieldRoom{order: append(slices.Clone(m.view.Right), m.view.Left[1:]...), part: make(State, n)}
	for _, p := range g.Pairs {
		if p.A == p.B {
			m.self[p.A] = true
			continue
		}
		m.near[p.A] = append(m.near[p.A], p.B)
		m.near[p.B] = append(m.near[p.B], p.A)
	}
	return m
}

// Engine returns the engine that holds the parameters.
func (m *Machine) Engine() compute.Engine { return m.engine }

// Rowwise calls do, during which the fields, draws and energies of a row have the same bits whatever
// rows stand beside it, and axons go by their patterns however many these are.
func (m *Machine) Rowwise(do func()) {
	a, before := m.Axons(), m.engine.Rowwise(true)
	if a != nil {
		a.rowwise = true
	}
	defer func() {
		m.engine.Rowwise(before)
		if a != nil {
			a.rowwise = before
		}
	}()
	do()
}

// Couplings returns the couplings.
func (m *Machine) Couplings() Couplings { return m.couplings }

// SetPrecision sets what the factors of products with the couplings are rounded to, and returns what
// they were: float32 at first. Draws, phases and energies are then those of rounded factors.
func (m *Machine) SetPrecision(p compute.Precision) (before compute.Precision) {
	return m.couplings.SetPrecision(p)
}

// Precision returns what the factors of products with the couplings are rounded to.
func (m *Machine) Precision() compute.Precision { return m.couplings.Precision() }

// Axons returns the couplings where they are axons, or nil.
func (m *Machine) Axons() *Axons {
	a, _ := m.couplings.(*Axons)
	return a
}

// Graph returns the layers and their pairs.
func (m *Machine) Graph() Graph { return m.graph }

// View returns the data view: the visible layer is on the left, and what a sweep draws first is on
// the right.
func (m *Machine) View() View { return m.view }

// Self reports whether a layer is coupled to itself.
func (m *Machine) Self(l int) bool { return m.self[l] }

// Near returns the layers that a layer meets, itself left out. It is not to be changed.
func (m *Machine) Near(l int) []int { return m.near[l] }

// Bias returns the biases of layer l, the zero Param if it has none.
func (m *Machine) Bias(l int) Param { return m.biases[l] }

// SetBiasRate sets the factor of the learning rate of all biases.
func (m *Machine) SetBiasRate(factor float64) {
	for l := range m.biases {
		m.biases[l].Rate = float32(factor)
	}
}

// Layers returns how many spins each layer has, the visible one first. It is not to be changed.
func (m *Machine) Layers() []int { return m.sizes }

// Params returns all that a checkpoint keeps, the couplings' parameters, the biases and the energy
// constant; those with a Grad are learned.
func (m *Machine) Params() []Param {
	p := m.couplings.Params()
	for _, b := range append(slices.Clone(m.biases), m.constant) {
		if !b.Value.IsNone() {
			p = append(p, b)
		}
	}
	return p
}

// Symmetric reports whether E(s) = E(-s): no biases and no offset. Then F(v) = F(-v).
func (m *Machine) Symmetric() bool {
	for l := range m.sizes {
		if !m.biases[l].Value.IsNone() || !m.couplings.Offset(l).IsNone() {
			return false
		}
	}
	return true
}

// SumsOut reports whether all hidden layers sum out exactly given the visible one: each of them
// meets it alone.
func (m *Machine) SumsOut() bool { return len(m.view.Left) == 1 }

// State returns the matrices of n configurations of all layers, Int8 or of Gaussian layers Float32,
// all 0.
func (m *Machine) State(n int) State {
	s := make(State, 0, len(m.sizes))
	for l, spins := range m.sizes {
		s = append(s, m.engine.Alloc(m.TypeOf(l), n, spins))
	}
	return s
}

// Scratch is State in the engine's arena. The visible layer and those that a sweep draws first are
// undefined, the others 0.
func (m *Machine) Scratch(n int) State {
	s := make(State, 0, len(m.sizes))
	for l, spins := range m.sizes {
		s = append(s, m.engine.Scratch(m.TypeOf(l), n, spins))
	}
	m.Clear(s)
	return s
}

// Clear sets the layers to 0 that a sweep from the visible one reads before it draws them.
func (m *Machine) Clear(s State) {
	for _, l := range m.view.Left[1:] {
		m.engine.Fill(s[l], 0)
	}
}

// TypeOf returns the type of a layer's configurations.
func (m *Machine) TypeOf(l int) compute.Type {
	if m.graph.Layers[l].Kind == Gaussian {
		return compute.Float32
	}
	return compute.Int8
}

// SetConstant sets the constant that is added to every energy, in kT: what is left over where a
// machine of other variables is written in spins. It moves energies, free energies and -log Z, and
// no probability. From then on Params has it as energy_constant.
func (m *Machine) SetConstant(c float64) {
	if m.constant.Value.IsNone() {
		m.constant = Param{Name: "energy_constant", Value: m.engine.Alloc(compute.Float64, 1, 1)}
	}
	compute.Write(m.engine, m.constant.Value, []float64{c})
}

// Constant returns the constant that is added to every energy, in kT; 0 where none was set.
func (m *Machine) Constant() float64 {
	if m.constant.Value.IsNone() {
		return 0
	}
	compute.Read(m.engine, m.number[:], m.constant.Value)
	return m.number[0]
}

// HasConstant reports whether a constant was set.
func (m *Machine) HasConstant() bool { return !m.constant.Value.IsNone() }
