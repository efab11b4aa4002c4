package recipe

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/negative"
	"mattis/optim"
	"mattis/rng"
	"mattis/run"
	"mattis/tensorfile"
	"mattis/train"
)

// Learner is a model that goes on learning from rows as they come, a batch at a time. It has what a
// training goes on from, and no data. The projections of an epoch's end have no place in it.
type Learner struct {
	*Model
	trained   *bm.Machine // the model's own, or the one that its parameters are the average of
	average   *optim.Average
	negative  negative.Estimator
	optimizer optim.Optimizer
	centring  *optim.Centring    // of the offsets; nil where they stay
	projected []optim.Projection // after every update
	key       rng.Key
}

// Learner returns the model as the training has it now. The training is not to go on.
func (t *Training) Learner() *Learner {
	set := t.Split.Train
	m := &Model{
		Recipe: t.Recipe, Machine: t.Machine, Axons: t.Axons, Precision: t.Trainer.Precision, Step: t.Trainer.Step,
		Height: set.Height, Width: set.Width, LabelNames: set.LabelNames,
		Checkpoint: &run.Checkpoint{Step: t.Trainer.Step, File: &tensorfile.File{Metadata: map[string]string{}}},
	}
	if steps := t.Trainer.StepsPerEpoch(); steps > 0 {
		m.Epoch = t.Trainer.Step / steps
	}
	return &Learner{m, t.Trainer.Machine, t.Trainer.Average, t.estimator(), t.Trainer.Optimizer, t.Trainer.Centring, t.Trainer.AfterUpdate, t.Trainer.Key}
}

// estimator returns that of the model average, with the chains of all shards where there are
// several.
func (t *Training) estimator() negative.Estimator {
	if t.Trainer.Shards == nil {
		return t.Trainer.Negative
	}
	n, err := t.Recipe.estimator(t.Trainer.Machine, t.Split.Train, whole)
	if err != nil {
		panic("recipe: " + err.Error()) // its parts have been built
	}
	state, err := t.Trainer.State()
	if err != nil {
		panic("recipe: " + err.Error()) // there are no other processes
	}
	for _, p := range n.State() {
		for _, q := range state {
			if q.Name == p.Name && q.Value != p.Value {
				t.Machine.Engine().Copy(p.Value, q.Value)
			}
		}
	}
	return n
}

// Learner returns the recipe's model before its first update, for rows like those of the set: it
// takes its offset from them.
func (r *Recipe) Learner(set *data.Set, e compute.Engine) (*Learner, error) {
	bare := *r
	bare.Measure.Test = nil // it measures nothing, and has no test set to be asked for
	bare.Train.Shards = 1   // there are no other processes, and batches are as they come
	t, err := bare.build(nil, &data.Split{Train: set}, e)
	if err != nil {
		return nil, err
	}
	l := t.Learner()
	l.Recipe = r
	return l, nil
}

// ReadModel returns the machine in a file that holds a checkpoint, or one that State returned, of
// the recipe.
func (r *Recipe) ReadModel(f *tensorfile.File, step int, e compute.Engine) (*Model, error) {
	return newModel(r, &run.Checkpoint{Step: step, Path: "the state", File: f}, e)
}

// Learner returns the model as one that goes on from its checkpoint, with the optimizer's state and
// the chains that it holds. A converted machine has neither, and begins anew with both. The model
// is not to be used beside it.
func (m *Model) Learner() (*Learner, error) {
	blank := &data.Set{Rows: 1, Visible: m.Visible(), Height: m.Height, Width: m.Width, Spins: slices.Repeat([]int8{1}, m.Visible()), LabelNames: m.LabelNames}
	l, err := m.Recipe.Learner(blank, m.Machine.Engine())
	if err != nil {
		return nil, err
	}
	if err := l.take(m.Machine); err != nil {
		return nil, err
	}
	if m.Checkpoint.File.Metadata["converted"] == "" {
		if err := restore(m.Machine.Engine(), l.state(), m.Checkpoint.File); err != nil {
			return nil, err
		}
	}
	l.Step, l.Epoch = m.Step, m.Epoch
	return l, nil
}

// take sets the parameters to those of another machine of the same shape.
func (l *Learner) take(from *bm.Machine) error {
	e := l.Machine.Engine()
	if c := from.Constant(); c != 0 {
		l.Machine.SetConstant(c)
	}
	given := from.Params()
	for _, p := range l.Machine.Params() {
		i := slices.IndexFunc(given, func(q bm.Param) bool { return q.Name == p.Name })
		if i < 0 || !alike(given[i], p) {
			return fmt.Errorf("the machine has other layers, couplings or biases than the recipe now says: %s", p.Name)
		}
		e.Copy(p.Value, given[i].Value)
	}
	for _, p := range given {
		if !slices.ContainsFunc(l.Machine.Params(), func(q bm.Param) bool { return q.Name == p.Name }) && p.Name != constantName {
			return fmt.Errorf("the machine has other couplings or biases than the recipe now says: %s", p.Name)
		}
	}
	if l.average != nil {
		l.average.Return()
	}
	return nil
}

