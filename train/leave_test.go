package train_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/negative"
	"mattis/rng"
	"mattis/train"
)

// forever are estimators whose draws take years.
var forever = map[string]func(r *bm.Machine) (negative.Estimator, error){
	"cd": func(r *bm.Machine) (negative.Estimator, error) { return negative.NewCD(r, 1<<50), nil },
	"pcd": func(r *bm.Machine) (negative.Estimator, error) {
		return negative.NewPCD(r, 5, 1<<50, 5), nil
	},
	"pid-gibbs": func(r *bm.Machine) (negative.Estimator, error) {
		return negative.NewPIDGibbs(r, r.Couplings().(*bm.Axons), 1<<50, true)
	},
	"tempering": func(r *bm.Machine) (negative.Estimator, error) {
		return negative.NewTempering(r, []float64{1, 0.5, 0}, 4, 1<<50, 5)
	},
	"trajectory": func(r *bm.Machine) (negative.Estimator, error) {
		return negative.NewTrajectory(r, negative.TrajectoryOptions{Chains: 4, Steps: 1 << 50, Rungs: 2, Every: 1, Acceptance: 1}, 5)
	},
	"annealing": func(r *bm.Machine) (negative.Estimator, error) { return negative.NewAnnealing(r, 5, 1<<50), nil },
}

// An update that is left changes nothing that a checkpoint holds, and counts for none. Without the copy of the chains
// those of pcd and tempering differ; without a look at the flag the test never ends.
func TestLeavingAnUpdate(t *testing.T) {
	for name, estimator := range forever {
		t.Run(name, func(t *testing.T) {
			tr := configuration{"axons", true, "pid", "momentum", "clip"}.trainer(t, 2)
			if err := tr.Run(context.Background(), 1); err != nil { // momenta and patterns that are their own
				t.Fatal(err)
			}
			var err error
			if tr.Negative, err = estimator(tr.Machine); err != nil {
				t.Fatal(err)
			}
			step, before := tr.Step, bits(tr)
			tr.LeaveAfter = time.Millisecond
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond) // in the midst of the draw
			defer cancel()
			if err := tr.Run(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if tr.Step != step {
				t.Errorf("update %d, want %d", tr.Step, step)
			}
			for i, x := range bits(tr) {
				if !slices.Equal(x, before[i]) {
					state, _ := tr.State()
					t.Errorf("%s changed", state[i].Name)
				}
			}
		})
	}
}

// A draw that was done before the update was left has frozen no state and given none up: what a trajectory would freeze, it
// freezes once the update counts. Rows that start anew beside it change nothing of that.
func TestLeavingAfterADraw(t *testing.T) {
	for _, name := range []string{"trajectory", "trajectory, fresh"} {
		tr := configuration{"axons", false, name, "sgd", ""}.trainer(t, 1)
		l := &late{Estimator: tr.Negative}
		tr.Negative = l
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if err := tr.Run(ctx, 5); err != nil {
			t.Fatal(err)
		}
		frozen := func() (list [][]float64) {
			state, err := tr.State()
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range bits(tr) {
				if state[i].Settled {
					list = append(list, x)
				}
			}
			return list
		}
		step, before, settled := tr.Step, bits(tr), frozen()
		l.leave = true
		if err := tr.Run(ctx, 6); !errors.Is(err, context.Canceled) || tr.Step != step {
			t.Fatalf("%s: update %d of %d, %v", name, tr.Step, step, err)
		}
		if !slices.EqualFunc(bits(tr), before, slices.Equal[[]float64]) {
			t.Errorf("%s: an update that was left has changed something", name)
		}
		l.leave = false
		if err := tr.Run(ctx, 6); err != nil {
			t.Fatal(err)
		}
		if slices.EqualFunc(frozen(), settled, slices.Equal[[]float64]) {
			t.Errorf("%s: no state was frozen afterwards: this tests nothing", name)
		}
	}
}

// late is an estimator whose draws are left as soon as they are done.
type late struct {
	negative.Estimator
	leave bool
	flag  *atomic.Bool
}

func (l *late) Draw(b bm.Batch, key rng.Key) bm.Batch {
	drawn := l.Estimator.Draw(b, key)
	if l.leave {
		l.flag.Store(true)
	}
	return drawn
}

func (l *late) LeaveOn(flag *atomic.Bool) {
	l.flag = flag
	l.Estimator.(negative.Leavable).LeaveOn(flag)
}

func (l *late) Settle() { l.Estimator.(negative.Settling).Settle() }

// bits returns all that a checkpoint keeps.
func bits(tr *train.Trainer) [][]float64 {
	var all [][]float64
	e := tr.Machine.Engine()
	state, err := tr.State()
	if err != nil {
		panic(err)
	}
	for _, p := range state {
		x := make([]float64, p.Value.Len())
		switch p.Value.Type() {
		case compute.Int8:
			y := make([]int8, len(x))
			compute.Read(e, y, p.Value)
			for i := range y {
				x[i] = float64(y[i])
			}
		case compute.Float32:
			y := make([]float32, len(x))
			compute.Read(e, y, p.Value)
			for i := range y {
				x[i] = float64(y[i])
			}
		default:
			compute.Read(e, x, p.Value)
		}
		all = append(all, x)
	}
	return all
}

// An update whose draw ends in time is not left, however late the flag: with a patience of an hour the update under way is
// the last, and it counts.
func TestPatienceWithAnUpdate(t *testing.T) {
	tr := configuration{"axons", false, "pcd", "sgd", "clip"}.trainer(t, 1)
	tr.LeaveAfter = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	tr.Negative = &cancelling{tr.Negative.(*negative.PCD), cancel}
	if err := tr.Run(ctx, 1); !errors.Is(err, context.Canceled) || tr.Step != 1 {
		t.Errorf("update %d, %v", tr.Step, err)
	}
}

// cancelling is PCD that cancels the training as it draws.
type cancelling struct {
	*negative.PCD
	cancel func()
}

func (c *cancelling) Draw(b bm.Batch, key rng.Key) bm.Batch {
	c.cancel()
	return c.PCD.Draw(b, key)
}
