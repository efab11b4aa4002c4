package watch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mattis/run"
	"mattis/tensorfile"
	"mattis/view"
)

// serve returns the server of the folders and its address.
func serve(t *testing.T, token string, dirs ...string) (*Server, string) {
	t.Helper()
	l, err := Open(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(l, token)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	h := httptest.NewUnstartedServer(nil)
	h.Config = s.HTTPServer()
	h.Start()
	t.Cleanup(func() {
		cancel()
		<-done
		h.Close()
	})
	return s, h.URL
}

// ask returns the answer to a request whose host and headers are set as they are given.
func ask(t *testing.T, method, address string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if k == "Host" {
			r.Host = v
		}
		r.Header.Set(k, v)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(b)
}

// Fails for a host that DNS rebinding can bring, and for a form of this machine's own that is
// refused.
func TestHosts(t *testing.T) {
	_, address := serve(t, "", t.TempDir())
	for host, want := range map[string]int{
		"localhost": 200, "localhost:1": 200, "LOCALHOST:8888": 200, "127.0.0.1": 200, "127.0.0.1:65535": 200, "[::1]": 200, "[::1]:8000": 200,
		"evil.example": 403, "evil.example:8000": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "127.0.0.2": 403, "0.0.0.0": 403,
		"127.1": 403, "[::]": 403, "localhost:http": 403, "localhost:99999": 403, "127.0.0.1:80:80": 403, "localhost.": 403, "evil@localhost": 403,
	} {
		for _, place := range []string{"/", "/api/runs"} {
			if got, body := ask(t, "GET", address+place, map[string]string{"Host": host}); got.StatusCode != want {
				t.Errorf("Host %s, %s: %d, want %d: %.80s", host, place, got.StatusCode, want, body)
			}
		}
	}
	if got, _ := ask(t, "GET", address+"/api/runs", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}); got.StatusCode != 403 {
		t.Errorf("another site's picture or script: %d, want 403", got.StatusCode)
	}
	if got, _ := ask(t, "GET", address+"/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}); got.StatusCode != 200 {
		t.Errorf("a link on another site: %d, want 200", got.StatusCode)
	}
}

