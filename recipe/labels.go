package recipe

import (
	"encoding/json"
	"fmt"
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
