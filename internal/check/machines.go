package check

import (
	"fmt"

	"mattis/bm"
	"mattis/compute"
	"mattis/rng"
)

// Small is a machine that can be enumerated, and its name.
type Small struct {
	Name    string
	Machine *bm.Machine
}

// SmallMachines returns machines of V visible and H hidden spins with every combination of
// couplings, biases, offset and gain, all parameters random and none of them special.
func SmallMachines(e compute.Engine, visible, hidden int, key rng.Key) []Small {
	var all []Small
	for i, axons := range []bool{false, true} {
		for _, bias := range []bool{false, true} {
			for _, off := range []bool{false, true} {
				var c bm.Couplings
				name := "dense"
				k := key.Fold(uint64(i))
				if axons {
					a := bm.NewAxons(e, bm.Restricted(visible, hidden, off), 3, true)
					a.Uniform(1, k.Fold(0))
					a.SetGain(0.7)
					c, name = a, "axons"
				} else {
					d := bm.NewDense(e, bm.Restricted(visible, hidden, off))
					d.Normal(0.5, k.Fold(0))
					c = d
				}
				r := bm.New(e, c, bias, bias)
				for j, p := range r.Params() {
					if p.Name == "bias.visible" || p.Name == "bias.hidden" || p.Name == "offset.visible" {
						x := make([]float32, p.Value.Len())
						for s := range x {
							x[s] = float32(0.4 * k.Fold(uint64(j)+10).Normal(0, uint64(s)))
						}
						compute.Write(e, p.Value, x)
					}
				}
				all = append(all, Small{fmt.Sprintf("%s,bias=%v,offset=%v", name, bias, off), r})
			}
		}
	}
	return all
}
