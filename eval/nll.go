package eval

import (
	"context"
	"fmt"
	"math"

	"mattis/data"
	"mattis/exact"
)

// nllExact is the mean of F(v) + log Z over all rows of the set, in nats. The standard error is
// over rows. Hidden layers that meet each other are listed for each row.
func nllExact(ctx context.Context, s Subject, _ Options) (Result, error) {
	logZ, err := s.logZ(ctx)
	if err != nil {
		return Result{}, err
	}
	way := FreeSummedOut
	if !s.Machine.SumsOut() {
		way = FreeListed
	}
	var f freeMean
	if s.Split.Set(s.SetName).Gaps() {
		f, err = s.freeKnown(ctx, Defaults())
	} else {
		f, err = s.meanFreeEnergy(ctx, way, MeanFieldOptions{})
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Value: f.mean + logZ, Stderr: f.stderr, N: f.rows, Detail: map[string]any{
		"log_z": logZ, "mean_free_energy": f.mean,
	}}, nil
}

// freeMean is the mean of F(v) over rows of a set, in nats.
type freeMean struct {
	mean, stderr float64 // stderr is over rows
	rows         int
	way          string
	moving       int // rows whose mean field has not settled
	detail       map[string]any
	warnings     []string

	free []float64 // F(v) of each row of set by way; nil where rows were annealed, had gaps, or were summed by classes
	set  *data.Set
}

// leastLogZ returns what log Z can't be below, whatever estimates have missed: the logarithm of the
// sum of exp(-F(v)) over the different rows, or -Inf where these are not kept.
func (f freeMean) leastLogZ() float64 {
	if f.free == nil {
		return math.Inf(-1)
	}
	var sum exact.LogSum
	seen := make(map[string]bool, len(f.free))
	signs := make([]byte, (f.set.Visible+7)/8)
	for i, free := range f.free {
		clear(signs)
		for j, spin := range f.set.Row(i) {
			if spin > 0 {
				signs[j/8] |= 1 << (j % 8)
			}
		}
		if !seen[string(signs)] {
			seen[string(signs)] = true
			sum.Add(-free)
		}
	}
	return sum.Log()
}

// meanFreeEnergy returns the mean over all rows of the set by one of the ways that need no random
// numbers.
func (s Subject) meanFreeEnergy(ctx context.Context, way string, o MeanFieldOptions) (freeMean, error) {
	set, err := s.set()
	if err != nil {
		return freeMean{}, err
	}
	f := make([]float64, set.Rows)
	x := freeMean{rows: set.Rows, way: way, free: f, set: set}
	x.moving, err = freeBy(ctx, s.Machine, way, o, f, set.Spins[:set.Rows*set.Visible], func(done int) { s.tell(done, set.Rows) })
	x.mean, x.stderr = meanOf(f)
	return x, err
}

// bestFree returns the mean of F(v) by the best affordable way: exactly in closed form, from the
// pattern classes that log Z is the sum over, or by listing, and else by annealing with the visible
// layer held.
func (s Subject) bestFree(ctx context.Context, o Options, classes *exact.PatternClasses) (freeMean, error) {
	set, err := s.set()
	if err != nil {
		return freeMean{}, err
	}
	switch {
	case set.Gaps():
		return s.freeKnown(ctx, o)
	case classes != nil && isPlain(s.Machine): // whose free energies theirs are
		if err := ctx.Err(); err != nil {
			return freeMean{}, err
		}
		f := make([]float64, set.Rows)
		classes.FreeEnergies(f, set.Spins)
		x := freeMean{rows: set.Rows, way: FreeSummedOut}
		x.mean, x.stderr = meanOf(f)
		return x, nil
	case s.Machine.SumsOut():
		return s.meanFreeEnergy(ctx, FreeSummedOut, o.MeanField)
	case exactFree(s.Machine, set.Rows):
		return s.meanFreeEnergy(ctx, FreeListed, o.MeanField)
	}
	return s.held(ctx, o)
}

// nllBy returns the measure NLL by the estimator of log Z: the mean of F(v) + log Z over the rows
// of the set in nats. Its standard error is that over rows, which holds the noise of F(v) where
// that is estimated, beside that of log Z; its bias is on the side of log Z's where F(v) is exact,
// and unknown elsewhere. An estimate of log Z below the sum over the rows of the set itself gives way to that;
// its standard error stays, and says nothing then of what other states add.
func nllBy(by estimator) func(context.Context, Subject, Options) (Result, error) {
	return nllFrom(by, Subject.bestFree)
}

