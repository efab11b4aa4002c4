package negative_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/internal/check"
	"mattis/negative"
	"mattis/rng"
)

// scale multiplies all learned parameters of a machine.
func scale(m *bm.Machine, factor float64) {
	for _, p := range bm.Learned(m) {
		m.Engine().Axpby(p.Value, 0, p.Value, factor)
	}
}

// trajectory returns the estimator with so many frozen states that are powers of 3/4 of the machine as it is, the youngest the
// strongest, and what the parameters of each are times.
func trajectory(t *testing.T, m *bm.Machine, o negative.TrajectoryOptions, frozen int) (*negative.Trajectory, []float64) {
	t.Helper()
	n, err := negative.NewTrajectory(m, o, 9)
	if err != nil {
		t.Fatal(err)
	}
	factors := []float64{1}
	for i := range frozen {
		f := math.Pow(0.75, float64(frozen-i))
		scale(m, f)
		n.Freeze()
		scale(m, 1/f)
		factors = slices.Insert(factors, 1, f)
	}
	return n, factors
}

// draw is a draw that counts.
func draw(n *negative.Trajectory, key rng.Key) bm.Batch {
	drawn := n.Draw(bm.Batch{}, key)
	n.Settle()
	return drawn
}

// law returns the probabilities of the visible states of the machine with its parameters times a factor.
func law(m *bm.Machine, factor float64) []float64 {
	scale(m, factor)
	defer scale(m, 1/factor)
	p := check.ExactOf(m).LogVisible()
	for i, x := range p {
		p[i] = math.Exp(x)
	}
	return p
}

// place sets the replicas of a rung to draws from the law: exact ones, of the visible layer.
func place(e compute.Engine, to compute.Matrix, p []float64, key rng.Key) {
	x := make([]int8, to.Len())
	for i := range to.Rows() {
		u, state := key.Uniform64(uint64(i), 0), 0
		for u -= p[state]; u > 0 && state < len(p)-1; u -= p[state] {
			state++
		}
		for j := range to.Cols() {
			x[i*to.Cols()+j] = int8(state>>j&1*2 - 1)
		}
	}
	compute.Write(e, to, x)
}

// The joint law of the replicas of the present machine, of two frozen states of its past and of independent spins stays: all
// three visible layers together after a draw have the product of the laws that were enumerated, in chi-square tests that
// fail a right program once in 10^6. An exchange by a wrong ratio, of wrong replicas or under a wrong machine's law does not
// pass: one pair at least exchanges a third of the time, and laws that are a few per cent off are seen in 2^15 replicas.
func TestTrajectoryNoDrift(t *testing.T) {
	e := engine(t, 2)
	for _, every := range []int{1, 2} {
		for i, small := range check.SmallMachines(e, 3, 3, 81) {
			if i != 7 && (i != 1 || every > 1) {
				continue
			}
			m := small.Machine
			o := negative.TrajectoryOptions{Chains: 1 << 15, Steps: 2, Rungs: 2, Every: every, Base: start(m, negative.Mean).Fields}
			n, factors := trajectory(t, m, o, 2)
			laws := make([][]float64, len(factors))
			for r, f := range factors {
				laws[r] = law(m, f)
				place(e, n.Ladder().At(r)[bm.Visible], laws[r], rng.Key(100+r))
			}
			before := spins(e, n.Ladder().At(1)[bm.Visible])
			drawn := n.Draw(bm.Batch{}, 5)
			if every == 2 { // one more, of the present machine alone
				before = spins(e, n.Ladder().At(1)[bm.Visible])
				drawn = n.Draw(bm.Batch{}, 6)
			}
			counts, joint := make([]float64, 1<<9), make([]float64, 1<<9)
			present, first, second := spins(e, drawn.State[bm.Visible]), spins(e, n.Ladder().At(1)[bm.Visible]), spins(e, n.Ladder().At(2)[bm.Visible])
			for k := range o.Chains {
				counts[number(present[3*k:][:3])+number(first[3*k:][:3])<<3+number(second[3*k:][:3])<<6]++
			}
			for k := range joint {
				joint[k] = laws[0][k&7] * laws[1][k>>3&7] * laws[2][k>>6]
			}
			if err := check.ChiSquare(counts, joint); err != nil {
				t.Errorf("%s, every %d: %v", small.Name, every, err)
			}
			independent, base := make([]float64, 1<<3), make([]float64, 1<<3)
			for k, x := 0, spins(e, n.Ladder().At(3)[bm.Visible]); k < o.Chains; k++ {
				independent[number(x[3*k:][:3])]++
			}
			for k := range base {
				base[k] = 1
				for j, f := range floats(e, o.Base) {
					base[k] /= 1 + math.Exp(-2*f*float64(k>>j&1*2-1))
				}
			}
			if err := check.ChiSquare(independent, base); err != nil {
				t.Errorf("%s, every %d: independent spins: %v", small.Name, every, err)
			}
			if !slices.Equal(present, spins(e, n.Ladder().At(0)[bm.Visible])) {
				t.Errorf("%s, every %d: what was drawn is not where the next draw goes on", small.Name, every)
			}
			if moved := !slices.Equal(before, first); moved != (every == 1) {
				t.Errorf("%s: the frozen state's replicas moved: %v, at a draw of every %d", small.Name, moved, every)
			}
			if every == 2 {
				continue
			}
			for p := range 3 {
				if w := n.Ladder().Swap(p); w.Tried != o.Chains || w.Accepted < w.Tried/3 || w.Accepted == w.Tried {
					t.Errorf("%s: exchanges of pair %d: %+v", small.Name, p, w)
				}
			}
		}
	}
}

