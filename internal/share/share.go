// Package share divides a list of independent pieces of work over processes and over the workers of
// one.
package share

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"mattis/run"
)

// Part is a process's share of a list: the I-th of N. The zero value is the whole list.
type Part struct{ I, N int }

// Whole reports whether the part is all of the list.
func (p Part) Whole() bool { return p.N == 0 }

// String returns "2/4".
func (p Part) String() string { return fmt.Sprintf("%d/%d", p.I, p.N) }

// mostParts is more processes than anybody has.
const mostParts = 1_000_000

// Parse reads "i/n", i from 1 to n. "index/n" takes i from what an array of jobs tells each of them:
// JOB_COMPLETION_INDEX of Kubernetes, or SLURM_ARRAY_TASK_ID of Slurm. env is os.Getenv.
func Parse(text string, env func(string) string) (Part, error) {
	first, last, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(last)
	if !ok || err != nil {
		return Part{}, fmt.Errorf("%q is no part, want i/n such as 2/4, or index/4 in an array of jobs", text)
	}
	if n < 1 || n > mostParts {
		return Part{}, fmt.Errorf("%d parts are out of range, want 1 to %d", n, mostParts)
	}
	i, err := strconv.Atoi(first)
	if first == "index" {
		i, err = index(env)
	} else if err != nil {
		err = fmt.Errorf("%q is no number, want 1 to %d", first, n)
	}
	if err != nil {
		return Part{}, err
	}
	if i < 1 || i > n {
		return Part{}, fmt.Errorf("part %d of %d is out of range, want 1 to %d", i, n, n)
	}
	return Part{i, n}, nil
}

// index returns the place of this job in its array, from 1.
func index(env func(string) string) (int, error) {
	for _, engine := range []struct{ variable, first string }{
		{"JOB_COMPLETION_INDEX", ""}, // from 0
		{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN"},
	} {
		text := env(engine.variable)
		if text == "" {
			continue
		}
		i, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("%s=%s is no number", engine.variable, text)
		}
		from := 0
		if first := env(engine.first); engine.first != "" && first != "" {
			if from, err = strconv.Atoi(first); err != nil {
				return 0, fmt.Errorf("%s=%s is no number", engine.first, first)
			}
		}
		return i - from + 1, nil
	}
	return 0, errors.New("index is for arrays of jobs: neither JOB_COMPLETION_INDEX (Kubernetes) " +
		"nor SLURM_ARRAY_TASK_ID (Slurm) is set")
}

// Of returns every N-th entry of the list from the I-th on: parts of a list that is ordered by cost
// cost about the same.
func Of[T any](list []T, p Part) []T {
	if p.Whole() {
		return list
	}
	var some []T
	for k := p.I - 1; k < len(list); k += p.N {
		some = append(some, list[k])
	}
	return some
}

// Do does every piece of work once, side by side on at most as many workers as there are threads,
// each with its share of them. A piece whose error is run.ErrLocked is another process's at the
// moment: it is tried again after the others, and what is locked then is returned. Any other error
// cancels the rest and is returned.
func Do[T any](
	ctx context.Context, work []T, threads int, do func(ctx context.Context, threads int, piece T) error,
) (locked []T, err error) {
	for len(work) > 0 {
		if locked, err = pass(ctx, work, threads, do); err != nil {
			return locked, err
		}
		if len(locked) == len(work) {
			return locked, nil
		}
		work = locked
	}
	return nil, nil
}

// pass tries every piece once and returns those that were locked, in their order.
func pass[T any](
	ctx context.Context, work []T, threads int, do func(context.Context, int, T) error,
) ([]T, error) {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := min(threads, len(work))
	queue := make(chan int)
	errs := make([]error, workers)
	busy := make([]bool, len(work))
	var group sync.WaitGroup
	for w := range workers {
		share := threads / workers
		if w < threads%workers {
			share++
		}
		group.Go(func() {
			for k := range queue {
				if ctx.Err() != nil {
					continue
				}
				err := do(ctx, share, work[k])
				if errors.Is(err, run.ErrLocked) {
					busy[k] = true
				} else if err != nil {
					errs[w] = errors.Join(errs[w], err)
					cancel()
				}
			}
		})
	}
	for k := range work {
		queue <- k
	}
	close(queue)
	group.Wait()
	var locked []T
	for k, piece := range work {
		if busy[k] {
			locked = append(locked, piece)
		}
	}
	for _, err := range errs { // a fault, not the cancellations that follow it
		if err != nil && !errors.Is(err, context.Canceled) {
			return locked, err
		}
	}
	return locked, errors.Join(append(errs, outer.Err())...)
}