// nllAnnealed is nllBy by annealing throughout: F(v) by annealing with the visible layer held where
// hidden layers do not sum out.
func nllAnnealed(ctx context.Context, s Subject, o Options) (Result, error) {
	return nllFrom(byAIS, func(s Subject, ctx context.Context, o Options, _ *exact.PatternClasses) (freeMean, error) {
		switch set, err := s.set(); {
		case err != nil:
			return freeMean{}, err
		case set.Gaps():
			return s.freeKnown(ctx, o)
		case s.Machine.SumsOut():
			return s.meanFreeEnergy(ctx, FreeSummedOut, o.MeanField)
		}
		return s.held(ctx, o)
	})(ctx, s, o)
}

func nllFrom(by estimator, free func(Subject, context.Context, Options, *exact.PatternClasses) (freeMean, error)) func(context.Context, Subject, Options) (Result, error) {
	return func(ctx context.Context, s Subject, o Options) (Result, error) {
		z, d, err := by(ctx, s, o)
		if err != nil {
			return Result{}, err
		}
		f, err := free(s, ctx, o, z.classes)
		if err != nil {
			return Result{}, err
		}
		if z.Side != Exact {
			least := f.leastLogZ()
			least -= 3 * rounding(s.Machine, least)
			if bound, ok := d["lower_bound"].(float64); ok && least > bound {
				d["lower_bound"] = least
			}
			if least > z.Value {
				if least > z.Value+2*z.Stderr {
					d["warnings"] = append(d["warnings"].([]string), fmt.Sprintf("the estimate of log Z, %.6g, is %.3g below what the %d rows of the set alone sum to, which is taken in its place: what other states add is not known", z.Value, least-z.Value, f.rows))
				}
				d["log_z_estimate"], d["side"] = z.Value, LowerBound
				z.Value = least
			}
		}
		d["log_z"], d["log_z_stderr"], d["mean_free_energy"] = z.Value, z.Stderr, f.mean
		if f.way != FreeSummedOut {
			d["free_energy"] = f.way
			if f.way == FreeByAnnealing && d["side"] != NoSide {
				d["log_z_side"], d["side"] = d["side"], NoSide
				if z.Side == Exact { // F(v) is too large in expectation
					d["side"] = UpperBound
				}
			}
		}
		for k, x := range f.detail {
			d[k] = x
		}
		if len(f.warnings) > 0 {
			d["warnings"] = append(d["warnings"].([]string), f.warnings...)
		}
		return Result{Value: f.mean + z.Value, Stderr: math.Hypot(f.stderr, z.Stderr), N: f.rows, Detail: d}, nil
	}
}

// nllBound is the mean over all rows of the set of the bound on F(v) by mean field, plus log Z by
// the best affordable method, in nats. Detail.side says what it is to the NLL: "exact" or "upper"
// where log Z is exact, "none" where that is an estimate from below, as by AIS. The standard error
// is over rows beside that of log Z.
func nllBound(ctx context.Context, s Subject, o Options) (Result, error) {
	z, d, err := byBest(ctx, s, o)
	if err != nil {
		return Result{}, err
	}
	f, err := s.meanFreeEnergy(ctx, FreeMeanField, o.MeanField)
	if err != nil {
		return Result{}, err
	}
	d["log_z"], d["log_z_stderr"], d["log_z_side"], d["mean_bound"] = z.Value, z.Stderr, z.Side, f.mean
	d["side"] = NoSide
	switch {
	case z.Side == Exact && s.Machine.SumsOut():
		d["side"] = Exact
	case z.Side == Exact:
		d["side"] = UpperSide
	}
	if d["moving"] = f.moving; f.moving > 0 {
		d["warnings"] = append(d["warnings"].([]string), fmt.Sprintf("the mean field of %d of %d rows has not settled within %d sweeps: the bound holds, and more of them would make it smaller", f.moving, f.rows, o.MeanField.Steps))
	}
	return Result{Value: f.mean + z.Value, Stderr: math.Hypot(f.stderr, z.Stderr), N: f.rows, Detail: d}, nil
}
