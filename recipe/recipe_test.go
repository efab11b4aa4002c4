package recipe

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mattis/data"
)

// least is a recipe of all defaults.
const least = "machine: {hidden: 10}\ntrain: {epochs: 1, batch: 3}\n"

var written = cmpopts.IgnoreUnexported(Recipe{})

func parse(t *testing.T, text string, settings ...string) *Recipe {
	t.Helper()
	r, err := Parse("r.yaml", []byte(withData(text)), settings...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A field that YAML leaves out, or a default that is not written, comes back different.
func TestYAMLRoundTrip(t *testing.T) {
	texts := map[string]string{}
	for _, name := range Builtins() {
		text, _ := Builtin(name)
		texts[name] = string(text)
	}
	for name, couplings := range map[string]string{
		"tiny numbers": "couplings: {kind: dense, init: {normal: 1e-5}}\nnegative: {kind: cd}\noptimizer: {rate: 1e-7}\n",
		"glorot":       "couplings: {kind: dense, init: glorot}\nnegative: {kind: exact}\n",
		"projections":  "project: {update: [{clip: 1e-3}, sign, clip], epoch: [{gibbs: 3}, gibbs]}\n",
		"strings":      "data: {name: csv, path: 'a b: #c.csv', labels: '3', delimiter: ';', binarize: stochastic}\n",
		"seed":         "seed: 18446744073709551615\n",
		"anew":         "data: {name: csv, path: x.csv, binarize: {stochastic: epoch}}\n",
		"fresh":        "negative: {kind: pcd, fresh: {from: patterns, until: 100}, start: mean, restart: {rate: 1e-5, from: mean}, grow: {to: 20, over: 100}}\n",
		"rates":        "optimizer: {kind: adam, warm_up: 0.5, decay: {kind: power, over: 10, per: update}}\n",
	} {
		texts[name] = least + couplings
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			r := parse(t, text)
			again := parse(t, string(r.YAML()))
			if d := cmp.Diff(r, again, written, cmpopts.IgnoreFields(Recipe{}, "Name")); d != "" {
				t.Error(d)
			}
			if string(again.YAML()) != string(r.YAML()) || again.Digest() != r.Digest() {
				t.Error("the text or the digest changes in a round trip")
			}
		})
	}
}

// The fields of a recipe's data are those of data.Options with their types, and every field that a source names is one of them.
func TestDataFields(t *testing.T) {
	var o data.Options
	known := map[string]bool{}
	new(Data).fields(func(name string, field reflect.Value) {
		known[name] = true
		option, ok := o.Field(name)
		if want := field.Type().Elem(); !ok || option.Type() != want && want != reflect.TypeFor[Choice]() {
			t.Errorf("data.%s is no field of data.Options, or one of another type", name)
		}
	})
	for f := range reflect.TypeFor[data.Options]().Fields() {
		if name := f.Tag.Get("recipe"); name != "" && !known[name] {
			t.Errorf("data.Options has the field %s, which no recipe has", name)
		}
	}
	for _, s := range data.Sources() {
		for _, name := range slices.Concat(s.Needs, s.Takes, s.Says, s.Files, data.OneFile()) {
			if !known[name] {
				t.Errorf("data %s names the field %q, which there is none of", s.Name, name)
			}
		}
	}
	half := 0.5
	o = data.Options{Path: "x", Header: true, White: 255, Binarize: data.Binarize{Threshold: &half}, Limit: 3}
	d := DataOf("csv", o)
	var back data.Options
	if d.lay(&back); !reflect.DeepEqual(back, o) {
		t.Errorf("%+v became %+v", o, back)
	}
}

