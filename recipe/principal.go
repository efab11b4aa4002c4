package recipe

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
)

// principalName is the way of beginning with patterns from principal components.
const principalName = "principal"

// principalRows bounds the rows that principal components are found from.
const principalRows = 10000

// principal sets the first visible patterns to the principal components of the set's rows, the
// largest first, with entries of root mean square scale. Those beyond the number of spins stay as
// they were drawn, and so do the hidden parts. The largest entry of each is positive.
func principal(a *bm.Axons, e compute.Engine, set *data.Set, scale float64) {
	n, v := min(set.Rows, principalRows), set.Visible
	mark := e.Mark()
	defer e.Release(mark)
	rows, centred := e.Scratch(compute.Int8, n, v), e.Scratch(compute.Float32, n, v)
	compute.Write(e, rows, set.Spins[:n*v])
	means := e.Scratch(compute.Float32, 1, v)
	first := *set
	first.Rows = n
	compute.Write(e, means, pixelMeans(&first))
	e.Axpby(centred, 1, rows, 0)
	ones := e.Scratch(compute.Float32, n, 1)
	e.Fill(ones, 1)
	e.Mul(centred, ones, means, compute.Op{Alpha: -1, Accumulate: true})
	product := e.Scratch(compute.Float32, v, v)
	e.Mul(product, centred, centred, compute.Op{TransA: true, Alpha: 1 / float64(n)})
	entries := make([]float32, v*v)
	compute.Read(e, entries, product)
	covariance := mat.NewSymDense(v, nil)
	for i := range v {
		for j := i; j < v; j++ {
			covariance.SetSym(i, j, float64(entries[i*v+j]))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return // it holds NaN alone where the data do, which is found elsewhere
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	pattern := make([]float32, v)
	for k := range min(a.K(), v) {
		largest := 0.0
		for i := range v {
			if x := vectors.At(i, v-1-k); math.Abs(x) > math.Abs(largest) {
				largest = x
			}
		}
		factor := math.Copysign(scale*math.Sqrt(float64(v)), largest)
		for i := range v {
			pattern[i] = float32(factor * vectors.At(i, v-1-k))
		}
		compute.Write(e, a.Patterns(bm.Visible).Value.Slice(k, k+1), pattern)
	}
}
