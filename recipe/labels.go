package recipe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mattis/data"
)

// labelsKey is the metadata of a checkpoint that holds the labels told by visible spins: a JSON
// array of their names.
const labelsKey = "labels"

func encodeLabels(names []string) string {
	b, err := json.Marshal(names)
	if err != nil {
		panic("recipe: " + err.Error()) // strings are always encoded
	}
	return string(b)
}

// decodeLabels returns the labels in the metadata, nil for none.
func decodeLabels(metadata map[string]string) (names []string, err error) {
	text, ok := metadata[labelsKey]
	if !ok {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &names); err != nil || len(names) < 2 {
		return nil, fmt.Errorf("metadata %s is %.40q, want a JSON array of two names or more", labelsKey, text)
	}
	return names, nil
}

// CheckLabel returns what is wrong with the label for the machine; "" is none, and always right.
func (m *Model) CheckLabel(label string) error {
	switch {
	case label == "" || slices.Contains(m.LabelNames, label):
		return nil
	case m.LabelNames == nil:
		return fmt.Errorf("%s: the machine has no labels; those of a machine trained with data.labels_visible=true are visible spins", label)
	}
	return fmt.Errorf("%s: the machine knows %s", label, strings.Join(m.LabelNames, ", "))
}

// LayLabel sets the label spins of the rows, V spins each, where a label is named.
func (m *Model) LayLabel(label string, rows []int8) {
	if label == "" {
		return
	}
	spins := data.LabelSpins(len(m.LabelNames), slices.Index(m.LabelNames, label))
	for row := range slices.Chunk(rows, m.Visible()) {
		copy(row[m.Pixels():], spins)
	}
}

// LabelClamp returns the row that holds the label's spins and leaves the others free, nil for none.
func (m *Model) LabelClamp(label string) []int8 {
	if label == "" {
		return nil
	}
	row := make([]int8, m.Visible())
	m.LayLabel(label, row)
	return row
}
