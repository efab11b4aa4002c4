package bm

// order chooses between the factored products of axons and products with W
// formed in scratch, by the multiply-adds that each takes. At V=784 and H=3000
// the fields of many rows are cheaper by W beyond K = VH/(V+H) = 621. What forming W costs is counted each time, for the
// patterns may have moved since. The products of both ways run equally near the
// hardware's limit (docs/decisions has the table), so plain counts decide.
type order struct{ v, h, k float64 }

func (a *Axons) order() order {
	v, h := a.Sizes()
	return order{float64(v), float64(h), float64(a.patterns())}
}

// denseFields reports whether the fields of so many rows are cheaper by W:
// B VH + K VH against B K(V+H).
func (o order) denseFields(rows int) bool {
	b := float64(rows)
	return (b+o.k)*o.v*o.h < b*o.k*(o.v+o.h)
}

// denseGradients reports whether the gradients are cheaper by the correlation
// of the layers: B VH + 2K VH against B K(V+2H), and B K V more without the overlap.
func (o order) denseGradients(rows int, overlap bool) bool {
	b := float64(rows)
	factored := b * o.k * (o.v + 2*o.h)
	if !overlap {
		factored += b * o.k * o.v
	}
	return (b+2*o.k)*o.v*o.h < factored
}
