package recipe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mattis/train"
)

// absurd are values that hardly anybody means.
var absurd = []string{"0", `""`, "[]", "{}", "-1", "9223372036854775807", "18446744073709551615", "1e300", "1e-320", ".nan", "-.inf", "~", "[~]", "[nothing]", "{nothing: 1}", "nothing"}

// meant are those of the absurd values that settings take, for they say something. All others are refused.
var meant = []string{
	"seed=0", "seed=9223372036854775807", "seed=18446744073709551615",
	"data.delimiter=0", "data.test=0", "data.test=1e-320", // a split without test rows is refused when there are rows
	"data.validation=0", "data.limit=0", // none are taken, and all are kept
	"data.height=9223372036854775807", "data.width=9223372036854775807", // of rows that are as long, if there are
	"data.validation=9223372036854775807", "data.limit=9223372036854775807",
	"data.white=9223372036854775807", "data.white=18446744073709551615",
	"couplings.gain=9223372036854775807", "couplings.gain=18446744073709551615",
	"optimizer.rate=0", "optimizer.warm_up=0", "optimizer.momentum=0", "optimizer.beta1=0", "optimizer.beta2=0", "optimizer.eps=0", "optimizer.weight_decay=0", "optimizer.l1=0",
	"optimizer.rate=9223372036854775807", "optimizer.rate=18446744073709551615",
	"optimizer.l1=9223372036854775807", "optimizer.l1=18446744073709551615",
	"optimizer.weight_decay=9223372036854775807", "optimizer.weight_decay=18446744073709551615",
	"optimizer.decay.after=0", "optimizer.decay.after=9223372036854775807", "optimizer.decay.floor=0",
	"optimizer.decay.floor=9223372036854775807", "optimizer.decay.floor=18446744073709551615",
	"project.update=[]", "project.epoch=[]",
	"train.epochs=0", "train.epochs=9223372036854775807", "train.batch=9223372036854775807",
	"train.checkpoint.epochs=0", "train.checkpoint.minutes=0", "train.checkpoint.keep=0", // never, never, and all
	"train.checkpoint.epochs=9223372036854775807", "train.checkpoint.keep=9223372036854775807",
	"train.checkpoint.minutes=1e-320", "train.checkpoint.minutes=9223372036854775807", "train.checkpoint.minutes=18446744073709551615",
	"negative.acceptance=0",                                                                           // no state is frozen
	"train.stop.patience=0", "measure.pictures.every=0", "measure.pictures.every=9223372036854775807", // never, never, and at the start and end
	"measure.every=0", "measure.every=9223372036854775807", "measure.test=[]", "measure.train=[]", "measure.last=[]",
	"measure.options.pseudo_likelihood.spins=0", "measure.options.probe.penalty=0", "measure.options.probe.penalty=1e-320", "measure.options.probe.held_out=0",
	"measure.options.recall.flips=0", "measure.options.recall.flips=1e-320",
	"measure.options.ais.start_sweeps=0", "measure.options.mean_field.tolerance=0", "measure.options.mean_field.tolerance=1e-320", "measure.options.phases.sweeps=0",
	"measure.options.ais.seconds=0", "measure.options.ais.error=0", "measure.options.ais.seconds=1e-320", "measure.options.ais.error=1e-320",
}

// words are the settings that take any word: whether there is such a file is seen when it is read.
var words = []string{"data.dir", "data.path", "data.array", "data.test_path", "data.labels", "data.test_labels", "measure.options.probe.layer"}

// where gives each field that not every kind has a recipe that has it.
var where = map[string]string{
	"data.size": "data: {name: bas}\n", "data.split": "data: {name: bas}\n", "data.count": "data: {name: memories}\n", "couplings.rule": "couplings: {init: data}\n", "data.closed": "data: {name: bas, split: random}\n", "data.test": "data: {name: bas, split: random}\n",
	"data.dir": "data: {name: mnist}\n", "data.header": "data: {name: csv, path: x}\n", "data.delimiter": "data: {name: csv, path: x}\n",
	"data.":      "data: {name: npy, path: x, split: all}\n",
	"couplings.": "couplings: {}\n", "negative.steps": "negative: {kind: pcd}\n", "negative.start": "negative: {kind: pcd}\n", "negative.chains": "negative: {kind: pcd}\n",
	"negative.rungs": "negative: {kind: trajectory}\n", "negative.acceptance": "negative: {kind: trajectory}\n", "negative.every": "negative: {kind: trajectory}\n",
	"negative.temperatures": "negative: {kind: tempering}\n", "negative.seeds": "negative: {kind: pid-gibbs}\n",
	"optimizer.beta": "optimizer: {kind: adam}\n", "optimizer.eps": "optimizer: {kind: adam}\n",
}

// paths returns the paths of all fields of a recipe that hold no fields.
func paths(t reflect.Type, at string) (list []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := yamlName(f)
		if name == "" {
			continue
		}
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Choice]() {
			list = append(list, paths(f.Type, at+name+".")...)
			continue
		}
		list = append(list, at+name)
	}
	return list
}