// Chains of a machine with two phases that hold 0.2 and 0.8 of its mass, e^-17 in the states between them: those of PCD stay in the one
// where all of them are, and those of a trajectory that the machine came along by itself, coupling by coupling, have the populations
// that enumeration has, within five standard errors of 400 independent replicas.
func TestTrajectoryCrosses(t *testing.T) {
	const visible, hidden, count, most = 10, 6, 400, 0.45
	e := engine(t, 2)
	build := func() (*bm.Machine, func(coupling float64)) {
		d := bm.NewDense(e, bm.Restricted(visible, hidden, false))
		m := bm.New(e, d, true, false)
		bias := make([]float32, visible)
		bias[0], bias[1] = 0.35, 0.35
		compute.Write(e, m.Bias(bm.Visible).Value, bias)
		return m, func(coupling float64) { e.Fill(d.Weights(0).Value, coupling) }
	}
	up := func(s bm.State) (n int) { // replicas of which most spins are up
		x := spins(e, s[bm.Visible])
		for i := range count {
			sum := 0
			for _, s := range x[i*visible:][:visible] {
				sum += int(s)
			}
			if sum > 0 {
				n++
			}
		}
		return n
	}
	m, set := build()
	n, err := negative.NewTrajectory(m, negative.TrajectoryOptions{Chains: count, Steps: 2, Rungs: 20, Every: 1, Acceptance: 0.5}, 3)
	if err != nil {
		t.Fatal(err)
	}
	const updates = 150
	for i := range updates {
		set(most * float64(i) / updates)
		draw(n, rng.Key(10).Fold(uint64(i)))
	}
	set(most)
	rungs := n.Ladder().Rungs()
	if rungs < 4 || rungs > 16 {
		t.Errorf("%d rungs, of which one is the present machine's and one of independent spins; want 2 to 14 more", rungs)
	}
	var p float64
	for state, q := range law(m, 1) {
		ups := 0
		for j := range visible {
			ups += state >> j & 1
		}
		if 2*ups > visible {
			p += q
		} else if 2*ups == visible && q > 1e-5 {
			t.Errorf("a state between the phases has the probability %g", q)
		}
	}
	if p < 0.7 || p > 0.9 {
		t.Fatalf("%.3f of the mass is up, and the test wants phases that are not alike", p)
	}
	pcd := negative.NewPCD(m, count, 2, 3)
	for _, s := range []bm.State{n.Ladder().At(0), {pcd.State()[0].Value}} {
		e.Fill(s[bm.Visible], -1)
	}
	var ups int
	for i := range 100 {
		drawn := draw(n, rng.Key(11).Fold(uint64(i)))
		if i == 99 {
			ups = up(drawn.State)
		}
		drawn = pcd.Draw(bm.Batch{}, rng.Key(12).Fold(uint64(i)))
		if k := up(drawn.State); k > 0 {
			t.Fatalf("%d chains of PCD have crossed", k)
		}
	}
	if z := (float64(ups) - count*p) / math.Sqrt(count*p*(1-p)); math.Abs(z) > 5 {
		t.Errorf("%d of %d replicas are up, %.1f wanted: %.1f standard errors off", ups, count, count*p, z)
	}
	if n.Ladder().Rungs() != rungs {
		t.Errorf("%d rungs, before there were %d: a machine that stays freezes nothing", n.Ladder().Rungs(), rungs)
	}
}

