package eval_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
)

// Samples of the machine with the very couplings of a 4x4 lattice have its energy, |m| and specific heat, by sums over all 2^16 states, within 5
// standard errors (a right program fails once in half a million); and no error of couplings until one of them is moved.
func TestLatticeOfTheTrueMachine(t *testing.T) {
	const side, temperature = 4, 2.4
	split, err := data.Ising(data.Options{Size: side, Temperature: temperature, Count: 300, Key: 3})
	if err != nil {
		t.Fatal(err)
	}
	l := split.Lattice
	e := engine(t)
	d := bm.NewDense(e, bm.Full(side*side, 0))
	j := make([]float32, side*side*side*side)
	for i := range side * side {
		right, below := l.Neighbours(i)
		for _, k := range []int{right, below} {
			j[i*side*side+k], j[k*side*side+i] = 1/temperature, 1/temperature
		}
	}
	compute.Write(e, d.Weights(0).Value, j)
	var z, energy, square, magnet float64
	s := make([]int8, side*side)
	for state := range uint64(1) << (side * side) {
		exact.SetState(s, state)
		m, u := 0, l.Energy(s)
		for _, x := range s {
			m += int(x)
		}
		w := math.Exp(-u / temperature)
		z, energy, square, magnet = z+w, energy+w*u, square+w*u*u, magnet+w*math.Abs(float64(m))
	}
	energy, square, magnet = energy/z, square/z, magnet/z
	want := map[string]float64{
		"lattice_energy": energy / 16, "lattice_magnetization": magnet / 16, "lattice_heat": (square - energy*energy) / (16 * temperature * temperature),
	}
	subject := eval.Subject{Machine: bm.New(e, d), Split: split, Key: 4, Memo: &eval.Memo{}}
	for name, x := range want {
		got := measure(t, name, subject, options(func(o *eval.Options) { o.Samples.Chains, o.Samples.Sweeps = 4000, 60 }))
		if math.Abs(got.Value-x) > 5*got.Stderr || got.Stderr > 0.05*math.Abs(x) {
			t.Errorf("%s: %.4f ± %.4f, exactly %.4f", name, got.Value, got.Stderr, x)
		}
		if of, err := got.Detail["data"].(float64), got.Detail["data_stderr"].(float64); math.Abs(of-x) > 5*err {
			t.Errorf("%s of the data: %.4f ± %.4f, exactly %.4f", name, of, err, x)
		}
	}
	got := measure(t, "lattice_couplings", subject, eval.Defaults())
	near(t, "couplings", got.Value, 0, 1e-7)
	near(t, "others", got.Detail["others"].(float64), 0, 0)
	j[0*16+1] += 0.5 // neighbours, of 32 pairs of which
	j[0*16+5] = 0.3  // and two that are none, of 88
	compute.Write(e, d.Weights(0).Value, j)
	got = measure(t, "lattice_couplings", subject, eval.Defaults())
	near(t, "couplings", got.Value, 0.5/math.Sqrt(32), 1e-6)
	near(t, "mean", got.Detail["mean"].(float64), 1/temperature+0.5/32, 1e-6)
	near(t, "others", got.Detail["others"].(float64), 0.3/math.Sqrt(88), 1e-6)
}
