package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// task is work cut into numbered pieces that do not depend on each other. What
// a piece computes may depend on its number, never on the worker.
type task interface{ do(worker, piece int) }

// pool runs the pieces of a task on its threads, the caller's among them. A
// helper that has nothing to do watches for the next task for a
// while, because tasks come in quick succession, and then parks.
type pool struct {
	threads int
	helpers []helper
	next    atomic.Int64
	busy    atomic.Int64 // helpers still in the task
	waiting atomic.Bool  // the caller has parked, or is about to
	done    chan struct{}
	pieces  int64
	task    task
	once    sync.Once
}

// helper is one goroutine of the pool. state says what it is told or doing.
type helper struct {
	state atomic.Int32
	wake  chan struct{}
	_     [40]byte // one cache line each
}

const (
	watching int32 = iota // for a task
	working
	parked
	closed
)

// watchTurns is how often a thread looks before it parks: some 100
// microseconds. Pieces take as long, and to wake a thread costs half of that.
const watchTurns = 50000

func newPool(threads int) *pool {
	p := &pool{threads: threads, helpers: make([]helper, threads-1), done: make(chan struct{}, 1)}
	for i := range p.helpers {
		p.helpers[i].wake = make(chan struct{}, 1)
		go p.help(i)
	}
	return p
}

func (p *pool) help(i int) {
	h := &p.helpers[i]
	for {
		turns := watchTurns
		for h.state.Load() == watching {
			if turns--; turns > 0 {
				if turns%64 == 0 {
					runtime.Gosched()
				}
				continue
			}
			if h.state.CompareAndSwap(watching, parked) {
				<-h.wake
			}
		}
		if h.state.Load() == closed {
			return
		}
		p.work(i + 1)
		h.state.CompareAndSwap(working, watching)
		p.finished()
	}
}

// tell moves a helper to the state, and wakes it if it has parked.
func (h *helper) tell(state int32) {
	if h.state.Swap(state) == parked {
		h.wake <- struct{}{}
	}
}

// run does pieces 0 to n-1 on at most so many threads and returns when all are done.
func (p *pool) run(t task, n, threads int) {
	threads = min(threads, n)
	if threads <= 1 {
		for i := range n {
			t.do(0, i)
		}
		return
	}
	p.task, p.pieces = t, int64(n)
	p.next.Store(0)
	p.busy.Store(int64(threads - 1))
	for i := range threads - 1 {
		p.helpers[i].tell(working)
	}
	p.work(0)
	p.wait()
	p.task = nil
}

// wait returns when no helper is busy: it watches for a while and then parks.
func (p *pool) wait() {
	for turns := 1; p.busy.Load() > 0; turns++ {
		if turns%64 == 0 {
			runtime.Gosched()
		}
		if turns < watchTurns {
			continue
		}
		p.waiting.Store(true)
		if p.busy.Load() > 0 || !p.waiting.Swap(false) {
			<-p.done
		}
		return
	}
}

// finished counts a helper out and wakes the caller if it waits for the last one.
func (p *pool) finished() {
	if p.busy.Add(-1) == 0 && p.waiting.Swap(false) {
		p.done <- struct{}{}
	}
}

func (p *pool) work(w int) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.pieces {
			return
		}
		p.task.do(w, int(i))
	}
}

func (p *pool) close() {
	p.once.Do(func() {
		for i := range p.helpers {
			p.helpers[i].tell(closed)
		}
	})
}
