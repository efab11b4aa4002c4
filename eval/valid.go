package eval

import (
	"context"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
)

// validShare is the share of samples that are images of the data's family (Bars,
// BAS), whether or not they are in the training set. The standard error is over samples.
func validShare(ctx context.Context, s Subject, o Options) (Result, error) {
	t, err := s.tally(ctx, o.Samples)
	if err != nil {
		return Result{}, err
	}
	p := float64(t.valid) / float64(o.Samples.Chains)
	return Result{
		Value: p, Stderr: math.Sqrt(p * (1 - p) / float64(o.Samples.Chains)),
		N: o.Samples.Chains, Detail: t.detail(),
	}, nil
}

// tally counts the samples that are images of a family.
type tally struct {
	of    tallied
	valid int // samples that are images
	seen  int // distinct images among them
	size  int // images of the family
}

// tallied is what a tally depends on beside the parameters.
type tallied struct {
	SampleOptions
	set string
	key rng.Key
}

func (t *tally) detail() map[string]any {
	from := t.of.From
	if t.of.set != "" {
		from = t.of.set
	}
	return map[string]any{
		"valid": t.valid, "seen": t.seen, "images": t.size,
		"chains": t.of.Chains, "sweeps": t.of.Sweeps, "from": from,
	}
}

// tally returns the counts of the samples, from the memo if it has these.
func (s Subject) tally(ctx context.Context, o SampleOptions) (*tally, error) {
	v := s.Machine.Layers()[bm.Visible]
	of, start, err := s.sampling(o)
	if err != nil {
		return nil, err
	}
	if t := s.Memo.tally; t != nil && t.of == of {
		return t, nil
	}
	family := s.Split.Family
	t := &tally{of: of, size: family.Size()}
	seen := make(map[int]bool)
	err = s.run(ctx, chains{
		key: s.Key.Fold(purposeSamples).Fold(1), n: o.Chains, sweeps: o.Sweeps, start: start,
		look: func(_ int, st bm.State) {
			x := make([]int8, st[bm.Visible].Len())
			s.Machine.Engine().Read(x, st[bm.Visible])
			for i := range st.Rows() {
				if n := family.Index(x[i*v : (i+1)*v]); n >= 0 {
					t.valid++
					seen[n] = true
				}
			}
		},
	})
	if err != nil {
		return nil, err
	}
	t.seen = len(seen)
	s.Memo.tally = t
	return t, nil
}

// dataStart returns a start from the rows of the set in turn, in an order chosen by the key: no prefix of a set stands
// for the whole.
func (s Subject) dataStart(set *data.Set, key rng.Key) func(first int, visible compute.Matrix) {
	order := make([]int32, set.Rows)
	data.Order(order, key)
	return func(first int, visible compute.Matrix) {
		x := make([]int8, 0, visible.Len())
		for i := range visible.Rows() {
			x = append(x, set.Row(int(order[(first+i)%set.Rows]))...)
		}
		s.Machine.Engine().Write(visible, x)
	}
}
