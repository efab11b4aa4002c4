package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mattis/data"
	"mattis/recipe"
)

// labelFlag is the flag --label of machines whose labels are visible spins.
type labelFlag struct{ name string }

func (f *labelFlag) add(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&f.name, "label", "", usage+", for machines trained with data.labels_visible")
}

// given reports whether a label is named.
func (f labelFlag) given() bool { return f.name != "" }

// check returns what is wrong with the label for the machine.
func (f labelFlag) check(m *recipe.Model) error {
	if err := m.CheckLabel(f.name); err != nil {
		return fmt.Errorf("--label %w", err)
	}
	return nil
}

// labelled returns the rows of the input with the label laid over them. Rows whose label is not
// known are refused.
func (f labelFlag) labelled(cmd *cobra.Command, m *recipe.Model, input string) (*data.Set, error) {
	if err := f.check(m); err != nil {
		return nil, err
	}
	set, err := m.Rows(input)
	if err != nil {
		return nil, fmt.Errorf("--input %w", err)
	}
	tellNotes(cmd, set)
	if f.given() {
		t := *set
		t.Spins = slices.Clone(set.Spins)
		m.LayLabel(f.name, t.Spins)
		return &t, nil
	}
	for i := range set.Rows {
		if m.LabelNames != nil && set.Row(i)[m.Pixels()] == 0 {
			return nil, fmt.Errorf("--input %s: row %d has no label, and the machine has %d visible spins for it: name one by --label (%s)", input, i+1, len(m.LabelNames), strings.Join(m.LabelNames, ", "))
		}
	}
	return set, nil
}

// labelCounts says how often each label was drawn. A draw in which not one label spin alone is up
// tells none.
type labelCounts struct {
	names  []string
	pixels int
	counts []int // of each label, and of none
}

func newLabelCounts(m *recipe.Model) *labelCounts {
	return &labelCounts{m.LabelNames, m.Pixels(), make([]int, len(m.LabelNames)+1)}
}

// add counts the label of a row.
func (l *labelCounts) add(row []int8) {
	up, at := 0, len(l.names)
	for i, s := range row[l.pixels:] {
		if s > 0 {
			up, at = up+1, i
		}
	}
	if up != 1 {
		at = len(l.names)
	}
	l.counts[at]++
}

// String returns the labels that were drawn, "" of machines without labels.
func (l *labelCounts) String() string {
	if l.names == nil {
		return ""
	}
	var words []string
	for i, name := range append(slices.Clone(l.names), "none") {
		if l.counts[i] > 0 {
			words = append(words, fmt.Sprintf("%s: %d", name, l.counts[i]))
		}
	}
	return strings.Join(words, ", ")
}

// pixelsOf returns the rows without their label spins.
func pixelsOf(m *recipe.Model, rows [][]int8) [][]int8 {
	out := make([][]int8, len(rows))
	for i, row := range rows {
		out[i] = row[:m.Pixels()]
	}
	return out
}
