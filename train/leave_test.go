package train_test

import (
	"context"
	"errors"
	"slices"
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
