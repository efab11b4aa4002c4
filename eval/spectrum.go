package eval

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	spectra "mattis/internal/spectrum"
)

// spectrum is the largest singular value of W; detail.singular_values are
// all min(V,H) of them, or all K of axons with fewer patterns (Fig. 4).
func spectrum(ctx context.Context, s Subject, _ Options) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	m := s.Machine
	w, err := core(m)
	if err != nil {
		return Result{}, err
	}
	var values []float64
	done := make(chan struct{})
	go func() { // it has no look at the context: who does not want it any more leaves it to end by itself
		values, err = spectra.Values(w)
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
// to the smallest. Those of axons come from K x K problems and never through W.
func SingularValues(m *bm.Machine) ([]float64, error) {
	w, err := core(m)
	if err != nil {
		return nil, err
	}
	return spectra.Values(w)
}

// core returns a matrix on the host with the singular values of W.
func core(m *bm.Machine) (*mat.Dense, error) {
	switch c := m.Couplings().(type) {
	case *bm.Axons:
		v, h := c.Patterns(bm.Visible).Value, c.Patterns(bm.Hidden).Value
		gain := host(m.Engine(), c.LogGain(0).Value).At(0, 0)
		return spectra.Core(host(m.Engine(), v), host(m.Engine(), h), gain), nil
	case *bm.Dense:
		return host(m.Engine(), c.Weights(0).Value), nil
	}
	return nil, fmt.Errorf("no spectrum of couplings of type %T", m.Couplings())
}

// gainOf returns g/sqrt K of a pair in float64.
func gainOf(a *bm.Axons, pair int) float64 {
	log := host(a.Engine(), a.LogGain(pair).Value)
	return math.Exp(log.At(0, 0)) / math.Sqrt(float64(a.K()))
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
