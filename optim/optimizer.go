// Package optim implements how parameters move and how they stay admissible:
// optimizers, learning rates and the projections of Appendix B.
package optim

import (
	"mattis/bm"
	"mattis/compute"
)

// Optimizer moves parameters against their gradients.
type Optimizer interface {
	// Step moves every learned parameter by one update at the learning rate.
	Step(rate float64)
	// State returns what a checkpoint has to keep.
	State() []bm.Param
}

// SGD is stochastic gradient descent with momentum mu and weight decay d:
//
//	m = mu*m + (grad + d*Decay*value)     value -= rate*Rate*m
type SGD struct {
	engine   compute.Engine
	params   []bm.Param
	momentum float64
	decay    float64
	moments  []compute.Matrix // of each parameter, where momentum is not 0
}

// NewSGD returns the optimizer of the learned parameters of m.
func NewSGD(m *bm.Machine, momentum, weightDecay float64) *SGD {
	s := &SGD{engine: m.Engine(), params: bm.Learned(m), momentum: momentum, decay: weightDecay}
	if momentum != 0 {
		s.moments = like(s.engine, s.params)
	}
	return s
}

func like(e compute.Engine, params []bm.Param) []compute.Matrix {
	var l []compute.Matrix
	for _, p := range params {
		l = append(l, e.Alloc(compute.Float32, p.Value.Rows(), p.Value.Cols()))
	}
	return l
}

// Step moves the parameters.
func (s *SGD) Step(rate float64) {
	e := s.engine
	for i, p := range s.params {
		d, r := s.decay*float64(p.Decay), rate*float64(p.Rate)
		if s.moments == nil {
			e.Axpby(p.Value, -r, p.Grad, 1-r*d)
			continue
		}
		e.Axpby(s.moments[i], 1, p.Grad, s.momentum)
		if d != 0 {
			e.Axpby(s.moments[i], d, p.Value, 1)
		}
		e.Axpby(p.Value, -r, s.moments[i], 1)
	}
}

// State returns the moments.
func (s *SGD) State() []bm.Param {
	var l []bm.Param
	for i, m := range s.moments {
		l = append(l, bm.Param{Name: "optimizer.momentum." + s.params[i].Name, Value: m})
	}
	return l
}

// Adam is the method of Kingma and Ba (2014). Its bias correction counts
// updates, and its weight decay is decoupled (value *= 1 - rate*decay).
type Adam struct {
	engine        compute.Engine
	params        []bm.Param
	first, second []compute.Matrix
	beta1, beta2  float64
	eps, decay    float64
	powers        compute.Matrix // 1x2 Float64: beta1^t, beta2^t
	host          []float64      // its entries
}

// NewAdam returns the optimizer of the learned parameters of m.
func NewAdam(m *bm.Machine, beta1, beta2, eps, weightDecay float64) *Adam {
	e := m.Engine()
	a := &Adam{engine: e, params: bm.Learned(m), beta1: beta1, beta2: beta2, eps: eps, decay: weightDecay}
	a.first, a.second = like(e, a.params), like(e, a.params)
	a.powers = e.Alloc(compute.Float64, 1, 2)
	a.host = []float64{1, 1}
	compute.Write(e, a.powers, a.host)
	return a
}

// Step moves the parameters.
func (a *Adam) Step(rate float64) {
	e := a.engine
	compute.Read(e, a.host, a.powers)
	a.host[0] *= a.beta1
	a.host[1] *= a.beta2
	compute.Write(e, a.powers, a.host)
	for i, p := range a.params {
		r := rate * float64(p.Rate)
		if d := a.decay * float64(p.Decay); d != 0 {
			e.Axpby(p.Value, 0, p.Value, 1-r*d)
		}
		e.Adam(p.Value, p.Grad, a.first[i], a.second[i], float32(a.beta1), float32(a.beta2),
			float32(r/(1-a.host[0])), float32(1-a.host[1]), float32(a.eps))
	}
}

// State returns the moments and the powers of the decay factors.
func (a *Adam) State() []bm.Param {
	l := []bm.Param{{Name: "optimizer.powers", Value: a.powers}}
	for i, p := range a.params {
		l = append(l, bm.Param{Name: "optimizer.first." + p.Name, Value: a.first[i]},
			bm.Param{Name: "optimizer.second." + p.Name, Value: a.second[i]})
	}
	return l
}
