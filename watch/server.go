package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"mattis/guard"
	"mattis/view"
)

//go:embed page
var pageFiles embed.FS

// policy is what a page may load: what is served here, and nothing from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"

// mostRequests bounds the requests that are answered at a time; streams of events are counted
// apart.
const mostRequests = 16

// Server is the page and what it asks for.
type Server struct {
	library *Library
	token   string // "" where none is needed
	hub     *hub
	wake    chan struct{}
	places  chan struct{} // one for each request under way
	files   map[string]file
}

// file is a file of the page.
type file struct {
	content []byte
	kind    string
	tag     string
}

// NewServer returns the server of a library's page. With a token every request has to show it: by
// the query token=, which sets a cookie, or as Authorization: Bearer. Without one the Host of a
// request has to be this machine.
func NewServer(l *Library, token string) *Server {
	s := &Server{library: l, token: token, hub: newHub(), wake: make(chan struct{}, 1), places: make(chan struct{}, mostRequests), files: map[string]file{}}
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		panic(err)
	}
	kinds := map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
	for _, e := range entries {
		b, err := pageFiles.ReadFile("page/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		s.files[e.Name()] = file{b, kinds[path.Ext(e.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return s
}

// HTTPServer returns the server with its bounds on slow and endless requests.
func (s *Server) HTTPServer() *http.Server { return guard.Server(s, 10*time.Second) }

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
	switch {
	case s.token == "" && !guard.Local(r.Host):
		refuse(w, http.StatusForbidden, "this page answers to localhost, 127.0.0.1 and [::1] only; through a proxy it needs --token-file")
		return
	case guard.CrossSite(r):
		refuse(w, http.StatusForbidden, "another site's page asks for this")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "want GET")
		return
	}
	// The path has to be one of those below: none is joined to a folder's.
	place := strings.TrimPrefix(r.URL.Path, "/")
	if s.token != "" && !s.admitted(w, r, place) {
		return
	}
	if place == "api/events" {
		s.events(w, r, rc)
		return
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-r.Context().Done():
		return
	}
	q := r.URL.Query()
	id := q.Get("run")
	whole := func(key string) (int, bool) {
		text := q.Get(key)
		if text == "" {
			return 0, true
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("%s is %s, want a whole number of 0 or more", key, shorten(strconv.Quote(text), 60)))
			return 0, false
		}
		return n, true
	}
	switch place {
	case "api/runs":
		s.library.Refresh(time.Now())
		runs, notices := s.library.Runs()
		answer(w, r, map[string]any{"runs": runs, "notices": nonNil(notices), "folders": nonNil(s.library.Labels())}, nil)
	case "api/curves":
		generation, ok := whole("generation")
		if !ok {
			return
		}
		offset, ok := whole("offset")
		if !ok {
			return
		}
		rc.SetWriteDeadline(time.Now().Add(5 * time.Minute)) // a file of gigabytes
		c, err := s.library.Curves(r.Context(), id, generation, int64(offset))
		rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
		answer(w, r, c, err)
	case "api/machine":
		rc.SetWriteDeadline(time.Now().Add(5 * time.Minute))
		m, err := s.library.Machine(r.Context(), id)
		rc.SetWriteDeadline(time.Now().Add(30 * time.Second))
		answer(w, r, m, err)
	case "api/pictures":
		step, ok := whole("step")
		if !ok {
			return
		}
		count, ok := whole("count")
		if !ok {
			return
		}
		p, err := s.library.Pictures(r.Context(), id, q.Get("source"), step, count)
		answer(w, r, p, err)
	case "api/figure":
		b, at, err := s.library.Figure(id, q.Get("name"))
		if err != nil {
			answer(w, r, nil, err)
			return
		}
		h.Set("Content-Type", "image/png")
		h.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", at, bytes.NewReader(b))
	case "api/palette":
		answer(w, r, palette(), nil)
	default:
		if place == "" {
			place = "index.html"
		}
		f, ok := s.files[place]
		if !ok {
			refuse(w, http.StatusNotFound, "there is no such page")
			return
		}
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	}
}

// admitted reports whether a request shows the token, and answers it where it does not. A right one
// in the query becomes a cookie and leaves the address.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, place string) bool {
	sum := sha256.Sum256([]byte("mattis watch " + s.token))
	secret := hex.EncodeToString(sum[:])
	cookie := "mattis_" + secret[:8] // servers on one host share their cookies
	if c, err := r.Cookie(cookie); err == nil && guard.Equal(c.Value, secret) {
		return true
	}
	if guard.Bearer(r, s.token) {
		return true
	}
	if given := r.URL.Query().Get("token"); given != "" && guard.Equal(given, s.token) {
		// Without a path the cookie belongs to the page's own folder, behind whatever prefix a
		// proxy gives it.
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: secret, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		// http.Redirect would make it absolute, and lose a proxy's prefix
		w.Header().Set("Location", "./")
		w.WriteHeader(http.StatusSeeOther)
		return false
	}
	if f, ok := s.files["token.html"]; ok && place == "" {
		w.Header().Set("Content-Type", f.kind)
		w.WriteHeader(http.StatusUnauthorized)
		w.Write(f.content)
		return false
	}
	// the looks of that page
	if f, ok := s.files[place]; ok && (path.Ext(place) == ".css" || place == "icon.svg") {
		w.Header().Set("Content-Type", f.kind)
		w.Write(f.content)
		return false
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="mattis watch"`)
	refuse(w, http.StatusUnauthorized, "the token is missing or wrong: open the address that mattis watch printed")
	return false
}

// refuse answers with a line of text.
func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// answer sends the JSON of v, or what went wrong.
func answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		return
	case errors.Is(err, ErrUnknown), errors.Is(err, fs.ErrNotExist):
		refuse(w, http.StatusNotFound, err.Error())
		return
	case err != nil:
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Vary", "Accept-Encoding")
	if len(b) > 4096 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		z.Write(b)
		z.Close()
		return
	}
	w.Write(b)
}

// events is the stream of what changes: first all runs, then those that are new or differ.
func (s *Server) events(w http.ResponseWriter, r *http.Request, rc *http.ResponseController) {
	stream, err := s.hub.join()
	if err != nil {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer s.hub.leave(stream)
	rc.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx in between
	write := func(b []byte) bool {
		rc.SetWriteDeadline(time.Now().Add(patience))
		if _, err := w.Write(b); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	if r.Method == http.MethodHead {
		return
	}
	if !write([]byte("retry: 1000\n\n")) {
		return
	}
	s.library.Refresh(time.Now())
	runs, notices := s.library.Runs()
	if !write(event("all", map[string]any{"runs": runs, "notices": nonNil(notices), "folders": nonNil(s.library.Labels())})) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var b []byte
		select {
		case <-r.Context().Done():
			return
		case <-stream.done:
			return
		case b = <-stream.events:
		case <-beat.C:
			b = []byte(": still here\n\n")
		}
		if !write(b) {
			return
		}
	}
}

// palette returns the inks of curves: those of the figures.
func palette() map[string]any {
	splits := []string{"train", "test"}
	inks := map[string]view.Ink{}
	for i, k := range view.Inks(splits...) {
		inks[splits[i]] = k
	}
	var names []string
	for i := range 24 {
		names = append(names, fmt.Sprintf("run %d", i+1))
	}
	return map[string]any{"splits": inks, "runs": view.Inks(names...)}
}
