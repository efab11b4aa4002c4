package eval_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/exact"
	"mattis/internal/check"
	"mattis/rng"
)

// kernels are the sweep of a machine of spins and its reverse at an inverse temperature as matrices
// on the states of the left side of the data view, in float64, and the exponent of each state with
// the right side summed out.
type kernels struct {
	exponents   []float64
	ahead, back [][]float64
}

func kernelsOf(m *bm.Machine, beta float64) kernels {
	x, v := check.ExactOf(m), m.View()
	sizes := m.Layers()
	spins := func(layers []int) (n int) {
		for _, l := range layers {
			n += sizes[l]
		}
		return n
	}
	set := func(s [][]int8, layers []int, state int) {
		for _, l := range layers {
			s[l] = make([]int8, sizes[l])
			exact.SetState(s[l], uint64(state))
			state >>= sizes[l]
		}
	}
	// The spins of the left side in the order in which a sweep draws them: 1, 2, ..., and the
	// visible layer last.
	type spin struct{ layer, i, bit int }
	var order []spin
	first := make([]int, len(sizes))
	at := 0
	for _, l := range v.Left {
		first[l] = at
		at += sizes[l]
	}
	for _, l := range append(slices.Clone(v.Left[1:]), bm.Visible) {
		for i := range sizes[l] {
			order = append(order, spin{l, i, first[l] + i})
		}
	}
	n, outer := 1<<spins(v.Left), 1<<spins(v.Right)
	k := kernels{exponents: make([]float64, n)}
	energies := make([][]float64, n)
	s := make([][]int8, len(sizes))
	for a := range n {
		set(s, v.Left, a)
		var z exact.LogSum
		for r := range outer {
			set(s, v.Right, r)
			energies[a] = append(energies[a], -beta*x.Energy(s))
			z.Add(energies[a][r])
		}
		k.exponents[a] = z.Log()
	}
	matrix := func(order []spin) [][]float64 {
		t := make([][]float64, n)
		for a := range t {
			t[a] = make([]float64, n)
		}
		for r := range outer {
			for a := range n {
				law := make([]float64, n)
				law[a] = math.Exp(energies[a][r] - k.exponents[a])
				for _, o := range order {
					next := make([]float64, n)
					for b, p := range law {
						if p == 0 {
							continue
						}
						up, down := b|1<<o.bit, b&^(1<<o.bit)
						chance := 1 / (1 + math.Exp(energies[down][r]-energies[up][r]))
						next[up] += p * chance
						next[down] += p * (1 - chance)
					}
					law = next
				}
				for b, p := range law {
					t[a][b] += p
				}
			}
		}
		return t
	}
	k.ahead = matrix(order)
	slices.Reverse(order)
	k.back = matrix(order)
	return k
}

func ofSpins(m *bm.Machine) bool {
	return !slices.ContainsFunc(m.Graph().Layers, func(l bm.Layer) bool { return l.Kind != bm.Spins })
}

// pi(a) T(a,b) = pi(b) T~(b,a): the sweep in the opposite order is the reverse of the sweep, and of
// more than two colours or of spins drawn one after the other no other is. And the sweeps of the
// program have these matrices, from every state; the chance that a right one fails is 1e-6 a
// machine and direction.
func TestReverseKernels(t *testing.T) {
	e := engine(t)
	differ := 0
	for i, small := range check.Machines(e, 21) {
		m := small.Machine
		if !ofSpins(m) {
			continue
		}
		k := kernelsOf(m, 1)
		n := len(k.exponents)
		var z exact.LogSum
		for _, x := range k.exponents {
			z.Add(x)
		}
		own := false
		for a := range n {
			for b := range n {
				p, q := math.Exp(k.exponents[a]-z.Log()), math.Exp(k.exponents[b]-z.Log())
				if math.Abs(p*k.ahead[a][b]-q*k.back[b][a]) > 1e-14 {
					t.Fatalf("%s: pi(%d) T(%[2]d,%d) = %v, pi(%[3]d) T~(%[3]d,%[2]d) = %v", small.Name, a, b, p*k.ahead[a][b], q*k.back[b][a])
				}
				own = own || math.Abs(p*k.ahead[a][b]-q*k.ahead[b][a]) > 1e-6
			}
		}
		if own {
			differ++
		}
		const each = 1 << 9
		for _, back := range []bool{false, true} {
			counts, want := countSweeps(m, each, back, uint64(40+i)), k.ahead
			if back {
				want = k.back
			}
			var got, p []float64
			for a := range n {
				for b := range n {
					got = append(got, counts[a*n+b])
					p = append(p, want[a][b]/float64(n))
				}
			}
			if err := check.ChiSquare(got, p); err != nil {
				t.Errorf("%s, back %v: %v", small.Name, back, err)
			}
		}
	}
	if differ < 12 {
		t.Errorf("only %d machines have sweeps that are not their own reverse", differ)
	}
}

