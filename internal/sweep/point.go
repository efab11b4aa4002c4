package sweep

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mattis/eval"
)

// Sweep is a file and its points.
type Sweep struct {
	File
	Paths  []string // that are set, by name
	Points []Point  // by values, then by seed: whatever the order in the file
	goal   eval.Goal
}

// Point is one training.
type Point struct {
	Key    string   // name of the run directory: what is set, and the seed
	Values []string // of the sweep's paths, as YAML
	Seed   uint64

	settings []string
	fault    string // why it is no recipe
}

// value is a value of a path in the one way in which it is written: what is equal has equal text.
type value string

// plainText is text that YAML reads as it stands.
var plainText = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// exponent is a number that the reader of YAML takes for a text where it does not know what is wanted.
var exponent = regexp.MustCompile(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$`)

// read returns a YAML value with such texts as numbers.
func read(x any) any {
	if s, ok := x.(string); ok && exponent.MatchString(s) {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v
		}
	}
	return x
}

// otherThanText is what looks like text and is read as something else.
var otherThanText = []string{"true", "false", "null", "yes", "no", "on", "off"}

// valueOf returns what a YAML value is written as.
func valueOf(x any) (value, error) {
	switch x := read(x).(type) {
	case nil:
		return "", fmt.Errorf("a value is missing")
	case uint64, int64, int, bool:
		return value(fmt.Sprint(x)), nil
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return "", fmt.Errorf("%v is no value of a recipe", x)
		}
		return value(strconv.FormatFloat(x, 'g', -1, 64)), nil
	case string:
		if plainText.MatchString(x) && !slices.Contains(otherThanText, strings.ToLower(x)) {
			return value(x), nil
		}
	}
	b, err := json.Marshal(x) // YAML reads JSON; keys are sorted
	if err != nil {
		return "", fmt.Errorf("%v: want a number, a text, a list or a mapping", x)
	}
	return value(b), nil
}

// valuesOf returns the values of a list, which are all different.
func valuesOf(list []any) ([]value, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("no values")
	}
	var values []value
	for _, x := range list {
		v, err := valueOf(x)
		if err != nil {
			return nil, err
		}
		if slices.Contains(values, v) {
			return nil, fmt.Errorf("%s is there twice", v)
		}
		values = append(values, v)
	}
	return values, nil
}

// number returns a YAML number, and whether it is written as a whole one.
func number(x any) (v float64, whole, ok bool) {
	switch x := read(x).(type) {
	case uint64:
		return float64(x), true, true
	case int64:
		return float64(x), true, true
	case int:
		return float64(x), true, true
	case float64:
		return x, false, !math.IsNaN(x) && !math.IsInf(x, 0)
	}
	return 0, false, false
}

// rounded writes a drawn number: a whole one, or four digits, so that processors that differ in the
// last digit of a logarithm draw the same.
func rounded(x float64, whole bool) value {
	if whole {
		return value(strconv.FormatFloat(math.Round(x), 'f', 0, 64))
	}
	return value(strconv.FormatFloat(x, 'g', 4, 64))
}

// nameKey folds a name into a number.
func nameKey(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// points returns the points of the combinations in their order, each once.
func points(paths []string, combinations [][]value, seeds int, first uint64) []Point {
	slices.SortFunc(combinations, func(a, b []value) int { return slices.CompareFunc(a, b, compare) })
	combinations = slices.CompactFunc(combinations, slices.Equal)
	var list []Point
	for _, c := range combinations {
		for k := range uint64(seeds) {
			p := Point{Seed: first + k}
			for i, v := range c {
				p.Values = append(p.Values, string(v))
				p.settings = append(p.settings, paths[i]+"="+string(v))
			}
			p.settings = append(p.settings, fmt.Sprintf("seed=%d", p.Seed))
			p.Key = key(strings.Join(p.settings, ","))
			list = append(list, p)
		}
	}
	return list
}

// compare orders numbers by size and all else by its text.
func compare(a, b value) int {
	x, errX := strconv.ParseFloat(string(a), 64)
	y, errY := strconv.ParseFloat(string(b), 64)
	if errX == nil && errY == nil && x != y {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

var noName = regexp.MustCompile(`[^A-Za-z0-9._=,+-]+`)

const longestKey = 100

// key returns the settings as the name of a directory; where they are too long for one, or hold
// signs that no name has, a part of their SHA-256 keeps names apart.
func key(settings string) string {
	name := noName.ReplaceAllString(settings, "_")
	if name == settings && len(name) <= longestKey {
		return name
	}
	sum := sha256.Sum256([]byte(settings))
	return fmt.Sprintf("%s-%x", name[:min(len(name), longestKey-13)], sum[:6])
}
