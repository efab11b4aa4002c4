package sampler

import (
	"math"

	"mattis/bm"
	"mattis/compute"
)

// Basins returns how many of the rows of v (BxV spins) are nearest to each
// pattern, and to each pattern's negative: entry 2k counts pattern k and 2k+1 its negative. Near is a large
// overlap with the pattern's signs; of equal ones the first counts.
func Basins(a *bm.Axons, e compute.Engine, v compute.Matrix) []int {
	mark := e.Mark()
	defer e.Release(mark)
	p, _ := a.Patterns()
	k := p.Value.Rows()
	signs := e.Scratch(compute.Int8, k, p.Value.Cols())
	e.Sign(signs, p.Value)
	overlap := e.Scratch(compute.Float32, v.Rows(), k)
	e.Mul(overlap, v, signs, compute.Op{TransB: true, Alpha: 1})
	x := make([]float32, overlap.Len())
	e.Read(x, overlap)
	counts := make([]int, 2*k)
	for i := range v.Rows() {
		best := 0
		row := x[i*k:][:k]
		for j, y := range row {
			if math.Abs(float64(y)) > math.Abs(float64(row[best])) {
				best = j
			}
		}
		if row[best] < 0 {
			counts[2*best+1]++
		} else {
			counts[2*best]++
		}
	}
	return counts
}
