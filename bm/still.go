package bm

// Still returns a machine with the graph and the present parameters of m, none of which has a
// gradient: a state of a machine in training that stays as it is.
func (m *Machine) Still() *Machine {
	e := m.engine
	stay := func(list []Param) []Param {
		still := make([]Param, len(list))
		for i, p := range list {
			if !p.Value.IsNone() {
				still[i] = Param{Name: p.Name, Value: e.Alloc(p.Value.Type(), p.Value.Rows(), p.Value.Cols())}
			}
		}
		return still
	}
	var c Couplings
	switch w := m.couplings.(type) {
	case *Dense:
		c = &Dense{offsets: newOffsets(e, m.graph, len(w.held)), engine: e, graph: m.graph, weights: stay(w.weights)}
	case *Axons:
		c = &Axons{offsets: newOffsets(e, m.graph, len(w.held)), engine: e, graph: m.graph, layers: stay(w.layers), logGains: stay(w.logGains), rows: w.rows, single: w.single}
	}
	s := New(e, c)
	s.biases = stay(m.biases)
	s.constant = stay([]Param{m.constant})[0]
	from := m.Params()
	for i, p := range s.Params() {
		e.Copy(p.Value, from[i].Value)
	}
	s.SetPrecision(m.Precision())
	return s
}
