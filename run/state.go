package run

import (
	"encoding/json"
	"fmt"
	"time"
)

// The words of a run's state. The writer of a run says the first five, its readers the last two.
const (
	Training    = "training"
	Ended       = "ended"
	Interrupted = "interrupted"
	Diverged    = "diverged"
	Failed      = "failed"
	Killed      = "killed"  // training was said, and nobody trains
	Waiting     = "waiting" // nothing of it has begun
)

// silence is how long the writer of a run on another host may say nothing before it counts as gone.
const silence = time.Minute

// State is the content of state.json: how far the run's last writer had come.
type State struct {
	State   string    `json:"state"`
	Step    int       `json:"step"`    // updates done
	Epoch   int       `json:"epoch"`   // epochs done
	Epochs  int       `json:"epochs"`  // epochs at the end
	Seconds float64   `json:"seconds"` // of training that Step took, measures left out; 0 where that is not known
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Updated time.Time `json:"updated"`
	Message string    `json:"message"` // why it is so, for people; may be empty
}

// ParseState returns the content of a state.json.
func ParseState(b []byte) (State, error) {
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, err
	}
	switch s.State {
	case Training, Ended, Interrupted, Diverged, Failed:
	default:
		return State{}, fmt.Errorf("state is %q, want %s, %s, %s, %s or %s", s.State, Training, Ended, Interrupted, Diverged, Failed)
	}
	if s.Step < 0 || s.Epoch < 0 || s.Epochs < 0 || s.Seconds < 0 {
		return State{}, fmt.Errorf("step %d, epoch %d, epochs %d, %v seconds: want numbers that are not negative", s.Step, s.Epoch, s.Epochs, s.Seconds)
	}
	return s, nil
}

// SecondsAt returns the seconds of training that a checkpoint of an earlier step took, as the part of
// those of the state's step; 0 where the state does not know.
func (s State) SecondsAt(step int) float64 {
	if step <= 0 || s.Step < step {
		return 0
	}
	return s.Seconds * float64(step) / float64(s.Step)
}

// Now returns the state as a reader on the given host sees it: Killed in place of Training where
// the process is gone, or on another host has said nothing for a minute.
func (s State) Now(host string, now time.Time) string {
	if s.State != Training {
		return s.State
	}
	if s.Host == host && !Alive(s.PID, s.Updated) || s.Host != host && now.Sub(s.Updated) >= silence {
		return Killed
	}
	return Training
}

// Alive reports whether the process of this number runs on this host and, where the system tells,
// had begun by the time since: a later one has only got the number of an earlier one. What cannot
// be known counts as alive.
func Alive(pid int, since time.Time) bool {
	if pid <= 0 || !exists(pid) {
		return false
	}
	begun, ok := processStart(pid)
	return !ok || !begun.After(since.Add(2*time.Second)) // the clock of processes has ticks of 10 ms, that of files may be a second
}
