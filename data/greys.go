package data

import (
	"slices"

	"mattis/rng"
)

// Greys are the entries of a set that are neither black nor white, by rows and in these by columns.
// Rows can be drawn from them again and again (Binarize.Anew).
type Greys struct {
	place []uint64 // row<<32 | column
	up    []float32
}

// Len returns their number.
func (g *Greys) Len() int { return len(g.place) }

// Draw sets the greys among the spins of a row, which holds the others already, to +1 with their
// probabilities, by the number of the key at (row, column).
func (g *Greys) Draw(spins []int8, row int, key rng.Key) {
	from, to := g.of(row, row+1)
	for i := from; i < to; i++ {
		col := g.place[i] & (1<<32 - 1)
		spins[col] = -1
		if key.Uniform(uint64(row), col) < g.up[i] {
			spins[col] = 1
		}
	}
}

// of returns the range of the rows from a to b-1.
func (g *Greys) of(a, b int) (from, to int) {
	from, _ = slices.BinarySearch(g.place, uint64(a)<<32)
	to, _ = slices.BinarySearch(g.place, uint64(b)<<32)
	return from, to
}

// add takes up an entry, in any order before sort.
func (g *Greys) add(row, col int, up float64) {
	g.place = append(g.place, uint64(row)<<32|uint64(col))
	g.up = append(g.up, float32(up))
}

// sort brings the entries in their order, which readers of columns do not keep.
func (g *Greys) sort() {
	if slices.IsSorted(g.place) {
		return
	}
	order := make([]int, len(g.place))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if g.place[a] < g.place[b] {
			return -1
		}
		return 1
	})
	old := *g
	g.place, g.up = make([]uint64, len(order)), make([]float32, len(order))
	for i, o := range order {
		g.place[i], g.up[i] = old.place[o], old.up[o]
	}
}

// take returns the greys of the given rows, in that order; nil of nil.
func (g *Greys) take(rows []int32) *Greys {
	if g == nil {
		return nil
	}
	t := &Greys{}
	for to, row := range rows {
		a, b := g.of(int(row), int(row)+1)
		for i := a; i < b; i++ {
			t.add(to, int(g.place[i]&(1<<32-1)), float64(g.up[i]))
		}
	}
	return t
}

// span returns the greys of the rows from a to b-1; nil of nil.
func (g *Greys) span(a, b int) *Greys {
	if g == nil {
		return nil
	}
	from, to := g.of(a, b)
	t := &Greys{slices.Clone(g.place[from:to]), slices.Clone(g.up[from:to])}
	for i := range t.place {
		t.place[i] -= uint64(a) << 32
	}
	return t
}