// Every name of the tables gives a recipe, and what its defaults fill in is checked as if it were given.
func TestDefaultsOfEveryKind(t *testing.T) {
	check := func(section, kind, extra string) {
		t.Run(section+" "+kind, func(t *testing.T) {
			r := parse(t, least+extra)
			if _, err := Parse("r.yaml", r.YAML()); err != nil {
				t.Errorf("the complete recipe is refused: %v\n%s", err, r.YAML())
			}
		})
	}
	for _, s := range data.Sources() {
		extra := "data: {name: " + s.Name
		for _, f := range s.Needs {
			extra += ", " + f + ": x"
		}
		check("data", s.Name, extra+"}\n")
	}
	for _, c := range couplings {
		for _, i := range c.inits {
			text := "couplings: {kind: " + c.name + ", init: " + i.name + "}\nnegative: {kind: cd}\n"
			if i.draw != nil {
				check("couplings", c.name+" "+i.name, text)
				continue
			}
			t.Run("couplings "+c.name+" "+i.name, func(t *testing.T) { // of visible spins alone
				r := parse(t, "machine: {kind: full}\ntrain: {epochs: 1, batch: 3}\n"+text)
				if _, err := Parse("r.yaml", r.YAML()); err != nil {
					t.Errorf("the complete recipe is refused: %v\n%s", err, r.YAML())
				}
			})
		}
	}
	for _, n := range negatives {
		check("negative", n.name, "negative: {kind: "+n.name+"}\n")
	}
	for _, o := range optimizers {
		check("optimizer", o.name, "optimizer: {kind: "+o.name+"}\n")
	}
	for _, p := range projections {
		check("project", p.name, "project: {update: ["+p.name+"], epoch: ["+p.name+"]}\n")
	}
	r := parse(t, least)
	for _, d := range []struct {
		what      string
		got, want any
	}{
		{"data", r.Data.Name, "bars"}, {"size", *r.Data.Size, 4}, {"patterns", *r.Couplings.Patterns, 8}, {"init", r.Couplings.Init.String(), "{bernoulli: 1}"},
		{"negative", r.Negative.Kind, "pid"}, {"short batch", r.Train.ShortBatch, "share"}, {"rate", r.Optimizer.Rate, 0.02}, {"draws", r.Measure.Options.Hamming.Draws, 100},
	} {
		if !reflect.DeepEqual(d.got, d.want) {
			t.Errorf("default %s is %v, want %v", d.what, d.got, d.want)
		}
	}
	if c := parse(t, least+"negative: {kind: tempering, temperatures: [1, 0.5, 1e-3]}\n"); !reflect.DeepEqual(*c.Negative.Temperatures, []float64{1, 0.5, 0.001}) {
		t.Errorf("temperatures %v", *c.Negative.Temperatures)
	}
	if c := parse(t, least+"data: {name: bas, split: random}\n"); !*c.Data.Closed {
		t.Error("a random split of bas does not keep an image and its negative together: F(v) = F(-v) leaks the test set")
	}
}

// bested returns a recipe with these fields of train, measured by hamming on test and by coverage.
func bested(fields string) string {
	return "machine: {hidden: 10}\ntrain: {epochs: 1, batch: 3, " + fields[1:] + "}\nmeasure:\n  test: [hamming, coverage]\n"
}

// withData returns the text of a recipe with Bars as its data where it has a machine or a training and names no data.
func withData(text string) string {
	if (strings.Contains(text, "machine:") || strings.Contains(text, "train:")) && !strings.Contains(text, "data:") {
		return strings.TrimSuffix(text, "\n") + "\ndata: {name: bars}\n"
	}
	return text
}