// frozenAt returns the sizes of the frozen states, by the root mean square of their couplings, the oldest first.
func frozenAt(e compute.Engine, n *negative.Trajectory) (sizes []float64) {
	for i := range n.Ladder().Rungs() - 2 {
		for _, p := range n.State() {
			if p.Name == fmt.Sprintf("chains.frozen.%d.weights", i) {
				var sum float64
				for _, x := range floats(e, p.Value) {
					sum += x * x
				}
				sizes = append(sizes, math.Sqrt(sum/float64(p.Value.Len())))
			}
		}
	}
	return sizes
}

// A full ladder gives up the state between whose neighbours states are exchanged best, and keeps the others in order with
// their replicas. States 0.1, 0.2, 0.55 and the present 1: of the first three the gaps are 0 to 0.2, 0.1 to 0.55 and 0.2 to 1, and 0.1 goes.
// States 0.1, 0.9, 0.95 and 1: 0.95 goes.
func TestTrajectoryThins(t *testing.T) {
	e := engine(t, 2)
	for _, c := range []struct{ states, left []float64 }{
		{[]float64{0.1, 0.2, 0.55, 1}, []float64{0.2, 0.55, 1}},
		{[]float64{0.1, 0.9, 0.95, 1}, []float64{0.1, 0.9, 1}},
	} {
		const count = 400
		d := bm.NewDense(e, bm.Restricted(8, 6, false))
		d.Normal(0.6, 3)
		m := bm.New(e, d, false, false)
		n, err := negative.NewTrajectory(m, negative.TrajectoryOptions{Chains: count, Steps: 0, Rungs: 3, Every: 1}, 3)
		if err != nil {
			t.Fatal(err)
		}
		own := floats(e, d.Weights(0).Value)
		var size float64
		for _, x := range own {
			size += x * x / float64(len(own))
		}
		size = math.Sqrt(size)
		marks := map[float64][]int8{}
		for i, f := range c.states {
			scale(m, f)
			place(e, n.Ladder().At(0)[bm.Visible], law(m, 1), rng.Key(20+i))
			marks[f] = spins(e, n.Ladder().At(0)[bm.Visible])
			n.Freeze()
			scale(m, 1/f)
		}
		got := frozenAt(e, n)
		if len(got) != len(c.left) {
			t.Fatalf("%v of %v are left", got, c.states)
		}
		for i, f := range c.left {
			if math.Abs(got[i]/size-f) > 1e-5 {
				t.Errorf("the states %v became %v of %v", c.states, got, size)
			}
			if !slices.Equal(spins(e, n.Ladder().At(len(c.left) - i)[bm.Visible]), marks[f]) {
				t.Errorf("of the states %v that at %v has the replicas of another", c.states, f)
			}
		}
	}
}

