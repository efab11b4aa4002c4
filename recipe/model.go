package recipe

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/negative"
	"mattis/rng"
	"mattis/run"
	"mattis/tensorfile"
)

// Model is a machine read from a checkpoint, with the recipe that trained it
// and the shape of its images. It needs no data until one of its methods reads them.
type Model struct {
	Recipe        *Recipe
	Machine       *bm.Machine
	Axons         *bm.Axons         // nil for dense couplings
	Precision     compute.Precision // of what Sample and Complete draw: the training's, unless it is set
	Step, Epoch   int
	Height, Width int      // 0 for plain rows
	LabelNames    []string // the labels that the last visible spins tell, one spin each; nil for none
	Checkpoint    *run.Checkpoint

	// Binarize is the rule for the greys of files that Rows reads; the zero rule is the recipe's.
	// FileSettings say how files are read beside it: data.header=true and the like.
	Binarize     data.Binarize
	FileSettings []string
}

// Saved is a checkpoint that was read, with the recipe that trained it: what a machine is made of.
type Saved struct {
	*run.Checkpoint
	recipe *Recipe
}

// ReadSaved reads the checkpoint of the step, or the newest good one for a step below 0. The newer
// ones that were refused are in refused. Settings are laid over the directory's recipe; those of the
// data and the measures have an effect.
func ReadSaved(d *run.Directory, step int, settings ...string) (s *Saved, refused []error, err error) {
	text, err := d.Recipe()
	if err != nil {
		return nil, nil, err
	}
	r, err := Parse(d.Path()+"/recipe.yaml", text, settings...)
	if err != nil {
		return nil, nil, err
	}
	r.remember(d)
	var c *run.Checkpoint
	if step >= 0 {
		c, err = d.Checkpoint(step)
	} else {
		c, refused, err = d.Newest()
	}
	if err != nil {
		return nil, refused, err
	}
	return &Saved{c, r}, passedOver(refused, "update %d is taken", c.Step), nil
}

