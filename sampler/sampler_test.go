package sampler_test

import (
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

// Every sampler of the table can be made by its name, moves chains, keeps clamped spins and leaves none unknown.
func TestSamplersByName(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 5, 81)[7].Machine
	earlier := check.SmallMachines(e, 6, 5, 82)[7].Machine
	for _, name := range sampler.Names() {
		x, err := sampler.New(name, r, sampler.Options{Earlier: []*bm.Machine{earlier}, Key: 1})
		if err != nil {
			t.Fatal(err)
		}
		s := sampler.Chains(r, 20)
		clamp := e.Alloc(compute.Int8, 20, 6)
		e.Spins(clamp.Columns(0, 2), 3, 0, 0)
		fixed := spins(e, clamp)
		e.Copy(s[bm.Visible], clamp)
		var last []int8
		for i := range 2 {
			x.Move(s, bm.Law{Key: rng.Key(2 + i), Clamp: bm.State{clamp}}, 4)
			got := spins(e, s[bm.Visible])
			if slices.Contains(got, 0) || slices.Contains(spins(e, s[bm.Hidden]), 0) {
				t.Errorf("%s: move %d leaves unknown spins", name, i)
			}
			for j, c := range fixed {
				if c != 0 && got[j] != c {
					t.Fatalf("%s: clamped spin %d is %d, want %d", name, j, got[j], c)
				}
			}
			if rests := name == "descent"; i > 0 && name != "annealing" && slices.Equal(got, last) != rests {
				t.Errorf("%s: nothing moves, or what came to rest does", name)
			}
			last = got
		}
	}
}

func TestSamplersRefuse(t *testing.T) {
	r := check.SmallMachines(engine(t, 1), 3, 3, 83)[0].Machine
	for _, c := range []struct {
		name string
		o    sampler.Options
		want string
	}{
		{"metropolis", sampler.Options{}, `sampler "metropolis" is unknown, want one of gibbs, tempering, annealing, guided, trajectory, descent`},
		{"guided", sampler.Options{}, "sampler guided: guided moves read the patterns of axons, and the couplings are dense; convert them or take tempering"},
		{"tempering", sampler.Options{Betas: []float64{1, 2}}, "sampler tempering: inverse temperature 1 of the ladder is 2 after 1, want falling ones"},
		{"trajectory", sampler.Options{}, "sampler trajectory: trajectory tempering needs earlier checkpoints of the run; set train.checkpoint.keep to keep more of them"},
	} {
		if _, err := sampler.New(c.name, r, c.o); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
