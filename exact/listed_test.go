package exact_test

import (
	"math"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/exact"
	"mattis/rng"
)

// The phase of a list of states, made of halves, is that of the same rows one by one: every parameter, one block of high
// halves (9 spins) and four (20), fields that go by exponentials and larger ones. With an offset, which halves cannot have, it
// is the rows that count. The rows of lists without visible biases are spoilt, so that only halves can be right.
func TestPhaseOfListedStates(t *testing.T) {
	e := engine(t)
	for _, c := range []struct {
		name         string
		visible      int
		axons        bool
		bias, offset bool
		size         float64
	}{
		{"dense", 9, false, false, false, 0.3}, {"dense, biases", 9, false, true, false, 0.3}, {"dense, frozen", 8, false, true, false, 20},
		{"axons", 9, true, false, false, 0.3}, {"axons, biases", 7, true, true, false, 0.3}, {"axons, frozen", 9, true, false, false, 30},
		{"offset", 7, true, true, true, 0.3}, {"one spin", 1, false, true, false, 0.3}, {"four blocks", 20, false, true, false, 0.3},
	} {
		const hidden = 21
		var couplings bm.Couplings
		if c.axons {
			a := bm.NewAxons(e, bm.Restricted(c.visible, hidden, c.offset), 5, true)
			a.Uniform(1, 3)
			a.SetGain(c.size)
			couplings = a
		} else {
			d := bm.NewDense(e, bm.Restricted(c.visible, hidden, c.offset))
			d.Normal(c.size, 3)
			couplings = d
		}
		r := bm.New(e, couplings, c.bias, c.bias)
		for _, p := range r.Params() {
			if p.Name == "bias.hidden" || p.Name == "offset.visible" {
				x := make([]float32, p.Value.Len())
				for j := range x {
					x[j] = float32(math.Sin(float64(1 + 3*j)))
				}
				compute.Write(e, p.Value, x)
			}
		}
		list, err := exact.Enumerate(r, bm.Visible)
		if err != nil {
			t.Fatal(err)
		}
		spins, weights := make([]int8, list.Len()*c.visible), make([]float32, list.Len())
		for i := range list.Len() {
			exact.SetState(spins[i*c.visible:][:c.visible], list.First()+uint64(i))
			weights[i] = rng.Key(7).Uniform(uint64(i), 0) / float32(list.Len())
		}
		b := bm.Batch{State: bm.State{e.Alloc(compute.Int8, list.Len(), c.visible)}, Weights: e.Alloc(compute.Float32, list.Len(), 1)}
		compute.Write(e, b.State[0], spins)
		compute.Write(e, b.Weights, weights)
		gradients := func(b bm.Batch) (out [][]float64) {
			for _, p := range bm.Learned(r) {
				e.Fill(p.Grad, 0)
			}
			r.Phase(b, -0.7)
			r.Phase(b, -0.1) // it adds
			for _, p := range bm.Learned(r) {
				x := make([]float32, p.Grad.Len())
				compute.Read(e, x, p.Grad)
				out = append(out, widen(x))
			}
			return out
		}
		want := gradients(b)
		b.Listed = list
		if !c.bias {
			clear(spins)
			compute.Write(e, b.State[0], spins)
		}
		got := gradients(b)
		for i := range got {
			var size, off float64
			for j := range got[i] {
				size, off = max(size, math.Abs(want[i][j])), max(off, math.Abs(got[i][j]-want[i][j]))
			}
			if size == 0 || off > 1e-5*size+2e-7 { // sums of weights of 0.4 in all, added in another order
				t.Errorf("%s: gradient of %s: off by %g of %g", c.name, bm.Learned(r)[i].Name, off, size)
			}
		}
	}
}

// A list is of the machine that it enumerates: another one works on the rows.
func TestPhaseOfAnotherMachinesList(t *testing.T) {
	e := engine(t)
	machine := func() (*bm.Machine, compute.Matrix) {
		d := bm.NewDense(e, bm.Restricted(5, 7, false))
		d.Normal(0.3, 3)
		return bm.New(e, d, false, false), d.Weights(0).Grad
	}
	one, oneGrad := machine()
	other, otherGrad := machine()
	list, err := exact.Enumerate(one, bm.Visible)
	if err != nil {
		t.Fatal(err)
	}
	v, w := e.Alloc(compute.Int8, list.Len(), 5), e.Alloc(compute.Float32, list.Len(), 1)
	spins := make([]int8, v.Len())
	for i := range list.Len() {
		exact.SetState(spins[5*i:5*i+5], list.First()+uint64(i))
		w.Float32s()[i] = 0.1
	}
	compute.Write(e, v, spins)
	other.Phase(bm.Batch{State: bm.State{v}, Weights: w, Listed: list}, 1)
	one.Phase(bm.Batch{State: bm.State{v}, Weights: w}, 1)
	for i, x := range otherGrad.Float32s() {
		if math.Abs(float64(x-oneGrad.Float32s()[i])) > 1e-6 || x == 0 {
			t.Fatalf("entry %d: %v, want %v", i, x, oneGrad.Float32s()[i])
		}
	}
}
