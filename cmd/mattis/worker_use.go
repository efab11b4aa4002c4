package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/bm"
	"mattis/data"
	"mattis/eval"
	"mattis/recipe"
	"mattis/tensorfile"
)

// set returns the rows of the bodies of that name as one set, nil where there are none. Their spins
// are -1 or +1, and 0 too where some may be unknown.
func (r *request) set(name string, unknown bool) (*data.Set, error) {
	var s *data.Set
	for i, n := range r.Names {
		if n != name {
			continue
		}
		t, err := tensorfile.ReadNPY(bytes.NewReader(r.arrays[i]))
		if err != nil {
			return nil, wrongRequest("%s: %w", name, err)
		}
		x, err := tensorfile.Values[int8](t)
		if err != nil || len(t.Shape) != 2 {
			return nil, wrongRequest("%s: %v of shape %v, want I8 of two sizes", name, t.Type(), t.Shape)
		}
		if s != nil && s.Visible != t.Shape[1] {
			return nil, wrongRequest("%s: rows of %d values after those of %d", name, t.Shape[1], s.Visible)
		}
		for j, v := range x {
			if v != -1 && v != 1 && !(unknown && v == 0) {
				return nil, wrongRequest("%s: row %d has the value %d, no spin", name, j/max(1, t.Shape[1])+1, v)
			}
		}
		if s == nil {
			s = &data.Set{Name: name, Visible: t.Shape[1], Spins: x, Rows: t.Shape[0]}
			continue
		}
		s.Spins, s.Rows = append(s.Spins, x...), s.Rows+t.Shape[0]
	}
	if s != nil && s.Visible < 1 {
		return nil, wrongRequest("%s: rows of no values", name)
	}
	return s, nil
}

// split returns the training and the test rows, with the images' shape.
func (r *request) split() (*data.Split, error) {
	s := &data.Split{}
	for name, to := range map[string]**data.Set{"train": &s.Train, "test": &s.Test} {
		set, err := r.set(name, false)
		if err != nil {
			return nil, err
		}
		if set == nil {
			continue
		}
		if set.Rows < 1 {
			return nil, wrongRequest("%s: no rows", name)
		}
		if r.Height > 0 || r.Width > 0 {
			if r.Height < 1 || r.Width < 1 || r.Height > set.Visible || r.Height*r.Width != set.Visible {
				return nil, wrongRequest("rows of %d values are no images of %dx%d", set.Visible, r.Height, r.Width)
			}
			set.Height, set.Width = r.Height, r.Width
		}
		*to = set
	}
	if s.Train == nil {
		return nil, wrongRequest("%s: no training rows", r.Op)
	}
	if s.Test != nil && s.Test.Visible != s.Train.Visible {
		return nil, wrongRequest("test rows of %d values, training rows of %d", s.Test.Visible, s.Train.Visible)
	}
	return s, nil
}

// given returns the rows that the machine is asked about.
func (w *worker) given(r *request, unknown bool) (*data.Set, error) {
	set, err := r.set("rows", unknown)
	if err != nil {
		return nil, err
	}
	if set == nil {
		return nil, wrongRequest("%s: no rows", r.Op)
	}
	if v := w.model.Visible(); set.Visible != v {
		return nil, wrongRequest("rows of %d values, the machine has %d visible spins", set.Visible, v)
	}
	return set, nil
}

// one returns a body alone.
func one(body []byte) (map[string]any, [][]byte, error) { return nil, [][]byte{body}, nil }

// transform returns the hidden means of the rows, N x H float32 from -1 to 1, or one draw of the
// hidden spins, int8.
func (w *worker) transform(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	set, err := w.given(r, false)
	if err != nil {
		return nil, nil, err
	}
	h := w.model.Machine.Layers()[bm.Hidden]
	if err := enoughMemory(fmt.Sprintf("the hidden layer of %d rows", set.Rows), 8*float64(set.Rows)*float64(h)); err != nil {
		return nil, nil, err
	}
	if r.Sample {
		spins := make([]int8, 0, set.Rows*h)
		err := w.model.HiddenSpins(ctx, set, bm.Hidden, r.Seed, nil, func(x []int8) error { spins = append(spins, x...); return nil })
		if err != nil {
			return nil, nil, err
		}
		return one(npy(spins, set.Rows, h))
	}
	means := make([]float32, 0, set.Rows*h)
	if err := w.model.HiddenMeans(ctx, set, bm.Hidden, nil, func(x []float32) error { means = append(means, x...); return nil }); err != nil {
		return nil, nil, err
	}
	return one(npy(means, set.Rows, h))
}

