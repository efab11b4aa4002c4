package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Read returns the rows of one file of any kind, told by its name: .npy, .csv
// or .tsv, one .png, .jpg or .jpeg image, a folder of such images, or else IDX.
// Of the options it uses Name, Binarize, Limit and Key, Height and Width as the
// shape that images must have and that flat rows take, and where they have a
// meaning White, Labels, Header and Delimiter; it ignores the others.
func Read(path string, o Options) (*Set, error) { return readAs("", path, o) }

// readAs is Read of a file of the kind, images, npy, csv or idx, or of any for "".
func readAs(kind, path string, o Options) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		kind = kindOf(path, info)
	}
	table, drawn := kind == "csv", kind == "images"
	piped := o.piped
	o = Options{Path: path, Split: "all", Name: o.rename(path), Binarize: o.Binarize, Limit: o.Limit, Key: o.Key,
		Height: o.Height, Width: o.Width, White: o.White, Widths: o.Widths, Labels: o.Labels, Header: o.Header, Delimiter: o.Delimiter}
	o.piped = piped
	if !table {
		o.Header, o.Delimiter = false, ""
	}
	if drawn {
		o.White, o.Labels = 0, ""
	}
	var split *Split
	switch kind {
	case "images":
		if info.IsDir() {
			split, err = Images(o)
			break
		}
		if err := o.only("an image", "path", "height", "width", "binarize", "limit"); err != nil {
			return nil, err
		}
		split, err = o.readFiles("image", func(p part, _ *words) (*Set, error) { return o.readImage(p) })
	case "npy":
		split, err = NPY(o)
	case "csv":
		split, err = CSV(o)
	case "idx":
		split, err = IDX(o)
	default:
		err = errKind(path, info)
	}
	if err != nil {
		return nil, err
	}
	return split.Train, nil
}

// KindOf returns the name of the source that reads the file at path, or the folder of images: images, npy, csv or
// idx.
func KindOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	kind := kindOf(path, info)
	if kind == "" {
		return "", errKind(path, info)
	}
	return kind, nil
}

// ReadSpins returns the rows of one file of the kind (images, npy, csv, idx or "") as Read does: those of two values as they are, and others by the rule, if it is
// one. by is the rule that was used. Where neither serves, the error is that of the values as they are, unless they are
// greys indeed: it is the file that is wrong then, and not what was made of it.
func ReadSpins(kind, path string, o Options, rule Binarize) (s *Set, by Binarize, err error) {
	if o.piped, err = pipe(path); err != nil { // a pipe is read once
		return nil, Binarize{}, err
	}
	o.Binarize = Binarize{}
	s, err = readAs(kind, path, o)
	var grey *GreyError
	if err == nil || !rule.given() || !errors.As(err, &grey) || grey.Signs {
		return s, Binarize{}, err
	}
	o.Binarize = rule
	s, second := readAs(kind, path, o)
	var signs *SignError
	if errors.As(second, &signs) { // further on
		place := strings.TrimSuffix(err.Error(), grey.Error())
		return nil, Binarize{}, fmt.Errorf("%s%w", place, &GreyError{Value: grey.Value, Signs: true})
	}
	return s, rule, second
}

// pipe returns all that comes from path, or nil where that is a regular file, a folder or nothing.
func pipe(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return append([]byte{}, text...), err
}

// open returns what is in the file at path and its size in bytes; a pipe is read to its end first.
func (o Options) open(path string) (r io.ReadCloser, size int64, err error) {
	content := o.piped
	if path != o.Path || content == nil {
		if content, err = pipe(path); err != nil {
			return nil, 0, err
		}
	}
	if content != nil {
		return io.NopCloser(bytes.NewReader(content)), int64(len(content)), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: is a folder, want a file", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// kindOf returns the kind of a file, "" where it is none.
func kindOf(path string, info os.FileInfo) string {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case info.IsDir() || isImage(filepath.Base(path)):
		return "images"
	case ext == ".npy":
		return "npy"
	case ext == ".csv" || ext == ".tsv":
		return "csv"
	case ext == ".idx" || ext == ".gz" || strings.HasSuffix(path, "-ubyte"):
		return "idx"
	}
	return ""
}

func errKind(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: a pipe does not tell its kind: name it by --set data.name=npy, csv or idx", path)
	}
	return fmt.Errorf("%s: no known kind of data: .npy, .csv, .tsv, .png, .jpg, a folder of images, or IDX (.idx, .gz, -ubyte)", path)
}
