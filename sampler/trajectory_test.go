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

// weaker returns a machine of r's kind and shape with all parameters times factor, as
// an earlier checkpoint has them.
func weaker(r *bm.Machine, like *bm.Machine, factor float64) *bm.Machine {
	for i, p := range like.Params() {
		if p.Name != "log_gain" && p.Name != "offset.visible" {
			r.Engine().Axpby(p.Value, factor, r.Params()[i].Value, 0)
		} else {
			r.Engine().Copy(p.Value, r.Params()[i].Value)
		}
	}
	return like
}

// With every rung in equilibrium the last machine stays in its law, whatever the law asks for.
func TestTrajectoryNoDrift(t *testing.T) {
	e := engine(t, 2)
	targets := check.SmallMachines(e, 5, 4, 61)
	likes := check.SmallMachines(e, 5, 4, 62)
	for _, i := range []int{2, 7} {
		r := targets[i].Machine
		early := weaker(r, likes[i].Machine, 0.6)
		t.Run(targets[i].Name, func(t *testing.T) {
			stationary(t, r, func(s bm.State, law bm.Law) {
				x, err := sampler.NewTrajectory([]*bm.Machine{early, r}, true)
				if err != nil {
					t.Fatal(err)
				}
				x.Start(s[:1])
				host, rows := readLaw(r, law, s.Rows()), s.Rows()
				for k, c := range []struct {
					machine *bm.Machine
					beta    float64
				}{{r, 1}, {early, 1}, {early, 0}} {
					if k > 0 { // rung 0 is s
						compute.Write(e, x.At(k)[bm.Visible], exactVisible(c.machine, host, func(i int) int { return i }, func(int) float64 { return c.beta }, rows, rng.Key(70+k)))
					}
				}
				x.Move(s, law, 2)
				for p, w := range x.Stats().Swaps {
					if w.Accepted == 0 {
						t.Errorf("pair %d: %+v", p, w)
					}
				}
			})
		})
	}
}

// A trajectory from an unfrozen machine to a frozen one carries chains over the barrier.
func TestTrajectoryMixes(t *testing.T) {
	const chains = 300
	e := engine(t, 2)
	var machines []*bm.Machine
	for _, g := range []float64{0.03, 0.06, 0.1, 0.15, 0.25, 0.4} {
		r, _ := frozen(e, g)
		machines = append(machines, r)
	}
	x, err := sampler.NewTrajectory(machines, true)
	if err != nil {
		t.Fatal(err)
	}
	if x.Rungs() != 7 {
		t.Errorf("%d rungs, want the six machines and an independent one", x.Rungs())
	}
	r := machines[5]
	s := sampler.Chains(r, chains)
	one := e.Alloc(compute.Int8, 1, 10)
	v := r.Axons().Patterns(bm.Visible)
	e.Sign(one, v.Value)
	e.Copy(s[bm.Visible], one.Repeat(chains))
	x.Move(s, bm.Law{Key: 1}, 150)
	n, pattern := 0, spins(e, one)
	for i, y := range spins(e, s[bm.Visible]) {
		if i%10 == 0 && y == pattern[0] {
			n++
		}
	}
	if math.Abs(float64(n)-chains/2) > 5*math.Sqrt(chains)/2 {
		t.Errorf("%d of %d chains are where they were, want half", n, chains)
	}
	if st := x.Stats(); st.RoundTrips == 0 || st.Rounds != 150 {
		t.Errorf("stats %+v", st)
	}
}

func TestTrajectoryByPlace(t *testing.T) {
	var want []int8
	for _, threads := range []int{1, 3} {
		e := engine(t, threads)
		var machines []*bm.Machine
		for _, g := range []float64{0.05, 0.1, 0.2} {
			r, _ := frozen(e, g)
			machines = append(machines, r)
		}
		run := func(from, to int) []int8 {
			x, _ := sampler.NewTrajectory(machines, false)
			s := sampler.Chains(machines[0], to-from)
			sampler.Randomize(machines[0], s, bm.Law{Key: 1, Row: uint64(from)})
			x.Move(s, bm.Law{Key: 2, Row: uint64(from)}, 6)
			return append(spins(e, s[0]), spins(e, s[1])...)
		}
		got := run(0, 5)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads: other spins", threads)
		}
		if part := run(2, 5); !slices.Equal(part[:30], want[20:50]) {
			t.Error("a part differs from the whole")
		}
	}
}

func TestTrajectoryRefuses(t *testing.T) {
	e := engine(t, 1)
	a := check.SmallMachines(e, 3, 3, 64)[0].Machine
	b := check.SmallMachines(e, 4, 3, 64)[0].Machine
	c := check.SmallMachines(engine(t, 1), 3, 3, 64)[0].Machine
	for _, x := range []struct {
		machines []*bm.Machine
		want     string
	}{
		{nil, "trajectory tempering has no machines"},
		{[]*bm.Machine{b, a}, "machine 0 of the trajectory has [4 3] spins, the last one [3 3]"},
		{[]*bm.Machine{a, c, a}, "machine 1 of the trajectory is on another engine than the last one"},
	} {
		if _, err := sampler.NewTrajectory(x.machines, true); err == nil || err.Error() != x.want {
			t.Errorf("%v, want %q", err, x.want)
		}
	}
}
