package recipe

import (
	"fmt"
	"reflect"

	"mattis/data"
)

// Data is the data set and its split; the fields are those of data.Options, and data.Sources says which of them a set takes.
type Data struct {
	Name          string   `yaml:"name"`
	Size          *int     `yaml:"size,omitempty"`
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

// DataOf returns the data section of a recipe that reads what the options, of a source of that name, say.
func DataOf(name string, o data.Options) Data {
	d := Data{Name: name}
	d.take(o, o.Given()...)
	return d
}

func ruleOf(c *Choice) data.Binarize {
	return data.Binarize{Stochastic: c.Name == "stochastic", Threshold: c.Value}
}

func choiceOfRule(b data.Binarize) Choice {
	if b.Stochastic {
		return Choice{Name: "stochastic"}
	}
	return Choice{"threshold", b.Threshold}
}
