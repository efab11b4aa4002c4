package recipe

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"mattis/data"
)

// IsSet reports whether an input names a set of the recipe's data, and no file.
func IsSet(input string) bool { return slices.Contains(data.Sets, input) }

// Rows returns the rows that input names, of the machine's V spins (label spins of rows without
// labels are 0): a set of the recipe's data, "train", "test" or "validation", or a file or folder
// for data.Read. Two-valued files are taken as they are, others binarised by the recipe's rule.
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

// readFile returns the rows of a file, read as the recipe's own data are where that makes sense and
// as the file settings say.
func (m *Model) readFile(path string) (*data.Set, error) {
	own := m.Recipe.dataOptions()
	rule := own.Binarize
	o := data.Options{Widths: []int{m.Visible(), m.Pixels()}, Key: own.Key, White: own.White, Height: m.Height, Width: m.Width}
	if kind, err := data.KindOf(path); err == nil && kind == m.Recipe.Data.Name {
		o.Header, o.Delimiter = own.Header, own.Delimiter
		if s, _ := data.Named(kind); !slices.Contains(s.Files, "labels") { // they are a column
			o.Labels = own.Labels
		}
	}
	if kind, err := data.KindOf(path); err == nil {
		if s, _ := data.Named(kind); slices.Contains(s.Takes, "missing") {
			o.Missing = own.Missing
		}
	}
	kind := ""
	if len(m.FileSettings) > 0 {
		d, err := FileData(path, m.FileSettings)
		if err != nil {
			return nil, err
		}
		kind, d.Path = d.Name, nil
		d.lay(&o)
		if d.Binarize != nil {
			rule = o.Binarize
		}
	}
	if m.Binarize != (data.Binarize{}) {
		rule = m.Binarize
	}
	set, _, err := data.ReadSpins(kind, path, o, rule)
	return set, err
}

// FileData returns the data section of a recipe that reads the rows of the file at path by the
// settings.
func FileData(path string, settings []string) (Data, error) {
	r, err := dataBy(path, settings)
	if err != nil {
		return Data{}, err
	}
	d := r.Data
	d.fields(func(name string, field reflect.Value) {
		given := !field.IsNil() && !slices.Contains(data.OneFile(), name)
		if name == "path" {
			given = *d.Path != path
		}
		if given && err == nil {
			err = fmt.Errorf("--set data.%s: has no meaning for the rows of one file, %s: leave it out", name, path)
		}
	})
	return d, err
}

// dataBy returns a recipe of the file at path and the settings, of which only the data say
// something.
func dataBy(path string, settings []string) (*Recipe, error) {
	kind := ""
	for _, s := range settings {
		if name, ok := strings.CutPrefix(s, "data.name="); ok {
			kind = name
		}
	}
	if kind == "" {
		var err error
		if kind, err = data.KindOf(path); err != nil {
			return nil, err
		}
	}
	text := fmt.Appendf(nil, "data: {name: %s, path: %q}\nmachine: {hidden: 1}\ntrain: {epochs: 0, batch: 1}\n", kind, path)
	r, err := Parse(path, text, settings...)
	if err != nil {
		return nil, err
	}
	if r.Data.Path == nil {
		return nil, fmt.Errorf("data.name: %s is no kind of file", kind)
	}
	return r, nil
}
