package optim

import (
	"mattis/bm"
	"mattis/compute"
)

// Sparse adds l1 times the sum of the sizes of the couplings to what an optimizer descends, by
// proximal steps: after each of its steps
//
//	value = sign(value) max(|value| - rate*Rate*l1*Decay, 0)
//
// so that couplings become 0 and stay there (soft thresholding; Daubechies et al. 2004). With SGD
// without momentum that is proximal gradient descent of the penalised function; with momentum and
// with Adam the threshold is that of the plain rate, as the decoupled weight decay of Adam is. Biases
// and gains have no part in it. A coupling of two spins of one layer counts once.
type Sparse struct {
	Optimizer
	engine compute.Engine
	params []bm.Param
	l1     float64
}

// NewSparse returns the optimizer of the learned parameters of m with the penalty.
func NewSparse(m *bm.Machine, o Optimizer, l1 float64) *Sparse {
	return &Sparse{Optimizer: o, engine: m.Engine(), params: bm.Learned(m), l1: l1}
}

// Step moves the parameters.
func (s *Sparse) Step(rate float64) {
	s.Optimizer.Step(rate)
	e := s.engine
	for _, p := range s.params {
		t := rate * float64(p.Rate) * s.l1 * float64(p.Decay)
		if t == 0 {
			continue
		}
		mark := e.Mark()
		rest := e.Scratch(compute.Float32, p.Value.Rows(), p.Value.Cols()) // what the threshold takes
		e.Axpby(rest, 1, p.Value, 0)
		e.Clip(rest, float32(t))
		e.Axpby(p.Value, -1, rest, 1)
		e.Release(mark)
	}
}
