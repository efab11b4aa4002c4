package bm_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/bm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/internal/check"
	"mattis/rng"
)

// Machines of every topology whose patterns are signs draw the same spins, and have the same means, energies and gradients bit for
// bit, whether products of integers are worked out as such or not: plain, with biases and offsets, of few rows and of many, by factored
// products and by W.
func TestIntegersHaveTheBitsOfMachines(t *testing.T) {
	results := func(mode string) (bits map[string][]uint64, products int) {
		undo, err := cpu.Integers(mode)
		if err != nil {
			t.Fatal(err)
		}
		e := engine(t)
		undo()
		bits = map[string][]uint64{}
		machines := check.Machines(e, 7)
		for _, k := range []int{3, 40, 130} { // more than the topologies have; the last goes by W
			a := bm.NewAxons(e, bm.Restricted(60, 260, false), k, true)
			machines = append(machines, check.Small{Name: fmt.Sprint("axons, 60 and 260 spins, K = ", k), Machine: bm.New(e, a, true, true)})
		}
		for _, small := range machines {
			m := small.Machine
			a := m.Axons()
			if a == nil {
				continue
			}
			a.Bernoulli(1, 5)
			a.SetGain(0.4)
			for _, rows := range []int{1, 37, 300} {
				s := m.State(rows)
				for l, x := range s {
					if m.TypeOf(l) == compute.Int8 {
						e.Spins(x, rng.Key(l), 0, 0)
						for i := 0; i < x.Len(); i += 11 {
							x.Int8s()[i] = 0 // left out
						}
					}
				}
				var all []uint64
				note := func(x compute.Matrix) {
					for i := range x.Len() {
						switch x.Type() {
						case compute.Int8:
							all = append(all, uint64(x.Int8s()[i]))
						case compute.Float32:
							all = append(all, uint64(math.Float32bits(x.Float32s()[i])))
						default:
							all = append(all, math.Float64bits(x.Float64s()[i]))
						}
					}
				}
				for l := range s {
					if !m.Self(l) {
						mean := e.Alloc(compute.Float32, rows, m.Layers()[l])
						m.Mean(mean, s, l, bm.Law{})
						note(mean)
					}
				}
				beta := e.Alloc(compute.Float32, rows, 1)
				e.Fill(beta, 0.7)
				m.Sweep(s, bm.Law{Key: 3})
				m.Sweep(s, bm.Law{Key: 4, Beta: beta, Row: 2})
				m.Sample(s, bm.Visible, bm.Law{Key: 5, Row: 1})
				for _, x := range s {
					note(x)
				}
				energy := e.Alloc(compute.Float64, rows, 1)
				m.Energy(energy, s, bm.Law{})
				note(energy)
				if m.SumsOut() {
					m.Energy(energy, bm.State{s[bm.Visible]}, bm.Law{Beta: beta})
					note(energy)
				}
				for _, p := range bm.Learned(m) {
					e.Fill(p.Grad, 0)
				}
				m.Phase(bm.Batch{State: s}, 0.8)
				if m.SumsOut() {
					m.Phase(bm.Batch{State: s, Marginal: true}, -0.9)
				}
				for _, p := range bm.Learned(m) {
					note(p.Grad)
				}
				bits[fmt.Sprintf("%s, %d rows", small.Name, rows)] = all
			}
		}
		return bits, e.IntegerProducts()
	}
	floats, none := results("off")
	if none != 0 {
		t.Errorf("%d products of integers in mode off", none)
	}
	for _, mode := range []string{"auto", "always"} {
		integers, products := results(mode)
		for name, want := range floats {
			if !slices.Equal(integers[name], want) {
				t.Errorf("%s, %s: other bits than in float32", mode, name)
			}
		}
		if t.Logf("%s: %d products of integers", mode, products); products == 0 && mode == "always" {
			t.Error("no product of integers: this tests nothing")
		}
	}
	// In bfloat16 what is rounded stays rounded.
	undo, err := cpu.Integers("always")
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t)
	undo()
	for _, small := range check.SmallMachines(e, 300, 40, 3) {
		if a := small.Machine.Axons(); a != nil && strings.Contains(small.Name, "bias=false,offset=false") {
			a.Bernoulli(1, 5)
			small.Machine.SetPrecision(compute.BF16)
			s := small.Machine.State(5)
			e.Fill(s[bm.Visible], 1)
			before := e.IntegerProducts()
			small.Machine.Sweep(s, bm.Law{})
			if n := e.IntegerProducts() - before; n != 0 {
				t.Errorf("%d products of integers in bfloat16", n)
			}
		}
	}
}
