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

// negligible is the ratio to the largest one below which one is
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

// spectra returns the spectra of the couplings of all pairs, 0 for values that are rounding, or an
// error where they would take too long to be found in passing.
func spectra(m *bm.Machine) ([]eval.Spectrum, error) {
	g := m.Graph()
	for i, p := range g.Pairs {
		size := min(g.Layers[p.A].N, g.Layers[p.B].N)
		if a := m.Axons(); a != nil && p.A != p.B {
			size = min(size, a.K())
		}
		if size > mostSpectrum {
			return nil, fmt.Errorf("not computed: there are %d of %s, at most %d are in passing; mattis eval --measure spectrum has all", size, g.PairName(i), mostSpectrum)
		}
	}
	all, err := eval.Spectra(m)
	if err != nil {
		return nil, fmt.Errorf("not computed: %w", err)
	}
	for _, s := range all {
		for i, x := range s.Values {
			if math.Abs(x) < negligible*s.Largest() {
				s.Values[i] = 0
			}
		}
	}
	return all, nil
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
