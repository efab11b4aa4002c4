package eval

import (
	"cmp"
	"context"
	"math"
	"slices"

	"mattis/bm"
)

// AccessibilityOptions set the chains of gibbs_accessibility and gibbs_accessibility_mean.
type AccessibilityOptions struct {
	Chains int `yaml:"chains"`
	Sweeps int `yaml:"sweeps"` // Gibbs sweeps of each chain
}

var accessibilityDefaults = AccessibilityOptions{Chains: 10, Sweeps: 10} // the released numbers

func (o AccessibilityOptions) check() error {
	return cmp.Or(inRange("chains", o.Chains, 1, most), inRange("sweeps", o.Sweeps, 1, most))
}

// gibbsAccessibility is the lowest energy E(v,h) of chains from random visible
// spins after their Gibbs sweeps, divided by the ground-state energy (the released
// program takes the minimum; the paper's text speaks of one configuration). It is
// 1 where a chain found the ground state. The error of a minimum is not known.
func gibbsAccessibility(ctx context.Context, s Subject, o Options) (Result, error) {
	return access(ctx, s, o.Accessibility, func(e []float64) (value, stderr float64, interval []float64) {
		return slices.Min(e), Unknown, nil
	})
}

// gibbsAccessibilityMean is the mean energy of the same chains, divided by the
// ground-state energy. The standard error is over chains; detail.interval is a 95 % interval that
// heeds how unevenly few of them lie.
func gibbsAccessibilityMean(ctx context.Context, s Subject, o Options) (Result, error) {
	return access(ctx, s, o.Accessibility, func(e []float64) (value, stderr float64, interval []float64) {
		value, stderr = meanOf(e)
		return value, stderr, skewedInterval(e)
	})
}

func access(ctx context.Context, s Subject, o AccessibilityOptions,
	sum func([]float64) (value, stderr float64, interval []float64),
) (Result, error) {
	floor, err := s.floor(ctx)
	if err != nil {
		return Result{}, err
	}
	key := s.Key.Fold(purposeAccessibility)
	energies := make([]float64, o.Chains)
	err = s.run(ctx, chains{
		key: key.Fold(1), n: o.Chains, sweeps: o.Sweeps, start: s.randomStart(key.Fold(0)),
		look: func(first int, st bm.State) { s.energies(energies[first:first+st.Rows()], st) },
	})
	if err != nil {
		return Result{}, err
	}
	energy, stderr, interval := sum(energies)
	detail := map[string]any{"chains": o.Chains, "sweeps": o.Sweeps, "energy": energy, "ground_energy": floor}
	if interval != nil { // both are negative: the lower energy is the larger share
		detail["interval"] = []float64{share(interval[1], energies, floor), share(interval[0], energies, floor)}
	}
	return Result{Value: share(energy, energies, floor), Stderr: stderr / math.Abs(floor), N: o.Chains, Detail: detail}, nil
}
