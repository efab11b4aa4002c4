package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// contents is all that a run directory holds by docs/format.md, beside the recipe and the lock.
var contents = []string{
	EnvironmentFile, MetricsFile, CheckpointsFolder, FiguresFolder, DrawFile, StateFile, DiagnosisFile, PicturesFolder,
}

// Remove deletes the run directory at path: the files that a run has, and the folder with them
// unless it holds others, whose names are in left. A folder that only has a file of a recipe's name
// is no run. One that is being written is refused with ErrLocked. The recipe goes last: what is
// left after a crash is a run directory that can be removed again.
func Remove(path string) (left []string, err error) {
	d, err := Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return nil, &os.PathError{Op: "remove", Path: path, Err: errors.New("is a link; name the run directory that it leads to")}
	}
	if !d.written() {
		return nil, fmt.Errorf("%s: it has a %s, but neither %s nor %s: no run was written there", path, RecipeFile, EnvironmentFile, LockFile)
	}
	l, err := lock(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	known := map[string]bool{}
	for _, name := range contents {
		known[name] = true
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == LockFile, name == RecipeFile:
		case known[name], isTemporary(e):
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, name)))
		default:
			left = append(left, name)
		}
	}
	if err != nil {
		return left, errors.Join(err, unlock(l))
	}
	err = os.Remove(filepath.Join(path, RecipeFile))
	if err = errors.Join(err, unlock(l)); err != nil { // Windows deletes no open file
		return left, err
	}
	if err := os.Remove(filepath.Join(path, LockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return left, err
	}
	if len(left) > 0 {
		return left, nil
	}
	return nil, os.Remove(path)
}

// written reports whether a run was ever written in the directory: it has its lock or its
// environment.
func (d *Directory) written() bool {
	for _, name := range []string{LockFile, EnvironmentFile} {
		if info, err := os.Lstat(d.join(name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}
