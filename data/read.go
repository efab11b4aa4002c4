package data

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Read returns the rows of one file of any kind, told by its name: .npy, .csv
// or .tsv, one .png, .jpg or .jpeg image, a folder of such images, or else IDX.
// Of the options it uses Name, Binarize, Limit and Key, Height and Width as the
// shape that images must have and that flat rows take, and where they have a
// meaning White, Labels, Header and Delimiter; it ignores the others.
func Read(path string, o Options) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	kind, drawn := kindOf(path, info)
	table := kind == "csv"
	o = Options{Path: path, Split: "all", Name: o.rename(path), Binarize: o.Binarize, Limit: o.Limit, Key: o.Key,
		Height: o.Height, Width: o.Width, White: o.White, Labels: o.Labels, Header: o.Header, Delimiter: o.Delimiter}
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
		err = errKind(path)
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
	kind, _ := kindOf(path, info)
	if kind == "" {
		return "", errKind(path)
	}
	return kind, nil
}

// kindOf returns the kind of a file, "" where it is none, and whether it is drawn.
func kindOf(path string, info os.FileInfo) (kind string, drawn bool) {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case info.IsDir() || isImage(filepath.Base(path)):
		return "images", true
	case ext == ".npy":
		return "npy", false
	case ext == ".csv" || ext == ".tsv":
		return "csv", false
	case ext == ".idx" || ext == ".gz" || strings.HasSuffix(path, "-ubyte"):
		return "idx", false
	}
	return "", false
}

func errKind(path string) error {
	return fmt.Errorf("%s: no known kind of data: .npy, .csv, .tsv, .png, .jpg, a folder of images, or IDX (.idx, .gz, -ubyte)", path)
}
