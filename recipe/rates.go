package recipe

import (
	"math"

	"mattis/bm"
	"mattis/optim"
)

// checkDecay refuses what is no way for a learning rate to fall, and fills in defaults.
func (r *Recipe) checkDecay() error {
	const at = "optimizer.decay"
	o, d := &r.Optimizer, &r.Optimizer.Decay
	kind := string(optim.Exponential)
	give(&kind, d.Kind)
	if err := oneOf(at+".kind", kind, optim.Decays()); err != nil {
		return err
	}
	if d.Factor == 0 {
		return wrong(at+".factor", "0 would end the training after an epoch, want above 0 to 1")
	}
	switch exponential := kind == string(optim.Exponential); {
	case d.Over == nil && !exponential:
		return wrong(at+".over", "is missing: the epochs that %s takes, such as 100", kind)
	case d.Over != nil && d.Factor != 1:
		return wrong(at+".factor", "%v and over are two ways to say how fast the rate falls: leave one out", d.Factor)
	case d.Over != nil && exponential && d.Floor == 0:
		return wrong(at+".floor", "0 is not come to by a factor in %d epochs: want a floor above 0, or linear or cosine", *d.Over)
	case d.Over != nil:
		if err := between(at+".over", *d.Over, 1, mostCount); err != nil {
			return err
		}
	}
	switch power := kind == string(optim.Power); {
	case power && d.Power == nil:
		d.Power = ptr(1.0)
	case d.Power != nil && !power:
		return wrong(at+".power", "has no meaning for %s: leave it out", kind)
	case power:
		if err := within(at+".power", *d.Power, 0, 100); err != nil {
			return err
		}
	}
	if d.Per != nil {
		if err := oneOf(at+".per", *d.Per, []string{"epoch", "update"}); err != nil {
			return err
		}
	}
	if o.WarmUp != nil {
		if err := within("optimizer.warm_up", *o.WarmUp, 0, mostCount); err != nil {
			return err
		}
	}
	return atLeast(at+".after", d.After, 0)
}

// schedule returns the learning rate in the course of the training.
func (r *Recipe) schedule() optim.Schedule {
	o, d := r.Optimizer, r.Optimizer.Decay
	s := optim.Schedule{Rate: o.Rate, Factor: d.Factor, After: d.After, Floor: d.Floor, PerUpdate: d.Per != nil && *d.Per == "update"}
	if d.Kind != nil {
		s.Decay = optim.Decay(*d.Kind)
	}
	give(&s.Over, d.Over)
	give(&s.Power, d.Power)
	give(&s.WarmUp, o.WarmUp)
	return s
}

type averageKind struct {
	name  string
	build func(machine, of *bm.Machine, value float64) *optim.Average
}

func (a averageKind) called() string { return a.name }

var averages = []averageKind{
	{name: none},
	{"exponential", func(machine, of *bm.Machine, x float64) *optim.Average { return optim.NewExponential(machine, of, x) }},
	{"from", func(machine, of *bm.Machine, x float64) *optim.Average { return optim.NewLast(machine, of, int(x)) }},
}

// checkAverage refuses what is no average.
func (r *Recipe) checkAverage() error {
	const at = "train.average"
	a := r.Train.Average
	if err := oneOf(at, a.Name, names(averages)); err != nil {
		return err
	}
	switch {
	case a.Name == none && a.Value != nil:
		return wrong(at, "none takes no number")
	case a.Name == none:
		return nil
	case a.Value == nil:
		return wrong(at, "%s needs its number, such as {exponential: 0.999} or {from: 40}", a.Name)
	case a.Name == "exponential":
		if !(*a.Value > 0 && *a.Value < 1) {
			return wrong(at, "exponential: %v is out of range, want a factor an update between 0 and 1, such as 0.999", *a.Value)
		}
	case *a.Value != math.Trunc(*a.Value) || *a.Value < 0 || *a.Value > mostCount:
		return wrong(at, "from: %v is no epoch, want a whole number of 0 or more", *a.Value)
	}
	return nil
}

// averaged returns what follows the mean of the machine's parameters, nil where nothing does.
func (r *Recipe) averaged(m *bm.Machine) *optim.Average {
	a := r.Train.Average
	if a.Name == none {
		return nil
	}
	k, _ := find(averages, a.Name)
	return k.build(r.BuildMachine(m.Layers()[bm.Visible], m.Engine()), m, *a.Value)
}
