package recipe

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/run"
)

const graphBase = "data: {name: bars}\ntrain: {epochs: 1, batch: 4}\nnegative: {kind: pcd, chains: 4, steps: 1}\n"

// What a recipe says of layers and pairs is refused with the place and what would be right.
func TestWrongGraphs(t *testing.T) {
	for _, c := range []struct{ machine, want string }{
		{"{kind: deeper}", `4:17: machine.kind: "deeper" is unknown, want one of rbm, deep, full, hybrid, graph`},
		{"{kind: deep}", "4:10: machine.hidden: is missing: the numbers of hidden spins layer by layer, such as [500, 1000]"},
		{"{kind: deep, hidden: []}", "machine.hidden: 0 layers, want 1 to 15: the numbers of hidden spins layer by layer, such as [500, 1000]"},
		{"{kind: deep, hidden: [5, 0]}", "4:35: machine.hidden[1]: 0 is out of range, want 1 to 67108864"},
		{"{kind: deep, hidden: [5, x]}", "4:35: machine.hidden[1]: x is no whole number"},
		{"{kind: rbm, hidden: [5, 6]}", "machine.hidden: 2 numbers, want one: the number of hidden spins, such as 1000"},
		{"{kind: rbm, hidden: 0}", "machine.hidden: 0 is out of range, want 1 to 67108864"},
		{"{kind: full, hidden: -1}", "machine.hidden: -1 is out of range, want 0 to 67108864"},
		{"{kind: full, biases: hidden}", "machine.biases: there are no hidden layers, want none or visible"},
		{"{kind: hybrid}", "machine.hidden: is missing: the number of Gaussian hidden units, such as 30"},
		{"{kind: rbm, hidden: 5, layers: [{name: visible}]}", "machine.layers: has no meaning for kind rbm: leave it out"},
		{"{kind: graph, hidden: 5, layers: [{name: visible}], pairs: [[visible, visible]]}", "machine.hidden: has no meaning for kind graph, which lists layers"},
		{"{kind: graph, layers: [{name: visible}]}", "machine.pairs: is missing; kind graph needs it"},
		{"{kind: graph, layers: [{name: h, size: 5}], pairs: [[h, h]]}", "machine.layers: the first layer has to be {name: visible}"},
		{"{kind: graph, layers: [{name: visible}, {name: h}], pairs: [[visible, h]]}", "4:50: machine.layers[1]: h has no size, such as {name: h, size: 500}"},
		{"{kind: graph, layers: [{name: visible, size: 16}], pairs: [[visible, visible]]}", "machine.layers[0].size: the visible layer has as many spins as the data: leave it out"},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 0}], pairs: [[visible, h]]}", "machine.layers[1].size: 0 is out of range"},
		{"{kind: graph, layers: [{name: visible}, {name: H, size: 2}], pairs: [[visible, H]]}", `layer "H": want a name of small letters, digits and _`},
		{"{kind: graph, layers: [{name: visible}, {name: visible, size: 2}], pairs: [[visible, visible]]}", "machine.layers[1].size: the visible layer has as many spins as the data"},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 2}, {name: h, size: 3}], pairs: [[visible, h]]}", "machine.layers[2].name: a layer h is there already"},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 2, kind: cauchy}], pairs: [[visible, h]]}", `machine.layers[1].kind: "cauchy" is unknown, want spins or gaussian`},
		{"{kind: graph, layers: [{name: visible, kind: gaussian}], pairs: [[visible, visible]]}", "machine.layers[0].kind: the visible layer is of spins"},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 2}], pairs: [[visible, g]]}", `machine.pairs[0][1]: there is no layer "g", only visible, h`},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 2}], pairs: [[visible, h], [h, visible]]}", "machine.pairs[1]: the pair [h, visible] is there already"},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 2}], pairs: [[visible]]}", "machine.pairs[0]: 1 layers, want two, such as [visible, h], or one twice"},
		{"{kind: graph, layers: [{name: visible}, {name: h, size: 2}], pairs: [[visible, visible]]}", "machine.layers[1]: the layer h is in no pair"},
		{"{kind: graph, layers: [{name: visible}, {name: y, size: 2, kind: gaussian}, {name: z, size: 2, kind: gaussian}], pairs: [[visible, y], [y, z]]}",
			"machine.pairs[1]: Gaussian layers cannot be coupled"},
		{"{kind: graph, layers: [{name: visible}, {name: a, size: 2}, {name: b, size: 2}, {name: c, size: 2}], pairs: [[visible, a], [b, c]]}",
			"machine.pairs: no chain of pairs leads from the layer b to the visible one"},
		{"{kind: deep, hidden: [3, 2], offset: all}", "machine.biases: none leaves a layer without biases, which take up what moving offsets change: want both, or machine.offset_rate=0"},
		{"{kind: rbm, hidden: 3, offset_rate: 0.1}", "machine.offset_rate: has no meaning for offset none, which stays: take offset: all, or leave it out"},
		{"{kind: rbm, hidden: 3, biases: both, offset: off, offset_rate: 0.1}", "machine.offset_rate: has no meaning for offset off, which stays: take offset: all, or leave it out"},
		{"{kind: rbm, hidden: 3, biases: both, offset: of}", `machine.offset: "of" is unknown, want one of none, mean, all, off, sparse`},
		{"{kind: deep, hidden: [3, 2], biases: both, offset: all, offset_rate: 2}", "machine.offset_rate: 2 is out of range, want 0 to 1"},
	} {
		_, err := Parse("r.yaml", []byte(graphBase+"machine: "+c.machine+"\n"))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "r.yaml:") {
			t.Errorf("%s:\n%v, want\n%s", c.machine, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"machine: {kind: deep, hidden: [3, 2]}\ncouplings: {gain: {visible-hidden1: 1}}\n", "couplings.gain: the pair hidden1-hidden2 is missing, of visible-hidden1, hidden1-hidden2"},
		{"machine: {kind: deep, hidden: [3, 2]}\ncouplings: {gain: {a-b: 1}}\n", "couplings.gain: there is no pair a-b, only visible-hidden1, hidden1-hidden2"},
		{"machine: {kind: deep, hidden: [3, 2]}\ncouplings: {gain: {visible-hidden1: 1, hidden1-hidden2: 0}}\n", "couplings.gain: 0 is out of range, want a positive number"},
		{"machine: {hidden: 3}\ncouplings: {gain: x}\n", "couplings.gain: x is no number, and no mapping of one a pair"},
		{"machine: {hidden: 3, bias_rate: 4}\n", "machine.bias_rate: has no meaning where machine.biases is none"},
		{"machine: {hidden: 3, biases: both, bias_rate: -1}\n", "machine.bias_rate: -1 is out of range"},
		{"machine: {hidden: 3}\ncouplings: {gain_rate: 0.1}\n", "couplings.gain_rate: has no meaning where the gain is not learned"},
		{"machine: {hidden: 3}\ncouplings: {learn_gain: true, gain_rate: -1}\n", "couplings.gain_rate: -1 is out of range"},
		{"machine: {hidden: 3}\npositive: {kind: best}\n", `positive.kind: "best" is unknown, want one of marginal, mean-field, clamped`},
		{"machine: {hidden: 3}\npositive: {kind: marginal, steps: 3}\n", "positive.steps: has no meaning for marginal"},
		{"machine: {hidden: 3}\npositive: {kind: clamped, steps: 0}\n", "positive.steps: 0 is out of range"},
		{"machine: {hidden: 3}\npositive: {kind: clamped, chains: -1}\n", "positive.chains: -1 is out of range"},
		{"machine: {hidden: 3}\npositive: {kind: mean-field, tolerance: -1}\n", "positive.tolerance: -1 is out of range"},
	} {
		if _, err := Parse("r.yaml", []byte(graphBase+c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v, want\n%s", c.text, err, c.want)
		}
	}
}

