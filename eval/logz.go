package eval

import (
	"context"
	"fmt"
	"math"
	"strings"

	"mattis/exact"
)

// logZExact is log Z by summing over the smaller layer, the other one in closed form.
func logZExact(ctx context.Context, s Subject, _ Options) (Result, error) {
	logZ, err := s.logZ(ctx)
	if err != nil {
		return Result{}, err
	}
	x, err := s.enumeration()
	if err != nil {
		return Result{}, err
	}
	return Result{Value: logZ, N: x.Len(), Detail: listed(x)}, nil
}

func (s Subject) enumeration() (*exact.Enumeration, error) {
	x, err := exact.Smallest(s.Machine)
	if err != nil {
		return nil, fmt.Errorf("no exact sum over a machine of %v spins: %w", s.Machine.Layers(), err)
	}
	return x, nil
}

// listed says which layers were listed and in how many states.
func listed(x *exact.Enumeration) map[string]any {
	var names []string
	for _, l := range x.Layers() {
		names = append(names, x.Machine().Graph().Layers[l].Name)
	}
	return map[string]any{"listed": strings.Join(names, ", "), "states": x.Len(), "halved": x.Half()}
}

// walk calls visit with the listed states of x in order, as list gives them,
// until the context is cancelled.
func (s Subject) walk(ctx context.Context, x *exact.Enumeration, list func(func(uint64, []float64) bool), visit func(first uint64, y []float64)) error {
	done := 0
	list(func(first uint64, y []float64) bool {
		visit(first, y)
		done += len(y)
		s.tell(done, x.Len())
		return ctx.Err() != nil
	})
	return ctx.Err()
}

// logZ returns log Z in nats, from the memo if it is there.
func (s Subject) logZ(ctx context.Context) (float64, error) {
	if s.Memo.logZ != nil {
		return *s.Memo.logZ, nil
	}
	x, err := s.enumeration()
	if err != nil {
		return 0, err
	}
	b := blocks{comm: s.Comm, n: x.Blocks(), size: 1}
	from, to := b.own()
	if b.divided() {
		x.Only(from, to, b.n)
	}
	terms, at := make([]float64, 2*b.n), from // of the sum over each block
	err = s.walk(ctx, x, x.Exponents, func(_ uint64, y []float64) {
		var block exact.LogSum
		for _, e := range y {
			block.Add(e)
		}
		terms[2*at], terms[2*at+1] = block.Terms()
		at++
	})
	if err == nil {
		err = spread(b, terms, 2)
	}
	if err != nil {
		return 0, err
	}
	var sum exact.LogSum
	for i := range b.n {
		sum.AddTerms(terms[2*i], terms[2*i+1])
	}
	logZ := sum.Log()
	if x.Half() {
		logZ += math.Ln2
	}
	s.Memo.logZ = &logZ
	return logZ, nil
}
