package sampler

import (
	"math"

	"mattis/bm"
	"mattis/compute"
)

// Basins returns how many of the rows of v (BxV spins) are in the basin of each
// pattern, and of each pattern's negative: entry i counts the rows that Nearest gives i, of 2K.
func Basins(a *bm.Axons, e compute.Engine, v compute.Matrix) []int {
	p := a.Patterns(bm.Visible)
	counts := make([]int, 2*p.Value.Rows())
	for _, basin := range Nearest(a, e, v) {
		counts[basin]++
	}
	return counts
}

// Nearest returns the basin of each row of v (BxV spins): 2k of a row nearest to pattern k, 2k+1 of
// one nearest to its negative. Near is a large overlap with the pattern's signs; of equal ones the
// first counts.
func Nearest(a *bm.Axons, e compute.Engine, v compute.Matrix) []int {
	mark := e.Mark()
	defer e.Release(mark)
	p := a.Patterns(bm.Visible)
	k := p.Value.Rows()
	signs := e.Scratch(compute.Int8, k, p.Value.Cols())
	e.Sign(signs, p.Value)
	overlap := e.Scratch(compute.Float32, v.Rows(), k)
	e.Mul(overlap, v, signs, compute.Op{TransB: true, Alpha: 1})
	x := make([]float32, overlap.Len())
	compute.Read(e, x, overlap)
	basins := make([]int, v.Rows())
	for i := range basins {
		best := 0
		row := x[i*k:][:k]
		for j, y := range row {
			if math.Abs(float64(y)) > math.Abs(float64(row[best])) {
				best = j
			}
		}
		basins[i] = 2 * best
		if row[best] < 0 {
			basins[i]++
		}
	}
	return basins
}
