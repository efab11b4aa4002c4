package service

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"mattis/guard"
	"mattis/tensorfile"
)

// The types of bodies and answers.
const (
	kindJSON = "application/json"
	kindNPY  = "application/x-npy"
	kindPNG  = "image/png"
)

// request is one that is answered.
type request struct {
	operation *operation
	loaded    *loaded
	options   options
	spins     []int8 // V of each row
	rows      int
	kind      string // of the answer

	w    http.ResponseWriter
	ctx  context.Context
	held int64 // bytes that are set aside
}

// room is what reading a body takes, kept for the next one.
type room struct {
	table table
	scan  scanner
	out   []byte
}

// mostKept bounds what is kept of a request's memory for the next one, in bytes.
const mostKept = 1 << 20

var rooms = sync.Pool{New: func() any {
	return &room{scan: scanner{buf: make([]byte, 64<<10)}, out: make([]byte, 0, 64<<10)}
}}

// give keeps the room for another request.
func (r *room) give() {
	if cap(r.table.values) > mostKept {
		r.table.values = nil
	}
	r.table.greys, r.scan.r = nil, nil
	rooms.Put(r)
}

// ServeHTTP answers a request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	counted := &counter{ResponseWriter: w}
	operation := s.route(counted, r)
	if counted.status == 0 { // nothing was written: the client has gone
		counted.status = statusGone
	}
	s.meters.done(operation, counted.status, begun)
}

// counter knows the status that was written.
type counter struct {
	http.ResponseWriter
	status int
}

