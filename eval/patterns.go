package eval

import (
	"context"
	"fmt"
	"runtime"

	"mattis/bm"
	"mattis/exact"
	"mattis/rng"
)

// patternSum is log Z by the sum over classes of spins with equal pattern signs.
type patternSum struct {
	classes *exact.PatternClasses
	logZ    float64
}

// patternSum returns the sum over pattern classes, from the memo if it is there, or nil where the
// machine has none.
func (s Subject) patternSum(ctx context.Context) (*patternSum, error) {
	if s.Memo.patterns != nil {
		return s.Memo.patterns, nil
	}
	p, err := exact.ClassesOf(s.Machine)
	if err != nil {
		return nil, nil
	}
	z, err := p.LogZ(ctx, threads(), s.Progress)
	if err != nil {
		return nil, err
	}
	s.Memo.patterns = &patternSum{p, z}
	return s.Memo.patterns, nil
}

// threads returns how many goroutines sum; no result depends on it.
func threads() int { return runtime.GOMAXPROCS(0) }

// StartPatterns returns independent samples of a machine of few +-1 patterns by the sum over its
// pattern classes, or an error that says what it lacks for them.
func StartPatterns(m *bm.Machine) (Start, error) {
	p, err := exact.ClassesOf(m)
	if err != nil {
		return Start{}, fmt.Errorf("exact samples: %w", err)
	}
	return startPatterns(m, p), nil
}

func startPatterns(m *bm.Machine, p *exact.PatternClasses) Start {
	return Start{Name: "exact samples by the sum over pattern classes", Exact: true,
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			e, left := m.Engine(), leftOf(m)
			mark := e.Mark()
			defer e.Release(mark)
			state := m.Scratch(n)
			if err := p.Sample(ctx, threads(), state, bm.Law{Key: key}); err != nil {
				return nil, err
			}
			rows := make([]int8, n*left.width)
			left.read(rows, state)
			return rows, nil
		}}
}
