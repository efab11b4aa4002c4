package train

import (
	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/negative"
)

// Estimator returns the estimator of the model average: of the first of this process's shards where
// there are several.
func (t *Trainer) Estimator() negative.Estimator {
	if t.Shards != nil {
		return t.Shards.Estimators[0]
	}
	return t.Negative
}

// chainsOfAll returns what a checkpoint keeps of the estimators of all shards: matrices with a row a
// chain are copies, the rows of all shards in their order, and others those of the first shard
// here, which all have alike.
func (t *Trainer) chainsOfAll() ([]bm.Param, error) {
	list := t.Shards.Estimators
	all := list[0].State()
	for i, p := range all {
		if !p.Divided {
			continue
		}
		parts := make([]compute.Matrix, len(list))
		for j, n := range list {
			parts[j] = n.State()[i].Value
		}
		x, err := t.gatherRows(parts, compute.Matrix{})
		if err != nil {
			return nil, err
		}
		all[i].Value = x
	}
	return all, nil
}

// Restored tells the trainer that the values of a State of its own have been set: those of several
// shards are copies, from which each takes its rows.
func (t *Trainer) Restored(state []bm.Param) {
	if t.Shards == nil {
		return
	}
	e := t.Machine.Engine()
	first, _ := t.Shards.Comm.Own(t.Shards.Count)
	for i, n := range t.Shards.Estimators {
		for _, own := range n.State() {
			for _, p := range state {
				if p.Name != own.Name || p.Value == own.Value {
					continue
				}
				from := p.Value
				if p.Divided {
					at := (first + i) * own.Value.Rows()
					from = from.Slice(at, at+own.Value.Rows())
				}
				e.Copy(own.Value, from)
			}
		}
	}
}

// bringTogether returns the configurations that the estimators of all shards have drawn, in the order
// of the shards, or none where they are no sample of the model. Where Shards.Visible they are the
// visible layer alone.
func (t *Trainer) bringTogether() (bm.Batch, error) {
	s := &t.sharded
	if k := t.Estimator().Kind(); k == negative.Exact || k == negative.Conditional {
		return bm.Batch{}, nil
	}
	if s.whole == nil {
		s.whole = make(bm.State, len(t.Machine.Layers()))
	}
	parts := make([]compute.Matrix, len(s.drawn))
	for l := range s.whole {
		if t.Shards.Visible && l != bm.Visible {
			continue
		}
		for i, b := range s.drawn {
			parts[i] = b.State.Layer(l)
		}
		x, err := t.gatherRows(parts, s.whole[l])
		if err != nil {
			return bm.Batch{}, err
		}
		s.whole[l] = x
	}
	return bm.Batch{State: s.whole, Marginal: true}, nil
}

// gatherRows returns the rows of the parts of all processes, one after the other: room, where that
// is as large. Parts may be no matrix, and without any the result is none.
func (t *Trainer) gatherRows(parts []compute.Matrix, room compute.Matrix) (compute.Matrix, error) {
	c, e := t.Shards.Comm, t.Machine.Engine()
	shape := make([]int64, 3*c.Size()) // of each rank: rows, columns, type
	own := shape[3*c.Rank():][:3]
	for _, x := range parts {
		if !x.IsNone() {
			own[0], own[1], own[2] = own[0]+int64(x.Rows()), int64(x.Cols()), int64(x.Type())
		}
	}
	sizes := make([]int, c.Size())
	for r := range sizes {
		sizes[r] = 3
	}
	if err := comm.Gather(c, shape, own, sizes); err != nil {
		return compute.Matrix{}, err
	}
	rows, cols, kind := 0, 0, compute.None
	for r := range sizes {
		x := shape[3*r:][:3]
		if x[0] > 0 {
			rows, cols, kind = rows+int(x[0]), int(x[1]), compute.Type(x[2])
		}
		sizes[r] = int(x[0] * x[1])
	}
	if kind == compute.None {
		return compute.Matrix{}, nil
	}
	if room.Rows() != rows || room.Cols() != cols || room.Type() != kind {
		room = e.Alloc(kind, rows, cols)
	}
	switch kind {
	case compute.Int8:
		return room, gather[int8](c, e, room, parts, sizes)
	case compute.Float64:
		return room, gather[float64](c, e, room, parts, sizes)
	}
	return room, gather[float32](c, e, room, parts, sizes)
}

// gather sets dst to the parts of all ranks, sizes[r] entries of rank r.
func gather[T compute.Entry](c *comm.Comm, e compute.Engine, dst compute.Matrix, parts []compute.Matrix,
	sizes []int) error {
	all, at := make([]T, dst.Len()), 0
	for _, n := range sizes[:c.Rank()] {
		at += n
	}
	own := all[at : at+sizes[c.Rank()]]
	at = 0
	for _, x := range parts {
		if !x.IsNone() {
			compute.Read(e, own[at:at+x.Len()], x)
			at += x.Len()
		}
	}
	if err := comm.Gather(c, all, own, sizes); err != nil {
		return err
	}
	compute.Write(e, dst, all)
	return nil
}
