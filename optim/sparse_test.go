package optim_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/optim"
)

// A step of the penalised optimizer is the plain one and then the soft threshold rate*l1, of couplings alone, by a loop in float64: small ones become 0
// to the bit, and the two places of a pair of spins stay the same.
func TestSparse(t *testing.T) {
	const rate, l1 = 0.1, 0.5
	e := engine(t)
	made := func() (*bm.Machine, *bm.Dense) {
		d := bm.NewDense(e, bm.Full(6, 0))
		d.Normal(0.1, 3)
		m := bm.New(e, d, true)
		e.Axpby(d.Weights(0).Grad, 0.3, d.Weights(0).Value, 0)
		compute.Write(e, m.Bias(bm.Visible).Value, []float32{0.01, -0.02, 0.03, 1, -1, 0})
		return m, d
	}
	m, d := made()
	other, plain := made()
	optim.NewSparse(m, optim.NewSGD(m, 0, 0.2), l1).Step(rate)
	optim.NewSGD(other, 0, 0.2).Step(rate)
	read := func(x compute.Matrix) []float32 {
		y := make([]float32, x.Len())
		compute.Read(e, y, x)
		return y
	}
	got, before := read(d.Weights(0).Value), read(plain.Weights(0).Value)
	zeros, moved := 0, 0
	for i, x := range before {
		want := math.Copysign(max(math.Abs(float64(x))-rate*l1, 0), float64(x))
		if math.Abs(float64(got[i])-want) > 1e-8 || want == 0 && got[i] != 0 {
			t.Errorf("coupling %d: %v, want %v", i, got[i], want)
		}
		if got[i] != got[i%6*6+i/6] {
			t.Errorf("coupling %d: %v and %v for one pair of spins", i, got[i], got[i%6*6+i/6])
		}
		if want == 0 {
			zeros++
		} else {
			moved++
		}
	}
	if zeros < 10 || moved < 4 {
		t.Errorf("%d couplings are 0 and %d not: the test tells nothing", zeros, moved)
	}
	bias, kept := read(m.Bias(bm.Visible).Value), read(other.Bias(bm.Visible).Value)
	for i := range bias {
		if bias[i] != kept[i] {
			t.Errorf("bias %d: %v, want %v: the penalty is of couplings", i, bias[i], kept[i])
		}
	}
	if len(optim.NewSparse(m, optim.NewAdam(m, 0.9, 0.999, 1e-8, 0), l1).State()) == 0 {
		t.Error("the state of the optimizer is not that of the one within")
	}
}
