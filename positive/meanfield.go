package positive

import (
	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// MeanField has the means of independent hidden spins that stand for p(h|v), those of the highest
// bound that is reached from 0. It is exact where the hidden layers sum out.
type MeanField struct {
	machine   *bm.Machine
	steps     int
	tolerance float64
	means     bm.State
	views     bm.State
}

// NewMeanField returns the estimator with at most so many sweeps of a row, fewer where its means
// move by less than the tolerance in one.
func NewMeanField(m *bm.Machine, steps int, tolerance float64) *MeanField {
	return &MeanField{machine: m, steps: steps, tolerance: tolerance, means: make(bm.State, len(m.Layers())), views: make(bm.State, len(m.Layers()))}
}

// Draw returns the rows with the means of the hidden layers.
func (p *MeanField) Draw(v compute.Matrix, _ []int32, _ rng.Key) bm.Batch {
	n := v.Rows()
	p.views[bm.Visible] = v
	for l, size := range p.machine.Layers() {
		if l == bm.Visible {
			continue
		}
		if p.means[l].Rows() < n {
			p.means[l] = p.machine.Engine().Alloc(compute.Float32, n, size)
		}
		p.views[l] = p.means[l].Slice(0, n)
	}
	p.machine.MeanField(p.views, p.steps, p.tolerance)
	return bm.Batch{State: p.views}
}

// State returns nothing: each draw starts from 0.
func (p *MeanField) State() []bm.Param { return nil }
