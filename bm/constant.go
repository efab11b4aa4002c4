package bm

import "mattis/compute"

// SetConstant sets the constant that is added to every energy, in kT: what is left over where a machine of other
// variables is written in spins. It moves energies, free energies and -log Z, and no probability. From then
// on Params has it as energy_constant.
func (r *RBM) SetConstant(c float64) {
	if r.constant.Value.IsNone() {
		r.constant = Param{Name: "energy_constant", Value: r.engine.Alloc(compute.Float64, 1, 1)}
	}
	compute.Write(r.engine, r.constant.Value, []float64{c})
}

// Constant returns the constant that is added to every energy, in kT; 0 where none was set.
func (r *RBM) Constant() float64 {
	var c [1]float64
	if !r.constant.Value.IsNone() {
		compute.Read(r.engine, c[:], r.constant.Value)
	}
	return c[0]
}

// takeConstant sets x[i] -= beta[i] * constant of the Bx1 Float64 x.
func (r *RBM) takeConstant(x, beta compute.Matrix) {
	c := r.constant.Value
	switch {
	case c.IsNone():
	case beta.IsNone():
		r.engine.Axpby(x, -1, c.Repeat(x.Rows()), 1)
	default:
		r.engine.RowDot(x, -1, beta, c.Repeat(x.Rows()))
	}
}
