package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Fails for a writer that goes on at a path where its directory is no more, or that takes another
// directory of the same name for its own.
func TestFollow(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a directory that is open cannot be moved")
	}
	w := create(t)
	if moved, err := w.Follow(); moved || err != nil {
		t.Fatalf("in its place: %t, %v", moved, err)
	}
	old, now := w.Path(), w.Path()+"-moved"
	if err := os.Rename(old, now); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(old, 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(old, LockFile), "")
	moved, err := w.Follow()
	if runtime.GOOS != "linux" {
		if !errors.Is(err, ErrGone) {
			t.Fatalf("moved: %v", err)
		}
		return
	}
	if !moved || err != nil || w.Path() != now {
		t.Fatalf("moved: %t, %v, it is at %s", moved, err, w.Path())
	}
	save(t, w, 3)
	if _, err := os.Stat(filepath.Join(now, CheckpointsFolder, "00000003.safetensors")); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(now); err != nil {
		t.Fatal(err)
	}
	_, err = w.Follow()
	wantError(t, err, now, "deleted or moved away")
	if !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
}

// The folder of the checkpoints alone is made again.
func TestSaveMakesItsFolder(t *testing.T) {
	w := create(t)
	if err := os.RemoveAll(filepath.Join(w.Path(), CheckpointsFolder)); err != nil {
		t.Fatal(err)
	}
	save(t, w, 3)
	wantSteps(t, w, 3)
}

// Fails where what a killed process left stays for ever, and where the file of a living one, or of another name, goes with it.
func TestWriteFileRemovesOrphans(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the system is not asked for processes")
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	keep := []string{fmt.Sprintf(".a.npy.%d.tmp", os.Getppid()), fmt.Sprintf(".b.npy.%d.tmp", dead.Process.Pid), ".a.npy.x.tmp", "a.npy.tmp"}
	for _, name := range append(keep, fmt.Sprintf(".a.npy.%d.tmp", dead.Process.Pid)) {
		put(t, filepath.Join(dir, name), "")
	}
	if err := WriteFile(filepath.Join(dir, "a.npy"), func(io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(keep)+1 {
		t.Errorf("left: %v", entries)
	}
	for _, name := range keep {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// A draw is there for its own step alone.
func TestDraw(t *testing.T) {
	w := create(t)
	if f, err := w.Draw(3); f != nil || err != nil {
		t.Errorf("none: %v, %v", f, err)
	}
	if err := w.SaveDraw(3, weights(7)); err != nil {
		t.Fatal(err)
	}
	if f, err := w.Draw(4); f != nil || err != nil {
		t.Errorf("another step: %v, %v", f, err)
	}
	f, err := w.Draw(3)
	if err != nil {
		t.Fatal(err)
	}
	if x, ok := f.Tensor("weights"); !ok || x.Data.([]float32)[0] != 7 {
		t.Errorf("got %v", x)
	}
	put(t, filepath.Join(w.Path(), DrawFile), "damaged")
	_, err = w.Draw(3)
	wantError(t, err, DrawFile)
	for range 2 {
		if err := w.DropDraw(); err != nil {
			t.Fatal(err)
		}
	}
}
