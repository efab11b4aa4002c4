package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mattis/data"
)

// IsSet reports whether an input names a set of the recipe's data, and no file.
func IsSet(input string) bool { return slices.Contains(data.Sets, input) }

// Rows returns the rows that input names, of the machine's V spins (label spins of rows without labels are 0): a set of
// the recipe's data, "train", "test" or "validation", or a file or folder for data.Read. Two-valued files are taken as
// they are, others binarised by the recipe's rule.
func (m *Model) Rows(input string) (*data.Set, error) {
	if IsSet(input) {
		split, err := m.LoadData()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", input, err)
		}
		if set := split.Set(input); set != nil {
			return set, nil
		}
		return nil, fmt.Errorf("%s: the data %s have no such set", input, m.Recipe.Data.Name)
	}
	set, err := m.readFile(input)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q is neither train, test or validation nor a file: %w", input, os.ErrNotExist)
	}
	if grey := (*data.GreyError)(nil); errors.As(err, &grey) && grey.Greys() {
		place, _ := strings.CutSuffix(err.Error(), grey.Error())
		return nil, fmt.Errorf("%sthe value %v is grey, and the machine's recipe has no data.binarize: a threshold makes two values, such as --threshold 0.5", place, grey.Value)
	}
	if wide := (*data.WidthError)(nil); errors.As(err, &wide) {
		if m.LabelNames != nil {
			return nil, fmt.Errorf("%s: rows of %d values, the machine has %d visible spins and %d more that tell the label", input, wide.Width, m.Pixels(), len(m.LabelNames))
		}
		return nil, fmt.Errorf("%s: rows of %d values, the machine has %d visible spins", input, wide.Width, m.Visible())
	}
	if err != nil {
		return nil, err
	}
	if m.LabelNames != nil && set.Visible == m.Pixels() {
		return set.WithLabels(m.LabelNames)
	}
	return set, nil
}

// readFile returns the rows of a file, read as the recipe's own data are where that makes sense and as the file
// settings say.
func (m *Model) readFile(path string) (*data.Set, error) {
	own := m.Recipe.dataOptions()
	rule := own.Binarize
	o := data.Options{Widths: []int{m.Visible(), m.Pixels()}, Key: own.Key, White: own.White, Height: m.Height, Width: m.Width}
	if ext := strings.ToLower(filepath.Ext(path)); m.Recipe.Data.Name == "csv" && (ext == ".csv" || ext == ".tsv") { // labels are a column
		o.Header, o.Delimiter, o.Labels = own.Header, own.Delimiter, own.Labels
	}
	kind := ""
	if len(m.FileSettings) > 0 {
		d, err := fileData(path, m.FileSettings)
		if err != nil {
			return nil, err
		}
		kind = d.Name
		give(&o.Labels, d.Labels)
		give(&o.Header, d.Header)
		give(&o.Delimiter, d.Delimiter)
		give(&o.White, d.White)
		give(&o.Height, d.Height)
		give(&o.Width, d.Width)
		give(&o.Limit, d.Limit)
		if d.Binarize != nil {
			rule = ruleOf(d.Binarize)
		}
	}
	if m.Binarize != (data.Binarize{}) {
		rule = m.Binarize
	}
	set, _, err := data.ReadSpins(kind, path, o, rule)
	return set, err
}

// fileData returns the data section of a recipe that reads the file at path by the settings.
func fileData(path string, settings []string) (Data, error) {
	kind := ""
	for _, s := range settings {
		if name, ok := strings.CutPrefix(s, "data.name="); ok {
			kind = name
		}
	}
	if kind == "" {
		var err error
		if kind, err = data.KindOf(path); err != nil {
			return Data{}, err
		}
	}
	text := fmt.Appendf(nil, "data: {name: %s, path: %q}\nmachine: {hidden: 1}\ntrain: {epochs: 0, batch: 1}\n", kind, path)
	r, err := Parse(path, text, settings...)
	if err != nil {
		return Data{}, err
	}
	d := r.Data
	if d.Path == nil {
		return Data{}, fmt.Errorf("data.name: %s is no kind of file, want npy, csv, idx or images", kind)
	}
	for name, given := range map[string]bool{
		"path": *d.Path != path, "dir": d.Dir != nil, "test_path": d.TestPath != nil, "test_labels": d.TestLabels != nil, "labels_visible": d.LabelsVisible != nil,
		"split": d.Split != nil, "closed": d.Closed != nil, "test": d.Test != nil, "validation": d.Validation != nil,
	} {
		if given {
			return Data{}, fmt.Errorf("--set data.%s: has no meaning for the rows of one file, %s: leave it out", name, path)
		}
	}
	return d, nil
}
