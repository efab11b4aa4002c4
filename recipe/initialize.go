package recipe

import (
	"fmt"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/run"
	"mattis/tensorfile"
)

// Taken says what a machine has of another run's: the parameters by name, and those that are as they were drawn. Both are empty where
// all are taken.
type Taken struct{ From, Drawn []string }

// Initialize sets the parameters to those of another run's newest checkpoint. Of a machine with the same layers and pairs all
// are taken, and shapes have to agree; of another one those of equal name and shape are, the hidden layer of a restricted machine being
// hidden1 of a deep one. It is an error where there are none. The newer checkpoints that were damaged are in refused.
func (t *Training) Initialize(from *run.Directory) (taken Taken, refused []error, err error) {
	c, refused, err := from.Newest()
	if err != nil {
		return taken, refused, err
	}
	params := t.Machine.Params()
	if !t.sameGraph(c.File) {
		if params, taken, err = t.alike(c.File); err != nil {
			return taken, refused, fmt.Errorf("%s: %w", c.Path, err)
		}
	}
	if err := restore(t.Machine.Engine(), params, c.File); err != nil {
		return taken, refused, fmt.Errorf("%s: %w", c.Path, err)
	}
	return taken, passedOver(refused, "update %d is taken", c.Step), nil
}

// sameGraph reports whether the file is of a machine with the names of the training's layers and its pairs.
func (t *Training) sameGraph(f *tensorfile.File) bool {
	g := t.Machine.Graph()
	if g.IsRestricted() {
		return f.Metadata["format"] == formatName
	}
	layers, pairs, err := layersOf(f.Metadata)
	if err != nil || len(layers) != len(g.Layers) || len(pairs) != len(g.Pairs) {
		return false
	}
	for i, l := range layers {
		if l.Name != g.Layers[i].Name || l.Kind != g.Layers[i].Kind {
			return false
		}
	}
	for i, p := range pairs {
		if p != [2]string{g.Layers[g.Pairs[i].A].Name, g.Layers[g.Pairs[i].B].Name} {
			return false
		}
	}
	return true
}

// alike returns the parameters that the file has tensors of equal shape for, which get the parameters' names in it.
func (t *Training) alike(f *tensorfile.File) (params []bm.Param, taken Taken, err error) {
	g, e := t.Machine.Graph(), t.Machine.Engine()
	for _, p := range t.Machine.Params() {
		found := -1
		for _, name := range otherNames(g, p.Name, f.Metadata["format"] == formatName) {
			i := slices.IndexFunc(f.Tensors, func(x tensorfile.Tensor) bool { return x.Name == name })
			if i >= 0 && slices.Equal(f.Tensors[i].Shape, tensor(e, p).Shape) {
				found = i
				break
			}
		}
		if found < 0 {
			taken.Drawn = append(taken.Drawn, p.Name)
			continue
		}
		taken.From = append(taken.From, p.Name)
		f.Tensors[found].Name = p.Name
		params = append(params, p)
	}
	if len(params) == 0 {
		return nil, taken, fmt.Errorf("it has no parameter of a name and shape of this machine's, which are %s", strings.Join(taken.Drawn, ", "))
	}
	return params, taken, nil
}

// otherNames returns what a parameter may be called in another machine's file: by its own name, and where the file is of a restricted
// machine or this one is, by that of the pair of the visible layer with the first hidden one.
func otherNames(g bm.Graph, name string, restricted bool) []string {
	names := []string{name}
	swap := func(from, to string) {
		if strings.HasSuffix(name, from) {
			names = append(names, strings.TrimSuffix(name, from)+to)
		}
	}
	switch {
	case restricted:
		swap(".visible-hidden1", "")
		swap(".visible-hidden", "")
		swap(".hidden1", ".hidden")
	case g.IsRestricted():
		if name == weightsName || name == logGainName {
			names = append(names, name+".visible-hidden1", name+".visible-hidden")
		}
		swap(".hidden", ".hidden1")
	default:
		swap(".hidden1", ".hidden")
		swap(".hidden", ".hidden1")
		swap("-hidden1", "-hidden")
		swap("-hidden", "-hidden1")
	}
	return names
}
