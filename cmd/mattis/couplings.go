package main

import (
	"bufio"
	"fmt"
	"io"

	"mattis/bm"
	"mattis/recipe"
	"mattis/run"
	"mattis/tensorfile"
)

// mostCoupled bounds the spins whose couplings are written as one matrix: 1 GiB.
const mostCoupled = 1 << 14

// writeCouplings writes the couplings of all pairs of spins: a line of text each, or one symmetric
// matrix over the spins of all layers in their order.
func writeCouplings(out outFlag, m *recipe.Model) error {
	g := m.Machine.Graph()
	first, all := make([]int, len(g.Layers)), 0 // the place of a layer's first spin among all
	for l, layer := range g.Layers {
		first[l] = all
		all += layer.N
	}
	if out.is(".npy") {
		if all > mostCoupled {
			return fmt.Errorf("%s: the matrix of all %d spins is too large, at most %d can be; take .csv, which has the coupled pairs alone", out.path, all, mostCoupled)
		}
		if err := enoughMemory(fmt.Sprintf("--couplings %s (%d spins)", out.path, all), 4*float64(all)*float64(all)); err != nil {
			return err
		}
		matrix := make([]float32, all*all)
		err := eachCoupling(m, func(pair bm.Pair, i, j int, x float32) error {
			i, j = first[pair.A]+i, first[pair.B]+j
			matrix[i*all+j], matrix[j*all+i] = x, x
			return nil
		})
		if err != nil {
			return err
		}
		return writeArray(out.path, func(a *tensorfile.NPYWriter[float32]) error { return a.Write(matrix) }, all, all)
	}
	return run.WriteFile(out.path, func(f io.Writer) error {
		w := bufio.NewWriter(f)
		fmt.Fprintln(w, "pair,i,j,coupling")
		err := eachCoupling(m, func(pair bm.Pair, i, j int, x float32) error {
			_, err := fmt.Fprintf(w, "%s-%s,%d,%d,%v\n", g.Layers[pair.A].Name, g.Layers[pair.B].Name, i, j, x)
			return err
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// eachCoupling calls f with the coupling of each two spins i of layer A and j of layer B, once.
func eachCoupling(m *recipe.Model, f func(pair bm.Pair, i, j int, x float32) error) error {
	e := m.Machine.Engine()
	for n, pair := range m.Machine.Graph().Pairs {
		mark := e.Mark()
		w := m.Machine.Couplings().Formed(n)
		x := entries(e, w)
		e.Release(mark)
		for i := range w.Rows() {
			from := 0
			if pair.A == pair.B {
				from = i + 1
			}
			for j := from; j < w.Cols(); j++ {
				if err := f(pair, i, j, float32(x[i*w.Cols()+j])); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