// countSweeps returns how often a sweep went from the left side's state a to b, at place a*n+b, so
// often from each a.
func countSweeps(m *bm.Machine, each int, back bool, key uint64) []float64 {
	e, v := m.Engine(), m.View()
	n := 1
	for _, l := range v.Left {
		n <<= m.Layers()[l]
	}
	s := m.State(n * each)
	from := 0
	for _, l := range v.Left {
		size := m.Layers()[l]
		x := make([]int8, n*each*size)
		for i := range n * each {
			exact.SetState(x[i*size:][:size], uint64(i/each>>from))
		}
		compute.Write(e, s[l], x)
		from += size
	}
	m.Sweep(s, bm.Law{Key: 1, Row: key << 32, Back: back})
	counts := make([]float64, n*n)
	for i, b := range states(m, s) {
		counts[i/each*n+b]++
	}
	return counts
}

// states returns the numbers of the states of the left side.
func states(m *bm.Machine, s bm.State) []int {
	numbers := make([]int, s.Rows())
	from := 0
	for _, l := range m.View().Left {
		x, size := make([]int8, s[l].Len()), m.Layers()[l]
		compute.Read(m.Engine(), x, s[l])
		for i, y := range x {
			if y > 0 {
				numbers[i/size] |= 1 << (from + i%size)
			}
		}
		from += size
	}
	return numbers
}

// From equilibrium a sweep goes from a to b as often as one in the opposite order from b to a: of
// every topology, those with Gaussian layers among them. The chance that a right program fails is
// 1e-6 a machine.
func TestReverseSweeps(t *testing.T) {
	const rows = 40_000
	for i, small := range check.Machines(engine(t), 22) {
		m := small.Machine
		start, err := eval.StartExact(m)
		if err != nil {
			t.Fatal(err)
		}
		count := map[[2]int][2]float64{}
		for back := range 2 {
			drawn, err := eval.DrawStart(start, rows, rng.Key(7+2*i+back))
			if err != nil {
				t.Fatal(err)
			}
			s := m.State(rows)
			eval.WriteLeft(m, s, drawn)
			from := states(m, s)
			m.Sweep(s, bm.Law{Key: 99, Row: uint64(back+2*i) << 32, Back: back == 1})
			for j, to := range states(m, s) {
				pair := [2]int{from[j], to}
				if back == 1 {
					pair = [2]int{to, from[j]}
				}
				c := count[pair]
				c[back]++
				count[pair] = c
			}
		}
		var chi, cells float64
		var rest [2]float64
		for _, c := range count {
			if c[0]+c[1] < 12 {
				rest[0], rest[1] = rest[0]+c[0], rest[1]+c[1]
				continue
			}
			chi += (c[0] - c[1]) * (c[0] - c[1]) / (c[0] + c[1])
			cells++
		}
		if sum := rest[0] + rest[1]; sum > 0 {
			chi += (rest[0] - rest[1]) * (rest[0] - rest[1]) / sum
			cells++
		}
		if p := (distuv.ChiSquared{K: cells - 1}).Survival(chi); p < 1e-6 {
			t.Errorf("%s: chi square %.1f of %.0f cells, p = %.2g", small.Name, chi, cells, p)
		}
	}
}

// The population value of the bridge, over all paths of one intermediate temperature, is log Z with
// the reverse kernel; with the same kernel both ways it is not where that is no reverse of itself,
// by a little that no table of coverage would see.
func TestPopulationBridge(t *testing.T) {
	e := engine(t)
	wrong := 0
	for _, small := range check.Machines(e, 23) {
		m := small.Machine
		if !ofSpins(m) {
			continue
		}
		base, mid, full := kernelsOf(m, 0).exponents, kernelsOf(m, 0.5), kernelsOf(m, 1).exponents
		var z0, z1 exact.LogSum
		for a := range base {
			z0.Add(base[a])
			z1.Add(full[a])
		}
		want := z1.Log() - z0.Log()
		// value returns the D of Bennett's equation with the kernel back for reverse paths.
		value := func(back [][]float64) float64 {
			excess := func(d float64) (sum float64) {
				for a := range base {
					for b := range base {
						log := mid.exponents[a] - base[a] + full[b] - mid.exponents[b]
						sum += math.Exp(base[a]-z0.Log()) * mid.ahead[a][b] / (1 + math.Exp(d-log))
						sum -= math.Exp(full[b]-z1.Log()) * back[b][a] / (1 + math.Exp(log-d))
					}
				}
				return sum
			}
			lo, hi := want-5, want+5
			for range 80 {
				if mid := (lo + hi) / 2; excess(mid) > 0 {
					lo = mid
				} else {
					hi = mid
				}
			}
			return (lo + hi) / 2
		}
		near(t, fmt.Sprint(small.Name, ": bridge"), value(mid.back), want, 1e-10)
		if math.Abs(value(mid.ahead)-want) > 1e-6 {
			wrong++
		}
	}
	if wrong < 6 {
		t.Errorf("the same kernel both ways is wrong for %d machines only", wrong)
	}
}

// A machine of which the bridge of two steps would be 0.08 nats off, were the spins of reverse
// paths drawn in the order of the forward ones.
func TestBridgeReversesSweeps(t *testing.T) {
	e := engine(t)
	d := bm.NewDense(e, bm.Full(5, 0))
	d.Normal(1, 45)
	m := bm.New(e, d)
	_, logZ := check.ExactOf(m).Probabilities()
	start, err := eval.StartExact(m)
	if err != nil {
		t.Fatal(err)
	}
	a := eval.AIS{Machine: m, Runs: 50_000, Betas: 2, Sweeps: 1, Key: 3}
	z, err := a.Bridge(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "bridge", z, logZ, 0.012)
}
