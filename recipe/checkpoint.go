package recipe

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/tensorfile"
)

// formatName is the checkpoints' format and its version, kept in their metadata: of restricted
// machines, and of others, which say their layers and pairs too.
const formatName, graphFormat = "mattis 1", "mattis 2"

// format returns the format of the recipe's checkpoints.
func (r *Recipe) format() string {
	if g, err := r.Graph(1); err == nil && !g.IsRestricted() {
		return graphFormat
	}
	return formatName
}

// layerOf is a layer in the metadata of a checkpoint.
type layerOf struct {
	Name string  `json:"name"`
	Size int     `json:"size"`
	Kind bm.Kind `json:"kind"`
}

// layersOf returns the layers and pairs that metadata tell.
func layersOf(metadata map[string]string) (layers []layerOf, pairs [][2]string, err error) {
	if err = json.Unmarshal([]byte(metadata["layers"]), &layers); err == nil {
		err = json.Unmarshal([]byte(metadata["pairs"]), &pairs)
	}
	return layers, pairs, err
}

// describe adds the layers and pairs of a machine to the metadata, which one that is restricted has
// in its tensors.
func (r *Recipe) describe(metadata map[string]string, visible int) {
	g, err := r.Graph(visible)
	if err != nil || g.IsRestricted() {
		return
	}
	var layers []layerOf
	for _, l := range g.Layers {
		layers = append(layers, layerOf{l.Name, l.N, l.Kind})
	}
	pairs := [][2]string{}
	for _, p := range g.Pairs {
		pairs = append(pairs, [2]string{g.Layers[p.A].Name, g.Layers[p.B].Name})
	}
	for key, value := range map[string]any{"layers": layers, "pairs": pairs} {
		text, err := json.Marshal(value)
		if err != nil {
			panic("recipe: " + err.Error())
		}
		metadata[key] = string(text)
	}
}

// checkpoint returns the file that holds everything a training goes on from.
func (t *Training) checkpoint() (*tensorfile.File, error) {
	set := t.Split.Train
	f := &tensorfile.File{Metadata: t.Recipe.metadata(t.Trainer.Key, t.Trainer.Step/t.Trainer.StepsPerEpoch(), set.Height, set.Width, set.LabelNames)}
	f.Metadata["data"] = set.Digest()
	t.Recipe.describe(f.Metadata, set.Visible)
	state, err := t.Trainer.State()
	for _, p := range append(state, t.trackedState()...) {
		f.Tensors = append(f.Tensors, tensor(t.Machine.Engine(), p))
	}
	return f, err
}

// partOf bounds the entries of a parameter that are copied at a time.
const partOf = 1 << 16

// tensor returns the parameter as a checkpoint keeps it. Its entries are read part by part when it
// is written.
func tensor(e compute.Engine, p bm.Param) tensorfile.Tensor {
	shape := []int{p.Value.Rows(), p.Value.Cols()}
	switch {
	case p.Name == logGainName, strings.HasPrefix(p.Name, logGainName+"."), p.Name == constantName:
		shape = nil
	case strings.HasPrefix(p.Name, "bias."), strings.HasPrefix(p.Name, "offset."):
		shape = shape[1:]
	}
	s := tensorfile.Stream{Count: p.Value.Len()}
	switch p.Value.Type() {
	case compute.Float64:
		s.Kind, s.Parts = tensorfile.F64, parts[float64](e, p.Value)
	case compute.Int8:
		s.Kind, s.Parts = tensorfile.I8, parts[int8](e, p.Value)
	default:
		s.Kind, s.Parts = tensorfile.F32, parts[float32](e, p.Value)
	}
	return tensorfile.Tensor{Name: p.Name, Shape: shape, Data: s}
}

// parts returns what reads the matrix some rows at a time.
func parts[E float32 | float64 | int8](e compute.Engine, m compute.Matrix) func(write func(any) error) error {
	return func(write func(any) error) error {
		if m.Len() == 0 {
			return nil
		}
		rows := max(1, partOf/m.Cols())
		x := make([]E, min(rows, m.Rows())*m.Cols())
		for first := 0; first < m.Rows(); first += rows {
			part := m.Slice(first, min(first+rows, m.Rows()))
			compute.Read(e, x[:part.Len()], part)
			if err := write(x[:part.Len()]); err != nil {
				return err
			}
		}
		return nil
	}
}

// restore sets the parameters to the tensors of their names. Every one has to
// be there, with its size and type, and all numbers have to be finite.
func restore(e compute.Engine, params []bm.Param, f *tensorfile.File) error {
	for _, p := range params {
		t, ok := f.Tensor(p.Name)
		if !ok {
			return fmt.Errorf("tensor %s is missing", p.Name)
		}
		want := tensor(e, p)
		if t.Type() != want.Type() || t.Len() != want.Len() || !slices.Equal(t.Shape, want.Shape) {
			return fmt.Errorf("tensor %s is %v %v, want %v %v", p.Name, t.Type(), t.Shape, want.Type(), want.Shape)
		}
		switch x := t.Data.(type) {
		case []float32:
			for i, v := range x {
				if v-v != 0 {
					return fmt.Errorf("tensor %s: entry %d is %v", p.Name, i, v)
				}
			}
			if p.Fixed {
				is := make([]float32, len(x))
				compute.Read(e, is, p.Value)
				for i, v := range x {
					if v != is[i] {
						return fmt.Errorf("tensor %s: entry %d is %v, and this machine's stays at %v", p.Name, i, v, is[i])
					}
				}
			}
			compute.Write(e, p.Value, x)
		case []float64:
			for i, v := range x {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("tensor %s: entry %d is %v", p.Name, i, v)
				}
			}
			compute.Write(e, p.Value, x)
		case []int8:
			for i, v := range x {
				if v != -1 && v != 1 {
					return fmt.Errorf("tensor %s: entry %d is %d, no spin", p.Name, i, v)
				}
			}
			compute.Write(e, p.Value, x)
		}
	}
	return nil
}

// passedOver returns the errors of damaged checkpoints, newest first, of which the last says what
// is taken in their place.
func passedOver(damaged []error, format string, args ...any) []error {
	if n := len(damaged); n > 0 {
		damaged = append(slices.Clone(damaged[:n-1]), fmt.Errorf("%w; %s", damaged[n-1], fmt.Sprintf(format, args...)))
	}
	return damaged
}
