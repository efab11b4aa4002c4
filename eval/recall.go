package eval

import (
	"cmp"
	"context"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/sampler"
)

// RecallOptions set the protocol of associative memory.
type RecallOptions struct {
	// Flips is the share of each row's pixels that are flipped before the descent.
	Flips float64 `yaml:"flips"`
	// Sweeps bounds a descent; chains of Hopfield machines settle in some dozens.
	Sweeps int `yaml:"sweeps"`
	// Rows bounds the rows that are recalled, chosen by the key where a set has more.
	Rows int `yaml:"rows"`
}

var recallDefaults = RecallOptions{Flips: 0, Sweeps: 1000, Rows: 1000}

func (o RecallOptions) check() error {
	return cmp.Or(inRange("flips", o.Flips, 0, 1), inRange("sweeps", o.Sweeps, 1, most), inRange("rows", o.Rows, 1, most))
}

// recall is the share of pixels that differ from a row after a descent at zero temperature from the
// row itself, of which so many pixels are flipped that their share is the nearest to recall.flips.
// Pixels of a row's negative, where a symmetric machine may end as well, are wrong. Label spins are
// not set at first and count for nothing. detail.alpha is the load, the rows of the training set
// over the visible spins, at which 5 % wrong pixels are the capacity.
func recall(ctx context.Context, s Subject, o Options) (Result, error) {
	set, err := s.set()
	if err != nil {
		return Result{}, err
	}
	r := o.Recall
	rows := s.rows(set, r.Rows)
	e, v, pixels := s.Machine.Engine(), set.Visible, set.Pixels()
	flips, key := data.Flips(r.Flips, pixels), s.Key.Fold(purposeRecall)
	ofRow := make([]float64, len(rows))
	wrong, whole, settled, sweeps := 0, 0, 0, 0
	for first := 0; first < len(rows); first += s.part() {
		n := min(s.part(), len(rows)-first)
		x := make([]int8, n*v)
		for i := range n {
			data.Flip(x[i*v:][:pixels], set.Row(int(rows[first+i])), r.Flips, key.Fold(uint64(rows[first+i])))
		}
		mark := e.Mark()
		state := s.Machine.Scratch(n)
		compute.Write(e, state[bm.Visible], x)
		stop, end := sampler.Stopping(ctx)
		last, ends := sampler.Descend(s.Machine, state, bm.Law{Stop: stop}, r.Sweeps)
		end()
		if err := ctx.Err(); err != nil {
			e.Release(mark)
			return Result{}, err
		}
		settled, sweeps = settled+ends, max(sweeps, slices.Max(last))
		compute.Read(e, x, state[bm.Visible])
		e.Release(mark)
		for i := range n {
			off := 0
			for j, is := range set.Row(int(rows[first+i]))[:pixels] {
				if x[i*v+j] != is {
					off++
				}
			}
			if off == 0 {
				whole++
			}
			wrong += off
			ofRow[first+i] = float64(off) / float64(pixels)
		}
		s.tell(first+n, len(rows))
	}
	value, stderr := meanOf(ofRow)
	if flips == 0 && len(rows) == set.Rows { // nothing is left to chance
		stderr = 0
	}
	detail := map[string]any{"rows": len(rows), "flips": flips, "wrong_bits": wrong, "recalled": float64(whole) / float64(len(rows)),
		"settled": float64(settled) / float64(len(rows)), "sweeps": sweeps}
	if t := s.Split.Train; t != nil {
		detail["alpha"] = float64(t.Rows) / float64(v)
	}
	return Result{Value: value, Stderr: stderr, N: len(rows), Detail: detail}, nil
}
