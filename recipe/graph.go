package recipe

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"mattis/bm"
)

// Sizes are how many spins hidden layers have: one number, or a list of one a layer.
type Sizes []int

// MarshalYAML returns what the encoder writes: a number alone where there is one layer.
func (s Sizes) MarshalYAML() (any, error) {
	if len(s) == 1 {
		return s[0], nil
	}
	return []int(s), nil
}

// UnmarshalYAML reads the sizes from a node that fitSizes takes.
func (s *Sizes) UnmarshalYAML(n ast.Node) error {
	var bad *misfit
	if *s, bad = sizesOf(n, ""); bad != nil {
		return &yaml.SyntaxError{Message: bad.message, Token: bad.node.GetToken()}
	}
	return nil
}

// sizesOf returns the sizes that a node is, or what is wrong with the field of that path.
func sizesOf(n ast.Node, path string) (Sizes, *misfit) {
	one := func(n ast.Node, path string) (int, *misfit) {
		if whole, ok := n.(*ast.IntegerNode); ok {
			switch v := whole.Value.(type) {
			case int64:
				return int(v), nil
			case uint64:
				return int(min(v, math.MaxInt)), nil
			}
		}
		if _, null := n.(*ast.NullNode); null {
			return 0, &misfit{n, path, "has no value, want a whole number, or a list of them"}
		}
		return 0, &misfit{n, path, noWhole(n)}
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		x, bad := one(n, path)
		if bad != nil {
			return nil, bad
		}
		return Sizes{x}, nil
	}
	s := Sizes{}
	for i, v := range list.Values {
		x, bad := one(v, fmt.Sprintf("%s[%d]", path, i))
		if bad != nil {
			return nil, bad
		}
		s = append(s, x)
	}
	return s, nil
}

// Gains are the first gains of axons: one number for all pairs, or one a pair by its name.
type Gains struct {
	All  float64
	Each map[string]float64 // nil where All is given
}

// MarshalYAML returns what the encoder writes, the pairs in the order of their names.
func (g Gains) MarshalYAML() (any, error) {
	if g.Each == nil {
		return g.All, nil
	}
	var m yaml.MapSlice
	for _, name := range g.names() {
		m = append(m, yaml.MapItem{Key: name, Value: g.Each[name]})
	}
	return m, nil
}

// UnmarshalYAML reads the gains from a node that fitGains takes.
func (g *Gains) UnmarshalYAML(n ast.Node) error {
	var bad *misfit
	if *g, bad = gainsOf(n, ""); bad != nil {
		return &yaml.SyntaxError{Message: bad.message, Token: bad.node.GetToken()}
	}
	return nil
}

