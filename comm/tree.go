package comm

import (
	"fmt"
	"math/bits"
)

// Tree adds float32 vectors, one a shard, in a fixed binary tree: node j of level k is the sum over the
// shards [j 2^k, (j+1) 2^k), its two halves added; a half without shards is left out. The order of the
// additions thus depends on the number of shards alone, and any number of processes gets the same bits.
//
// Where the block of each of 2^n ranks is one node, pairs of ranks exchange halves of what they still
// add up (recursive halving, then doubling): about twice the vector is sent. Otherwise each rank is
// given a part of the vector, gets that part of all nodes, and adds them up.
type Tree struct {
	c              *Comm
	shards, length int
	depth          int       // the level of the root
	from, to, next int       // this rank's shards, and the next one to come
	rows           []float32 // the vectors of open, one after the other
	open           []node    // nodes of this rank's shards so far whose parents are not complete
	nodes          []node    // the nodes that all ranks have at the end, in the order of shards
	first          []int     // rank r's nodes are nodes[first[r]:first[r+1]]
	halving        bool
	part, parts    []float32 // what is received; what is sent where each rank has a part of the vector
	sizes          []int     // the length of each rank's part
	bounds         [][2]int  // halving: the elements that are still added up, level by level
}

// node is a node of the tree with its vector. Of nodes that are only planned there is no vector.
type node struct {
	level, index int
	sum          []float32
}

// Tree returns a sum of vectors of the given length, one for each of so many shards, of which
// Own(shards) are this rank's. It takes memory for log2 of this rank's shards of them, and two or
// three more where there are other ranks.
func (c *Comm) Tree(shards, length int) *Tree {
	if shards < 1 || length < 0 {
		panic(fmt.Sprintf("comm: a sum of %d shards of length %d", shards, length))
	}
	t := &Tree{c: c, shards: shards, length: length, depth: bits.Len(uint(shards - 1))}
	t.from, t.to = c.Own(shards)
	t.next = t.from
	var most int // vectors that are open at once, here
	for r := range c.Size() {
		t.first = append(t.first, len(t.nodes))
		var open []node
		from, to := c.Block(shards, r)
		for i := from; i < to; i++ {
			if open = t.push(open, node{index: i}); r == c.Rank() {
				most = max(most, len(open))
			}
		}
		t.nodes = append(t.nodes, open...)
	}
	t.first = append(t.first, len(t.nodes))
	t.rows = make([]float32, most*length)
	t.open = make([]node, 0, most+1)
	if c.Size() > 1 {
		t.plan()
	}
	return t
}

// plan decides how nodes meet, and takes the memory for it.
func (t *Tree) plan() {
	size, rank := t.c.Size(), t.c.Rank()
	share := t.shards / size
	t.halving = size&(size-1) == 0 && t.shards%size == 0 && share&(share-1) == 0
	if t.halving {
		t.part = make([]float32, (t.length+1)/2)
		t.bounds = make([][2]int, 0, bits.Len(uint(size)))
		return
	}
	t.sizes = make([]int, size)
	for r := range size {
		b, e := t.c.Block(t.length, r)
		t.sizes[r] = e - b
	}
	t.part = make([]float32, len(t.nodes)*t.sizes[rank])
	t.parts = make([]float32, (t.first[rank+1]-t.first[rank])*((t.length+size-1)/size))
}

// push puts n behind the nodes open and adds up what has become complete.
func (t *Tree) push(open []node, n node) []node {
	for n.level < t.depth {
		if top := len(open) - 1; n.index%2 == 1 {
			if top < 0 || open[top].level != n.level {
				break // the other half is a lower rank's
			}
			add(open[top].sum, n.sum)
			n.sum, open = open[top].sum, open[:top]
		} else if (n.index+1)<<n.level < t.shards {
			break
		}
		n.level, n.index = n.level+1, n.index/2
	}
	return append(open, n)
}

// Add takes the vector of the next shard of this rank. leaf may be written again when it returns. A
// wrong length or one shard too many panics.
func (t *Tree) Add(leaf []float32) {
	if len(leaf) != t.length {
		panic(fmt.Sprintf("comm: a vector of length %d in a sum of length %d", len(leaf), t.length))
	}
	if t.next == t.to {
		panic(fmt.Sprintf("comm: more vectors than the shards %d to %d of rank %d", t.from, t.to, t.c.Rank()))
	}
	before := len(t.open)
	t.open = t.push(t.open, node{index: t.next, sum: leaf})
	t.next++
	if len(t.open) > before { // it was added to none, and has to be kept
		row := t.rows[before*t.length : (before+1)*t.length]
		copy(row, leaf)
		t.open[before].sum = row
	}
}