// A state is frozen where the running mean of the exchange probability is below the acceptance, which takes ten draws, and at
// the first draw whose own is below half of it. The probability of 400 replicas at one machine is known to 0.025 at most, and
// the acceptance is half as much again as it, or two and a half times as much: the tenth of a draw is far from either bound.
func TestTrajectoryFreezes(t *testing.T) {
	e := engine(t, 2)
	build := func(acceptance float64) *negative.Trajectory {
		d := bm.NewDense(e, bm.Restricted(8, 6, false))
		d.Normal(0.5, 3)
		n, err := negative.NewTrajectory(bm.New(e, d, false, false), negative.TrajectoryOptions{Chains: 400, Steps: 4, Rungs: 3, Every: 1, Acceptance: acceptance}, 3)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // which move the replicas and settle nothing
			n.Draw(bm.Batch{}, rng.Key(6).Fold(uint64(i)))
		}
		compute.Write(e, n.State()[len(n.State())-1].Value, make([]float64, 5))
		return n
	}
	n := build(0)
	n.Draw(bm.Batch{}, 5)
	chance := n.Ladder().Swap(0).Chance
	if chance < 0.3 || chance > 0.6 {
		t.Fatalf("exchanges have the probability %.3f: the test wants one from 0.3 to 0.6", chance)
	}
	for factor, want := range map[float64]int{0.7: 0, 1.5: 10, 2.5: 1} {
		n, at := build(factor*chance), 0
		for i := range 15 {
			rungs := n.Ladder().Rungs()
			drawn := n.Draw(bm.Batch{}, rng.Key(7).Fold(uint64(i)))
			if n.Ladder().Rungs() != rungs {
				t.Fatal("a draw freezes the machine by itself")
			}
			n.Settle()
			if now := n.Ladder().Rungs(); at == 0 && now > rungs {
				at = i + 1
				if !slices.Equal(spins(e, n.Ladder().At(1)[bm.Visible]), spins(e, drawn.State[bm.Visible])) {
					t.Error("the frozen state does not begin with the present replicas")
				}
			}
		}
		if at != want {
			t.Errorf("acceptance %.2f of the probability: a state is frozen at draw %d, want %d (0: none)", factor, at, want)
		}
	}
}

// Draws go on from State alone, and allocate nothing once the first is done, whether they freeze a state, give one up before
// that, move all rungs or one. The machine's parameters grow from draw to draw, as in a training.
func TestTrajectoryPersists(t *testing.T) {
	e := engine(t, 1)
	build := func(key rng.Key) (*bm.Machine, *negative.Trajectory) {
		m := check.SmallMachines(e, 6, 5, 41)[7].Machine
		n, err := negative.NewTrajectory(m, negative.TrajectoryOptions{Chains: 12, Steps: 11, Rungs: 2, Every: 2, Acceptance: 0.99}, key)
		if err != nil {
			t.Fatal(err)
		}
		return m, n
	}
	m, n := build(3)
	other, again := build(3)
	learned := map[*bm.Machine][]bm.Param{m: bm.Learned(m), other: bm.Learned(other)}
	grow := func(m *bm.Machine) {
		for _, p := range learned[m] {
			e.Axpby(p.Value, 0, p.Value, 1.03)
		}
	}
	var last []float64 // the youngest frozen patterns
	given, step := 0, 0
	for i := range 40 {
		var got, want bm.Batch
		if i%7 == 3 {
			from := again.State()
			var fresh *negative.Trajectory
			fresh, err := negative.NewTrajectory(other, again.TrajectoryOptions, 99)
			if err != nil {
				t.Fatal(err)
			}
			for j, p := range fresh.State() {
				e.Copy(p.Value, from[j].Value)
			}
			again = fresh
		}
		keys := [2]rng.Key{rng.Key(4).Fold(uint64(i)), rng.Key(5).Fold(uint64(i))}
		draws := 0
		a := testing.AllocsPerRun(1, func() { // which runs it twice, and counts once
			grow(m)
			got = draw(n, keys[draws%2])
			draws++
		})
		if a > 0 && i > 0 {
			t.Errorf("draw %d: %v allocations", i, a)
		}
		for _, key := range keys {
			grow(other)
			want = draw(again, key)
		}
		step += draws
		for l := range 2 {
			if !slices.Equal(spins(e, got.State[l]), spins(e, want.State[l])) {
				t.Fatalf("draw %d: layer %d does not go on from State", i, l)
			}
		}
		for _, p := range n.State() {
			if p.Name == "chains.frozen.1.patterns.visible" {
				if now := floats(e, p.Value); n.Ladder().Rungs() > 3 && !slices.Equal(now, last) {
					last = now
					given++
				}
			}
		}
	}
	if rungs := n.Ladder().Rungs(); rungs != 4 || given < 3 {
		t.Errorf("%d rungs after %d draws, and the youngest state changed %d times: nothing is shown", rungs, step, given)
	}
	if _, err := negative.NewTrajectory(m, negative.TrajectoryOptions{Chains: 3, Steps: 1, Every: 1}, 1); err == nil || err.Error() != "trajectory tempering with 3 chains, 1 steps, 0 rungs, every 1 updates" {
		t.Errorf("error %v", err)
	}
}