func TestRequests(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret.txt"), "secret")
	w := begin(t, filepath.Join(dir, "a"))
	measure(t, w, 0, 1, 2)
	if err := w.Save(4, &tensorfile.File{Tensors: []tensorfile.Tensor{weights(4, 3)}, Metadata: map[string]string{"height": "2", "width": "2"}}); err != nil {
		t.Fatal(err)
	}
	write(t, w.Figure("good.png"), "\x89PNG\r\n\x1a\n...")
	write(t, w.Figure("bad.png"), "<script>alert(1)</script>")
	_, address := serve(t, "", dir)
	ask(t, "GET", address+"/api/runs", nil) // which looks at the folder
	id := url.QueryEscape("0/a")
	for _, c := range []struct {
		method, place string
		code          int
		kind, body    string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "<title>mattis watch</title>"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", ""},
		{"GET", "/page.js", 200, "text/javascript; charset=utf-8", "connect()"},
		{"GET", "/uplot-LICENSE.txt", 200, "text/plain; charset=utf-8", "MIT"},
		{"GET", "/api/runs", 200, "application/json", `"id":"0/a"`},
		{"GET", "/api/palette", 200, "application/json", "#0072b2"},
		{"GET", "/api/curves?run=" + id, 200, "application/json", `"value":[1,2]`},
		{"GET", "/api/pictures?step=4&run=" + id, 200, "application/json", `"height":2`},
		{"GET", "/api/machine?run=" + id, 200, "application/json", `"kind":"dense"`},
		{"GET", "/api/figure?name=good.png&run=" + id, 200, "image/png", "PNG"},
		{"GET", "/api/figure?name=bad.png&run=" + id, 422, "text/plain; charset=utf-8", "is no PNG"},
		{"GET", "/api/figure?name=../recipe.yaml&run=" + id, 404, "text/plain; charset=utf-8", "no figure"},
		{"GET", "/api/figure?name=../../secret.txt&run=" + id, 404, "text/plain; charset=utf-8", "no figure"},
		{"GET", "/api/figure?name=..%2Fgood.png&run=" + id, 404, "text/plain; charset=utf-8", "no figure"},
		{"GET", "/api/curves?run=" + url.QueryEscape("0/../secret.txt"), 404, "text/plain; charset=utf-8", "no such run"},
		{"GET", "/api/curves?run=" + url.QueryEscape("0/a/../a"), 404, "text/plain; charset=utf-8", "no such run"},
		{"GET", "/api/curves?run=/etc", 404, "text/plain; charset=utf-8", "no such run"},
		{"GET", "/api/curves?offset=-1&run=" + id, 400, "text/plain; charset=utf-8", `offset is "-1", want a whole number of 0 or more`},
		{"GET", "/api/curves?generation=x&run=" + id, 400, "text/plain; charset=utf-8", `generation is "x"`},
		{"GET", "/api/pictures?step=5&run=" + id, 404, "text/plain; charset=utf-8", "no checkpoint of that step"},
		{"GET", "/api/pictures?step=4&source=optimizer&run=" + id, 404, "text/plain; charset=utf-8", "no rows"},
		{"GET", "/../secret.txt", 404, "text/plain; charset=utf-8", "no such page"},
		{"GET", "/%2e%2e/secret.txt", 404, "text/plain; charset=utf-8", "no such page"},
		{"GET", "/page/page.js", 404, "text/plain; charset=utf-8", "no such page"},
		{"GET", "/a/metrics.jsonl", 404, "text/plain; charset=utf-8", "no such page"},
		{"GET", "//etc/passwd", 404, "text/plain; charset=utf-8", "no such page"},
		{"POST", "/", 405, "text/plain; charset=utf-8", "want GET"},
		{"PUT", "/api/runs", 405, "text/plain; charset=utf-8", "want GET"},
		{"DELETE", "/api/curves?run=" + id, 405, "text/plain; charset=utf-8", "want GET"},
		{"OPTIONS", "/api/runs", 405, "text/plain; charset=utf-8", "want GET"},
		{"TRACE", "/", 405, "text/plain; charset=utf-8", "want GET"},
	} {
		got, body := ask(t, c.method, address+c.place, map[string]string{"Origin": "http://evil.example"})
		if got.StatusCode != c.code || got.Header.Get("Content-Type") != c.kind || !strings.Contains(body, c.body) {
			t.Errorf("%s %s: %d %s %.100q, want %d %s with %q", c.method, c.place, got.StatusCode, got.Header.Get("Content-Type"), body, c.code, c.kind, c.body)
		}
		if p := got.Header.Get("Content-Security-Policy"); p != "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'" {
			t.Errorf("%s: policy %s", c.place, p)
		}
		if got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: no nosniff", c.place)
		}
		for k := range got.Header {
			if strings.HasPrefix(k, "Access-Control-") {
				t.Errorf("%s: the header %s", c.place, k)
			}
		}
	}
}

