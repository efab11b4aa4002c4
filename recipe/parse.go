package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mattis/run"
)

// FieldError says what is wrong with a field of a recipe. Parse and Build
// return it with the place of the field in front.
type FieldError struct {
	Path    string // train.batch
	Message string
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Message }

func wrong(path, format string, args ...any) error {
	return &FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// origin is where a recipe came from, to say where its errors are.
type origin struct {
	source string // file name
	file   *ast.File
	sets   []setting
	found  map[string]string // where a run last found the places of its data, by their fields
}

type setting struct{ path, text string }

// gives reports whether the setting gave the field its value, as a whole, as a part of what it set
// or by a name within a choice.
func (s setting) gives(field string) bool {
	rest, further := strings.CutPrefix(s.path, field+".")
	if further && !strings.Contains(rest, ".") {
		t := reflect.TypeFor[Recipe]()
		for part := range strings.SplitSeq(field, ".") {
			f, ok := fieldNamed(t, part)
			if !ok {
				return false
			}
			t = f.Type
		}
		return isChoice(t)
	}
	return field == s.path || strings.HasPrefix(field, s.path+".") || strings.HasPrefix(field, s.path+"[")
}

// Load returns the recipe of a file or, where the name is a built-in recipe's, that one. Settings
// are path=value, with a value in YAML.
func Load(name string, settings ...string) (*Recipe, error) {
	if text, ok := Builtin(name); ok {
		return ParseNew(name, text, settings...)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(name, "recipe.yaml")); err == nil {
			return nil, fmt.Errorf("%s is a run directory: mattis resume goes on with it, and %s is its recipe", name, filepath.Join(name, "recipe.yaml"))
		}
		return nil, fmt.Errorf("%s is a folder, want a recipe: a YAML file or one of the built-in ones (%s)", name, strings.Join(Builtins(), ", "))
	}
	text, err := readText(name)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(name, "./\\") {
			return nil, fmt.Errorf("recipe %q is neither a file nor built in (%s)", name, strings.Join(Builtins(), ", "))
		}
		return nil, fmt.Errorf("read recipe: %w", err)
	}
	return ParseNew(name, text, settings...)
}

// ParseNew is Parse of a recipe that a new training is to have: what it leaves out of the fields that came
// later than the first run directories is as is best now, where Parse leaves what those were trained with.
func ParseNew(source string, text []byte, settings ...string) (*Recipe, error) {
	r, err := Parse(source, text, settings...)
	if err != nil {
		return nil, err
	}
	if c := &r.Couplings; c.LearnGain != nil && *c.LearnGain && c.GainRate == nil {
		c.GainRate = ptr(0.003)
	}
	return r, nil
}

// mostText and mostNested bound a recipe, in bytes and in mappings within mappings: the time and
// memory that reading YAML takes grow with their squares, and no recipe comes near.
const mostText, mostNested = 1 << 18, 64

// readText returns the content of a file, and no more than one byte beyond the bound.
func readText(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, mostText+1))
}

