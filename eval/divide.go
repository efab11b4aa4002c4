package eval

import (
	"mattis/bm"
	"mattis/comm"
)

// blocks are n rows cut in blocks that do not depend on how many processes there are: each of these
// works on some of the blocks, and all have the results of all then. A single block is everyone's.
type blocks struct {
	comm    *comm.Comm
	n, size int
}

// More than manyPaths are cut in manyBlocks blocks, so that as many processes can have a share of
// them, but of leastPaths at least: products of few rows are slower. Up to manyPaths there are as few
// blocks as memory allows.
const (
	manyPaths  = 1024
	manyBlocks = 32
	leastPaths = 512
)

// blocksOf returns n paths of a machine as blocks.
func blocksOf(c *comm.Comm, m *bm.Machine, n int) blocks {
	size := rowsAtOnce(m)
	if n > manyPaths {
		size = min(size, max(leastPaths, (n/manyBlocks+3)&^3))
	}
	return blocks{comm: c, n: n, size: size}
}

// divided reports whether other processes work on some of the blocks.
func (b blocks) divided() bool { return b.comm.Size() > 1 && b.n > b.size }

// own returns the rows of this process's blocks.
func (b blocks) own() (from, to int) { return b.of(b.comm.Rank()) }

// of returns the rows of a rank's blocks.
func (b blocks) of(rank int) (from, to int) {
	if !b.divided() {
		return 0, b.n
	}
	from, to = b.comm.Block((b.n+b.size-1)/b.size, rank)
	return min(b.n, from*b.size), min(b.n, to*b.size)
}

// each calls do with the first row and the number of rows of each of this process's blocks.
func (b blocks) each(do func(first, count int) error) error {
	from, to := b.own()
	for first := from; first < to; first += b.size {
		if err := do(first, min(b.size, to-first)); err != nil {
			return err
		}
	}
	return nil
}

// spread sets the rows of x, so many entries each, that other processes have worked on to theirs.
func spread[T comm.Number](b blocks, x []T, width int) error {
	if !b.divided() {
		return nil
	}
	return comm.Spread(b.comm, x, func(rank int) (from, to int) {
		from, to = b.of(rank)
		return from * width, to * width
	})
}

// decided returns what rank 0 has decided, for what depends on time.
func decided(c *comm.Comm, flag bool) (bool, error) {
	if c.Size() == 1 {
		return flag, nil
	}
	return c.Any(flag && c.Rank() == 0)
}
