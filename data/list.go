package data

import "path/filepath"

// Source describes one kind of data that a recipe can name.
type Source struct {
	Name  string
	About string // one line
	Where string // where its files are looked for
}

// List returns the sources in the order in which people meet them.
func List() []Source {
	return []Source{
		{"bars", "Bars n x n: one row repeated, no uniform image; 4x4 with the paper's split", "made, not read"},
		{"bas", "bars and stripes n x n; 12x12 with 6550 of 8188 images to train", "made, not read"},
		{"mnist", "60000 + 10000 handwritten digits of 28x28 pixels, with labels", mnistWhere()},
		{"idx", "IDX files of unsigned bytes, gzipped or not", "data.path, data.labels, data.test_path, data.test_labels"},
		{"npy", "arrays of rows x values or rows x height x width", "data.path, data.labels, data.test_path, data.test_labels"},
		{"csv", "one row of values a line, a column of labels if there is one", "data.path, data.test_path"},
		{"images", "folders of PNG or JPEG images of one size, subfolders as labels", "data.path, data.test_path"},
	}
}

func mnistWhere() string {
	where := "data.dir, then $MATTIS_DATA/mnist"
	if cache, err := MNISTCache(); err == nil {
		where += ", then " + cache
	}
	if paths, err := FindMNIST(""); err == nil {
		return where + " (found: " + filepath.Dir(paths[0]) + ")"
	}
	return where + " (not found: run \"mattis data fetch mnist\")"
}
