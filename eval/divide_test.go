package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"mattis/bm"
	"mattis/comm"
	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/data"
	"mattis/eval"
	"mattis/exact"
	"mattis/rng"
)

// judged measures the same machine at as many processes, 0 for one without a comm, and returns what
// each finds, as text with all bits.
func judged(t *testing.T, processes int, g bm.Graph, o eval.Options, measures ...string) []string {
	t.Helper()
	all := []*comm.Comm{nil}
	if processes > 0 {
		all = comm.Local(processes)
	}
	found := make([]string, len(all))
	var wait sync.WaitGroup
	for rank, c := range all {
		wait.Go(func() {
			defer c.Close()
			e := cpu.New(1 + rank%2)
			defer e.Close()
			d := bm.NewDense(e, g)
			d.Normal(0.25, 5)
			biased := make([]bool, len(g.Layers))
			for l := range biased {
				biased[l] = true
			}
			m := bm.New(e, d, biased...)
			spins := e.Alloc(compute.Int8, 20, m.Layers()[bm.Visible])
			e.Spins(spins, 7, 0, 0)
			set := &data.Set{Name: "coins", Rows: spins.Rows(), Visible: spins.Cols(), Spins: make([]int8, spins.Len())}
			compute.Read(e, set.Spins, spins)
			memo := &eval.Memo{}
			for _, name := range measures {
				measure, err := eval.Named(name)
				if err != nil {
					t.Error(err)
					return
				}
				x, err := measure.Run(context.Background(), eval.Subject{Machine: m, Split: &data.Split{Train: set}, SetName: "train", Key: 3, Memo: memo, Comm: c}, o)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				found[rank] += fmt.Sprintf("%s %x %x %d %v\n", name, math.Float64bits(x.Value), math.Float64bits(x.Stderr), x.N, x.Detail)
			}
		})
	}
	wait.Wait()
	return found
}

// Estimates from 10 000 annealing runs in each direction, from rows annealed one by one and sums over
// more than one block of states have the same bits at each of any number of processes as at one.
func TestProcessesMeasureAlike(t *testing.T) {
	defer eval.SetPartSpins(1 << 14)() // blocks of some hundred paths, and of two rows of clamped ones
	annealing := eval.Defaults()
	annealing.AIS.Runs, annealing.AIS.Betas, annealing.AIS.StartSweeps = 10_000, 12, 3
	annealing.ClampedAIS.Betas = 10
	for _, c := range []struct {
		name     string
		graph    bm.Graph
		measures []string
	}{
		{"restricted", bm.Restricted(9, 7, false), []string{"logz_ais", "nll_ais", "nll_reverse_ais", "logz_bridge", "nll"}},
		{"deep", bm.Deep(8, 5, 4), []string{"nll_ais", "logz_reverse_ais"}},
		{"a sum of blocks", bm.Restricted(20, 21, false), []string{"logz_exact", "nll_exact"}},
	} {
		want := judged(t, 0, c.graph, annealing, c.measures...)[0]
		if strings.Count(want, "\n") != len(c.measures) {
			t.Fatalf("%s: %s", c.name, want)
		}
		for _, processes := range []int{1, 2, 3, 4} {
			for rank, got := range judged(t, processes, c.graph, annealing, c.measures...) {
				if got != want {
					t.Errorf("%s, rank %d of %d:\n%swant\n%s", c.name, rank, processes, got, want)
				}
			}
		}
	}
}

// A time that only the first process has spent ends the doubling of runs at all of them.
func TestProcessesAgreeOnTime(t *testing.T) {
	o := eval.Defaults()
	o.AIS.Runs, o.AIS.Betas, o.AIS.Seconds, o.Phases.Chains = 1100, 4, 0.3, 20
	found := judged(t, 3, bm.Restricted(9, 7, false), o, "logz_ais")
	if found[0] != found[1] || found[0] != found[2] {
		t.Errorf("after 0.3 s:\n%s%s%s", found[0], found[1], found[2])
	}
}

// A process that is cancelled ends the measure at all of them, with a context's error.
func TestProcessesAreCancelledTogether(t *testing.T) {
	all := comm.Local(3)
	var wait sync.WaitGroup
	for rank, c := range all {
		wait.Go(func() {
			defer c.Close()
			e := cpu.New(1)
			defer e.Close()
			d := bm.NewDense(e, bm.Restricted(9, 7, false))
			d.Normal(0.25, 5)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if rank == 1 {
				cancel()
			}
			o := eval.Defaults()
			o.AIS.Runs, o.AIS.Betas = 2000, 4
			measure, err := eval.Named("logz_ais")
			if err == nil {
				_, err = measure.Run(ctx, eval.Subject{Machine: bm.New(e, d, false, false), Key: 1, Comm: c}, o)
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("rank %d: %v", rank, err)
			}
		})
	}
	wait.Wait()
}

// Parts of an enumeration list the states of the whole, each once and with the same bits, whatever
// their number; blocks are as long as the parts leave room.
func TestPartsOfAnEnumeration(t *testing.T) {
	e := engine(t)
	for _, g := range []bm.Graph{bm.Restricted(13, 9, false), bm.Full(9, 4)} {
		for _, biased := range []bool{false, true} {
			d := bm.NewDense(e, g)
			d.Normal(0.3, rng.Key(2))
			m := bm.New(e, d, biased, biased)
			listed := func(from, to, of int) (states []uint64, values []float64, blocks int) {
				x, err := exact.Enumerate(m, m.View().Left...)
				if err != nil {
					t.Fatal(err)
				}
				x.Only(from, to, of)
				blocks = x.Blocks()
				x.Exponents(func(first uint64, y []float64) bool {
					for i, v := range y {
						states, values = append(states, first+uint64(i)), append(values, v)
					}
					blocks--
					return false
				})
				if len(states) != x.Len() || len(states) > 0 && states[0] != x.First() || blocks != 0 {
					t.Errorf("%d states from %v, want %d from %d; %d blocks are missing", len(states), states[:min(1, len(states))], x.Len(), x.First(), blocks)
				}
				return states, values, blocks
			}
			states, values, _ := listed(0, 1, 1)
			for _, of := range []int{2, 3, 7, 40, 1000} {
				var s []uint64
				var v []float64
				for i := range of {
					a, b, _ := listed(i, i+1, of)
					s, v = append(s, a...), append(v, b...)
				}
				if fmt.Sprint(s) != fmt.Sprint(states) || fmt.Sprint(v) != fmt.Sprint(values) {
					t.Errorf("%v, biases %v: %d parts list other states or values", g, biased, of)
				}
			}
		}
	}
}
