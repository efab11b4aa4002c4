package eval

import (
	"context"
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
)

// The ways to the free energy F(v) = -log sum over hidden layers of exp(-E).
const (
	FreeSummedOut   = "summed out" // in closed form: every hidden layer meets the visible one alone
	FreeListed      = "listed"     // exact, over all states of hidden layers that meet each other
	FreeMeanField   = "mean field" // variational, from above
	FreeByAnnealing = "annealing"  // annealed importance sampling with v held, from above in expectation
)

// listedHidden returns how many hidden spins are listed for each exact F(v), and how many others
// are summed out.
func listedHidden(m *bm.Machine) (listed, others int) {
	v, sizes := m.View(), m.Layers()
	for _, l := range v.Left[1:] {
		listed += sizes[l]
	}
	for _, l := range v.Right {
		others += sizes[l]
	}
	return listed, others
}

// freeListable returns an error unless exact free energies of any row can be had, and how many
// terms a row has.
func freeListable(m *bm.Machine) (terms float64, err error) {
	listed, others := listedHidden(m)
	if listed > exact.MostSpins {
		return 0, fmt.Errorf("%d hidden spins that meet each other would have to be listed for each row, at most %d can be", listed, exact.MostSpins)
	}
	return math.Exp2(float64(listed)) * float64(max(1, others)), nil
}

// exactFree reports whether exact free energies of so many rows are affordable.
func exactFree(m *bm.Machine, rows int) bool {
	if m.SumsOut() {
		return true
	}
	terms, err := freeListable(m)
	return err == nil && terms*float64(rows) <= affordable(m)
}

// bestWay returns the best way to F(v) of so many rows that needs no random numbers.
func bestWay(m *bm.Machine, rows int) string {
	switch {
	case m.SumsOut():
		return FreeSummedOut
	case exactFree(m, rows):
		return FreeListed
	}
	return FreeMeanField
}

// FreeEnergies returns F(v) of rows of visible spins in kT and the way to them: exact ones where
// they are affordable, and else those of mean-field theory, which lie above. Of rows with gaps,
// spins 0, it is that of what is known: exact where the sum over at most MostMissing missing
// entries is affordable, and else annealed. progress, which may be nil, is told the rows done.
func FreeEnergies(ctx context.Context, m *bm.Machine, rows []int8, progress func(rows int)) (f []float64, way string, err error) {
	v := m.Layers()[bm.Visible]
	n := len(rows) / v
	way = bestWay(m, n)
	if progress == nil {
		progress = func(int) {}
	}
	if missing := missingOf(rows, v); missing != nil {
		c := clampedAISDefaults
		h := Held{Machine: m, Runs: c.Runs, Betas: c.Betas, Sweeps: c.Sweeps, MeanField: meanFieldDefaults}
		f, annealed, _, err := freeOfGaps(ctx, h, rows, missing, progress)
		if way = FreeKnown; annealed > 0 {
			way = FreeByAnnealing
		}
		return f, way, err
	}
	f = make([]float64, n)
	_, err = freeBy(ctx, m, way, meanFieldDefaults, f, rows, progress)
	return f, way, err
}

// freeBy sets f to F(v) of the rows by one of the ways that need no random numbers. moving is how
// many rows of mean field have not settled.
func freeBy(ctx context.Context, m *bm.Machine, way string, o MeanFieldOptions, f []float64, rows []int8, progress func(done int)) (moving int, err error) {
	e, v := m.Engine(), m.Layers()[bm.Visible]
	step := rowsAtOnce(m)
	if way == FreeListed { // parts of a second or so
		terms, err := freeListable(m)
		if err != nil {
			return 0, err
		}
		step = max(1, int(1e8/terms))
	}
	for first := 0; first < len(f); first += step {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n := min(step, len(f)-first)
		part, own := rows[first*v:(first+n)*v], f[first:first+n]
		if way == FreeListed {
			if err := exact.FreeEnergies(m, own, part); err != nil {
				return 0, err
			}
			progress(first + n)
			continue
		}
		mark := e.Mark()
		x, sum := e.Scratch(compute.Int8, n, v), e.Scratch(compute.Float64, n, 1)
		compute.Write(e, x, part)
		if way == FreeSummedOut {
			m.Energy(sum, bm.State{x}, bm.Law{})
		} else {
			s, left := meansOf(m, x, o)
			moving += left
			m.Bound(sum, s)
		}
		compute.Read(e, own, sum)
		e.Release(mark)
		progress(first + n)
	}
	return moving, e.Sync()
}