// Model returns the machine, which the checkpoint gives its parameters to: it makes one model.
func (s *Saved) Model(e compute.Engine) (*Model, error) {
	m, err := newModel(s.recipe, s.Checkpoint, e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	return m, nil
}

// LoadModel returns the machine of the checkpoint that ReadSaved reads.
func LoadModel(d *run.Directory, step int, e compute.Engine, settings ...string) (m *Model, refused []error, err error) {
	s, refused, err := ReadSaved(d, step, settings...)
	if err != nil {
		return nil, refused, err
	}
	m, err = s.Model(e)
	return m, refused, err
}

func newModel(r *Recipe, c *run.Checkpoint, e compute.Engine) (*Model, error) {
	if got, want := c.File.Metadata["format"], r.format(); got != want {
		return nil, fmt.Errorf("format %q, want %q", got, want)
	}
	m := &Model{Recipe: r, Precision: r.precision(), Step: c.Step, Checkpoint: c}
	for _, f := range []struct {
		name string
		dst  *int
	}{{"epoch", &m.Epoch}, {"height", &m.Height}, {"width", &m.Width}} {
		n, err := strconv.Atoi(c.File.Metadata[f.name])
		if err != nil || n < 0 {
			return nil, fmt.Errorf("metadata %s is %q, want a number", f.name, c.File.Metadata[f.name])
		}
		*f.dst = n
	}
	var err error
	if m.LabelNames, err = decodeLabels(c.File.Metadata); err != nil {
		return nil, err
	}
	visible, err := r.visibleOf(c.File)
	if err != nil {
		return nil, err
	}
	if pixels := visible - len(m.LabelNames); pixels < 1 || m.Height*m.Width != pixels && m.Height*m.Width != 0 {
		return nil, fmt.Errorf("images of %dx%d, %d labels and %d visible spins", m.Height, m.Width, len(m.LabelNames), visible)
	}
	m.Machine = r.BuildMachine(visible, e)
	m.Axons = m.Machine.Axons()
	if _, ok := c.File.Tensor(constantName); ok {
		m.Machine.SetConstant(0)
	}
	params := m.Machine.Params()
	if err := restore(e, params, c.File); err != nil {
		return nil, err
	}
	// The machine holds them now.
	c.File.Tensors = slices.DeleteFunc(c.File.Tensors, func(t tensorfile.Tensor) bool {
		return slices.ContainsFunc(params, func(p bm.Param) bool { return p.Name == t.Name })
	})
	return m, nil
}

// visibleOf returns the number of visible spins of a checkpoint's machine, or what its couplings
// differ in from the recipe's. Sizes are compared before the recipe's machine takes its memory.
func (r *Recipe) visibleOf(f *tensorfile.File) (int, error) {
	g, err := r.Graph(1)
	if err != nil {
		return 0, err
	}
	visible := 0
	for _, name := range couplingNames(r.Couplings.Kind, g) {
		t, ok := f.Tensor(name)
		if !ok || len(t.Shape) != 2 {
			return 0, fmt.Errorf("it holds no %s couplings, which the recipe has", r.Couplings.Kind)
		}
		switch {
		case name == "patterns.visible":
			visible = t.Shape[1]
		case r.Couplings.Kind == "dense" && visible == 0: // the visible layer is in a pair, and the first one of it
			if p := g.Pairs[slices.Index(couplingNames("dense", g), name)]; p.A == bm.Visible {
				visible = t.Shape[0]
			}
		}
	}
	if visible < 1 {
		return 0, fmt.Errorf("it holds no %s couplings, which the recipe has", r.Couplings.Kind)
	}
	if g, err = r.Graph(visible); err != nil {
		return 0, err
	}
	for i, name := range couplingNames(r.Couplings.Kind, g) {
		want := []int{0, 0}
		if r.Couplings.Kind == "axons" {
			if t, _ := f.Tensor(name); r.Couplings.storesMemories() {
				r.memories = t.Shape[0]
			}
			want[0], want[1] = r.patterns(), g.Layers[i].N
		} else {
			want[0], want[1] = g.Layers[g.Pairs[i].A].N, g.Layers[g.Pairs[i].B].N
		}
		if t, _ := f.Tensor(name); !slices.Equal(t.Shape, want) {
			return 0, fmt.Errorf("tensor %s has the shape %v, where the recipe has %v", name, t.Shape, want)
		}
	}
	return visible, nil
}

// couplingNames returns the tensors of the patterns of all layers, or of the weights of all pairs.
func couplingNames(kind string, g bm.Graph) []string {
	var names []string
	if kind == "axons" {
		for _, l := range g.Layers {
			names = append(names, "patterns."+l.Name)
		}
		return names
	}
	for i := range g.Pairs {
		names = append(names, g.TensorName("weights", i))
	}
	return names
}

// Visible returns the number of visible spins.
func (m *Model) Visible() int { return m.Machine.Layers()[bm.Visible] }

// Pixels returns the number of visible spins that are no label spins: they come first.
func (m *Model) Pixels() int { return m.Visible() - len(m.LabelNames) }

// LoadData makes or reads the recipe's data. It is an error where they are not those that the
// machine was trained on.
func (m *Model) LoadData() (*data.Split, error) {
	split, _, err := m.Recipe.LoadDataOf(m.Checkpoint.File.Metadata["data"])
	if err != nil {
		return nil, err
	}
	if got, want := split.Train.Digest(), m.Checkpoint.File.Metadata["data"]; got != want && want != "" { // "" of a machine from elsewhere
		return nil, fmt.Errorf("data %s: the training set has the SHA-256 %.12s..., the machine was trained on %.12s...: other files, or another data section of the recipe", m.Recipe.Data.Name, got, want)
	}
	return split, nil
}

// Draw returns configurations that the estimator returns for the machine as the
// checkpoint has it, drawn anew. The split gives the estimators that start
// from a batch their rows, and may be nil for the others.
func (m *Model) Draw(split *data.Split) (bm.Batch, negative.Kind, error) {
	r, e := m.Recipe, m.Machine.Engine()
	kind, _ := find(negatives, r.Negative.Kind)
	if _, err := r.given(m.Machine, 0); err != nil {
		return bm.Batch{}, "", err
	}
	fromData := kind.batch || r.Negative.fromData()
	var set *data.Set
	switch {
	case split != nil:
		set = split.Train
	case fromData:
		return bm.Batch{}, "", fmt.Errorf("%s starts from the training set, and there are no data", kind.name)
	}
	estimator, err := r.estimator(m.Machine, set, whole) // whose chains begin in vain: the checkpoint has them
	if err != nil {
		return bm.Batch{}, "", err
	}
	if k := estimator.Kind(); k == negative.Exact || k == negative.Conditional {
		return bm.Batch{}, k, nil // all states, or no sample of the model: nobody asks for them
	}
	if err := restore(e, estimator.State(), m.Checkpoint.File); err != nil {
		return bm.Batch{}, "", fmt.Errorf("%s: %w", m.Checkpoint.Path, err)
	}
	key := r.Key().Fold(purposeDraw).Fold(uint64(m.Step))
	var batch bm.Batch
	if fromData {
		order := make([]int32, split.Train.Rows)
		data.Order(order, key.Fold(0))
		rows := split.Train.Take(order[:min(r.Train.Batch, len(order))])
		visible := e.Alloc(compute.Int8, rows.Rows, rows.Visible)
		compute.Write(e, visible, rows.Spins)
		batch.State = bm.State{visible}
	}
	return estimator.Draw(batch, key.Fold(1)), estimator.Kind(), nil
}

// Judge measures a model.
type Judge struct {
	*Model
	Split    *data.Split         // nil serves for measures that need none
	Progress func(share float64) // see eval.Subject; may be nil
	Seed     uint64              // of other random numbers than those of training; 0 for these
	Comm     *comm.Comm          // see eval.Subject.Comm

	memo  eval.Memo
	drawn bm.Batch
	kind  negative.Kind
}

// Wanted returns what is to be measured: the named measures, or those of the recipe where names is
// empty, on the named set, or on every set that the split has where set is "".
func (j *Judge) Wanted(names []string, set string) ([]Wanted, error) {
	sets := data.Sets
	if set != "" {
		if !slices.Contains(sets, set) {
			return nil, fmt.Errorf("%q is no set of the data: train, test or validation", set)
		}
		if j.Split != nil && j.Split.Set(set) == nil {
			return nil, fmt.Errorf("data %s have no %s set", j.Recipe.Data.Name, set)
		}
		sets = []string{set}
	}
	for _, n := range names {
		if _, err := eval.Named(n); err != nil {
			return nil, err
		}
	}
	if len(names) > 0 {
		return onSets(names, j.Split, sets), nil
	}
	list := j.Recipe.Wanted(j.Split, true)
	return slices.DeleteFunc(list, func(w Wanted) bool { return w.Set != "" && !slices.Contains(sets, w.Set) }), nil
}

// NeedsData reports whether one of the named measures, or of the recipe's where names is empty,
// looks at the data, and whether one has no value without them.
func (j *Judge) NeedsData(names []string) (looks, needs bool) {
	m := j.Recipe.Measure
	if len(names) == 0 {
		names = slices.Concat(m.Test, m.Train, m.Last)
	}
	kind, _ := find(negatives, j.Recipe.Negative.Kind)
	for _, n := range names {
		measure, err := eval.Named(n)
		needs = needs || err == nil && measure.Data == eval.NeedsData || n == ofDraw && (kind.batch || j.Recipe.Negative.fromData())
		looks = looks || err == nil && measure.Data != eval.NoData
	}
	return looks || needs, needs
}

// Measure returns the value of a measure. That of the last checkpoint is the
// very number that training wrote, but for method_accessibility: training looks
// at what the estimator returned before the last update, this at a draw after it.
func (j *Judge) Measure(ctx context.Context, w Wanted) (eval.Result, error) {
	measure, err := eval.Named(w.Measure)
	if err != nil {
		return eval.Result{}, err
	}
	if w.Measure == "method_accessibility" && j.kind == "" {
		if j.drawn, j.kind, err = j.Draw(j.Split); err != nil {
			return eval.Result{}, fmt.Errorf("%s: %w", w.Measure, err)
		}
	}
	var tracked *eval.Tracked
	if w.Measure == trackedName {
		if tracked, err = j.tracked(); err != nil {
			return eval.Result{}, fmt.Errorf("%s: %w", w.Measure, err)
		}
	}
	return measure.Run(ctx, eval.Subject{
		Machine: j.Machine, Split: j.Split, SetName: w.Set, Drawn: j.drawn, Kind: j.kind, Memo: &j.memo, Tracked: tracked,
		Key: j.key(), Progress: j.Progress, Comm: j.Comm,
	}, j.Recipe.Measure.Options)
}

// key returns the key of the measures: that of training, or another one for a seed.
func (j *Judge) key() rng.Key {
	if j.Seed == 0 {
		return j.Recipe.measureKey(j.Step)
	}
	return rng.Key(j.Seed).Fold(purposeMeasure).Fold(uint64(j.Step))
}
