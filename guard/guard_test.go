package guard

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	const good = "0123456789abcdef"
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		words      string // of the error
		exposed    bool
	}{
		{"good", good + "\n", 0o600, "", false},
		{"read by others", good, 0o644, "", true},
		{"read by the group", good, 0o640, "", true},
		{"short", "0123456789", 0o600, "at least 16", false},
		{"two words", good + " " + good, 0o600, "one word", false},
		{"two lines", good + "\n" + good, 0o600, "one word", false},
		{"long", strings.Repeat("x", 5000), 0o600, "a file of one line", false},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		token, exposed, err := ReadToken(path)
		switch {
		case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)), c.words == "" && (err != nil || token != good):
			t.Errorf("%s: %q, %v", c.name, token, err)
		case runtime.GOOS != "windows" && (exposed != "") != c.exposed:
			t.Errorf("%s: exposed %q", c.name, exposed)
		}
	}
	if _, _, err := ReadToken(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there has a token")
	}
	if token, _, err := ReadToken(""); token != "" || err != nil {
		t.Errorf("no file: %q, %v", token, err)
	}
}

func TestForeign(t *testing.T) {
	for _, c := range []struct {
		host, origin, site string
		want               bool
	}{
		{"localhost:80", "", "", false}, {"localhost:80", "http://localhost:80", "same-origin", false}, {"a.example", "https://A.example", "", false},
		{"localhost:80", "", "none", false}, {"localhost:80", "http://localhost:81", "", true}, {"localhost:80", "http://evil.example", "", true},
		{"localhost:80", "null", "", true}, {"localhost:80", "", "same-site", true}, {"localhost:80", "", "cross-site", true}, {"localhost:80", "http://%zz", "", true},
	} {
		r := httptest.NewRequest("POST", "http://"+c.host+"/", nil)
		r.Host = c.host
		r.Header.Set("Origin", c.origin)
		r.Header.Set("Sec-Fetch-Site", c.site)
		if c.origin == "" {
			r.Header.Del("Origin")
		}
		if got := Foreign(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Serve takes nothing new once it is told to end, and waits for what is under way; what takes longer
// than it may is closed.
func TestServeEnds(t *testing.T) {
	for _, grace := range []time.Duration{time.Minute, 0} {
		begun, finish := make(chan struct{}), make(chan struct{})
		s := Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			select {
			case <-finish:
			case <-r.Context().Done():
			}
			io.WriteString(w, "whole")
		}), time.Minute)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served, answered := make(chan error, 1), make(chan string, 1)
		go func() { served <- Serve(ctx, l, s, grace) }()
		go func() {
			answer, err := http.Get("http://" + l.Addr().String())
			if err != nil {
				answered <- "closed"
				return
			}
			b, _ := io.ReadAll(answer.Body)
			answered <- string(b)
		}()
		<-begun
		cancel()
		want := "closed"
		if grace > 0 {
			for { // the listener is closed first
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					break
				}
				c.Close()
				time.Sleep(time.Millisecond)
			}
			want = "whole"
			close(finish)
		}
		if got := <-answered; got != want {
			t.Errorf("with %s: %q, want %q", grace, got, want)
		}
		if err := <-served; err != nil {
			t.Errorf("with %s: %v", grace, err)
		}
	}
}