func alike(a, b bm.Param) bool {
	return a.Value.Type() == b.Value.Type() && a.Value.Rows() == b.Value.Rows() && a.Value.Cols() == b.Value.Cols()
}

// GoOn returns a learner by another recipe that goes on from what this one has come to: the
// parameters, and of the optimizer's state and the chains what both have. The machines have to have
// one shape.
func (l *Learner) GoOn(r *Recipe) (*Learner, error) {
	blank := &data.Set{Rows: 1, Visible: l.Visible(), Height: l.Height, Width: l.Width, Spins: slices.Repeat([]int8{1}, l.Visible()), LabelNames: l.LabelNames}
	next, err := r.Learner(blank, l.Machine.Engine())
	if err != nil {
		return nil, err
	}
	if err := next.take(l.Machine); err != nil {
		return nil, err
	}
	for _, p := range next.state() {
		for _, q := range l.state() {
			if q.Name == p.Name && alike(q, p) {
				l.Machine.Engine().Copy(p.Value, q.Value)
			}
		}
	}
	next.Step, next.Epoch = l.Step, l.Epoch
	return next, nil
}

// state is all that a checkpoint has to keep beside the machine.
func (l *Learner) state() []bm.Param {
	s := append(l.optimizer.State(), l.negative.State()...)
	if l.average != nil {
		s = append(s, l.average.Followed()...)
	}
	return s
}

// Update does one update on all rows of the set as one batch, at the learning rate of the epoch
// that the model has come to. It is an error where a parameter becomes infinite; the model is of no
// use then.
func (l *Learner) Update(set *data.Set) error {
	if set.Visible != l.Visible() {
		return &data.WidthError{Width: set.Visible, Want: []int{l.Visible()}}
	}
	if set.Gaps() {
		return fmt.Errorf("rows with missing entries are learned by a training, whose chains of the missing spins go on from update to update, and not by batches as they come: fill them in")
	}
	e := l.Machine.Engine()
	rows := e.Alloc(compute.Int8, set.Rows, set.Visible)
	compute.Write(e, rows, set.Spins)
	rate := l.Recipe.schedule().At(float64(l.Epoch))
	t := &train.Trainer{
		Machine: l.trained, Negative: l.negative, Optimizer: l.optimizer, Rate: func(float64) float64 { return rate },
		Data: rows, BatchSize: set.Rows, Centring: l.centring, AfterUpdate: l.projected, Key: l.key,
		Precision: l.Recipe.precision(), Step: l.Step,
	}
	err := t.Run(context.Background(), l.Step+1) // an epoch of one batch
	l.Step = t.Step
	if l.average != nil && err == nil {
		steps := l.Step // of an epoch: that of the rows so far before the first ends, and their mean number then
		if l.Epoch > 0 {
			steps = max(1, l.Step/l.Epoch)
		}
		l.average.Move(l.Step, steps)
	}
	return err
}

// State returns the file of the model and of what it goes on from. Its tensors are read when it is
// written.
func (l *Learner) State() *tensorfile.File {
	f := &tensorfile.File{Metadata: l.Recipe.metadata(l.key, l.Epoch, l.Height, l.Width, l.LabelNames)}
	for _, p := range append(l.Machine.Params(), l.state()...) {
		f.Tensors = append(f.Tensors, tensor(l.Machine.Engine(), p))
	}
	return f
}

// metadata returns what a checkpoint says of the training beside its data.
func (r *Recipe) metadata(key rng.Key, epoch, height, width int, labels []string) map[string]string {
	m := map[string]string{
		"format": r.format(),
		"epoch":  strconv.Itoa(epoch),
		"key":    strconv.FormatUint(uint64(key), 16),
		"recipe": r.Digest(),
		"height": strconv.Itoa(height),
		"width":  strconv.Itoa(width),
	}
	if labels != nil {
		m[labelsKey] = encodeLabels(labels)
	}
	return m
}

// Portable returns the machine as plain numbers.
func (m *Model) Portable() (*Portable, error) {
	f := &tensorfile.File{}
	e := m.Machine.Engine()
	for _, p := range m.Machine.Params() {
		t := tensor(e, p)
		t.Data = entries(e, p.Value)
		f.Tensors = append(f.Tensors, t)
	}
	p, err := readOwn(f)
	if err != nil {
		return nil, err
	}
	p.Height, p.Width, p.LabelNames = m.Height, m.Width, m.LabelNames
	return p, nil
}

// entries returns those of a parameter's matrix, row after row.
func entries(e compute.Engine, m compute.Matrix) any {
	if m.Type() == compute.Float64 {
		x := make([]float64, m.Len())
		compute.Read(e, x, m)
		return x
	}
	x := make([]float32, m.Len())
	compute.Read(e, x, m)
	return x
}
