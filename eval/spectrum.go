package eval

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
)

// spectrum is the largest singular value of W; detail.singular_values are
// all min(V,H) of them, or all K of axons with fewer patterns (Fig. 4).
func spectrum(ctx context.Context, s Subject, _ Options) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	m, ok := s.Machine.(*bm.RBM)
	if !ok {
		return Result{}, fmt.Errorf("no spectrum of a machine of layers %v", s.Machine.Layers())
	}
	w, err := core(m)
	if err != nil {
		return Result{}, err
	}
	var values []float64
	done := make(chan struct{})
	go func() { // it has no look at the context: who does not want it any more leaves it to end by itself
		values, err = singularValues(w)
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	if err != nil {
		return Result{}, err
	}
	var two, four float64
	for _, x := range values {
		two += x * x
		four += x * x * x * x
	}
	if four > 0 {
		two *= two / four
	}
	return Result{Value: values[0], N: len(values), Detail: map[string]any{
		"singular_values": values, "participation": two,
	}}, nil
}

// SingularValues returns the singular values of the machine's W from the largest
// to the smallest. Those of axons come from K x K problems and never through W: with Xv^T =
// Qv Rv and Xh^T = Qh Rh they are those of (g/sqrt K) Rv Rh^T.
func SingularValues(m *bm.RBM) ([]float64, error) {
	w, err := core(m)
	if err != nil {
		return nil, err
	}
	return singularValues(w)
}

// core returns a matrix on the host with the singular values of W.
func core(m *bm.RBM) (*mat.Dense, error) {
	var w mat.Dense
	switch c := m.Couplings().(type) {
	case *bm.Axons:
		v, h := c.Patterns()
		rv, rh := triangle(m.Engine(), v.Value), triangle(m.Engine(), h.Value)
		w.Mul(rv, rh.T())
		gain := make([]float32, 1)
		compute.Read(m.Engine(), gain, c.LogGain().Value)
		w.Scale(math.Exp(float64(gain[0]))/math.Sqrt(float64(v.Value.Rows())), &w)
	case *bm.Dense:
		w.CloneFrom(host(m.Engine(), c.Weights().Value))
	default:
		return nil, fmt.Errorf("no spectrum of couplings of type %T", c)
	}
	for _, x := range w.RawMatrix().Data {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the couplings hold NaN or infinity")
		}
	}
	return &w, nil
}

func singularValues(w *mat.Dense) ([]float64, error) {
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDNone) {
		return nil, fmt.Errorf("the singular values of a %d x %d matrix did not converge", w.RawMatrix().Rows, w.RawMatrix().Cols)
	}
	return svd.Values(nil), nil
}

// triangle returns R of X^T = QR for the K x N matrix X, or X^T itself where N < K.
func triangle(e compute.Engine, x compute.Matrix) *mat.Dense {
	t := mat.DenseCopyOf(host(e, x).T())
	n, k := t.Dims()
	if n < k {
		return t
	}
	var qr mat.QR
	qr.Factorize(t)
	r := mat.NewDense(n, k, nil)
	qr.RTo(r)
	return mat.DenseCopyOf(r.Slice(0, k, 0, k))
}

// host returns a Float32 matrix in float64 on the host.
func host(e compute.Engine, m compute.Matrix) *mat.Dense {
	x := make([]float32, m.Len())
	compute.Read(e, x, m)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return mat.NewDense(m.Rows(), m.Cols(), y)
}