// energyConstant is by how much the energies of the spins exceed those of the same machine in 0/1
// variables, in which answers are given: BernoulliRBM's E(v,h) = -h.components_ v -
// intercept_visible_.v - intercept_hidden_.h.
func (w *worker) energyConstant() (float64, error) {
	if w.constant == nil {
		p, err := w.model.Portable()
		if err != nil {
			return 0, err
		}
		f, err := p.Bernoulli("")
		if err != nil {
			return 0, err
		}
		w.constant = new(float64)
		if t, ok := f.Tensor("energy_constant"); ok {
			*w.constant = tensorfile.Floats[float64](t)[0]
		}
	}
	return *w.constant, nil
}

// parameters returns components_ (HxV), intercept_hidden_ and intercept_visible_ in float64.
func (w *worker) parameters(context.Context, *request) (map[string]any, [][]byte, error) {
	p, err := w.model.Portable()
	if err != nil {
		return nil, nil, err
	}
	f, err := p.Bernoulli("")
	if err != nil {
		return nil, nil, err
	}
	var bodies [][]byte
	for _, name := range []string{"components_", "intercept_hidden_", "intercept_visible_"} {
		t, _ := f.Tensor(name)
		bodies = append(bodies, npy(tensorfile.Floats[float64](t), t.Shape...))
	}
	c, err := w.energyConstant()
	return map[string]any{"constant": c}, bodies, err
}

