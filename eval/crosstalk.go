package eval

import (
	"context"
	"math"

	"mattis/bm"
	"mattis/compute"
)

// crosstalk is the share of the K x H hidden pattern spins that the field of
// their own pattern's visible part points away from: the noise of the other
// patterns turns them. Of random patterns the other K-1 give a noise of variance (K-1)/V against a signal of 1, so Q(sqrt(V/(K-1)))
// are turned; detail.visible is the same from the hidden side, where theory says Q(sqrt(H/(K-1))). Fields of 0 count as
// half. The biases are left out. The number is exact for the machine: n entries are counted, and all of them.
func crosstalk(ctx context.Context, s Subject, _ Options) (Result, error) {
	m, a := s.Machine, s.Machine.Axons()
	if a == nil {
		return Result{}, &NoValue{"dense couplings have no patterns"}
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	e := m.Engine()
	visible, hidden := a.Patterns(bm.Visible), a.Patterns(bm.Hidden)
	v, h, k := visible.Value.Cols(), hidden.Value.Cols(), visible.Value.Rows()
	ofHidden := misled(e, a, bm.Visible, visible.Value, hidden.Value)
	ofVisible := misled(e, a, bm.Hidden, hidden.Value, visible.Value)
	return Result{Value: ofHidden, N: k * h, Detail: map[string]any{
		"visible": ofVisible,
		"theory":  Crosstalk(v, k), "theory_visible": Crosstalk(h, k),
	}}, nil
}

// Crosstalk returns the share of spins that the noise of K-1 other random patterns of n entries turns, Q(sqrt(n/(K-1))):
// n normal numbers stand for n signs. It is 0 of one pattern, which has no others.
func Crosstalk(n, patterns int) float64 {
	return TailOfNormal(math.Sqrt(float64(n) / float64(patterns-1)))
}

// misled returns the share of the entries of to that disagree in sign with the
// fields of the signs of from.
func misled(e compute.Engine, a *bm.Axons, layer int, from, to compute.Matrix) float64 {
	mark := e.Mark()
	defer e.Release(mark)
	signs := e.Scratch(compute.Int8, from.Rows(), from.Cols())
	e.Sign(signs, from)
	fields := e.Scratch(compute.Float32, to.Rows(), to.Cols())
	near := [1]bm.Overlap{a.Overlap(signs, layer)}
	a.Fields(fields, near[:], 1-layer, compute.Epilogue{})
	own := e.Scratch(compute.Int8, to.Rows(), to.Cols())
	e.Sign(own, to)
	x, y := make([]float32, fields.Len()), make([]int8, own.Len())
	compute.Read(e, x, fields)
	compute.Read(e, y, own)
	halves := 0
	for i, f := range x {
		switch {
		case f == 0:
			halves++
		case (f > 0) != (y[i] > 0):
			halves += 2
		}
	}
	return float64(halves) / float64(2*len(x))
}
