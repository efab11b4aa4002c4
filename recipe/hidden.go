package recipe

import (
	"context"
	"errors"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
)

// RowsAtOnce bounds the configurations of the machine that are held at once, so that their spins
// and fields stay within some 100 MB. It is a multiple of four.
func (m *Model) RowsAtOnce() int {
	n := 0
	for _, spins := range m.Machine.Layers() {
		n += spins
	}
	return max(64, (16<<20)/n) &^ 3
}

// HiddenMeans gives take the means of a hidden layer for each row of the set, N of them a row, some
// rows at a time: tanh x of a restricted machine, and what eval.HiddenMeans says of others.
// progress, which may be nil, is told the rows done.
func (m *Model) HiddenMeans(ctx context.Context, set *data.Set, layer int, progress func(rows int), take func([]float32) error) (err error) {
	m.apart(func() {
		err = hidden(ctx, m, layer, compute.Float32, set, progress, take, func(dst, visible compute.Matrix, _ int) {
			eval.HiddenMeans(m.Machine, dst, visible, layer)
		})
	})
	return err
}

// HiddenLayer returns the number of the hidden layer of the name, the first one for "".
func (m *Model) HiddenLayer(name string) (int, error) {
	if name == "" && len(m.Machine.Layers()) > 1 {
		return bm.Hidden, nil
	}
	if name == "" {
		return 0, errors.New("the machine has no hidden layers, and a row no features")
	}
	return eval.HiddenLayer(m.Machine, name)
}

// HiddenSpins is HiddenMeans for one draw of the layer's spins by the seed.
func (m *Model) HiddenSpins(ctx context.Context, set *data.Set, layer int, seed uint64, progress func(rows int), take func([]int8) error) error {
	return hidden(ctx, m, layer, compute.Int8, set, progress, take, m.drawHidden(layer, seed))
}

// HiddenNumbers is HiddenSpins for a Gaussian layer.
func (m *Model) HiddenNumbers(ctx context.Context, set *data.Set, layer int, seed uint64, progress func(rows int), take func([]float32) error) error {
	return hidden(ctx, m, layer, compute.Float32, set, progress, take, m.drawHidden(layer, seed))
}

func (m *Model) drawHidden(layer int, seed uint64) func(dst, visible compute.Matrix, first int) {
	key := SampleKey(seed).Fold(sampleFeatures)
	return func(dst, visible compute.Matrix, first int) {
		eval.SampleHidden(m.Machine, dst, visible, layer, bm.Law{Key: key, Row: uint64(first)})
	}
}

// hidden gives take what look makes of a hidden layer, part by part. look sets dst, of that kind,
// from the visible spins of the rows from first on.
func hidden[E int8 | float32](ctx context.Context, m *Model, layer int, kind compute.Type, set *data.Set, progress func(int), take func([]E) error, look func(dst, visible compute.Matrix, first int)) error {
	h := m.Machine.Layers()[layer]
	host := make([]E, min(m.RowsAtOnce(), set.Rows)*h)
	return m.parts(ctx, set, progress, func(visible compute.Matrix, first int) error {
		n := visible.Rows()
		dst := m.Machine.Engine().Scratch(kind, n, h)
		look(dst, visible, first)
		compute.Read(m.Machine.Engine(), host[:n*h], dst)
		return take(host[:n*h])
	})
}

// FreeEnergies returns F(v) of each row of the set in kT, and the way to them (see
// eval.FreeEnergies). progress, which may be nil, is told the rows done.
func (m *Model) FreeEnergies(ctx context.Context, set *data.Set, progress func(rows int)) (f []float64, way string, err error) {
	m.apart(func() { f, way, err = eval.FreeEnergies(ctx, m.Machine, set.Spins[:set.Rows*m.Visible()], progress) })
	return f, way, err
}

// RowsApart reports whether what HiddenMeans and FreeEnergies say of a row does not depend on the
// rows beside it, to the last bit: where hidden layers sum out. Elsewhere the way to a free energy
// depends on how many rows are asked about.
func (m *Model) RowsApart() bool { return m.Machine.SumsOut() }

// apart calls do such that RowsApart is true.
func (m *Model) apart(do func()) {
	if m.RowsApart() {
		m.Machine.Rowwise(do)
		return
	}
	do()
}

// parts calls visit with the rows of the set in scratch memory, some at a time, first being the
// place of the first of them.
func (m *Model) parts(ctx context.Context, set *data.Set, progress func(int), visit func(visible compute.Matrix, first int) error) error {
	e, v := m.Machine.Engine(), m.Visible()
	step := m.RowsAtOnce()
	for first := 0; first < set.Rows; first += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(step, set.Rows-first)
		mark := e.Mark()
		visible := e.Scratch(compute.Int8, n, v)
		compute.Write(e, visible, set.Spins[first*v:(first+n)*v])
		err := visit(visible, first)
		e.Release(mark)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(first + n)
		}
	}
	return e.Sync()
}

// PseudoLikelihoods returns for each row of the set V log p(v_i | all other v), the estimate of its
// log pseudo-likelihood in nats from the one spin i = flips[row].
func (m *Model) PseudoLikelihoods(ctx context.Context, set *data.Set, flips []int32) ([]float64, error) {
	f, _, err := m.FreeEnergies(ctx, set, nil)
	if err != nil {
		return nil, err
	}
	flipped := *set
	flipped.Spins = slices.Clone(set.Spins)
	for i, j := range flips {
		row := flipped.Row(i)
		row[j] = -row[j]
	}
	g, _, err := m.FreeEnergies(ctx, &flipped, nil)
	if err != nil {
		return nil, err
	}
	for i := range f {
		f[i] = float64(set.Visible) * eval.LogSigmoid(g[i]-f[i])
	}
	return f, nil
}
