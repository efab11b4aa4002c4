package cpu

import (
	"sync"
	"sync/atomic"
)

// task is work cut into numbered pieces that do not depend on each other. What
// a piece computes may depend on its number, never on the worker.
type task interface{ do(worker, piece int) }

// pool runs the pieces of a task on its threads, the caller's among them.
type pool struct {
	threads int
	wake    chan struct{}
	done    sync.WaitGroup
	next    atomic.Int64
	pieces  int64
	task    task
	once    sync.Once
}

func newPool(threads int) *pool {
	p := &pool{threads: threads, wake: make(chan struct{}, threads)}
	for w := 1; w < threads; w++ {
		go func() {
			for range p.wake {
				p.work(w)
				p.done.Done()
			}
		}()
	}
	return p
}

// run does pieces 0 to n-1 and returns when all are done.
func (p *pool) run(t task, n int) {
	if n == 1 || p.threads == 1 {
		for i := range n {
			t.do(0, i)
		}
		return
	}
	p.task, p.pieces = t, int64(n)
	p.next.Store(0)
	helpers := min(p.threads, n) - 1
	p.done.Add(helpers)
	for range helpers {
		p.wake <- struct{}{}
	}
	p.work(0)
	p.done.Wait()
	p.task = nil
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

func (p *pool) close() { p.once.Do(func() { close(p.wake) }) }
