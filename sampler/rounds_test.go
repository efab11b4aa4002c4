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

// Rounds of Metropolis steps alone: what is known of a chain is carried from one to the next without a Gibbs sweep that
// begins it anew. A density of the mixture that an exchange leaves as it was drifts.
func TestGuidedRoundsWithoutGibbs(t *testing.T) {
	for _, i := range []int{4, 7} {
		small := check.SmallMachines(engine(t, 2), 5, 4, 51)[i]
		g := newGuided(t, small.Machine, sampler.Round{Mixture: 1, Exchange: 1})
		check.NoDrift(t, small.Machine, func(s bm.State, law bm.Law) { g.Move(s, law, 5) })
		if st := g.Stats(); st.Mixture.Accepted == 0 || st.Exchange.Accepted == 0 {
			t.Errorf("%s: %+v", small.Name, st)
		}
	}
}

// In strong fields the components are cut at a mean that still flips sometimes, and so has to be their normalisation:
// that of the fields before the cut drifts in these two machines by a chi-square of over 200.
func TestMixtureOfStrongFields(t *testing.T) {
	e := engine(t, 2)
	for _, c := range []struct {
		key  rng.Key
		kind int
		gain float64
	}{{53, 7, 5}, {56, 6, 3}} {
		r := check.SmallMachines(e, 5, 4, c.key)[c.kind].Machine
		r.Couplings().(*bm.Axons).SetGain(c.gain)
		g := newGuided(t, r, sampler.Round{Mixture: 1})
		check.NoDrift(t, r, func(s bm.State, law bm.Law) { g.Move(s, law, 4) })
		if g.Stats().Mixture.Rate() < 0.5 {
			t.Errorf("%+v: proposals %+v", c, g.Stats().Mixture)
		}
	}
}

// Over many rounds what the independent rung passes on reaches the target. Taken for a machine, in whose
// law it is not, it would change that.
func TestTrajectoryIndependentRungOverRounds(t *testing.T) {
	e := engine(t, 2)
	r, early := check.SmallMachines(e, 5, 4, 61)[7].Machine, check.SmallMachines(e, 5, 4, 61)[7].Machine
	for _, m := range []*bm.Machine{r, early} { // strong enough for a sweep not to make good what an exchange did
		m.Couplings().(*bm.Axons).SetGain(3.5)
	}
	check.NoDrift(t, r, func(s bm.State, law bm.Law) {
		x, err := sampler.NewTrajectory([]*bm.Machine{early, r}, true)
		if err != nil {
			t.Fatal(err)
		}
		x.Start(s[:1])
		host, rows := readLaw(r, law, s.Rows()), s.Rows()
		row, one := func(i int) int { return i }, func(int) float64 { return 1 }
		compute.Write(e, x.At(1)[bm.Visible], exactVisible(early, host, row, one, rows, 71))
		compute.Write(e, x.At(2)[bm.Visible], exactVisible(early, host, row, func(int) float64 { return 0 }, rows, 72))
		x.Move(s, law, 6)
	})
}

// The last of n sweeps is at the end of the schedule, the first at 1/n of the way.
func TestAnnealingSchedule(t *testing.T) {
	r := check.SmallMachines(engine(t, 1), 3, 2, 75)[0].Machine
	var shares []float64
	sampler.NewAnnealing(r, func(share float64) float64 {
		shares = append(shares, share)
		return share
	}).Move(sampler.Chains(r, 1), bm.Law{}, 4)
	if want := []float64{0.25, 0.5, 0.75, 1}; !slices.Equal(shares, want) {
		t.Errorf("sweeps at %v of the way, want %v", shares, want)
	}
}

// A mean taken from few values is part of their fluctuations: without the correction for it the time of 100 values comes out by a
// third too short, in a window that takes in all of the correlation.
func TestAutocorrelationOfFewValues(t *testing.T) {
	const repeats, rho = 4000, 0.5
	want := (1. + rho) / (1 - rho) / 2
	var sum, square float64
	for i := range repeats {
		x := sampler.TimeOfWindow(autoregressive(1, 100, rho, 3, rng.Key(1000+i)), 8)
		sum += x / repeats
		square += x * x / repeats
	}
	stderr := math.Sqrt((square - sum*sum) / repeats)
	t.Logf("%.4f(%.4f), want %.4f", sum, stderr, want)
	if math.Abs(sum-want) > 5*stderr+0.03*want { // 3 per cent for the tail that the window leaves out
		t.Errorf("time %.4f(%.4f), want %.4f", sum, stderr, want)
	}
}
