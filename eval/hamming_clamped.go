package eval

import "context"

// hammingClamped is the second protocol, after the words of Appendix C: the
// unknown pixels start at 0, the known ones are clamped, and several Gibbs sweeps
// run. The clamped pixels count, as right, in the average over all pixels.
func hammingClamped(ctx context.Context, s Subject, o Options) (Result, error) {
	c := o.HammingClamped
	r := reconstruction{key: purposeHammingClamped, draws: c.Draws, rows: c.Rows, sweeps: c.Sweeps, clamp: true}
	return r.measure(ctx, s)
}
