package sampler

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/rng"
)

// LadderOptions say how a ladder of temperatures is adapted.
type LadderOptions struct {
	Hottest float64 // last inverse temperature; 0, the default, draws independent spins
	Target  float64 // swap probability of each pair; 0 means 0.4, where round trips are about fastest for their cost
	Most    int     // rungs at most; 0 means 64
	Ladders int     // replicas of each rung that the rates are measured on; 0 means 8
	Rounds  int     // sweeps before each change of the ladder; 0 means 100
	Changes int     // of the ladder; 0 means 8
}

// Ladder is the outcome of an adaptation: a ladder that is fixed from then on.
type Ladder struct {
	Betas []float64  // inverse temperatures, falling from 1
	Swaps []SwapRate // measured on it
}

// AdaptLadder returns inverse temperatures from 1 down whose neighbours exchange at the target
// rate, measured by chains of its own. Rejection rates add up along a ladder to a sum that hardly
// depends on where its rungs are (Syed et al. 2022), so rungs are set at equal parts of it, and as
// many as the target asks for. It is a phase of its own: tempering over the returned ladder never
// changes it and stays stationary. A clamp of law has to be one row for all (Repeat).
func AdaptLadder(m *bm.Machine, o LadderOptions, law bm.Law) (Ladder, error) {
	for _, d := range []struct {
		dst     *int
		value   int
		name    string
		atLeast int
	}{{&o.Most, 64, "Most", 2}, {&o.Ladders, 8, "Ladders", 1}, {&o.Rounds, 100, "Rounds", 4}, {&o.Changes, 8, "Changes", 1}} {
		if *d.dst == 0 {
			*d.dst = d.value
		}
		if *d.dst < d.atLeast {
			return Ladder{}, fmt.Errorf("ladder: %s is %d, want at least %d", d.name, *d.dst, d.atLeast)
		}
	}
	if o.Target == 0 {
		o.Target = 0.4
	}
	if !(o.Target > 0 && o.Target < 1) {
		return Ladder{}, fmt.Errorf("ladder: Target is %v, want a probability between 0 and 1", o.Target)
	}
	if !(o.Hottest >= 0 && o.Hottest < 1) {
		return Ladder{}, fmt.Errorf("ladder: Hottest is %v, want an inverse temperature from 0 to below 1", o.Hottest)
	}
	if !law.Beta.IsNone() {
		return Ladder{}, fmt.Errorf("ladder: adaptation measures at the law's own temperature, leave Beta out")
	}
	for l := range law.Clamp {
		if c := law.Clamp[l]; !c.IsNone() {
			if c.Stride() != 0 && c.Rows() != 1 {
				return Ladder{}, fmt.Errorf("ladder: the clamp differs from row to row, want one row for all")
			}
			law.Clamp = append(bm.State(nil), law.Clamp...)
			law.Clamp[l] = c.Slice(0, 1).Repeat(o.Ladders)
		}
	}
	betas := firstLadder(o)
	var old *Tempering
	var seen []barrier
	for change := 0; ; change++ {
		t, err := NewTempering(m, betas)
		if err != nil {
			return Ladder{}, err
		}
		key := law.Key.Fold(uint64(change))
		t.inherit(old, o.Ladders, key.Fold(0))
		part := law
		part.Key = key.Fold(1)
		t.Advance(part, o.Rounds/2)
		t.ResetStats()
		part.Key = key.Fold(2)
		t.Advance(part, o.Rounds-o.Rounds/2)
		if law.Stopped() {
			return Ladder{}, fmt.Errorf("ladder: stopped while it was adapted")
		}
		swaps := t.Stats().Swaps
		if change == o.Changes {
			return Ladder{Betas: betas, Swaps: swaps}, nil
		}
		seen = append(seen, newBarrier(betas, swaps))
		betas, old = respace(seen[max(0, len(seen)-averaged):], o), t
	}
}

// firstLadder returns up to 16 rungs: geometric steps down to 1/1000, then the hottest.
func firstLadder(o LadderOptions) []float64 {
	n := min(o.Most, 16)
	least := max(o.Hottest, 1e-3)
	betas := make([]float64, n)
	for r := range betas {
		betas[r] = math.Pow(least, float64(r)/float64(n-1))
	}
	betas[n-1] = o.Hottest
	return betas
}

// inherit starts the ladders from fair coins, or each rung from the nearest one of another ladder.
func (t *Tempering) inherit(old *Tempering, ladders int, key rng.Key) {
	n := ladders * len(t.betas)
	s := Chains(t.machine, n)
	Randomize(t.machine, s, bm.Law{Key: key})
	t.Start(s[:1], ladders)
	e, left := t.machine.Engine(), t.machine.View().Left
	if old == nil {
		for _, l := range left {
			e.Copy(t.replicas[l], s[l])
		}
		return
	}
	old.readRungs()
	rows := make([]int32, n)
	for i := range rows {
		b, best := t.betas[i%len(t.betas)], 0
		for k, x := range old.betas {
			if math.Abs(x-b) < math.Abs(old.betas[best]-b) {
				best = k
			}
		}
		rows[i] = old.at[i/len(t.betas)*len(old.betas)+best]
	}
	for _, l := range left {
		e.Gather(t.replicas[l], old.replicas[l], rows)
	}
}

// averaged is how many of the last ladders the next one is made from: rates are noisy, and
// linear only between near rungs.
const averaged = 3

// barrier is the sum of the rejection rates from inverse temperature 1 down to each rung.
type barrier struct{ betas, sum []float64 }

func newBarrier(betas []float64, swaps []SwapRate) barrier {
	sum := make([]float64, len(betas))
	for r, s := range swaps {
		// A pair that never rejects still has a distance; the least keeps the sum rising.
		sum[r+1] = sum[r] + max(1-s.Chance, 1e-3)
	}
	return barrier{betas, sum}
}

// at returns the sum down to b, which is taken as linear between rungs.
func (x barrier) at(b float64) float64 {
	r := 1
	for r < len(x.betas)-1 && x.betas[r] > b {
		r++
	}
	f := (x.betas[r-1] - b) / (x.betas[r-1] - x.betas[r])
	return x.sum[r-1] + f*(x.sum[r]-x.sum[r-1])
}

// respace returns as many rungs as the target asks for, at equal parts of the mean of the barriers.
func respace(seen []barrier, o LadderOptions) []float64 {
	var grid []float64
	for _, x := range seen {
		grid = append(grid, x.betas...)
	}
	slices.SortFunc(grid, func(a, b float64) int { return cmp.Compare(b, a) })
	grid = slices.Compact(grid)
	mean := make([]float64, len(grid))
	for i, b := range grid {
		for _, x := range seen {
			mean[i] += x.at(b) / float64(len(seen))
		}
	}
	total := mean[len(mean)-1]
	n := min(o.Most, max(2, 1+int(math.Ceil(total/(1-o.Target)))))
	next := make([]float64, n)
	next[0], next[n-1] = grid[0], grid[len(grid)-1]
	at := 0
	for r := 1; r < n-1; r++ {
		x := total * float64(r) / float64(n-1)
		for mean[at+1] < x {
			at++
		}
		f := (x - mean[at]) / (mean[at+1] - mean[at])
		next[r] = grid[at] + f*(grid[at+1]-grid[at])
	}
	return next
}
