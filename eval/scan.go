package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mattis/bm"
	"mattis/compute"
	"mattis/sampler"
)

// Reach is how near Gibbs chains from random spins come to the ground state
// when W is scaled to a standard deviation.
type Reach struct {
	Deviation     float64 // of the entries of W
	Minimum, Mean float64 // lowest and mean energy of the chains, as shares of the ground state's
}

// Scan returns the reach at each standard deviation of the weights (Fig. 1). Energies scale with
// the weights, so the machine is left as it is and the chains move at the inverse temperature that
// the scale amounts to: the ground state is found once. It is a *NoValue for W = 0 and for machines
// with biases or an offset, whose fields do not scale with W.
func Scan(ctx context.Context, s Subject, o AccessibilityOptions, deviations []float64) ([]Reach, error) {
	if s.Memo == nil {
		s.Memo = &Memo{}
	}
	m := s.Machine
	if !m.Symmetric() {
		return nil, &NoValue{"the machine has biases or an offset, and its temperature is not the scale of W alone"}
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("gibbs_accessibility.%w", err)
	}
	floor, err := s.floor(ctx)
	if err != nil {
		return nil, err
	}
	e, own := m.Engine(), Deviation(m)
	mark := e.Mark()
	defer e.Release(mark)
	n := len(deviations) * o.Chains
	betas := make([]float32, n)
	for i := range betas {
		betas[i] = float32(deviations[i/o.Chains] / own)
	}
	beta := e.Scratch(compute.Float32, n, 1)
	compute.Write(e, beta, betas)
	state := m.Scratch(n)
	key := s.Key.Fold(purposeScan)
	sampler.Randomize(m, state, bm.Law{Key: key.Fold(0)})
	for sweep := range o.Sweeps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.Sweep(state, bm.Law{Beta: beta, Key: key.Fold(1).Fold(uint64(sweep))})
	}
	energies := make([]float64, n)
	s.energies(energies, state)
	reaches := make([]Reach, len(deviations))
	for i, d := range deviations {
		part := energies[i*o.Chains : (i+1)*o.Chains]
		mean, _ := meanOf(part)
		reaches[i] = Reach{d, share(slices.Min(part), part, floor), share(mean, part, floor)}
	}
	return reaches, e.Sync()
}

// Deviation returns the standard deviation of the entries of the W of all pairs.
func Deviation(m *bm.Machine) float64 {
	var n, sum, squares float64
	for pair := range m.Graph().Pairs {
		Weights(m, pair, func(row []float32) {
			n += float64(len(row))
			for _, x := range row {
				sum += float64(x)
				squares += float64(x) * float64(x)
			}
		})
	}
	mean := sum / n
	return math.Sqrt(max(0, squares/n-mean*mean))
}

// Weights shows look the rows of the W of a pair, N_B entries each, one spin of the layer A after
// the other.
func Weights(m *bm.Machine, pair int, look func(row []float32)) {
	e, g := m.Engine(), m.Graph()
	v, h := g.Layers[g.Pairs[pair].A].N, g.Layers[g.Pairs[pair].B].N
	const block = 64
	one := make([]int8, block*v)
	row := make([]float32, block*h)
	for first := 0; first < v; first += block {
		n := min(block, v-first)
		clear(one)
		for i := range n {
			one[i*v+first+i] = 1
		}
		mark := e.Mark()
		x, f := e.Scratch(compute.Int8, n, v), e.Scratch(compute.Float32, n, h)
		compute.Write(e, x, one[:n*v])
		m.Couplings().Times(f, x, pair, false)
		compute.Read(e, row[:n*h], f)
		e.Release(mark)
		for i := range n {
			look(row[i*h : (i+1)*h])
		}
	}
}

// GlorotDeviation returns the standard deviation of the weights that Glorot and Bengio (2010) give
// V visible and H hidden spins: sqrt(2/(V+H)).
func GlorotDeviation(visible, hidden int) float64 { return math.Sqrt(2 / float64(visible+hidden)) }

// TailOfNormal returns Q(z), the probability that a standard normal number exceeds z.
func TailOfNormal(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }
