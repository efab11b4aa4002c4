package comm

import "fmt"

// Local returns the processes of a job within this one, each for a goroutine of its own: for tests.
func Local(size int) []*Comm {
	hub := &hub{size: size, pairs: make([]pair, size*size), gone: make([]chan struct{}, size)}
	for i := range hub.pairs {
		hub.pairs[i] = pair{make(chan []byte, 1), make(chan struct{}, 1)}
	}
	all := make([]*Comm, size)
	for r := range all {
		hub.gone[r] = make(chan struct{})
		all[r] = New(&member{hub, r})
	}
	return all
}

// hub is what the members of a local job share.
type hub struct {
	size  int
	pairs []pair          // pairs[from*size+to]
	gone  []chan struct{} // gone[r] is closed when rank r has left
}

// pair carries messages from one rank to another, one at a time.
type pair struct {
	message chan []byte
	taken   chan struct{}
}

var _ Transport = (*member)(nil)

// member is a process of a local job.
type member struct {
	*hub
	rank int
}

func (m *member) Rank() int { return m.rank }
func (m *member) Size() int { return m.size }

// Exchange hands the slice itself over and waits until the other side has copied it.
func (m *member) Exchange(to int, out []byte, from int, in []byte) error {
	if to >= 0 {
		m.pairs[m.rank*m.size+to].message <- out
	}
	if from >= 0 {
		p := m.pairs[from*m.size+m.rank]
		x, ok := await(p.message, m.gone[from])
		if !ok {
			return fmt.Errorf("rank %d has left", from)
		}
		if len(x) != len(in) {
			return fmt.Errorf("rank %d sends %d bytes where %d are expected", from, len(x), len(in))
		}
		copy(in, x)
		p.taken <- struct{}{}
	}
	if to >= 0 {
		if _, ok := await(m.pairs[m.rank*m.size+to].taken, m.gone[to]); !ok {
			return fmt.Errorf("rank %d has left", to)
		}
	}
	return nil
}

// await returns what comes from a rank, and false where it has left without sending it.
func await[T any](from chan T, gone chan struct{}) (x T, ok bool) {
	select {
	case x = <-from:
		return x, true
	case <-gone:
	}
	select {
	case x = <-from:
		return x, true
	default:
		return x, false
	}
}

// Close leaves the job: those that wait for this rank get an error.
func (m *member) Close() error {
	close(m.gone[m.rank])
	return nil
}
