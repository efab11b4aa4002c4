package service

import (
	"context"
	"slices"
	"sync"
	"time"

	"mattis/data"
)

// batcher lets requests share calls of the engine: those whose answers do not depend on the rows
// beside them (see recipe.Model.RowsApart). Whoever waits when the engine is free goes together.
type batcher struct {
	service *Service
	mu      sync.Mutex
	waiting []*piece
	busy    bool
	spins   []int8 // of a call
}

// task is what is made of rows: F(v), or the means of a hidden layer.
type task struct {
	loaded *loaded
	layer  int // 0 for F(v)
}

// piece is the rows of one request.
type piece struct {
	task
	spins []int8
	rows  int
	taken bool // it is, or was, in a call
	done  int  // rows that have their numbers
	free  []float64
	means []float32
	way   string
	err   error
	ready chan struct{} // closed when all is done
}

// How many rows go in a call, and how many of each request at least as long as there is room: a
// small request does not wait for a large one.
const (
	mostTogether = 1024
	leastEach    = 64
)

// do has the piece done, and returns early where the context ends before its turn.
func (b *batcher) do(ctx context.Context, p *piece) error {
	p.ready = make(chan struct{})
	b.mu.Lock()
	b.waiting = append(b.waiting, p)
	if !b.busy {
		b.busy = true
		go b.run()
	}
	b.mu.Unlock()
	select {
	case <-p.ready:
		return p.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	i := slices.Index(b.waiting, p)
	if i >= 0 && !p.taken {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.mu.Unlock()
		return errGone
	}
	b.mu.Unlock()
	<-p.ready // its memory is in use
	return errGone
}

// share is the rows of a piece that are in a call.
type share struct {
	*piece
	from, rows int
}

// run makes calls until nobody waits.
func (b *batcher) run() {
	var call []share
	for {
		stay, _, err := b.service.turn.enter(context.Background(), time.Hour)
		if err != nil {
			panic("service: " + err.Error()) // the context does not end
		}
		b.mu.Lock()
		if call = b.next(call[:0]); len(call) == 0 {
			b.busy = false
			b.mu.Unlock()
			stay.leave()
			return
		}
		b.mu.Unlock()
		b.call(call)
		stay.leave()
		b.mu.Lock()
		for _, s := range call {
			if s.done += s.rows; s.done == s.piece.rows || s.err != nil {
				i := slices.Index(b.waiting, s.piece)
				b.waiting = slices.Delete(b.waiting, i, i+1)
				close(s.ready)
			}
		}
		b.mu.Unlock()
	}
}

// next chooses the rows of a call: those of the task that has waited longest, a few rows of each
// request and then more of them in order.
func (b *batcher) next(call []share) []share {
	room := mostTogether
	for _, p := range b.waiting {
		if p.task == b.waiting[0].task && room > 0 {
			n := min(p.rows-p.done, leastEach, room)
			p.taken = true
			call, room = append(call, share{p, p.done, n}), room-n
		}
	}
	for i := range call {
		s := &call[i]
		n := min(s.piece.rows-s.from-s.rows, room)
		s.rows, room = s.rows+n, room-n
	}
	return call
}

// call makes one call of the engine.
func (b *batcher) call(call []share) {
	t, v := call[0].task, call[0].loaded.Visible()
	b.spins = b.spins[:0]
	rows := 0
	for _, s := range call {
		b.spins = append(b.spins, s.spins[s.from*v:(s.from+s.rows)*v]...)
		rows += s.rows
	}
	set := &data.Set{Rows: rows, Visible: v, Spins: b.spins}
	name := "score"
	ctx := context.Background()
	if t.layer == 0 {
		f, way, err := t.loaded.FreeEnergies(ctx, set, nil)
		for _, s := range call {
			if s.way, s.err = way, err; err == nil {
				copy(s.free[s.from:], f[:s.rows])
				f = f[s.rows:]
			}
		}
	} else {
		name = "features"
		h := t.loaded.Machine.Layers()[t.layer]
		at, inside := 0, 0 // the share, and its rows that have been given
		err := t.loaded.HiddenMeans(ctx, set, t.layer, nil, func(x []float32) error {
			for len(x) > 0 {
				s := call[at]
				n := min(s.rows-inside, len(x)/h)
				copy(s.means[(s.from+inside)*h:], x[:n*h])
				if x, inside = x[n*h:], inside+n; inside == s.rows {
					at, inside = at+1, 0
				}
			}
			return nil
		})
		for _, s := range call {
			s.err = err
		}
	}
	meters := b.service.meters
	meters.together.WithLabelValues(name).Observe(float64(len(call)))
	meters.width.WithLabelValues(name).Observe(float64(rows))
}