// freeEnergy returns F(v) of the rows in BernoulliRBM's convention, float64.
func (w *worker) freeEnergy(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	set, err := w.given(r, false)
	if err != nil {
		return nil, nil, err
	}
	c, err := w.energyConstant()
	if err != nil {
		return nil, nil, err
	}
	f, _, err := w.model.FreeEnergies(ctx, set, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := range f {
		f[i] -= c
	}
	return one(npy(f, set.Rows))
}

// scoreSamples returns the pseudo-likelihoods of the rows, float64, from the one spin of each that
// the body flips names, int32 counted from 0.
func (w *worker) scoreSamples(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	set, err := w.given(r, false)
	if err != nil {
		return nil, nil, err
	}
	var flips []int32
	for i, name := range r.Names {
		if name != "flips" {
			continue
		}
		t, err := tensorfile.ReadNPY(bytes.NewReader(r.arrays[i]))
		if err == nil {
			flips, err = tensorfile.Values[int32](t)
		}
		if err != nil {
			return nil, nil, wrongRequest("flips: %w", err)
		}
	}
	if len(flips) != set.Rows {
		return nil, nil, wrongRequest("%d flips of %d rows", len(flips), set.Rows)
	}
	for i, j := range flips {
		if j < 0 || int(j) >= set.Visible {
			return nil, nil, wrongRequest("flips: %d of row %d is no spin of %d", j, i+1, set.Visible)
		}
	}
	p, err := w.model.PseudoLikelihoods(ctx, set, flips)
	if err != nil {
		return nil, nil, err
	}
	return one(npy(p, set.Rows))
}

// logPartition returns log Z in BernoulliRBM's convention by a measure, logz unless the request
// names another.
func (w *worker) logPartition(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	measure := r.Measure
	if measure == "" {
		measure = "logz"
	}
	known := slices.DeleteFunc(eval.Names(), func(name string) bool { return !strings.HasPrefix(name, "logz") })
	if !slices.Contains(known, measure) {
		return nil, nil, wrongRequest("%q is no measure of log Z, want one of %s", measure, strings.Join(known, ", "))
	}
	m := *w.model
	if len(r.Settings) > 0 {
		var err error
		if m.Recipe, err = recipe.Parse("the options", m.Recipe.YAML(), r.Settings...); err != nil {
			return nil, nil, requestError{err}
		}
	}
	j := &recipe.Judge{Model: &m, Seed: r.Seed}
	if w.rows != nil {
		j.Split = &data.Split{Train: w.rows}
	}
	wanted := []recipe.Wanted{{Measure: measure}}
	if err := measurable(j, wanted); err != nil {
		return nil, nil, err
	}
	x, err := j.Measure(ctx, wanted[0])
	if err != nil {
		return nil, nil, err
	}
	c, err := w.energyConstant()
	if err != nil {
		return nil, nil, err
	}
	head := map[string]any{"value": x.Value + c, "measure": x.Measure, "method": x.Detail["method"], "warnings": warningsOf(x)}
	if !math.IsNaN(x.Stderr) && !math.IsInf(x.Stderr, 0) {
		head["stderr"] = x.Stderr
	}
	return head, nil, nil
}

// gibbs returns the rows after so many sweeps.
func (w *worker) gibbs(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	set, err := w.given(r, false)
	if err != nil {
		return nil, nil, err
	}
	if set.Rows == 0 {
		return one(npy([]int8{}, 0, set.Visible))
	}
	r.Count, r.Chains, r.Sampler = set.Rows, set.Rows, "gibbs"
	return w.draw(ctx, r, w.model.RowStart(set))
}

// sample returns samples of chains that start from random spins, patterns, some training rows
// (data) or the rows of the request.
func (w *worker) sample(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	var start recipe.Start
	var err error
	switch r.From {
	case "", "random":
		start = w.model.RandomStart(r.Seed)
	case "patterns":
		if start, err = w.model.PatternStart(); err != nil {
			return nil, nil, requestError{err}
		}
	case "data":
		if w.rows == nil {
			return nil, nil, wrongRequest("start data: the training rows are not known: give rows as start")
		}
		start = w.model.ShuffledStart(w.rows, r.Seed)
	case "rows":
		set, err := w.given(r, false)
		if err != nil {
			return nil, nil, err
		}
		if set.Rows == 0 {
			return nil, nil, wrongRequest("start: no rows")
		}
		start = w.model.RowStart(set)
	default:
		return nil, nil, wrongRequest("start %q is unknown, want random, patterns, data or rows", r.From)
	}
	return w.draw(ctx, r, start)
}

// draw returns the samples that the request asks for.
func (w *worker) draw(ctx context.Context, r *request, start recipe.Start) (map[string]any, [][]byte, error) {
	v := w.model.Visible()
	if r.Chains == 0 {
		r.Chains = r.Count
	}
	for _, c := range []struct {
		name         string
		value, least int
		most         int
	}{{"count", r.Count, 1, mostRows}, {"steps", r.Steps, 0, mostRows}, {"chains", r.Chains, 1, r.Count}} {
		if c.value < c.least || c.value > c.most {
			return nil, nil, wrongRequest("%s %d is out of range, want %d to %d", c.name, c.value, c.least, c.most)
		}
	}
	if float64(r.Count)*float64(v) > mostBody {
		return nil, nil, wrongRequest("%d samples of %d spins are more than a frame holds: ask for at most %d at a time", r.Count, v, mostBody/v)
	}
	if err := enoughMemory(fmt.Sprintf("%d samples", r.Count), 3*float64(r.Count)*float64(v)); err != nil {
		return nil, nil, err
	}
	moves, err := w.moves(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	spins := make([]int8, 0, r.Count*v)
	_, err = w.model.Sample(ctx, recipe.Sampling{Count: r.Count, Steps: r.Steps, Chains: r.Chains, Start: start, Moves: moves, Seed: r.Seed},
		func(x []int8) error { spins = append(spins, x...); return nil })
	if err != nil {
		return nil, nil, err
	}
	return one(npy(spins, r.Count, v))
}

// moves returns how chains move.
func (w *worker) moves(ctx context.Context, r *request) (*recipe.Moves, error) {
	name := r.Sampler
	if name == "" {
		name = "gibbs"
	}
	m, err := w.model.Moves(ctx, name, r.Seed, nil, nil)
	if err != nil && ctx.Err() == nil {
		err = wrongRequest("%w", err)
	}
	return m, err
}

// reconstruct returns the rows with their unknown spins, the zeros, drawn given the others.
func (w *worker) reconstruct(ctx context.Context, r *request) (map[string]any, [][]byte, error) {
	set, err := w.given(r, true)
	if err != nil {
		return nil, nil, err
	}
	if r.Steps < 1 || r.Steps > mostRows {
		return nil, nil, wrongRequest("steps %d is out of range, want 1 to %d", r.Steps, mostRows)
	}
	moves, err := w.moves(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	result := make([]int8, len(set.Spins))
	_, err = w.model.Complete(ctx, recipe.Completion{Steps: r.Steps, Moves: moves, Seed: r.Seed}, rowsOf(set.Spins, set.Visible), result)
	if err != nil {
		return nil, nil, err
	}
	return one(npy(result, set.Rows, set.Visible))
}
