package tensorfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// metadataKey is the place of the metadata among the tensors of a safetensors
// header; npz files written here keep them under the same name.
const metadataKey = "__metadata__"

// File is the content of an npz or safetensors file. Readers return the
// tensors sorted by name; writers take any order and write the same bytes.
type File struct {
	Tensors  []Tensor
	Metadata map[string]string
}

// Tensor returns the tensor of the given name, and whether there is one.
func (f *File) Tensor(name string) (Tensor, bool) {
	for _, t := range f.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// check returns an error where f cannot be written.
func (f *File) check() error {
	seen := make(map[string]bool, len(f.Tensors))
	for _, t := range f.Tensors {
		if err := checkName(t.Name); err != nil {
			return err
		}
		if seen[t.Name] {
			return fmt.Errorf("two tensors are named %q", t.Name)
		}
		seen[t.Name] = true
		if err := t.check(); err != nil {
			return err
		}
	}
	return checkMetadata(f.Metadata)
}

// sorted returns the tensors of f in the order of their names.
func (f *File) sorted() []Tensor {
	return slices.SortedFunc(slices.Values(f.Tensors), func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
}

// FormatError says where and how a file breaks the rules of its format.
type FormatError struct {
	Path   string // the file, with the entry of an npz in brackets; empty where a reader was given
	Offset int64  // where, in bytes from 0: the broken part begins here; in JSON it may end here
	Reason string
}

func (e *FormatError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("%s: byte %d: %s", e.Path, e.Offset, e.Reason)
}

func broken(offset int64, format string, args ...any) error {
	return &FormatError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// located returns err with the path in front, once.
func located(path string, err error) error {
	var f *FormatError
	if errors.As(err, &f) {
		return &FormatError{Path: path + f.Path, Offset: f.Offset, Reason: f.Reason}
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Read returns the arrays of the file at path, whose extension is .npy, .npz
// or .safetensors. The one array of an npy file is named by the file.
func Read(path string) (*File, error) {
	format, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: is a directory, want a %s file", path, format)
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		size = -1
	}
	var f *File
	switch format {
	case ".npy":
		var t Tensor
		t, err = readNPY(&source{r: in, size: size}, nil)
		t.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		f = &File{Tensors: []Tensor{t}}
	case ".npz":
		if size < 0 {
			return nil, fmt.Errorf("%s: an npz is read from a regular file only", path)
		}
		f, err = ReadNPZ(in, size)
	default:
		f, err = readSafetensors(&source{r: in, size: size})
	}
	if err != nil {
		return nil, located(path, err)
	}
	return f, nil
}

// Write writes the arrays of f to path in the format of its extension: .npy,
// .npz or .safetensors. An npy takes exactly one array and no metadata. What
// cannot be written is refused before the file is touched.
func Write(path string, f *File) error {
	format, err := formatOf(path)
	if err != nil {
		return err
	}
	var write func(io.Writer) error
	switch format {
	case ".npy":
		if len(f.Tensors) != 1 || len(f.Metadata) > 0 {
			return fmt.Errorf("%s: an npy holds one array and no metadata, not %d arrays and %d entries; use .npz or .safetensors",
				path, len(f.Tensors), len(f.Metadata))
		}
		if err := f.Tensors[0].check(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		write = func(w io.Writer) error { return WriteNPY(w, f.Tensors[0]) }
	case ".npz":
		write = func(w io.Writer) error { return WriteNPZ(w, f) }
	default:
		write = func(w io.Writer) error { return WriteSafetensors(w, f) }
	}
	if format != ".npy" {
		if err := f.check(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(out); err != nil {
		out.Close()
		return located(path, err)
	}
	return out.Close()
}

// formatOf returns the extension of path where it names a format.
func formatOf(path string) (string, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy", ".npz", ".safetensors":
		return ext, nil
	default:
		return "", fmt.Errorf("%s: the extension %q names no array format, want .npy, .npz or .safetensors", path, ext)
	}
}
