package eval

import (
	"context"
	"math"
)

// coverage is the number of distinct images of the data's family (Bars, BAS) among the samples,
// divided by the family's size. It cannot exceed samples/size; detail.uniform is what as many
// perfect samples reach on average. The standard error is that of the jackknife over samples:
// without one of them an image is missing where it is the only one of its image, so it is
// sqrt((n-1)/n f (1-f/n)) images for f images seen once, and unknown where there are none or
// nothing else.
func coverage(ctx context.Context, s Subject, o Options) (Result, error) {
	t, err := s.tally(ctx, o.Samples)
	if err != nil {
		return Result{}, err
	}
	size := float64(t.size)
	detail := t.detail()
	detail["uniform"] = -math.Expm1(float64(o.Samples.Chains) * math.Log1p(-1/size))
	if err := s.addMixing(ctx, o.Samples, detail); err != nil {
		return Result{}, err
	}
	n, once := float64(o.Samples.Chains), float64(t.once)
	stderr := math.Sqrt((n-1)/n*once*(1-once/n)) / size
	if stderr == 0 {
		stderr = Unknown
	}
	return Result{Value: float64(t.seen) / size, Stderr: stderr, N: o.Samples.Chains, Detail: detail}, nil
}
