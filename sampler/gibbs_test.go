package sampler_test

import (
	"fmt"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

func engine(t *testing.T, threads int) *cpu.Engine {
	e := cpu.New(threads)
	t.Cleanup(e.Close)
	return e
}

func spins(e compute.Engine, m compute.Matrix) []int8 {
	x := make([]int8, m.Len())
	compute.Read(e, x, m)
	return x
}

// Every sampler, as a move of two sweeps. A new one goes here and passes unchanged.
var samplers = []struct {
	name string
	move func(m *bm.Machine, s bm.State, law bm.Law)
}{
	{"gibbs", func(m *bm.Machine, s bm.State, law bm.Law) { sampler.Gibbs(m, s, law, 2) }},
}

func TestNoDrift(t *testing.T) {
	for _, small := range check.SmallMachines(engine(t, 2), 5, 4, 21) {
		r := small.Machine
		for _, c := range samplers {
			t.Run(c.name+","+small.Name, func(t *testing.T) {
				check.NoDrift(t, r, func(s bm.State, law bm.Law) { c.move(r, s, law) }, check.Ensembles(r)...)
			})
		}
	}
}

// Chains that all start in one state end in the distribution: a sampler that stands still does not pass.
func TestGibbsReachesTheDistribution(t *testing.T) {
	r := check.SmallMachines(engine(t, 2), 4, 3, 22)[7].Machine
	err := check.Drift(r, check.Free(), func(s bm.State, law bm.Law) {
		for _, m := range s {
			r.Engine().Copy(m, m.Slice(0, 1).Repeat(m.Rows()))
		}
		sampler.Gibbs(r, s, law, 30)
	})
	if err != nil {
		t.Error(err)
	}
}

// The chains depend on their key and place alone: in parts as in one piece, on
// three threads as on one, and one sweep after the other as all at once.
func TestGibbsByPlace(t *testing.T) {
	const rows, sweeps = 37, 3
	var want [2][]int8
	for _, threads := range []int{1, 3} {
		e := engine(t, threads)
		r := check.SmallMachines(e, 70, 300, 23)[7].Machine
		whole, parts, steps := sampler.Chains(r, rows), sampler.Chains(r, rows), sampler.Chains(r, rows)
		law := bm.Law{Key: 5, Row: 2}
		for _, s := range []bm.State{whole, parts, steps} {
			sampler.Randomize(r, s, bm.Law{Key: 4, Row: 2})
		}
		sampler.Gibbs(r, whole, law, sweeps)
		sampler.Gibbs(r, parts.Slice(0, 6), law, sweeps)
		sampler.Gibbs(r, parts.Slice(6, rows), bm.Law{Key: 5, Row: 8}, sweeps)
		for i := range sweeps {
			r.Sweep(steps, bm.Law{Key: rng.Key(5).Fold(uint64(i)), Row: 2})
		}
		for l := range 2 {
			got := spins(e, whole[l])
			if want[l] == nil {
				want[l] = got
			}
			if !slices.Equal(got, want[l]) {
				t.Errorf("layer %d on %d threads differs from 1 thread", l, threads)
			}
			if !slices.Equal(spins(e, parts[l]), got) {
				t.Errorf("layer %d in two parts differs from the whole", l)
			}
			if !slices.Equal(spins(e, steps[l]), got) {
				t.Errorf("layer %d: sweeps one by one differ from Gibbs", l)
			}
		}
	}
}

func TestRandomize(t *testing.T) {
	const rows = 4096
	e := engine(t, 2)
	r := check.SmallMachines(e, 6, 2, 24)[0].Machine
	s := sampler.Chains(r, rows)
	if n := []int{s[bm.Visible].Rows(), s[bm.Visible].Cols(), s[bm.Hidden].Rows(), s[bm.Hidden].Cols()}; !slices.Equal(n, []int{rows, 6, rows, 2}) {
		t.Fatalf("Chains of shapes %v", n)
	}
	draw := func(key rng.Key) []int8 {
		sampler.Randomize(r, s, bm.Law{Key: key})
		return spins(e, s[bm.Visible])
	}
	x := draw(1)
	counts, p := make([]float64, 64), make([]float64, 64)
	for i := range rows {
		var n int
		for j, v := range x[i*6:][:6] {
			if v == 1 {
				n |= 1 << j
			}
		}
		counts[n]++
	}
	for i := range p {
		p[i] = 1. / 64
	}
	if err := check.ChiSquare(counts, p); err != nil {
		t.Error(err)
	}
	if !slices.Equal(draw(1), x) || slices.Equal(draw(2), x) {
		t.Error("the coins are not a function of the key")
	}
}

// Two chains of a machine with one strong pattern fall into the pattern or its negative.
func ExampleGibbs() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(6, 8, false), 1, false)
	v, h := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	compute.Write(e, v.Value, []float32{1, 1, -1, -1, 1, -1})
	compute.Write(e, h.Value, []float32{1, -1, 1, -1, 1, -1, 1, -1})
	m := bm.New(e, a, false, false)

	s := sampler.Chains(m, 2)
	sampler.Randomize(m, s, bm.Law{Key: rng.Key(5).Fold(0)})
	sampler.Gibbs(m, s, bm.Law{Key: rng.Key(5).Fold(1)}, 10)
	x := make([]int8, 12)
	compute.Read(e, x, s[bm.Visible])
	fmt.Println(x[:6])
	fmt.Println(x[6:])
	// Output:
	// [1 1 -1 -1 1 -1]
	// [-1 -1 1 1 -1 1]
}

// What is held of offsets for many sweeps is what each sweep would work out by itself, to the bit: on
// every topology without layers coupled to themselves, whose held overlaps round, across the renewal of
// what is held, after parameters have moved, and within another hold.
func TestGibbsHolds(t *testing.T) {
	const rows, sweeps = 5, 40
	e, tried := engine(t, 1), 0
	for _, small := range check.Machines(e, 31) {
		m := small.Machine
		if slices.ContainsFunc(m.Graph().Pairs, func(p bm.Pair) bool { return p.A == p.B }) {
			continue
		}
		tried++
		held, single := sampler.Chains(m, rows), sampler.Chains(m, rows)
		for round := range rng.Key(3) {
			for _, s := range []bm.State{held, single} {
				sampler.Randomize(m, s, bm.Law{Key: 4 + round})
			}
			law := bm.Law{Key: 7 + round}
			if round == 2 {
				m.Couplings().Hold()
			}
			sampler.Gibbs(m, held, law, sweeps)
			if round == 2 {
				m.Couplings().LetGo()
			}
			for i := range sweeps {
				m.Sweep(single, bm.Law{Key: law.Key.Fold(uint64(i))})
			}
			for l := range held {
				a, b := make([]float32, held[l].Len()), make([]float32, held[l].Len())
				read(e, a, held[l])
				read(e, b, single[l])
				if !slices.Equal(a, b) {
					t.Errorf("%s, round %d: layer %d of %d sweeps in one differs from single ones", small.Name, round, l, sweeps)
				}
			}
			for _, p := range m.Params() { // as an update does, offsets too
				if p.Value.Type() == compute.Float32 && !p.Fixed {
					e.Axpby(p.Value, 0.25, p.Value, 1)
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("%d machines", tried)
	}
}

// read reads spins or Gaussian values.
func read(e compute.Engine, dst []float32, x compute.Matrix) {
	if x.Type() == compute.Float32 {
		compute.Read(e, dst, x)
		return
	}
	for i, s := range spins(e, x) {
		dst[i] = float32(s)
	}
}
