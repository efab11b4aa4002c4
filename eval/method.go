package eval

import (
	"context"
	"fmt"
	"slices"

	"mattis/bm"
	"mattis/compute"
)

// methodAccessibility is the lowest energy E(v,h) of the configurations that the
// estimator returned, divided by the ground-state energy (Fig. 2b): a pattern
// with its own hidden part, a chain with its sampled h, and h = sign(x), the h of lowest energy,
// where only v is returned. The error of a minimum is not known. The exact estimator returns all states and has no value.
func methodAccessibility(ctx context.Context, s Subject, _ Options) (Result, error) {
	n := s.Drawn.State.Rows()
	if n == 0 {
		return Result{}, &NoValue{"there are no configurations of the estimator; they are at hand after an update"}
	}
	visible, hidden, err := s.layers()
	if err != nil {
		return Result{}, err
	}
	v, h := s.Drawn.State.Layer(bm.Visible), s.Drawn.State.Layer(bm.Hidden)
	if v.Rows() != n || v.Cols() != visible || !h.IsNone() && (h.Rows() != n || h.Cols() != hidden) {
		return Result{}, fmt.Errorf("the estimator's configurations are %v and %v, the machine has %d visible and %d hidden spins", v, h, visible, hidden)
	}
	floor, err := s.floor(ctx)
	if err != nil {
		return Result{}, err
	}
	e := s.Machine.Engine()
	energies := make([]float64, n)
	origin := "returned"
	if h.IsNone() {
		origin = "sign"
	}
	step := s.part()
	for first := 0; first < n; first += step {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		end := min(first+step, n)
		mark := e.Mark()
		part := s.Drawn.State.Slice(first, end)
		if h.IsNone() {
			field := e.Scratch(compute.Float32, end-first, hidden)
			signs := e.Scratch(compute.Int8, end-first, hidden)
			s.Machine.Mean(field, bm.State{part[bm.Visible], signs}, bm.Hidden, bm.Law{})
			e.Sign(signs, field) // tanh x has the sign of x
			part = bm.State{part[bm.Visible], signs}
		}
		s.energies(energies[first:end], part)
		e.Release(mark)
	}
	best := slices.Min(energies)
	return Result{Value: share(best, energies, floor), Stderr: Unknown, N: n, Detail: map[string]any{
		"energy": best, "ground_energy": floor, "hidden": origin,
	}}, nil
}
