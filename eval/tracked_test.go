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
		if _, _, _, _, ok := tracked.LogZ(); ok {
			t.Errorf("%s: an estimate before the first state", small.Name)
		}
		for step := range uint64(10) {
			if step == 5 {
				again := eval.NewTracked(copies[1][i].Machine, 400)
				for j, p := range again.State() {
					e.Copy(p.Value, tracked.State()[j].Value)
				}
				peeked := math.NaN()
				err := tracked.Peek(m, 5, 8, rng.Key(3), func() error {
					peeked, _, _, _, _ = tracked.LogZ()
					return nil
				})
				if at, _ := tracked.At(); at != 4 || err != nil {
					t.Errorf("%s: after a look ahead at update %d, want 4: %v", small.Name, at, err)
				}
				again.Follow(m, 5, 8, rng.Key(3))
				tracked.Follow(m, 5, 8, rng.Key(3))
				a, _, _, _, _ := again.LogZ()
				if b, _, _, _, _ := tracked.LogZ(); a != b || a != peeked {
					t.Errorf("%s: %v from the state, %v straight on, %v in a look ahead", small.Name, a, b, peeked)
				}
			}
			tracked.Follow(m, int(step), 8, rng.Key(2).Fold(step))
			got, stderr, paths, _, ok := tracked.LogZ()
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
	s.Tracked.Follow(m, 1, 50, 4)
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