// Raw lines, as no client library would send them.
func TestRawRequests(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret.txt"), "secret")
	_, address := serve(t, "", dir)
	for _, c := range []struct{ request, want string }{
		{"GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		{"GET /..%2f..%2fsecret.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
		{"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "403"}, // the address goes before the header
		{"GET / HTTP/1.1\r\n\r\n", "400"},
		{"GET / HTTP/1.0\r\n\r\n", "403"},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "431"},
		{"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(conn, c.request)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		if fields := strings.Fields(line); len(fields) < 2 || fields[1] != c.want {
			t.Errorf("%.60q: %q, want %s", c.request, line, c.want)
		}
	}
}

func TestToken(t *testing.T) {
	const token = "0123456789abcdef"
	_, address := serve(t, token, t.TempDir())
	client := func(header map[string]string, place string) int {
		got, body := ask(t, "GET", address+place, header)
		if got.StatusCode == 401 && strings.Contains(body, token) {
			t.Error("the refusal gives the token away")
		}
		return got.StatusCode
	}
	for _, c := range []struct {
		place  string
		header map[string]string
		want   int
	}{
		{"/", nil, 401}, {"/api/runs", nil, 401}, {"/page.js", nil, 401}, {"/api/events", nil, 401},
		{"/page.css", nil, 200}, // the looks of the page that asks
		{"/api/runs?token=wrong", nil, 401},
		{"/api/runs?token=", nil, 401},
		{"/api/runs", map[string]string{"Authorization": "Bearer " + token}, 200},
		{"/api/runs", map[string]string{"Authorization": "Bearer " + token + "x"}, 401},
		{"/api/runs", map[string]string{"Authorization": token}, 401},
		// a proxy's name: the token stands for it
		{"/", map[string]string{"Authorization": "Bearer " + token, "Host": "hub.example"}, 200},
	} {
		if got := client(c.header, c.place); got != c.want {
			t.Errorf("%s with %v: %d, want %d", c.place, c.header, got, c.want)
		}
	}
	got, _ := ask(t, "GET", address+"/?token="+token, nil)
	cookies := got.Cookies()
	if got.StatusCode != 303 || got.Header.Get("Location") != "./" || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].Path != "" || cookies[0].SameSite != http.SameSiteLaxMode || strings.Contains(cookies[0].Value, token) {
		t.Fatalf("the address with the token: %d, %v, %v", got.StatusCode, got.Header, cookies)
	}
	if got := client(map[string]string{"Cookie": cookies[0].Name + "=" + cookies[0].Value}, "/api/runs"); got != 200 {
		t.Errorf("with the cookie: %d", got)
	}
	if got := client(map[string]string{"Cookie": cookies[0].Name + "=" + cookies[0].Value[1:]}, "/api/runs"); got != 401 {
		t.Errorf("with half a cookie: %d", got)
	}
}

// events reads a stream and gives each event's kind and data.
func events(t *testing.T, address string) (next func() (kind, data string), end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r, _ := http.NewRequestWithContext(ctx, "GET", address+"/api/events", nil)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	b := bufio.NewReader(answer.Body)
	return func() (kind, data string) {
		t.Helper()
		for {
			line, err := b.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream ended: %v", err)
			}
			line = strings.TrimSuffix(line, "\n")
			if s, ok := strings.CutPrefix(line, "event: "); ok {
				kind = s
			} else if s, ok := strings.CutPrefix(line, "data: "); ok {
				data = s
			} else if line == "" && kind != "" {
				return kind, data
			}
		}
	}, func() { cancel(); answer.Body.Close() }
}

// Fails where a page is not told of a new line, a new run, or the end of one.
func TestEvents(t *testing.T) {
	dir := t.TempDir()
	w := begin(t, filepath.Join(dir, "a"))
	_, address := serve(t, "", dir)
	next, end := events(t, address)
	defer end()
	want := func(what, kind, part string) {
		t.Helper()
		for {
			k, d := next()
			if k == kind && strings.Contains(d, part) {
				return
			}
			if k != "notices" && k != "runs" {
				t.Fatalf("%s: event %s %.200s", what, k, d)
			}
		}
	}
	want("at first", "all", `"id":"0/a"`)
	measure(t, w, 0, 3)
	want("a new line", "runs", `"value":3`)
	measure(t, w, 1, 0.125)
	want("and another", "runs", `"value":0.125`)
	w.Close()
	want("the end", "runs", `"state":"interrupted"`)
	if _, err := run.Remove(w.Path()); err != nil {
		t.Fatal(err)
	}
	want("removed", "gone", `"0/a"`)
}

// Fails for a hub that waits for a slow reader, or keeps events for it without end.
func TestSlowReader(t *testing.T) {
	h := newHub()
	slow, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	fast, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 * waiting {
		h.send([]byte{byte(i)})
		if got := <-fast.events; got[0] != byte(i) {
			t.Fatalf("event %d is %d", i, got[0])
		}
	}
	select {
	case <-slow.done:
	default:
		t.Error("a reader that reads nothing was kept")
	}
	if h.size() != 1 || len(slow.events) > waiting {
		t.Errorf("%d streams, %d events wait", h.size(), len(slow.events))
	}
	h.leave(slow) // a second time does no harm
	h.leave(fast)
	h.close()
	if _, err := h.join(); err == nil {
		t.Error("a closed hub took a stream")
	}
}

