package watch

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"

	"mattis/run"
	"mattis/tensorfile"
)

// Layer is a layer of spins.
type Layer struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	Bias bool   `json:"bias"`
	Kind string `json:"kind"` // spins, or what the checkpoint says
}

// Pair is the couplings between two layers.
type Pair struct {
	A        string `json:"a"`
	B        string `json:"b"`
	Kind     string `json:"kind"`     // axons or dense
	Patterns int    `json:"patterns"` // of axons
}

func (p Pair) name() string { return p.A + "-" + p.B }

// Array is a tensor of a checkpoint.
type Array struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// describe sets the layers and pairs to those of a checkpoint.
func (m *Machine) describe(c *run.Checkpoint) {
	meta := c.File.Metadata
	whole := func(key string) int { n, _ := strconv.Atoi(meta[key]); return max(n, 0) }
	m.Step, m.Epoch, m.Height, m.Width = c.Step, whole("epoch"), whole("height"), whole("width")
	m.Layers, m.Pairs, m.Arrays = []Layer{}, []Pair{}, []Array{}
	sizes := map[string]int{}
	var order []string
	layer := func(name string, size int) {
		if _, ok := sizes[name]; !ok {
			order = append(order, name)
		}
		sizes[name] = max(sizes[name], size)
	}
	// Other machines than the restricted one list their layers and pairs in the metadata.
	kinds := map[string]string{}
	var listed []struct {
		Name string `json:"name"`
		Size int    `json:"size"`
		Kind string `json:"kind"`
	}
	if json.Unmarshal([]byte(meta["layers"]), &listed) == nil {
		for _, x := range listed {
			layer(x.Name, x.Size)
			kinds[x.Name] = x.Kind
		}
	}
	tensors := c.File.Tensors
	for _, t := range tensors {
		m.Arrays = append(m.Arrays, Array{t.Name, append([]int{}, t.Shape...)})
	}
	pair := func(name string) (a, b string, ok bool) {
		if name == "" {
			return "visible", "hidden", true
		}
		a, b, ok = strings.Cut(strings.TrimPrefix(name, "."), "-")
		return a, b, ok && a != "" && b != ""
	}
	if _, ok := c.File.Tensor("patterns.visible"); ok { // visible comes first
		layer("visible", 0)
	}
	gains := map[string]bool{}
	for _, t := range tensors {
		if rest, ok := strings.CutPrefix(t.Name, "weights"); ok && len(t.Shape) == 2 {
			if a, b, ok := pair(rest); ok {
				layer(a, t.Shape[0])
				layer(b, t.Shape[1])
				m.Pairs = append(m.Pairs, Pair{A: a, B: b, Kind: "dense"})
			}
		}
		if rest, ok := strings.CutPrefix(t.Name, "patterns."); ok && len(t.Shape) == 2 {
			layer(rest, t.Shape[1])
		}
		if rest, ok := strings.CutPrefix(t.Name, "log_gain"); ok {
			gains[rest] = true
		}
	}
	for _, rest := range slices.Sorted(maps.Keys(gains)) {
		a, b, ok := pair(rest)
		pa, okA := c.File.Tensor("patterns." + a)
		_, okB := c.File.Tensor("patterns." + b)
		if ok && okA && okB && len(pa.Shape) == 2 {
			m.Pairs = append(m.Pairs, Pair{A: a, B: b, Kind: "axons", Patterns: pa.Shape[0]})
		}
	}
	for _, n := range order {
		_, bias := c.File.Tensor("bias." + n)
		m.Layers = append(m.Layers, Layer{n, sizes[n], bias, cmp.Or(kinds[n], "spins")})
	}
	place := func(n string) int { return slices.Index(order, n) }
	slices.SortStableFunc(m.Pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(place(a.A), place(b.A)), cmp.Compare(place(a.B), place(b.B)))
	})
}

// matrix returns a tensor of two dimensions, or nil.
func matrix(f *tensorfile.File, name string) *mat.Dense {
	t, ok := f.Tensor(name)
	if !ok || len(t.Shape) != 2 || t.Len() == 0 {
		return nil
	}
	x := tensorfile.Floats[float64](t)
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	}
	return mat.NewDense(t.Shape[0], t.Shape[1], x)
}

// scalar returns the only value of a tensor, or other.
func scalar(f *tensorfile.File, name string, other float64) float64 {
	t, ok := f.Tensor(name)
	if !ok || t.Len() != 1 {
		return other
	}
	return tensorfile.Floats[float64](t)[0]
}

// gainName returns the name of a pair's log gain.
func gainName(f *tensorfile.File, p Pair) string {
	if n := "log_gain." + p.name(); p.A != "visible" || p.B != "hidden" {
		return n
	} else if _, ok := f.Tensor(n); ok {
		return n
	}
	return "log_gain"
}
