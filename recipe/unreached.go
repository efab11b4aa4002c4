package recipe

import (
	"context"
	"time"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
	"mattis/train"
)

// unreached warns at measured epochs where chains from random spins do not reach what the
// persistent chains hold: then a phase that these never see may hold most of the mass, and a
// likelihood that looks at the data alone is wrong. It is told once, and again when it comes back.
// It takes no part in the bits, and at most a fiftieth of the training's time.
type unreached struct {
	*Session
	ctx   context.Context
	spent time.Duration
	said  bool
}

func (u *unreached) Observe(ev train.Event) error {
	const share = 50
	every := u.Recipe.Measure.Every
	last := ev.Step == u.total
	if !ev.EpochEnd || ev.Step == 0 || !last && (every == 0 || ev.Epoch%every != 0) {
		return nil
	}
	if u.comm.Rank() > 0 { // the first process tells
		return nil
	}
	held := ev.Drawn.State.Layer(bm.Visible)
	if held.IsNone() || len(u.Trainer.Estimator().State()) == 0 || !last && u.spent.Seconds()*share > ev.Seconds {
		return nil
	}
	begin := time.Now()
	defer func() { u.spent += time.Since(begin) }()
	rows := make([]int8, held.Len())
	compute.Read(u.Machine.Engine(), rows, held)
	text, err := eval.Unreached(u.ctx, u.Machine, rows, u.Recipe.measureKey(ev.Step).Fold(purposeUnreached))
	switch {
	case u.ctx.Err() != nil: // the training ends, and says so itself
		return nil
	case err != nil:
		u.tell("update %d: whether random spins reach the persistent chains is not known: %v", ev.Step, err)
		return nil
	case text != "" && !u.said:
		u.tell("update %d: %s; the measure phases and mattis diagnose show it", ev.Step, text)
	}
	u.said = text != ""
	return nil
}
