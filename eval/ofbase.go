package eval

import (
	"context"
	"math"
	"slices"

	"mattis/rng"
)

// OfBase is the estimate from one base.
type OfBase struct {
	Law BaseLaw
	LogZ
	Pilot bool // a short run only, as other bases lead

	ais     *AIS
	kept    []int8    // ends of the paths, rows of the left side, where they are needed
	refined bool      // a base round its ends has been added
	logs    []float64 // weights of the paths, turned to stand for -v too where the machine is symmetric
	where   []int     // groups that the paths ended in
	parts   []weighed // by group
}

// anneal draws the forward paths of o and notes the groups that they end in, where there are
// phases. The ends themselves are kept where that is asked for.
func (o *OfBase) anneal(ctx context.Context, p *Phases, keep bool) error {
	a := o.ais
	left := leftOf(a.Machine)
	o.where, o.kept = make([]int, a.Runs), nil
	if keep {
		o.kept = make([]int8, a.Runs*left.width)
	}
	a.ends = func(first int, ends []int8) {
		if keep {
			copy(o.kept[first*left.width:], ends)
		}
		if p == nil {
			return
		}
		rows := pack(left.visibleOf(ends), left.visible)
		for i := range rows.len() {
			o.where[first+i] = p.cell(rows.row(i))
		}
	}
	logs, err := a.forward(ctx)
	a.ends = nil
	if err == nil && keep {
		err = spread(a.blocks(), o.kept, left.width)
	}
	if err == nil && p != nil {
		err = spreadCells(a.blocks(), o.where)
	}
	if err != nil {
		return err
	}
	o.logs = logs
	w := weigh(logs)
	o.LogZ = a.estimate(w, 1, LowerBound, w.warn("AIS from the base "+o.Law.Name, len(logs)), len(logs))
	return nil
}

// spreadCells is spread of numbers of cells.
func spreadCells(b blocks, where []int) error {
	if !b.divided() {
		return nil
	}
	x := make([]int32, len(where))
	for i, at := range where {
		x[i] = int32(at)
	}
	err := spread(b, x, 1)
	for i, at := range x {
		where[i] = int(at)
	}
	return err
}

// part sets the estimate of each of n cells.
func (o *OfBase) part(n int) {
	o.parts = make([]weighed, n)
	for g := range o.parts {
		o.parts[g] = weigh(o.in(func(at int) bool { return at == g }))
	}
}

// in returns the log weights of the paths that ended in cells that are wanted, those of the others
// being -Inf.
func (o *OfBase) in(want func(cell int) bool) []float64 {
	logs := slices.Clone(o.logs)
	for i, at := range o.where {
		if !want(at) {
			logs[i] = math.Inf(-1)
		}
	}
	return logs
}

// inGroup is in of the cells of a group.
func (o *OfBase) inGroup(p *Phases, g int) []float64 {
	return o.in(func(c int) bool { return p.groupOf(c) == g })
}

// value returns the part of log Z, and its standard error.
func (o *OfBase) value(g int) (value, stderr float64) {
	return o.ais.baseLogZ() + o.parts[g].logMean, o.parts[g].stderr
}

// draw returns n ends of fresh paths in the groups that are wanted, drawn in proportion to their
// weights.
func (o *OfBase) draw(ctx context.Context, p *Phases, want func(group int) bool, n int, key rng.Key) ([]int8, error) {
	if n == 0 {
		return nil, nil
	}
	width := leftOf(o.ais.Machine).width
	fresh := &OfBase{Law: o.Law, ais: o.ais.resized(o.ais.Runs, o.ais.Betas)}
	fresh.ais.Key = key.Fold(0)
	if err := fresh.anneal(ctx, p, true); err != nil {
		return nil, err
	}
	logs := fresh.in(want)
	if math.IsInf(slices.Max(logs), -1) { // none of these paths: the share is small
		logs = fresh.logs
	}
	spins := make([]int8, 0, n*width)
	for _, i := range resample(logs, n, float64(key.Fold(1).Uniform(0, 0))) {
		spins = append(spins, fresh.kept[i*width:(i+1)*width]...)
	}
	return spins, nil
}
