package train_test

import (
	"fmt"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/negative"
	"mattis/optim"
	"mattis/rng"
	"mattis/train"
)

// configuration is a training of a small machine.
type configuration struct {
	couplings string // dense, axons
	full      bool   // biases, offset, learned gain
	negative  string
	optimizer string // sgd, momentum, adam
	project   string // "", sign after epochs, clip or gibbs after updates; exponential or from 1: an average in their place
}

func (c configuration) name() string {
	return fmt.Sprintf("%s,full=%v,%s,%s,%s", c.couplings, c.full, c.negative, c.optimizer, c.project)
}

// configurations returns every estimator and optimizer with the couplings they go with.
func configurations() []configuration {
	var l []configuration
	for _, n := range []string{"cd", "pcd", "exact"} {
		for _, o := range []string{"sgd", "momentum", "adam"} {
			l = append(l, configuration{"dense", o == "adam", n, o, ""}, configuration{"axons", o == "sgd", n, o, "clip"})
		}
	}
	for _, n := range []string{"pid", "pid-literal", "pid-gibbs", "pid-gibbs continuous"} {
		l = append(l, configuration{"axons", false, n, "sgd", "sign"}, configuration{"axons", true, n, "momentum", "clip"},
			configuration{"axons", true, n, "adam", "gibbs"})
	}
	for _, n := range []string{"jarzynski", "fpcd", "pcd, restarted", "trajectory", "trajectory, fresh", "pcd, fresh until"} {
		l = append(l, configuration{"axons", true, n, "adam", ""}, configuration{"dense", false, n, "sgd", ""})
	}
	for _, project := range []string{"", "exponential", "from 1"} {
		l = append(l, configuration{"axons", true, "pcd, fresh", "adam", project}, configuration{"dense", false, "pcd, fresh", "sgd", project})
	}
	return l
}

const visible, hidden, rows, batchSize = 9, 11, 10, 3

// trainer returns the training at its start: 10 rows in batches of 3.
func (c configuration) trainer(t *testing.T, threads int) *train.Trainer {
	e := cpu.New(threads)
	t.Cleanup(e.Close)
	r := c.machine(e)
	axons := r.Axons()
	tr := &train.Trainer{
		Machine: r, Rate: optim.Schedule{Rate: 0.05, Factor: 0.9}.At,
		Data: e.Alloc(compute.Int8, rows, visible), BatchSize: batchSize, Short: train.Share, Key: 3,
	}
	e.Spins(tr.Data, 4, 0, 0)
	var err error
	switch c.negative {
	case "cd":
		tr.Negative = negative.NewCD(r, 2)
	case "pcd":
		tr.Negative = negative.NewPCD(r, 5, 1, 5)
	case "pcd, restarted":
		p := negative.NewPCD(r, 5, 1, 5)
		p.Grow(3, 4)
		err = p.Restart(0.3, negative.Start{From: negative.Uniform})
		tr.Negative = p
	case "pcd, fresh until":
		var n *negative.Renewed
		if n, err = negative.NewRenewed(r, negative.NewPCD(r, 5, 1, 5), 3, 2, negative.Start{From: negative.Uniform}); err == nil {
			n.Until(5) // in the second epoch
			tr.Negative = n
		}
	case "pcd, fresh":
		from := negative.Start{From: negative.Mean, Fields: e.Alloc(compute.Float32, 1, visible)}
		if axons != nil {
			from = negative.Start{From: negative.Patterns}
		}
		tr.Negative, err = negative.NewRenewed(r, negative.NewPCD(r, 5, 1, 5), 3, 2, from)
	case "trajectory": // half of its acceptance is more than can be: it freezes and gives up states all the time
		tr.Negative, err = negative.NewTrajectory(r, negative.TrajectoryOptions{Chains: 5, Steps: 4, Rungs: 4, Every: 2, Acceptance: 3}, 5)
	case "trajectory, fresh":
		var n *negative.Trajectory
		if n, err = negative.NewTrajectory(r, negative.TrajectoryOptions{Chains: 5, Steps: 4, Rungs: 3, Every: 1, Acceptance: 3}, 5); err == nil {
			tr.Negative, err = negative.NewRenewed(r, n, 3, 2, negative.Start{From: negative.Uniform})
		}
	case "jarzynski":
		tr.Negative = negative.NewJarzynski(r, 5, 1, 5)
	case "fpcd":
		tr.Negative = negative.NewFPCD(r, 5, 1, 0.1, 0.9, 5)
	case "pid":
		tr.Negative = negative.NewPID(r, axons, nil)
	case "pid-literal":
		tr.Negative, err = negative.NewPIDLiteral(r, axons)
	case "pid-gibbs":
		tr.Negative, err = negative.NewPIDGibbs(r, axons, 2, false)
	case "pid-gibbs continuous":
		tr.Negative, err = negative.NewPIDGibbs(r, axons, 2, true)
	case "exact":
		tr.Negative, err = negative.NewExact(r)
	default:
		t.Fatalf("no estimator %q", c.negative)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch c.optimizer {
	case "sgd":
		tr.Optimizer = optim.NewSGD(r, 0, 0.1)
	case "momentum":
		tr.Optimizer = optim.NewSGD(r, 0.9, 0.1)
	case "adam":
		tr.Optimizer = optim.NewAdam(r, 0.9, 0.999, 1e-8, 0.1)
	default:
		t.Fatalf("no optimizer %q", c.optimizer)
	}
	switch c.project {
	case "exponential", "from 1":
		mean := c.machine(e)
		if tr.Average = optim.NewExponential(mean, r, 0.8); c.project == "from 1" {
			tr.Average = optim.NewLast(mean, r, 1)
		}
	case "sign":
		tr.AfterEpoch = []optim.Projection{optim.Sign{Machine: r, Axons: axons}}
	case "clip":
		tr.AfterUpdate = []optim.Projection{optim.Clip{Machine: r, Axons: axons, Bound: 1}}
	case "gibbs":
		g, err := optim.NewGibbs(r, axons, 1)
		if err != nil {
			t.Fatal(err)
		}
		tr.AfterUpdate = []optim.Projection{g}
	}
	return tr
}

// machine returns the machine of the training with its first parameters.
func (c configuration) machine(e compute.Engine) *bm.Machine {
	var couplings bm.Couplings
	if c.couplings == "dense" {
		d := bm.NewDense(e, bm.Restricted(visible, hidden, c.full))
		d.Normal(0.3, 1)
		couplings = d
	} else {
		axons := bm.NewAxons(e, bm.Restricted(visible, hidden, c.full), 4, c.full)
		axons.Uniform(1, 1)
		axons.SetGain(0.6)
		couplings = axons
	}
	r := bm.New(e, couplings, c.full, c.full)
	for i, p := range r.Params() {
		if p.Name == "offset.visible" || p.Name == "bias.visible" || p.Name == "bias.hidden" {
			x := make([]float32, p.Value.Len())
			for j := range x {
				x[j] = float32(0.2 * rng.Key(2).Normal(uint64(i), uint64(j)))
			}
			compute.Write(e, p.Value, x)
		}
	}
	return r
}
