package recipe

import (
	"fmt"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/run"
	"mattis/tensorfile"
)

// Taken says what a machine has of another run's: the parameters by name, and those that are as
// they were drawn. Both are empty where all are taken. Left are those of the other machine that
// this one has no place for.
type Taken struct{ From, Drawn, Left []string }

// Initialize sets the parameters to those of another run's newest checkpoint. Of a machine with the
// same layers and pairs all are taken, and shapes have to agree; of another one those of equal name
// and shape are, the hidden layer of a restricted machine being hidden1 of a deep one. It is an
// error where there are none, and where processes that share the training find different newest
// checkpoints. The newer checkpoints that were damaged are in refused.
func (t *Training) Initialize(from *run.Directory) (taken Taken, refused []error, err error) {
	c, refused, err := from.Newest()
	if err != nil {
		return taken, refused, err
	}
	if err := sameStep(t.comm, from.Path(), c.Step); err != nil {
		return taken, refused, err
	}
	params, f := t.Machine.Params(), c.File
	if !t.sameGraph(f) {
		if params, f, taken, err = t.alike(f); err != nil {
			return taken, refused, fmt.Errorf("%s: %w", c.Path, err)
		}
	} else {
		taken.Left = leftOver(f, func(i int) bool {
			return slices.ContainsFunc(params, func(p bm.Param) bool { return p.Name == f.Tensors[i].Name })
		})
	}
	if err := restore(t.Machine.Engine(), params, f); err != nil {
		return taken, refused, fmt.Errorf("%s: %w", c.Path, err)
	}
	if a := t.Trainer.Average; a != nil {
		a.Return()
	}
	return taken, passedOver(refused, "update %d is taken", c.Step), nil
}

// sameGraph reports whether the file is of a machine with the names of the training's layers and
// its pairs.
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

// alike returns the parameters that the file has tensors of equal shape for, and these tensors
// under the parameters' names. Each is taken once, by the parameter of its own name if there is
// one.
func (t *Training) alike(f *tensorfile.File) (params []bm.Param, own *tensorfile.File, taken Taken, err error) {
	g, e, all := t.Machine.Graph(), t.Machine.Engine(), t.Machine.Params()
	used, found := make([]bool, len(f.Tensors)), make([]int, len(all))
	find := func(p bm.Param, names []string) int {
		for _, name := range names {
			i := slices.IndexFunc(f.Tensors, func(x tensorfile.Tensor) bool { return x.Name == name })
			if i >= 0 && !used[i] && slices.Equal(f.Tensors[i].Shape, tensor(e, p).Shape) {
				used[i] = true
				return i
			}
		}
		return -1
	}
	all = slices.DeleteFunc(all, func(p bm.Param) bool {
		if p.Fixed { // it is used where it says the same, and left over elsewhere
			if i := find(p, otherNames(g, p.Name, f.Metadata["format"] == formatName)); i >= 0 {
				x := f.Tensors[i]
				x.Name = p.Name
				used[i] = restore(e, []bm.Param{p}, &tensorfile.File{Tensors: []tensorfile.Tensor{x}}) == nil
			}
		}
		return p.Fixed
	})
	for n, p := range all {
		found[n] = find(p, []string{p.Name})
	}
	own = &tensorfile.File{Metadata: f.Metadata}
	for n, p := range all {
		if found[n] < 0 {
			found[n] = find(p, otherNames(g, p.Name, f.Metadata["format"] == formatName))
		}
		if found[n] < 0 {
			taken.Drawn = append(taken.Drawn, p.Name)
			continue
		}
		x := f.Tensors[found[n]]
		x.Name = p.Name
		own.Tensors = append(own.Tensors, x)
		taken.From = append(taken.From, p.Name)
		params = append(params, p)
	}
	if len(params) == 0 {
		return nil, nil, taken, fmt.Errorf("it has no parameter of a name and shape of this machine's, which are %s", strings.Join(taken.Drawn, ", "))
	}
	taken.Left = leftOver(f, func(i int) bool { return used[i] })
	return params, own, taken, nil
}

// leftOver returns the names of the parameters of a machine in the file that are not used.
func leftOver(f *tensorfile.File, used func(i int) bool) (left []string) {
	for i, x := range f.Tensors {
		word, _, _ := strings.Cut(x.Name, ".")
		switch word {
		case weightsName, "patterns", logGainName, "bias", "offset", constantName:
			if !used(i) {
				left = append(left, x.Name)
			}
		}
	}
	return left
}

// otherNames returns what a parameter may be called in another machine's file: by its own name, and
// where the file is of a restricted machine or this one is, by that of the pair of the visible
// layer with the first hidden one.
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
