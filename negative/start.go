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
	Mean     From = "mean"     // independent visible spins with the means of the training set, and fair coins elsewhere
)

// Froms returns the places that chains can start from.
func Froms() []string { return []string{string(Uniform), string(Patterns), string(Rows), string(Mean)} }

// Begins returns those that chains can start from before there is a batch.
func Begins() []string { return []string{string(Uniform), string(Patterns), string(Mean)} }

// Start is where chains start.
type Start struct {
	From   From
	Fields compute.Matrix // of Mean alone: 1 x V Float32, those of the independent visible spins
}

// starter sets chains to where they start.
type starter struct {
	machine *bm.Machine
	axons   *bm.Axons
	Start
	rows   []int32        // of each chain that of its start
	others bm.State       // the layers beside the visible one
	ones   compute.Matrix // chains x 1 Float32, of Mean
	signs  bm.State       // 2K x N: the signs of the patterns on the left side of the data view, and their opposites
}

func newStarter(m *bm.Machine, at Start, chains int) (*starter, error) {
	s := &starter{machine: m, axons: m.Axons(), Start: at, rows: make([]int32, chains)}
	switch at.From {
	case Uniform, Rows:
	case Mean:
		if f := at.Fields; f.Rows() != 1 || f.Cols() != m.Layers()[bm.Visible] {
			return nil, fmt.Errorf("chains start from the mean law of %d visible spins, and its fields are %v", m.Layers()[bm.Visible], f)
		}
		s.ones = m.Engine().Alloc(compute.Float32, chains, 1)
		m.Engine().Fill(s.ones, 1)
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
		return nil, fmt.Errorf("chains cannot start from %q, want one of %v", at.From, Froms())
	}
	return s, nil
}

// start sets the layers of s that a sweep reads before it draws them.
func (st *starter) start(s bm.State, positive bm.Batch, key rng.Key) {
	e, rows := st.machine.Engine(), st.rows[:s.Rows()]
	switch st.From {
	case Uniform:
		sampler.Randomize(st.machine, s, bm.Law{Key: key})
	case Mean:
		st.others = append(st.others[:0], s...)
		st.others[bm.Visible] = compute.Matrix{}
		sampler.Randomize(st.machine, st.others, bm.Law{Key: key})
		e.Mul(s[bm.Visible], st.ones.Slice(0, len(rows)), st.Fields, compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin, Key: key}})
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

// begin sets chains that go on from draw to draw to where they begin.
func begin(m *bm.Machine, s bm.State, at Start, key rng.Key) error {
	if at.From == Rows {
		return fmt.Errorf("chains begin before there are rows of a batch: take one of %v", Begins())
	}
	st, err := newStarter(m, at, s.Rows())
	if err == nil {
		st.start(s, bm.Batch{}, key)
	}
	return err
}