// Each wrong recipe is refused at its place, under the path of the field, with what would be right.
func TestWrongRecipes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"train: {}\n", "r.yaml: machine.hidden: is missing: the number of hidden spins, such as 1000"},
		{"hello", "r.yaml:1:1: hello is no mapping, want some of the fields seed, data,"},
		{"- a\n", "r.yaml:1:1: - a is no mapping"},
		{"\x00\x01", `r.yaml:1:1: "\x00\x01" is no mapping`},
		{"a:\n\tb: 1\n", "r.yaml:2:1: found character"},
		{least + "---\n" + least, "r.yaml: 2 YAML documents, want one recipe"},
		{least + "foo: 1\n", `r.yaml:3:1: unknown field "foo", only seed, data, machine,`},
		{"machine: {hiden: 3}\n", `r.yaml:1:11: machine: unknown field "hiden", only kind, hidden, layers, pairs, biases, offset, offset_rate`},
		{least + "seed: 1\nseed: 2\n", `r.yaml:4:1: mapping key "seed" already defined at [3:1]`},
		{"seed: 1\n", "r.yaml: data.name: is missing, such as bars, mnist, or csv with path; want one of bars, bas,"},
		{least + "data: {}\n", "r.yaml:3:7: data.name: is missing, such as bars, mnist, or csv with path"},
		{least + "data:\n", "data.name: is missing"},
		{least + "data: {size: 4}\n", "r.yaml:3:7: data.name: is missing"},
		{least + "data: {name: ''}\n", "r.yaml:3:14: data.name: is missing"},
		{least + "seed: -1\n", "r.yaml:3:7: seed: -1 is out of range, want a whole number of 0 or more"},
		{least + "seed: 99999999999999999999\n", "r.yaml:3:7: seed: 99999999999999999999 is no whole number"},
		{"machine: {hidden: 1.5}\n", "r.yaml:1:19: machine.hidden: 1.5 is no whole number"},
		{"machine: {hidden: many}\n", "r.yaml:1:19: machine.hidden: many is no whole number"},
		{"machine: {hidden: {a: 1}}\n", "r.yaml:1:19: machine.hidden: {a: 1} is no whole number"},
		{"machine: {hidden: }\n", "r.yaml:1:18: machine.hidden: has no value, want a whole number"},
		{"machine: {hidden: 0}\n", "r.yaml:1:19: machine.hidden: 0 is out of range, want 1 to"},
		{"machine: {hidden: -1}\n", "r.yaml:1:19: machine.hidden: -1 is out of range, want 1 to"},
		{"machine: 3\n", "r.yaml:1:10: machine: 3 is no mapping, want some of the fields kind, hidden, layers, pairs, biases, offset, offset_rate"},
		{"machine: &a {hidden: 3}\n", "r.yaml:1:10: machine: anchors, aliases and tags have no place in a recipe"},
		{"machine:\n  <<: {hidden: 3}\n", "r.yaml:2:3: machine: anchors, aliases and tags have no place in a recipe"},
		{"machine: {hidden: 10, biases: all}\n", `r.yaml:1:31: machine.biases: "all" is unknown, want one of none, visible, hidden, both`},
		{"machine: {hidden: 10}\ntrain: {epochs: 1}\n", "r.yaml:2:8: train.batch: is missing: the rows in a batch, such as 100"},
		{"machine: {hidden: 10}\ntrain: {epochs: -1, batch: 3}\n", "r.yaml:2:17: train.epochs: -1 is out of range, want at least 0"},
		{"machine: {hidden: 10}\ntrain: {epochs: 1, batch: 0}\n", "r.yaml:2:27: train.batch: 0 is out of range, want at least 1"},
		{least + "negative: {kind: pdi}\n", `r.yaml:3:18: negative.kind: "pdi" is unknown, want one of exact, cd, pcd,`},
		{least + "negative: {kind: pid, steps: 3}\n", "r.yaml:3:30: negative.steps: has no meaning for pid: leave it out"},
		{least + "negative: {kind: cd, steps: 0}\n", "r.yaml:3:29: negative.steps: 0 is out of range, want 1 to 1073741824"},
		{least + "negative: {kind: pid-gibbs, seeds: x}\n", `r.yaml:3:36: negative.seeds: "x" is unknown, want one of sign, continuous`},
		{least + "negative: {kind: tempering, temperatures: 5}\n", "r.yaml:3:43: negative.temperatures: 5 is no list"},
		{least + "negative: {kind: tempering, temperatures: [1, x]}\n", "negative.temperatures[1]: x is no number"},
		{least + "negative: {kind: tempering, temperatures: []}\n", "r.yaml:3:43: negative.temperatures: the ladder has no temperatures; want inverse temperatures falling from 1"},
		{least + "negative: {kind: tempering, temperatures: [1, 1]}\n", "negative.temperatures: inverse temperature 1 of the ladder is 1 after 1, want falling ones"},
		{least + "negative: {kind: tempering, temperatures: [0.9, 1e-3]}\n", "negative.temperatures: the first inverse temperature is 0.9, want 1: the machine's own"},
		{least + "negative: {kind: trajectory, rungs: 0}\n", "r.yaml:3:37: negative.rungs: 0 is out of range, want 1 to 1024"},
		{least + "negative: {kind: trajectory, acceptance: 1.5}\n", "negative.acceptance: 1.5 is out of range, want 0 to 1"},
		{least + "negative: {kind: trajectory, every: 0}\n", "negative.every: 0 is out of range, want 1 to 1073741824"},
		{strings.Replace(least, "batch: 3", "batch: 3, shards: 2", 1) + "negative: {kind: trajectory}\n", "train.shards: 2 is out of range, want 1: negative.kind trajectory has one ladder, which cannot be divided over shards"},
		{least + "negative: {kind: tempering, rungs: 3}\n", "negative.rungs: has no meaning for tempering: leave it out"},
		{least + "negative: {kind: cd, temperatures: [1]}\n", "negative.temperatures: has no meaning for cd: leave it out"},
		{least + "couplings: {kind: dense}\n", "negative.kind: pid reads the patterns of axons, and couplings.kind is dense: take cd or pcd"},
		{least + "couplings: {patterns: 0}\n", "r.yaml:3:23: couplings.patterns: 0 is out of range"},
		{least + "couplings: {gain: -1}\n", "r.yaml:3:19: couplings.gain: -1 is out of range, want a positive number"},
		{least + "couplings: {init: {bernoulli: x}}\n", "r.yaml:3:31: couplings.init: bernoulli: x is no number, want a name, such as bernoulli or glorot, or {NAME: NUMBER}, such as {normal: 0.01}"},
		{least + "couplings: {init: {bernoulli: .nan}}\n", "r.yaml:3:31: couplings.init: bernoulli: .nan is not a finite number, want"},
		{least + "couplings: {gain: 1e-320}\n", "r.yaml:3:19: couplings.gain: 1e-320 makes the factor of W = (g/sqrt K) Xv^T Xh 0 in float32"},
		{least + "optimizer: {rate: 1e-320}\n", "r.yaml:3:19: optimizer.rate: 1e-320 is 0 in float32, want 0 or a number from 1.4e-45 on"},
		{least + "project: {update: [~]}\n", "r.yaml:3:20: project.update[0]: has no value, want a name, such as sign, or {NAME: NUMBER}, such as {clip: 1}"},
		{least + "data: {name: npy, path: .nan}\n", "r.yaml:3:25: data.path: .nan is no text; in quotes it is: '.nan'"},
		{least + "data: {name: npy, path: x, white: 0}\n", "r.yaml:3:35: data.white: 0 is no value of white, want a positive number, such as 255"},
		{least + "data: {name: bars, split: ''}\n", "r.yaml:3:27: data.split: is empty: give it a value or leave it out"},
		{least + "data: {name: bars, size: 0}\n", "r.yaml:3:26: data.size: 0 is out of range for bars: 2 to 16"},
		{least + "couplings: {init: {bernoulli: 1, uniform: 2}}\n", "is neither a name nor one {name: number}"},
		{least + "optimizer: {rate: .nan}\n", "r.yaml:3:19: optimizer.rate: NaN is out of range, want a finite number of at least 0"},
		{least + "optimizer: {rate: .inf}\n", "r.yaml:3:19: optimizer.rate: +Inf is out of range, want a finite number of at least 0"},
		{least + "optimizer: {rate: 1e50}\n", "r.yaml:3:19: optimizer.rate: 1e+50 is out of range, want 0 to 3.4e+38: machines are kept in float32, which ends there"},
		{least + "optimizer: {weight_decay: 1e50}\n", "optimizer.weight_decay: 1e+50 is out of range, want 0 to 3.4e+38: machines"},
		{least + "optimizer: {rate: -1}\n", "r.yaml:3:19: optimizer.rate: -1 is out of range, want a finite number of at least 0"},
		{least + "project: {update: [{clip: 1e50}]}\n", "project.update[0]: clip: 1e+50 is out of range, want 0 to 3.4e+38: machines"},
		{least + "project: {update: [{gibbs: 1e12}]}\n", "project.update[0]: gibbs: 1e+12 is not a number of steps, want a whole one from 1 to 1073741824"},
		{least + "couplings: {gain: .inf}\n", "couplings.gain: +Inf is out of range, want a positive number, and a finite one"},
		{least + "data: {name: npy, path: x, white: 1e50}\n", "data.white: 1e+50 is no value of white, want a positive number, such as 255, of at most 3.4e+38"},
		{least + "data: {name: npy, path: x, white: 1e-60}\n", "data.white: 1e-60 is 0 in float32"},
		{"machine: {hidden: 10}\ntrain: {epochs: 1, batch: 3, checkpoint: {minutes: 1e50}}\n", "train.checkpoint.minutes: 1e+50 is out of range, want 0 to 3.4e+38"},
		{"machine: {hidden: 1e3}\n", "r.yaml:1:19: machine.hidden: 1e3 is no whole number as YAML writes them: want 1000"},
		{"machine: {hidden: 20.0}\n", "r.yaml:1:19: machine.hidden: 20.0 is no whole number as YAML writes them: want 20"},
		{least + "optimizer: {rate: '1e-3'}\n", "r.yaml:3:19: optimizer.rate: '1e-3' is no number"},
		{least + "optimizer: {decay: {factor: 0}}\n", "r.yaml:3:29: optimizer.decay.factor: 0 would end the training after an epoch, want above 0 to 1"},
		{least + "optimizer: {decay: {factor: 2}}\n", "r.yaml:3:29: optimizer.decay.factor: 2 is out of range, want 0 to 1"},
		{least + "project: {update: clip}\n", "r.yaml:3:19: project.update: clip is no list, want one such as [a, b], or [] for none"},
		{least + "project: {update: [{clip: 0}]}\n", "project.update[0]: clip: 0 would clear the patterns, want a positive bound"},
		{least + "project: {epoch: [{gibbs: 1.5}]}\n", "project.epoch[0]: gibbs: 1.5 is not a number of steps"},
		{least + "project: {epoch: [{sign: 1}]}\n", "project.epoch[0]: sign takes no number"},
		{least + "measure: {last: [hamming, foo]}\n", `r.yaml:3:27: measure.last[1]: "foo" is unknown, want one of hamming,`},
		{least + "measure: {options: {hamming: {draws: -1}}}\n", "r.yaml:3:38: measure.options.hamming.draws: -1 is out of range: 1 to"},
		{least + "data: {name: mist}\n", `r.yaml:3:14: data.name: "mist" is unknown, want one of bars, bas, ising, mnist,`},
		{least + "data: {name: csv}\n", "r.yaml:3:7: data.path: is missing; data csv needs it"},
		{least + "data: {name: bars, path: x}\n", "r.yaml:3:26: data.path: has no meaning for data bars: leave it out"},
		{least + "data: {name: mnist, binarize: {threshhold: 1}}\n", `data.binarize: "threshhold" is unknown, want {threshold: t} or stochastic`},
		{bested("{best: {measure: loss}"), `r.yaml:2:46: train.best.measure: "loss" is unknown, want one of none, hamming,`},
		{bested("{best: {measure: spectrum}"), "r.yaml:2:46: train.best.measure: of spectrum neither small nor great values are better, take one of which they are: hamming,"},
		{bested("{best: {measure: nll}"), "r.yaml:2:46: train.best.measure: nll on test is not measured during training: put it into measure.test"},
		{bested("{best: {measure: hamming, split: train}"), "r.yaml:2:46: train.best.measure: hamming on train is not measured during training: put it into measure.train"},
		{bested("{best: {measure: hamming, split: validation}"), `r.yaml:2:62: train.best.split: "validation" is no set that is measured during training, want test or train`},
		{bested("{best: {measure: hamming, split: ''}"), `r.yaml:2:62: train.best.split: "" is no set`},
		{bested("{best: {measure: crosstalk}"), "r.yaml:2:46: train.best.measure: crosstalk is not measured during training: put it into measure.test or measure.train"},
		{bested("{best: {measure: coverage, split: test}"), `r.yaml:2:63: train.best.split: "test" has no meaning for coverage, which is of the machine alone: leave it out`},
		{bested("{best: {split: test}"), "r.yaml:2:44: train.best.split: test has no meaning without train.best.measure"},
		{bested("{best: hamming"), "r.yaml:2:36: train.best: hamming is no mapping, want some of the fields measure, split"},
		{bested("{stop: {patience: 3}"), "r.yaml:2:47: train.stop.patience: 3 measurements without a better one need train.best.measure: better by which measure?"},
		{bested("{stop: {patience: -1}"), "r.yaml:2:47: train.stop.patience: -1 is out of range, want at least 0"},
		{bested("{stop: {diverged: 1}"), "r.yaml:2:47: train.stop.diverged: 1 is neither true nor false"},
		{bested("{best: {measure: hamming}") + "  every: 0\n", "r.yaml:5:10: measure.every: 0 measures at the start and the end alone, and train.best chooses among more: want at least 1"},
		{least + "measure: {pictures: {count: 0}}\n", "r.yaml:3:29: measure.pictures.count: 0 is out of range, want 1 to 1000"},
		{least + "measure: {pictures: {every: -1}}\n", "r.yaml:3:29: measure.pictures.every: -1 is out of range, want at least 0"},
		{least + "data: {name: npy, path: x, binarize: {threshold: epoch}}\n", "r.yaml:3:38: data.binarize: threshold: epoch is no number, such as 0.3; epoch is of stochastic"},
		{least + "data: {name: npy, path: x, binarize: {stochastic: day}}\n", "data.binarize: stochastic: day is no number, want stochastic, {stochastic: epoch} or {threshold: 0.3}"},
		{least + "data: {name: npy, path: x, binarize: {stochastic: 1}}\n", "data.binarize: stochastic takes no number, only epoch"},
		{"machine: {hidden: 10, biases: both, start: mean}\n", `r.yaml:1:44: machine.start: "mean" is unknown, want one of zero, data`},
		{"machine: {hidden: 10, start: data}\n", "r.yaml:1:30: machine.start: data sets the visible biases, and machine.biases is none: take visible or both"},
		{least + "negative: {kind: cd, fresh: {}}\n", "r.yaml:3:29: negative.fresh: has no meaning for cd: leave it out"},
		{least + "negative: {kind: pcd, fresh: {share: 1}}\n", "r.yaml:3:38: negative.fresh.share: 1 of 2048 chains leaves none that goes on"},
		{least + "negative: {kind: pcd, fresh: {from: noise}}\n", `r.yaml:3:37: negative.fresh.from: "noise" is unknown, want one of uniform, patterns, data, mean`},
		{least + "negative: {kind: pcd, fresh: {steps: 0}}\n", "r.yaml:3:38: negative.fresh.steps: 0 is out of range, want 1 to"},
		{least + "negative: {kind: pcd, fresh: {until: 0}}\n", "r.yaml:3:38: negative.fresh.until: 0 is out of range, want 1 to"},
		{least + "couplings: {kind: dense}\nnegative: {kind: pcd, fresh: {from: patterns}}\n", "r.yaml:4:37: negative.fresh.from: patterns are of axons, and couplings.kind is dense: take uniform, data or mean"},
		{least + "couplings: {kind: dense}\nnegative: {kind: pcd, start: patterns}\n", "r.yaml:4:30: negative.start: patterns are of axons, and couplings.kind is dense: take uniform or mean"},
		{least + "negative: {kind: jarzynski, start: data}\n", `r.yaml:3:36: negative.start: "data" is unknown, want one of uniform, patterns, mean`},
		{least + "negative: {kind: cd, start: mean}\n", "r.yaml:3:29: negative.start: has no meaning for cd: leave it out"},
		{least + "negative: {kind: pcd, restart: {rate: 2}}\n", "r.yaml:3:39: negative.restart.rate: 2 is out of range, want 0 to 1"},
		{least + "negative: {kind: pcd, grow: {to: 20}}\n", "negative.grow.over: is missing: the updates in which sweeps become so many, such as 10000"},
		{least + "negative: {kind: pcd, grow: {to: 2, over: 9}}\n", "r.yaml:3:34: negative.grow.to: 2 is out of range, want 10 to"},
		{least + "negative: {kind: fpcd, fast_keep: 2}\n", "r.yaml:3:35: negative.fast_keep: 2 is out of range, want 0 to 1"},
		{least + "optimizer: {decay: {kind: step}}\n", `r.yaml:3:27: optimizer.decay.kind: "step" is unknown, want one of exponential, linear, cosine, power`},
		{least + "optimizer: {decay: {kind: cosine}}\n", "optimizer.decay.over: is missing: the epochs that cosine takes, such as 100"},
		{least + "optimizer: {decay: {over: 9, factor: 0.9}}\n", "r.yaml:3:38: optimizer.decay.factor: 0.9 and over are two ways to say how fast the rate falls: leave one out"},
		{least + "optimizer: {decay: {over: 9, floor: 0}}\n", "r.yaml:3:37: optimizer.decay.floor: 0 is not come to by a factor in 9 epochs"},
		{least + "optimizer: {decay: {kind: linear, over: 0}}\n", "r.yaml:3:41: optimizer.decay.over: 0 is out of range, want 1 to"},
		{least + "optimizer: {decay: {kind: linear, over: 9, power: 2}}\n", "r.yaml:3:51: optimizer.decay.power: has no meaning for linear: leave it out"},
		{least + "optimizer: {decay: {per: step}}\n", `r.yaml:3:26: optimizer.decay.per: "step" is unknown, want one of epoch, update`},
		{least + "optimizer: {warm_up: -1}\n", "r.yaml:3:22: optimizer.warm_up: -1 is out of range, want 0 to"},
		{bested("{average: mean"), `train.average: "mean" is unknown, want one of none, exponential, from`},
		{bested("{average: exponential"), "train.average: exponential needs its number, such as {exponential: 0.999} or {from: 40}"},
		{bested("{average: {exponential: 1}"), "train.average: exponential: 1 is out of range, want a factor an update between 0 and 1, such as 0.999"},
		{bested("{average: {from: 1.5}"), "train.average: from: 1.5 is no epoch, want a whole number of 0 or more"},
		{least + "data: {name: mnist, binarize: threshold}\n", "data.binarize: threshold needs its number, such as {threshold: 0.3}"},
	} {
		_, err := Parse("r.yaml", []byte(withData(c.text)))
		switch {
		case err == nil:
			t.Errorf("%q is accepted, want %q", c.text, c.want)
		case !strings.Contains(err.Error(), c.want) || strings.HasPrefix(c.want, "r.yaml") && !strings.HasPrefix(err.Error(), c.want):
			t.Errorf("%q:\n got %s\nwant %s", c.text, err, c.want)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%q: the error has more than one line: %q", c.text, err)
		}
	}
}

