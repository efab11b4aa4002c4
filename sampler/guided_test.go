package sampler_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

func newGuided(t testing.TB, r *bm.Machine, round sampler.Round) *sampler.Guided {
	g, err := sampler.NewGuided(r, round)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Each guided move alone, and all mixed with Gibbs sweeps, under every ensemble.
func TestGuidedNoDrift(t *testing.T) {
	for i, small := range check.SmallMachines(engine(t, 2), 5, 4, 51)[4:] {
		for name, round := range map[string]sampler.Round{
			"mixture": {Mixture: 2}, "exchange": {Exchange: 2}, "flip": {Flip: 1},
			"all": {Gibbs: 1, Mixture: 1, Exchange: 1, Flip: 1},
		} {
			if (i == 1 || i == 2) && name != "all" { // all parameters alone and all together, 0 and 3
				continue
			}
			t.Run(name+","+small.Name, func(t *testing.T) {
				g := newGuided(t, small.Machine, round)
				under := check.Ensembles(small.Machine)
				if i == 1 || i == 2 {
					under = under[:1]
				}
				check.NoDrift(t, small.Machine, func(s bm.State, law bm.Law) { g.Move(s, law, 1) }, under...)
				for kind, p := range map[string]sampler.Proposals{"mixture": g.Stats().Mixture, "exchange": g.Stats().Exchange, "flip": g.Stats().Flip} {
					if asked := kind == name || name == "all"; asked != (p.Tried > 0) || asked && (p.Accepted == 0 || p.Rate() > 1) {
						t.Errorf("%s: %+v", kind, p)
					}
				}
			})
		}
	}
}

// On every graph whose hidden layers sum out, guided moves leave the law as it is: without hidden layers, with several, with a Gaussian one,
// and where the visible spins meet each other. What the arena held before is nothing to them.
func TestGuidedOnGraphs(t *testing.T) {
	e := engine(t, 2)
	machines := check.Machines(e, 53)
	several := bm.NewAxons(e, bm.Graph{Layers: []bm.Layer{{Name: "visible", N: 4, Kind: bm.Spins}, {Name: "a", N: 2, Kind: bm.Spins}, {Name: "z", N: 2, Kind: bm.Gaussian}},
		Pairs: []bm.Pair{{A: 0, B: 0}, {A: 0, B: 1}, {A: 0, B: 2}}}, 3, false)
	several.Uniform(1, 7)
	machines = append(machines, check.Small{Name: "several hidden layers", Machine: bm.New(e, several, true)})
	without := 0
	for _, small := range machines {
		m := small.Machine
		if m.Axons() == nil || !m.SumsOut() {
			continue
		}
		if len(m.Layers()) == 1 {
			without++
		}
		t.Run(small.Name, func(t *testing.T) {
			g := newGuided(t, m, sampler.Round{Gibbs: 1, Mixture: 1, Exchange: 1, Flip: 1})
			under := check.Ensembles(m)
			if m.Graph().IsRestricted() { // TestGuidedNoDrift has the others
				under = under[:1]
			}
			check.NoDrift(t, m, func(s bm.State, law bm.Law) { g.Move(s, law, 1) }, under...)
			ends := func(held float64) []int8 {
				mark := e.Mark()
				e.Fill(e.Scratch(compute.Float32, 1000, 100), held)
				e.Release(mark)
				s := m.State(40)
				x := make([]int8, s[bm.Visible].Len())
				for i := range x {
					x[i] = int8(1 - 2*(i/3%2))
				}
				compute.Write(e, s[bm.Visible], x)
				newGuided(t, m, sampler.Round{Mixture: 1}).Move(s, bm.Law{Key: 5}, 3)
				compute.Read(e, x, s[bm.Visible])
				return x
			}
			if !slices.Equal(ends(0), ends(math.NaN())) {
				t.Error("moves depend on what the arena held")
			}
		})
	}
	if without == 0 {
		t.Error("no machine without hidden layers")
	}
}

// Chains that all start in one state reach the distribution by mixture proposals alone.
func TestMixtureReachesTheDistribution(t *testing.T) {
	r := check.SmallMachines(engine(t, 2), 4, 3, 52)[7].Machine
	err := check.Drift(r, check.Free(), func(s bm.State, law bm.Law) {
		for _, m := range s {
			r.Engine().Copy(m, m.Slice(0, 1).Repeat(m.Rows()))
		}
		newGuided(t, r, sampler.Round{Mixture: 1}).Move(s, law, 15)
	})
	if err != nil {
		t.Error(err)
	}
}

// wrongGuided moves as Guided does, with one thing wrong.
func wrongGuided(r *bm.Machine, s bm.State, law bm.Law, wrong string) {
	e, v := r.Engine(), s[bm.Visible].Cols()
	now := spins(e, s[bm.Visible])
	a := r.Couplings().(*bm.Axons)
	p := a.Patterns(bm.Visible)
	xi := make([]float32, p.Value.Len())
	compute.Read(e, xi, p.Value)
	clamp := law.Clamp.Layer(bm.Visible)
	var fixed []int8
	if !clamp.IsNone() && wrong != "clamp ignored" {
		fixed = spins(e, clamp)
	}
	next := slices.Clone(now)
	logs := make([]float64, s.Rows())
	for i := range s.Rows() {
		k := law.Key.Fold(1).Intn(p.Value.Rows(), uint64(i), 0)
		theta := 0.8
		for j := range v {
			if fixed != nil && fixed[i*v+j] != 0 {
				continue
			}
			switch wrong {
			case "density left out", "density right":
				// One product distribution round pattern 0.
				x := theta * math.Copysign(1, float64(xi[j]))
				next[i*v+j] = compute.SpinOf(float32(x), compute.SpinUniform(law.Key.Fold(2).Uint32(uint64(i), uint64(j))))
				if wrong == "density right" {
					logs[i] += x * float64(now[i*v+j]-next[i*v+j])
				}
			case "one pattern": // v o xi_k: its inverse is itself, but the ratio is forgotten below
				if xi[k*v+j] < 0 {
					next[i*v+j] *= -1
				}
			case "clamp ignored":
				next[i*v+j] *= -1
			}
		}
	}
	free := func(x []int8) []float64 {
		m, f := e.Alloc(compute.Int8, s.Rows(), v), e.Alloc(compute.Float64, s.Rows(), 1)
		compute.Write(e, m, x)
		r.Energy(f, bm.State{m}, bm.Law{Beta: law.Beta, Base: law.Base})
		y := make([]float64, s.Rows())
		compute.Read(e, y, f)
		return y
	}
	f, g := free(now), free(next)
	for i := range logs {
		if wrong != "one pattern" {
			logs[i] += f[i] - g[i]
		}
		if math.Log(float64(law.Key.Fold(3).Uniform(uint64(i), 0))) < logs[i] {
			copy(now[i*v:][:v], next[i*v:])
		}
	}
	compute.Write(e, s[bm.Visible], now)
	law.Key = law.Key.Fold(4)
	r.Sample(s, bm.Hidden, law)
}

// The no-drift suite sees guided moves that are wrong.
func TestDriftSeesWrongGuidedMoves(t *testing.T) {
	r := check.SmallMachines(engine(t, 2), 5, 4, 51)[7].Machine
	ensembles := check.Ensembles(r)
	for _, c := range []struct {
		name  string
		under check.Ensemble
		wrong bool
	}{
		{"density right", ensembles[0], false}, {"density left out", ensembles[0], true},
		{"one pattern", ensembles[0], true}, {"clamp ignored", ensembles[2], true},
	} {
		if err := check.Drift(r, c.under, func(s bm.State, law bm.Law) { wrongGuided(r, s, law, c.name) }); (err != nil) != c.wrong {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// memories returns a machine of V spins whose patterns are separate minima, deep in proportion to the gain.
func memories(e compute.Engine, visible, hidden, patterns int, gain float64) *bm.Machine {
	a := bm.NewAxons(e, bm.Restricted(visible, hidden, false), patterns, false)
	a.Bernoulli(1, 8)
	a.SetGain(gain)
	return bm.New(e, a, false, false)
}

// On a machine that is frozen for Gibbs chains, guided moves visit every
// pattern, and their acceptance is what makes them useful.
func TestGuidedCrossesBarriers(t *testing.T) {
	const chains, patterns = 64, 3
	e := engine(t, 2)
	// beta_c is sqrt(K/(VH)) = 0.022; at five times that the patterns are deep.
	r := memories(e, 100, 60, patterns, 0.112)
	a := r.Couplings().(*bm.Axons)
	v := a.Patterns(bm.Visible)
	xi := make([]float32, v.Value.Len())
	compute.Read(e, xi, v.Value)
	basin := func(x []int8) int {
		best, at := 0.0, 0
		for k := range patterns {
			var m float64
			for j, s := range x {
				m += float64(s) * float64(xi[k*100+j])
			}
			if math.Abs(m) > best {
				best, at = math.Abs(m), 2*k
				if m < 0 {
					at++
				}
			}
		}
		return at
	}
	visits := func(move func(s bm.State, i int)) (counts [2 * patterns]int) {
		s := sampler.Chains(r, chains)
		one := e.Alloc(compute.Int8, 1, 100)
		e.Sign(one, v.Value.Slice(0, 1))
		e.Copy(s[bm.Visible], one.Repeat(chains))
		for i := range 20 {
			move(s, i)
			x := spins(e, s[bm.Visible])
			for c := range chains {
				counts[basin(x[c*100:][:100])]++
			}
		}
		return counts
	}
	gibbs := visits(func(s bm.State, i int) { sampler.Gibbs(r, s, bm.Law{Key: rng.Key(1).Fold(uint64(i))}, 2) })
	if gibbs[0] != 20*chains {
		t.Errorf("Gibbs chains from pattern 0 visited %v: the machine is not frozen", gibbs)
	}
	g := newGuided(t, r, sampler.Round{Gibbs: 1, Mixture: 1, Exchange: 1, Flip: 1})
	counts := visits(func(s bm.State, i int) { g.Move(s, bm.Law{Key: rng.Key(2).Fold(uint64(i))}, 2) })
	// The patterns are not equally deep, for they overlap, but a pattern and its negative are: their shares are
	// those of fair coins, 5 standard errors (6e-7).
	for k := range patterns {
		up, down := float64(counts[2*k]), float64(counts[2*k+1])
		if math.Abs(up-down) > 5*math.Sqrt(up+down) {
			t.Errorf("visits %v: pattern %d", counts, k)
		}
	}
	if counts[0] > 10*chains {
		t.Errorf("visits %v: most chains stay in pattern 0, which is not the deepest", counts)
	}
	st := g.Stats()
	t.Logf("visits %v, acceptance: mixture %.3f, exchange %.3f, flip %.3f", counts, st.Mixture.Rate(), st.Exchange.Rate(), st.Flip.Rate())
	if st.Flip.Rate() != 1 {
		t.Errorf("a flip is refused although F(v) = F(-v): %+v", st.Flip)
	}
	if st.Mixture.Rate() < 0.1 {
		t.Errorf("mixture proposals are accepted at the rate %.3f only", st.Mixture.Rate())
	}
	g.ResetStats()
	if g.Stats() != (sampler.GuidedStats{}) {
		t.Errorf("counts after ResetStats: %+v", g.Stats())
	}
}

// The chains depend on key and place alone; unknown spins are filled in, and clamped ones stay.
func TestGuidedByPlace(t *testing.T) {
	round := sampler.Round{Gibbs: 1, Mixture: 1, Exchange: 1, Flip: 1}
	var want [2][]int8
	for _, threads := range []int{1, 3} {
		e := engine(t, threads)
		r := memories(e, 30, 20, 4, 0.1)
		whole, parts := sampler.Chains(r, 9), sampler.Chains(r, 9)
		newGuided(t, r, round).Move(whole, bm.Law{Key: 1}, 3)
		newGuided(t, r, round).Move(parts.Slice(0, 2), bm.Law{Key: 1}, 3)
		newGuided(t, r, round).Move(parts.Slice(2, 9), bm.Law{Key: 1, Row: 2}, 3)
		for l := range 2 {
			got := spins(e, whole[l])
			if want[l] == nil {
				want[l] = got
			}
			if !slices.Equal(got, want[l]) || !slices.Equal(spins(e, parts[l]), got) {
				t.Errorf("layer %d on %d threads or in parts differs", l, threads)
			}
			if slices.Contains(got, 0) {
				t.Errorf("layer %d has unknown spins", l)
			}
		}
	}
}

func TestGuidedRefuses(t *testing.T) {
	all := check.SmallMachines(engine(t, 1), 3, 3, 53)
	for _, c := range []struct {
		r     *bm.Machine
		round sampler.Round
		want  string
	}{
		{all[0].Machine, sampler.Round{Flip: 1}, "guided moves read the patterns of axons, and the couplings are dense; convert them or take tempering"},
		{all[4].Machine, sampler.Round{}, "a round of guided moves is {Gibbs:0 Mixture:0 Exchange:0 Flip:0}, want counts of at least 0 and one above"},
		{all[4].Machine, sampler.Round{Gibbs: 1, Flip: -1}, "a round of guided moves is {Gibbs:1 Mixture:0 Exchange:0 Flip:-1}, want counts of at least 0 and one above"},
	} {
		if _, err := sampler.NewGuided(c.r, c.round); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// Guided moves jump between deep patterns; Stats says how often a jump is accepted.
func ExampleGuided() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(50, 40, false), 2, false)
	a.Bernoulli(1, 1)
	a.SetGain(0.2)
	m := bm.New(e, a, false, false)
	guided, err := sampler.NewGuided(m, sampler.Round{Gibbs: 1, Mixture: 1})
	if err != nil {
		panic(err)
	}
	s := sampler.Chains(m, 8)
	sampler.Randomize(m, s, bm.Law{Key: 1})
	guided.Move(s, bm.Law{Key: 2}, 50)
	fmt.Println("jumps are accepted more often than not:", guided.Stats().Mixture.Rate() > 0.5)
	// Output:
	// jumps are accepted more often than not: true
}
