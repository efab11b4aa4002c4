package recipe

import (
	"math"

	"mattis/bm"
	"mattis/negative"
)

// checkFresh fills in the defaults of negative.fresh and refuses what cannot be.
func (r *Recipe) checkFresh() error {
	n := r.Negative
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
	if err := oneOf(k+".from", *f.From, negative.Froms()); err != nil {
		return err
	}
	if *f.From == string(negative.Patterns) && r.Couplings.Kind != "axons" {
		return wrong(k+".from", "patterns are of axons, and couplings.kind is %s: take uniform or data", r.Couplings.Kind)
	}
	return nil
}

// renewal returns how many of the chains start anew at each update.
func (n Negative) renewal() int {
	if n.Fresh == nil {
		return 0
	}
	return int(math.Round(*n.Fresh.Share * float64(*n.Chains)))
}

// held returns how many of the chains go on from update to update.
func (n Negative) held() int { return *n.Chains - n.renewal() }

// renewed returns the estimator with the chains beside it that start anew.
func (n Negative) renewed(m *bm.Machine, e negative.Estimator) (negative.Estimator, error) {
	if n.renewal() == 0 {
		return e, nil
	}
	return negative.NewRenewed(m, e, n.renewal(), *n.Fresh.Steps, negative.From(*n.Fresh.From))
}
