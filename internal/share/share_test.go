package share

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"mattis/run"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text, env string // env: NAME=VALUE, with blanks between
		want      Part
		fault     string
	}{
		{text: "1/1", want: Part{1, 1}},
		{text: "3/4", want: Part{3, 4}},
		{text: "index/4", env: "JOB_COMPLETION_INDEX=0", want: Part{1, 4}},
		{text: "index/4", env: "SLURM_ARRAY_TASK_ID=3", want: Part{4, 4}},
		{text: "index/4", env: "SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=1", want: Part{4, 4}},
		{text: "index/4", env: "JOB_COMPLETION_INDEX=4", fault: "part 5 of 4 is out of range, want 1 to 4"},
		{text: "index/4", env: "JOB_COMPLETION_INDEX=a", fault: "JOB_COMPLETION_INDEX=a is no number"},
		{text: "index/4", fault: "neither JOB_COMPLETION_INDEX (Kubernetes) nor SLURM_ARRAY_TASK_ID (Slurm) is set"},
		{text: "0/4", fault: "part 0 of 4 is out of range, want 1 to 4"},
		{text: "5/4", fault: "part 5 of 4 is out of range"},
		{text: "1/0", fault: "0 parts are out of range"},
		{text: "1", fault: `"1" is no part, want i/n such as 2/4`},
		{text: "a/4", fault: `"a" is no number, want 1 to 4`},
		{text: "1/4/2", fault: `"1/4/2" is no part`},
	} {
		env := map[string]string{}
		for _, pair := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		got, err := Parse(c.text, func(name string) string { return env[name] })
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s with %q: error %v, want %q", c.text, c.env, err, c.fault)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s with %q: %v, %v, want %v", c.text, c.env, got, err, c.want)
		}
	}
}

// Parts have every entry once between them, whatever their number, and differ in length by one.
func TestOf(t *testing.T) {
	for _, length := range []int{0, 1, 7, 12} {
		list := make([]int, length)
		for i := range list {
			list[i] = i
		}
		if !slices.Equal(Of(list, Part{}), list) {
			t.Errorf("%d entries: the whole is another list", length)
		}
		for n := 1; n <= 13; n++ {
			var all []int
			for i := 1; i <= n; i++ {
				some := Of(list, Part{i, n})
				if len(some) != length/n && len(some) != length/n+1 {
					t.Errorf("part %d/%d of %d entries has %d", i, n, length, len(some))
				}
				all = append(all, some...)
			}
			slices.Sort(all)
			if !slices.Equal(all, list) {
				t.Errorf("%d parts of %d entries have %v", n, length, all)
			}
		}
	}
}

// A locked piece is tried again after the others, and given up where nothing moves any more; a
// fault ends all, and is what is returned.
func TestDo(t *testing.T) {
	ctx := context.Background()
	var mutex sync.Mutex
	tries := map[int]int{}
	do := func(fault int) func(context.Context, int, int) error {
		return func(_ context.Context, threads, piece int) error {
			mutex.Lock()
			defer mutex.Unlock()
			tries[piece]++
			switch {
			case threads < 1:
				return errors.New("no threads")
			case piece == fault:
				return errors.New("broken")
			case piece == 0 && tries[0] < 2, piece == 1:
				return fmt.Errorf("a: %w by process 7", run.ErrLocked)
			}
			return nil
		}
	}
	locked, err := Do(ctx, []int{0, 1, 2, 3, 4}, 2, do(-1))
	if err != nil || !slices.Equal(locked, []int{1}) || tries[0] != 2 || tries[4] != 1 {
		t.Errorf("locked %v, error %v, tries %v", locked, err, tries)
	}
	if _, err := Do(ctx, []int{2, 3, 4}, 3, do(3)); err == nil || err.Error() != "broken" {
		t.Errorf("a fault: %v", err)
	}
	if locked, err := Do(ctx, nil, 2, do(-1)); err != nil || locked != nil {
		t.Errorf("nothing: %v, %v", locked, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Do(ended, []int{2}, 1, do(-1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