// A setting changes its field alone, and a mapping replaces all that its field held.
func TestSettings(t *testing.T) {
	text := least + "negative: {kind: cd, steps: 7}\ncouplings: {patterns: 3, gain: 2}\n"
	for _, c := range []struct {
		setting string
		get     func(r *Recipe) any
		want    any
	}{
		{"couplings.patterns=5", func(r *Recipe) any { return [2]any{*r.Couplings.Patterns, r.Couplings.Gain.All} }, [2]any{5, 2.0}},
		{"couplings={patterns: 5}", func(r *Recipe) any { return [2]any{*r.Couplings.Patterns, r.Couplings.Gain.All} }, [2]any{5, 1.0}},
		{"negative={kind: pid-gibbs}", func(r *Recipe) any { return *r.Negative.Steps }, 10},
		{"negative.steps=2", func(r *Recipe) any { return *r.Negative.Steps }, 2},
		{"measure.last=[hamming]", func(r *Recipe) any { return r.Measure.Last }, []string{"hamming"}},
		{"measure.last=[]", func(r *Recipe) any { return len(r.Measure.Last) }, 0},
		{"project.update=[{clip: 0.5}]", func(r *Recipe) any { return r.Project.Update[0].String() }, "{clip: 0.5}"},
		{"optimizer.rate=1e-4", func(r *Recipe) any { return r.Optimizer.Rate }, 1e-4},
		{"couplings.learn_gain=true", func(r *Recipe) any { return *r.Couplings.LearnGain }, true},
		{"negative={kind: pcd, fresh: {}}", func(r *Recipe) any { f := r.Negative.Fresh; return [3]any{*f.Share, *f.Steps, *f.From} }, [3]any{0.2, 10, "uniform"}},
		{"couplings.gain=null", func(r *Recipe) any { return [2]any{*r.Couplings.Patterns, r.Couplings.Gain.All} }, [2]any{3, 1.0}},
		{"negative.steps=null", func(r *Recipe) any { return [2]any{r.Negative.Kind, *r.Negative.Steps} }, [2]any{"cd", 10}},
		{"negative=null", func(r *Recipe) any { return r.Negative.Kind }, "pid"},
		{"measure.options.hamming.draws=9", func(r *Recipe) any { return r.Measure.Options.Hamming }, parse(t, least+"measure: {options: {hamming: {draws: 9}}}").Measure.Options.Hamming},
	} {
		if got := c.get(parse(t, text, c.setting)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("--set %s gives %v, want %v", c.setting, got, c.want)
		}
	}
	if r := parse(t, text, "negative.steps=2", "negative.steps=3"); *r.Negative.Steps != 3 {
		t.Errorf("the last of two settings does not win: %d", *r.Negative.Steps)
	}
}

