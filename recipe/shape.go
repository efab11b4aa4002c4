package recipe

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// misfit is a part of a YAML text that does not fit the field it is given for.
type misfit struct {
	node    ast.Node
	path    string // of the field
	message string
}

func (m *misfit) Error() string {
	if m.path == "" {
		return m.message
	}
	return m.path + ": " + m.message
}

// fit returns a *misfit unless the node can be decoded into the type without loss: every key is a
// field, given once, and every value of its field's kind. path is that of the type in the recipe.
func fit(n ast.Node, t reflect.Type, path string) error {
	bad := func(n ast.Node, format string, args ...any) error {
		return &misfit{n, path, fmt.Sprintf(format, args...)}
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return bad(n, "anchors, aliases and tags have no place in a recipe")
	}
	pointed := t.Kind() == reflect.Pointer
	if pointed {
		t = t.Elem()
	}
	text := excerpt(n)
	switch {
	case t == reflect.TypeFor[Choice]():
		if _, wrong := choiceOf(n, path); wrong != nil {
			return wrong
		}
		return nil
	case t == reflect.TypeFor[Sizes]():
		if _, wrong := sizesOf(n, path); wrong != nil {
			return wrong
		}
		return nil
	case t == reflect.TypeFor[Gains]():
		if _, wrong := gainsOf(n, path); wrong != nil {
			return wrong
		}
		return nil
	case t.Kind() == reflect.Struct:
		if _, null := n.(*ast.NullNode); null && pointed {
			return bad(n, "has no value, want fields in {}, or leave it out")
		}
		return fitFields(n, t, path, bad)
	case t.Kind() == reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			return bad(n, "%s is no list, want one such as [a, b], or [] for none", text)
		}
		for i, v := range list.Values {
			if err := fit(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	if _, ok := n.(ast.ScalarNode); !ok {
		return bad(n, "%s is no single value", text)
	}
	if _, null := n.(*ast.NullNode); null {
		return bad(n, "has no value, want %s", scalarForms[t.Kind()])
	}
	switch t.Kind() {
	case reflect.String:
		if plain := n.GetToken().Value; !isText(n, plain) {
			return bad(n, "%s is no text; in quotes it is: '%s'", text, plain)
		}
	case reflect.Bool:
		if _, ok := n.(*ast.BoolNode); !ok {
			return bad(n, "%s is neither true nor false", text)
		}
	case reflect.Int, reflect.Uint64:
		whole, ok := n.(*ast.IntegerNode)
		if !ok {
			return bad(n, "%s", noWhole(n))
		}
		switch v := whole.Value.(type) {
		case int64:
			if v < 0 && t.Kind() == reflect.Uint64 {
				return bad(n, "%s is out of range, want a whole number of 0 or more", text)
			}
		case uint64:
			if t.Kind() == reflect.Int && v > 1<<63-1 {
				return bad(n, "%s is too large", text)
			}
		default:
			return bad(n, "%s is too large", text)
		}
	case reflect.Float64:
		if _, ok := numberOf(n); !ok {
			return bad(n, "%s is no number", text)
		}
	}
	return nil
}

// noWhole says that a node is no whole number, and which one it would be: 1e3, 2.0.
func noWhole(n ast.Node) string {
	text := excerpt(n) + " is no whole number"
	if x, number := numberOf(n); number && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		text += fmt.Sprintf(" as YAML writes them: want %.0f", x)
	}
	return text
}

// scalarForms say what a single value looks like.
var scalarForms = map[reflect.Kind]string{
	reflect.Bool: "true or false", reflect.Int: "a whole number", reflect.Uint64: "a whole number of 0 or more",
	reflect.Float64: "a number", reflect.String: "a text",
}

// isText reports whether the decoder keeps the text of a node as it is written: .nan becomes NaN,
// and 007 becomes 7.
func isText(n ast.Node, written string) bool {
	switch n := n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return true
	case *ast.IntegerNode:
		return fmt.Sprint(n.Value) == written
	case *ast.FloatNode:
		return fmt.Sprint(n.Value) == written
	}
	return false
}

// excerpt returns the text of a node in one short line.
func excerpt(n ast.Node) string {
	const most = 40
	text := []rune(oneLine(n.String()))
	if len(text) > most {
		text = append(text[:most], []rune("...")...)
	}
	if slices.ContainsFunc(text, unicode.IsControl) {
		return strconv.Quote(string(text))
	}
	return string(text)
}

// numberOf returns the number that a node is. The parser takes 1e-5, which has no
// point, for a word; YAML 1.2 has it as a number.
func numberOf(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		switch v := n.Value.(type) {
		case int64:
			return float64(v), true
		case uint64:
			return float64(v), true
		}
	case *ast.FloatNode:
		return n.Value, true
	case *ast.InfinityNode:
		return n.Value, true
	case *ast.NanNode:
		return math.NaN(), true
	case *ast.StringNode:
		if n.GetToken().Type == token.StringType { // not in quotes
			v, err := strconv.ParseFloat(n.Value, 64)
			return v, err == nil
		}
	}
	return 0, false
}

// fitFields is fit for the fields of a struct.
func fitFields(n ast.Node, t reflect.Type, path string, bad func(ast.Node, string, ...any) error) error {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.NullNode:
		return nil // all defaults
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return bad(n, "%s is no mapping, want some of the fields %s", excerpt(n), strings.Join(fieldNames(t), ", "))
	}
	seen := map[string]bool{}
	for _, v := range values {
		switch v.Key.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
			return bad(v.Key, "anchors, aliases and tags have no place in a recipe")
		}
		name := v.Key.GetToken().Value
		f, ok := fieldNamed(t, name)
		if !ok {
			return bad(v.Key, "unknown field %q, only %s", name, strings.Join(fieldNames(t), ", "))
		}
		if seen[name] {
			return bad(v.Key, "the field %q is given twice", name)
		}
		seen[name] = true
		if err := fit(v.Value, f.Type, strings.TrimPrefix(path+"."+name, ".")); err != nil {
			return err
		}
	}
	return nil
}

// fieldNamed returns the field that YAML calls by the name.
func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); name != "" && yamlName(f) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// fieldNames returns the fields that YAML can give.
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if tag := yamlName(t.Field(i)); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		return ""
	}
	return name
}
