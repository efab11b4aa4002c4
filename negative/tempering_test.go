package negative_test

import (
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/rng"
	"mattis/sampler"
)

// equilibrium sets the chains of an estimator to v, which is in equilibrium. The warmer replicas of
// tempering are taken there by Gibbs sweeps: a small warm machine forgets its start at a factor of 2 a sweep or faster.
func equilibrium(r *bm.Machine, n negative.Estimator, chains, v compute.Matrix) {
	e := r.Engine()
	t, ok := n.(*negative.Tempering)
	if !ok {
		e.Copy(chains, v.Slice(v.Rows()-chains.Rows(), v.Rows())) // the first ones are for chains that start from the batch
		return
	}
	betas := negative.Replicas(t).Betas()
	rows, rungs := make([]int32, chains.Rows()), len(betas)
	beta := make([]float32, chains.Rows())
	for i := range rows {
		rows[i], beta[i] = int32(i/rungs), float32(betas[i%rungs])
	}
	e.Gather(chains, v, rows)
	law := bm.Law{Beta: e.Alloc(compute.Float32, chains.Rows(), 1), Key: 91}
	compute.Write(e, law.Beta, beta)
	s := sampler.Chains(r, chains.Rows())
	e.Copy(s[bm.Visible], chains)
	sampler.Gibbs(r, s, law, 12)
	e.Copy(chains, s[bm.Visible])
	for i := range rows { // rung 0 is as it was given
		if i%rungs == 0 {
			e.Copy(chains.Slice(i, i+1), v.Slice(i/rungs, i/rungs+1))
		}
	}
}

// Tempering starts from coins, goes on from draw to draw, and goes on from its State alone.
func TestTemperingPersists(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 5, 41)[7].Machine
	betas := []float64{1, 0.5, 0}
	build := func(key rng.Key) *negative.Tempering {
		n, err := negative.NewTempering(r, betas, 500, 3, key)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n, straight := build(1), build(1)
	var ups float64
	for _, x := range spins(e, n.State()[0].Value) {
		ups += float64(x)
	}
	if math.Abs(ups) > 5*math.Sqrt(500*3*6) { // 5 standard errors
		t.Errorf("the replicas do not start from coins: they sum to %v", ups)
	}
	for i := range 4 {
		key := rng.Key(2).Fold(uint64(i))
		if i == 2 {
			fresh := build(7)
			for j, p := range fresh.State() {
				e.Copy(p.Value, n.State()[j].Value)
			}
			n = fresh
		}
		got, want := n.Draw(bm.Batch{}, key), straight.Draw(bm.Batch{}, key)
		for l := range 2 {
			if !slices.Equal(spins(e, got.State[l]), spins(e, want.State[l])) {
				t.Fatalf("draw %d: layer %d does not go on from draw %d", i, l, i-1)
			}
		}
	}
	rungs := floats(e, n.State()[1].Value)
	if moved := slices.ContainsFunc(rungs, func(x float64) bool { return x != 0 }) && rungs[0]+rungs[1]+rungs[2] == 3; !moved {
		t.Errorf("rungs %v", rungs[:9])
	}
	if st := negative.Replicas(n).Stats(); st.Rounds != 6 || st.Swaps[0].Accepted+st.Swaps[1].Accepted == 0 {
		t.Errorf("stats %+v", st)
	}
	if _, err := negative.NewTempering(r, []float64{1, 2}, 5, 1, 1); err == nil || err.Error() != "inverse temperature 1 of the ladder is 2 after 1, want falling ones" {
		t.Errorf("error %v", err)
	}
}

// A draw of tempering or annealing allocates nothing.
func TestReplicasAllocateNothing(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 12, 10, 42)[7].Machine
	tempering, err := negative.NewTempering(r, []float64{1, 0.5, 0}, 20, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []negative.Estimator{tempering, negative.NewAnnealing(r, 20, 5)} {
		var key rng.Key
		draw := func() { key++; n.Draw(bm.Batch{}, key) }
		draw()
		if a := testing.AllocsPerRun(10, draw); a != 0 {
			t.Errorf("%T: %v allocations a draw", n, a)
		}
	}
}

// Annealed chains are drawn anew: from the key alone, cooled as the sampler cools them.
func TestAnnealingDrawsAnew(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 5, 43)[7].Machine
	const chains = 500 // so many that a schedule that ends at another temperature turns some spin
	n := negative.NewAnnealing(r, chains, 4)
	n.Draw(bm.Batch{}, 1)
	got := n.Draw(bm.Batch{}, 2)
	want := sampler.Chains(r, chains)
	sampler.NewAnnealing(r, sampler.Linear(0, 1)).Move(want, bm.Law{Key: 2}, 4)
	for l := range 2 {
		if !slices.Equal(spins(e, got.State[l]), spins(e, want[l])) {
			t.Errorf("layer %d differs from cooling by the key", l)
		}
	}
	if len(n.State()) != 0 || !got.Marginal || !got.Weights.IsNone() {
		t.Errorf("state %v, marginal %v, weights %v", n.State(), got.Marginal, got.Weights)
	}
}