// A new recipe's learned gain has 0.003 of the rate; a run that does not say it was trained at all of it.
func TestNewRecipes(t *testing.T) {
	text := withData(least + "couplings: {learn_gain: true}\n")
	path := filepath.Join(t.TempDir(), "r.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		settings []string
		want     *float64
	}{
		{nil, ptr(0.003)},
		{[]string{"couplings.gain_rate=1"}, ptr(1.0)},
		{[]string{"couplings.learn_gain=false"}, nil},
		{[]string{"couplings={kind: dense}", "negative={kind: cd}"}, nil},
	} {
		r, err := Load(path, c.settings...)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Couplings.GainRate, c.want) {
			t.Errorf("%q gives a new recipe %v, want %v", c.settings, r.Couplings.GainRate, c.want)
		}
		if again := parse(t, string(r.YAML())); string(again.YAML()) != string(r.YAML()) {
			t.Errorf("%q: the recipe of the run it begins reads as another:\n%s", c.settings, again.YAML())
		}
	}
	if r := parse(t, text); r.Couplings.GainRate != nil {
		t.Errorf("a run without gain_rate is read with %v", *r.Couplings.GainRate)
	}
}

// A wrong setting names itself.
func TestWrongSettings(t *testing.T) {
	for setting, want := range map[string]string{
		"train.epochs":               "--set train.epochs: want path=value, such as train.epochs=100",
		"=1":                         "--set =1: want path=value",
		"train.epochs=":              "--set train.epochs=: no value after the =",
		"train.epochs=#":             "--set train.epochs=#: want one YAML value after the =",
		"train.epochs=~":             "--set train.epochs=~: train.epochs: has no value",
		"train.epochs=null":          "--set train.epochs=null: train.epochs: is missing",
		"train=null":                 "--set train=null: train.epochs: is missing",
		"couplings.init.normal=null": "--set couplings.init.normal=null: couplings.init",
		"data={}":                    "--set data={}: data.name: is missing, such as bars, mnist, or csv with path",
		"data={size: 4}":             "--set data={size: 4}: data.name: is missing",
		"foo=1":                      `--set foo=1: a recipe has no field "foo", only seed,`,
		"train.epoch=1":              `--set train.epoch=1: train has no field "epoch", only epochs, batch,`,
		"train.epochs.x=1":           "--set train.epochs.x=1: train.epochs has no fields",
		"train.epochs=[1":            "--set train.epochs=[1: ",
		"train.epochs=x":             "--set train.epochs=x: train.epochs: x is no whole number",
		"couplings.patterns=1.5":     "--set couplings.patterns=1.5: couplings.patterns: 1.5 is no whole number",
		"train={epochs: 1}":          "--set train={epochs: 1}: train.batch: is missing",
		"train={epochs: 1, bach: 2}": `--set train={epochs: 1, bach: 2}: train: unknown field "bach", only`,
		"couplings.init.normal=1":    "--set couplings.init.normal=1: couplings.init: \"normal\" is unknown, want one of bernoulli, uniform, data",
		"couplings.init.normal.x=1":  "--set couplings.init.normal.x=1: couplings.init has no fields",
		"negative.steps=0":           "--set negative.steps=0: negative.steps: 0 is out of range, want 1 to 1073741824",
	} {
		_, err := Parse("r.yaml", []byte(withData(least+"negative: {kind: cd}\n")), setting)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", setting, err, want)
		}
	}
}