// String returns the gains as YAML has them in one line.
func (g Gains) String() string {
	if g.Each == nil {
		return fmt.Sprint(g.All)
	}
	var parts []string
	for _, name := range g.names() {
		parts = append(parts, fmt.Sprintf("%s: %g", name, g.Each[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g Gains) names() []string {
	var names []string
	for name := range g.Each {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// of returns the gain of a pair.
func (g Gains) of(pair string) (gain float64, ok bool) {
	if g.Each == nil {
		return g.All, true
	}
	gain, ok = g.Each[pair]
	return gain, ok
}

// gainsOf returns the gains that a node is, or what is wrong with the field of that path.
func gainsOf(n ast.Node, path string) (Gains, *misfit) {
	if v, ok := numberOf(n); ok {
		return Gains{All: v}, nil
	}
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return Gains{}, &misfit{n, path, "has no value, want a number, or one a pair, such as {visible-hidden1: 1, hidden1-hidden2: 0.01}"}
	default:
		return Gains{}, &misfit{n, path, fmt.Sprintf("%s is no number, and no mapping of one a pair, such as {visible-hidden1: 1, hidden1-hidden2: 0.01}", excerpt(n))}
	}
	g := Gains{Each: map[string]float64{}}
	for _, p := range pairs {
		name := p.Key.GetToken().Value
		v, ok := numberOf(p.Value)
		if !ok {
			return Gains{}, &misfit{p.Value, path, fmt.Sprintf("%s: %s is no number", name, excerpt(p.Value))}
		}
		if _, twice := g.Each[name]; twice {
			return Gains{}, &misfit{p.Key, path, fmt.Sprintf("the pair %s is given twice", name)}
		}
		g.Each[name] = v
	}
	return g, nil
}

// Layer is a layer of a machine of kind graph.
type Layer struct {
	Name string  `yaml:"name"`
	Size *int    `yaml:"size,omitempty"` // N; the visible layer has that of the data
	Kind *string `yaml:"kind,omitempty"` // spins or gaussian
}

// machineKind is a shorthand for a graph of layers. hidden says how many numbers of hidden spins it
// takes, and from which one on.
type machineKind struct {
	name       string
	fewest     int // numbers
	most       int
	least      int // of each number
	example    string
	shape      func(visible int, hidden []int) bm.Graph
	ofLayers   bool // the recipe lists layers and pairs
	needs      []string
	ownDefault []int // hidden where nothing is given; nil where it has to be
}

func (k machineKind) called() string { return k.name }

var machines = []machineKind{
	{name: "rbm", fewest: 1, most: 1, least: 1, example: "the number of hidden spins, such as 1000",
		shape: func(v int, h []int) bm.Graph { return bm.Restricted(v, h[0], false) }},
	{name: "deep", fewest: 1, most: bm.MostLayers - 1, least: 1, example: "the numbers of hidden spins layer by layer, such as [500, 1000]",
		shape: func(v int, h []int) bm.Graph { return bm.Deep(v, h...) }},
	{name: "full", fewest: 1, most: 1, least: 0, ownDefault: []int{0}, example: "the number of hidden spins, such as 0 or 8",
		shape: func(v int, h []int) bm.Graph { return bm.Full(v, h[0]) }},
	{name: "hybrid", fewest: 1, most: 1, least: 1, example: "the number of Gaussian hidden units, such as 30",
		shape: func(v int, h []int) bm.Graph { return bm.Hybrid(v, h[0]) }},
	{name: "graph", ofLayers: true, needs: []string{"layers", "pairs"}},
}

// Graph returns the layers and pairs of the recipe's machine with so many visible spins, or a
// *FieldError.
func (r *Recipe) Graph(visible int) (bm.Graph, error) {
	m := r.Machine
	k, ok := find(machines, m.Kind)
	if !ok {
		return bm.Graph{}, oneOf("machine.kind", m.Kind, names(machines))
	}
	var g bm.Graph
	if k.ofLayers {
		var err error
		if g, err = m.listed(visible); err != nil {
			return g, err
		}
	} else {
		g = k.shape(visible, m.Hidden)
	}
	for l := range g.Layers {
		off := (m.Offset == "off" || m.Offset == "sparse" && l != bm.Visible) && g.Layers[l].Kind == bm.Spins
		mean := (m.Offset == "mean" || m.Offset == "sparse") && l == bm.Visible
		g.Layers[l].Offset, g.Layers[l].Off = off || mean || m.Offset == "all", off
	}
	return g, nil
}

// listed returns the graph that layers and pairs list.
func (m Machine) listed(visible int) (bm.Graph, error) {
	var g bm.Graph
	place := map[string]int{}
	for i, l := range *m.Layers {
		path := fmt.Sprintf("machine.layers[%d]", i)
		kind := bm.Spins
		if l.Kind != nil {
			kind = bm.Kind(*l.Kind)
		}
		size := visible
		switch {
		case l.Name == "":
			return g, wrong(path, "has no name, such as {name: h, size: 500}")
		case l.Name == "visible" && l.Size != nil:
			return g, wrong(path+".size", "the visible layer has as many spins as the data: leave it out")
		case l.Name != "visible" && l.Size == nil:
			return g, wrong(path, "%s has no size, such as {name: %s, size: 500}", l.Name, l.Name)
		case l.Size != nil && (*l.Size < 1 || *l.Size > mostSpins):
			return g, wrong(path+".size", "%d is out of range, want 1 to %d", *l.Size, mostSpins)
		case kind != bm.Spins && kind != bm.Gaussian:
			return g, wrong(path+".kind", "%q is unknown, want %s or %s", kind, bm.Spins, bm.Gaussian)
		case l.Name == "visible" && kind != bm.Spins:
			return g, wrong(path+".kind", "the visible layer is of spins")
		}
		if _, twice := place[l.Name]; twice {
			return g, wrong(path+".name", "a layer %s is there already", l.Name)
		}
		if l.Size != nil {
			size = *l.Size
		}
		place[l.Name] = i
		g.Layers = append(g.Layers, bm.Layer{Name: l.Name, N: size, Kind: kind})
	}
	if at, ok := place["visible"]; !ok || at != 0 {
		return g, wrong("machine.layers", "the first layer has to be {name: visible}")
	}
	if len(g.Layers) > bm.MostLayers {
		return g, wrong("machine.layers", "%d layers, at most %d can be", len(g.Layers), bm.MostLayers)
	}
	met := make([]bool, len(g.Layers))
	for i, p := range *m.Pairs {
		path := fmt.Sprintf("machine.pairs[%d]", i)
		if len(p) != 2 {
			return g, wrong(path, "%d layers, want two, such as [visible, h], or one twice", len(p))
		}
		var ends [2]int
		for j, name := range p {
			at, ok := place[name]
			if !ok {
				return g, wrong(fmt.Sprintf("%s[%d]", path, j), "there is no layer %q, only %s", name, strings.Join(layerNames(g), ", "))
			}
			ends[j], met[at] = at, true
		}
		pair := bm.Pair{A: min(ends[0], ends[1]), B: max(ends[0], ends[1])}
		if slices.Contains(g.Pairs, pair) {
			return g, wrong(path, "the pair [%s, %s] is there already", p[0], p[1])
		}
		if g.Layers[pair.A].Kind == bm.Gaussian && g.Layers[pair.B].Kind == bm.Gaussian {
			return g, wrong(path, "Gaussian layers cannot be coupled: their energy may have no bottom")
		}
		g.Pairs = append(g.Pairs, pair)
	}
	for l, ok := range met {
		if !ok {
			return g, wrong(fmt.Sprintf("machine.layers[%d]", l), "the layer %s is in no pair", g.Layers[l].Name)
		}
	}
	if l := g.Apart(); l >= 0 {
		return g, wrong("machine.pairs", "no chain of pairs leads from the layer %s to the visible one", g.Layers[l].Name)
	}
	if err := g.Check(); err != nil {
		return g, wrong("machine", "%v", err)
	}
	return g, nil
}

func layerNames(g bm.Graph) []string {
	var names []string
	for _, l := range g.Layers {
		names = append(names, l.Name)
	}
	return names
}

// sumsOut reports whether all hidden layers of the recipe's machine sum out given the visible one;
// of a wrong recipe it is true.
func (r *Recipe) sumsOut() bool {
	if k, ok := find(machines, r.Machine.Kind); !ok || k.ofLayers && (r.Machine.Layers == nil || r.Machine.Pairs == nil) || !k.ofLayers && len(r.Machine.Hidden) < k.fewest {
		return true
	}
	g, err := r.Graph(1)
	return err != nil || len(g.DataView().Left) == 1
}

func (r *Recipe) checkMachine() error {
	m := r.Machine
	if err := oneOf("machine.kind", m.Kind, names(machines)); err != nil {
		return err
	}
	k, _ := find(machines, m.Kind)
	if m.OffsetRate != nil && slices.Contains([]string{"none", "mean", "off", "sparse"}, m.Offset) {
		return wrong("machine.offset_rate", "has no meaning for offset %s, which stays: take offset: all, or leave it out (--set machine.offset_rate=null)", m.Offset)
	}
	if err := given("machine", "kind "+m.Kind, m, defaults(r).Machine, k.needs, []string{"start", "bias_rate"}); err != nil {
		return err
	}
	switch {
	case k.ofLayers && m.Hidden != nil:
		return wrong("machine.hidden", "has no meaning for kind graph, which lists layers")
	case !k.ofLayers && m.Hidden == nil:
		return wrong("machine.hidden", "is missing: %s", k.example)
	case !k.ofLayers && (len(m.Hidden) < k.fewest || len(m.Hidden) > k.most):
		if k.most == 1 {
			return wrong("machine.hidden", "%d numbers, want one: %s", len(m.Hidden), k.example)
		}
		return wrong("machine.hidden", "%d layers, want %d to %d: %s", len(m.Hidden), k.fewest, k.most, k.example)
	}
	for i, n := range m.Hidden {
		if n < k.least || n > mostSpins {
			path := "machine.hidden"
			if len(m.Hidden) > 1 {
				path = fmt.Sprintf("machine.hidden[%d]", i)
			}
			return wrong(path, "%d is out of range, want %d to %d", n, k.least, mostSpins)
		}
	}
	g, err := r.Graph(1)
	if err != nil {
		return err
	}
	if err := oneOf("machine.biases", m.Biases, []string{"none", "visible", "hidden", "both"}); err != nil {
		return err
	}
	if m.Biases == "hidden" && len(g.Layers) == 1 {
		return wrong("machine.biases", "there are no hidden layers, want none or visible")
	}
	if m.Start != nil {
		if err := oneOf("machine.start", *m.Start, []string{"zero", "data"}); err != nil {
			return err
		}
		if *m.Start == "data" && (m.Biases == "none" || m.Biases == "hidden") {
			return wrong("machine.start", "data sets the visible biases, and machine.biases is %s: take visible or both", m.Biases)
		}
	}
	if m.BiasRate != nil {
		if m.Biases == "none" {
			return wrong("machine.bias_rate", "has no meaning where machine.biases is none: leave it out, or take visible, hidden or both")
		}
		if err := within("machine.bias_rate", *m.BiasRate, 0, math.MaxFloat32); err != nil {
			return err
		}
	}
	if err := oneOf("machine.offset", m.Offset, []string{"none", "mean", "all", "off", "sparse"}); err != nil {
		return err
	}
	if m.OffsetRate != nil {
		if !(*m.OffsetRate >= 0 && *m.OffsetRate <= 1) {
			return wrong("machine.offset_rate", "%v is out of range, want 0 to 1", *m.OffsetRate)
		}
		if *m.OffsetRate > 0 && m.Biases != "both" && !(len(g.Layers) == 1 && m.Biases == "visible") {
			return wrong("machine.biases", "%s leaves a layer without biases, which take up what moving offsets change: want both, or machine.offset_rate=0", m.Biases)
		}
	}
	return nil
}
