package bm

import (
	"math"

	"mattis/compute"
)

// order chooses between the factored products of axons and products with W or its gradient formed
// in scratch, by the multiply-adds that each takes. At V=784 and H=3000 the fields of many rows are
// cheaper by W beyond K = VH/(V+H) = 621. What forming W costs is counted each time, for the
// patterns may have moved since. docs/decisions/0007-contraction-order.md has the measurements.
type order struct {
	v, h, k float64
	weights
}

// weights are the times of a multiply-add of factored fields and of factored gradients, in those of
// products with W or its gradient.
type weights struct{ field, gradient float64 }

// weightsOf are fitted to measurements.
var weightsOf = [...]weights{compute.Single: {1, 1.1}, compute.BF16: {1.4, 1}}

func (a *Axons) order() order {
	v, h := a.layers[Visible].Value.Cols(), a.layers[Hidden].Value.Cols()
	return order{float64(v), float64(h), float64(a.rows), weightsOf[a.precision]}
}

// fields returns the multiply-adds of the fields on one layer, by W or factored.
func (o order) fields(b float64, byW bool) float64 {
	if byW {
		return (b + o.k) * o.v * o.h
	}
	return b * o.k * (o.v + o.h)
}

// gradients returns those of the gradients, by the correlation of the layers or factored from the
// overlap.
func (o order) gradients(b float64, byG bool) float64 {
	if byG {
		return (b + 2*o.k) * o.v * o.h
	}
	return b * o.k * (o.v + 2*o.h)
}

// denseFields reports whether the fields of so many rows are cheaper by W.
func (o order) denseFields(rows int) bool {
	b := float64(rows)
	return o.fields(b, true) < o.weights.field*o.fields(b, false)
}

// denseGradients reports whether the gradients are cheaper by the correlation
// of the layers; the factored ones take an overlap if it is not there.
func (o order) denseGradients(rows int, overlap bool) bool {
	b := float64(rows)
	factored := o.weights.gradient * o.gradients(b, false)
	if !overlap {
		factored += b * o.k * o.v
	}
	return o.gradients(b, true) < factored
}

// phase returns the cheapest way of the fields and the gradients together, and its multiply-adds.
func (o order) phase(rows int) (byW, byG bool, ops float64) {
	b, least := float64(rows), math.Inf(1)
	for _, way := range [...][2]bool{{false, false}, {false, true}, {true, true}, {true, false}} {
		n, slower := o.fields(b, way[0])+o.gradients(b, way[1]), 0.0
		if !way[0] {
			slower = (o.weights.field - 1) * o.fields(b, false)
		}
		if !way[1] {
			slower += (o.weights.gradient - 1) * o.gradients(b, false)
			if way[0] {
				n += b * o.k * o.v // the overlap
			}
		}
		if n+slower < least {
			byW, byG, ops, least = way[0], way[1], n, n+slower
		}
	}
	return byW, byG, ops
}

// FieldOps returns the multiply-adds that the fields of so many rows take on either layer.
func (a *Axons) FieldOps(rows int) float64 {
	o := a.order()
	return o.fields(float64(rows), o.denseFields(rows))
}

// PhaseOps returns the multiply-adds of Phase on so many rows with the hidden layer integrated out.
func (a *Axons) PhaseOps(rows int) (ops float64) {
	for ; rows > 0; rows -= fusedRows {
		_, _, n := a.order().phase(min(rows, fusedRows))
		ops += n
	}
	return ops
}

// PhaseOps returns the multiply-adds of Phase on so many rows with the right side of the data view
// integrated out.
func (m *Machine) PhaseOps(rows int) float64 {
	a := m.Axons()
	if a != nil && a.single {
		return a.PhaseOps(rows)
	}
	var ops float64
	for _, l := range m.graph.Layers {
		if a != nil { // the overlap and the gradient
			ops += 2 * float64(a.rows) * float64(l.N)
		}
	}
	for _, l := range m.view.Right {
		if a != nil {
			ops += float64(a.rows) * float64(m.sizes[l])
			continue
		}
		for _, other := range m.near[l] {
			ops += float64(m.sizes[l]) * float64(m.sizes[other])
		}
	}
	for _, p := range m.graph.Pairs {
		if a == nil {
			ops += float64(m.sizes[p.A]) * float64(m.sizes[p.B])
		}
	}
	return float64(rows) * ops
}

// SweepOps returns the multiply-adds of a sweep of so many rows.
func (m *Machine) SweepOps(rows int) float64 {
	a := m.Axons()
	if a != nil && a.single {
		return 2 * a.FieldOps(rows)
	}
	var ops float64
	for _, l := range m.graph.Layers {
		if a != nil { // its overlap and its fields; those of a layer that meets itself take part in both
			ops += 2 * float64(a.rows) * float64(l.N)
		}
	}
	for _, p := range m.graph.Pairs {
		if n := float64(m.sizes[p.A]) * float64(m.sizes[p.B]); a == nil && p.A == p.B {
			ops += n
		} else if a == nil {
			ops += 2 * n
		}
	}
	return float64(rows) * ops
}
