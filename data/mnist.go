package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mnistFile is one of the four files of MNIST; bytes and sum are those of the
// uncompressed file.
type mnistFile struct {
	name  string
	bytes int64
	sum   string // SHA-256
}

var mnistFiles = [4]mnistFile{
	{"train-images-idx3-ubyte", 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
	{"train-labels-idx1-ubyte", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
	{"t10k-images-idx3-ubyte", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
	{"t10k-labels-idx1-ubyte", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
}

// MNIST reads the four IDX files of MNIST, gzipped or not, from the first
// place of MNISTPlaces that has them. Without a rule grey values above 0.3
// become +1. Files of another set of 28x28 images under the same names are
// read as well: Digest tells which it is.
func MNIST(o Options) (*Split, error) {
	if err := o.only("mnist"); err != nil {
		return nil, err
	}
	if o.Split != "" && o.Split != "files" {
		return nil, fmt.Errorf("data.split: %q has no meaning for mnist, which has its own test files: files", o.Split)
	}
	paths, err := FindMNIST(o.Dir)
	if err != nil {
		return nil, err
	}
	if !o.Binarize.given() {
		o.Binarize = paperRule()
	}
	o.Name, o.Dir = o.rename("mnist"), ""
	o.White = 255
	o.Path, o.Labels, o.TestPath, o.TestLabels = paths[0], paths[1], paths[2], paths[3]
	return o.readFiles("mnist", func(p part, words *words) (*Set, error) {
		s, err := o.readIDX(p, words)
		if err == nil && (s.Height != 28 || s.Width != 28) {
			return nil, fmt.Errorf("%s: rows of %s, where those of mnist have 28x28 pixels: read other images as idx", p.path, s.rowShape())
		}
		return s, err
	})
}

// paperRule is the binarisation of the paper.
func paperRule() Binarize {
	threshold := 0.3
	return Binarize{Threshold: &threshold}
}

// MNISTPlaces returns the folders where MNIST is looked for, first to last: dir
// alone if it is not empty, or else $MATTIS_DATA/mnist, if that is set, and the
// cache.
func MNISTPlaces(dir string) []string {
	if dir != "" {
		return []string{dir}
	}
	var places []string
	if root := os.Getenv("MATTIS_DATA"); root != "" {
		places = append(places, filepath.Join(root, "mnist"))
	}
	if cache, err := MNISTCache(); err == nil {
		places = append(places, cache)
	}
	return places
}

// MNISTCache returns the folder, in the user's cache, that Fetch.MNIST fills.
func MNISTCache() (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("mnist: no cache directory: %w", err)
	}
	return filepath.Join(root, "mattis", "mnist"), nil
}

// FindMNIST returns the paths of the four files (training images and labels,
// test images and labels) in the first of the places that has any of them; the
// place must then have all four.
func FindMNIST(dir string) ([4]string, error) {
	var paths [4]string
	places := MNISTPlaces(dir)
	for _, place := range places {
		missing, found := "", 0
		for i, file := range mnistFiles {
			path, err := file.in(place)
			switch {
			case err == nil:
				paths[i] = path
				found++
			case errors.Is(err, fs.ErrNotExist):
				missing = file.name
			default:
				return paths, err
			}
		}
		if found == len(paths) {
			return paths, nil
		}
		if found > 0 {
			return paths, fmt.Errorf("%s: %s (or .gz) is missing beside the other files of mnist", place, missing)
		}
	}
	if dir != "" {
		return paths, fmt.Errorf("data.dir: no mnist in %s: it wants %s, gzipped or not, and three more", dir, mnistFiles[0].name)
	}
	return paths, fmt.Errorf("no mnist in %s: run \"mattis data fetch mnist\", or set data.dir or MATTIS_DATA (the folder that holds mnist/)", strings.Join(places, " or "))
}

// in returns the path of the file in a folder, plain or gzipped, or an error
// that is fs.ErrNotExist.
func (m mnistFile) in(dir string) (string, error) {
	path := filepath.Join(dir, m.name)
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		path += ".gz"
		_, err = os.Stat(path)
	}
	return path, err
}
