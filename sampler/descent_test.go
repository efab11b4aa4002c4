package sampler_test

import (
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

// spinwise is a descent spin by spin in float64, in the order of a sweep: v, which is set, and
// layers that are not.
func spinwise(m *bm.Machine, s [][]int8, clamp []int8, sweeps int) (last int) {
	x, view := check.ExactOf(m), m.View()
	for sweep := 1; sweep <= sweeps; sweep++ {
		for _, l := range append(append(slices.Clone(view.Right), view.Left[1:]...), bm.Visible) {
			for i, old := range s[l] {
				now := old
				switch f := x.Field(s, l, i); {
				case f > 1e-6, now == 0 && f >= -1e-6:
					now = 1
				case f < -1e-6:
					now = -1
				}
				if l == bm.Visible && clamp[i] != 0 {
					now = clamp[i]
				}
				if s[l][i] = now; now != old && slices.Contains(view.Left, l) {
					last = sweep
				}
			}
		}
	}
	return last
}

// Descents of every topology are those of a loop over the spins in float64: from set and unset visible spins, with clamped ones,
// and over part of the sweeps. Spins of a layer that are set at once, fields of spins as they were, a spin that
// leaves a field of 0, and hidden spins that enter before they are set do not pass.
func TestDescentIsSpinBySpin(t *testing.T) {
	e := engine(t, 2)
	machines := check.Machines(e, 84)
	for _, n := range []int{10, 11} { // sums of few patterns of +-1 are often 0, and 1/n is no power of two
		a := bm.NewAxons(e, bm.Full(n, 0), 2, false)
		a.Bernoulli(1, rng.Key(uint64(n)))
		a.SetGain(1.4142135623730951 / float64(n))
		machines = append(machines, check.Small{Name: "ties", Machine: bm.New(e, a)})
	}
	ties := 0
	for _, small := range machines {
		m := small.Machine
		if slices.ContainsFunc(m.Graph().Layers, func(l bm.Layer) bool { return l.Kind == bm.Gaussian }) {
			continue
		}
		v := m.Layers()[bm.Visible]
		for _, sweeps := range []int{1, 2, 50} {
			const rows = 64
			s, clamp := sampler.Chains(m, rows), e.Alloc(compute.Int8, rows, v)
			start, fixed := make([]int8, rows*v), make([]int8, rows*v)
			for i := range start {
				start[i] = int8(rng.Key(5).Intn(3, 0, uint64(i))) - 1
				if i < rows*v/2 { // half of the rows are set
					start[i] = 2*int8(rng.Key(5).Intn(2, 1, uint64(i))) - 1
				}
				if i/v%4 == 3 {
					fixed[i] = start[i] * int8(i%2)
				}
			}
			compute.Write(e, s[bm.Visible], start)
			compute.Write(e, clamp, fixed)
			for _, l := range m.View().Right { // nothing is to be read here
				compute.Write(e, s[l], slices.Repeat([]int8{-1}, s[l].Len()))
			}
			last, settled := sampler.Descend(m, s, bm.Law{Clamp: bm.State{clamp}}, sweeps)
			got, left := spins(e, s[bm.Visible]), 0
			for r := range rows {
				want := make([][]int8, len(s))
				for l, n := range m.Layers() {
					want[l] = make([]int8, n)
				}
				copy(want[bm.Visible], start[r*v:][:v])
				first := slices.Clone(want[bm.Visible])
				n := spinwise(m, want, fixed[r*v:][:v], sweeps)
				if !slices.Equal(got[r*v:][:v], want[bm.Visible]) || last[r] != n {
					t.Fatalf("%s, %d sweeps, row %d from %v: %v after sweep %d, want %v after %d", small.Name, sweeps, r, first, got[r*v:][:v], last[r], want[bm.Visible], n)
				}
				if n == sweeps {
					left++
				}
				for i := range first {
					if small.Name == "ties" && first[i] < 0 && math.Abs(check.ExactOf(m).Field([][]int8{first}, bm.Visible, i)) < 1e-6 {
						ties++
					}
				}
			}
			if sweeps < 50 && settled != rows-left || sweeps == 50 && settled != rows {
				t.Errorf("%s: %d of %d settled, %d flipped in the last of %d sweeps", small.Name, settled, rows, left, sweeps)
			}
		}
	}
	if ties == 0 {
		t.Error("no row began where the field on a spin is 0: the test sees no ties")
	}
}

// Gaussian layers take their fields: a descent of a hybrid machine only lowers the energy, and ends where no spin flips by itself.
func TestDescentOfGaussianLayers(t *testing.T) {
	e := engine(t, 1)
	for _, small := range check.Machines(e, 85) {
		m := small.Machine
		if !slices.ContainsFunc(m.Graph().Layers, func(l bm.Layer) bool { return l.Kind == bm.Gaussian }) {
			continue
		}
		s := sampler.Chains(m, 32)
		sampler.Randomize(m, s, bm.Law{Key: 3})
		if _, n := sampler.Descend(m, s, bm.Law{}, sampler.MostDescents); n != 32 {
			t.Errorf("%s: %d of 32 chains settled", small.Name, n)
		}
		again := spins(e, s[bm.Visible])
		if last, _ := sampler.Descend(m, s, bm.Law{}, 3); slices.Max(last) != 0 || !slices.Equal(again, spins(e, s[bm.Visible])) {
			t.Errorf("%s: it went on after it had settled", small.Name)
		}
	}
}
