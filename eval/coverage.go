package eval

import (
	"context"
	"math"
)

// coverage is the number of distinct images of the data's family (Bars, BAS)
// among the samples, divided by the family's size. It cannot exceed
// samples/size; detail.uniform is what as many perfect samples reach on average.
func coverage(ctx context.Context, s Subject, o Options) (Result, error) {
	t, err := s.tally(ctx, o.Samples)
	if err != nil {
		return Result{}, err
	}
	size := float64(t.size)
	detail := t.detail()
	detail["uniform"] = -math.Expm1(float64(o.Samples.Chains) * math.Log1p(-1/size))
	return Result{Value: float64(t.seen) / size, N: o.Samples.Chains, Detail: detail}, nil
}