// What a kind of estimator or projection cannot do with a machine is told when the training is built.
func TestWrongForTheMachine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"machine: {kind: deep, hidden: [3, 2]}\npositive: {kind: marginal}\n", "positive.kind: the hidden layers do not sum out given the visible one: there are the pairs hidden1-hidden2; take mean-field or clamped"},
		{"machine: {kind: hybrid, hidden: 3}\nnegative: {kind: pid-literal}\n", "negative.kind: pid-literal takes the signs of patterns for spins, and the layer hidden is Gaussian; take pid"},
		{"machine: {kind: full}\nnegative: {kind: pid-gibbs, steps: 1, seeds: continuous}\n", "negative.kind: continuous seeds are no spins, and those of layer visible meet each other; take sign"},
		{"machine: {kind: full}\nnegative: {kind: pid}\nproject: {epoch: [gibbs]}\n", "project.epoch[0]: the projection gibbs draws patterns as spins that do not meet within a layer"},
		{"machine: {kind: deep, hidden: [9, 9]}\nnegative: {kind: exact}\n", "negative.kind: the exact sum runs over 2^25 visible and hidden2 states, at most 2^20 can be"},
	} {
		text := "data: {name: bars}\ntrain: {epochs: 1, batch: 4}\ncouplings: {kind: axons, patterns: 2}\n" + c.text
		r, err := Parse("r.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		split, err := r.LoadData()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Build(split, engine(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v, want\n%s", c.text, err, c.want)
		}
	}
}

