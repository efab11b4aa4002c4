package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// WriteFile sets the file at path to what write writes, in one step: at any moment the file has its
// old content or all of the new. When it returns, the new content is on disk. What it had written
// when a process was killed is removed by the next call for the same path.
func WriteFile(path string, write func(io.Writer) error) error { return replace(path, true, write) }

// replace is WriteFile; unless it is to be durable nothing waits for the disk. A crash of the
// system, not of the process, may then leave the file empty.
func replace(path string, durable bool, write func(io.Writer) error) (err error) {
	temporary := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.tmp", filepath.Base(path), os.Getpid()))
	if err := removeOrphans(path); err != nil {
		return err
	}
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o666)
	if err != nil {
		return ofFile(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temporary)
		}
	}()
	b := bufio.NewWriterSize(f, 64<<10)
	if err := write(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := b.Flush(); err != nil {
		return ofFile(path, err)
	}
	if durable {
		if err := f.Sync(); err != nil {
			return ofFile(path, err)
		}
	}
	if err := f.Close(); err != nil {
		return ofFile(path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return ofFile(path, err)
	}
	if !durable {
		return nil
	}
	return syncDirectory(filepath.Dir(path))
}

// ofFile returns the error of a call for the temporary file as one of the file at path, which is
// the name that people know.
func ofFile(path string, err error) error {
	var call *fs.PathError
	if errors.As(err, &call) {
		return &fs.PathError{Op: call.Op, Path: path, Err: call.Err}
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return &fs.PathError{Op: link.Op, Path: path, Err: link.Err}
	}
	return err
}

// isTemporary reports whether an entry of a folder is a temporary file of WriteFile.
func isTemporary(e fs.DirEntry) bool {
	return strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".tmp") && e.Type().IsRegular()
}

// removeOrphans removes what processes that are no more have left of the file at path.
func removeOrphans(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "."+filepath.Base(path)+".")
		digits, temporary := strings.CutSuffix(digits, ".tmp")
		pid, err := strconv.Atoi(digits)
		if !ok || !temporary || err != nil || pid == os.Getpid() || pid > 0 && exists(pid) {
			continue
		}
		if err := os.Remove(filepath.Join(filepath.Dir(path), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// removeTemporary removes the temporary files of WriteFile in a folder, which
// need not exist.
func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if isTemporary(e) {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncDirectory makes the names in a directory durable, where the system has a
// call for it: Windows and some network file systems have none.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
