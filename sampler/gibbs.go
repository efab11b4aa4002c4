// Package sampler implements chains that move under the law of a machine.
package sampler

import (
	"mattis/bm"
	"mattis/compute"
)

// Gibbs moves the chains of s by so many sweeps v -> h -> v. The numbers of
// sweep i come from law.Key.Fold(i). It leaves the machine's distribution
// unchanged: clamped spins stay, the others follow the conditional law.
func Gibbs(m *bm.Machine, s bm.State, law bm.Law, sweeps int) {
	key := law.Key
	for i := range sweeps {
		if law.Stopped() {
			return
		}
		law.Key = key.Fold(uint64(i))
		m.Sweep(s, law)
	}
}

// Chains allocates n configurations of all layers of m, spins undefined but 0.
func Chains(m *bm.Machine, n int) bm.State {
	s := make(bm.State, 0, 2)
	for _, spins := range m.Layers() {
		s = append(s, m.Engine().Alloc(compute.Int8, n, spins))
	}
	return s
}

// Randomize sets the visible spins of s to fair coins.
func Randomize(m *bm.Machine, s bm.State, law bm.Law) {
	m.Engine().Spins(s[bm.Visible], law.Key, law.Row, 0)
}