// Every setting with every absurd value: it is refused under its path in one line, or it is one of
// those that say something, and then the recipe holds it and writes it out. A field without a
// check, a value that stands for a default, and an error that names another field fail.
func TestEverySettingWithAbsurdValues(t *testing.T) {
	var taken []string
	for _, path := range paths(reflect.TypeFor[Recipe](), "") {
		text := least
		for _, prefix := range []string{path, path[:len(path)-1], path[:strings.Index(path+".", ".")] + "."} { // beta1 and beta2 are beta
			if part, ok := where[prefix]; ok {
				text += part
				break
			}
		}
		for _, value := range absurd {
			setting := path + "=" + value
			r, err := Parse("r.yaml", []byte(withData(text)), setting)
			if err != nil {
				if !strings.HasPrefix(err.Error(), "--set "+setting+": "+path) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: the error is %q", setting, err)
				}
				continue
			}
			taken = append(taken, setting)
			again, err := Parse("r.yaml", r.YAML())
			if err != nil {
				t.Errorf("%s: written out: %v", setting, err)
				continue
			}
			v, w := reflect.ValueOf(r).Elem(), reflect.ValueOf(again).Elem()
			for part := range strings.SplitSeq(path, ".") {
				v, _ = fieldOf(v, part)
				w, _ = fieldOf(w, part)
			}
			got, back := reflect.Indirect(v), reflect.Indirect(w)
			if c, ok := got.Interface().(Choice); ok {
				got, back = reflect.ValueOf(c.String()), reflect.ValueOf(back.Interface().(Choice).String())
			}
			if g, ok := got.Interface().(Gains); ok {
				got, back = reflect.ValueOf(g.All), reflect.ValueOf(back.Interface().(Gains).All)
			}
			want := value
			if x, err := strconv.ParseFloat(value, 64); err == nil && got.Kind() == reflect.Float64 {
				want = fmt.Sprint(x)
			}
			if text := fmt.Sprint(got); text != want || text != fmt.Sprint(back) {
				t.Errorf("%s: the recipe has %s, and %v when it is written out", setting, text, back)
			}
		}
	}
	for _, s := range taken {
		path, value, _ := strings.Cut(s, "=")
		word := slices.Contains(words, path) && !strings.ContainsAny(value, "~[{\"") && !strings.Contains(value, ".")
		if !word && !slices.Contains(meant, s) {
			t.Errorf("%s is taken: what does it say?", s)
		}
	}
	for _, s := range meant {
		if !slices.Contains(taken, s) {
			t.Errorf("%s is refused", s)
		}
	}
}

// What Parse takes trains, whatever its size: 9223372036854775807 epochs go on until somebody
// ends them, and a batch of as many rows is all rows. Sums that overflow train nothing, or panic.
func TestHugeCountsTrain(t *testing.T) {
	for _, c := range []struct {
		setting string
		stop    int // update after which the training is ended, 0 for none
		want    int // updates
	}{
		{"train.epochs=9223372036854775807", 9, 9},
		{"train.epochs=0", 0, 0},
		{"train.batch=9223372036854775807", 0, 1},
		{"train.checkpoint.epochs=9223372036854775807", 0, 4},
		{"train.checkpoint.keep=9223372036854775807", 0, 4},
		{"measure.every=9223372036854775807", 0, 4},
		{"optimizer.decay={factor: 0.5, after: 9223372036854775807}", 0, 4},
	} {
		s := begin(t, filepath.Join(t.TempDir(), "run"), least, c.setting)
		ctx, cancel := context.WithCancel(context.Background())
		s.Watch = []train.Observer{stop{c.stop, cancel}}
		if c.stop == 0 {
			s.Watch = nil
		}
		err := s.Run(ctx)
		cancel()
		if c.stop > 0 && !errors.Is(err, context.Canceled) || c.stop == 0 && err != nil || s.Trainer.Step != c.want {
			t.Errorf("%s: %d updates, want %d (%v)", c.setting, s.Trainer.Step, c.want, err)
		}
		if s.saved != c.want {
			t.Errorf("%s: the checkpoint is of update %d, want %d", c.setting, s.saved, c.want)
		}
	}
}

// Counts of rows beyond any file are refused where they take rows away, and keep all where they bound them.
func TestHugeCountsOfRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(file, []byte("0,1\n1,0\n1,1\n0,0\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"limit":      "",
		"validation": "data.validation: 9223372036854775807 rows cannot be taken from 4 rows of training",
		"height":     "data.height 9223372036854775807, data.width 1",
	} {
		text := least + fmt.Sprintf("data: {name: csv, path: %q}\n", file)
		settings := []string{"data." + setting + "=9223372036854775807"}
		if setting == "height" {
			settings = append(settings, "data.width=1")
		}
		split, err := parse(t, text, settings...).LoadData()
		switch {
		case want == "" && (err != nil || split.Train.Rows != 4):
			t.Errorf("%s: %v", setting, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), strings.Split(want, ",")[0]) && !strings.Contains(err.Error(), "data.height 9223372036854775807")):
			t.Errorf("%s: %v, want %s", setting, err, want)
		}
	}
}
