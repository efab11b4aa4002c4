package eval

import (
	"cmp"

	"mattis/bm"
	"mattis/compute"
	"mattis/sampler"
)

// MeanFieldOptions set the mean field of hidden layers that do not sum out given the visible one:
// what nll_bound is made of, where annealing of them starts, and what probes read.
type MeanFieldOptions struct {
	Steps int `yaml:"steps"` // sweeps at most
	// Tolerance is the length of the change of a row's means in a sweep below which it has settled.
	Tolerance float64 `yaml:"tolerance"`
}

var meanFieldDefaults = MeanFieldOptions{Steps: 200, Tolerance: 1e-4}

func (o MeanFieldOptions) check() error {
	return cmp.Or(inRange("steps", o.Steps, 1, most), inRange("tolerance", o.Tolerance, 0, 1e6))
}

// meansOf returns the means of all hidden layers given the visible spins (BxV), scratch, and how
// many rows have not settled. The visible layer of the state is the rows themselves.
func meansOf(m *bm.Machine, visible compute.Matrix, o MeanFieldOptions) (s bm.State, moving int) {
	s = bm.State{visible}
	for _, n := range m.Layers()[1:] {
		s = append(s, m.Engine().Scratch(compute.Float32, visible.Rows(), n))
	}
	_, moving = m.MeanField(s, o.Steps, o.Tolerance)
	return s, moving
}

// HiddenMeans sets dst (BxN_l Float32) to the means of hidden layer l given the visible spins
// (BxV): exact ones where every hidden layer meets the visible one alone, those of mean-field
// theory elsewhere.
func HiddenMeans(m *bm.Machine, dst, visible compute.Matrix, l int) {
	mark := m.Engine().Mark()
	defer m.Engine().Release(mark)
	if m.SumsOut() {
		m.Mean(dst, bm.State{visible}, l, bm.Law{})
		return
	}
	s, _ := meansOf(m, visible, meanFieldDefaults)
	m.Engine().Copy(dst, s[l])
}

// heldSweeps are what draws of hidden layers that meet each other take, the visible spins held.
const heldSweeps = 20

// SampleHidden sets dst (BxN_l, of the layer's type) to a draw of hidden layer l given the visible
// spins (BxV): an independent one where every hidden layer meets the visible one alone, and the end
// of a chain of 20 sweeps with these held elsewhere.
func SampleHidden(m *bm.Machine, dst, visible compute.Matrix, l int, law bm.Law) {
	if m.SumsOut() {
		s := make(bm.State, len(m.Layers()))
		s[bm.Visible], s[l] = visible, dst
		m.Sample(s, l, law)
		return
	}
	e := m.Engine()
	mark := e.Mark()
	defer e.Release(mark)
	s := m.Scratch(visible.Rows())
	drawHidden(m, s, visible, law)
	e.Copy(dst, s[l])
}

// drawHidden sets the visible layer of s to the rows and draws the hidden ones by a chain with that
// held, from fair coins.
func drawHidden(m *bm.Machine, s bm.State, visible compute.Matrix, law bm.Law) {
	sampler.Randomize(m, s, bm.Law{Key: law.Key, Row: law.Row})
	s[bm.Visible] = visible
	key := law.Key
	for i := range heldSweeps {
		law.Key = key.Fold(uint64(i))
		if law.Clamp != nil {
			m.Sweep(s, law)
			continue
		}
		m.SweepHidden(s, law)
	}
}
