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
	moves    []compute.Move   // room for those of a parameter
}

// move moves a parameter by its gradient, which may be deferred.
func move(e compute.Engine, p bm.Param, moves []compute.Move) {
	if p.Terms != nil && len(p.Terms.List) > 0 {
		p.Terms.Finite = e.Descend(p.Value.Rows(), p.Value.Cols(), p.Terms.List, moves)
		return
	}
	compute.Do(e, p.Grad, moves)
}

// TakesTerms reports whether the optimizer's step moves parameters by the Terms of their gradients
// (bm.Machine.Phases). Others, and those that wrap one of these, find every gradient in Grad.
func TakesTerms(o Optimizer) bool {
	switch o := o.(type) {
	case *SGD, *Adam:
		return true
	case *Sparse:
		return TakesTerms(o.Optimizer)
	}
	return false
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
			s.moves = append(s.moves[:0], compute.Move{Dst: p.Value, P: -r, Q: 1 - r*d})
		} else {
			s.moves = append(s.moves[:0], compute.Move{Dst: s.moments[i], P: 1, Q: s.momentum})
			if d != 0 {
				s.moves = append(s.moves, compute.Move{Dst: s.moments[i], X: p.Value, P: d, Q: 1})
			}
			s.moves = append(s.moves, compute.Move{Dst: p.Value, X: s.moments[i], P: -r, Q: 1})
		}
		move(e, p, s.moves)
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
	moves         []compute.Move // room for those of a parameter
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
		a.moves = a.moves[:0]
		if d := a.decay * float64(p.Decay); d != 0 {
			a.moves = append(a.moves, compute.Move{Dst: p.Value, X: p.Value, Q: 1 - r*d})
		}
		a.moves = append(a.moves, compute.Move{Kind: compute.MoveAdam, Dst: p.Value, First: a.first[i], Second: a.second[i],
			Adam: [5]float32{float32(a.beta1), float32(a.beta2), float32(r / (1 - a.host[0])), float32(1 - a.host[1]), float32(a.eps)}})
		move(e, p, a.moves)
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
