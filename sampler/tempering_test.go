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

var ladder = []float64{1, 0.7, 0.3, 0}

func newTempering(t testing.TB, m *bm.Machine, betas []float64) *sampler.Tempering {
	x, err := sampler.NewTempering(m, betas)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// exactReplicas starts tempering with every replica in equilibrium at its rung.
func exactReplicas(t *testing.T, r *bm.Machine, x *sampler.Tempering, s bm.State, law bm.Law) {
	n := len(x.Betas())
	x.Start(s[:1], s.Rows())
	v := exactVisible(r, readLaw(r, law, s.Rows()),
		func(i int) int { return i / n }, func(i int) float64 { return x.Betas()[i%n] }, s.Rows()*n, 77)
	compute.Write(r.Engine(), x.State()[0].Value, v)
}

// With all rungs in equilibrium, rung 0 stays in it, under every ensemble:
// clamped, at other temperatures and with a base rate.
func TestTemperingNoDrift(t *testing.T) {
	for i, small := range check.SmallMachines(engine(t, 2), 5, 4, 41) {
		if i%3 != 0 && i != 7 { // dense plain, dense biased, axons with offset, axons with all
			continue
		}
		t.Run(small.Name, func(t *testing.T) {
			stationary(t, small.Machine, func(s bm.State, law bm.Law) {
				x := newTempering(t, small.Machine, ladder[:3])
				exactReplicas(t, small.Machine, x, s, law)
				x.Move(s, law, 2)
			})
		})
	}
}

// rungsEnsemble is an ensemble whose groups are the rungs of the ladder.
func rungsEnsemble(r *bm.Machine, base bool) check.Ensemble {
	e := check.Ensemble{Name: "rungs"}
	if base {
		for i := range r.Layers()[bm.Visible] {
			e.Base = append(e.Base, 0.6-0.3*float32(i%3))
		}
	}
	for _, b := range ladder {
		e.Groups = append(e.Groups, check.Group{Beta: float32(b)})
	}
	return e
}

// advance moves rows that are exact at the rungs, one group a rung, by so many rounds.
func advance(t *testing.T, r *bm.Machine, s bm.State, law bm.Law, rounds int) {
	e, n := r.Engine(), len(ladder)
	x := newTempering(t, r, ladder)
	ladders := s.Rows() / n
	x.Start(s[:1], ladders)
	for i, l := range r.View().Left {
		e.Copy(x.State()[i].Value, s[l])
	}
	law.Beta = compute.Matrix{} // the ladder has it
	x.Advance(law, rounds)
	part := sampler.Chains(r, ladders)
	rows := make([]int32, s.Rows())
	all := sampler.Chains(r, s.Rows())
	for k := range n {
		x.At(part, k)
		for l := range part {
			e.Copy(all[l].Slice(k*ladders, (k+1)*ladders), part[l])
		}
	}
	for i := range rows {
		rows[i] = int32(i%n*ladders + i/n)
	}
	for l := range s {
		e.Gather(s[l], all[l], rows)
	}
}

// Every rung of the ladder stays in its own law, with and without a base rate.
func TestTemperingNoDriftOfAllRungs(t *testing.T) {
	for i, small := range check.SmallMachines(engine(t, 2), 5, 4, 42) {
		if i != 0 && i != 7 {
			continue
		}
		for _, base := range []bool{false, true} {
			for _, rounds := range []int{1, 3} {
				err := check.Drift(small.Machine, rungsEnsemble(small.Machine, base), func(s bm.State, law bm.Law) {
					advance(t, small.Machine, s, law, rounds)
				})
				if err != nil {
					t.Errorf("%s, base %v, %d rounds: %v", small.Name, base, rounds, err)
				}
			}
		}
	}
}

// exchanged moves exact rungs by a sweep and swaps the states of the pairs (0,1), (2,3) with probability
// exp(sign * (b_i-b_j)(E_i-E_j)), E with or without the base rate's part.
func exchanged(r *bm.Machine, s bm.State, law bm.Law, sign float64, withBase bool) {
	e := r.Engine()
	r.Sweep(s, law)
	energy := e.Alloc(compute.Float64, s.Rows(), 1)
	r.Energy(energy, s, bm.Law{})
	if withBase && !law.Base.IsNone() {
		e.RowDot(energy, 1, s[bm.Visible], law.Base.Repeat(s.Rows()))
	}
	x := make([]float64, s.Rows())
	compute.Read(e, x, energy)
	rows := make([]int32, s.Rows())
	for i := range rows {
		rows[i] = int32(i)
	}
	for i := 0; i+1 < len(rows); i += 2 {
		b := ladder[i%len(ladder)] - ladder[i%len(ladder)+1]
		if float64(law.Key.Fold(9).Uniform(uint64(i), 0)) < math.Exp(sign*b*(x[i]-x[i+1])) {
			rows[i], rows[i+1] = rows[i+1], rows[i]
		}
	}
	for l := range s {
		c := e.Alloc(compute.Int8, s.Rows(), s[l].Cols())
		e.Gather(c, s[l], rows)
		e.Copy(s[l], c)
	}
}

// The test of all rungs sees exchanges of the wrong sign, and energies that
// forget the base rate.
func TestDriftSeesWrongExchanges(t *testing.T) {
	r := check.SmallMachines(engine(t, 2), 5, 4, 42)[7].Machine
	for _, c := range []struct {
		name     string
		sign     float64
		withBase bool
		wrong    bool
	}{{"right", 1, true, false}, {"sign reversed", -1, true, true}, {"base rate forgotten", 1, false, true}} {
		err := check.Drift(r, rungsEnsemble(r, true), func(s bm.State, law bm.Law) { exchanged(r, s, law, c.sign, c.withBase) })
		if (err != nil) != c.wrong {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// frozen returns a machine of one pattern so strong that Gibbs chains never leave its two states.
func frozen(e compute.Engine, gain float64) (*bm.Machine, *bm.Axons) {
	a := bm.NewAxons(e, bm.Restricted(10, 12, false), 1, false)
	a.Bernoulli(1, 3)
	a.SetGain(gain)
	return bm.New(e, a, false, false), a
}

// Tempering crosses between the two states of a frozen machine, where Gibbs chains
// stay: the share of each comes out as one half within 5 standard errors of independent chains (probability 6e-7).
func TestTemperingMixes(t *testing.T) {
	const chains = 400
	e := engine(t, 2)
	r, a := frozen(e, 0.5)
	v := a.Patterns(bm.Visible)
	up := func(move func(s bm.State)) int {
		s := sampler.Chains(r, chains)
		one := e.Alloc(compute.Int8, 1, 10)
		e.Sign(one, v.Value)
		e.Copy(s[bm.Visible], one.Repeat(chains))
		move(s)
		pattern, n := spins(e, one), 0
		for i, x := range spins(e, s[bm.Visible]) {
			if i%10 == 0 && x == pattern[0] {
				n++
			}
		}
		return n
	}
	if n := up(func(s bm.State) { sampler.Gibbs(r, s, bm.Law{Key: 1}, 60) }); n != chains {
		t.Errorf("%d of %d Gibbs chains are where they were: the machine is not frozen", n, chains)
	}
	x := newTempering(t, r, []float64{1, 0.5, 0.3, 0.2, 0.12, 0.06, 0})
	if n := up(func(s bm.State) { x.Move(s, bm.Law{Key: 2}, 200) }); math.Abs(float64(n)-chains/2) > 5*math.Sqrt(chains)/2 {
		t.Errorf("%d of %d chains of tempering are where they were, want half", n, chains)
	}
	st := x.Stats()
	if st.Rounds != 200 || st.RoundTrips == 0 || len(st.Swaps) != 6 || len(st.Flow) != 7 || st.Flow[0] != 0 || st.Flow[6] != 1 {
		t.Errorf("stats %+v", st)
	}
	for r, s := range st.Swaps {
		// Even and odd pairs take turns. The two estimates of a rate agree within 5 standard errors.
		p := float64(s.Accepted) / float64(s.Tried)
		if s.Tried != 100*chains || math.Abs(p-s.Chance) > 5*0.5/math.Sqrt(float64(s.Tried)) {
			t.Errorf("pair %d: %+v", r, s)
		}
		if r > 0 && !(st.Flow[r] > 0 && st.Flow[r] < 1) {
			t.Errorf("flow %v", st.Flow)
		}
	}
}

// Minus the integral of the mean energies over beta is log Z: a ladder that goes
// down to 0 gives it by the trapezium rule.
func TestMeanEnergiesIntegrateToLogZ(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 5, 4, 43)[7].Machine
	var betas []float64
	for i := range 21 {
		betas = append(betas, 1-float64(i)/20)
	}
	x := newTempering(t, r, betas)
	s := sampler.Chains(r, 200)
	sampler.Randomize(r, s, bm.Law{Key: 1})
	x.Move(s, bm.Law{Key: 2}, 20)
	x.ResetStats()
	x.Move(s, bm.Law{Key: 3}, 200)
	logZ := 9 * math.Ln2
	mean := x.MeanEnergies()
	sums := make([]float64, 200*len(betas))
	x.SumEnergies(sums)
	for k := range betas {
		var sum float64
		for i := range 200 {
			sum += sums[i*len(betas)+k]
		}
		if math.Abs(sum/(200*200)-mean[k]) > 1e-9 {
			t.Errorf("rung %d: sums of energies make %v, the mean is %v", k, sum/(200*200), mean[k])
		}
	}
	for k := range betas[1:] {
		logZ -= (mean[k] + mean[k+1]) / 2 / 20
	}
	// 40 000 draws a rung of an energy that spreads by about 1: 0.005; the rule adds as much.
	if want := check.LogZ(r); math.Abs(logZ-want) > 0.02 {
		t.Errorf("log Z = %.4f, exactly %.4f", logZ, want)
	}
}

// The replicas depend on key and place alone, and go on from State.
func TestTemperingByPlaceAndState(t *testing.T) {
	const chains, rounds = 6, 5
	run := func(threads int, saved bool) ([]int8, []float32) {
		e := engine(t, threads)
		r := check.SmallMachines(e, 40, 70, 44)[7].Machine
		x, s := newTempering(t, r, ladder), sampler.Chains(r, chains)
		sampler.Randomize(r, s, bm.Law{Key: 1})
		x.Start(s[:1], chains)
		for i := range 3 {
			if saved && i == 2 {
				y := newTempering(t, r, ladder)
				y.Start(s[:1], chains)
				for j, p := range y.State() {
					e.Copy(p.Value, x.State()[j].Value)
				}
				x = y
			}
			x.Advance(bm.Law{Key: rng.Key(9).Fold(uint64(i))}, rounds)
		}
		x.Cold(s)
		rungs := make([]float32, chains*len(ladder))
		compute.Read(e, rungs, x.State()[1].Value)
		return append(spins(e, s[bm.Visible]), spins(e, s[bm.Hidden])...), rungs
	}
	want, rungs := run(1, false)
	if slices.Equal(rungs[:4], []float32{0, 1, 2, 3}) && slices.Equal(rungs[4:8], rungs[:4]) {
		t.Error("no exchange")
	}
	for _, threads := range []int{1, 3} {
		if got, at := run(threads, true); !slices.Equal(got, want) || !slices.Equal(at, rungs) {
			t.Errorf("%d threads, from a saved state: other spins", threads)
		}
	}
}

func TestTemperingInParts(t *testing.T) {
	e := engine(t, 2)
	r := check.SmallMachines(e, 9, 8, 45)[3].Machine
	whole := sampler.Chains(r, 7)
	sampler.Randomize(r, whole, bm.Law{Key: 1})
	parts := sampler.Chains(r, 7)
	e.Copy(parts[0], whole[0])
	newTempering(t, r, ladder).Move(whole, bm.Law{Key: 2}, 6)
	newTempering(t, r, ladder).Move(parts.Slice(0, 3), bm.Law{Key: 2}, 6)
	newTempering(t, r, ladder).Move(parts.Slice(3, 7), bm.Law{Key: 2, Row: 3}, 6)
	for l := range 2 {
		if !slices.Equal(spins(e, whole[l]), spins(e, parts[l])) {
			t.Errorf("layer %d in two parts differs from the whole", l)
		}
	}
}

func TestTemperingAllocatesNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		e := engine(t, threads)
		r := check.SmallMachines(e, 20, 30, 46)[7].Machine
		x, s := newTempering(t, r, ladder), sampler.Chains(r, 8)
		sampler.Randomize(r, s, bm.Law{Key: 1})
		base := e.Alloc(compute.Float32, 1, 20)
		clamp := e.Alloc(compute.Int8, 8, 20)
		e.Spins(clamp.Columns(0, 5), 1, 0, 0)
		law := bm.Law{Base: base, Clamp: bm.State{clamp}}
		move := func() { law.Key++; x.Move(s, law, 3) }
		move()
		if n := testing.AllocsPerRun(10, move); n != 0 {
			t.Errorf("%d threads: %v allocations a move", threads, n)
		}
	}
}

func TestTemperingRefuses(t *testing.T) {
	r := check.SmallMachines(engine(t, 1), 3, 3, 47)[0].Machine
	for _, c := range []struct {
		betas []float64
		want  string
	}{
		{nil, "the ladder has no temperatures; want inverse temperatures falling from 1"},
		{[]float64{1, 1}, "inverse temperature 1 of the ladder is 1 after 1, want falling ones"},
		{[]float64{0.5, 0.7}, "inverse temperature 1 of the ladder is 0.7 after 0.5, want falling ones"},
		{[]float64{1, -0.1}, "inverse temperature 1 of the ladder is -0.1, want a number of at least 0"},
		{[]float64{math.NaN()}, "inverse temperature 0 of the ladder is NaN, want a number of at least 0"},
		{[]float64{math.Inf(1)}, "inverse temperature 0 of the ladder is +Inf, want a number of at least 0"},
	} {
		if _, err := sampler.NewTempering(r, c.betas); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %q", c.betas, err, c.want)
		}
	}
	x := newTempering(t, r, ladder)
	x.Start(sampler.Chains(r, 2)[:1], 2)
	compute.Write(r.Engine(), x.State()[1].Value, []float32{0, 1, 2, 3, 0, 1, 1, 3})
	defer func() {
		if got, want := recover(), "sampler: the rungs [0 1 1 3] of ladder 1 are no permutation of 0 to 3"; got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	x.Advance(bm.Law{}, 1)
}

// The adapted ladder has about the rate that was asked for, on a machine where even steps have not.
func TestAdaptLadder(t *testing.T) {
	e := engine(t, 2)
	r, _ := frozen(e, 1)
	for _, target := range []float64{0.3, 0.6} {
		got, err := sampler.AdaptLadder(r, sampler.LadderOptions{Target: target, Rounds: 200, Ladders: 16}, bm.Law{Key: 5})
		if err != nil {
			t.Fatal(err)
		}
		if got.Betas[0] != 1 || got.Betas[len(got.Betas)-1] != 0 {
			t.Errorf("ladder %v, want from 1 to 0", got.Betas)
		}
		// Measured anew, with other numbers.
		x, s := newTempering(t, r, got.Betas), sampler.Chains(r, 50)
		sampler.Randomize(r, s, bm.Law{Key: 6})
		x.Move(s, bm.Law{Key: 7}, 50)
		x.ResetStats()
		x.Move(s, bm.Law{Key: 8}, 200)
		for k, w := range x.Stats().Swaps {
			// Rungs are whole, so the rate is at least the target; and not far above it.
			if w.Chance < target-0.05 || w.Chance > target+0.2 {
				t.Errorf("target %v: pair %d of %.3f swaps at %.3f", target, k, got.Betas, w.Chance)
			}
		}
	}
	for _, c := range []struct {
		o    sampler.LadderOptions
		law  bm.Law
		want string
	}{
		{sampler.LadderOptions{Target: 1}, bm.Law{}, "ladder: Target is 1, want a probability between 0 and 1"},
		{sampler.LadderOptions{Hottest: 1}, bm.Law{}, "ladder: Hottest is 1, want an inverse temperature from 0 to below 1"},
		{sampler.LadderOptions{Most: 1}, bm.Law{}, "ladder: Most is 1, want at least 2"},
		{sampler.LadderOptions{Rounds: -1}, bm.Law{}, "ladder: Rounds is -1, want at least 4"},
		{sampler.LadderOptions{}, bm.Law{Clamp: bm.State{e.Alloc(compute.Int8, 4, 10)}}, "ladder: the clamp differs from row to row, want one row for all"},
		{sampler.LadderOptions{}, bm.Law{Beta: e.Alloc(compute.Float32, 4, 1)}, "ladder: adaptation measures at the law's own temperature, leave Beta out"},
	} {
		if _, err := sampler.AdaptLadder(r, c.o, c.law); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// A machine with one strong pattern has two states. Tempering carries chains from one to the other.
func ExampleTempering() {
	e := cpu.New(1)
	defer e.Close()
	a := bm.NewAxons(e, bm.Restricted(6, 8, false), 1, false)
	a.Bernoulli(1, 1)
	m := bm.New(e, a, false, false)
	tempering, err := sampler.NewTempering(m, []float64{1, 0.4, 0.2, 0.1, 0})
	if err != nil {
		panic(err)
	}
	s := sampler.Chains(m, 4)
	sampler.Randomize(m, s, bm.Law{Key: 1})
	tempering.Move(s, bm.Law{Key: 2}, 500)
	fmt.Println("round trips:", tempering.Stats().RoundTrips > 100)
	// Output:
	// round trips: true
}
