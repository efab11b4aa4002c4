package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"mattis/tensorfile"
)

// stepKey is the metadata entry that a checkpoint gets beside its digest.
const stepKey = "step"

// ErrNoCheckpoint is the error of a directory in which no checkpoint is good.
var ErrNoCheckpoint = errors.New("there is no good checkpoint")

// Checkpoint is a checkpoint that was read back whole.
type Checkpoint struct {
	Step   int
	Path   string
	File   *tensorfile.File // with the entries step and sha256 in the metadata
	Digest string           // the SHA-256 of the file, in hexadecimal digits
}

// checkpointPath returns the path of the checkpoint of a step.
func (d *Directory) checkpointPath(step int) string {
	return filepath.Join(d.path, CheckpointsFolder, CheckpointFile(step))
}

// Checkpoints returns the steps that have a checkpoint, smallest first. Other
// files in the folder are passed over.
func (d *Directory) Checkpoints() ([]int, error) {
	names, err := d.names(CheckpointsFolder)
	return CheckpointSteps(names), err
}

// Save writes the checkpoint of a step: the tensors and metadata of f, with the
// entries step and sha256 set. It is on disk when Save returns, and was absent
// until then; all lines of the metrics are on disk before it. Equal content gives equal bytes.
func (w *Writer) Save(step int, f *tensorfile.File) error {
	if w.beside {
		return nil
	}
	path := w.checkpointPath(step)
	if step < 0 {
		return fmt.Errorf("%s: a checkpoint of the negative step %d", path, step)
	}
	if err := w.SyncMetrics(); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil && !errors.Is(err, fs.ErrExist) { // someone may have cleared it away
		return err
	}
	return WriteFile(path, func(out io.Writer) error { return seal(out, step, f) })
}

// seal writes a checkpoint.
func seal(w io.Writer, step int, f *tensorfile.File) error {
	metadata := map[string]string{}
	maps.Copy(metadata, f.Metadata)
	metadata[stepKey] = strconv.Itoa(step)
	return WriteSealed(w, &tensorfile.File{Tensors: f.Tensors, Metadata: metadata})
}

// unseal returns the content of a checkpoint of so many bytes and their SHA-256, or the reason why
// it is no undamaged checkpoint of the step.
func unseal(step int, r io.Reader, size int64) (*tensorfile.File, string, error) {
	f, digest, err := ReadSealed(r, size)
	if err != nil {
		return nil, "", err
	}
	if got := f.Metadata[stepKey]; got != strconv.Itoa(step) {
		return nil, "", fmt.Errorf("the metadata say step %q, the name says %d", got, step)
	}
	return f, digest, nil
}

// Stamp tells whether the file of a checkpoint is another one than before.
type Stamp struct {
	Step int
	Size int64 // bytes
	Time time.Time
}

// Stamp returns that of the checkpoint of a step, or of the newest one for a step below 0; the zero
// Stamp for none.
func (d *Directory) Stamp(step int) Stamp {
	if steps, err := d.Checkpoints(); step < 0 && err == nil && len(steps) > 0 {
		step = steps[len(steps)-1]
	}
	info, err := os.Stat(d.checkpointPath(step))
	if err != nil {
		return Stamp{}
	}
	return Stamp{step, info.Size(), info.ModTime()}
}

// CheckpointSize returns the bytes of the checkpoint that Stamp is about, 0 for none.
func (d *Directory) CheckpointSize(step int) int64 { return d.Stamp(step).Size }

// Checkpoint returns the checkpoint of a step. A damaged one is an error with
// its path and reason.
func (d *Directory) Checkpoint(step int) (*Checkpoint, error) {
	path := d.checkpointPath(step)
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		steps, _ := d.Checkpoints()
		return nil, fmt.Errorf("%s: %w; there are the steps %v", path, fs.ErrNotExist, steps)
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	f, digest, err := unseal(step, in, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Checkpoint{step, path, f, digest}, nil
}

// ParseCheckpoint returns the checkpoint of a step from the bytes of its file, without a path.
func ParseCheckpoint(step int, b []byte) (*Checkpoint, error) {
	f, digest, err := unseal(step, bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return &Checkpoint{Step: step, File: f, Digest: digest}, nil
}

// Newest returns the newest checkpoint that is undamaged. Each newer one that
// it refused is an error in refused, newest first, with path and reason. The
// error is ErrNoCheckpoint where none is left.
func (d *Directory) Newest() (c *Checkpoint, refused []error, err error) {
	steps, err := d.Checkpoints()
	if err != nil {
		return nil, nil, err
	}
	for _, step := range slices.Backward(steps) {
		c, err := d.Checkpoint(step)
		switch {
		case err == nil:
			return c, refused, nil
		case !errors.Is(err, fs.ErrNotExist): // a writer may delete one under a reader
			refused = append(refused, err)
		}
	}
	return nil, refused, fmt.Errorf("%s: %w", d.join(CheckpointsFolder), ErrNoCheckpoint)
}

// Keep deletes all checkpoints but the newest n, those of the steps in besides, and the newest
// undamaged one where all of the newest n are damaged. With n of 0 or less it keeps all.
func (w *Writer) Keep(n int, besides ...int) error {
	if w.beside {
		return nil
	}
	steps, err := w.Checkpoints()
	if err != nil || n <= 0 || len(steps) <= n {
		return err
	}
	good := -1
	for _, step := range slices.Backward(steps) {
		if w.intact(step) == nil {
			good = step
			break
		}
	}
	if good < 0 {
		return nil
	}
	for _, step := range steps[:len(steps)-n] {
		if step == good || slices.Contains(besides, step) {
			continue
		}
		if err := os.Remove(w.checkpointPath(step)); err != nil {
			return err
		}
	}
	return syncDirectory(w.join(CheckpointsFolder))
}

// intact returns an error unless the file of the step has the content that its digest says. It
// holds none of it.
func (d *Directory) intact(step int) error {
	in, err := os.Open(d.checkpointPath(step))
	if err != nil {
		return err
	}
	defer in.Close()
	return intact(in)
}
