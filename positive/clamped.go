package positive

import (
	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
	"mattis/sampler"
)

// Clamped moves chains of the hidden layers by Gibbs sweeps while the visible layer is held, some
// for each row of the training set that go on from one of its batches to the next, or one that
// starts from fair coins each time. Where rows have gaps, spins 0, the chains draw these with the
// hidden layers, and what is known is held; gaps count as 0 in the first fields of restarted ones.
type Clamped struct {
	machine       *bm.Machine
	steps, chains int
	gaps          bool
	kept          bm.State       // training rows * chains of the layers that drawn returns; none of restarted chains
	state, views  bm.State       // of a batch
	known         compute.Matrix // of a batch with gaps: its rows, each as often as it has chains
	clamp         [1]compute.Matrix
	places, of    []int32 // of the chains of a batch: their rows in kept, and in the batch
}

// NewClamped returns the estimator with so many chains of each of the training set's rows, 0 for
// one that is restarted, and so many sweeps of each. Kept chains start from fair coins.
func NewClamped(m *bm.Machine, rows, chains, steps int, gaps bool, key rng.Key) *Clamped {
	c := &Clamped{machine: m, steps: steps, chains: chains, gaps: gaps}
	if chains > 0 {
		c.kept = make(bm.State, len(m.Layers()))
		for _, l := range c.drawn() {
			c.kept[l] = m.Engine().Alloc(compute.Int8, rows*chains, m.Layers()[l])
		}
		sampler.Randomize(m, c.kept, bm.Law{Key: key})
	}
	return c
}

// drawn returns the layers that a sweep reads before it draws them: those on the left side of the
// data view, the visible one where it has gaps.
func (c *Clamped) drawn() []int {
	left := c.machine.View().Left
	if c.gaps {
		return left
	}
	return left[1:]
}

// Draw returns the rows, each as often as it has chains, with their hidden layers and what they
// lack after the sweeps.
func (c *Clamped) Draw(v compute.Matrix, rows []int32, key rng.Key) bm.Batch {
	e, each := c.machine.Engine(), max(1, c.chains)
	persistent := c.chains > 0 && rows != nil
	n := v.Rows() * each
	if c.state.Rows() < n {
		c.state = c.machine.State(n)
		c.views = make(bm.State, len(c.machine.Layers()))
		if c.gaps {
			c.known = e.Alloc(compute.Int8, n, v.Cols())
		}
	}
	for l, x := range c.state {
		c.views[l] = x.Slice(0, n)
	}
	s := c.views
	c.places, c.of = c.places[:0], c.of[:0]
	for i := range v.Rows() {
		for k := range each {
			c.of = append(c.of, int32(i))
			if persistent {
				c.places = append(c.places, rows[i]*int32(each)+int32(k))
			}
		}
	}
	e.Gather(s[bm.Visible], v, c.of)
	if c.gaps {
		c.clamp[bm.Visible] = c.known.Slice(0, n)
		e.Copy(c.clamp[bm.Visible], s[bm.Visible])
	}
	if persistent {
		for _, l := range c.drawn() {
			e.Gather(s[l], c.kept[l], c.places)
		}
	} else {
		held := s[bm.Visible]
		s[bm.Visible] = compute.Matrix{} // Randomize leaves out what is not there
		sampler.Randomize(c.machine, s, bm.Law{Key: key})
		s[bm.Visible] = held
	}
	for i := range c.steps {
		law := bm.Law{Key: key.Fold(uint64(i))}
		if c.gaps {
			law.Clamp = c.clamp[:]
			c.machine.Sweep(s, law)
			continue
		}
		c.machine.SweepHidden(s, law)
	}
	if persistent {
		for _, l := range c.drawn() {
			for i, row := range c.places {
				e.Copy(c.kept[l].Slice(int(row), int(row)+1), s[l].Slice(i, i+1))
			}
		}
	}
	return bm.Batch{State: s, Marginal: true}
}

// State returns the chains of the training set's rows, positive.NAME of each layer that a sweep
// reads before it draws it.
func (c *Clamped) State() []bm.Param {
	var p []bm.Param
	if c.chains > 0 {
		for _, l := range c.drawn() {
			p = append(p, bm.Param{Name: "positive." + c.machine.Graph().Layers[l].Name, Value: c.kept[l]})
		}
	}
	return p
}
