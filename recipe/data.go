package recipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mattis/data"
)

// Data is the data set and its split; the fields are those of data.Options, and data.Sources says
// which of them a set takes.
type Data struct {
	Name          string   `yaml:"name"`
	Size          *int     `yaml:"size,omitempty"`
	Count         *int     `yaml:"count,omitempty"`
	Dir           *string  `yaml:"dir,omitempty"`
	Path          *string  `yaml:"path,omitempty"`
	TestPath      *string  `yaml:"test_path,omitempty"`
	Array         *string  `yaml:"array,omitempty"`
	Labels        *string  `yaml:"labels,omitempty"`
	TestLabels    *string  `yaml:"test_labels,omitempty"`
	LabelsVisible *bool    `yaml:"labels_visible,omitempty"`
	Height        *int     `yaml:"height,omitempty"`
	Width         *int     `yaml:"width,omitempty"`
	Header        *bool    `yaml:"header,omitempty"`
	Delimiter     *string  `yaml:"delimiter,omitempty"`
	White         *float64 `yaml:"white,omitempty"`
	Binarize      *Choice  `yaml:"binarize,omitempty"`
	Split         *string  `yaml:"split,omitempty"`
	Closed        *bool    `yaml:"closed,omitempty"`
	Test          *float64 `yaml:"test,omitempty"`
	Validation    *int     `yaml:"validation,omitempty"`
	Limit         *int     `yaml:"limit,omitempty"`
}

// fields calls f with each field of d that may be left out.
func (d *Data) fields(f func(name string, field reflect.Value)) {
	v := reflect.ValueOf(d).Elem()
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.Pointer {
			f(yamlName(v.Type().Field(i)), field)
		}
	}
}

// lay sets the options that the fields of d give, as they are written.
func (d *Data) lay(o *data.Options) {
	d.fields(func(name string, field reflect.Value) {
		option, ok := o.Field(name)
		switch {
		case field.IsNil():
		case !ok:
			panic(fmt.Sprintf("recipe: data.%s is no field of data.Options", name))
		default:
			if rule, is := field.Interface().(*Choice); is {
				field = reflect.ValueOf(new(ruleOf(rule)))
			}
			option.Set(field.Elem())
		}
	})
}

// take sets the named fields of d to the values that the options have.
func (d *Data) take(o data.Options, names ...string) {
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	d.fields(func(name string, field reflect.Value) {
		if !wanted[name] {
			return
		}
		value, _ := o.Field(name)
		if rule, is := value.Interface().(data.Binarize); is {
			value = reflect.ValueOf(choiceOfRule(rule))
		}
		field.Set(reflect.New(value.Type()))
		field.Elem().Set(value)
	})
}

// DataOf returns the data section of a recipe that reads what the options, of a source of that
// name, say.
func DataOf(name string, o data.Options) Data {
	d := Data{Name: name}
	d.take(o, o.Given()...)
	return d
}

// anew is the word of the stochastic rule that draws for each epoch.
const anew = "epoch"

func ruleOf(c *Choice) data.Binarize {
	return data.Binarize{Stochastic: c.Name == "stochastic", Anew: c.Word == anew, Threshold: c.Value}
}

func choiceOfRule(b data.Binarize) Choice {
	if b.Stochastic {
		c := Choice{Name: "stochastic"}
		if b.Anew {
			c.Word = anew
		}
		return c
	}
	return Choice{Name: "threshold", Value: b.Threshold}
}

// DataField is a field of a data section that is given, and its value as YAML has it in one line.
type DataField struct{ Name, Text string }

// DataFields are the fields of a data section in their order.
type DataFields []DataField

// Fields returns the fields that are given, the name first.
func (d *Data) Fields() DataFields {
	list := DataFields{{"name", d.Name}}
	d.fields(func(name string, field reflect.Value) {
		if field.IsNil() {
			return
		}
		text := fmt.Sprint(field.Elem().Interface())
		switch v := field.Interface().(type) {
		case *string:
			text = quoted(*v)
		case *Choice:
			text = v.String()
		}
		list = append(list, DataField{name, text})
	})
	return list
}

// quoted returns a text as YAML has it within a line: as it is where nothing in it has a meaning of
// its own.
func quoted(text string) string {
	plain := text != "" && text[0] != '-' && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == ""
	if plain {
		if file, err := parser.ParseBytes([]byte(text), 0); err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
			plain = false
		} else if _, is := file.Docs[0].Body.(*ast.StringNode); !is { // a number, true, null
			plain = false
		}
	}
	if plain {
		return text
	}
	b, err := json.Marshal(text) // the quoted texts of JSON are some of YAML's
	if err != nil {
		panic("recipe: " + err.Error()) // strings are always encoded
	}
	return string(b)
}

// MarshalJSON returns the fields as an object, which is YAML too.
func (f DataFields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, field := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		var value any = field.Text
		if err := yaml.Unmarshal([]byte(field.Text), &value); err != nil {
			return nil, err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", field.Name, text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Look is what a file holds, and a recipe of which the data say something.
type Look struct {
	*data.Look
	recipe *Recipe
}

// LookAt looks at the file at path, or the folder of images, as settings of a recipe's data section
// read it.
func LookAt(path string, settings []string) (*Look, error) {
	r, err := dataBy(path, settings)
	if err != nil {
		return nil, err
	}
	if *r.Data.Path != path {
		return nil, fmt.Errorf("--set data.path: has no meaning beside the file, %s: leave it out", path)
	}
	look, err := data.LookAt(r.Data.Name, path, r.dataOptions())
	return &Look{look, r}, r.ofData(err)
}

// Load reads the file; missing entries are spins 0 if they are taken, and an error if they are not.
func (l *Look) Load(missing bool) (*data.Split, error) {
	o := l.Options
	o.Missing = missing
	return l.recipe.load(o)
}

// Data returns the section of a recipe that reads the file.
func (l *Look) Data() Data { return DataOf(l.Kind, l.Options) }