// The digest is of what decides about the parameters, and of nothing else.
func TestDigest(t *testing.T) {
	text := least + "data: {name: npy, path: x.npy}\nnegative: {kind: cd}\n"
	digest := parse(t, text).Digest()
	for setting, same := range map[string]bool{
		"train.epochs=9": true, "train.checkpoint.keep=9": true, "measure.last=[hamming]": true, "data.path=y.npy": true,
		"train.best={measure: none}": true, "train.stop.diverged=true": true, "measure.pictures.every=3": true, "train.precision=float32": true,
		"seed=2": false, "train.batch=4": false, "negative.steps=4": false, "optimizer.rate=0.5": false,
		"train.average=none": true, "train.average={from: 3}": false, "machine={hidden: 10, biases: none, offset: none}": true,
		"optimizer.decay={kind: linear, over: 3}": false, "data.binarize={stochastic: epoch}": false, "train.precision=bf16": false,
		"data.binarize=stochastic": false, "train.short_batch=mean": false, "project.update=[clip]": false, "machine.hidden=11": false,
	} {
		if got := parse(t, text, setting).Digest(); (got == digest) != same {
			t.Errorf("--set %s: the digest is the same: %t, want %t", setting, got == digest, same)
		}
	}
}

// Checkpoints hold the digest: it fails for a digest that new fields change which decide nothing, such as options of a
// new measure. Then no run of an earlier version goes on. The number is that of the first version with these fields.
func TestDigestStays(t *testing.T) {
	r, err := Load("bars-pcd")
	if err != nil {
		t.Fatal(err)
	}
	const want = "8c58a546706539290f4af60ea8adb92b3f6d9be8120898e3ba346754db9d1f7b"
	if got := r.Digest(); got != want {
		t.Errorf("the digest of bars-pcd is %s, want %s", got, want)
	}
}

// Any text gives a recipe or an error in one line, and a recipe reads itself back.
func FuzzParse(f *testing.F) {
	for _, name := range Builtins() {
		text, _ := Builtin(name)
		f.Add(string(text), "train.epochs=3")
	}
	f.Add("machine: {hidden: 1}", "couplings={kind: dense, init: {normal: 1e-5}}")
	f.Add("[", "a.b=[")
	f.Add("a: &a [*a]", "machine=*a")
	f.Fuzz(func(t *testing.T, text, setting string) {
		r, err := Parse("r.yaml", []byte(withData(text)), setting)
		if err != nil {
			return
		}
		again, err := Parse("r.yaml", r.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, r.YAML())
		}
		if again.Digest() != r.Digest() {
			t.Fatalf("another recipe comes back:\n%s\n%s", r.YAML(), again.YAML())
		}
	})
}
