package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mattis/compute"
)

// methodAccessibility is the lowest energy E(v,h) of the configurations that the estimator
// returned, divided by the ground-state energy (Fig. 2b): a pattern with its own hidden part, a
// chain with its sampled h, and h = sign(x), the h of lowest energy, where only v is returned; of
// other machines the same for each layer that is missing or has means. The error of a minimum is not known. The
// exact estimator returns all states and has no value.
func methodAccessibility(ctx context.Context, s Subject, _ Options) (Result, error) {
	n := s.Drawn.State.Rows()
	if n == 0 {
		return Result{}, &NoValue{"there are no configurations of the estimator; they are at hand after an update"}
	}
	m := s.Machine
	drawn := slices.Clone(s.Drawn.State)
	for l, x := range drawn {
		if x.Type() != m.TypeOf(l) {
			drawn[l] = compute.Matrix{}
		}
	}
	var missing []string
	for l, layer := range m.Graph().Layers {
		x := drawn.Layer(l)
		switch {
		case x.IsNone():
			missing = append(missing, layer.Name)
			for _, other := range m.Near(l) {
				if other < l && drawn.Layer(other).IsNone() || m.Self(l) {
					return Result{}, &NoValue{fmt.Sprintf("the estimator returned no configurations of %s, which meet each other", strings.Join(missing, " and "))}
				}
			}
		case x.Rows() != n || x.Cols() != layer.N:
			return Result{}, fmt.Errorf("the estimator's configurations of %s are %v, the machine has %d spins there", layer.Name, x, layer.N)
		}
	}
	floor, err := s.floor(ctx)
	if err != nil {
		return Result{}, err
	}
	energies := make([]float64, n)
	origin := "returned"
	if len(missing) > 0 {
		origin = "sign"
	}
	e, step := m.Engine(), s.part()
	for first := 0; first < n; first += step {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		end := min(first+step, n)
		mark := e.Mark()
		s.energies(energies[first:end], drawn.Slice(first, end))
		e.Release(mark)
	}
	best := slices.Min(energies)
	return Result{Value: share(best, energies, floor), Stderr: Unknown, N: n, Detail: map[string]any{
		"energy": best, "ground_energy": floor, "hidden": origin,
	}}, nil
}
