package cpu

import (
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
		check.Engine(t, newEngine(t, 2)) // TestThreads has the other numbers
	})
}

// The number of threads changes no bit.
func TestThreads(t *testing.T) {
	onArms(t, func(t *testing.T) {
		check.SameBits(t, newEngine(t, 1), newEngine(t, 2), newEngine(t, 3))
	})
}

// Every arm has the sums of the generic one for products in bfloat16, whatever multiplies them.
func TestBF16ArmsAgree(t *testing.T) {
	engines := onEachArm(t)
	for _, e := range engines[1:] {
		check.SameBF16(t, engines[0], e)
	}
}

func onEachArm(t *testing.T) (engines []*Engine) {
	for _, name := range Arms() {
		undo, err := Force(name)
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, newEngine(t, 1))
		undo()
	}
	return engines
}

// The AVX2 and the AVX-512 arm run one order of arithmetic.
func TestAssemblyArmsAgree(t *testing.T) {
	engines := onEachArm(t)[1:]
	if len(engines) < 2 {
		t.Skip("there are not two assembly arms here")
	}
	check.SameBits(t, engines[0], engines[1])
}
