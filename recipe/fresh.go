package recipe

import (
	"math"

	"mattis/bm"
	"mattis/negative"
	"mattis/rng"
)

// checkFresh fills in the defaults of negative.fresh and refuses what cannot be.
func (r *Recipe) checkFresh() error {
	n := r.Negative
	if err := n.checkRestart(r.Couplings.Kind); err != nil {
		return err
	}
	f, k := n.Fresh, "negative.fresh"
	if f == nil {
		return nil
	}
	if f.Share == nil {
		f.Share = ptr(0.2)
	}
	if f.Steps == nil {
		f.Steps = ptr(10)
	}
	if f.From == nil {
		f.From = ptr(string(negative.Uniform))
	}
	if err := within(k+".share", *f.Share, 0, 1); err != nil {
		return err
	}
	if *n.Chains-n.renewal() < 1 {
		return wrong(k+".share", "%v of %d chains leaves none that goes on; want less, or more negative.chains", *f.Share, *n.Chains)
	}
	if err := between(k+".steps", *f.Steps, 1, mostCount); err != nil {
		return err
	}
	return checkFrom(k+".from", *f.From, r.Couplings.Kind)
}

// checkFrom refuses what chains cannot start from.
func checkFrom(path, from, couplings string) error {
	if err := oneOf(path, from, negative.Froms()); err != nil {
		return err
	}
	if from == string(negative.Patterns) && couplings != "axons" {
		return wrong(path, "patterns are of axons, and couplings.kind is %s: take uniform or data", couplings)
	}
	return nil
}

// checkRestart fills in the defaults of negative.restart and negative.grow and refuses what cannot
// be.
func (n Negative) checkRestart(couplings string) error {
	if s := n.Restart; s != nil {
		if s.Rate == nil {
			s.Rate = ptr(0.01)
		}
		if s.From == nil {
			s.From = ptr(string(negative.Uniform))
		}
		if err := within("negative.restart.rate", *s.Rate, 0, 1); err != nil {
			return err
		}
		if err := checkFrom("negative.restart.from", *s.From, couplings); err != nil {
			return err
		}
	}
	if g := n.Grow; g != nil {
		switch {
		case g.To == nil:
			return wrong("negative.grow.to", "is missing: the sweeps in the end, such as 20")
		case g.Over == nil:
			return wrong("negative.grow.over", "is missing: the updates in which sweeps become so many, such as 10000")
		}
		if err := between("negative.grow.to", *g.To, *n.Steps, mostCount); err != nil {
			return err
		}
		return between("negative.grow.over", *g.Over, 1, mostCount)
	}
	return nil
}

// persistent returns the chains that go on.
func (n Negative) persistent(m *bm.Machine, key rng.Key) (*negative.PCD, error) {
	p := negative.NewPCD(m, n.held(), *n.Steps, key)
	if g := n.Grow; g != nil {
		p.Grow(*g.To, *g.Over)
	}
	if s := n.Restart; s != nil {
		return p, p.Restart(*s.Rate, negative.From(*s.From))
	}
	return p, nil
}

// renewal returns how many of the chains start anew at each update.
func (n Negative) renewal() int {
	if n.Fresh == nil {
		return 0
	}
	return int(math.Round(*n.Fresh.Share * float64(*n.Chains)))
}

// fromRows reports whether some chains start from rows of the batch.
func (n Negative) fromRows() bool {
	rows := string(negative.Rows)
	return n.Fresh != nil && *n.Fresh.From == rows || n.Restart != nil && *n.Restart.From == rows
}

// Rows returns how many chains go on from update to update, and how many start anew at each.
func (n Negative) Rows() (held, fresh int) { return n.held(), n.renewal() }

// held returns how many of the chains go on from update to update.
func (n Negative) held() int { return *n.Chains - n.renewal() }

// renewed returns the estimator with the chains beside it that start anew.
func (n Negative) renewed(m *bm.Machine, e negative.Estimator) (negative.Estimator, error) {
	if n.renewal() == 0 {
		return e, nil
	}
	return negative.NewRenewed(m, e, n.renewal(), *n.Fresh.Steps, negative.From(*n.Fresh.From))
}
