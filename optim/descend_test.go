package optim_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/optim"
	"mattis/rng"
)

// A step by deferred gradients has the bits of one by gradients that are formed, for every optimizer, precision, weights,
// biases and number of threads, on a machine of several pieces whose last tiles are not whole. A term that is left out, or a
// sum in another order, would differ.
func TestDeferredGradients(t *testing.T) {
	const v, h, n, k = 301, 530, 10, 7
	for _, kind := range []string{"sgd", "momentum", "adam"} {
		for _, precision := range []compute.Precision{compute.Single, compute.BF16} {
			for i := range 20 {
				weighted, axons, offsets, off := i&1 != 0, i&2 != 0, min(i>>2, 2), max(0, i>>2-2) // of no layer, of the visible one, of both, at off from layer off-1 on
				var want [][]float32
				for _, threads := range []int{0, 1, 2, 3} { // 0: formed
					e := cpu.New(max(1, threads))
					g := bm.Restricted(v, h, offsets > 0)
					g.Layers[bm.Hidden].Offset = offsets > 1
					for l := range g.Layers {
						g.Layers[l].Off = off > 0 && l >= off-1
					}
					var c bm.Couplings
					if axons {
						a := bm.NewAxons(e, g, 11, false)
						a.Uniform(1, 1)
						c = a
					} else {
						d := bm.NewDense(e, g)
						d.Normal(0.05, 1)
						c = d
					}
					m := bm.New(e, c, weighted, weighted)
					m.SetPrecision(precision)
					for l := 0; l < offsets && !g.Layers[l].Off; l++ {
						e.Normals(c.Offset(l), rng.Key(8+2*l), 0, 0)
					}
					var o optim.Optimizer
					switch kind {
					case "sgd":
						o = optim.NewSGD(m, 0, 0.1)
					case "momentum":
						o = optim.NewSGD(m, 0.9, 0.1)
					default:
						o = optim.NewAdam(m, 0.9, 0.999, 1e-8, 0.1)
					}
					a, b := bm.Batch{State: bm.State{e.Alloc(compute.Int8, n, v)}}, bm.Batch{State: m.State(k), Marginal: true}
					e.Spins(a.State[0], 2, 0, 0)
					for l, x := range b.State {
						e.Spins(x, rng.Key(3+l), 0, 0)
					}
					if weighted {
						b.Weights = e.Alloc(compute.Float32, k, 1)
						e.Normals(b.Weights, 9, 0, 0)
					}
					for range 3 {
						mark := e.Mark()
						if !m.Defers(a, b) {
							t.Fatal("the gradients are not deferred")
						}
						for _, p := range bm.Learned(m) {
							e.Fill(p.Grad, 0)
						}
						if threads == 0 {
							m.Phase(a, 0.7)
							m.Phase(b, -0.7)
						} else {
							m.Phases(a, b, 0.7, -0.7)
						}
						o.Step(0.1)
						for _, p := range bm.Learned(m) {
							p.LetGo()
						}
						e.Release(mark)
					}
					var got [][]float32
					for _, p := range bm.Learned(m) {
						x := make([]float32, p.Value.Len())
						compute.Read(e, x, p.Value)
						got = append(got, x)
					}
					e.Close()
					if threads == 0 {
						want = got
						continue
					}
					if !slices.EqualFunc(got, want, func(a, b []float32) bool {
						return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
					}) {
						t.Errorf("%s", fmt.Sprintf("%s, %v, weighted %v, axons %v, offsets of %d layers, at off %v, %d threads: other bits", kind, precision, weighted, axons, offsets, off, threads))
					}
				}
			}
		}
	}
}
