package negative

import (
	"mattis/bm"
	"mattis/compute"
)

// counter counts draws in a tensor that checkpoints keep.
type counter struct {
	engine compute.Engine
	count  compute.Matrix // 1x1 Float64
	host   []float64
}

func newCounter(m *bm.Machine) *counter {
	e := m.Engine()
	return &counter{e, e.Alloc(compute.Float64, 1, 1), make([]float64, 1)}
}

// value returns the draws so far.
func (c *counter) value() float64 {
	compute.Read(c.engine, c.host, c.count)
	return c.host[0]
}

// add counts one more.
func (c *counter) add() {
	c.host[0] = c.value() + 1
	compute.Write(c.engine, c.count, c.host)
}
