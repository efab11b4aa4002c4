package data

import (
	"fmt"
	"slices"

	"mattis/rng"
)

// Options says which data set to make or read and how to split it. A field
// that a source or a split has no use for is refused, not ignored, but for Key.
type Options struct {
	// Name is the set's name in reports; empty means the source's own.
	Name string
	// Size is the side of Bars and BAS images, 2 to 16, or of an Ising lattice, 3 to 64, and the spins
	// of memories; 0 means 4, 12, 8 and 100.
	Size int `recipe:"size"`
	// Temperature is that of Ising configurations in units of J; 0 means 2.4.
	Temperature float64 `recipe:"temperature"`
	// Count is the number of rows that are made: 0 means 20000 of Ising configurations and 14 memories.
	Count int `recipe:"count"`
	// Split is "paper" (Bars, BAS), "random", "files" (a test file of its own)
	// or "all" (no test set). Empty means paper for Bars 4x4, BAS closed under
	// negation, files where there is a test file, and all otherwise.
	Split string `recipe:"split"`
	// Closed keeps each row and its negative on one side of a random split, and of the cut that
	// Validation makes. Equal rows always are.
	Closed bool `recipe:"closed"`
	// Test is the fraction of rows in the test set of a random split, in (0,1);
	// 0 means 0.2.
	Test float64 `recipe:"test"`
	// Dir is where the MNIST files are; empty means $MATTIS_DATA/mnist and then
	// the user's cache directory.
	Dir string `recipe:"dir"`
	// Path is the file, or the folder of images, to read.
	Path string `recipe:"path"`
	// TestPath is the file or folder of the test set.
	TestPath string `recipe:"test_path"`
	// Labels is the file of labels (IDX, NPY), or the name or number (from 1)
	// of the column of labels (CSV); empty means no labels. Images take theirs
	// from the names of subfolders.
	Labels string `recipe:"labels"`
	// TestLabels is the file of labels of the test set (IDX, NPY).
	TestLabels string `recipe:"test_labels"`
	// LabelsVisible appends the labels to the rows as visible spins: one for each label, +1 for the
	// row's own and -1 for the others.
	LabelsVisible bool `recipe:"labels_visible"`
	// Height and Width are the shape of an image whose file holds flat rows
	// (NPY, CSV, two-dimensional IDX), and what images must have; 0 means plain rows.
	Height int `recipe:"height"`
	Width  int `recipe:"width"`
	// Widths are the numbers of values that rows of Read may have; none means any.
	Widths []int
	// White is the value that counts as grey 1; 0 means 255 for unsigned bytes
	// that exceed 1, and 1 for everything else.
	White float64 `recipe:"white"`
	// Binarize is the rule that makes spins of grey values.
	Binarize Binarize `recipe:"binarize"`
	// Validation is the number of rows taken from the end of the training set
	// as a validation set; 0 means none. Equal rows are taken together or not at all, so
	// that it is met as nearly as they allow.
	Validation int `recipe:"validation"`
	// Header says that the first line of a CSV file holds names.
	Header bool `recipe:"header"`
	// Delimiter separates the columns of a CSV file: one character, "tab", "whitespace", which is
	// runs of blanks and tabs, or "none", where each character of a line is a value: 0 and 1, or +
	// and -. Empty means what the first lines show, or a tab where the file's name ends in .tsv.
	Delimiter string `recipe:"delimiter"`
	// Array is the array of rows in an npz file of several; empty means the only one of two or more
	// dimensions, or else those called train and test, x_train and x_test, or X_train and X_test.
	Array string `recipe:"array"`
	// Limit is the number of rows kept of each file, from its beginning; 0
	// means all.
	Limit int `recipe:"limit"`
	// Missing is "allow" to take missing entries, as spins 0; empty or "refuse" makes one an error
	// that names its place.
	Missing string `recipe:"missing"`
	// Former makes the data as first versions did, for runs that began then: equal rows of files
	// may lie on both sides of a split, a validation set is the last rows whatever they are equal
	// to, float32 values are compared with a threshold in float64, and Test and Closed are passed
	// over where they have no meaning.
	Former bool
	// Key is the stream of random splits and of stochastic binarisation.
	Key rng.Key

	piped map[string][]byte // what pipes hold that were read, by their paths; nil where each is read once at most
	tally *Tally            // counts the values, and nothing is refused for them; no spins are made
}

// What Options.Missing may be.
const (
	Refuse = "refuse"
	Allow  = "allow"
)

// Streams under Options.Key.
const (
	streamSplit = iota
	streamTrain // stochastic binarisation of the training file
	streamTest  // and of the test file
	streamMade  // rows that are drawn
	streamMemories
)

// only returns an error if a field is set that the source does not take.
func (o Options) only(source string) error {
	s, _ := Named(source)
	for _, name := range o.Given() {
		if !s.takes(name) {
			return fmt.Errorf("data.%s has no meaning for %s: leave it out", name, source)
		}
	}
	if !(o.White >= 0) || o.White > 1e300 {
		return fmt.Errorf("data.white: %v is no value of white: a positive number, such as 255", o.White)
	}
	if !slices.Contains([]string{"", Refuse, Allow}, o.Missing) {
		return fmt.Errorf("data.missing: %q is unknown, want %s or %s", o.Missing, Refuse, Allow)
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
	if err := o.only(source); err != nil {
		return 0, err
	}
	n := o.Size
	if n == 0 {
		n = size
	}
	if s, _ := Named(source); n < s.Sizes[0] || n > s.Sizes[1] {
		return 0, fmt.Errorf("data.size: %d is out of range for %s: %d to %d", n, source, s.Sizes[0], s.Sizes[1])
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
