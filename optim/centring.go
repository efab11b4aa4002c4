package optim

import (
	"fmt"

	"mattis/bm"
	"mattis/compute"
)

// Centring lets the offsets of a machine follow the means of its layers in the positive phase
// (Montavon and Müller 2012; Melchior et al. 2016), so that gradients are of fluctuations about
// them: after each update
//
//	m_l += rate (<s_l>_data - m_l)
//
// and the biases take up the change.
type Centring struct {
	machine *bm.Machine
	rate    float64
	layers  []int
	state   bm.State
	means   []compute.Matrix // 1xN of each of the layers
}

// NewCentring returns the centring of all layers that have an offset which does not stay. It is an
// error where a layer beside one has no biases.
func NewCentring(m *bm.Machine, rate float64) (*Centring, error) {
	c := &Centring{machine: m, rate: rate, state: make(bm.State, len(m.Layers()))}
	g := m.Graph()
	for _, p := range g.Pairs {
		for _, side := range [...][2]int{{p.A, p.B}, {p.B, p.A}} {
			if g.Layers[side[0]].Offset && !g.Layers[side[0]].Off && m.Bias(side[1]).Value.IsNone() {
				return nil, fmt.Errorf("the offsets of layer %s move, and the biases of layer %s would have to take that up, which has none", g.Layers[side[0]].Name, g.Layers[side[1]].Name)
			}
		}
	}
	for l, layer := range g.Layers {
		if layer.Offset && !layer.Off {
			c.layers = append(c.layers, l)
			c.means = append(c.means, m.Engine().Alloc(compute.Float32, 1, layer.N))
		}
	}
	return c, nil
}

// Means returns what Mean sets and Move moves to: a row for each layer whose offset moves.
func (c *Centring) Means() []compute.Matrix { return c.means }

// Move moves the offsets towards the means.
func (c *Centring) Move() {
	for i, l := range c.layers {
		c.machine.MoveOffset(l, c.means[i], c.rate)
	}
}

// Mean sets the means to those of the batch times a factor, 0 of an empty one. Layers that are
// integrated out have theirs given the others.
func (c *Centring) Mean(b bm.Batch, factor float64) {
	e, m := c.machine.Engine(), c.machine
	mark := e.Mark()
	defer e.Release(mark)
	rows := b.State.Rows()
	if rows == 0 {
		for _, mean := range c.means {
			e.Fill(mean, 0)
		}
		return
	}
	right := m.View().Right
	for l := range c.state {
		c.state[l] = b.State.Layer(l)
	}
	if b.Marginal {
		for _, l := range right {
			c.state[l] = compute.Matrix{}
		}
	}
	for _, l := range right {
		if c.state[l].IsNone() {
			mean := e.Scratch(compute.Float32, rows, m.Layers()[l])
			m.Mean(mean, c.state, l, bm.Law{})
			c.state[l] = mean
		}
	}
	weights := b.Weights
	alpha := factor
	if weights.IsNone() {
		weights, alpha = e.Scratch(compute.Float32, rows, 1), factor/float64(rows)
		e.Fill(weights, 1)
	}
	for i, l := range c.layers {
		e.Mul(c.means[i], weights, c.state[l], compute.Op{TransA: true, Alpha: alpha})
	}
}
