package check

import (
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/rng"
	"mattis/train"
)

// forgetful is an estimator whose chains no checkpoint keeps.
type forgetful struct{ negative.Estimator }

func (forgetful) State() []bm.Param { return nil }

// dull is an optimizer whose memory no checkpoint keeps.
type dull struct{ optim.Optimizer }

func (dull) State() []bm.Param { return nil }

// stale is an optimizer whose rate depends on how often it was called, not on the trainer's step.
type stale struct {
	optim.Optimizer
	calls *int
}

func (s stale) Step(rate float64) {
	*s.calls++
	s.Optimizer.Step(rate / float64(*s.calls))
}

// uneven is an optimizer whose result depends on the number of threads.
type uneven struct {
	optim.Optimizer
	threads int
}

func (u uneven) Step(rate float64) { u.Optimizer.Step(rate * (1 + 1e-6*float64(u.threads))) }

func TestResumeSeesWhatIsForgotten(t *testing.T) {
	trainer := func(change func(tr *train.Trainer, threads int)) func(threads int) *train.Trainer {
		return func(threads int) *train.Trainer {
			e := cpu.New(threads)
			t.Cleanup(e.Close)
			r := SmallMachines(e, 6, 5, 51)[7].Machine
			data := e.Alloc(compute.Int8, 10, 6)
			e.Spins(data, 1, 0, 0)
			tr := &train.Trainer{
				Machine: r, Negative: negative.NewPCD(r, 6, 1, 2), Optimizer: optim.NewAdam(r, 0.9, 0.999, 1e-8, 0),
				Rate: func(float64) float64 { return 0.01 }, Data: data, BatchSize: 3, Short: train.Share, Key: rng.Key(3),
			}
			change(tr, threads)
			return tr
		}
	}
	for _, c := range []struct {
		name   string
		change func(tr *train.Trainer, threads int)
		want   string // part of the error
	}{
		{"nothing", func(*train.Trainer, int) {}, ""},
		{"the chains", func(tr *train.Trainer, _ int) { tr.Negative = forgetful{tr.Negative} }, "bits"},
		{"the moments", func(tr *train.Trainer, _ int) { tr.Optimizer = dull{tr.Optimizer} }, "bits"},
		{"the calls", func(tr *train.Trainer, _ int) { tr.Optimizer = stale{tr.Optimizer, new(int)} }, "bits"},
		{"the threads", func(tr *train.Trainer, threads int) { tr.Optimizer = uneven{tr.Optimizer, threads} }, "[{2 10}]"},
		{"the key", func(tr *train.Trainer, threads int) { tr.Key = rng.Key(threads) }, "[{2 10}]"},
	} {
		err := resume(trainer(c.change), 10, 5)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