// Sum sets dst to the sum of the vectors of all shards, with the same bits at every rank, and makes t
// ready for the next sum. A missing vector or a wrong length panics.
func (t *Tree) Sum(dst []float32) error {
	if len(dst) != t.length {
		panic(fmt.Sprintf("comm: a sum of length %d, want %d", len(dst), t.length))
	}
	if t.next != t.to {
		panic(fmt.Sprintf("comm: %d vectors for the shards %d to %d of rank %d", t.next-t.from, t.from, t.to, t.c.Rank()))
	}
	var err error
	switch {
	case t.c.Size() == 1:
	case t.halving:
		err = t.halve(t.open[0].sum)
	default:
		return t.exchangeParts(dst)
	}
	copy(dst, t.open[0].sum)
	t.restart()
	return err
}

// restart makes t ready for the next sum.
func (t *Tree) restart() {
	t.open, t.next = t.open[:0], t.from
}

// halve adds up the nodes of 2^n ranks, one each: sum is this rank's, and becomes that of the root. At
// level k the ranks that differ in bit k add up what both have, half of it each; then they exchange
// the halves, from the root down.
func (t *Tree) halve(sum []float32) error {
	own := [2]int{0, t.length}
	t.bounds = t.bounds[:0]
	for bit := 1; bit < t.c.size; bit *= 2 {
		t.bounds = append(t.bounds, own)
		keep, give := halves(own, t.c.rank&bit != 0)
		in := t.part[:keep[1]-keep[0]]
		partner := t.c.rank ^ bit
		if err := t.c.exchange(partner, view(sum[give[0]:give[1]]), partner, view(in)); err != nil {
			return err
		}
		add(sum[keep[0]:keep[1]], in)
		own = keep
	}
	for k := len(t.bounds) - 1; k >= 0; k-- {
		keep, give := halves(t.bounds[k], t.c.rank>>k&1 != 0)
		partner := t.c.rank ^ 1<<k
		err := t.c.exchange(partner, view(sum[keep[0]:keep[1]]), partner, view(sum[give[0]:give[1]]))
		if err != nil {
			return err
		}
	}
	return nil
}

// halves cuts a range of elements: the rank with the bit keeps the upper half.
func halves(b [2]int, upper bool) (keep, give [2]int) {
	middle := (b[0] + b[1]) / 2
	keep, give = [2]int{b[0], middle}, [2]int{middle, b[1]}
	if upper {
		return give, keep
	}
	return keep, give
}

// exchangeParts sends to each rank its part of this rank's nodes, adds up the own part of all nodes,
// and gathers the parts in dst.
func (t *Tree) exchangeParts(dst []float32) error {
	size, rank := t.c.size, t.c.rank
	own := t.sizes[rank]
	begin, end := t.c.Block(t.length, rank)
	for i, n := range t.open {
		copy(t.row(t.first[rank]+i), n.sum[begin:end])
	}
	for step := 1; step < size; step++ {
		to, from := (rank+step)%size, (rank+size-step)%size
		b, e := t.c.Block(t.length, to)
		out := t.parts[:0]
		for _, n := range t.open {
			out = append(out, n.sum[b:e]...)
		}
		in := t.part[t.first[from]*own : t.first[from+1]*own]
		if err := t.c.exchange(to, view(out), from, view(in)); err != nil {
			return err
		}
	}
	t.open = t.open[:0]
	for i, n := range t.nodes {
		n.sum = t.row(i)
		t.open = t.push(t.open, n)
	}
	copy(dst[begin:end], t.open[0].sum)
	t.restart()
	return Gather(t.c, dst, dst[begin:end], t.sizes)
}

// row returns this rank's part of node i of all nodes.
func (t *Tree) row(i int) []float32 {
	n := t.sizes[t.c.rank]
	return t.part[i*n : (i+1)*n]
}

// add sets x to x + y.
func add(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] += y[i]
	}
}
