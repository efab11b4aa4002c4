package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked is the error of opening a directory for writing while a process
// writes it.
var ErrLocked = errors.New("the run directory is being written")

// lock returns the locked file of a directory.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, LockFile), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, ErrLocked) {
			return nil, fmt.Errorf("%s: lock: %w", f.Name(), err)
		}
		b, _ := io.ReadAll(io.LimitReader(f, 32))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return nil, fmt.Errorf("%s: %w by process %d; wait for it, or end it", dir, ErrLocked, pid)
		}
		return nil, fmt.Errorf("%s: %w by another process; wait for it, or end it", dir, ErrLocked)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Hold locks the directory at path, which is made with its parents where it is not there, until
// release is called: for directories that are no runs. The error is ErrLocked where a process has it.
func Hold(path string) (release func() error, err error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	f, err := lock(path)
	if err != nil {
		return nil, err
	}
	return func() error { return unlock(f) }, nil
}

// unlock empties the lock file and releases it.
func unlock(f *os.File) error {
	return errors.Join(f.Truncate(0), f.Close())
}
