package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/exact"
)

// Rows with gaps: spins 0 are entries that are not known. The free energy of such a row is that of
// what is known, -log sum over what is missing of exp(-F(v)), so that F + log Z is minus the
// logarithm of the probability of the known entries.

// MostMissing is the most missing entries of a row that are summed over exactly.
const MostMissing = 20

// FreeKnown is the way to F of rows with gaps: exact sums over the missing entries.
const FreeKnown = "missing entries summed over"

// missingOf returns the number of missing entries of each row, nil where no row lacks any.
func missingOf(rows []int8, visible int) []int {
	if !slices.Contains(rows, 0) {
		return nil
	}
	var missing []int
	for row := range slices.Chunk(rows, visible) {
		n := 0
		for _, x := range row {
			if x == 0 {
				n++
			}
		}
		missing = append(missing, n)
	}
	return missing
}

// summable returns the most missing entries of a row that are summed over exactly, -1 for none at
// all: MostMissing, or fewer where the sums of all rows together would take too long.
func summable(m *bm.Machine, missing []int) int {
	terms := float64(max(1, slices.Max(m.Layers())))
	if !m.SumsOut() {
		each, err := freeListable(m)
		if err != nil {
			return -1
		}
		terms = each
	}
	count := make([]float64, MostMissing+1)
	for _, n := range missing {
		if n <= MostMissing {
			count[n]++
		}
	}
	sum := 0.0
	for n, rows := range count {
		if sum += rows * math.Exp2(float64(n)) * terms; sum > affordable(m) {
			return n - 1
		}
	}
	return MostMissing
}

// knownFree sets f to the free energies of rows by sums over what is missing.
func knownFree(ctx context.Context, m *bm.Machine, f []float64, rows []int8, missing []int, progress func(done int)) error {
	v := m.Layers()[bm.Visible]
	way := FreeSummedOut
	if !m.SumsOut() {
		way = FreeListed
	}
	const most = 1 << 14
	var whole []int8 // completed rows, and which they complete
	var of []int
	energies := make([]float64, most)
	sums := make([]exact.LogSum, len(f))
	flush := func() error {
		if _, err := freeBy(ctx, m, way, meanFieldDefaults, energies[:len(of)], whole, func(int) {}); err != nil {
			return err
		}
		for i, row := range of {
			sums[row].Add(-energies[i])
		}
		whole, of = whole[:0], of[:0]
		return nil
	}
	for i := range f {
		row := rows[i*v : (i+1)*v]
		for state := range uint64(1) << missing[i] {
			at := 0
			for _, x := range row {
				if x == 0 {
					x = int8(state>>at&1)*2 - 1
					at++
				}
				whole = append(whole, x)
			}
			if of = append(of, i); len(of) == most {
				if err := flush(); err != nil {
					return err
				}
				progress(i)
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for i := range f {
		f[i] = -sums[i].Log()
	}
	progress(len(f))
	return nil
}

// freeOfGaps returns the free energies of rows with gaps: by sums where these are affordable, and
// of the others by annealing of the missing entries and the hidden layers with what is known held.
func freeOfGaps(ctx context.Context, h Held, rows []int8, missing []int, progress func(done int)) (f []float64, annealed int, least float64, err error) {
	v := h.Machine.Layers()[bm.Visible]
	most := summable(h.Machine, missing)
	parts := [2]struct {
		of      []int
		rows    []int8
		missing []int
	}{}
	for i, n := range missing {
		p := &parts[0]
		if n > most {
			p = &parts[1]
		}
		p.of, p.rows, p.missing = append(p.of, i), append(p.rows, rows[i*v:(i+1)*v]...), append(p.missing, n)
	}
	f = make([]float64, len(missing))
	put := func(of []int, from []float64) {
		for i, row := range of {
			f[row] = from[i]
		}
	}
	sums := make([]float64, len(parts[0].of))
	if len(sums) > 0 {
		if err := knownFree(ctx, h.Machine, sums, parts[0].rows, parts[0].missing, progress); err != nil {
			return nil, 0, 0, err
		}
		put(parts[0].of, sums)
	}
	least = math.Inf(1)
	if len(parts[1].of) > 0 {
		h.Progress = func(share float64) { progress(len(sums) + int(share*float64(len(parts[1].of)))) }
		other, _, ess, err := h.FreeEnergies(ctx, parts[1].rows)
		if err != nil {
			return nil, 0, 0, err
		}
		put(parts[1].of, other)
		least = slices.Min(ess)
	}
	return f, len(parts[1].of), least, nil
}

// freeKnown returns the mean of F over rows of a set with gaps: all of it where exact sums are
// affordable, and else as many as annealing with the visible layer held looks at.
func (s Subject) freeKnown(ctx context.Context, o Options) (freeMean, error) {
	set, err := s.set()
	if err != nil {
		return freeMean{}, err
	}
	spins := set.Spins[:set.Rows*set.Visible]
	missing := missingOf(spins, set.Visible)
	if slices.Max(missing) > summable(s.Machine, missing) {
		spins = set.Take(s.rows(set, o.ClampedAIS.Rows)).Spins
		if missing = missingOf(spins, set.Visible); missing == nil {
			missing = make([]int, len(spins)/set.Visible)
		}
	}
	h := s.heldBy(o)
	f, annealed, ess, err := freeOfGaps(ctx, h, spins, missing, func(done int) { s.tell(done, len(missing)) })
	if err != nil {
		return freeMean{}, err
	}
	x := freeMean{rows: len(f), way: FreeKnown, detail: map[string]any{"missing": sum(missing), "annealed_rows": annealed}}
	x.mean, x.stderr = meanOf(f)
	if annealed > 0 {
		x.way = FreeByAnnealing
		x.detail["clamped_runs"], x.detail["clamped_betas"], x.detail["clamped_ess"] = h.Runs, h.Betas, ess
		if ess < LeastSilent(h.Runs) {
			x.warnings = append(x.warnings, fmt.Sprintf("AIS with what is known held: few runs carry the weight of a row (ESS %.1f of %d at least)", ess, h.Runs))
		}
	}
	return x, nil
}

func sum(counts []int) (all int) {
	for _, n := range counts {
		all += n
	}
	return all
}

// whole is for measures of rows without gaps.
func whole(can func(Subject, Options) error) func(Subject, Options) error {
	return func(s Subject, o Options) error {
		set, err := s.set()
		if err != nil {
			return err
		}
		if set.Gaps() {
			return &NoValue{fmt.Sprintf("the %s set has missing entries, and this measure wants whole rows; take nll", s.SetName)}
		}
		return can(s, o)
	}
}
