package main

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
)

// mostSpectrum bounds the symmetric matrices whose eigenvalues are computed: it takes seconds at that size.
const mostSpectrum = 1024

// negligible is the ratio to the largest singular value below which one is
// the rounding of its square.
const negligible = 1e-7

// gram returns x x^T in float64.
func gram(x *mat.Dense) *mat.SymDense {
	var g mat.SymDense
	g.SymOuterK(1, x)
	return &g
}

// dense returns a Float32 matrix in float64.
func dense(e compute.Engine, m compute.Matrix) *mat.Dense {
	x := make([]float32, m.Len())
	e.Read(x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return mat.NewDense(m.Rows(), m.Cols(), y)
}

// singularValues returns the singular values of W that its parameters allow to be
// other than 0, from the largest on. Those of axons come from a KxK problem:
// W W^T = s^2 Xv^T Gh Xv has the eigenvalues of s^2 R Gh R, where R R = Gv = Xv Xv^T
// and Gh = Xh Xh^T. Those of dense couplings come from W W^T or W^T W, whichever is smaller.
func singularValues(m *bm.RBM) ([]float64, error) {
	e := m.Engine()
	var squares *mat.SymDense
	switch c := m.Couplings().(type) {
	case *bm.Axons:
		xv, xh := c.Patterns()
		k := xv.Value.Rows()
		if k > mostSpectrum {
			return nil, fmt.Errorf("not computed: %d patterns, at most %d", k, mostSpectrum)
		}
		var logGain [1]float32
		e.Read(logGain[:], c.LogGain().Value)
		scale := math.Exp(2*float64(logGain[0])) / float64(k)
		root, err := squareRoot(gram(dense(e, xv.Value)))
		if err != nil {
			return nil, err
		}
		var product mat.Dense
		product.Product(root, gram(dense(e, xh.Value)), root)
		squares = mat.NewSymDense(k, nil)
		for i := range k {
			for j := i; j < k; j++ {
				squares.SetSym(i, j, scale*(product.At(i, j)+product.At(j, i))/2)
			}
		}
	case *bm.Dense:
		w := dense(e, c.Weights().Value)
		if rows, cols := w.Dims(); min(rows, cols) > mostSpectrum {
			return nil, fmt.Errorf("not computed: couplings of %dx%d, at most %d on the shorter side", rows, cols, mostSpectrum)
		} else if rows > cols {
			w = mat.DenseCopyOf(w.T())
		}
		squares = gram(w)
	default:
		return nil, fmt.Errorf("not computed: couplings of type %T", c)
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(squares, false) {
		return nil, fmt.Errorf("not computed: the eigenvalues did not converge")
	}
	values := eigen.Values(nil)
	slices.Reverse(values)
	if v, h := m.Couplings().Sizes(); len(values) > min(v, h) {
		values = values[:min(v, h)]
	}
	for i, x := range values {
		values[i] = math.Sqrt(max(0, x))
		if values[i] < negligible*values[0] {
			values[i] = 0
		}
	}
	return values, nil
}

// squareRoot returns the symmetric R with R R = g, of a g without negative eigenvalues but for rounding.
func squareRoot(g *mat.SymDense) (*mat.Dense, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(g, true) {
		return nil, fmt.Errorf("not computed: the eigenvalues did not converge")
	}
	var u, scaled, root mat.Dense
	eigen.VectorsTo(&u)
	values := eigen.Values(nil)
	for i, x := range values {
		values[i] = math.Sqrt(max(0, x))
	}
	scaled.Mul(&u, mat.NewDiagDense(len(values), values))
	root.Mul(&scaled, u.T())
	return &root, nil
}

// overlaps returns the largest and the mean |cos| of the angles between two different rows of x.
func overlaps(x *mat.Dense) (largest, mean float64) {
	g := gram(x)
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
