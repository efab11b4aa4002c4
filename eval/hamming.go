package eval

import (
	"cmp"
	"context"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
)

// HammingOptions set the released protocol; its single step is no option.
type HammingOptions struct {
	// Draws is the number of reconstructions of each row.
	Draws int `yaml:"draws"`
	// Rows bounds the rows that are reconstructed, chosen by the key where a set has more. Bars is
	// always taken whole. The time grows with rows times draws, the memory with neither.
	Rows int `yaml:"rows"`
}

var hammingDefaults = HammingOptions{Draws: 100, Rows: 1000} // 100 draws are the released ones

func (o HammingOptions) check() error {
	return cmp.Or(inRange("draws", o.Draws, 1, most), inRange("rows", o.Rows, 1, most))
}

// hamming is the released program's reconstruction error: the known pixels of
// a row are kept, the others start at 0, one Gibbs step v -> h -> v with
// nothing clamped redraws all of them, and |difference|/2 is averaged over all pixels and draws.
func hamming(ctx context.Context, s Subject, o Options) (Result, error) {
	r := reconstruction{key: purposeHamming, draws: o.Hamming.Draws, rows: o.Hamming.Rows, sweeps: 1}
	return r.measure(ctx, s)
}

// reconstruction is a protocol of redrawing the unknown pixels of a row.
type reconstruction struct {
	key         uint64 // purpose
	draws, rows int
	sweeps      int
	clamp       bool
}

// measure returns the share of pixels that differ from the row, over all pixels, label spins being
// unknown and none of them; detail.unknown is that over the unknown pixels alone. The standard
// error is over draws, the rows being what they are, or over rows where they are a choice from a
// larger set or drawn once each; that over rows holds the noise of the draws. Missing entries of
// rows have no truth to differ from and do not count.
func (r reconstruction) measure(ctx context.Context, s Subject) (Result, error) {
	set, err := s.set()
	if err != nil {
		return Result{}, err
	}
	rows := s.rows(set, r.rows)
	e, v, pixels := s.Machine.Engine(), set.Visible, set.Pixels()
	ofRow, ofDraw := make([]float64, len(rows)), make([]float64, r.draws) // pixels that differ
	var unknownOff, unknown float64                                       // those among the unknown pixels, and their number
	has, all := make([]int, len(rows)), 0                                 // pixels that a row has
	for i, row := range rows {
		for _, x := range set.Row(int(row))[:pixels] {
			has[i] += int(x) * int(x)
		}
		all += has[i]
	}

	// Chain i is draw i%draws of row i/draws.
	known, begin := make([]bool, v), make([]int8, v)
	at := -1 // the row that known and begin are of
	turn := func(i int) (row []int8, place int) {
		place = i / r.draws
		row = set.Row(int(rows[place]))
		if place != at {
			at = place
			set.Known(int(rows[place]), known)
			data.Corrupt(begin, row, known)
		}
		return row, place
	}
	var spins []int8
	host := func(n int) []int8 {
		if cap(spins) < n*v {
			spins = make([]int8, n*v)
		}
		return spins[:n*v]
	}
	err = s.run(ctx, chains{
		key: s.Key.Fold(r.key), n: len(rows) * r.draws, sweeps: r.sweeps, clamp: r.clamp,
		start: func(first int, visible compute.Matrix) {
			x := host(visible.Rows())
			for i := range visible.Rows() {
				turn(first + i)
				copy(x[i*v:], begin)
			}
			compute.Write(e, visible, x)
		},
		look: func(first int, st bm.State) {
			n := st.Rows()
			x := host(n)
			compute.Read(e, x, st[bm.Visible])
			for i := range n {
				row, place := turn(first + i)
				off, offUnknown, open := 0, 0, 0
				for j, d := range x[i*v : i*v+pixels] {
					miss := 0
					if row[j] == 0 {
						continue
					}
					if d != row[j] {
						miss = 1
					}
					off += miss
					if !known[j] {
						offUnknown += miss
						open++
					}
				}
				ofRow[place] += float64(off)
				ofDraw[(first+i)%r.draws] += float64(off)
				unknownOff += float64(offUnknown)
				unknown += float64(open)
			}
		},
	})
	if err != nil {
		return Result{}, err
	}
	for i := range ofRow {
		ofRow[i] /= float64(r.draws * max(1, has[i]))
	}
	for i := range ofDraw {
		ofDraw[i] /= float64(max(1, all))
	}
	over, terms := "draws", ofDraw
	if len(rows) < set.Rows || r.draws == 1 {
		over, terms = "rows", ofRow
	}
	_, stderr := meanOf(terms)
	value, _ := meanOf(ofRow)
	return Result{Value: value, Stderr: stderr, N: len(rows) * r.draws, Detail: map[string]any{
		"rows": len(rows), "draws": r.draws, "sweeps": r.sweeps,
		"unknown": unknownOff / max(1, unknown), "stderr_over": over,
	}}, nil
}