// Decode reads a file of strict YAML that is no recipe but is read like one: no larger, no deeper, and
// with errors that have line and column.
func Decode(path string, x any) error {
	text, err := readText(path)
	if err != nil {
		return err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := bounded(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := yaml.UnmarshalWithOptions(text, x, yaml.Strict()); err != nil {
		return located(path, err)
	}
	return nil
}

// Same reports whether the run in the directory has this recipe. Defaults that came since it began
// are no difference, but for those of ParseNew.
func (r *Recipe) Same(d *run.Directory) (bool, error) {
	text, err := d.Recipe()
	if err != nil {
		return false, err
	}
	same, err := r.SameAs(filepath.Join(d.Path(), run.RecipeFile), text)
	if err != nil {
		return false, fmt.Errorf("%w; remove %s or choose another --out", err, d.Path())
	}
	return same, nil
}

// SameAs is Same of a recipe as a text, whose name in errors is source.
func (r *Recipe) SameAs(source string, text []byte) (bool, error) {
	was, err := Parse(source, text)
	if err != nil {
		return false, err
	}
	return string(was.YAML()) == string(r.YAML()), nil
}

// bounded returns an error where a text is no recipe by its size alone.
func bounded(text []byte) error {
	if len(text) > mostText {
		return fmt.Errorf("more than %d KiB: no recipe is as long", mostText>>10)
	}
	if !utf8.Valid(text) {
		return errors.New("the text is not in UTF-8")
	}
	number, brackets := 0, 0
	for line := range bytes.Lines(text) {
		number++
		marks, begins := 0, true // - and ? at the beginning of a line
		for i, c := range line {
			switch {
			case c == '[' || c == '{':
				brackets++
			case c == ']' || c == '}':
				brackets = max(0, brackets-1)
			case begins && (c == '-' || c == '?') && i+1 < len(line) && line[i+1] == ' ':
				marks++
			}
			begins = begins && (c == ' ' || c == '-' || c == '?')
			if brackets+marks > mostNested {
				return fmt.Errorf("line %d: more than %d levels within each other: no recipe is as deep", number, mostNested)
			}
		}
	}
	return nil
}

// Parse returns the recipe that text holds, complete with every default and
// checked. source is its name in errors.
func Parse(source string, text []byte, settings ...string) (*Recipe, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as some editors begin a file
	if err := bounded(text); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, located(source, err)
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("%s: %d YAML documents, want one recipe", source, len(file.Docs))
	}
	o := origin{source: source, file: file}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if err := fit(d.Body, reflect.TypeFor[Recipe](), ""); err != nil {
			return nil, located(source, err)
		}
	}
	for _, s := range settings {
		path, _, ok := strings.Cut(s, "=")
		if !ok || path == "" {
			return nil, fmt.Errorf("--set %s: want path=value, such as train.epochs=100", s)
		}
		o.sets = append(o.sets, setting{path, s})
	}
	// The kinds first, for each has defaults of its own.
	var kinds Recipe
	if err := o.decode(&kinds, &Recipe{}, text); err != nil {
		return nil, err
	}
	r := defaults(&kinds)
	if err := o.decode(r, defaults(&kinds), text); err != nil {
		return nil, err
	}
	r.origin = o
	r.Name = filepath.Base(source)
	if ext := strings.ToLower(filepath.Ext(r.Name)); ext == ".yaml" || ext == ".yml" { // another dot is part of the name
		r.Name = r.Name[:len(r.Name)-len(ext)]
	}
	if err := r.check(); err != nil {
		return nil, o.place(err)
	}
	return r, nil
}

// decode lays the text and then the settings over r, whose defaults are given.
func (o origin) decode(r, defaults *Recipe, text []byte) error {
	if len(bytes.TrimSpace(text)) > 0 {
		if err := yaml.UnmarshalWithOptions(text, r, yaml.Strict()); err != nil {
			return located(o.source, err)
		}
	}
	for _, s := range o.sets {
		if err := r.set(s, defaults); err != nil {
			return err
		}
	}
	return nil
}

