package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// task is work cut into numbered pieces that do not depend on each other. What
// a piece computes may depend on its number, never on the worker.
type task interface{ do(worker, piece int) }

// pool runs the pieces of a task on its threads, the caller's among them. Each thread begins with its
// own share of the numbers, one after the other, so that tasks that walk over the same rows find them in the
// cache of the same core, and helps the others when it has waited for them. A
// helper that has nothing to do watches for the next task for a
// while, because tasks come in quick succession, and then parks.
type pool struct {
	threads int
	helpers []helper
	shares  []share
	busy    atomic.Int64 // helpers still in the task
	waiting atomic.Bool  // the caller has parked, or is about to
	done    chan struct{}
	sharing int // threads in the task
	task    task
	once    sync.Once
}

// share is what is left of the numbers that one thread begins with.
type share struct {
	next, end atomic.Int64
	_         [48]byte // one cache line each
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

// patience is how often a thread looks at another's share before it takes of it: some 10
// microseconds, in which a small share is done. A piece that changes cores costs more than to wait for it.
const patience = 10000

func newPool(threads int) *pool {
	p := &pool{threads: threads, shares: make([]share, threads), helpers: make([]helper, threads-1), done: make(chan struct{}, 1)}
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
	p.task, p.sharing = t, threads
	for w := range threads {
		p.shares[w].next.Store(int64(w * n / threads))
		p.shares[w].end.Store(int64((w + 1) * n / threads))
	}
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
	for k := range p.sharing {
		s := &p.shares[(w+k)%p.sharing]
		for turns := patience; k > 0 && turns > 0 && s.next.Load() < s.end.Load(); turns-- {
		}
		for {
			i := s.next.Add(1) - 1
			if i >= s.end.Load() {
				break
			}
			p.task.do(w, int(i))
		}
	}
}

func (p *pool) close() {
	p.once.Do(func() {
		for i := range p.helpers {
			p.helpers[i].tell(closed)
		}
	})
}
