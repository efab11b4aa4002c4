package run

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mattis/tensorfile"
)

// picturePath returns the path of the pictures of a step.
func (d *Directory) picturePath(step int) string {
	return filepath.Join(d.path, PicturesFolder, PictureFile(step))
}

// Pictures returns the steps that have pictures, smallest first. Other files in the folder are
// passed over.
func (d *Directory) Pictures() ([]int, error) {
	names, err := d.names(PicturesFolder)
	return PictureSteps(names), err
}

// SavePictures writes the pictures of a step. They are complete or absent whatever becomes of the
// process; nothing waits for the disk, so that a crash of the system may leave them empty.
func (w *Writer) SavePictures(step int, t tensorfile.Tensor) error {
	if w.beside {
		return nil
	}
	path := w.picturePath(step)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return replace(path, false, func(out io.Writer) error { return tensorfile.WriteNPY(out, t) })
}

// CutPictures removes the pictures above a step, and empty ones.
func (w *Writer) CutPictures(step int) error {
	if w.beside {
		return nil
	}
	steps, err := w.Pictures()
	if err != nil {
		return err
	}
	for _, n := range steps {
		path := w.picturePath(n)
		if info, err := os.Stat(path); n <= step && err == nil && info.Size() > 0 {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
