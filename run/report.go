package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// reportEvery is how often state.json is replaced: readers on other hosts take a writer that says
// nothing for a minute as gone, and half of that has to do on a slow disk.
const reportEvery = 5 * time.Second

// Report keeps the state.json of a run directory while a process writes the run. A goroutine of its
// own replaces the file, so that it is up to date in updates and measures that take long. Its
// methods may be called from any goroutine; none but Say and Close touches the disk. What cannot be
// written is told by Failure, and hurts nothing else.
type Report struct {
	writing sync.Mutex // held while the file is replaced; taken before mu, which nothing holds for long

	mu     sync.Mutex
	path   string
	lock   os.FileInfo // of the directory, to know it by
	state  State
	failed error // the first failure
	told   bool

	stop chan struct{}
	done chan struct{}
}

// State returns the content of state.json; it is fs.ErrNotExist where there is none, as in runs of
// first versions.
func (d *Directory) State() (State, error) {
	b, err := os.ReadFile(d.join(StateFile))
	if err != nil {
		return State{}, err
	}
	s, err := ParseState(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.join(StateFile), err)
	}
	return s, err
}

// NewReport sets state.json to the state, with this host, process and time, and keeps it up to date
// until Close.
func (w *Writer) NewReport(s State) *Report {
	r := &Report{path: w.path, state: s, stop: make(chan struct{}), done: make(chan struct{})}
	r.state.Host, _ = os.Hostname()
	r.state.PID = os.Getpid()
	if w.lock != nil {
		r.lock, _ = w.lock.Stat()
	}
	r.write()
	go func() {
		defer close(r.done)
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.write()
			case <-r.stop:
				return
			}
		}
	}()
	return r
}

// At sets how far the run has come, and in how many seconds of training, to be written in time.
func (r *Report) At(step, epoch int, seconds float64) {
	r.mu.Lock()
	r.state.Step, r.state.Epoch, r.state.Seconds = step, epoch, seconds
	r.mu.Unlock()
}

// Moved sets the path at which the directory is now.
func (r *Report) Moved(path string) {
	r.mu.Lock()
	r.path = path
	r.mu.Unlock()
}

// Say sets the state and why it is so, and writes them.
func (r *Report) Say(state, message string) {
	r.mu.Lock()
	r.state.State, r.state.Message = state, message
	r.mu.Unlock()
	r.write()
}

// Close sets what the run has come to and why, and writes the file a last time.
func (r *Report) Close(state, message string) {
	close(r.stop)
	<-r.done
	r.Say(state, message)
}

// Failure returns why the file could not be written, once.
func (r *Report) Failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil || r.told {
		return nil
	}
	r.told = true
	return fmt.Errorf("state.json is not up to date, for it could not be written: %w", r.failed)
}

// write replaces the file. Nothing waits for the disk: what the system loses in a crash is out of
// date by then. A directory that is not at its path is for Follow to find, and another one that is
// there now belongs to others.
func (r *Report) write() {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	path, state := r.path, r.state
	r.mu.Unlock()
	if found, err := os.Stat(filepath.Join(path, LockFile)); err != nil || r.lock == nil || !os.SameFile(found, r.lock) {
		return
	}
	state.Updated = time.Now().UTC()
	err := replace(filepath.Join(path, StateFile), false, func(out io.Writer) error {
		return json.NewEncoder(out).Encode(state)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.mu.Lock()
		if r.failed == nil {
			r.failed = err
		}
		r.mu.Unlock()
	}
}
