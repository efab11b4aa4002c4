package data

import (
	"fmt"

	"mattis/rng"
)

// Options says which data set to make or read and how to split it. A field
// that a source or a split has no use for is refused, not ignored, but for Key.
type Options struct {
	// Name is the set's name in reports; empty means the source's own.
	Name string
	// Size is the side of Bars and BAS images, 2 to 16; 0 means 4 and 12.
	Size int
	// Split is "paper" (Bars, BAS), "random", "files" (a test file of its own)
	// or "all" (no test set). Empty means paper for Bars 4x4, BAS closed under
	// negation, files where there is a test file, and all otherwise.
	Split string
	// Closed keeps each row and its negative on one side of a random split, and of the cut that Validation makes. Equal rows always are.
	Closed bool
	// Test is the fraction of rows in the test set of a random split, in (0,1);
	// 0 means 0.2.
	Test float64
	// Dir is where the MNIST files are; empty means $MATTIS_DATA/mnist and then
	// the user's cache directory.
	Dir string
	// Path is the file, or the folder of images, to read.
	Path string
	// TestPath is the file or folder of the test set.
	TestPath string
	// Labels is the file of labels (IDX, NPY), or the name or number (from 1)
	// of the column of labels (CSV); empty means no labels. Images take theirs
	// from the names of subfolders.
	Labels string
	// TestLabels is the file of labels of the test set (IDX, NPY).
	TestLabels string
	// LabelsVisible appends the labels to the rows as visible spins: one for each label, +1 for the row's own and -1
	// for the others.
	LabelsVisible bool
	// Height and Width are the shape of an image whose file holds flat rows
	// (NPY, CSV, two-dimensional IDX); 0 means plain rows.
	Height, Width int
	// Widths are the numbers of values that rows of Read may have; none means any.
	Widths []int
	// White is the value that counts as grey 1; 0 means 255 for unsigned bytes
	// that exceed 1, and 1 for everything else.
	White float64
	// Binarize is the rule that makes spins of grey values.
	Binarize Binarize
	// Validation is the number of rows taken from the end of the training set
	// as a validation set; 0 means none. Equal rows are taken together or not at all, so
	// that it is met as nearly as they allow.
	Validation int
	// Header says that the first line of a CSV file holds names.
	Header bool
	// Delimiter separates the columns of a CSV file: one character, or "tab";
	// empty means a comma, or a tab where the file's name ends in .tsv.
	Delimiter string
	// Limit is the number of rows kept of each file, from its beginning; 0
	// means all.
	Limit int
	// Former makes the data as first versions did, for runs that began then: equal rows of files may lie on both sides of a split,
	// a validation set is the last rows whatever they are equal to, float32 values are compared with a threshold in
	// float64, and Test and Closed are passed over where they have no meaning.
	Former bool
	// Key is the stream of random splits and of stochastic binarisation.
	Key rng.Key

	piped []byte // what Path holds, where that is a pipe that was read
}

// Streams under Options.Key.
const (
	streamSplit = iota
	streamTrain // stochastic binarisation of the training file
	streamTest  // and of the test file
)

// only returns an error if a field is set that is not among those named; the
// fields that every source takes are not asked for.
func (o Options) only(source string, fields ...string) error {
	set := []struct {
		name string
		set  bool
	}{
		{"size", o.Size != 0},
		{"dir", o.Dir != ""},
		{"path", o.Path != ""},
		{"test_path", o.TestPath != ""},
		{"labels", o.Labels != ""},
		{"test_labels", o.TestLabels != ""},
		{"labels_visible", o.LabelsVisible},
		{"height", o.Height != 0},
		{"width", o.Width != 0},
		{"white", o.White != 0},
		{"binarize", o.Binarize.given()},
		{"validation", o.Validation != 0},
		{"header", o.Header},
		{"delimiter", o.Delimiter != ""},
		{"limit", o.Limit != 0},
	}
next:
	for _, f := range set {
		if !f.set {
			continue
		}
		for _, name := range fields {
			if f.name == name {
				continue next
			}
		}
		return fmt.Errorf("data.%s has no meaning for %s: leave it out", f.name, source)
	}
	if !(o.White >= 0) || o.White > 1e300 {
		return fmt.Errorf("data.white: %v is no value of white: a positive number, such as 255", o.White)
	}
	if o.Limit < 0 {
		return fmt.Errorf("data.limit: %d rows cannot be kept: 0 keeps all", o.Limit)
	}
	if o.Validation < 0 {
		return fmt.Errorf("data.validation: %d rows cannot be taken: 0 takes none", o.Validation)
	}
	if !(o.Test >= 0 && o.Test < 1) {
		return fmt.Errorf("data.test: %v is not a fraction in (0,1), such as 0.2", o.Test)
	}
	return o.Binarize.check()
}

// made returns the side of a made set, size where none is given.
func (o Options) made(source string, size int) (int, error) {
	if err := o.only(source, "size"); err != nil {
		return 0, err
	}
	n := o.Size
	if n == 0 {
		n = size
	}
	if n < MinSize || n > MaxSize {
		return 0, fmt.Errorf("data.size: %d is out of range for %s: %d to %d", n, source, MinSize, MaxSize)
	}
	return n, nil
}

// rename returns the name that the options give, or else the source's.
func (o Options) rename(name string) string {
	if o.Name != "" {
		return o.Name
	}
	return name
}
