package recipe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mattis/bm"
	"mattis/compute"
	"mattis/tensorfile"
)

// formatName is the checkpoints' format and its version, kept in their metadata.
const formatName = "mattis 1"

// checkpoint returns the file that holds everything a training goes on from.
func (t *Training) checkpoint() *tensorfile.File {
	f := &tensorfile.File{Metadata: map[string]string{
		"format": formatName,
		"epoch":  strconv.Itoa(t.Trainer.Step / t.Trainer.StepsPerEpoch()),
		"key":    strconv.FormatUint(uint64(t.Trainer.Key), 16),
		"recipe": t.Recipe.Digest(),
		"data":   t.Split.Train.Digest(),
		"height": strconv.Itoa(t.Split.Train.Height),
		"width":  strconv.Itoa(t.Split.Train.Width),
	}}
	if names := t.Split.Train.LabelNames; names != nil {
		f.Metadata[labelsKey] = encodeLabels(names)
	}
	for _, p := range t.Trainer.State() {
		f.Tensors = append(f.Tensors, tensor(t.Machine.Engine(), p))
	}
	return f
}

// tensor returns the parameter as a checkpoint keeps it.
func tensor(e compute.Engine, p bm.Param) tensorfile.Tensor {
	shape := []int{p.Value.Rows(), p.Value.Cols()}
	switch {
	case p.Name == logGainName, p.Name == constantName:
		shape = nil
	case strings.HasPrefix(p.Name, "bias."), strings.HasPrefix(p.Name, "offset."):
		shape = shape[1:]
	}
	switch p.Value.Type() {
	case compute.Float64:
		x := make([]float64, p.Value.Len())
		e.Read(x, p.Value)
		return tensorfile.New(p.Name, x, shape...)
	case compute.Int8:
		x := make([]int8, p.Value.Len())
		e.Read(x, p.Value)
		return tensorfile.New(p.Name, x, shape...)
	}
	x := make([]float32, p.Value.Len())
	e.Read(x, p.Value)
	return tensorfile.New(p.Name, x, shape...)
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
			e.Write(p.Value, x)
		case []float64:
			for i, v := range x {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("tensor %s: entry %d is %v", p.Name, i, v)
				}
			}
			e.Write(p.Value, x)
		case []int8:
			for i, v := range x {
				if v != -1 && v != 1 {
					return fmt.Errorf("tensor %s: entry %d is %d, no spin", p.Name, i, v)
				}
			}
			e.Write(p.Value, x)
		}
	}
	return nil
}
