package cpu_test

import (
	"fmt"

	"mattis/compute"
	"mattis/compute/cpu"
)

// A row of spins in the fields that another row of spins makes.
func ExampleEngine_Mul() {
	e := cpu.New(1)
	defer e.Close()
	v := e.Alloc(compute.Int8, 1, 2)
	w := e.Alloc(compute.Float32, 2, 3)
	h := e.Alloc(compute.Int8, 1, 3)
	compute.Write(e, v, []int8{1, -1})
	compute.Write(e, w, []float32{
		20, -20, 20,
		0, 0, 40,
	})

	e.Mul(h, v, w, compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: compute.Spin, Key: 1}})
	fmt.Println(h.Int8s()) // fields of 20 leave nothing to chance
	// Output: [1 -1 -1]
}
