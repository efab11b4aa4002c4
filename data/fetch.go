package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MNISTMirrors are public copies of the gzipped files, tried in this order.
var MNISTMirrors = []string{
	"https://ossci-datasets.s3.amazonaws.com/mnist",
	"https://storage.googleapis.com/cvdf-datasets/mnist",
	"https://raw.githubusercontent.com/fgnt/mnist/master",
}

// Fetch is a download of files that are checked before they are placed. Its
// zero value serves.
type Fetch struct {
	Dir     string       // where the files go; empty means MNISTCache
	Mirrors []string     // URLs of folders, tried in turn; nil means MNISTMirrors
	Client  *http.Client // nil means one with timeouts of its own
	// Progress, if not nil, is called as bytes of a file arrive, from one
	// goroutine; total is -1 where the mirror does not say.
	Progress func(file string, done, total int64)
}

// stall is how long a mirror may take to answer, and how long it may send
// nothing, before the next one is tried.
const stall = 30 * time.Second

// MNIST places the four files in the folder and returns it. A file that is
// there and has the right SHA-256 is kept; one that is damaged is replaced.
// Each file comes from the first mirror that delivers it with the right length
// and SHA-256, and appears under its name only when it is complete.
func (f Fetch) MNIST(ctx context.Context) (dir string, err error) {
	if f.Dir == "" {
		if f.Dir, err = MNISTCache(); err != nil {
			return "", err
		}
	}
	if f.Mirrors == nil {
		f.Mirrors = MNISTMirrors
	}
	if err := f.files(ctx, mnistFiles[:]); err != nil {
		return "", err
	}
	return f.Dir, nil
}

func (f Fetch) files(ctx context.Context, files []mnistFile) error {
	if f.Client == nil {
		f.Client = &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: stall}).DialContext,
			TLSHandshakeTimeout:   stall,
			ResponseHeaderTimeout: stall,
			DisableCompression:    true,
		}}
		defer f.Client.CloseIdleConnections()
	}
	if err := os.MkdirAll(f.Dir, 0o777); err != nil {
		return err
	}
	for _, file := range files {
		if path, err := file.in(f.Dir); err == nil && file.verify(path) == nil {
			continue
		}
		if err := f.file(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// file downloads one file from the first mirror that delivers it.
func (f Fetch) file(ctx context.Context, file mnistFile) error {
	var failures []string
	for _, mirror := range f.Mirrors {
		url := strings.TrimSuffix(mirror, "/") + "/" + file.name + ".gz"
		err := f.from(ctx, url, file)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("fetch %s: %w", file.name, ctx.Err())
		}
		var local *os.PathError
		if errors.As(err, &local) { // no mirror mends a full disk
			return fmt.Errorf("fetch %s: %w", file.name, err)
		}
		failures = append(failures, fmt.Sprintf("%s: %v", url, err))
	}
	return fmt.Errorf("fetch %s: no mirror delivered it: %s; or put the four files of mnist into %s yourself",
		file.name, strings.Join(failures, "; "), f.Dir)
}

// from downloads a file from one URL to a temporary name, verifies it, and
// renames it.
func (f Fetch) from(ctx context.Context, url string, file mnistFile) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %v", stall)) })
	defer idle.Stop()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		var wrapped interface{ Unwrap() error }
		if errors.As(err, &wrapped) && wrapped.Unwrap() != nil { // the URL stands in the message already
			err = wrapped.Unwrap()
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	most := file.bytes + 1<<10 // plain, or a gzipped file that did not shrink
	if resp.ContentLength > most {
		return fmt.Errorf("%d bytes are offered, where at most %d make sense", resp.ContentLength, most)
	}
	tmp, err := os.CreateTemp(f.Dir, file.name+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close()
		os.Remove(tmp.Name()) // gone already after the rename
	}()
	body := &meter{r: io.LimitReader(resp.Body, most+1), tick: func(done int64) {
		idle.Reset(stall)
		if f.Progress != nil {
			f.Progress(file.name, done, resp.ContentLength)
		}
	}}
	n, err := io.Copy(tmp, body)
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	if n > most {
		return fmt.Errorf("more than the %d bytes that make sense", most)
	}
	idle.Stop()
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := file.verify(tmp.Name()); err != nil {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return err
	}
	return file.place(tmp.Name(), f.Dir)
}

// meter is a reader that reports how much has passed.
type meter struct {
	r    io.Reader
	done int64
	tick func(done int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.done += int64(n)
	if n > 0 {
		m.tick(m.done)
	}
	return n, err
}

// verify returns an error unless the file at path, gunzipped where it is
// gzipped, has the right length and SHA-256. It reads no more than one byte
// beyond the right length.
func (m mnistFile) verify(path string) error {
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	b := bufio.NewReader(r)
	var content io.Reader = b
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if content, err = gzip.NewReader(b); err != nil {
			return fmt.Errorf("gzip header: %w", err)
		}
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(content, m.bytes+1))
	if err != nil {
		return fmt.Errorf("damaged at byte %d of its content: %w", n, err)
	}
	if n > m.bytes {
		return fmt.Errorf("its content goes on after the %d bytes of %s", m.bytes, m.name)
	}
	if n < m.bytes {
		return fmt.Errorf("its content ends after %d of the %d bytes of %s", n, m.bytes, m.name)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != m.sum {
		return fmt.Errorf("SHA-256 of its content %s, where %s has %s", sum, m.name, m.sum)
	}
	return nil
}

// place renames a verified file to its name in dir, with .gz where it is
// gzipped, and removes what stood under the other of the two names. A name that a
// crash loses is fetched again.
func (m mnistFile) place(tmp, dir string) error {
	name, other := filepath.Join(dir, m.name), filepath.Join(dir, m.name+".gz")
	r, err := os.Open(tmp)
	if err != nil {
		return err
	}
	var magic [2]byte
	_, err = io.ReadFull(r, magic[:])
	r.Close()
	if err != nil {
		return err
	}
	if magic == [2]byte{0x1f, 0x8b} {
		name, other = other, name
	}
	if err := os.Rename(tmp, name); err != nil {
		return err
	}
	if err := os.Remove(other); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
