package main

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/eval"
)

// mostSpectrum bounds what inspect computes: it takes seconds at that size.
const mostSpectrum = 1024

// negligible is the ratio to the largest singular value below which one is
// the rounding of float32 couplings.
const negligible = 1e-7

// dense returns a Float32 matrix in float64.
func dense(e compute.Engine, m compute.Matrix) *mat.Dense {
	x := make([]float32, m.Len())
	compute.Read(e, x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return mat.NewDense(m.Rows(), m.Cols(), y)
}

// singularValues returns the singular values of W from the largest on, 0 for those that
// are rounding, or an error where they would take too long to be found in passing.
func singularValues(m *bm.Machine) ([]float64, error) {
	v, h := m.Layers()[bm.Visible], m.Layers()[bm.Hidden]
	size := min(v, h)
	if a, ok := m.Couplings().(*bm.Axons); ok {
		visible := a.Patterns(bm.Visible)
		size = min(size, visible.Value.Rows())
	}
	if size > mostSpectrum {
		return nil, fmt.Errorf("not computed: there are %d, at most %d are in passing; mattis eval --measure spectrum has all", size, mostSpectrum)
	}
	values, err := eval.SingularValues(m)
	if err != nil {
		return nil, fmt.Errorf("not computed: %w", err)
	}
	for i, x := range values {
		if x < negligible*values[0] {
			values[i] = 0
		}
	}
	return values, nil
}

// overlaps returns the largest and the mean |cos| of the angles between two different rows of x.
func overlaps(x *mat.Dense) (largest, mean float64) {
	var g mat.SymDense
	g.SymOuterK(1, x)
	n := g.SymmetricDim()
	for i := range n {
		for j := range i {
			c := math.Abs(g.At(i, j)) / math.Sqrt(g.At(i, i)*g.At(j, j))
			if c != c {
				c = 0 // a pattern of zeros has no angle
			}
			largest = max(largest, c)
			mean += c
		}
	}
	return largest, mean / max(1, float64(n*(n-1)/2))
}
