// Package eval implements the measures that judge a machine: reconstruction
// errors, likelihoods by exact sums and by estimates of log Z, ground states and
// accessibilities, how chains mix, the share of valid samples, spectra and probes.
package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
)

// Measure is one number about a machine, by one protocol.
type Measure struct {
	Name    string
	Summary string // one line, with the unit
	Data    DataUse
	Goal    Goal   // which of its values are better
	Errors  Errors // the standard errors that it can have

	reads options
	// can says whether it can be had, from sizes, data and options alone: see Possible.
	can func(s Subject, o Options) error
	run func(ctx context.Context, s Subject, o Options) (Result, error)
}

// DataUse says what a measure does with the data.
type DataUse uint8

const (
	NoData      DataUse = iota // nothing: it is the same without
	LooksAtData                // it is of the machine, and looks at the data where there are some: for valid images, starts, the base law of AIS
	NeedsData                  // it has one value for each set of the split
)

// Goal says which values of a measure speak for a machine.
type Goal int8

const (
	NoGoal   Goal = 0 // neither great nor small ones
	Greatest Goal = 1
	Least    Goal = -1
)

// Better reports whether x is better than y. A NaN is never better, and any number is better than a
// NaN; without a goal nothing is.
func (g Goal) Better(x, y float64) bool {
	switch {
	case g == NoGoal || math.IsNaN(x):
		return false
	case math.IsNaN(y):
		return true
	}
	return float64(g)*(x-y) > 0
}

// Result is the value of a measure.
type Result struct {
	Measure string         `json:"measure"`
	Split   string         `json:"split"` // the set it is about; empty for the machine alone
	Value   float64        `json:"value"`
	Stderr  float64        `json:"stderr"` // standard error of Value: +- 1.96 of it is a 95 % interval; 0 where Value is exact, Unknown (NaN) where the error is not known
	N       int            `json:"n"`      // terms that Value is the mean, sum, minimum or count of
	Detail  map[string]any `json:"detail"`
}

// NoValue says that a measure has no value for a subject that is otherwise in
// order: nothing went wrong, there is nothing to report.
type NoValue struct{ Why string }

func (e *NoValue) Error() string { return "no value: " + e.Why }

// Named returns the measure of that name, or an error that lists the names.
func Named(name string) (Measure, error) {
	for _, m := range Measures {
		if m.Name == name {
			return m, nil
		}
	}
	return Measure{}, fmt.Errorf("%q is no measure: %s", name, strings.Join(Names(), ", "))
}

// Names returns the names of all measures in the order of the table.
func Names() []string {
	names := make([]string, len(Measures))
	for i, m := range Measures {
		names[i] = m.Name
	}
	return names
}

// Run returns the value of the measure: always finite, and a pure function of the
// machine, the set, the options and the subject's key. It returns a *NoValue
// where the measure has none, the context's error once that is cancelled (with other processes: at its
// end, wherever it is), and any other
// error, under the measure's name, for a subject or an option that does not fit.
func (m Measure) Run(ctx context.Context, s Subject, o Options) (Result, error) {
	r, err := m.try(ctx, s, o)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", m.Name, err)
	}
	return r, nil
}

func (m Measure) try(ctx context.Context, s Subject, o Options) (Result, error) {
	if err := m.possible(s, o); err != nil {
		return Result{}, err
	}
	if s.Memo == nil {
		s.Memo = &Memo{}
	}
	inner := ctx
	if s.Comm.Size() > 1 { // whoever gave up would leave the others waiting
		inner = context.WithoutCancel(ctx)
	}
	r, err := m.run(inner, s, o)
	if err == nil {
		err = s.Machine.Engine().Sync()
	}
	if s.Comm.Size() > 1 {
		if stop, other := s.Comm.Any(ctx.Err() != nil); stop || other != nil {
			return Result{}, cmp.Or(other, ctx.Err(), context.Canceled)
		}
	}
	if err != nil {
		return Result{}, err
	}
	if x := r.Value; math.IsNaN(x) || math.IsInf(x, 0) {
		return Result{}, fmt.Errorf("the value is %v: %s", x, s.suspect())
	}
	if x := r.Stderr; math.IsInf(x, 0) {
		return Result{}, fmt.Errorf("the standard error is %v: %s", x, s.suspect())
	}
	r.Measure = m.Name
	if m.Data == NeedsData {
		r.Split = s.SetName
	}
	return r, nil
}

// suspect names the first parameter that is not finite.
func (s Subject) suspect() string {
	for _, p := range s.Machine.Params() {
		if !s.Machine.Engine().Finite(p.Value) {
			return p.Name + " holds NaN or infinity"
		}
	}
	return "the couplings are too large for float32"
}
