// Package sampler implements chains that move under the law of a machine.
package sampler

import "mattis/bm"

// Gibbs moves the chains of s by so many sweeps v -> h -> v. The numbers of
// sweep i come from law.Key.Fold(i). It leaves the machine's distribution
// unchanged: clamped spins stay, the others follow the conditional law.
func Gibbs(m *bm.Machine, s bm.State, law bm.Law, sweeps int) {
	key := law.Key
	begin := m.Hold(s)
	defer func() { m.LetGo(begin) }()
	for i := range sweeps {
		if law.Stopped() {
			break
		}
		if i > 0 && i%heldSweeps == 0 {
			m.LetGo(begin)
			begin = m.Hold(s)
		}
		law.Key = key.Fold(uint64(i))
		m.Sweep(s, law)
	}
}

// heldSweeps is how many sweeps go on with overlaps that scans have updated.
const heldSweeps = 32

// Chains allocates n configurations of all layers of m, all 0.
func Chains(m *bm.Machine, n int) bm.State {
	return m.State(n)
}

// Randomize sets the layers of s on the left side of the data view to fair coins, as far as s has
// them: those that a sweep does not draw before it reads them.
func Randomize(m *bm.Machine, s bm.State, law bm.Law) {
	for _, l := range m.View().Left {
		if x := s.Layer(l); !x.IsNone() {
			key := law.Key
			if l != bm.Visible {
				key = key.Fold(uint64(l))
			}
			m.Engine().Spins(x, key, law.Row, 0)
		}
	}
}

// Kept returns what a checkpoint has to keep of chains: their layers on the left side of the data
// view, chains.NAME each. A sweep draws the others from them.
func Kept(m *bm.Machine, s bm.State) []bm.Param {
	var p []bm.Param
	for _, l := range m.View().Left {
		p = append(p, bm.Param{Name: "chains." + m.Graph().Layers[l].Name, Value: s[l], Divided: true})
	}
	return p
}
