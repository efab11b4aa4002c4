package recipe

import (
	"mattis/negative"
	"mattis/train"
)

// parted warns where neighbouring temperatures of the tempering in training hardly ever exchange:
// replicas do not get past them, those at the machine's own temperature stay where they are, and
// the weights of the states that they stand for are wrong unseen. A ladder that exchanged while the
// machine was flat may be parted once it is sharp. It is told once, and again when it comes back
// after all pairs have exchanged twice as often. The rates are those of an epoch, or of as many as
// tell anything, counted by the draws themselves: looking costs nothing and takes no part in the bits.
type parted struct {
	*Session
	said bool
}

// What parts a ladder: a pair that exchanges with this probability is passed once in fifty tries,
// each of one in two rounds. Fewer tries tell nothing.
const (
	hardlyEver  = 0.02
	enoughTries = 1000
)

func (p *parted) Observe(ev train.Event) error {
	if !ev.EpochEnd || ev.Step == 0 || p.comm.Rank() > 0 { // the first process tells
		return nil
	}
	t := negative.Replicas(p.Trainer.Estimator())
	if t == nil {
		return nil
	}
	swaps := t.Stats().Swaps
	worst, pairs := 0, 0
	for r, s := range swaps {
		if s.Tried < enoughTries {
			return nil
		}
		if s.Chance < hardlyEver {
			pairs++
		}
		if s.Chance < swaps[worst].Chance {
			worst = r
		}
	}
	t.ResetStats()
	if pairs > 0 && !p.said {
		betas := t.Betas()
		p.tell("update %d: tempering hardly ever exchanges the temperatures %.4g and %.4g (probability %.2g; of %d pairs %d are below %g): replicas do not get past, and chains keep the weights they have; mattis diagnose %s --sampler tempering prints temperatures that exchange",
			ev.Step, betas[worst], betas[worst+1], swaps[worst].Chance, len(swaps), pairs, hardlyEver, p.Dir.Path())
		p.said = true
	}
	p.said = p.said && swaps[worst].Chance < 2*hardlyEver
	return nil
}
