package negative

import (
	"fmt"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// From says where chains start that an estimator starts anew.
type From string

const (
	Uniform  From = "uniform"  // fair coins
	Patterns From = "patterns" // the signs of a pattern drawn at random, or their opposites
	Rows     From = "data"     // the rows of the batch, in its order, and again from its first
)

// Froms returns the places that chains can start from.
func Froms() []string { return []string{string(Uniform), string(Patterns), string(Rows)} }

// starter sets chains to where they start.
type starter struct {
	machine *bm.Machine
	axons   *bm.Axons
	from    From
	rows    []int32  // of each chain that of its start
	signs   bm.State // 2K x N: the signs of the patterns on the left side of the data view, and their opposites
}

func newStarter(m *bm.Machine, from From, chains int) (*starter, error) {
	s := &starter{machine: m, axons: m.Axons(), from: from, rows: make([]int32, chains)}
	switch from {
	case Uniform, Rows:
	case Patterns:
		if s.axons == nil {
			return nil, fmt.Errorf("chains start from patterns, and dense couplings have none: take %s or %s", Uniform, Rows)
		}
		s.signs = make(bm.State, len(m.Layers()))
		for _, l := range m.View().Left {
			if m.TypeOf(l) != compute.Int8 {
				return nil, fmt.Errorf("chains start from the signs of patterns, and the layer %s is Gaussian: take %s or %s", m.Graph().Layers[l].Name, Uniform, Rows)
			}
			s.signs[l] = m.Engine().Alloc(compute.Int8, 2*s.axons.K(), m.Layers()[l])
		}
	default:
		return nil, fmt.Errorf("chains cannot start from %q, want one of %v", from, Froms())
	}
	return s, nil
}

// start sets the layers of s that a sweep reads before it draws them.
func (st *starter) start(s bm.State, positive bm.Batch, key rng.Key) {
	e, rows := st.machine.Engine(), st.rows[:s.Rows()]
	switch st.from {
	case Uniform:
		sampler.Randomize(st.machine, s, bm.Law{Key: key})
	case Rows:
		v := positive.State[bm.Visible]
		for i := range rows {
			rows[i] = int32(i % v.Rows())
		}
		e.Gather(s[bm.Visible], v, rows)
		st.machine.Clear(s)
	case Patterns:
		k := st.axons.K()
		for i := range rows {
			rows[i] = min(int32(float64(2*k)*key.Uniform64(uint64(i), 0)), int32(2*k-1))
		}
		mark := e.Mark()
		for _, l := range st.machine.View().Left {
			x := st.axons.Patterns(l).Value
			opposite := e.Scratch(compute.Float32, k, x.Cols())
			e.Axpby(opposite, -1, x, 0)
			e.Sign(st.signs[l].Slice(0, k), x)
			e.Sign(st.signs[l].Slice(k, 2*k), opposite)
			e.Gather(s[l], st.signs[l], rows)
		}
		e.Release(mark)
	}
}
