package bm_test

import (
	"fmt"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/rng"
)

// A machine of one pattern has the two ground states +-xi: chains that start there stay.
func ExampleMachine() {
	e := cpu.New(1)
	defer e.Close()
	axons := bm.NewAxons(e, bm.Restricted(4, 6, false), 1, false)
	axons.Bernoulli(1, 1)
	axons.SetGain(5)
	m := bm.New(e, axons, false, false)
	xi := axons.Patterns(bm.Visible)
	s := bm.State{e.Alloc(compute.Int8, 2, 4), e.Alloc(compute.Int8, 2, 6)} // two chains
	for i := range 2 {
		e.Sign(s[bm.Visible].Slice(i, i+1), xi.Value)
	}
	for sweep := range uint64(10) {
		m.Sweep(s, bm.Law{Key: rng.Key(2).Fold(sweep)})
	}
	energy := e.Alloc(compute.Float64, 2, 1)
	m.Energy(energy, s, bm.Law{})
	x := make([]float64, 2)
	compute.Read(e, x, energy)
	fmt.Println(x, "kT, the least being -V H g =", -4*6*5)
	// Output: [-120 -120] kT, the least being -V H g = -120
}

// The gradient of E, added up over a batch of one configuration: dE/dW = -v h.
func ExampleMachine_Phase() {
	e := cpu.New(1)
	defer e.Close()
	dense := bm.NewDense(e, bm.Restricted(3, 2, false))
	m := bm.New(e, dense, false, false)
	data := e.Alloc(compute.Int8, 1, 3)
	compute.Write(e, data, []int8{1, -1, 1})
	hidden := e.Alloc(compute.Int8, 1, 2)
	compute.Write(e, hidden, []int8{1, 1})
	m.Phase(bm.Batch{State: bm.State{data, hidden}}, 1)
	grad := make([]float32, 6)
	compute.Read(e, grad, dense.Weights(0).Grad)
	fmt.Println(grad)
	// Output: [-1 -1 1 1 -1 -1]
}
