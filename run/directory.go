// Package run implements the run directory: the recipe, environment, metrics
// and checkpoints of one training, kept such that a crash at any moment leaves
// every file complete or absent.
package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Directory reads a run directory, also while another process writes it.
type Directory struct {
	path string
}

// Writer is a run directory that this process has locked for writing. Its
// methods are for one goroutine at a time.
type Writer struct {
	Directory
	lock     *os.File
	metrics  *os.File
	lost     bool      // there was no file of metrics to go on with
	synced   time.Time // when lines of the metrics were last put on disk
	unsynced bool      // lines have come since
	beside   bool      // see Beside
}

// Beside returns the run directory at path as those processes have it that train beside the one
// that writes: it locks nothing, and all methods that would write do nothing. There need not be a
// directory yet.
func Beside(path string) *Writer { return &Writer{Directory: Directory{path}, beside: true} }

// Create makes the run directory at path, with its parents, and locks it. A
// path that exists is refused with an error that is fs.ErrExist, unless it is a
// directory that is empty or in which a run ended before it began.
func Create(path string) (*Writer, error) {
	err := makeDirectory(path)
	if errors.Is(err, fs.ErrExist) && Unused(path) {
		w, err := openWriter(path)
		if err == nil && !Unused(path) { // another process was first
			w.Close()
			return nil, errExists(path)
		}
		return w, err
	}
	if err != nil {
		return nil, err
	}
	return openWriter(path)
}

// Take is Create, or Resume where there is a run at path.
func Take(path string) (*Writer, error) {
	w, err := Create(path)
	if errors.Is(err, fs.ErrExist) {
		return Resume(path)
	}
	return w, err
}

func errExists(path string) error {
	return fmt.Errorf("%s: %w; give a new directory, or resume this one", path, fs.ErrExist)
}

// makeDirectory makes the directory at path, which must not exist, with its parents.
func makeDirectory(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errExists(path)
		}
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

// Unused reports whether path is a directory in which there is nothing but what a run has that
// ended before its recipe was written: the lock, the environment, temporary files, and metrics and
// checkpoints without content.
func Unused(path string) bool {
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		name := e.Name()
		switch {
		case name == LockFile, name == EnvironmentFile, isTemporary(e):
		case name == MetricsFile:
			info, infoErr := e.Info()
			err = errors.Join(err, infoErr)
			if err == nil && info.Size() > 0 {
				return false
			}
		case name == CheckpointsFolder:
			inner, innerErr := os.ReadDir(filepath.Join(path, name))
			err = errors.Join(err, innerErr)
			for _, c := range inner {
				if !isTemporary(c) {
					return false
				}
			}
		default:
			return false
		}
	}
	return err == nil
}

// CreateNext makes and locks the first of root/NAME-SEED, root/NAME-SEED-2,
// root/NAME-SEED-3, ... that does not exist.
func CreateNext(root, name string, seed uint64) (*Writer, error) {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`) || strings.ContainsRune(name, 0) {
		return nil, fmt.Errorf("%q is no name for a run directory, want one without slashes that does not begin with a dot", name)
	}
	for n := 1; ; n++ {
		path := filepath.Join(root, fmt.Sprintf("%s-%d", name, seed))
		if n > 1 {
			path = fmt.Sprintf("%s-%d", path, n)
		}
		err := makeDirectory(path)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if w, err := openWriter(path); !errors.Is(err, ErrLocked) { // else another process found it empty
			return w, err
		}
	}
}

// Open returns the run directory at path for reading. It is an error where
// there is none, or one without a recipe.
func Open(path string) (*Directory, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such run directory: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: is a file, want a run directory", path)
	}
	if _, err := os.Stat(filepath.Join(path, RecipeFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: is no run directory: it has no %s", path, RecipeFile)
		}
		return nil, err
	}
	return &Directory{path}, nil
}

// Resume opens the run directory at path and locks it for writing. It clears
// away what a crash has left: temporary files, and a last line of the metrics
// that is not complete. The error is ErrLocked where another process writes.
func Resume(path string) (*Writer, error) {
	d, err := Open(path)
	if err != nil {
		return nil, err
	}
	_, statErr := os.Lstat(d.join(MetricsFile))
	w, err := openWriter(path)
	if err == nil {
		w.lost = errors.Is(statErr, fs.ErrNotExist)
	}
	return w, err
}

// openWriter locks the directory and makes it ready for writing.
func openWriter(path string) (w *Writer, err error) {
	w = &Writer{Directory: Directory{path}}
	if w.lock, err = lock(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if err := os.MkdirAll(w.join(CheckpointsFolder), 0o777); err != nil {
		return nil, err
	}
	for _, sub := range []string{"", CheckpointsFolder, FiguresFolder, PicturesFolder} {
		if err := removeTemporary(w.join(sub)); err != nil {
			return nil, err
		}
	}
	if w.metrics, err = openMetrics(w.join(MetricsFile)); err != nil {
		return nil, err
	}
	if err := cutTornLine(w.metrics); err != nil {
		return nil, fmt.Errorf("%s: cut the incomplete last line: %w", w.join(MetricsFile), err)
	}
	if err := syncDirectory(path); err != nil {
		return nil, err
	}
	return w, nil
}

// Close releases the lock once everything that was written is on disk.
func (w *Writer) Close() error {
	if w.beside {
		return nil
	}
	err := w.SyncMetrics()
	if w.metrics != nil {
		err = errors.Join(err, w.metrics.Close())
		w.metrics = nil
	}
	if w.lock != nil {
		err = errors.Join(err, unlock(w.lock))
		w.lock = nil
	}
	return err
}

// Path returns the path of the directory as it was given.
func (d *Directory) Path() string { return d.path }

func (d *Directory) join(name string) string { return filepath.Join(d.path, name) }

// names returns what a folder of the directory holds, nothing where there is no such folder.
func (d *Directory) names(folder string) ([]string, error) {
	entries, err := os.ReadDir(d.join(folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Recipe returns the bytes of recipe.yaml.
func (d *Directory) Recipe() ([]byte, error) { return os.ReadFile(d.join(RecipeFile)) }

// WriteRecipe sets recipe.yaml.
func (w *Writer) WriteRecipe(text []byte) error {
	if w.beside {
		return nil
	}
	return WriteFile(w.join(RecipeFile), func(out io.Writer) error {
		_, err := out.Write(text)
		return err
	})
}

// Changed returns when the metrics or the checkpoints last changed.
func (d *Directory) Changed() (time.Time, error) {
	var last time.Time
	steps, err := d.Checkpoints()
	if err != nil {
		return last, err
	}
	paths := []string{d.join(MetricsFile)}
	if n := len(steps); n > 0 {
		paths = append(paths, d.checkpointPath(steps[n-1]))
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return last, err
		}
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}

// Figure returns the path of the figure of the given file name. The folder
// figures exists once a figure is written.
func (d *Directory) Figure(name string) string { return filepath.Join(d.path, FiguresFolder, name) }

// WriteFigure sets the figure of the given file name to what write writes.
func (w *Writer) WriteFigure(name string, write func(io.Writer) error) error {
	if w.beside {
		return nil
	}
	if err := os.MkdirAll(w.join(FiguresFolder), 0o777); err != nil {
		return err
	}
	return WriteFile(w.Figure(name), write)
}
