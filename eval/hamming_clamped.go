package eval

import (
	"cmp"
	"context"
)

// HammingClampedOptions set the clamped protocol.
type HammingClampedOptions struct {
	Draws  int `yaml:"draws"`  // as for hamming
	Rows   int `yaml:"rows"`   // as for hamming
	Sweeps int `yaml:"sweeps"` // Gibbs sweeps with the known pixels clamped
}

var hammingClampedDefaults = HammingClampedOptions{Draws: 100, Rows: 1000, Sweeps: 10}

func (o HammingClampedOptions) check() error {
	return cmp.Or(inRange("draws", o.Draws, 1, most), inRange("rows", o.Rows, 1, most),
		inRange("sweeps", o.Sweeps, 1, most))
}

// hammingClamped is the second protocol, after the words of Appendix C: the
// unknown pixels start at 0, the known ones are clamped, and several Gibbs sweeps
// run. The clamped pixels count, as right, in the average over all pixels.
func hammingClamped(ctx context.Context, s Subject, o Options) (Result, error) {
	c := o.HammingClamped
	r := reconstruction{key: purposeHammingClamped, draws: c.Draws, rows: c.Rows, sweeps: c.Sweeps, clamp: true}
	return r.measure(ctx, s)
}
