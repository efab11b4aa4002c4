package eval

import (
	"cmp"
	"context"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/rng"
)

// SampleOptions set the samples that valid_share, coverage, overlap and ultrametricity look at:
// all see the same ones.
type SampleOptions struct {
	// Chains is the number of samples, the last configuration of a chain each.
	Chains int `yaml:"chains"`
	// Sweeps is the number of Gibbs sweeps of each chain. Samples are judged as they are after so
	// many, in equilibrium or not.
	Sweeps int `yaml:"sweeps"`
	// From is where chains start: random (fair coins) or data (the rows of the set, of train where
	// none is named, in turn and in an order chosen by the key).
	From string `yaml:"from"`
}

var sampleDefaults = SampleOptions{Chains: 400, Sweeps: 100, From: "random"}

func (o SampleOptions) check() error {
	return cmp.Or(inRange("chains", o.Chains, 1, most), inRange("sweeps", o.Sweeps, 1, most),
		oneOf("from", o.From, "no start of a chain", []string{"random", "data"}))
}

// validShare is the share of samples that are images of the data's family (Bars, BAS), whether or
// not they are in the training set. The standard error is over samples, and Detail.interval the 95
// % interval of Wilson (1927), also where none or all are valid and no standard error is known.
// Both are about samples after so many sweeps from Detail.from; Detail.mixing says whether that
// start is forgotten, so that they are samples of the machine.
func validShare(ctx context.Context, s Subject, o Options) (Result, error) {
	t, err := s.tally(ctx, o.Samples)
	if err != nil {
		return Result{}, err
	}
	p, stderr, interval := shareOf(t.valid, o.Samples.Chains)
	detail := t.detail()
	detail["interval"] = interval
	if err := s.addMixing(ctx, o.Samples, detail); err != nil {
		return Result{}, err
	}
	return Result{Value: p, Stderr: stderr, N: o.Samples.Chains, Detail: detail}, nil
}

// tally counts the samples that are images of a family.
type tally struct {
	of    tallied
	valid int // samples that are images
	seen  int // distinct images among them
	once  int // images that are seen once
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
	seen := make(map[int]int) // samples of each image
	err = s.run(ctx, chains{
		key: s.Key.Fold(purposeSamples).Fold(1), n: o.Chains, sweeps: o.Sweeps, start: start,
		look: func(_ int, st bm.State) {
			x := make([]int8, st[bm.Visible].Len())
			compute.Read(s.Machine.Engine(), x, st[bm.Visible])
			for i := range st.Rows() {
				if n := family.Index(x[i*v : (i+1)*v]); n >= 0 {
					t.valid++
					seen[n]++
				}
			}
		},
	})
	if err != nil {
		return nil, err
	}
	t.seen = len(seen)
	for _, n := range seen {
		if n == 1 {
			t.once++
		}
	}
	s.Memo.tally = t
	return t, nil
}

// dataStart returns a start from the rows of the set in turn, in an order chosen by the key: no
// prefix of a set stands for the whole.
func (s Subject) dataStart(set *data.Set, key rng.Key) func(first int, visible compute.Matrix) {
	order := make([]int32, set.Rows)
	data.Order(order, key)
	return func(first int, visible compute.Matrix) {
		x := make([]int8, 0, visible.Len())
		for i := range visible.Rows() {
			x = append(x, set.Row(int(order[(first+i)%set.Rows]))...)
		}
		compute.Write(s.Machine.Engine(), visible, x)
	}
}
