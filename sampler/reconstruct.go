package sampler

import (
	"mattis/bm"
	"mattis/compute"
)

// Reconstruct draws the unknown visible spins of s, those that are 0, given
// the known ones, which stay: Gibbs sweeps with the known spins clamped. Unknown spins count as
// 0 in the first fields.
func Reconstruct(m *bm.Machine, s bm.State, law bm.Law, sweeps int) {
	e := m.Engine()
	mark := e.Mark()
	v := s[bm.Visible]
	known := e.Scratch(compute.Int8, v.Rows(), v.Cols())
	e.Copy(known, v)
	law.Clamp = bm.State{known}
	m.Clear(s)
	Gibbs(m, s, law, sweeps)
	e.Release(mark)
}
