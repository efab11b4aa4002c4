package bm

import (
	"fmt"
	"regexp"
	"slices"
)

// Kind says what a layer is made of.
type Kind string

// The kinds of layers.
const (
	Spins    Kind = "spins"    // -1 and +1
	Gaussian Kind = "gaussian" // real numbers: given the rest, of variance 1 around their fields
)

// The layers of a restricted machine. Visible is the first layer of every machine.
const (
	Visible = 0
	Hidden  = 1
)

// Layer is one of the layers of a graph.
type Layer struct {
	Name   string // [a-z][a-z0-9_]*; tensors are named after it
	N      int
	Kind   Kind
	Offset bool // s - m stands for s in the energy of its pairs (centring)

	// Off says that the offset is -1 and stays: s+1 stands for s, which is 0 of a spin that is off and
	// 2 of one that is on. It goes with Offset, and with spins alone.
	Off bool
}

// Pair says that the layers A <= B are coupled, each spin of the one with each of the other. A == B
// couples the spins of one layer with each other, each two of them once and none with itself.
type Pair struct{ A, B int }

// Graph says which layers a machine has, the visible one first, and which of them are coupled.
type Graph struct {
	Layers []Layer
	Pairs  []Pair
}

// MostLayers is how many layers a graph may have.
const MostLayers = 16

var layerName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Restricted returns the graph of a restricted machine, in which visible spins meet hidden ones and
// nothing else.
func Restricted(visible, hidden int, offset bool) Graph {
	return Graph{[]Layer{{Name: "visible", N: visible, Kind: Spins, Offset: offset}, {Name: "hidden", N: hidden, Kind: Spins}}, []Pair{{0, 1}}}
}

// Deep returns the graph of a deep machine, in which each layer meets the one before it. The hidden
// layers are hidden1, hidden2, ..., or hidden where there is one.
func Deep(visible int, hidden ...int) Graph {
	g := Graph{Layers: []Layer{{Name: "visible", N: visible, Kind: Spins}}}
	for i, n := range hidden {
		name := "hidden"
		if len(hidden) > 1 {
			name = fmt.Sprintf("hidden%d", i+1)
		}
		g.Layers = append(g.Layers, Layer{Name: name, N: n, Kind: Spins})
		g.Pairs = append(g.Pairs, Pair{i, i + 1})
	}
	return g
}

// Full returns the graph of a fully connected machine: every two spins meet. Without hidden spins
// it is the Ising or Hopfield model of the visible ones.
func Full(visible, hidden int) Graph {
	g := Graph{[]Layer{{Name: "visible", N: visible, Kind: Spins}}, []Pair{{0, 0}}}
	if hidden > 0 {
		g.Layers = append(g.Layers, Layer{Name: "hidden", N: hidden, Kind: Spins})
		g.Pairs = []Pair{{0, 0}, {0, 1}, {1, 1}}
	}
	return g
}

// Hybrid returns the graph of the paper's hybrid machine (Appendix E): visible spins and a hidden
// Gaussian layer.
func Hybrid(visible, hidden int) Graph {
	return Graph{[]Layer{{Name: "visible", N: visible, Kind: Spins}, {Name: "hidden", N: hidden, Kind: Gaussian}}, []Pair{{0, 1}}}
}

// Check returns what is wrong with the graph.
func (g Graph) Check() error {
	if len(g.Layers) == 0 || g.Layers[0].Name != "visible" || g.Layers[0].Kind != Spins {
		return fmt.Errorf("the first layer has to be visible and of spins")
	}
	if len(g.Layers) > MostLayers {
		return fmt.Errorf("%d layers, at most %d can be", len(g.Layers), MostLayers)
	}
	met := make([]bool, len(g.Layers))
	for i, l := range g.Layers {
		switch {
		case !layerName.MatchString(l.Name):
			return fmt.Errorf("layer %q: want a name of small letters, digits and _ that begins with a letter", l.Name)
		case slices.ContainsFunc(g.Layers[:i], func(o Layer) bool { return o.Name == l.Name }):
			return fmt.Errorf("two layers are named %s", l.Name)
		case l.N < 1:
			return fmt.Errorf("layer %s has %d spins, want at least 1", l.Name, l.N)
		case l.Kind != Spins && l.Kind != Gaussian:
			return fmt.Errorf("layer %s: kind %q, want %s or %s", l.Name, l.Kind, Spins, Gaussian)
		case l.Off && (!l.Offset || l.Kind != Spins):
			return fmt.Errorf("layer %s: its offset is to stay at off, which wants an offset, and spins", l.Name)
		}
	}
	for i, p := range g.Pairs {
		if p.A < 0 || p.B < p.A || p.B >= len(g.Layers) {
			return fmt.Errorf("pair %d couples the layers %d and %d of %d", i, p.A, p.B, len(g.Layers))
		}
		if slices.Contains(g.Pairs[:i], p) {
			return fmt.Errorf("the pair %s is there twice", g.PairName(i))
		}
		if g.Layers[p.A].Kind == Gaussian && g.Layers[p.B].Kind == Gaussian {
			return fmt.Errorf("the pair %s couples Gaussian layers, whose sum can be infinite", g.PairName(i))
		}
		met[p.A], met[p.B] = true, true
	}
	for i, l := range g.Layers {
		if !met[i] {
			return fmt.Errorf("the layer %s is in no pair", l.Name)
		}
	}
	if l := g.Apart(); l >= 0 {
		return fmt.Errorf("no chain of pairs leads from the layer %s to the visible one", g.Layers[l].Name)
	}
	return nil
}

