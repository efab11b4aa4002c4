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
	ext := strings.ToLower(filepath.Ext(path))
	table := ext == ".csv" || ext == ".tsv"
	drawn := info.IsDir() || isImage(filepath.Base(path))
	o = Options{Path: path, Split: "all", Name: o.rename(path), Binarize: o.Binarize, Limit: o.Limit, Key: o.Key,
		Height: o.Height, Width: o.Width, White: o.White, Labels: o.Labels, Header: o.Header, Delimiter: o.Delimiter}
	if !table {
		o.Header, o.Delimiter = false, ""
	}
	if drawn {
		o.White, o.Labels = 0, ""
	}
	var split *Split
	switch {
	case info.IsDir():
		split, err = Images(o)
	case drawn:
		if err := o.only("an image", "path", "height", "width", "binarize", "limit"); err != nil {
			return nil, err
		}
		split, err = o.readFiles("image", func(p part, _ *words) (*Set, error) { return o.readImage(p) })
	case ext == ".npy":
		split, err = NPY(o)
	case table:
		split, err = CSV(o)
	case ext == ".idx" || ext == ".gz" || strings.HasSuffix(path, "-ubyte"):
		split, err = IDX(o)
	default:
		err = fmt.Errorf("%s: no known kind of data: .npy, .csv, .tsv, .png, .jpg, a folder of images, or IDX (.idx, .gz, -ubyte)", path)
	}
	if err != nil {
		return nil, err
	}
	return split.Train, nil
}
