package eval

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	spectra "mattis/internal/spectrum"
)

// spectrum is the largest singular value of the couplings of all pairs. Detail.pairs has for each
// pair its name and all of them: min(N_A,N_B) singular_values, or all K of axons with fewer
// patterns (Fig. 4), or of a layer with itself its N eigenvalues with their signs; of machines of
// one pair they are the detail itself. Participation is (sum x^2)^2 / sum x^4 over them.
func spectrum(ctx context.Context, s Subject, _ Options) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	var all []Spectrum
	var err error
	find := spectraOf(s.Machine) // it has read all that it needs
	done := make(chan struct{})
	go func() { // it has no look at the context: who does not want it any more leaves it to end by itself
		all, err = find()
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
	var list []map[string]any
	largest, n := 0.0, 0
	for _, x := range all {
		largest, n = max(largest, x.Largest()), n+len(x.Values)
		list = append(list, x.detail())
	}
	d := map[string]any{"pairs": list}
	if len(list) == 1 {
		d = list[0]
		delete(d, "pair")
	}
	return Result{Value: largest, N: n, Detail: d}, nil
}

// Spectrum is that of the couplings of a pair.
type Spectrum struct {
	Pair   string
	Signed bool      // of a layer with itself: eigenvalues, and not singular values
	Values []float64 // from the largest to the smallest
}

// Largest returns the largest one in size.
func (x Spectrum) Largest() float64 {
	return max(x.Values[0], -x.Values[len(x.Values)-1])
}

func (x Spectrum) detail() map[string]any {
	var two, four float64
	for _, v := range x.Values {
		two += v * v
		four += v * v * v * v
	}
	if four > 0 {
		two *= two / four
	}
	name := "singular_values"
	if x.Signed {
		name = "eigenvalues"
	}
	return map[string]any{"pair": x.Pair, name: x.Values, "participation": two}
}

// Spectra returns the spectra of all pairs. Those of axons come from K x K problems and never
// through W where two layers meet.
func Spectra(m *bm.Machine) ([]Spectrum, error) { return spectraOf(m)() }

// spectraOf reads the couplings and returns what finds their spectra.
func spectraOf(m *bm.Machine) func() ([]Spectrum, error) {
	g := m.Graph()
	w := make([]*mat.Dense, len(g.Pairs))
	var failed error
	for i := range g.Pairs {
		if w[i], failed = core(m, i); failed != nil {
			break
		}
	}
	return func() (all []Spectrum, err error) {
		if failed != nil {
			return nil, failed
		}
		for i, p := range g.Pairs {
			x := Spectrum{Pair: g.PairName(i), Signed: p.A == p.B}
			if x.Signed {
				x.Values, err = spectra.Eigenvalues(w[i])
			} else {
				x.Values, err = spectra.Values(w[i])
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", x.Pair, err)
			}
			all = append(all, x)
		}
		return all, nil
	}
}

// core returns a matrix on the host with the singular values of the W of a pair, or that of a layer
// with itself.
func core(m *bm.Machine, pair int) (*mat.Dense, error) {
	e, p := m.Engine(), m.Graph().Pairs[pair]
	switch c := m.Couplings().(type) {
	case *bm.Axons:
		if p.A != p.B {
			return spectra.Core(host(e, c.Patterns(p.A).Value), host(e, c.Patterns(p.B).Value), host(e, c.LogGain(pair).Value).At(0, 0)), nil
		}
		return spectra.Self(host(e, c.Patterns(p.A).Value), host(e, c.LogGain(pair).Value).At(0, 0)), nil
	case *bm.Dense:
		return host(e, c.Weights(pair).Value), nil
	}
	return nil, fmt.Errorf("no spectrum of couplings of type %T", m.Couplings())
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
