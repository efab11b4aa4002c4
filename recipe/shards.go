package recipe

import (
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/comm"
	"mattis/data"
	"mattis/rng"
	"mattis/train"
)

// part is one of so many parts of a negative phase, of which each shard of a batch has one.
type part struct{ at, of int }

var whole = part{0, 1}

// rows returns the rows [from, to) of n that are the part's.
func (p part) rows(n int) (from, to int) { return train.Part(n, p.of, p.at) }

// key returns the key of the part's chains.
func (p part) key(k rng.Key) rng.Key {
	if p == whole {
		return k
	}
	return k.Fold(uint64(p.at))
}

// part returns the negative phase with the chains of a part.
func (n Negative) part(of part) Negative {
	if n.Chains != nil {
		n.Chains = ptr(*n.Chains / of.of)
	}
	return n
}

// checkShards refuses what cannot be divided over the shards of a batch.
func (r *Recipe) checkShards() error {
	t, n, path := r.Train, r.Negative, "train.shards"
	s := t.Shards
	if err := atLeast(path, s, 1); err != nil {
		return err
	}
	if s > t.Batch {
		return wrong(path, "%d shards of batches of %d rows leave some without any; want at most train.batch", s, t.Batch)
	}
	if kind, _ := find(negatives, n.Kind); kind.whole && s > 1 {
		return wrong(path, "%d is out of range, want 1: negative.kind %s has one ladder, which cannot be divided over shards", s, n.Kind)
	}
	if n.Chains == nil {
		return nil
	}
	if c := *n.Chains; c%s != 0 {
		return wrong("negative.chains", "%d cannot be divided over the %d shards of train.shards: want a multiple, such as %d",
			c, s, (c/s+1)*s)
	}
	if f := n.renewal(); f%s != 0 {
		return wrong("negative.fresh.share", "%v of %d chains starts %d anew, which cannot be divided over the %d shards "+
			"of train.shards: want a multiple, such as a share of %v",
			*n.Fresh.Share, *n.Chains, f, s, float64(max(1, f/s)*s)/float64(*n.Chains))
	}
	return nil
}

// divides returns an error unless the processes can share the shards.
func (r *Recipe) divides(c *comm.Comm) error {
	s, p := r.Train.Shards, c.Size()
	if s%p == 0 {
		return nil
	}
	return r.origin.place(wrong("train.shards", "%d processes cannot share %d: their number has to divide it; "+
		"a new training takes --set train.shards=%d", p, s, (s/p+1)*p))
}

// shards returns the parts of the negative phase that are this process's.
func (r *Recipe) shards(c *comm.Comm, m *bm.Machine, set *data.Set) (*train.Shards, error) {
	count := r.Train.Shards
	s := &train.Shards{Count: count, Comm: c}
	kind, _ := find(negatives, r.Negative.Kind)
	for i := range count {
		of := part{i, count}
		switch {
		case kind.batch: // by the rows of the shard
		case kind.axons:
			from, to := of.rows(r.patterns())
			s.Shares = append(s.Shares, float64(to-from)/float64(r.patterns()))
		default:
			s.Shares = append(s.Shares, 1/float64(count))
		}
	}
	for from, to := c.Own(count); from < to; from++ {
		n, err := r.estimator(m, set, part{from, count})
		if err != nil {
			return nil, err
		}
		s.Estimators = append(s.Estimators, n)
	}
	r.showDraws(s)
	return s, nil
}

// showDraws lets the draws of all shards be shown where someone looks at them: method_accessibility
// at all layers, and unreached at what persistent chains hold, at measured epochs and the last.
func (r *Recipe) showDraws(s *train.Shards) {
	m := r.Measure
	looked := slices.Contains(slices.Concat(m.Test, m.Train, m.Last), ofDraw)
	if !looked && len(s.Estimators[0].State()) == 0 {
		return
	}
	s.Visible = !looked
	s.Shows = func(epoch int) bool { return epoch == r.Train.Epochs || m.Every > 0 && epoch%m.Every == 0 }
}

// sameStep returns an error where processes have found checkpoints of other updates than the first of
// them, -1 for none.
func sameStep(c *comm.Comm, dir string, step int) error {
	if c.Size() == 1 {
		return nil
	}
	first := []int64{int64(step)}
	if err := comm.Broadcast(c, first); err != nil {
		return err
	}
	found := func(step int64) string {
		if step < 0 {
			return "no checkpoint"
		}
		return fmt.Sprintf("the checkpoint of update %d", step)
	}
	var mine error
	if first[0] != int64(step) {
		mine = fmt.Errorf("%s: rank %d finds %s, rank 0 %s: all processes have to see one folder",
			dir, c.Rank(), found(int64(step)), found(first[0]))
	}
	if differ, err := c.Any(mine != nil); err != nil || !differ {
		return err
	}
	if mine == nil {
		mine = fmt.Errorf("%s: rank %d finds %s, and not all others do: all processes have to see one folder",
			dir, c.Rank(), found(int64(step)))
	}
	return mine
}