// Apart returns a layer that no chain of pairs joins with the visible one, or -1: it would be a
// machine of its own.
func (g Graph) Apart() int {
	joined := make([]bool, len(g.Layers))
	joined[Visible] = true
	for range g.Layers {
		for _, p := range g.Pairs {
			if joined[p.A] || joined[p.B] {
				joined[p.A], joined[p.B] = true, true
			}
		}
	}
	return slices.Index(joined, false)
}

// PairName returns the name of a pair: A-B.
func (g Graph) PairName(pair int) string {
	p := g.Pairs[pair]
	return g.Layers[p.A].Name + "-" + g.Layers[p.B].Name
}

// TensorName returns the name of a pair's tensor: word.A-B, or the word alone in a restricted
// machine.
func (g Graph) TensorName(word string, pair int) string {
	if g.IsRestricted() {
		return word
	}
	return word + "." + g.PairName(pair)
}

// IsRestricted reports whether the graph is that of a restricted machine of spins.
func (g Graph) IsRestricted() bool {
	return len(g.Layers) == 2 && len(g.Pairs) == 1 && g.Pairs[0] == Pair{0, 1} && g.Layers[1].Kind == Spins
}

// single reports whether two layers meet and nothing else, the second one without an offset. Such
// couplings have products of their own.
func (g Graph) single() bool {
	return len(g.Layers) == 2 && len(g.Pairs) == 1 && g.Pairs[0] == Pair{0, 1} && !g.Layers[1].Offset
}

// PairOf returns the pair of two layers, in either order, or -1.
func (g Graph) PairOf(l, m int) int { return slices.Index(g.Pairs, Pair{min(l, m), max(l, m)}) }

// View splits the layers in two sides such that no pair lies within the right one: given the spins
// on the left, those on the right are independent and sum out exactly.
type View struct{ Left, Right []int }

// DataView returns the view with the visible layer and as few other spins as can be on the left.
func (g Graph) DataView() View { return g.view(true) }

// SmallestView returns the view with the fewest spins on the left: what sums over all states list.
// Of equal ones it is that with the visible layer on the left.
func (g Graph) SmallestView() View {
	data, any := g.view(true), g.view(false)
	if g.spins(any.Left) < g.spins(data.Left) {
		return any
	}
	return data
}

func (g Graph) spins(layers []int) (n int) {
	for _, l := range layers {
		n += g.Layers[l].N
	}
	return n
}

// view tries all sides. Gaussian layers are on the right, which no pair of theirs forbids.
func (g Graph) view(visibleLeft bool) View {
	best, least := View{}, -1
	for right := range 1 << len(g.Layers) {
		on := func(l int) bool { return right>>l&1 == 1 }
		if visibleLeft && on(Visible) || slices.ContainsFunc(g.Pairs, func(p Pair) bool { return on(p.A) && on(p.B) }) {
			continue
		}
		var v View
		gaussianLeft := false
		for l, layer := range g.Layers {
			if on(l) {
				v.Right = append(v.Right, l)
				continue
			}
			v.Left = append(v.Left, l)
			gaussianLeft = gaussianLeft || layer.Kind == Gaussian
		}
		if n := g.spins(v.Left); !gaussianLeft && (least < 0 || n < least) {
			best, least = v, n
		}
	}
	return best
}