// set gives one field the value of a setting. A mapping replaces what the field held: what it
// leaves out has its default, as if it had never been given, and null takes the field itself out. A path may go on into a choice by the
// name of one: data.binarize.threshold=0.5 is data.binarize={threshold: 0.5}.
func (r *Recipe) set(s setting, defaults *Recipe) error {
	v, d := reflect.ValueOf(r).Elem(), reflect.ValueOf(defaults).Elem()
	parts := strings.Split(s.path, ".")
	path, value := s.path, s.text[len(s.path)+1:]
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("--set %s: no value after the =", s.text)
	}
	for i, part := range parts {
		if isChoice(v.Type()) && i == len(parts)-1 && part != "" {
			path = strings.Join(parts[:i], ".")
			value = fmt.Sprintf("{%s: %s}", part, value)
			break
		}
		f, ok := fieldOf(v, part)
		if !ok {
			at := strings.Join(parts[:i], ".")
			if at == "" {
				at = "a recipe"
			}
			if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[Choice]() {
				return fmt.Errorf("--set %s: %s has no fields", s.text, at)
			}
			return fmt.Errorf("--set %s: %s has no field %q, only %s", s.text, at, part, strings.Join(fieldNames(v.Type()), ", "))
		}
		v = f
		if d, _ = fieldOf(d, part); i < len(parts)-1 && isSection(v.Type()) {
			v, d = section(v), section(d)
		}
	}
	if strings.TrimSpace(value) == "null" {
		v.Set(d)
		return nil
	}
	target := v.Type()
	if v.Kind() == reflect.Pointer { // the decoder leaves a pointer to a pointer alone
		target = target.Elem()
	}
	if err := bounded([]byte(value)); err != nil {
		return fmt.Errorf("--set %.40s...: %w", s.text, err)
	}
	file, err := parser.ParseBytes([]byte(value), 0)
	if err != nil {
		return fmt.Errorf("--set %s: %s", s.text, message(err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return fmt.Errorf("--set %s: want one YAML value after the =", s.text)
	}
	if err := fit(file.Docs[0].Body, v.Type(), path); err != nil {
		return fmt.Errorf("--set %s: %s", s.text, message(err))
	}
	fresh := reflect.New(target)
	if v.Kind() == reflect.Struct {
		fresh.Elem().Set(d)
	}
	if err := yaml.UnmarshalWithOptions([]byte(value), fresh.Interface(), yaml.Strict()); err != nil {
		return fmt.Errorf("--set %s: %s", s.text, message(err))
	}
	if v.Kind() != reflect.Pointer {
		fresh = fresh.Elem()
	}
	v.Set(fresh)
	return nil
}

func isChoice(t reflect.Type) bool {
	return t == reflect.TypeFor[Choice]() || t == reflect.TypeFor[*Choice]()
}

// isSection reports whether a field is a mapping of fields that may be left out as a whole.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && !isChoice(t)
}

// section returns the fields of a section, made where it was left out.
func section(v reflect.Value) reflect.Value {
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return v.Elem()
}

func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}, false
	}
	f, ok := fieldNamed(v.Type(), name)
	if !ok {
		return reflect.Value{}, false
	}
	return v.FieldByIndex(f.Index), true
}

// place puts the place of the field in front of a FieldError: the setting that gave it its value,
// or the file's line and column of the field or of what it is missing from.
func (o origin) place(err error) error {
	var f *FieldError
	if !errors.As(err, &f) {
		return err
	}
	for i := len(o.sets) - 1; i >= 0; i-- {
		if s := o.sets[i]; s.gives(f.Path) {
			return fmt.Errorf("--set %s: %w", s.text, err)
		}
	}
	if o.file == nil {
		return err
	}
	for path := f.Path; path != ""; {
		if p, perr := yaml.PathString("$." + path); perr == nil {
			if n, nerr := p.FilterFile(o.file); nerr == nil && n != nil && n.GetToken() != nil {
				at := n.GetToken().Position
				return fmt.Errorf("%s:%d:%d: %w", o.source, at.Line, at.Column, err)
			}
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return fmt.Errorf("%s: %w", o.source, err)
}

// located puts source, line and column before the message of a parser or of fit.
func located(source string, err error) error {
	var m *misfit
	if errors.As(err, &m) {
		p := m.node.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", source, p.Line, p.Column, m)
	}
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		p := y.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", source, p.Line, p.Column, oneLine(y.GetMessage()))
	}
	return fmt.Errorf("%s: %s", source, oneLine(err.Error()))
}

func message(err error) string {
	var y yaml.Error
	if errors.As(err, &y) {
		return oneLine(y.GetMessage())
	}
	return oneLine(err.Error())
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