func TestMostStreams(t *testing.T) {
	s, address := serve(t, "", t.TempDir())
	for range mostStreams {
		_, end := events(t, address)
		defer end()
	}
	got, body := ask(t, "GET", address+"/api/events", nil)
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(body, "64 pages") {
		t.Errorf("the 65th: %d, %q", got.StatusCode, body)
	}
	if got, _ := ask(t, "GET", address+"/api/runs", nil); got.StatusCode != 200 {
		t.Errorf("other requests: %d", got.StatusCode)
	}
	if s.hub.size() != mostStreams {
		t.Errorf("%d streams", s.hub.size())
	}
}

// The page works below any prefix and loads nothing from elsewhere: no absolute address, no inline
// script or style.
func TestPageFiles(t *testing.T) {
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		t.Fatal(err)
	}
	absolute := regexp.MustCompile(`(src|href|action)="(/|https?:)|fetch\("/|EventSource\("/|(get|import|from) ?\(?"/|url\([^#]`)
	inline := regexp.MustCompile(`<style|<script(>| [^>]*>[^<])|\sstyle=|\son\w+=|javascript:|setAttribute\("style"|innerHTML|insertAdjacentHTML|document\.write|\beval\(`)
	remote := regexp.MustCompile(`https?://[\w.]+`)
	for _, e := range entries {
		b, err := pageFiles.ReadFile("page/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Name(), "uplot") {
			continue
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := absolute.FindString(line); m != "" {
				t.Errorf("%s:%d: the address %s", e.Name(), i+1, m)
			}
			if m := inline.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", e.Name(), i+1, m)
			}
			for _, m := range remote.FindAllString(line, -1) {
				if m != "http://www.w3.org" { // the name of SVG, not a place
					t.Errorf("%s:%d: %s", e.Name(), i+1, m)
				}
			}
		}
		for _, m := range regexp.MustCompile(`(?:from|src=|href=) ?"(?:\./)?([\w.-]+\.(?:js|css|svg))"`).FindAllStringSubmatch(string(b), -1) {
			if _, err := pageFiles.ReadFile("page/" + m[1]); err != nil {
				t.Errorf("%s asks for %s", e.Name(), m[1])
			}
		}
	}
}

// The page draws in the inks of the figures.
func TestPalette(t *testing.T) {
	_, address := serve(t, "", t.TempDir())
	_, body := ask(t, "GET", address+"/api/palette", nil)
	var got struct {
		Splits map[string]view.Ink
		Runs   []view.Ink
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Splits["train"].Colour != "#0072b2" || got.Splits["test"].Colour != "#d55e00" || got.Splits["test"].Glyph != "square" || len(got.Runs) != 24 {
		t.Errorf("%+v", got)
	}
	for i, a := range got.Runs {
		for _, b := range got.Runs[:i] {
			if a.Colour == b.Colour && fmt.Sprint(a.Dashes) == fmt.Sprint(b.Dashes) {
				t.Errorf("two runs look like %+v", a)
			}
		}
	}
}

func TestCompression(t *testing.T) {
	dir := t.TempDir()
	w := begin(t, filepath.Join(dir, "a"))
	measure(t, w, 0, make([]float64, 2000)...)
	_, address := serve(t, "", dir)
	_, plainBody := ask(t, "GET", address+"/api/curves?run=0%2Fa", map[string]string{"Accept-Encoding": "identity"})
	if plainBody == "" || strings.Contains(plainBody, "no such run") {
		ask(t, "GET", address+"/api/runs", nil)
		_, plainBody = ask(t, "GET", address+"/api/curves?run=0%2Fa", map[string]string{"Accept-Encoding": "identity"})
	}
	got, packed := ask(t, "GET", address+"/api/curves?run=0%2Fa", map[string]string{"Accept-Encoding": "gzip"})
	z, err := gzip.NewReader(bytes.NewReader([]byte(packed)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil || string(b) != plainBody || len(packed)*2 > len(plainBody) || got.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%d bytes of %d, %v", len(packed), len(plainBody), err)
	}
}
