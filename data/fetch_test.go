package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mirror serves what respond writes for every file.
func mirror(t *testing.T, respond func(w http.ResponseWriter)) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mnist/some-ubyte.gz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		respond(w)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/mnist/"
}

func TestFetch(t *testing.T) {
	content := bytes.Repeat([]byte("spins "), 5000)
	sum := sha256.Sum256(content)
	file := mnistFile{"some-ubyte", int64(len(content)), hex.EncodeToString(sum[:])}
	changed := bytes.Clone(content)
	changed[77] ^= 1
	send := func(b []byte) string { return mirror(t, func(w http.ResponseWriter) { w.Write(b) }) }
	good, plain := send(gzipped(content)), send(content)
	gone := mirror(t, func(w http.ResponseWriter) { http.Error(w, "gone", http.StatusGone) })
	wrong := send(gzipped(changed))
	short := send(gzipped(content)[:50])
	cut := mirror(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		w.Write(gzipped(content)[:50])
	})
	page := send([]byte("<html>log in first</html>"))
	bomb := send(gzipped(make([]byte, 1<<24)))
	large := mirror(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1048576")
		w.Write(make([]byte, 1<<20))
	})
	endless := mirror(t, func(w http.ResponseWriter) {
		for range 64 {
			w.Write(make([]byte, 1<<16))
			w.(http.Flusher).Flush() // so that no length is announced
		}
	})
	dead := httptest.NewServer(nil)
	dead.Close()
	for _, c := range []struct {
		name    string
		mirrors []string
		placed  string
		want    []string // in the error; none for success
	}{
		{"gzipped", []string{good}, "some-ubyte.gz", nil},
		{"plain", []string{plain}, "some-ubyte", nil},
		{"the last of many", []string{dead.URL, gone, wrong, short, cut, page, good}, "some-ubyte.gz", nil},
		{"status", []string{gone}, "", []string{"fetch some-ubyte: no mirror delivered it", gone, "status 410 Gone", "yourself"}},
		{"SHA-256", []string{wrong}, "", []string{"SHA-256 of its content", file.sum}},
		{"truncated gzip", []string{short}, "", []string{"after 50 bytes: damaged at byte"}},
		{"broken off", []string{cut}, "", []string{"after 50 bytes", "unexpected EOF"}},
		{"a web page", []string{page}, "", []string{"its content ends after 25 of the 30000 bytes"}},
		{"a gzip bomb", []string{bomb}, "", []string{"goes on after the 30000 bytes"}},
		{"too large by its own word", []string{large}, "", []string{"1048576 bytes are offered, where at most 31024"}},
		{"too large without a word", []string{endless}, "", []string{"more than the 31024 bytes"}},
		{"all of them", []string{gone, wrong}, "", []string{"410", "SHA-256"}},
	} {
		dir := filepath.Join(t.TempDir(), "new", "folder")
		var last int64
		f := Fetch{Dir: dir, Mirrors: c.mirrors, Progress: func(_ string, done, _ int64) { last = done }}
		err := f.files(context.Background(), []mnistFile{file})
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, part := range c.want {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s:\n got %v\nwant %s", c.name, err, part)
			}
		}
		if err != nil {
			t.Logf("%s | %v", c.name, err)
		}
		entries, _ := os.ReadDir(dir)
		if c.placed == "" && len(entries) > 0 || c.placed != "" && (len(entries) != 1 || entries[0].Name() != c.placed) {
			t.Errorf("%s: the folder holds %v, want %q alone", c.name, entries, c.placed)
		}
		if c.placed != "" {
			info, err := os.Stat(filepath.Join(dir, c.placed))
			if err != nil || info.Size() != last {
				t.Errorf("%s: progress ended at %d of %v, %v", c.name, last, info, err)
			}
		}
	}
}

func TestFetchKeepsAndMends(t *testing.T) {
	content := []byte("some content")
	sum := sha256.Sum256(content)
	file := mnistFile{"some-ubyte", int64(len(content)), hex.EncodeToString(sum[:])}
	asked := 0
	from := mirror(t, func(w http.ResponseWriter) { asked++; w.Write(gzipped(content)) })
	dir := folder(t, map[string][]byte{"some-ubyte": []byte("damaged conte")})
	for range 2 {
		if err := (Fetch{Dir: dir, Mirrors: []string{from}}).files(context.Background(), []mnistFile{file}); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("the mirror was asked %d times, want once for the damaged file and not again", asked)
	}
	path, err := file.in(dir)
	if err != nil || file.verify(path) != nil {
		t.Errorf("%s stays damaged: %v", path, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = Fetch{Dir: t.TempDir(), Mirrors: []string{from, from}}.files(ctx, []mnistFile{file})
	if err == nil || !strings.Contains(err.Error(), "fetch some-ubyte: context canceled") {
		t.Errorf("cancelled: %v", err)
	}
}
