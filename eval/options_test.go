package eval_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mattis/eval"
)

// options returns the defaults with a change.
func options(change func(o *eval.Options)) eval.Options {
	o := eval.Defaults()
	change(&o)
	return o
}

// zeros are the options whose 0 says something, and is no default in disguise.
var zeros = []string{"pseudo_likelihood.spins", "probe.penalty", "probe.held_out", "ais.error", "ais.seconds", "ais.start_sweeps", "phases.sweeps", "mean_field.tolerance", "recall.flips"}

// Every option with absurd values: it is refused under its path, or 0 is one of its values. An
// option without a range, one that takes 0 for its default, and an error that names another option
// fail.
func TestAbsurdOptions(t *testing.T) {
	if err := eval.Defaults().Check(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	var left []string
	groups := reflect.TypeFor[eval.Options]()
	for i := range groups.NumField() {
		group := groups.Field(i)
		for j := range group.Type.NumField() {
			f := group.Type.Field(j)
			path := group.Tag.Get("yaml") + "." + f.Tag.Get("yaml")
			var absurd []any
			switch f.Type.Kind() {
			case reflect.Int:
				absurd = []any{0, -1, math.MinInt, 1_000_001, math.MaxInt}
			case reflect.Float64:
				absurd = []any{0.0, -1.0, -1e-300, 1e300, math.Inf(1), math.NaN()}
			case reflect.String:
				absurd = []any{"", "nothing", "AUTO"}
				if path == "probe.layer" { // any name may be that of a layer
					absurd = []any{"", "a layer", "AUTO"}
				}
			default:
				t.Fatalf("%s is a %v: give it absurd values here", path, f.Type)
			}
			for _, x := range absurd {
				o := eval.Defaults()
				reflect.ValueOf(&o).Elem().Field(i).Field(j).Set(reflect.ValueOf(x))
				err := o.Check()
				switch {
				case err == nil && reflect.ValueOf(x).IsZero():
					left = append(left, path)
				case err == nil:
					t.Errorf("%s: %v is taken", path, x)
				case !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), fmt.Sprint(x)):
					t.Errorf("%s: %v: the error is %v", path, x, err)
				}
			}
		}
	}
	if !slices.Equal(left, zeros) {
		t.Errorf("0 is taken by %v, want %v", left, zeros)
	}
}
