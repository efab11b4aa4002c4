package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mattis/recipe"
)

// again is how long after an interrupt another one still counts as the same: timeout(1) sends each
// signal twice, and so do terminals that go away.
const again = 200 * time.Millisecond

// announced is what the first interrupt says, nil for nothing.
var announced atomic.Pointer[string]

// announce lets the first interrupt say what it leads to, where that takes a while.
func announce(text string) { announced.Store(&text) }

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP cancels; a second SIGINT
// or SIGTERM ends the process at once. A SIGHUP that is ignored stays so: nohup.
func interruptible() (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ending := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ending = append(ending, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, ending...)
	go func() {
		var first time.Time
		for s := range signals {
			switch {
			case first.IsZero():
				first = time.Now()
				cancel()
				sayStopping()
			case s != syscall.SIGHUP && time.Since(first) >= again:
				os.Exit(exitInterrupted)
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

func sayStopping() {
	text := announced.Load()
	if text == nil || !processes.first() {
		return
	}
	if tty, _ := terminal(os.Stderr); tty {
		fmt.Fprintln(os.Stderr) // the progress line stays above
	}
	fmt.Fprintln(os.Stderr, *text)
}

// outliveReaders lets the process go on when nobody reads its output any more, as of mattis train |
// head -1.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }

// unread returns nil for the error of writing to a pipe that is closed: who closed it has what they
// wanted.
func unread(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// requests are the signals that ask for a checkpoint; see acceptRequests.
var requests = make(chan os.Signal, 1)

// onRequest calls do at each request until the function that it returns is called.
func onRequest(do func()) (end func()) {
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-requests:
				do()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// trainings lets requests reach all of several trainings that are under way.
type trainings struct {
	mutex sync.Mutex
	under map[*recipe.Session]bool
}

// begin adds a training until ended is called.
func (c *trainings) begin(s *recipe.Session) (ended func()) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.under == nil {
		c.under = map[*recipe.Session]bool{}
	}
	c.under[s] = true
	return func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		delete(c.under, s)
	}
}

// ask asks every training for a checkpoint.
func (c *trainings) ask() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for s := range c.under {
		s.Checkpoint()
	}
}
