package run

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mattis/tensorfile"
)

// The metadata entries that a checkpoint gets here.
const (
	stepKey   = "step"
	digestKey = "sha256"
)

// noDigest takes the digest's place in the bytes that are digested.
var noDigest = strings.Repeat("0", 2*sha256.Size)

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
	return filepath.Join(d.path, checkpointsName, fmt.Sprintf("%08d.safetensors", step))
}

// Checkpoints returns the steps that have a checkpoint, smallest first. Other
// files in the folder are passed over.
func (d *Directory) Checkpoints() ([]int, error) {
	entries, err := os.ReadDir(d.join(checkpointsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var steps []int
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".safetensors")
		step, err := strconv.Atoi(digits)
		if ok && err == nil && step >= 0 && fmt.Sprintf("%08d", step) == digits {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// Save writes the checkpoint of a step: the tensors and metadata of f, with the
// entries step and sha256 set. It is on disk when Save returns, and was absent
// until then. Equal content gives equal bytes.
func (w *Writer) Save(step int, f *tensorfile.File) error {
	path := w.checkpointPath(step)
	if step < 0 {
		return fmt.Errorf("%s: a checkpoint of the negative step %d", path, step)
	}
	b, err := seal(step, f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteFile(path, func(out io.Writer) error {
		_, err := out.Write(b)
		return err
	})
}

// seal returns the bytes of a checkpoint.
func seal(step int, f *tensorfile.File) ([]byte, error) {
	metadata := map[string]string{}
	maps.Copy(metadata, f.Metadata)
	metadata[stepKey] = strconv.Itoa(step)
	metadata[digestKey] = noDigest
	var b bytes.Buffer
	if err := tensorfile.WriteSafetensors(&b, &tensorfile.File{Tensors: f.Tensors, Metadata: metadata}); err != nil {
		return nil, err
	}
	at := digestPlace(b.Bytes(), noDigest)
	if at < 0 {
		return nil, fmt.Errorf("the place of the digest is not unique: a name or another entry holds its text")
	}
	sum := sha256.Sum256(b.Bytes())
	hex.Encode(b.Bytes()[at:], sum[:])
	return b.Bytes(), nil
}

// digestPlace returns where in the header the digest stands, or -1 where that
// is not one place.
func digestPlace(b []byte, digest string) int {
	entry := []byte(fmt.Sprintf("%q:%q", digestKey, digest))
	at := bytes.Index(b, entry)
	if at < 0 || bytes.Contains(b[at+1:], entry) {
		return -1
	}
	return at + len(entry) - len(digest) - 1
}

// unseal returns the content of a checkpoint's bytes, which it changes, or the
// reason why they are no undamaged checkpoint of the step.
func unseal(step int, b []byte) (*tensorfile.File, error) {
	f, err := tensorfile.ReadSafetensors(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	digest := f.Metadata[digestKey]
	if len(digest) != len(noDigest) {
		return nil, fmt.Errorf("the metadata hold no %s of its content", digestKey)
	}
	at := digestPlace(b, digest)
	if at < 0 {
		return nil, fmt.Errorf("the %s in the metadata does not stand in one place", digestKey)
	}
	copy(b[at:], noDigest)
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != digest {
		return nil, fmt.Errorf("damaged: the SHA-256 of its content is %x, the metadata say %s", sum, digest)
	}
	if got := f.Metadata[stepKey]; got != strconv.Itoa(step) {
		return nil, fmt.Errorf("the metadata say step %q, the name says %d", got, step)
	}
	return f, nil
}

// Checkpoint returns the checkpoint of a step. A damaged one is an error with
// its path and reason.
func (d *Directory) Checkpoint(step int) (*Checkpoint, error) {
	path := d.checkpointPath(step)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		steps, _ := d.Checkpoints()
		return nil, fmt.Errorf("%s: %w; there are the steps %v", path, fs.ErrNotExist, steps)
	}
	if err != nil {
		return nil, err
	}
	c, err := ParseCheckpoint(step, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.Path = path
	return c, nil
}

// ParseCheckpoint returns the checkpoint of a step from the bytes of its file, without a path. It changes b.
func ParseCheckpoint(step int, b []byte) (*Checkpoint, error) {
	sum := sha256.Sum256(b)
	f, err := unseal(step, b)
	if err != nil {
		return nil, err
	}
	return &Checkpoint{Step: step, File: f, Digest: hex.EncodeToString(sum[:])}, nil
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
	return nil, refused, fmt.Errorf("%s: %w", d.join(checkpointsName), ErrNoCheckpoint)
}

// Keep deletes all checkpoints but the newest n, and the newest undamaged one
// where all of these are damaged. With n of 0 or less it keeps all.
func (w *Writer) Keep(n int) error {
	steps, err := w.Checkpoints()
	if err != nil || n <= 0 || len(steps) <= n {
		return err
	}
	good, _, err := w.Newest()
	if err != nil {
		if errors.Is(err, ErrNoCheckpoint) {
			return nil
		}
		return err
	}
	for _, step := range steps[:len(steps)-n] {
		if step == good.Step {
			continue
		}
		if err := os.Remove(w.checkpointPath(step)); err != nil {
			return err
		}
	}
	return syncDirectory(w.join(checkpointsName))
}
