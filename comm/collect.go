package comm

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// Number is what arrays that go between processes hold. All processes of a job store numbers alike.
type Number interface {
	~int8 | ~uint8 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// Gather is the method Gather for numbers: sizes counts them.
func Gather[T Number](c *Comm, all, own []T, sizes []int) error {
	return c.gather(view(all), view(own), sizes, width[T]())
}

// Spread sets x at every rank to what each has set of it: the entries [from, to) of block(rank). The
// blocks follow each other and cover x, and all ranks have the same.
func Spread[T Number](c *Comm, x []T, block func(rank int) (from, to int)) error {
	if c.Size() == 1 {
		return nil
	}
	sizes := make([]int, c.Size())
	for r := range sizes {
		from, to := block(r)
		sizes[r] = to - from
	}
	from, to := block(c.rank)
	return Gather(c, x, x[from:to], sizes)
}

// Broadcast is the method Broadcast for numbers.
func Broadcast[T Number](c *Comm, x []T) error {
	return c.Broadcast(view(x))
}

// Gather sets all to the blocks of all ranks, one after the other: own is this rank's, sizes[r] is the
// length of rank r's. own may be its place in all. A wrong length panics.
func (c *Comm) Gather(all, own []byte, sizes []int) error {
	return c.gather(all, own, sizes, 1)
}

// gather is Gather for items of so many bytes, counted by sizes.
func (c *Comm) gather(all, own []byte, sizes []int, width int) error {
	if len(sizes) != c.Size() {
		panic(fmt.Sprintf("comm: sizes of %d blocks for %d processes", len(sizes), c.Size()))
	}
	if begin, end := span(sizes, c.Rank(), c.Rank()+1, width); len(own) != end-begin {
		panic(fmt.Sprintf("comm: a block of %d bytes, sizes[%d] says %d", len(own), c.Rank(), end-begin))
	}
	if _, total := span(sizes, 0, len(sizes), width); len(all) != total {
		panic(fmt.Sprintf("comm: %d bytes for all blocks, sizes say %d", len(all), total))
	}
	begin, end := span(sizes, c.Rank(), c.Rank()+1, width)
	copy(all[begin:end], own)
	if c.Size()&(c.Size()-1) == 0 {
		return c.double(all, sizes, width)
	}
	return c.pass(all, sizes, width)
}

// double gathers among 2^n ranks: groups of 1, 2, 4 ... ranks have each other's blocks, and two
// neighbouring groups exchange them.
func (c *Comm) double(all []byte, sizes []int, width int) error {
	for group := 1; group < c.Size(); group *= 2 {
		mine := c.rank &^ (group - 1)
		theirs := mine ^ group
		b, e := span(sizes, mine, mine+group, width)
		b2, e2 := span(sizes, theirs, theirs+group, width)
		partner := c.rank ^ group
		if err := c.exchange(partner, all[b:e], partner, all[b2:e2]); err != nil {
			return err
		}
	}
	return nil
}

// pass gathers on a ring: each rank hands on to the next the block that it got last.
func (c *Comm) pass(all []byte, sizes []int, width int) error {
	next, last := (c.rank+1)%c.size, (c.rank+c.size-1)%c.size
	for step := range c.size - 1 {
		out := (c.rank + c.size - step) % c.size
		in := (last + c.size - step) % c.size
		b, e := span(sizes, out, out+1, width)
		b2, e2 := span(sizes, in, in+1, width)
		if err := c.exchange(next, all[b:e], last, all[b2:e2]); err != nil {
			return err
		}
	}
	return nil
}

// span returns the bytes that the blocks [from, to) take among all blocks.
func span(sizes []int, from, to, width int) (begin, end int) {
	for r, n := range sizes[:to] {
		if n < 0 {
			panic(fmt.Sprintf("comm: sizes[%d] is %d", r, n))
		}
		if end += n * width; r < from {
			begin = end
		}
	}
	return begin, end
}

// Broadcast sets x at every rank to what it is at rank 0. Its length is the same everywhere.
func (c *Comm) Broadcast(x []byte) error {
	if c.Size() == 1 {
		return nil
	}
	// Rank r gets x from r less its highest bit, and hands it on by every higher bit.
	high := bits.Len(uint(c.rank))
	if c.rank > 0 {
		if err := c.exchange(-1, nil, c.rank&^(1<<(high-1)), x); err != nil {
			return err
		}
	}
	for bit := 1 << high; c.rank|bit < c.size; bit *= 2 {
		if err := c.exchange(c.rank|bit, x, -1, nil); err != nil {
			return err
		}
	}
	return nil
}

// Any reports whether flag is true at any rank; all get the same answer.
func (c *Comm) Any(flag bool) (bool, error) {
	if c.Size() == 1 {
		return flag, nil
	}
	c.flag[0] = 0
	if flag {
		c.flag[0] = 1
	}
	// After the round with distance d a rank knows the flags of the 2d ranks that end with it.
	for d := 1; d < c.size; d *= 2 {
		err := c.exchange((c.rank+d)%c.size, c.flag[:1], (c.rank+c.size-d)%c.size, c.flag[1:])
		if err != nil {
			return false, err
		}
		c.flag[0] |= c.flag[1]
	}
	return c.flag[0] != 0, nil
}

// width is the bytes of a T.
func width[T Number]() int {
	var x T
	return int(unsafe.Sizeof(x))
}

// view returns the memory of x as bytes.
func view[T Number](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*width[T]())
}
