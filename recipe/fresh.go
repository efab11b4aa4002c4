package recipe

import (
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/negative"
	"mattis/rng"
)

// checkFresh fills in the defaults of negative.fresh and refuses what cannot be.
func (r *Recipe) checkFresh() error {
	n := r.Negative
	if n.Start != nil {
		if err := checkFrom("negative.start", *n.Start, r.Couplings.Kind, negative.Begins()); err != nil {
			return err
		}
	}
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
	if f.Until != nil {
		if err := between(k+".until", *f.Until, 1, mostCount); err != nil {
			return err
		}
	}
	return checkFrom(k+".from", *f.From, r.Couplings.Kind, negative.Froms())
}

// checkFrom refuses what chains cannot start from.
func checkFrom(path, from, couplings string, places []string) error {
	if err := oneOf(path, from, places); err != nil {
		return err
	}
	if patterns := string(negative.Patterns); from == patterns && couplings != "axons" {
		others := slices.DeleteFunc(slices.Clone(places), func(p string) bool { return p == patterns })
		last := len(others) - 1
		return wrong(path, "patterns are of axons, and couplings.kind is %s: take %s or %s", couplings, strings.Join(others[:last], ", "), others[last])
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
		if err := checkFrom("negative.restart.from", *s.From, couplings, negative.Froms()); err != nil {
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
func (n Negative) persistent(m *bm.Machine, x basis) (*negative.PCD, error) {
	p := negative.NewPCD(m, n.held(), *n.Steps, x.key)
	if err := n.begin(p, x); err != nil {
		return nil, err
	}
	if g := n.Grow; g != nil {
		p.Grow(*g.To, *g.Over)
	}
	if s := n.Restart; s != nil {
		return p, p.Restart(*s.Rate, x.start(*s.From))
	}
	return p, nil
}

// start returns where chains start that the recipe calls so.
func (x basis) start(from string) negative.Start {
	return negative.Start{From: negative.From(from), Fields: x.fields}
}

// begin sets chains that go on from update to update to where they begin.
func (n Negative) begin(e interface {
	Begin(negative.Start, rng.Key) error
}, x basis) error {
	if n.Start == nil {
		return nil
	}
	return e.Begin(x.start(*n.Start), x.key)
}

// fromMeans reports whether some chains start from independent spins with the means of the training
// set.
func (n Negative) fromMeans() bool {
	mean := string(negative.Mean)
	return n.Start != nil && *n.Start == mean || n.Fresh != nil && *n.Fresh.From == mean || n.Restart != nil && *n.Restart.From == mean
}

// renewal returns how many of the chains start anew at each update, of those that fresh.until has.
func (n Negative) renewal() int {
	if n.Fresh == nil {
		return 0
	}
	return int(math.Round(*n.Fresh.Share * float64(*n.Chains)))
}

// fromData reports whether some chains start anew from rows of the batch, or from their means.
func (n Negative) fromData() bool {
	is := func(from *string) bool { return *from == string(negative.Rows) || *from == string(negative.Mean) }
	return n.Fresh != nil && is(n.Fresh.From) || n.Restart != nil && is(n.Restart.From)
}

// Rows returns how many chains go on from update to update, and how many start anew at each of those that fresh.until has.
func (n Negative) Rows() (held, fresh int) { return n.held(), n.renewal() }

// held returns how many of the chains go on from update to update.
func (n Negative) held() int { return *n.Chains - n.renewal() }

// renewed returns the estimator with the chains beside it that start anew.
func (n Negative) renewed(m *bm.Machine, e negative.Estimator, x basis) (negative.Estimator, error) {
	if n.renewal() == 0 {
		return e, nil
	}
	r, err := negative.NewRenewed(m, e, n.renewal(), *n.Fresh.Steps, x.start(*n.Fresh.From))
	if err == nil && n.Fresh.Until != nil {
		r.Until(*n.Fresh.Until)
	}
	return r, err
}
