package watch

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// Bounds on the streams of events.
const (
	mostStreams = 64
	// events that wait for a reader; who lags behind further is let go and comes back
	waiting  = 32
	patience = 10 * time.Second // for one write
	// between two writes at least, so that a reader that is gone is noticed
	heartbeat = 15 * time.Second
)

// errFull is the error of a stream too many.
var errFull = errors.New("there are 64 pages open on this address already; close one")

// hub gives events to all streams and waits for none.
type hub struct {
	mu      sync.Mutex
	streams map[*stream]bool
	closed  bool
}

// stream is one reader of events.
type stream struct {
	events chan []byte
	done   chan struct{} // closed when the hub has let it go
}

func newHub() *hub { return &hub{streams: map[*stream]bool{}} }

// join returns a new stream, or errFull.
func (h *hub) join() (*stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= mostStreams || h.closed {
		return nil, errFull
	}
	s := &stream{make(chan []byte, waiting), make(chan struct{})}
	h.streams[s] = true
	return s, nil
}

// leave forgets a stream.
func (h *hub) leave(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(s)
}

// drop forgets a stream; h.mu is held.
func (h *hub) drop(s *stream) {
	if h.streams[s] {
		delete(h.streams, s)
		close(s.done)
	}
}

// send gives an event to every stream, and lets go those that lag behind.
func (h *hub) send(event []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.streams {
		select {
		case s.events <- event:
		default:
			h.drop(s)
		}
	}
}

// close lets all streams go and takes no new ones.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.streams {
		h.drop(s)
	}
}

func (h *hub) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// event returns the bytes of a server-sent event.
func event(kind string, data any) []byte {
	b, err := json.Marshal(data)
	if err != nil { // what is sent is made of strings and numbers
		panic(err)
	}
	return append(append([]byte("event: "+kind+"\ndata: "), b...), "\n\n"...)
}

// Run follows the runs and tells the pages of what changes, until the context is cancelled. While
// nobody looks, nothing is read.
func (s *Server) Run(ctx context.Context) {
	defer s.hub.close()
	go s.library.Work(ctx)
	tick := time.NewTicker(everyActive)
	defer tick.Stop()
	var said string
	for {
		if s.hub.size() > 0 {
			s.library.Refresh(time.Now())
			changed, gone, notices := s.library.Changes()
			if len(changed) > 0 {
				s.hub.send(event("runs", changed))
			}
			if len(gone) > 0 {
				s.hub.send(event("gone", gone))
			}
			if b := event("notices", nonNil(notices)); string(b) != said {
				said = string(b)
				s.hub.send(b)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake: // a first page has come
		}
	}
}

// farewell is how long pages have to ask for what they were told of last.
const farewell = 500 * time.Millisecond

// Farewell tells the pages of what has changed and, in a text for people, that the server is about
// to end, and leaves them the time to ask for what is new. Where no page is open it does nothing.
func (s *Server) Farewell(text string) {
	if s.hub.size() == 0 {
		return
	}
	s.library.Refresh(time.Now().Add(everyIdle)) // all of them are due by then
	if changed, _, _ := s.library.Changes(); len(changed) > 0 {
		s.hub.send(event("runs", changed))
	}
	s.hub.send(event("end", text))
	time.Sleep(farewell)
}

func nonNil(list []string) []string { return append([]string{}, list...) }
