package negative

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/rng"
)

// MostExactSpins is the largest visible layer of the exact estimator.
const MostExactSpins = 20

// leastWeight is the least probability that counts: 2^20 of them are far below the rounding of a
// gradient, and products with smaller ones become denormal, which processors compute a hundred
// times slower.
const leastWeight = 1e-27

// ExactSum returns all states on the left side of the data view, of a restricted machine the
// visible ones, with their probabilities, half of them where F(s) = F(-s). The gradient of the sum
// over half of the states with doubled weights is that of all.
type ExactSum struct {
	states    *exact.Enumeration
	batch     bm.Batch
	engine    compute.Engine
	exponents []float64
	weights   []float32
	gather    func(uint64, []float64) (stop bool) // appends to exponents
	mass      float64                             // log of the sum of the listed states' exponentials
	stop      *atomic.Bool                        // see Leavable; nil for none
}

var _ Massive = (*ExactSum)(nil)

// NewExact returns the estimator, or an error if there are more than
// MostExactSpins spins to list.
func NewExact(m *bm.Machine) (*ExactSum, error) { return NewExactPart(m, 0, 1) }

// NewExactPart is NewExact of part number i of n of the states alone, which may be empty.
func NewExactPart(m *bm.Machine, part, of int) (*ExactSum, error) {
	left, sizes, n, names := m.View().Left, m.Layers(), 0, []string{}
	for _, l := range left {
		n += sizes[l]
		names = append(names, m.Graph().Layers[l].Name)
	}
	if n > MostExactSpins {
		return nil, fmt.Errorf("the exact sum runs over 2^%d %s states, at most 2^%d can be; take pcd or pid-gibbs", n, strings.Join(names, " and "), MostExactSpins)
	}
	states, err := exact.Enumerate(m, left...)
	if err != nil {
		return nil, err
	}
	states.Only(part, part+1, of)
	e := m.Engine()
	x := &ExactSum{states: states, engine: e, exponents: make([]float64, 0, states.Len()), weights: make([]float32, states.Len())}
	x.gather = func(_ uint64, e []float64) bool {
		x.exponents = append(x.exponents, e...)
		return x.stop != nil && x.stop.Load()
	}
	if states.Len() == 0 {
		return x, nil
	}
	x.batch = bm.Batch{State: make(bm.State, len(sizes)), Weights: e.Alloc(compute.Float32, states.Len(), 1), Listed: states}
	at, row := 0, make([]int8, n)
	for _, l := range left {
		spins := make([]int8, 0, states.Len()*sizes[l])
		for i := range states.Len() {
			exact.SetState(row, states.First()+uint64(i))
			spins = append(spins, row[at:at+sizes[l]]...)
		}
		x.batch.State[l] = e.Alloc(compute.Int8, states.Len(), sizes[l])
		compute.Write(e, x.batch.State[l], spins)
		at += sizes[l]
	}
	return x, nil
}

// Draw returns the states with their probabilities as weights, which sum to 1 over the listed ones.
func (x *ExactSum) Draw(bm.Batch, rng.Key) bm.Batch {
	x.mass = math.Inf(-1)
	if x.states.Len() == 0 {
		return bm.Batch{}
	}
	x.exponents = x.exponents[:0]
	x.states.Exponents(x.gather)
	top := math.Inf(-1)
	for _, v := range x.exponents {
		top = max(top, v)
	}
	var z float64
	for i, v := range x.exponents {
		x.exponents[i] = math.Exp(v - top)
		z += x.exponents[i]
	}
	x.mass = top + math.Log(z)
	for i, w := range x.exponents {
		if w /= z; w < leastWeight {
			w = 0
		}
		x.weights[i] = float32(w)
	}
	compute.Write(x.engine, x.batch.Weights, x.weights)
	return x.batch
}

// LogMass returns log Z as far as the listed states make it, half of Z where they stand for all.
func (x *ExactSum) LogMass() float64 { return x.mass }

// LeaveOn sets the flag that the sum looks at between two blocks of states.
func (x *ExactSum) LeaveOn(flag *atomic.Bool) { x.stop = flag }

// State returns nothing.
func (x *ExactSum) State() []bm.Param { return nil }

// Kind returns Exact.
func (x *ExactSum) Kind() Kind { return Exact }
