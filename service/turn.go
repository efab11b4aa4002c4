package service

import (
	"context"
	"errors"
	"time"
)

// turn is whose the engine is: one goroutine's at a time, in the order in which they asked.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// slice is how long a request keeps the engine while others wait for it.
const slice = 5 * time.Millisecond

// errTime is the cause of a context that has ended since its request took too long.
var errTime = errors.New("the request takes longer than the service allows")

// stay is a request's time at the engine. It is given up and taken again between sweeps, where
// nothing of the request lies in the engine's arena but what it had there at its first turn.
type stay struct {
	turn  turn
	most  time.Duration
	since time.Time
	spent time.Duration
	limit *time.Timer
}

// enter waits for the engine. The context that it returns ends with errTime once the stay has used
// the engine for so long.
func (t turn) enter(ctx context.Context, most time.Duration) (*stay, context.Context, error) {
	select {
	case t <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	return &stay{turn: t, most: most, since: time.Now(), limit: time.AfterFunc(most, func() { cancel(errTime) })}, ctx, nil
}

// pass lets others have their turn once this one has lasted.
func (s *stay) pass() {
	now := time.Now()
	if now.Sub(s.since) < slice {
		return
	}
	s.limit.Stop()
	s.spent += now.Sub(s.since)
	<-s.turn
	s.turn <- struct{}{} // not given up for the context: the caller is in the middle of something
	s.since = time.Now()
	s.limit.Reset(max(0, s.most-s.spent))
}

// leave gives the engine back.
func (s *stay) leave() {
	s.limit.Stop()
	<-s.turn
}
