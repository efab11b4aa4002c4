package run

import (
	"errors"
	"os"
	"path/filepath"
)

// Remove deletes the run directory at path with all that it holds. One that is being written is refused with
// ErrLocked. The recipe goes last: what is left after a crash is a run directory that can be removed again.
func Remove(path string) error {
	if _, err := Open(path); err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return &os.PathError{Op: "remove", Path: path, Err: errors.New("is a link; name the run directory that it leads to")}
	}
	l, err := lock(path)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if name := e.Name(); name != lockName && name != recipeName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, name)))
		}
	}
	if err != nil {
		return errors.Join(err, unlock(l))
	}
	err = os.Remove(filepath.Join(path, recipeName))
	if err = errors.Join(err, unlock(l)); err != nil { // Windows deletes no open file
		return err
	}
	return os.RemoveAll(path)
}
