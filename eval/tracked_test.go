package eval_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/internal/check"
	"mattis/rng"
	"mattis/sampler"
)

// walk moves the parameters of a machine as a training might.
func walk(m *bm.Machine, step uint64) {
	for i, p := range m.Params() {
		if p.Value.Type() != compute.Float32 || p.Name == "log_gain" {
			continue
		}
		if pair, is := strings.CutPrefix(p.Name, "weights."); is {
			if a, b, _ := strings.Cut(pair, "-"); a == b { // a layer with itself: symmetric, nothing on the diagonal
				m.Engine().Axpby(p.Value, 0, p.Value, 1-0.1*float64(step%3))
				continue
			}
		}
		x := make([]float32, p.Value.Len())
		compute.Read(m.Engine(), x, p.Value)
		for j := range x {
			x[j] += float32(0.05 * rng.Key(7).Fold(step).Normal(uint64(i), uint64(j)))
		}
		compute.Write(m.Engine(), p.Value, x)
	}
}

// Along ten states of a small machine of every shape log Z is followed within four of the standard
// errors that are told: a wrong factor of a step, a sweep that is not the machine's, a wrong log Z
// without couplings or paths drawn wrongly anew are many of them off. A copy that goes on from State
// has the same bits, and nll_tracked is F + log Z.
func TestTracked(t *testing.T) {
	e := engine(t)
	truth, copies := check.Machines(e, 71), [2][]check.Small{check.Machines(e, 71), check.Machines(e, 71)}
	for i, small := range truth {
		m := small.Machine
		for _, p := range m.Params() { // couplings that are no more than a step can follow
			if p.Name != "log_gain" && p.Value.Type() == compute.Float32 {
				e.Axpby(p.Value, 0, p.Value, 0.5)
			}
		}
		tracked := eval.NewTracked(copies[0][i].Machine, 400)
		var names []string
		for _, p := range tracked.State() {
			if slices.Contains(names, p.Name) { // a checkpoint cannot hold both
				t.Errorf("%s: two parts of the state are named %s", small.Name, p.Name)
			}
			names = append(names, p.Name)
		}
		if _, _, _, ok := tracked.LogZ(); ok {
			t.Errorf("%s: an estimate before the first state", small.Name)
		}
		for step := range uint64(10) {
			if step == 5 {
				again := eval.NewTracked(copies[1][i].Machine, 400)
				for j, p := range again.State() {
					e.Copy(p.Value, tracked.State()[j].Value)
				}
				peeked := math.NaN()
				err := tracked.Peek(m, 5, 8, eval.Chains{}, rng.Key(3), func() error {
					peeked, _, _, _ = tracked.LogZ()
					return nil
				})
				if at, _ := tracked.At(); at != 4 || err != nil {
					t.Errorf("%s: after a look ahead at update %d, want 4: %v", small.Name, at, err)
				}
				again.Follow(m, 5, 8, eval.Chains{}, rng.Key(3))
				tracked.Follow(m, 5, 8, eval.Chains{}, rng.Key(3))
				a, _, _, _ := again.LogZ()
				if b, _, _, _ := tracked.LogZ(); a != b || a != peeked {
					t.Errorf("%s: %v from the state, %v straight on, %v in a look ahead", small.Name, a, b, peeked)
				}
			}
			tracked.Follow(m, int(step), 8, eval.Chains{}, rng.Key(2).Fold(step))
			got, stderr, paths, ok := tracked.LogZ()
			_, want := check.ExactOf(m).Probabilities()
			if !ok || math.Abs(got-want) > 4*stderr+1e-3 || !(stderr < 0.3) || !(paths > 10) {
				t.Errorf("%s, state %d: log Z %.4f ± %.4f of %.0f paths, exactly %.4f", small.Name, step, got, stderr, paths, want)
			}
			walk(m, step)
		}
	}
	m := check.SmallMachines(e, 4, 3, 31)[0].Machine
	own := check.SmallMachines(e, 4, 3, 31)[0].Machine
	set := &data.Set{Rows: 2, Visible: 4, Spins: []int8{1, 1, -1, 1, -1, -1, 1, 1}}
	s := eval.Subject{Machine: m, Split: &data.Split{Train: set}, SetName: "train", Tracked: eval.NewTracked(own, 2000)}
	s.Tracked.Follow(m, 1, 50, eval.Chains{}, 4)
	measure, err := eval.Named("nll_tracked")
	if err != nil {
		t.Fatal(err)
	}
	x, err := measure.Run(context.Background(), s, eval.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	want := check.LogZ(m) + (check.FreeEnergy(m, set.Row(0))+check.FreeEnergy(m, set.Row(1)))/2
	if z := x.Detail["log_z_stderr"].(float64); math.Abs(x.Value-want) > 4*z+1e-6 {
		t.Errorf("nll_tracked %.4f ± %.4f, exactly %.4f", x.Value, z, want)
	}
}

// Where parameters go far from one state to the next, at which chains of two sweeps a state lag behind,
// the errors that are told are those that there are, with chains and without: of eight trainings of
// twelve states none is more than five standard errors off, and at most five of the 96 more than three
// (with errors of normal estimates a chance of 1e-6; those here are widened for few effective paths).
func TestTrackedAtHighRates(t *testing.T) {
	e := engine(t)
	for _, with := range []bool{false, true} {
		far, total := 0, 0
		for seed := range uint64(8) {
			key := rng.Key(11).Fold(seed)
			m, own := check.SmallMachines(e, 8, 5, 31)[0].Machine, check.SmallMachines(e, 8, 5, 31)[0].Machine
			tracked := eval.NewTracked(own, 100)
			held := m.State(100)
			sampler.Randomize(m, held, bm.Law{Key: key.Fold(1)})
			rows := make([]int32, 100)
			for i := range rows {
				rows[i] = int32(i)
			}
			for step := range uint64(12) {
				for i, p := range m.Params() {
					x := make([]float32, p.Value.Len())
					compute.Read(e, x, p.Value)
					for j := range x {
						x[j] = float32(0.9*float64(x[j]) + 0.5*key.Fold(100+step).Normal(uint64(i), uint64(j)))
					}
					compute.Write(e, p.Value, x)
				}
				sampler.Gibbs(m, held, bm.Law{Key: key.Fold(200 + step)}, 2)
				var chains eval.Chains
				if with {
					chains = eval.Chains{Visible: held[bm.Visible], Rows: rows}
				}
				tracked.Follow(m, int(step), 20, chains, key.Fold(300+step))
				got, stderr, _, _ := tracked.LogZ()
				_, want := check.ExactOf(m).Probabilities()
				z := math.Abs(got-want) / math.Hypot(stderr, 1e-4)
				total++
				if z > 3 {
					far++
				}
				if z > 5 || !(stderr < 3) {
					t.Errorf("chains %v, seed %d, state %d: log Z %.3f ± %.3f, exactly %.3f", with, seed, step, got, stderr, want)
				}
			}
		}
		t.Logf("chains %v: %d of %d more than three standard errors off", with, far, total)
		if far > 5 {
			t.Errorf("chains %v: %d of %d estimates are more than three standard errors off", with, far, total)
		}
	}
}
