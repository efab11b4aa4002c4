package data

import (
	"fmt"
	"slices"
	"strconv"
)

// mostLabels bounds the labels that become spins.
const mostLabels = 4096

// Pixels returns the number of spins of a row that are no label spins: they come first.
func (s *Set) Pixels() int { return s.Visible - len(s.LabelNames) }

// appendLabels appends the labels to the rows of all sets that are not nil, one spin for each label
// that occurs in any of them: +1 for the row's own and -1 for the others.
func appendLabels(sets ...*Set) error {
	sets = slices.DeleteFunc(sets, func(s *Set) bool { return s == nil })
	var values []int32
	for _, s := range sets {
		if s.Labels == nil {
			return fmt.Errorf("data.labels_visible: the rows of %s have no labels; name them by data.labels", s.Name)
		}
		values = append(values, s.Labels...)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) < 2 || len(values) > mostLabels {
		return fmt.Errorf("data.labels_visible: %d different labels cannot be told by spins, want 2 to %d", len(values), mostLabels)
	}
	names := make([]string, len(values))
	for i, l := range values {
		names[i] = sets[0].labelName(l)
	}
	for _, s := range sets {
		spins := make([]int8, 0, s.Rows*(s.Visible+len(values)))
		for i := range s.Rows {
			at, _ := slices.BinarySearch(values, s.Labels[i])
			spins = append(append(spins, s.Row(i)...), LabelSpins(len(values), at)...)
		}
		s.Spins, s.Visible, s.LabelNames = spins, s.Visible+len(values), names
	}
	return nil
}

// labelName returns the word for a label.
func (s *Set) labelName(label int32) string {
	if s.Classes != nil {
		return s.Classes[label]
	}
	return strconv.Itoa(int(label))
}

// LabelSpins returns n spins that tell label number at, and 0 for each where it is not known: at <
// 0.
func LabelSpins(n, at int) []int8 {
	x := make([]int8, n)
	for i := range x {
		switch {
		case i == at:
			x[i] = 1
		case at >= 0:
			x[i] = -1
		}
	}
	return x
}

// WithLabels returns the rows of s, which have no label spins, with those for the named labels: the
// row's own label where it has one, 0 otherwise. A label that has no name among them is an error.
func (s *Set) WithLabels(names []string) (*Set, error) {
	t := *s
	t.Visible, t.LabelNames = s.Visible+len(names), names
	t.Spins = make([]int8, 0, s.Rows*t.Visible)
	for i := range s.Rows {
		at := -1
		if s.Labels != nil {
			if at = slices.Index(names, s.labelName(s.Labels[i])); at < 0 {
				return nil, fmt.Errorf("%s: row %d has the label %s, which is none of %d that the machine knows", s.Name, i+1, s.labelName(s.Labels[i]), len(names))
			}
		}
		t.Spins = append(append(t.Spins, s.Row(i)...), LabelSpins(len(names), at)...)
	}
	return &t, nil
}
