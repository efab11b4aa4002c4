package run

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"mattis/tensorfile"
)

// SaveDraw keeps what the estimator returned for the update of that step: the tensors of f, with
// the entry step set.
func (w *Writer) SaveDraw(step int, f *tensorfile.File) error {
	if w.beside {
		return nil
	}
	return WriteFile(w.join(DrawFile), func(out io.Writer) error {
		return tensorfile.WriteSafetensors(out, &tensorfile.File{Tensors: f.Tensors, Metadata: map[string]string{stepKey: strconv.Itoa(step)}})
	})
}

// Draw returns what SaveDraw kept for the step, or nil where there is nothing of that step.
func (d *Directory) Draw(step int) (*tensorfile.File, error) {
	b, err := os.Open(d.join(DrawFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer b.Close()
	f, err := tensorfile.ReadSafetensors(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.join(DrawFile), err)
	}
	if f.Metadata[stepKey] != strconv.Itoa(step) {
		return nil, nil
	}
	return f, nil
}

// DropDraw removes what SaveDraw kept, if it is there.
func (w *Writer) DropDraw() error {
	if w.beside {
		return nil
	}
	if err := os.Remove(w.join(DrawFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
