package eval

import (
	"context"
	"fmt"
	"runtime"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// patternSum is log Z by the sum over classes of spins with equal pattern signs.
type patternSum struct {
	classes *bm.PatternClasses
	logZ    float64
}

// patternSum returns the sum over pattern classes, from the memo if it is there, or nil where the machine has none.
func (s Subject) patternSum(ctx context.Context) (*patternSum, error) {
	if s.Memo.patterns != nil {
		return s.Memo.patterns, nil
	}
	m, ok := s.Machine.(*bm.RBM)
	if !ok {
		return nil, nil
	}
	p, err := m.PatternClasses()
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

// StartPatterns returns independent samples of a machine of few +-1 patterns by the sum over its pattern classes, or
// an error that says what it lacks for them.
func StartPatterns(m *bm.RBM) (Start, error) {
	p, err := m.PatternClasses()
	if err != nil {
		return Start{}, fmt.Errorf("exact samples: %w", err)
	}
	return startPatterns(m, p), nil
}

func startPatterns(m *bm.RBM, p *bm.PatternClasses) Start {
	return Start{Name: "exact samples by the sum over pattern classes", Exact: true,
		draw: func(ctx context.Context, n int, key rng.Key) ([]int8, error) {
			e, size := m.Engine(), m.Layers()
			mark := e.Mark()
			defer e.Release(mark)
			state := bm.State{e.Scratch(compute.Int8, n, size[bm.Visible]), e.Scratch(compute.Int8, n, size[bm.Hidden])}
			if err := p.Sample(ctx, threads(), state, bm.Law{Key: key}); err != nil {
				return nil, err
			}
			spins := make([]int8, n*size[bm.Visible])
			compute.Read(e, spins, state[bm.Visible])
			return spins, nil
		}}
}
