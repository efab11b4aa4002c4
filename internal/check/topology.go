package check

import (
	"fmt"
	"math"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/rng"
)

// Topologies are the graphs that every suite ranges over: each machine of Machines is one of them.
// A line here is tested everywhere.
var Topologies = []struct {
	Name  string
	Graph bm.Graph
	Off   bool // there are machines of it with offsets at off
}{
	{"restricted", bm.Restricted(4, 3, false), true},
	{"deep of two", bm.Deep(4, 3, 2), true},
	{"deep of three", bm.Deep(3, 2, 3, 2), false},
	{"full", bm.Full(6, 0), false},
	{"full with hidden", bm.Full(4, 3), true},
	{"hybrid", bm.Hybrid(5, 3), true},
	{"triangle", bm.Graph{
		Layers: []bm.Layer{{Name: "visible", N: 3, Kind: bm.Spins}, {Name: "a", N: 2, Kind: bm.Spins}, {Name: "b", N: 3, Kind: bm.Spins}},
		Pairs:  []bm.Pair{{A: 0, B: 1}, {A: 0, B: 2}, {A: 1, B: 2}},
	}, true},
	{"gaussian top", bm.Graph{
		Layers: []bm.Layer{{Name: "visible", N: 4, Kind: bm.Spins}, {Name: "h", N: 3, Kind: bm.Spins}, {Name: "z", N: 2, Kind: bm.Gaussian}},
		Pairs:  []bm.Pair{{A: 0, B: 1}, {A: 1, B: 2}},
	}, false},
	{"complete", bm.Graph{ // two hidden layers on the left side, whose order is turned in reverse sweeps
		Layers: []bm.Layer{{Name: "visible", N: 2, Kind: bm.Spins}, {Name: "a", N: 2, Kind: bm.Spins}, {Name: "b", N: 2, Kind: bm.Spins}, {Name: "c", N: 2, Kind: bm.Spins}},
		Pairs:  []bm.Pair{{A: 0, B: 1}, {A: 0, B: 2}, {A: 0, B: 3}, {A: 1, B: 2}, {A: 1, B: 3}, {A: 2, B: 3}},
	}, false},
}

// Machines returns machines of every topology with dense couplings and axons, plain and with biases
// and offsets on all layers, all parameters random and none of them special; and after them such as
// have offsets that stay at off, on all layers and on the hidden ones.
func Machines(e compute.Engine, key rng.Key) []Small {
	var all []Small
	for _, off := range []string{"", "at off", "hidden ones at off"} {
		for n, t := range Topologies {
			for i, axons := range []bool{false, true} {
				for _, full := range []bool{false, true} {
					if off != "" && !(full && t.Off) {
						continue
					}
					name := fmt.Sprintf("%s, %s, biases and offsets %v", t.Name, [2]string{"dense", "axons"}[i], full)
					if off != "" {
						name += ", " + off
					}
					all = append(all, Small{name, machineOf(e, t.Graph, axons, full, off, key.Fold(uint64(n)).Fold(uint64(i)))})
				}
			}
		}
	}
	return all
}

// machineOf returns a machine of the graph with random parameters. off names the layers of spins whose offsets
// stay at off; Gaussian layers are then without one.
func machineOf(e compute.Engine, graph bm.Graph, axons, full bool, off string, k rng.Key) *bm.Machine {
	g := bm.Graph{Layers: append([]bm.Layer(nil), graph.Layers...), Pairs: graph.Pairs}
	biased := make([]bool, len(g.Layers))
	for l := range g.Layers {
		spins := g.Layers[l].Kind == bm.Spins
		g.Layers[l].Offset, biased[l] = full && (off == "" || spins), full
		g.Layers[l].Off = off != "" && spins && !(l == bm.Visible && off == "hidden ones at off")
	}
	var c bm.Couplings
	if axons {
		a := bm.NewAxons(e, g, 3, true)
		a.Uniform(1, k.Fold(0))
		for p := range g.Pairs {
			a.SetPairGain(p, max(0.1, 0.7-0.2*float64(p)))
		}
		c = a
	} else {
		d := bm.NewDense(e, g)
		d.Normal(0.4, k.Fold(0))
		c = d
	}
	m := bm.New(e, c, biased...)
	for l := range g.Layers {
		for j, to := range []compute.Matrix{m.Bias(l).Value, c.Offset(l)} {
			if to.IsNone() || j == 1 && g.Layers[l].Off {
				continue
			}
			x := make([]float32, to.Len())
			for s := range x {
				x[s] = float32(0.4 * k.Fold(uint64(10+2*l+j)).Normal(0, uint64(s)))
			}
			compute.Write(e, to, x)
		}
	}
	return m
}

