package sampler_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/sampler"
)

// Slow cooling from coins ends near the law of a small machine that is not cold: the
// mean energy agrees within 5 standard errors (probability 6e-7). At once, it would be far off.
func TestAnnealingCools(t *testing.T) {
	const chains = 4096
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 5, 71)[7].Machine
	mean := func(sweeps int, law bm.Law) (m, stderr float64) {
		s := sampler.Chains(r, chains)
		law.Key = 3
		sampler.NewAnnealing(r, sampler.Linear(0, 1)).Move(s, law, sweeps)
		f := e.Alloc(compute.Float64, chains, 1)
		r.Energy(f, s, bm.Law{})
		x := make([]float64, chains)
		compute.Read(e, x, f)
		for _, y := range x {
			m += y / chains
		}
		for _, y := range x {
			stderr += (y - m) * (y - m) / chains / chains
		}
		return m, math.Sqrt(stderr)
	}
	var want, z float64
	logZ := check.LogZ(r)
	v, h := make([]int8, 6), make([]int8, 5)
	for s := range uint64(1 << 11) {
		exact.SetState(v, s)
		exact.SetState(h, s>>6)
		en := check.Energy(r, v, h)
		p := math.Exp(-en - logZ)
		want += p * en
		z += p
	}
	if math.Abs(z-1) > 1e-6 {
		t.Fatalf("probabilities sum to %v", z)
	}
	if got, stderr := mean(60, bm.Law{}); math.Abs(got-want) > 5*stderr {
		t.Errorf("mean energy %.3f(%.3f) after 60 sweeps, exactly %.3f", got, stderr, want)
	}
	zero := e.Alloc(compute.Float32, chains, 1)
	if got, stderr := mean(60, bm.Law{Beta: zero}); math.Abs(got-want) < 5*stderr {
		t.Errorf("mean energy %.3f(%.3f) at inverse temperature 0: the law's Beta is ignored", got, stderr)
	}
}

// Annealed chains keep their clamped spins at every sweep count, and depend on their key and place alone.
func TestAnnealingClampsByPlace(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 12, 9, 72)[7].Machine
	clamp := e.Alloc(compute.Int8, 7, 12)
	e.Spins(clamp.Columns(2, 6), 5, 0, 0)
	fixed := spins(e, clamp)
	for _, sweeps := range []int{0, 1, 5} {
		whole, parts := sampler.Chains(r, 7), sampler.Chains(r, 7)
		law := bm.Law{Key: 4, Clamp: bm.State{clamp}}
		a := sampler.NewAnnealing(r, sampler.Geometric(0.01, 1))
		a.Move(whole, law, sweeps)
		a.Move(parts.Slice(0, 3), bm.Law{Key: 4, Clamp: bm.State{clamp.Slice(0, 3)}}, sweeps)
		a.Move(parts.Slice(3, 7), bm.Law{Key: 4, Row: 3, Clamp: bm.State{clamp.Slice(3, 7)}}, sweeps)
		for l := range 2 {
			got := spins(e, whole[l])
			if !slices.Equal(got, spins(e, parts[l])) {
				t.Errorf("%d sweeps: layer %d in parts differs", sweeps, l)
			}
			for i, c := range fixed {
				if l == bm.Visible && c != 0 && got[i] != c {
					t.Fatalf("%d sweeps: clamped spin %d is %d, want %d", sweeps, i, got[i], c)
				}
			}
			if slices.Contains(got, 0) {
				t.Errorf("%d sweeps: spins of 0 in layer %d", sweeps, l)
			}
		}
	}
}

// The search finds the ground state of every small machine, and of each the
// one that agrees with clamped spins.
func TestGroundState(t *testing.T) {
	e := engine(t, 2)
	for _, small := range check.SmallMachines(e, 8, 5, 73) {
		r := small.Machine
		for _, clamped := range []bool{false, true} {
			o := sampler.Search{Chains: 32, Sweeps: 50, Key: 6}
			fixed := [2][]int8{make([]int8, 8), make([]int8, 5)}
			if clamped {
				fixed[0][1], fixed[0][4], fixed[1][2] = 1, -1, 1
				o.Clamp = bm.State{e.Alloc(compute.Int8, 1, 8), e.Alloc(compute.Int8, 1, 5)}
				compute.Write(e, o.Clamp[0], fixed[0])
				compute.Write(e, o.Clamp[1], fixed[1])
			}
			agrees := func(x []int8, l int) bool {
				for i, c := range fixed[l] {
					if c != 0 && c != x[i] {
						return false
					}
				}
				return true
			}
			best := math.Inf(1)
			all(8, func(v []int8) {
				all(5, func(h []int8) {
					if agrees(v, 0) && agrees(h, 1) {
						best = min(best, check.Energy(r, v, h))
					}
				})
			})
			g := sampler.GroundState(r, o)
			if math.Abs(g.Energy-best) > 1e-5 || math.Abs(check.Energy(r, g.Layers[0], g.Layers[1])-g.Energy) > 1e-5 {
				t.Errorf("%s, clamped %v: energy %.6f of %v %v, want %.6f", small.Name, clamped, g.Energy, g.Layers[0], g.Layers[1], best)
			}
			if !agrees(g.Layers[0], 0) || !agrees(g.Layers[1], 1) {
				t.Errorf("%s: clamped spins moved: %v %v", small.Name, g.Layers[0], g.Layers[1])
			}
			if g.Settled != 32 || g.Chains < 1 || g.Chains > 32 {
				t.Errorf("%s: %+v", small.Name, g)
			}
		}
	}
}

func all(n int, f func(x []int8)) {
	x := make([]int8, n)
	for s := range uint64(1) << n {
		exact.SetState(x, s)
		f(x)
	}
}

// A descent ends where no spin wants to flip, also where half of the fields are 0.
func TestDescendSettlesOnTies(t *testing.T) {
	e := engine(t, 1)
	r := memories(e, 16, 16, 2, 1) // two patterns: fields of +-2 and 0
	s := sampler.Chains(r, 50)
	sampler.Randomize(r, s, bm.Law{Key: 7})
	if _, n := sampler.Descend(r, s, bm.Law{}, sampler.MostDescents); n != 50 {
		t.Errorf("%d of 50 chains settled", n)
	}
	v, h := spins(e, s[0]), spins(e, s[1])
	for i := range 50 {
		at := check.Energy(r, v[i*16:][:16], h[i*16:][:16])
		for l, x := range [][]int8{v[i*16:][:16], h[i*16:][:16]} {
			for j := range x {
				x[j] *= -1
				if flipped := check.Energy(r, v[i*16:][:16], h[i*16:][:16]); flipped < at-1e-4 {
					t.Fatalf("chain %d: flipping spin %d of layer %d lowers the energy from %v to %v", i, j, l, at, flipped)
				}
				x[j] *= -1
			}
		}
	}
}

// The ground states of one pattern are the pattern and its negative, at -V H g.
func ExampleGroundState() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(30, 20, false), 1, false)
	a.Bernoulli(1, 1)
	a.SetGain(0.5)
	g := sampler.GroundState(bm.New(e, a, false, false), sampler.Search{Key: 1})
	fmt.Printf("%.3f in %d of 64 chains\n", g.Energy, g.Chains)
	// Output:
	// -300.000 in 64 of 64 chains
}
