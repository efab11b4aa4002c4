package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// The largest files that are taken for what a run writes: recipes have 2 KB, env.json a kilobyte
// for each resume.
const (
	mostRecipe      = 64 << 10
	mostEnvironment = 4 << 20
	mostState       = 64 << 10
)

// Setting is a value of a recipe under its path: train.epochs, 300.
type Setting struct {
	Path, Value string
}

// MarshalJSON writes the setting as a list of two.
func (s Setting) MarshalJSON() ([]byte, error) { return json.Marshal([2]string{s.Path, s.Value}) }

// settings returns the values of a recipe in its order. A list is one value. It knows no keys:
// recipes of other versions are read as well.
func settings(text []byte) (list []Setting, err error) {
	defer func() {
		if r := recover(); r != nil { // the text may be anything
			list, err = nil, fmt.Errorf("no YAML: %v", r)
		}
	}()
	depth := 0
	for _, t := range lexer.Tokenize(string(text)) {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
		if depth > 50 { // the parser takes the square of it in time
			return nil, fmt.Errorf("line %d: brackets within brackets within brackets", t.Position.Line)
		}
		// a few lines of these stand for gigabytes
		if t.Type == token.AnchorType || t.Type == token.AliasType {
			return nil, fmt.Errorf("line %d: a recipe has no anchors and no aliases", t.Position.Line)
		}
	}
	var root any
	if err := yaml.UnmarshalWithOptions(text, &root, yaml.UseOrderedMap()); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("%s", first)
	}
	if _, ok := root.(yaml.MapSlice); !ok {
		return nil, fmt.Errorf("no keys and values")
	}
	flatten("", root, &list)
	return list, nil
}

func flatten(path string, v any, list *[]Setting) {
	m, ok := v.(yaml.MapSlice)
	if !ok || len(m) == 0 {
		*list = append(*list, Setting{path, flow(v)})
		return
	}
	for _, item := range m {
		key := fmt.Sprint(item.Key)
		if path != "" {
			key = path + "." + key
		}
		flatten(key, item.Value, list)
	}
}

// flow returns a value on one line, as YAML has it.
func flow(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []any:
		words := make([]string, len(v))
		for i, x := range v {
			words[i] = flow(x)
		}
		return "[" + strings.Join(words, ", ") + "]"
	case yaml.MapSlice:
		words := make([]string, len(v))
		for i, x := range v {
			words[i] = fmt.Sprintf("%v: %s", x.Key, flow(x.Value))
		}
		return "{" + strings.Join(words, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// Difference is a path under which runs differ, with the value of each, "" where it has none.
type Difference struct {
	Path   string
	Values []string
}

// Differences returns the paths under which the lists are not all equal, in the order of their
// first appearance.
func Differences(lists ...[]Setting) []Difference {
	at := map[string]int{}
	var all []Difference
	for i, list := range lists {
		for _, s := range list {
			j, ok := at[s.Path]
			if !ok {
				j = len(all)
				at[s.Path] = j
				all = append(all, Difference{s.Path, make([]string, len(lists))})
			}
			all[j].Values[i] = s.Value
		}
	}
	return slices.DeleteFunc(all, func(d Difference) bool {
		return !slices.ContainsFunc(d.Values, func(v string) bool { return v != d.Values[0] })
	})
}
