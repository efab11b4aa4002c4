package eval

import (
	"context"
	"fmt"
	"math"
)

// Reverse returns the estimate from paths that run from the start back to the base law (Burda,
// Grosse and Salakhutdinov 2014). The mean of 1/w over them is unbiased for Z_0/Z where the start
// is exact: an upper bound of log Z in expectation then, and no bound otherwise.
//
// Where cooling leaves many forward paths in valleys that hold little of the machine's law, reverse
// paths start in others and their weights look healthy while the mean misses those few that would
// carry it. So the forward paths are drawn too (once for both directions), and a gap to the bridge
// between both is a warning.
func (a *AIS) Reverse(ctx context.Context, start Start) (LogZ, error) {
	reverse, err := a.reverse(ctx, start)
	if err != nil {
		return LogZ{}, err
	}
	forward, err := a.forward(ctx)
	if err != nil {
		return LogZ{}, err
	}
	z := a.upper(reverse, start)
	if a.turns() {
		// The mean of 1/w over turned paths is Z_0/Z times the share of forward paths that end on
		// the base's side.
		n := float64(len(forward))
		share := 1.0
		for _, l := range forward {
			if math.IsInf(l, -1) {
				share -= 1 / n
			}
		}
		z.Value += math.Log(share)
		z.Stderr = math.Hypot(z.Stderr, math.Sqrt((1-share)/(share*n)))
	}
	b := bennett(forward, reverse)
	if gap := z.Value - a.baseLogZ() - b.d; math.Abs(gap) > 2*math.Hypot(z.Stderr, b.stderr) {
		z.Warnings = append(z.Warnings, fmt.Sprintf("reverse AIS: %.3g nats from the bridge to the forward paths: some valleys are reached in one direction only", gap))
	}
	return z, nil
}

// upper returns the estimate from the log weights of reverse paths.
func (a *AIS) upper(logs []float64, start Start) LogZ {
	inverse := make([]float64, len(logs))
	for i, l := range logs {
		inverse[i] = -l
	}
	w := weigh(inverse)
	z := a.estimate(w, -1, UpperBound, w.warn("reverse AIS", len(logs)), len(logs))
	z.Started = start.Name
	if !start.Exact {
		z.Side = NoSide
		z.Warnings = append(z.Warnings, "reverse AIS did not start from exact samples ("+start.Name+"): it is no bound")
	}
	return z
}

// reverse returns the log weights, those of the same paths run forward, of paths from the start to
// the base law. A sweep leaves the law of the left side at its inverse temperature unchanged. That
// of a restricted machine is its own reverse; that of several left layers, or of spins drawn one
// after the other, is not: the reverse draws them in the opposite order.
func (a *AIS) reverse(ctx context.Context, start Start) ([]float64, error) {
	if a.back != nil && a.started == start.Name {
		return a.back, nil
	}
	betas, err := a.Ladder(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := start.draw(ctx, a.Runs, a.Key.Fold(streamStart))
	if err != nil {
		return nil, err
	}
	left := leftOf(a.Machine)
	logs := make([]float64, a.Runs)
	turned := make([]float64, a.Runs)
	for i := range turned {
		row := rows[i*left.width:][:left.width]
		side := a.side(row[:left.visible])
		if side < 0 {
			copy(row, negated(row))
			side = 1
		}
		turned[i] = weightOfSide(side)
	}
	err = a.parts(ctx, a.Key.Fold(streamReverse), func(p *paths, tell func(int) error) error {
		p.back = true
		left.write(p.state, rows[p.first*left.width:(p.first+p.n)*left.width])
		for t := a.Betas - 1; t >= 0; t-- {
			p.step(betas[t], betas[t+1], betas[t], t == 0)
			if err := tell(a.Betas - t); err != nil {
				return err
			}
		}
		own := logs[p.first : p.first+p.n]
		p.read(own)
		for i := range own {
			own[i] += turned[p.first+i]
		}
		return nil
	})
	if err == nil {
		err = spread(a.blocks(), logs, 1)
	}
	if err != nil {
		return nil, err
	}
	a.back, a.started = logs, start.Name
	return logs, nil
}