// PairWeights returns the W of a pair in float64 by the definition of its couplings; that of a
// layer with itself has a diagonal of 0.
func PairWeights(m *bm.Machine, pair int) [][]float64 {
	g := m.Graph()
	p := g.Pairs[pair]
	w := make([][]float64, g.Layers[p.A].N)
	for i := range w {
		w[i] = make([]float64, g.Layers[p.B].N)
	}
	switch c := m.Couplings().(type) {
	case *bm.Dense:
		x := values(m, c.Weights(pair).Value)
		for i := range w {
			copy(w[i], x[i*len(w[i]):])
		}
	case *bm.Axons:
		x, y := values(m, c.Patterns(p.A).Value), values(m, c.Patterns(p.B).Value)
		factor := float64(compute.Factor(1/math.Sqrt(float64(c.K())), float32(values(m, c.LogGain(pair).Value)[0])))
		for i := range w {
			for j := range w[i] {
				if p.A == p.B && i == j {
					continue
				}
				for k := range c.K() {
					w[i][j] += factor * x[k*len(w)+i] * y[k*len(w[i])+j]
				}
			}
		}
	}
	return w
}

// Exact is a machine's energy in float64, by loops that share nothing with the kernels but the
// rounded factors g/sqrt K.
type Exact struct {
	graph        bm.Graph
	weights      [][][]float64 // of each pair
	bias, offset [][]float64   // of each layer, 0 where it has none
	constant     float64
	spins        []int // layers of spins
}

// ExactOf reads the machine's parameters.
func ExactOf(m *bm.Machine) *Exact {
	x := &Exact{graph: m.Graph(), constant: m.Constant()}
	for i := range x.graph.Pairs {
		x.weights = append(x.weights, PairWeights(m, i))
	}
	row := func(to compute.Matrix, n int) []float64 {
		if to.IsNone() {
			return make([]float64, n)
		}
		return values(m, to)
	}
	for l, layer := range x.graph.Layers {
		x.bias = append(x.bias, row(m.Bias(l).Value, layer.N))
		x.offset = append(x.offset, row(m.Couplings().Offset(l), layer.N))
		if layer.Kind == bm.Spins {
			x.spins = append(x.spins, l)
		}
	}
	return x
}

// Spins returns how many spins there are in all layers.
func (x *Exact) Spins() (n int) {
	for _, l := range x.spins {
		n += x.graph.Layers[l].N
	}
	return n
}

// Split returns the layers of the state of that number: the spins of the layers one after the
// other, nil for Gaussian ones.
func (x *Exact) Split(state uint64) [][]int8 {
	s := make([][]int8, len(x.graph.Layers))
	for _, l := range x.spins {
		s[l] = make([]int8, x.graph.Layers[l].N)
		exact.SetState(s[l], state)
		state >>= x.graph.Layers[l].N
	}
	return s
}

// Field returns the field on spin i of layer l, biases included, by the spins of all others that
// are there.
func (x *Exact) Field(s [][]int8, l, i int) float64 {
	f := x.bias[l][i]
	for n, p := range x.graph.Pairs {
		if p.A == l && s[p.B] != nil {
			for j, y := range s[p.B] {
				f += x.weights[n][i][j] * (float64(y) - x.offset[p.B][j])
			}
		}
		if p.B == l && p.A != l && s[p.A] != nil {
			for j, y := range s[p.A] {
				f += x.weights[n][j][i] * (float64(y) - x.offset[p.A][j])
			}
		}
	}
	return f
}

// Energy returns E of the spins of all layers, Gaussian layers integrated out.
func (x *Exact) Energy(s [][]int8) float64 {
	e := x.constant
	for n, p := range x.graph.Pairs {
		for i := range s[p.A] {
			for j := range s[p.B] {
				if p.A == p.B && j <= i {
					continue
				}
				e -= x.weights[n][i][j] * (float64(s[p.A][i]) - x.offset[p.A][i]) * (float64(s[p.B][j]) - x.offset[p.B][j])
			}
		}
	}
	for l, layer := range x.graph.Layers {
		for i := range layer.N {
			if layer.Kind == bm.Spins {
				e -= x.bias[l][i] * float64(s[l][i])
				continue
			}
			// z of the term -(z-m) f - b z + z^2/2 with f the field without the bias.
			f := x.Field(s, l, i)
			e -= f*f/2 - x.offset[l][i]*(f-x.bias[l][i])
		}
	}
	return e
}

// Energies returns E of all states of the spins, in the order of their numbers.
func (x *Exact) Energies() []float64 {
	e := make([]float64, 1<<x.Spins())
	for s := range e {
		e[s] = x.Energy(x.Split(uint64(s)))
	}
	return e
}

// Probabilities returns the Boltzmann probabilities of all states of the spins, and log Z.
func (x *Exact) Probabilities() (p []float64, logZ float64) {
	p = x.Energies()
	var z exact.LogSum
	for _, e := range p {
		z.Add(-e)
	}
	logZ = z.Log()
	for i, e := range p {
		p[i] = math.Exp(-e - logZ)
	}
	return p, logZ
}

// LogVisible returns log p(v) of each visible state.
func (x *Exact) LogVisible() []float64 {
	p, _ := x.Probabilities()
	v := make([]float64, 1<<x.graph.Layers[bm.Visible].N)
	for s, y := range p {
		v[s%len(v)] += y
	}
	for i, y := range v {
		v[i] = math.Log(y)
	}
	return v
}
