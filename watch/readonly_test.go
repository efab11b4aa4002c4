package watch

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mattis/run"
	"mattis/tensorfile"
)

// readOnly makes a folder one in which nothing can be written until the test ends: by its modes,
// and for root, whom they do not hold, by a mount.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	modes := func(folder, file fs.FileMode) {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(path, folder)
			} else if err == nil {
				return os.Chmod(path, file)
			}
			return err
		})
	}
	modes(0o555, 0o444)
	t.Cleanup(func() { modes(0o755, 0o644) })
	if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o666) != nil {
		return
	}
	os.Remove(filepath.Join(dir, "probe"))
	if err := mountReadOnly(t, dir); err != nil {
		t.Skipf("skip: no folder is read-only here: modes do not hold this user, who may not mount: %v", err)
	}
	if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o666) == nil {
		t.Skip("skip: no folder is read-only here")
	}
}

// Fails for a page that wants to write where it reads: a lock, a file opened for both, a cache.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	w := begin(t, filepath.Join(dir, "a"))
	measure(t, w, 0, 3, 2)
	file := &tensorfile.File{Tensors: []tensorfile.Tensor{weights(4, 3)}}
	for _, step := range []int{0, 4} {
		if err := w.Save(step, file); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SavePictures(4, tensorfile.New("", make([]int8, 12), 1, 3, 2, 2)); err != nil {
		t.Fatal(err)
	}
	write(t, w.Figure("nll.png"), "\x89PNG\r\n\x1a\n...")
	write(t, filepath.Join(w.Path(), run.DiagnosisFile), `{"samplers":[]}`)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	listing := func() string {
		var b strings.Builder
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			info, _ := os.Lstat(path)
			fmt.Fprintln(&b, path, err, info.Size(), info.ModTime())
			return nil
		})
		return b.String()
	}
	readOnly(t, dir)
	before := listing()
	l := library(t, dir)
	later(l, time.Minute)
	s := only(t, l)
	if s.State != run.Interrupted || s.Lines != 2 || len(s.Problems) > 0 {
		t.Errorf("%s, %d lines, problems %q", s.State, s.Lines, s.Problems)
	}
	ctx := context.Background()
	c, err := l.Curves(ctx, s.ID, 0, 0)
	if err != nil || len(c.Series) != 1 {
		t.Errorf("curves %+v, %v", c, err)
	}
	m, err := l.Machine(ctx, s.ID)
	if err != nil || len(m.History) != 2 || len(m.Refused) > 0 || m.Diagnosis == nil {
		t.Errorf("machine %+v, %v", m, err)
	}
	for _, source := range []string{"weights", "samples"} {
		if p, err := l.Pictures(ctx, s.ID, source, 4, 0); err != nil || len(p.Groups) != 1 {
			t.Errorf("pictures %s: %+v, %v", source, p, err)
		}
	}
	if _, _, err := l.Figure(s.ID, "nll.png"); err != nil {
		t.Error(err)
	}
	if after := listing(); after != before {
		t.Errorf("the folder was\n%sand is\n%s", before, after)
	}
}