func (c *counter) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// route answers the request and returns what it was, for the metrics.
func (s *Service) route(w http.ResponseWriter, r *http.Request) string {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(bodyPatience + answerPatience))
	place, p := s.place(r.URL)
	if p == nil {
		p = s.admitted(r, place)
	}
	if p != nil {
		if p.Status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Bearer realm="mattis serve"`)
		}
		p.send(w)
		return "refused"
	}
	switch {
	case len(place) == 1 && place[0] == "healthz":
		if s.get(w, r) {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			io.WriteString(w, "ok\n")
		}
		return "healthz"
	case len(place) == 1 && place[0] == "metrics":
		if s.get(w, r) {
			s.meters.handler.ServeHTTP(w, r)
		}
		return "metrics"
	case len(place) == 1 && place[0] == "openapi.json":
		if s.get(w, r) {
			sendJSON(w, s.openAPI)
		}
		return "openapi"
	case len(place) < 2 || place[0] != "v1" || place[1] != "runs" || len(place) > 4:
		refused(http.StatusNotFound, "there is no such place; /openapi.json lists those that there are").send(w)
		return "refused"
	case len(place) == 2:
		if s.get(w, r) {
			s.list(w)
		}
		return "runs"
	}
	run := s.find(place[2])
	if run == nil {
		refused(http.StatusNotFound, "no run %s is served; /v1/runs lists those that are", shown(place[2], true)).send(w)
		return "refused"
	}
	if len(place) == 3 {
		if s.get(w, r) {
			sendJSON(w, run.now.Load().about.text)
		}
		return "run"
	}
	op := operationOf(place[3])
	if op == nil {
		refused(http.StatusNotFound, "%s is nothing that a run can be asked for; /openapi.json lists what is", shown(place[3], true)).send(w)
		return "refused"
	}
	s.answer(w, r, run, op)
	return op.name
}

// place returns the parts of a path. None of them is ever joined to a file's.
func (s *Service) place(u *url.URL) ([]string, *problem) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, x := range parts {
		var err error
		if parts[i], err = url.PathUnescape(x); err != nil {
			return nil, refused(http.StatusBadRequest, "the path is not understood")
		}
	}
	return parts, nil
}

// admitted returns why a request is not answered at all.
func (s *Service) admitted(r *http.Request, place []string) *problem {
	switch health := len(place) == 1 && place[0] == "healthz"; {
	case s.Token == "" && !guard.Local(r.Host):
		return at(http.StatusForbidden, "header.Host", "this service answers to localhost, 127.0.0.1 and [::1] only; by other names it needs --token-file")
	case guard.Foreign(r):
		return at(http.StatusForbidden, "header.Origin", "a page of another origin asks for this")
	case s.Token != "" && !health && !guard.Bearer(r, s.Token):
		return at(http.StatusUnauthorized, "header.Authorization", "want Bearer and the content of the service's token file")
	}
	return nil
}

// get reports whether a request only reads, and refuses another.
func (s *Service) get(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	refused(http.StatusMethodNotAllowed, "%s, want GET", shown(r.Method, false)).send(w)
	return false
}

// answer does what a run is asked for.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, run *served, op *operation) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		refused(http.StatusMethodNotAllowed, "%s, want POST", shown(r.Method, false)).send(w)
		return
	}
	if n := s.queued.Add(1); n > int64(s.MaxQueue) {
		s.queued.Add(-1)
		full("%d requests wait already", s.MaxQueue).send(w)
		return
	}
	defer s.queued.Add(-1)
	q := &request{operation: op, loaded: run.now.Load(), w: w, ctx: r.Context()}
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(patienceFor(r.ContentLength)))
	defer func() { s.memory.Add(-q.held) }()
	err := s.read(q, r)
	if err == nil {
		// The time for the body is over, and what comes now is the client's going.
		http.NewResponseController(w).SetReadDeadline(time.Time{})
		w.Header().Set("Vary", "Accept")
		w.Header().Set("X-Mattis-Step", strconv.Itoa(q.loaded.Step))
		err = op.do(s, run, q)
	}
	if err == nil {
		return
	}
	if p := problemOf(err); p != nil {
		w.Header().Del("X-Mattis-Step")
		p.send(w)
		if p.Status >= 500 {
			s.Told(op.name + ": " + p.Detail)
		}
	}
}

// patienceFor returns how long a body of so many bytes may take to come; -1 is one of unknown length.
func patienceFor(bytes int64) time.Duration {
	if bytes < 0 {
		return bodyPatience
	}
	return min(bodyPatience, 5*time.Second+time.Duration(bytes/slowest)*time.Second)
}

// hold sets bytes aside for the request.
func (s *Service) hold(q *request, bytes int64) error {
	q.held += bytes
	if s.memory.Add(bytes) > s.MaxMemory {
		if q.held > s.MaxMemory {
			return refused(http.StatusRequestEntityTooLarge, "the rows and their answer take %d bytes, at most %d are set aside: ask in parts", q.held, s.MaxMemory)
		}
		return full("the requests under way take all memory that is set aside")
	}
	return nil
}

// read takes what the request says.
func (s *Service) read(q *request, r *http.Request) error {
	var err error
	if q.kind, err = accepted(r.Header.Values("Accept"), q.operation.offers); err != nil {
		return err
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return at(http.StatusUnsupportedMediaType, "header.Content-Encoding", "%s, want a body as it is", shown(e, false))
	}
	if r.ContentLength > s.MaxBody {
		return refused(http.StatusRequestEntityTooLarge, "the body has %d bytes, want at most %d", r.ContentLength, s.MaxBody)
	}
	if err := q.options.query(q.operation, s, r.URL.RawQuery); err != nil {
		return err
	}
	kind, err := bodyKind(r, q.operation)
	if err != nil {
		return err
	}
	body := http.MaxBytesReader(q.w, r.Body, s.MaxBody)
	room := rooms.Get().(*room)
	defer room.give()
	t := &room.table
	t.reset(q.operation, q.loaded, s.MaxRows)
	switch kind {
	case kindNPY:
		err = readArray(body, t)
	case kindJSON:
		room.scan.reset(body)
		err = room.scan.object(q.operation, s, &q.options, t)
	}
	if p := problemOf(err); err != nil && p != nil && p.Status >= 500 {
		err = refused(http.StatusBadRequest, "the body: %v", err)
	}
	if err != nil || !q.operation.rows {
		return err
	}
	if kind == kindJSON && !q.options[optRows].given {
		return wrong("body.rows", "is missing, want rows of %d values", q.loaded.Pixels())
	}
	q.rows = t.rows
	if err := s.hold(q, int64(t.rows)*int64(q.loaded.Visible())); err != nil {
		return err
	}
	q.spins, err = t.finish(&q.options, q.loaded.Visible())
	return err
}

// bodyKind returns the type of the body, "" for none.
func bodyKind(r *http.Request, op *operation) (string, error) {
	text := r.Header.Get("Content-Type")
	if text == "" && r.ContentLength == 0 && !op.rows {
		return "", nil
	}
	kind, parameters, err := mime.ParseMediaType(text)
	if charset := parameters["charset"]; err == nil && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		switch {
		case kind == kindJSON, kind == kindNPY && op.rows:
			return kind, nil
		}
	}
	want := kindJSON
	if op.rows {
		want += " or " + kindNPY
	}
	return "", at(http.StatusUnsupportedMediaType, "header.Content-Type", "%s, want %s", shown(text, text == ""), want)
}

// readArray reads rows from an npy file.
func readArray(body io.Reader, t *table) error {
	x, err := tensorfile.ReadNPYOf(body, t.shape)
	if err != nil {
		return err
	}
	return t.array(x)
}

// accepted returns the offer that a client likes best.
func accepted(headers []string, offers []string) (string, error) {
	text := strings.Join(headers, ",")
	if strings.TrimSpace(text) == "" {
		return offers[0], nil
	}
	best, most := "", 0.0
	for _, offer := range offers {
		if q := liking(text, offer); q > most {
			best, most = offer, q
		}
	}
	if best == "" {
		return "", at(http.StatusNotAcceptable, "header.Accept", "%s, the answer comes as %s", shown(text, false), strings.Join(offers, ", "))
	}
	return best, nil
}

// liking returns how much a client likes a type, from 0 to 1: what the most specific range of its
// list says that the type is in.
func liking(accept, kind string) (q float64) {
	main, _, _ := strings.Cut(kind, "/")
	specific := 0
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		how := 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case kind:
			how = 3
		case main + "/*":
			how = 2
		case "*/*":
			how = 1
		}
		if how == 0 || how < specific {
			continue
		}
		specific, q = how, 1
		for x := range strings.SplitSeq(parameters, ";") {
			if text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(x)), "q="); ok {
				if w, err := strconv.ParseFloat(text, 64); err == nil && w >= 0 && w <= 1 {
					q = w
				}
			}
		}
	}
	return q
}

// sendJSON answers with a document.
func sendJSON(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", kindJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	io.Copy(w, bytes.NewReader(b))
}
