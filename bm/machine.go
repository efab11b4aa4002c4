// Package bm implements Boltzmann machines of spins: their energies, gradients
// and conditional draws, with dense couplings or regularized axons.
package bm

import (
	"sync/atomic"

	"mattis/compute"
	"mattis/rng"
)

// The layers of a restricted machine.
const (
	Visible = 0
	Hidden  = 1
)

// Param is a matrix that belongs to a machine, an optimizer or an estimator and
// is kept in checkpoints under its name.
type Param struct {
	Name  string
	Value compute.Matrix
	Grad  compute.Matrix // dL/dValue, same shape; none where nothing is learned
	Rate  float32        // factor of the learning rate
	Decay float32        // factor of the weight decay: 1 for couplings, 0 for biases and gain
}

// Learned returns the parameters of m that have a gradient.
func Learned(m Machine) []Param {
	var l []Param
	for _, p := range m.Params() {
		if !p.Grad.IsNone() {
			l = append(l, p)
		}
	}
	return l
}

// State holds one BxN_l matrix of spins per layer, the visible one first. A
// missing layer is the zero Matrix.
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
	// Marginal makes Phase integrate the hidden layers out although State has
	// them: they are then there for whoever looks at the configurations.
	Marginal bool
	// Listed says that the rows are all states that an enumeration of the visible layer lists, in its order, or is nil. Phase of the
	// machine that it enumerates then works on the halves that the states are made of, where it can and rows have weights.
	Listed *Enumeration
}

// Law is the distribution that a draw or an energy refers to. The zero Law is
// the machine's own at temperature 1, drawn with key 0.
type Law struct {
	Beta  compute.Matrix // Bx1 Float32 inverse temperatures; none means 1
	Base  compute.Matrix // 1xV Float32: visible field at Beta 0, the base rate of annealed importance sampling
	Clamp State          // per layer: none, or BxN Int8 whose entries that are not 0 stay
	Key   rng.Key
	Row   uint64 // the place of row 0 in the key's stream, for batches drawn in parts

	// Stop, once true, lets those who move chains end before their next sweep; what they were moving is of no use then. It
	// may be nil.
	Stop *atomic.Bool
}

// Stopped reports whether Stop is true.
func (l Law) Stopped() bool { return l.Stop != nil && l.Stop.Load() }

func (l Law) clamp(layer int) compute.Matrix { return l.Clamp.Layer(layer) }

// Machine is a Boltzmann machine.
type Machine interface {
	// Engine returns the engine that holds the parameters.
	Engine() compute.Engine
	// Layers returns the number of spins in each layer, visible first.
	Layers() []int
	// Params returns all that a checkpoint keeps; those with a Grad are learned.
	Params() []Param
	// Sample draws layer l of s given its neighbours.
	Sample(s State, l int, law Law)
	// Mean sets dst (Float32) to the mean of layer l given its neighbours in s.
	Mean(dst compute.Matrix, s State, l int, law Law)
	// Sweep draws the hidden layer given the visible one and then the visible given the hidden.
	Sweep(s State, law Law)
	// Energy sets dst (Bx1 Float64) to Beta*E - (1-Beta)*Base.v of each configuration in kT, E being Eq. 1. A
	// layer missing from s is integrated out: the free energy of Eq. A2.
	Energy(dst compute.Matrix, s State, law Law)
	// Phase adds scale * <dE/dtheta> over the batch to the gradients: dF/dtheta (Eqs. A6, A7) where
	// the hidden layer is missing or Marginal is set.
	Phase(b Batch, scale float64)
}
