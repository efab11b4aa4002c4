// Package spectrum implements the singular values of couplings W (Fig. 4), for the measure of that
// name and for the page that reads them from checkpoints.
package spectrum

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Values returns the singular values of w (N x M), min(N,M) of them, from the largest to the
// smallest.
func Values(w *mat.Dense) ([]float64, error) {
	if err := finite(w); err != nil {
		return nil, err
	}
	rows, columns := w.Dims()
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDNone) {
		return nil, fmt.Errorf("the singular values of a %d x %d matrix did not converge", rows, columns)
	}
	return svd.Values(nil), nil
}

func finite(w *mat.Dense) error {
	rows, _ := w.Dims()
	for i := range rows {
		for _, x := range w.RawRowView(i) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return errors.New("the couplings hold NaN or infinity")
			}
		}
	}
	return nil
}

// Eigenvalues returns the eigenvalues of the symmetric w (N x N), with their signs, from the
// largest to the smallest.
func Eigenvalues(w *mat.Dense) ([]float64, error) {
	if err := finite(w); err != nil {
		return nil, err
	}
	n, _ := w.Dims()
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(n, mat.DenseCopyOf(w).RawMatrix().Data), false) {
		return nil, fmt.Errorf("the eigenvalues of a %d x %d matrix did not converge", n, n)
	}
	values := eigen.Values(nil)
	slices.Reverse(values)
	return values, nil
}

// Core returns a matrix with the singular values of W = (g/sqrt K) Xa^T Xb, for patterns a (K x N)
// and b (K x M) and the logarithm of the gain g. It never forms W: with Xa^T = Qa Ra and
// Xb^T = Qb Rb it is (g/sqrt K) Ra Rb^T, of at most K rows and columns. W has zeros beside them.
func Core(a, b *mat.Dense, logGain float64) *mat.Dense {
	k, _ := a.Dims()
	var w mat.Dense
	w.Mul(triangle(a), triangle(b).T())
	w.Scale(math.Exp(logGain)/math.Sqrt(float64(k)), &w)
	return &w
}

// Self returns the couplings J = (g/sqrt K) X^T X of a layer with itself (N x N), whose diagonal is
// zero, for its patterns x (K x N) and the logarithm of the gain g.
func Self(x *mat.Dense, logGain float64) *mat.Dense {
	k, n := x.Dims()
	var j mat.Dense
	j.Mul(x.T(), x)
	j.Scale(math.Exp(logGain)/math.Sqrt(float64(k)), &j)
	for i := range n {
		j.Set(i, i, 0)
	}
	return &j
}

// triangle returns R of X^T = QR for the K x N matrix X, or X^T itself where N < K.
func triangle(x *mat.Dense) mat.Matrix {
	k, n := x.Dims()
	if n < k {
		return x.T()
	}
	var qr mat.QR
	qr.Factorize(x.T())
	var r mat.Dense
	qr.RTo(&r)
	return r.Slice(0, k, 0, k)
}
