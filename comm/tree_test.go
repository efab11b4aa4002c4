package comm_test

import (
	"math"
	"slices"
	"testing"

	"mattis/comm"
)

// leaf returns the vector of a shard in a round: numbers whose sum depends on the order.
func leaf(shard, round, length int) []float32 {
	x := make([]float32, length)
	for i := range x {
		h := uint32(shard*7919+round*104729+i)*2654435761 + 12345
		h ^= h >> 15
		x[i] = float32(int32(h)) * float32(math.Ldexp(1, int(h%23)-40))
	}
	return x
}

// treeSum is the sum over the shards [index 2^level, (index+1) 2^level), by the definition.
func treeSum(leaves [][]float32, level, index int) []float32 {
	if level == 0 {
		return slices.Clone(leaves[index])
	}
	x := treeSum(leaves, level-1, 2*index)
	if (2*index+1)<<(level-1) < len(leaves) {
		for i, y := range treeSum(leaves, level-1, 2*index+1) {
			x[i] += y
		}
	}
	return x
}

func leaves(shards, round, length int) [][]float32 {
	all := make([][]float32, shards)
	for s := range all {
		all[s] = leaf(s, round, length)
	}
	return all
}

// depth is the least level whose node 0 covers all shards.
func depth(shards int) int {
	k := 0
	for 1<<k < shards {
		k++
	}
	return k
}

func sameBits(x, y []float32) bool {
	return slices.EqualFunc(x, y, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
}

// TestTree compares the sum at every rank with the definition, bit by bit, for any numbers of shards
// and processes, twice with the same tree.
func TestTree(t *testing.T) {
	const rounds = 2
	for _, length := range []int{0, 1, 2, 3, 10, 65} {
		for _, shards := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 31} {
			var want [rounds][]float32
			for k := range want {
				want[k] = treeSum(leaves(shards, k, length), depth(shards), 0)
			}
			for size := 0; size <= 9; size++ { // 0: no Comm
				each(t, size, func(c *comm.Comm) error {
					tree := c.Tree(shards, length)
					from, to := c.Own(shards)
					got := make([]float32, length)
					scratch := make([]float32, length) // the tree may not keep it
					for k := range rounds {
						for s := from; s < to; s++ {
							copy(scratch, leaf(s, k, length))
							tree.Add(scratch)
							clear(scratch)
						}
						if err := tree.Sum(got); err != nil {
							return err
						}
						if !sameBits(got, want[k]) {
							t.Errorf("rank %d of %d, %d shards, length %d, sum %d: %v, want %v",
								c.Rank(), size, shards, length, k, got, want[k])
						}
					}
					return nil
				})
			}
		}
	}
}

// TestOrderMatters shows that the vectors of TestTree tell orders apart: their sums one by one, and
// those of trees over other numbers of shards with the rest 0, have other bits.
func TestOrderMatters(t *testing.T) {
	const length = 65
	for _, shards := range []int{4, 5, 6, 7, 8, 9, 12} {
		all := leaves(shards, 0, length)
		want := treeSum(all, depth(shards), 0)
		line := slices.Clone(all[0])
		for _, y := range all[1:] {
			for i := range line {
				line[i] += y[i]
			}
		}
		if sameBits(line, want) {
			t.Errorf("%d shards: their sum in a line has the bits of the tree", shards)
		}
	}
}

// TestTreeTraffic holds what a sum costs a rank: 2 (P-1)/P vectors where the blocks of 2^n ranks are
// nodes, and (nodes + 1) (P-1)/P elsewhere.
func TestTreeTraffic(t *testing.T) {
	const length = 60
	for _, c := range []struct{ shards, size, vectors, of int }{
		{8, 2, 1, 1}, {8, 4, 6, 4}, {8, 8, 14, 8}, {3, 3, 4, 3}, {6, 3, 4, 3},
		{6, 2, 3, 2}, // 2 nodes each: (2+1) (2-1)/2
	} {
		each(t, c.size, func(p *comm.Comm) error {
			tree := p.Tree(c.shards, length)
			for from, to := p.Own(c.shards); from < to; from++ {
				tree.Add(leaf(from, 0, length))
			}
			err := tree.Sum(make([]float32, length))
			bytes, seconds := p.Traffic()
			if want := int64(4 * length * c.vectors / c.of); bytes != want || seconds <= 0 {
				t.Errorf("%d shards over %d: rank %d sent %d bytes in %g s, want %d", c.shards, c.size, p.Rank(), bytes, seconds, want)
			}
			return err
		})
	}
}

// TestTreeAllocates nothing from the second sum on.
func TestTreeAllocates(t *testing.T) {
	tree := (*comm.Comm)(nil).Tree(5, 100)
	x := leaf(0, 0, 100)
	sum := func() {
		for range 5 {
			tree.Add(x)
		}
		if err := tree.Sum(x); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(10, sum); n != 0 {
		t.Errorf("%g allocations a sum on its own", n)
	}
	for _, size := range []int{2, 3} {
		const runs = 10
		each(t, size, func(c *comm.Comm) error {
			tree, sizes := c.Tree(6, 100), slices.Repeat([]int{1}, size)
			x, all := leaf(0, 0, 100), make([]float64, size)
			from, to := c.Own(6)
			round := func() {
				for range to - from {
					tree.Add(x)
				}
				err := tree.Sum(x)
				err = firstError(err, comm.Gather(c, all, all[c.Rank():c.Rank()+1], sizes))
				err = firstError(err, comm.Broadcast(c, all))
				if _, e := c.Any(true); firstError(err, e) != nil {
					t.Error(firstError(err, e))
				}
			}
			if c.Rank() > 0 { // it allocates as little, and is counted at rank 0
				for range runs + 1 {
					round()
				}
				return nil
			}
			if n := testing.AllocsPerRun(runs, round); n != 0 {
				t.Errorf("%g allocations a round of %d processes", n, size)
			}
			return nil
		})
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestTreePanics names what was given and what was wanted.
func TestTreePanics(t *testing.T) {
	var c *comm.Comm
	full := func() *comm.Tree {
		tree := c.Tree(2, 3)
		tree.Add(make([]float32, 3))
		return tree
	}
	for _, x := range []struct {
		want string
		do   func()
	}{
		{"comm: a sum of 0 shards of length 3", func() { c.Tree(0, 3) }},
		{"comm: a sum of 1 shards of length -1", func() { c.Tree(1, -1) }},
		{"comm: a vector of length 4 in a sum of length 3", func() { full().Add(make([]float32, 4)) }},
		{"comm: 1 vectors for the shards 0 to 2 of rank 0", func() { _ = full().Sum(make([]float32, 3)) }},
		{"comm: a sum of length 2, want 3", func() { _ = full().Sum(make([]float32, 2)) }},
		{"comm: more vectors than the shards 0 to 2 of rank 0", func() {
			tree := full()
			tree.Add(make([]float32, 3))
			tree.Add(make([]float32, 3))
		}},
	} {
		func() {
			defer func() {
				if got := recover(); got != x.want {
					t.Errorf("panic %q, want %q", got, x.want)
				}
			}()
			x.do()
		}()
	}
}
