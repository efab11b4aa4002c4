package eval

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
)

// ground is the state of lowest energy.
type ground struct {
	energy float64 // kT
	state  string  // the listed layer's spins, + and -
}

// groundEnergy is the lowest energy E(v,h), found among all states of the
// smaller layer with the other one at its best. Detail.state is the listed layer there.
func groundEnergy(ctx context.Context, s Subject, _ Options) (Result, error) {
	g, err := s.ground(ctx)
	if err != nil {
		return Result{}, err
	}
	x, err := s.enumeration()
	if err != nil {
		return Result{}, err
	}
	detail := listed(x)
	detail["state"] = g.state
	return Result{Value: g.energy, N: x.Len(), Detail: detail}, nil
}

// ground returns the ground state, from the memo if it is there.
func (s Subject) ground(ctx context.Context) (*ground, error) {
	if s.Memo.ground != nil {
		return s.Memo.ground, nil
	}
	x, err := s.enumeration()
	if err != nil {
		return nil, err
	}
	best, at := math.Inf(-1), uint64(0)
	err = s.walk(ctx, x, x.Minima, func(first uint64, y []float64) {
		for i, e := range y {
			if e > best {
				best, at = e, first+uint64(i)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	sizes := s.Machine.Layers()
	n := 0
	for _, l := range x.Layers() {
		n += sizes[l]
	}
	spins := make([]int8, n)
	exact.SetState(spins, at)
	s.Memo.ground = &ground{energy: -best, state: signs(spins)}
	if s.allSpins() { // a Gaussian layer is where it is lowest in Minima
		layers := make([]*mat.Dense, len(sizes))
		for _, l := range x.Layers() {
			layers[l] = rowsOf(spins[:sizes[l]], 1)
			spins = spins[sizes[l]:]
		}
		f := newEnergy(s.Machine)
		f.settle(layers, sizes)
		s.Memo.ground.energy = f.of(layers)[0] + s.constant()
	}
	return s.Memo.ground, nil
}

// signs writes spins as + and -.
func signs(spins []int8) string {
	b := make([]byte, len(spins))
	for i, s := range spins {
		b[i] = '+'
		if s < 0 {
			b[i] = '-'
		}
	}
	return string(b)
}

// floor returns the ground-state energy in kT without the energy constant, or
// a *NoValue where it is not below 0 and no share of it can be taken.
func (s Subject) floor(ctx context.Context) (float64, error) {
	g, err := s.ground(ctx)
	if err != nil {
		return 0, err
	}
	e := g.energy - s.constant()
	switch {
	case e == 0:
		return 0, &NoValue{"the ground-state energy is 0: all couplings and biases are 0"}
	case e > 0: // offsets shift all energies
		return 0, &NoValue{fmt.Sprintf("the ground-state energy is %.4g kT, and a share can be taken only of one below 0", e)}
	}
	return e, nil
}

// constant returns the energy constant of the machine, 0 where it has none.
func (s Subject) constant() float64 { return s.Machine.Constant() }

// allSpins reports whether the machine has no Gaussian layers.
func (s Subject) allSpins() bool {
	return !slices.ContainsFunc(s.Machine.Graph().Layers, func(l bm.Layer) bool { return l.Kind != bm.Spins })
}

// share returns energy, the mean or the lowest of the energies, as a share of the ground-state
// energy: at most 1. Of states that tie to within the float32 fields that they are listed by, the
// one that was listed as the lowest need not be: the lowest of all counts.
func share(energy float64, energies []float64, floor float64) float64 {
	return min(1, energy/min(floor, slices.Min(energies)))
}

// energies sets dst to E of each configuration in kT, in float64 where all layers are spins,
// without the energy constant: shares of the ground-state energy are taken of them. Gaussian
// layers, and those that the state lacks, are where E is lowest given the others. Its scratch is
// the caller's to release.
func (s Subject) energies(dst []float64, state bm.State) {
	m, e := s.Machine, s.Machine.Engine()
	if s.allSpins() {
		layers := make([]*mat.Dense, len(m.Layers()))
		for l, x := range state {
			if !x.IsNone() {
				layers[l] = spinsOf(e, x)
			}
		}
		f := newEnergy(m)
		f.settle(layers, m.Layers())
		copy(dst, f.of(layers))
		return
	}
	spins := make(bm.State, len(m.Layers()))
	for l, layer := range m.Graph().Layers {
		if x := state.Layer(l); layer.Kind == bm.Spins && !x.IsNone() {
			spins[l] = x
		}
	}
	for l, x := range spins { // summed out it would be log 2cosh of the fields, and not their size
		if x.IsNone() && m.Graph().Layers[l].Kind == bm.Spins {
			field := e.Scratch(compute.Float32, len(dst), m.Layers()[l])
			sign := e.Scratch(compute.Int8, len(dst), m.Layers()[l])
			m.Mean(field, spins, l, bm.Law{})
			e.Sign(sign, field)
			spins[l] = sign
		}
	}
	sum := e.Scratch(compute.Float64, len(dst), 1)
	m.Energy(sum, spins, bm.Law{}) // a Gaussian layer summed out is where it is lowest
	compute.Read(e, dst, sum)
	if c := s.constant(); c != 0 {
		for i := range dst {
			dst[i] -= c
		}
	}
}
