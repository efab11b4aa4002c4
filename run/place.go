package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrGone is the error of a directory that was deleted or moved out of sight while it was being
// written.
var ErrGone = errors.New("the run directory was deleted or moved away while it was being written")

// Follow looks whether the directory is still at its path. Where it was moved and the system tells
// where to, the writer goes on there, and moved is true; else a directory that is not there is
// ErrGone.
func (w *Writer) Follow() (moved bool, err error) {
	if w.beside {
		return false, nil
	}
	if w.lock == nil {
		return false, fmt.Errorf("%s: %w", w.path, os.ErrClosed)
	}
	mine, err := w.lock.Stat()
	if err != nil {
		return false, err
	}
	at := func(dir string) (bool, error) {
		found, err := os.Stat(filepath.Join(dir, LockFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return err == nil && os.SameFile(mine, found), nil
	}
	if here, err := at(w.path); here || err != nil {
		return false, err
	}
	if path := placeOf(w.lock); path != "" {
		if here, err := at(filepath.Dir(path)); here && err == nil {
			w.path = filepath.Dir(path)
			return true, nil
		}
	}
	return false, fmt.Errorf("%s: %w", w.path, ErrGone)
}