// Shorthands are the graphs that they stand for, the complete recipe reads back to itself, and fields that change nothing leave the digest alone.
func TestGraphsOfRecipes(t *testing.T) {
	describe := func(r *Recipe) string {
		g, err := r.Graph(4)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, l := range g.Layers {
			parts = append(parts, fmt.Sprintf("%s %d %s", l.Name, l.N, l.Kind))
		}
		for i := range g.Pairs {
			parts = append(parts, g.PairName(i))
		}
		return strings.Join(parts, "; ")
	}
	for _, c := range []struct{ machine, want, positive string }{
		{"{hidden: 3}", "visible 4 spins; hidden 3 spins; visible-hidden", "marginal"},
		{"{kind: deep, hidden: 3}", "visible 4 spins; hidden 3 spins; visible-hidden", "marginal"},
		{"{kind: deep, hidden: [3, 2]}", "visible 4 spins; hidden1 3 spins; hidden2 2 spins; visible-hidden1; hidden1-hidden2", "mean-field"},
		{"{kind: full}", "visible 4 spins; visible-visible", "marginal"},
		{"{kind: full, hidden: 2}", "visible 4 spins; hidden 2 spins; visible-visible; visible-hidden; hidden-hidden", "mean-field"},
		{"{kind: hybrid, hidden: 2}", "visible 4 spins; hidden 2 gaussian; visible-hidden", "marginal"},
		{"{kind: graph, layers: [{name: visible}, {name: z, size: 2, kind: gaussian}, {name: a, size: 5}], pairs: [[a, visible], [visible, z], [a, a]]}",
			"visible 4 spins; z 2 gaussian; a 5 spins; visible-a; visible-z; a-a", "mean-field"},
	} {
		r, err := Parse("r.yaml", []byte(graphBase+"machine: "+c.machine+"\n"))
		if err != nil {
			t.Errorf("%s: %v", c.machine, err)
			continue
		}
		if got := describe(r); got != c.want || r.Positive.Kind != c.positive {
			t.Errorf("%s: %s, positive %s; want %s, %s", c.machine, got, r.Positive.Kind, c.want, c.positive)
		}
		again, err := Parse("again.yaml", r.YAML())
		if err != nil || string(again.YAML()) != string(r.YAML()) || again.Digest() != r.Digest() {
			t.Errorf("%s: the complete recipe reads back to another: %v", c.machine, err)
		}
	}
	old := func(text string) string {
		r, err := Parse("r.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return r.Digest()
	}
	// Written by the version before machines had other layers: runs of it go on.
	if got, want := old("data: {name: bars}\nmachine: {hidden: 10, biases: both, offset: mean}\ntrain: {epochs: 3, batch: 2}\n"), digestBefore; got != want {
		t.Errorf("the digest of a restricted machine's recipe is %s, was %s", got, want)
	}
	if a, b := old(graphBase+"machine: {kind: deep, hidden: [3, 2]}\n"), old(graphBase+"machine: {kind: deep, hidden: [3, 2]}\npositive: {kind: clamped}\n"); a == b {
		t.Error("two positive phases have one digest")
	}
}

// digestBefore is Digest of the recipe in TestGraphsOfRecipes as it was before there were graphs.
const digestBefore = "965aa158d256f9669b2c8d19c8913b6d701acb7f4f5b86878b255efb3a162e3d"

// A training starts from another machine's parameters as far as names and shapes agree.
func TestInitializeFromAnotherGraph(t *testing.T) {
	if names := otherNames(bm.Deep(4, 3, 2), "patterns.hidden1", true); len(names) != 2 || names[1] != "patterns.hidden" {
		t.Errorf("patterns.hidden1 of a deep machine is looked for as %v in a restricted one's file", names)
	}
	for name, want := range map[string]string{"weights.visible-hidden1": "weights", "log_gain.visible-hidden1": "log_gain", "bias.hidden1": "bias.hidden"} {
		if names := otherNames(bm.Deep(4, 3, 2), name, true); names[len(names)-1] != want {
			t.Errorf("%s is looked for as %v, want %s", name, names, want)
		}
	}
	if names := otherNames(bm.Deep(4, 3, 2), "patterns.hidden2", true); len(names) != 1 {
		t.Errorf("patterns.hidden2 is looked for as %v", names)
	}
	if names := otherNames(bm.Restricted(4, 3, false), "weights", false); names[1] != "weights.visible-hidden1" {
		t.Errorf("weights are looked for as %v in a deep machine's file", names)
	}
}

// What a machine takes of another one's file it takes once, by its own name first; what it has no place for is told, offsets among it,
// without which the couplings are those of another machine.
func TestInitializeTellsWhatIsLeft(t *testing.T) {
	const head, tail = "data: {name: bars, size: 3, split: random}\nmachine: ", "\ncouplings: {kind: dense}\nnegative: {kind: cd}\ntrain: {epochs: 0, batch: 4}\n"
	root := t.TempDir()
	from := func(name, machine string) *run.Directory {
		dir := filepath.Join(root, name)
		finish(t, begin(t, dir, head+machine+tail))
		d, err := run.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	centred := from("centred", "{kind: rbm, hidden: 3, biases: both, offset: all}")
	off := from("off", "{kind: rbm, hidden: 3, biases: both, offset: off}")
	two := from("two", "{kind: graph, biases: both, layers: [{name: visible}, {name: hidden, size: 3}], pairs: [[visible, hidden], [hidden, hidden]]}")
	for i, c := range []struct {
		from              *run.Directory
		machine           string
		taken, drawn, not string
	}{
		{centred, "{kind: rbm, hidden: 3, biases: visible}", "", "", "bias.hidden offset.hidden offset.visible"},
		{centred, "{kind: rbm, hidden: 3, biases: both, offset: all}", "", "", ""},
		{centred, "{kind: deep, hidden: [3, 2], biases: both}", "weights.visible-hidden1 bias.visible bias.hidden1",
			"weights.hidden1-hidden2 bias.hidden2", "offset.hidden offset.visible"},
		{off, "{kind: deep, hidden: [3, 2], biases: both, offset: off}", "weights.visible-hidden1 bias.visible bias.hidden1", "weights.hidden1-hidden2 bias.hidden2", ""},
		{centred, "{kind: deep, hidden: [3, 2], biases: both, offset: off}", "weights.visible-hidden1 bias.visible bias.hidden1", "weights.hidden1-hidden2 bias.hidden2",
			"offset.hidden offset.visible"},
		{two, "{kind: graph, biases: both, layers: [{name: visible}, {name: hidden1, size: 3}, {name: hidden, size: 3}], pairs: [[visible, hidden1], [visible, hidden]]}",
			"weights.visible-hidden bias.visible bias.hidden", "weights.visible-hidden1 bias.hidden1", "weights.hidden-hidden"},
	} {
		s, err := beginFrom(t, c.from, filepath.Join(root, fmt.Sprint(i)), head+c.machine+tail)
		if err != nil {
			t.Errorf("%s: %v", c.machine, err)
			continue
		}
		left := slices.Clone(s.Taken.Left)
		slices.Sort(left)
		for _, x := range [...][2]string{{strings.Join(s.Taken.From, " "), c.taken}, {strings.Join(s.Taken.Drawn, " "), c.drawn}, {strings.Join(left, " "), c.not}} {
			if x[0] != x[1] {
				t.Errorf("%s: told %q, want %q", c.machine, x[0], x[1])
			}
		}
		s.Dir.Close()
	}
}
