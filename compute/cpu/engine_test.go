package cpu

import (
	"fmt"
	"testing"

	"mattis/internal/check"
)

// onArms runs the test on every arm that this processor and build have.
func onArms(t *testing.T, test func(t *testing.T)) {
	for _, name := range Arms() {
		t.Run(name, func(t *testing.T) {
			undo, err := Force(name)
			if err != nil {
				t.Fatal(err)
			}
			defer undo()
			test(t)
		})
	}
}

func newEngine(t testing.TB, threads int) *Engine {
	e := New(threads)
	t.Cleanup(e.Close)
	return e
}

func TestEngine(t *testing.T) {
	onArms(t, func(t *testing.T) {
		for _, threads := range []int{1, 2} {
			t.Run(fmt.Sprint(threads), func(t *testing.T) { check.Engine(t, newEngine(t, threads)) })
		}
	})
}

// The number of threads changes no bit.
func TestThreads(t *testing.T) {
	onArms(t, func(t *testing.T) {
		one := newEngine(t, 1)
		for _, threads := range []int{2, 3} {
			check.SameBits(t, one, newEngine(t, threads))
		}
	})
}
