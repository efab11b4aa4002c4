package bm

import "mattis/compute"

// MoveOffset moves the offset m of a layer by rate times what mean (1xN Float32) is off it. The
// biases of the layers that it meets take up the change,
//
//	b_n += delta W     and of a layer coupled to itself    b += delta J
//
// so that no probability changes; energies change by a constant. It panics where the layer has no
// offset or one that stays, or a layer that it meets has no bias.
func (m *Machine) MoveOffset(layer int, mean compute.Matrix, rate float64) {
	// What the biases take up is of the couplings as they are: rounded, it would move probabilities.
	defer m.SetPrecision(m.SetPrecision(compute.Single))
	e, offset := m.engine, m.couplings.Offset(layer)
	if m.graph.Layers[layer].Off {
		panic("bm: the offset of the layer " + m.graph.Layers[layer].Name + " stays where it is")
	}
	mark := e.Mark()
	delta := e.Scratch(compute.Float32, 1, m.sizes[layer])
	e.Axpby(delta, rate, mean, 0)
	e.Axpby(delta, -rate, offset, 1)
	e.Axpby(offset, 1, delta, 1)
	for i, p := range m.graph.Pairs {
		if p.A != layer && p.B != layer {
			continue
		}
		other := p.A + p.B - layer
		bias := m.biases[other].Value
		if bias.IsNone() {
			panic("bm: an offset moves beside the layer " + m.graph.Layers[other].Name + ", which has no biases")
		}
		change := e.Scratch(compute.Float32, 1, m.sizes[other])
		m.couplings.Times(change, delta, i, p.B == layer && p.A != layer)
		e.Axpby(bias, 1, change, 1)
	}
	e.Release(mark)
}
