package eval

import (
	"context"
	"math"

	"mattis/bm"
	"mattis/compute"
)

// crosstalk is the share of the K x H hidden pattern spins that the field of their own pattern's
// visible part points away from: the noise of the other patterns turns them. Of random patterns the
// other K-1 give a noise of variance (K-1)/V against a signal of 1, so Q(sqrt(V/(K-1))) are turned;
// detail.visible is the same from the hidden side, where theory says Q(sqrt(H/(K-1))). Fields of 0
// count as half. The biases are left out. The number is exact for the machine: n entries are
// counted, and all of them. It is that of the first pair of the machine and its second layer; of
// several pairs detail.pairs has all, each layer by the other one, and layers that are coupled to
// themselves by their own other spins.
func crosstalk(ctx context.Context, s Subject, _ Options) (Result, error) {
	m, a := s.Machine, s.Machine.Axons()
	if a == nil {
		return Result{}, &NoValue{"dense couplings have no patterns"}
	}
	g := m.Graph()
	k, n := a.K(), g.Layers[g.Pairs[0].B].N
	var list []map[string]any
	for i, p := range g.Pairs {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		d := map[string]any{"pair": g.PairName(i), "second": misled(a, p.A, p.B), "theory": Crosstalk(g.Layers[p.A].N, k)}
		if p.A != p.B {
			d["first"], d["theory_first"] = misled(a, p.B, p.A), Crosstalk(g.Layers[p.B].N, k)
		} else { // a spin is not among those that turn it
			d["theory"] = Crosstalk(g.Layers[p.A].N-1, k)
		}
		list = append(list, d)
	}
	first := list[0]
	detail := map[string]any{"theory": first["theory"]}
	if len(list) > 1 {
		detail["pairs"] = list
	}
	if x, ok := first["first"]; ok {
		detail["visible"], detail["theory_visible"] = x, first["theory_first"]
	}
	return Result{Value: first["second"].(float64), N: k * n, Detail: detail}, nil
}

// Crosstalk returns the share of spins that the noise of K-1 other random patterns of n entries
// turns, Q(sqrt(n/(K-1))): n normal numbers stand for n signs. It is 0 of one pattern, which has no
// others.
func Crosstalk(n, patterns int) float64 {
	return TailOfNormal(math.Sqrt(float64(n) / float64(patterns-1)))
}

// misled returns the share of the entries of the patterns of the layer on that disagree in sign
// with the fields of the signs of the patterns of a layer that it meets, or of itself.
func misled(a *bm.Axons, layer, on int) float64 {
	e, from, to := a.Engine(), a.Patterns(layer).Value, a.Patterns(on).Value
	mark := e.Mark()
	defer e.Release(mark)
	signs := e.Scratch(compute.Int8, from.Rows(), from.Cols())
	e.Sign(signs, from)
	fields := e.Scratch(compute.Float32, to.Rows(), to.Cols())
	near := [1]bm.Overlap{a.Overlap(signs, layer)}
	a.Fields(fields, near[:], on, compute.Epilogue{})
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
