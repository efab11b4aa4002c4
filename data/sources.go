package data

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Source is one kind of data that a recipe can name. Sources is the one place that says what there
// is, what it takes and what reads it.
type Source struct {
	Name  string
	About string        // one line
	Where func() string // where its files are looked for
	Needs []string      // fields that have to be given, by the names of Options
	Takes []string      // fields that may be given
	Says  []string      // fields that a complete recipe holds, with the values of Defaults where it does not name them
	Files []string      // those of its fields that name files or folders
	Sizes [2]int        // the least and the largest value of size
	Count int           // the largest value of count

	Defaults Options
	Load     func(Options) (*Split, error)
}

// The fields that sources of files share.
var (
	parted = []string{"split", "closed", "test"}                                                                     // what a split wants to know
	rows   = append([]string{"test_path", "labels_visible", "validation"}, parted...)                                // of files
	values = []string{"height", "width", "white", "binarize"}                                                        // what makes spins of their values
	arrays = slices.Concat([]string{"labels", "test_labels"}, values, rows)                                          // one file for rows, one for labels
	tables = slices.Concat([]string{"labels"}, values, rows)                                                         // a column of labels
	images = slices.Concat([]string{"height", "width", "binarize"}, rows)                                            // subfolders are labels
	single = slices.Concat([]string{"labels", "array", "header", "delimiter", "missing"}, values, []string{"limit"}) // of the rows of one file alone
)

// Sources returns the kinds of data in the order in which people meet them.
func Sources() []Source {
	nowhere := func() string { return "-" }
	made := func() string { return "made, not read" }
	fields := func(names ...string) func() string {
		return func() string { return "data." + strings.Join(names, ", data.") }
	}
	return []Source{
		{Name: "bars", About: "Bars n x n: one row repeated, no uniform image; 4x4 with the paper's split", Where: made,
			Says: []string{"size", "split"}, Takes: []string{"closed", "test"}, Sizes: [2]int{MinSize, MaxSize}, Defaults: Options{Size: 4, Split: "paper"}, Load: Bars},
		{Name: "bas", About: "bars and stripes n x n; 12x12 with 6550 of 8188 images to train", Where: made,
			Says: []string{"size", "split"}, Takes: []string{"closed", "test"}, Sizes: [2]int{MinSize, MaxSize}, Defaults: Options{Size: 12, Split: "paper"}, Load: BAS},
		{Name: "ising", About: "configurations of the Ising model on a periodic square lattice of size x size at a temperature", Where: made,
			Says: []string{"size", "temperature", "count", "split"}, Takes: []string{"closed", "test"}, Sizes: [2]int{MinSide, MaxSide}, Count: MostConfigurations, Defaults: isingDefaults, Load: Ising},
		{Name: "mnist", About: "60000 + 10000 handwritten digits of 28x28 pixels, with labels", Where: mnistWhere,
			Says: []string{"split", "binarize", "validation", "limit"}, Takes: []string{"dir", "labels_visible", "closed", "test"}, Files: []string{"dir"},
			Defaults: Options{Split: "files", Binarize: paperRule()}, Load: MNIST},
		{Name: "idx", About: "IDX files of unsigned bytes", Where: fields("path", "labels", "test_path", "test_labels"),
			Needs: []string{"path"}, Says: []string{"limit"}, Takes: arrays, Files: []string{"path", "labels", "test_path", "test_labels"}, Load: IDX},
		{Name: "npy", About: "arrays of rows x values or rows x height x width, in npy or npz files", Where: fields("path", "labels", "test_path", "test_labels", "array"),
			Needs: []string{"path"}, Says: []string{"limit"}, Takes: append([]string{"array", "missing"}, arrays...), Files: []string{"path", "labels", "test_path", "test_labels"}, Load: NPY},
		{Name: "csv", About: "text: one row of values a line, between commas, blanks or nothing; a column of labels if there is one", Where: fields("path", "test_path"),
			Needs: []string{"path"}, Says: []string{"limit"}, Takes: append([]string{"header", "delimiter", "missing"}, tables...), Files: []string{"path", "test_path"}, Load: CSV},
		{Name: "parquet", About: "tables of flat columns, one a spin; a column of labels if there is one", Where: fields("path", "test_path"),
			Needs: []string{"path"}, Says: []string{"limit"}, Takes: append([]string{"missing"}, tables...), Files: []string{"path", "test_path"}, Load: Parquet},
		{Name: "images", About: "folders of PNG or JPEG images of one size, subfolders as labels or train and test", Where: fields("path", "test_path"),
			Needs: []string{"path"}, Says: []string{"limit"}, Takes: images, Files: []string{"path", "test_path"}, Load: Images},
		{Name: "memories", About: "random rows of spins, which a Hopfield machine is to remember; all of them train", Where: made,
			Says: []string{"size", "count"}, Sizes: [2]int{1, MostSpins}, Count: MostMemories, Defaults: Options{Size: defaultSpins, Count: defaultMemories}, Load: Memories},
		{Name: "none", About: "no data: a machine that was converted from elsewhere", Where: nowhere, Takes: []string{"white", "binarize"}, Load: noData},
	}
}

// Named returns the source of that name, and whether there is one.
func Named(name string) (Source, bool) {
	for _, s := range Sources() {
		if s.Name == name {
			return s, true
		}
	}
	return Source{}, false
}

// SourceNames returns the names of all sources.
func SourceNames() []string {
	var names []string
	for _, s := range Sources() {
		names = append(names, s.Name)
	}
	return names
}

// OneFile returns the fields that have a meaning for the rows of one file, whatever set they are.
func OneFile() []string { return slices.Clone(single) }

// noData is the data of a machine that was converted from elsewhere: none.
func noData(Options) (*Split, error) {
	return nil, errors.New("data.name: none is no data: name some to measure on, such as --set data.name=npy --set data.path=FILE, and train on by mattis train RECIPE --init DIR")
}

// fieldName returns the name in recipes of a field of Options, "" of one that recipes do not have.
func fieldName(f reflect.StructField) string { return f.Tag.Get("recipe") }

// Field returns the field of that name in a recipe, for reading or setting, and whether there is
// one.
func (o *Options) Field(name string) (reflect.Value, bool) {
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if fieldName(v.Type().Field(i)) == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// Given returns the names of the recipe's fields that are not zero.
func (o *Options) Given() (names []string) {
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if name := fieldName(v.Type().Field(i)); name != "" && !v.Field(i).IsZero() {
			names = append(names, name)
		}
	}
	return names
}

// alone returns what of the options says how the source reads the rows of one file.
func (o Options) alone(s Source) Options {
	for _, name := range o.Given() {
		if name != "path" && !(slices.Contains(single, name) && s.takes(name)) {
			f, _ := o.Field(name)
			f.SetZero()
		}
	}
	o.Split = "all"
	return o
}

func (s Source) takes(field string) bool {
	return slices.Contains(s.Needs, field) || slices.Contains(s.Takes, field) || slices.Contains(s.Says, field)
}

func mnistWhere() string {
	where := "data.dir, then $MATTIS_DATA/mnist"
	if cache, err := MNISTCache(); err == nil {
		where += ", then " + cache
	}
	if paths, err := FindMNIST(""); err == nil {
		return where + " (found: " + filepath.Dir(paths[0]) + ")"
	}
	return fmt.Sprintf("%s (not found: run %q)", where, "mattis data fetch mnist")
}
