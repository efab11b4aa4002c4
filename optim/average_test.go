package optim_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/optim"
)

// Averages of a parameter that goes 1, 2, 4, ... are what sums by hand are, before and after the
// epoch from which they count, and at no update the parameter itself but at the first.
func TestAverages(t *testing.T) {
	e := cpu.New(1)
	defer e.Close()
	machine := func() *bm.Machine { return bm.New(e, bm.NewDense(e, bm.Restricted(1, 1, false)), true, false) }
	of := machine()
	set := func(x float32) { compute.Write(e, of.Bias(bm.Visible).Value, []float32{x}) }
	set(-3)
	slow, last := optim.NewExponential(machine(), of, 0.9), optim.NewLast(machine(), of, 2)
	value := func(m *bm.Machine) float64 {
		x := make([]float32, 1)
		compute.Read(e, x, m.Bias(bm.Visible).Value)
		return float64(x[0])
	}
	if value(slow.Machine()) != -3 || value(last.Machine()) != -3 {
		t.Fatal("an average does not begin with the parameters")
	}
	const epoch = 3 // updates
	sum, mean := 0.0, -3.0
	for step := 1; step <= 30; step++ {
		x := math.Pow(1.2, float64(step))
		set(float32(x))
		slow.Move(step, epoch)
		last.Move(step, epoch)
		w := math.Max(0.1, 1/float64(step+1)) // the start counts as one of the first ten
		mean += w * (x - mean)
		if got := value(slow.Machine()); math.Abs(got-mean) > 1e-5*math.Abs(mean) {
			t.Errorf("update %d: exponential average %v, want %v", step, got, mean)
		}
		want := x
		if n := step - 2*epoch; n > 0 {
			sum += x
			want = sum / float64(n)
		}
		if got := value(last.Machine()); math.Abs(got-want) > 1e-5*want {
			t.Errorf("update %d: average from epoch 2 on %v, want %v", step, got, want)
		}
	}
	last.Return()
	if got := value(of); got != value(last.Machine()) {
		t.Errorf("the machine returned to %v, want its mean", got)
	}
}
