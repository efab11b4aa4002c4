package eval

import (
	"context"

	"mattis/exact"
)

// nllExact is the mean of F(v) + log Z over all rows of the set, in nats. The
// standard error is over rows.
func nllExact(ctx context.Context, s Subject, _ Options) (Result, error) {
	logZ, err := s.logZ(ctx)
	if err != nil {
		return Result{}, err
	}
	mean, stderr, rows, err := s.meanFreeEnergy(ctx, nil)
	if err != nil {
		return Result{}, err
	}
	return Result{Value: mean + logZ, Stderr: stderr, N: rows, Detail: map[string]any{
		"log_z": logZ, "mean_free_energy": mean,
	}}, nil
}

// meanFreeEnergy returns the mean of F(v) over all rows of the set in nats, with its standard error, in float64
// where the pattern classes are given that log Z is the sum over.
func (s Subject) meanFreeEnergy(ctx context.Context, classes *exact.PatternClasses) (mean, stderr float64, rows int, err error) {
	set, err := s.set()
	if err != nil {
		return 0, 0, 0, err
	}
	v := set.Visible
	f := make([]float64, set.Rows)
	if classes != nil {
		if err := ctx.Err(); err != nil {
			return 0, 0, 0, err
		}
		classes.FreeEnergies(f, set.Spins)
		mean, stderr = meanOf(f)
		return mean, stderr, set.Rows, nil
	}
	err = s.freeEnergies(ctx, set.Rows,
		func(first int, spins []int8) { copy(spins, set.Spins[first*v:]) },
		func(first int, part []float64) { copy(f[first:], part) })
	if err != nil {
		return 0, 0, 0, err
	}
	mean, stderr = meanOf(f)
	return mean, stderr, set.Rows, nil
}
