package bm

import "mattis/compute"

// nearby returns the overlaps of the layers near layer l, those that s lacks left out; with itself,
// its own is among them where it is coupled to itself and s has it. They are valid until the next
// call.
func (m *Machine) nearby(s State, l int, itself bool) []Overlap {
	near := m.overlaps[:0]
	for _, other := range m.near[l] {
		if x := s.Layer(other); !x.IsNone() {
			near = append(near, m.overlap(x, other))
		}
	}
	if itself && m.self[l] && !s.Layer(l).IsNone() {
		near = append(near, m.overlap(s[l], l))
	}
	return near
}

// overlap returns the overlap of x, the spins of layer l: in a sweep it is worked out once for all
// layers that take it.
func (m *Machine) overlap(x compute.Matrix, l int) Overlap {
	if m.kept == nil {
		return m.couplings.Overlap(x, l)
	}
	if m.kept[l].X.IsNone() {
		m.kept[l] = m.couplings.Overlap(x, l)
	}
	return m.kept[l]
}

// epilogue returns what is done with the fields on layer l under the law.
func (m *Machine) epilogue(kind compute.Kind, l int, law Law) compute.Epilogue {
	e := compute.Epilogue{Kind: kind, Bias: m.biases[l].Value, Scale: law.Beta}
	if l == Visible {
		e.Base = law.Base
	}
	return e
}

// Fields sets dst to the epilogue of the fields on layer l, (s-m) W summed over the layers near it
// and, where it is coupled to itself, its own; missing layers of s are left out. The biases are the
// caller's: then.Bias.
func (m *Machine) Fields(dst compute.Matrix, s State, l int, then compute.Epilogue) {
	mark := m.engine.Mark()
	near := m.nearby(s, l, true)
	if len(near) == 0 {
		panic("bm: fields on a layer near which no layer is set")
	}
	m.couplings.Fields(dst, near, l, then)
	m.engine.Release(mark)
}

// Sample draws layer l of s given the others: its spins all at once, or one after the other where
// it is coupled to itself. A Gaussian layer is drawn as z/sqrt(Beta) of the z that belongs to spins
// in the fields Beta*b + sqrt(Beta)*z W^T.
func (m *Machine) Sample(s State, l int, law Law) {
	begin := m.engine.Mark()
	near := m.nearby(s, l, false)
	var own Overlap
	if m.self[l] {
		own = m.overlap(s[l], l)
	}
	mark := m.engine.Mark() // a sweep goes on with the overlaps
	then := m.epilogue(compute.Spin, l, law)
	then.Key, then.Row, then.Clamp = law.Key.Fold(uint64(l)), law.Row, law.clamp(l)
	if f := law.Field.Layer(l); !f.IsNone() { // products add to what they are given here
		then.Add = m.engine.Scratch(compute.Float32, f.Rows(), f.Cols())
		m.engine.Copy(then.Add, f)
	}
	switch {
	case m.self[l]:
		order := compute.Forward
		if law.Back {
			order = compute.Backward
		}
		m.couplings.Scan(s[l], near, own, order, then)
	case m.graph.Layers[l].Kind == Gaussian:
		then.Kind, then.Clamp = compute.Normal, compute.Matrix{}
		m.couplings.Fields(s[l], near, l, then)
	default:
		m.couplings.Fields(s[l], near, l, then)
	}
	if m.kept == nil {
		m.engine.Release(begin)
		return
	}
	m.engine.Release(mark)
	if !m.self[l] { // a scan leaves the overlap as that of the spins drawn
		m.kept[l] = Overlap{}
	}
}

// keep lets the draws until the call of end share overlaps, where more than one pair takes one.
func (m *Machine) keep() (end compute.Mark) {
	end = m.engine.Mark()
	if len(m.graph.Pairs) > 1 {
		clear(m.room)
		m.kept = m.room
	}
	if m.held != nil {
		m.kept = m.room
		copy(m.kept, m.held)
	}
	return end
}

func (m *Machine) endKeeping(end compute.Mark) {
	m.kept = nil
	m.engine.Release(end)
}

// Hold lets the sweeps of s until LetGo go on with the overlaps of layers coupled to themselves,
// which a scan leaves as those of the spins that it drew, and with what offsets add to fields: products
// less in each sweep. No parameter may change, and s by sweeps alone. Rounding moves a held overlap by some 1e-6 of its size in a sweep, so it
// is to be let go after some dozens.
func (m *Machine) Hold(s State) (begin compute.Mark) {
	begin = m.engine.Mark()
	m.couplings.Hold()
	clear(m.holding)
	for l, self := range m.self {
		if self {
			m.held = m.holding
			m.held[l] = m.couplings.Overlap(s[l], l)
		}
	}
	return begin
}

// LetGo ends what Hold began.
func (m *Machine) LetGo(begin compute.Mark) {
	m.held = nil
	m.couplings.LetGo()
	m.engine.Release(begin)
}

// SampleRight draws the layers on the right side of the data view given those on the left, as a
// sweep does first.
func (m *Machine) SampleRight(s State, law Law) {
	for _, l := range m.view.Right {
		m.Sample(s, l, law)
	}
}

// Mean sets dst (Float32) to the mean of each spin of layer l given all others in s: tanh of the
// fields, and of a Gaussian layer the fields themselves at every Beta, as Sample has it.
func (m *Machine) Mean(dst compute.Matrix, s State, l int, law Law) {
	then := m.epilogue(compute.Tanh, l, law)
	if m.graph.Layers[l].Kind == Gaussian {
		then.Kind, then.Scale = compute.Store, compute.Matrix{}
	}
	m.Fields(dst, s, l, then)
}

// Sweep draws every layer once: those on the right side of the data view, the others on the left,
// and the visible one last. In a restricted machine it is the hidden layer given the visible one
// and then the visible given the hidden.
func (m *Machine) Sweep(s State, law Law) {
	end := m.keep()
	m.SampleRight(s, law)
	if law.Back {
		m.Sample(s, Visible, law)
	}
	m.sampleLeft(s, law)
	if !law.Back {
		m.Sample(s, Visible, law)
	}
	m.endKeeping(end)
}

// SweepHidden draws every hidden layer once, those of the visible one held, in the order of Sweep.
func (m *Machine) SweepHidden(s State, law Law) {
	end := m.keep()
	m.SampleRight(s, law)
	m.sampleLeft(s, law)
	m.endKeeping(end)
}

// sampleLeft draws the hidden layers on the left side of the data view, the visible one being the
// first there.
func (m *Machine) sampleLeft(s State, law Law) {
	hidden := m.view.Left[1:]
	for i := range hidden {
		l := hidden[i]
		if law.Back {
			l = hidden[len(hidden)-1-i]
		}
		m.Sample(s, l, law)
	}
}

// SweepFrom is Sweep of the rows of s from the continuous patterns in place of the spins, each of
// which it sets: row 0 from pattern number first. No layer may be coupled to itself.
func (m *Machine) SweepFrom(s State, a *Axons, first int, law Law) {
	from := m.filled
	for l := range from {
		from[l] = a.Patterns(l).Value.Slice(first, first+s.Rows())
	}
	for _, l := range m.view.Right {
		from[l] = s[l]
		m.Sample(from, l, law)
	}
	for _, l := range m.view.Left[1:] {
		from[l] = s[l]
		m.Sample(from, l, law)
	}
	from[Visible] = s[Visible]
	m.Sample(from, Visible, law)
}
