package recipe

// Memory returns a lower bound of the memory in bytes that training on so many rows of so many visible spins takes,
// and the path of the field that takes most of it.
func (r *Recipe) Memory(rows, visible int) (bytes float64, path string) {
	v, h := float64(visible), float64(r.Machine.Hidden)
	couplings, size := v*h, "machine.hidden"
	if k := r.Couplings.Patterns; k != nil {
		couplings = float64(*k) * (v + h)
		if *k > r.Machine.Hidden {
			size = "couplings.patterns"
		}
	}
	copies := 2.0 // values and gradients
	switch o := r.Optimizer; {
	case o.Kind == "adam":
		copies += 2
	case o.Momentum != nil && *o.Momentum > 0:
		copies++
	}
	chains := 0.0
	if n := r.Negative; n.Chains != nil {
		chains = float64(*n.Chains)
		if n.Temperatures != nil {
			chains *= float64(len(*n.Temperatures))
		}
	}
	most := 0.0
	for _, part := range []struct {
		path  string
		bytes float64
	}{{"data", float64(rows) * v}, {size, 4 * copies * couplings}, {"negative.chains", chains * (v + h)}} {
		bytes += part.bytes
		if part.bytes >= most {
			most, path = part.bytes, part.path
		}
	}
	return bytes, path
}
