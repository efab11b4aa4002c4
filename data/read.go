package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Read returns the rows of one file of any kind, told by its name and where that says nothing by
// its beginning: npy, npz, text, parquet, one PNG or JPEG image, a folder of such images, or IDX,
// gzipped or not. Of the options it uses Name, Key, Widths and the fields of OneFile where they
// have a meaning; it ignores the others.
func Read(path string, o Options) (*Set, error) { return readAs("", path, o) }

// readAs is Read of a file of the kind, a source's name, or of any for "".
func readAs(kind, path string, o Options) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		if kind, err = kindOf(path, info); err != nil {
			return nil, err
		}
	}
	s, ok := Named(kind)
	if !ok || !s.takes("path") {
		return nil, fmt.Errorf("data.name: %s is no kind of file, want one of %s", kind, strings.Join(fileKinds(), ", "))
	}
	o.Path, o.Name = path, o.rename(path)
	o = o.alone(s)
	if kind == "images" && !info.IsDir() {
		s.Load = o.oneImage
	}
	split, err := s.Load(o)
	if err != nil {
		return nil, err
	}
	return split.Train, nil
}

// oneImage reads one file as a set of one row.
func (o Options) oneImage(Options) (*Split, error) {
	if err := o.only("images"); err != nil {
		return nil, err
	}
	return o.readFiles("image", func(p part, _ *words) (*Set, error) { return o.readImage(p) })
}

// fileKinds returns the names of the sources that read files.
func fileKinds() (names []string) {
	for _, s := range Sources() {
		if s.takes("path") {
			names = append(names, s.Name)
		}
	}
	return names
}

// KindOf returns the name of the source that reads the file at path, or the folder of images.
func KindOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return kindOf(path, info)
}

// ReadSpins returns the rows of one file of the kind, a source's name or "", as Read does: those of
// two values as they are, and others by the rule, if it is one. by is the rule that was used. Where
// neither serves, the error is that of the values as they are, unless they are greys indeed: it is
// the file that is wrong then, and not what was made of it.
func ReadSpins(kind, path string, o Options, rule Binarize) (s *Set, by Binarize, err error) {
	o.piped = map[string][]byte{} // a pipe is read once
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

// kinds are the sources that read what a file's name ends in.
var kinds = map[string]string{
	".npy": "npy", ".npz": "npy", ".csv": "csv", ".tsv": "csv", ".idx": "idx", "-ubyte": "idx", ".parquet": "parquet", ".pq": "parquet",
}

// kindOf returns the kind of a file by its name, or else by how it begins.
func kindOf(path string, info os.FileInfo) (string, error) {
	if info.IsDir() || isImage(filepath.Base(path)) {
		return "images", nil
	}
	name := strings.TrimSuffix(strings.ToLower(path), ".gz")
	for end, kind := range kinds {
		if strings.HasSuffix(name, end) {
			return kind, nil
		}
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: a pipe does not tell its kind: name it by --set data.name=npy, csv, parquet or idx", path)
	}
	f, size, err := Options{}.open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if b, _, err := gunzip(f, size); err == nil {
		if kind := begins(b); kind != "" {
			return kind, nil
		}
	}
	return "", fmt.Errorf("%s: no known kind of data: .npy, .npz, .csv, .tsv, .txt, .parquet, .png, .jpg, a folder of images, or IDX (.idx, -ubyte), gzipped (.gz) or not; another name is read by --set data.name=csv or what it is", path)
}

// begins returns the kind of what b holds, "" where its beginning shows none.
func begins(b *bufio.Reader) string {
	start, _ := b.Peek(peekable)
	switch {
	case bytes.HasPrefix(start, []byte("\x93NUMPY")), bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return "npy"
	case bytes.HasPrefix(start, []byte("PAR1")):
		return "parquet"
	case len(start) > 3 && bytes.HasPrefix(start, []byte{0, 0, 8}) && start[3] < 4:
		return "idx"
	case showsValues(start):
		return "csv"
	}
	return ""
}
