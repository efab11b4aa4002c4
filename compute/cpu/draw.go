package cpu

import (
	"math"
	"unsafe"

	"mattis/compute"
)

// drawing is a matrix of spins or of Gaussian numbers that are drawn tile by tile.
type drawing struct {
	w        *worker
	kernel   func(t *byte)
	row, col uint64 // the place of entry (0,0) in the random stream
	m        int    // columns
	dst8     []int8
	dst32    []float32 // not nil: of Gaussian numbers
	stride   int
}

// tile draws the entries of the worker's tile, whose first row and column are
// given, in the fields that the tile holds: rows [lo,hi) and the first valid columns
// of it lie in the matrix. first+row is a multiple of 4.
func (d *drawing) tile(lo, hi, first, c0, valid int) {
	x := &d.w.tile
	col := d.col + uint64(c0)
	high := uint32(col >> 32)
	x.column = uint32(col)
	wrap := 1<<32 - uint64(x.column) // columns until the low word starts anew
	whole := valid == x.columns && wrap >= uint64(valid)
	for i := range x.rows {
		if whole && i >= lo && i < hi {
			x.dst[i] = d.entry((first+i)*d.stride + c0)
		} else {
			x.dst[i] = d.waiting(i)
		}
	}
	d.draw(first, high)
	if whole {
		return
	}
	before := min(valid, int(min(wrap, tileColsMax)))
	d.fetch(lo, hi, first, c0, 0, before)
	if before < valid {
		d.draw(first, high+1)
		d.fetch(lo, hi, first, c0, before, valid)
	}
}

func (d *drawing) entry(i int) unsafe.Pointer {
	if d.dst32 != nil {
		return unsafe.Pointer(&d.dst32[i])
	}
	return unsafe.Pointer(&d.dst8[i])
}

// waiting returns where row i of a tile that does not fit the destination waits.
func (d *drawing) waiting(i int) unsafe.Pointer {
	if d.dst32 != nil {
		return unsafe.Pointer(&d.w.normals[i*tileColsMax])
	}
	return unsafe.Pointer(&d.w.spins[i*tileColsMax])
}

// fetch copies columns [from, to) of such a tile to the destination.
func (d *drawing) fetch(lo, hi, first, c0, from, to int) {
	for i := lo; i < hi; i++ {
		at, wait := (first+i)*d.stride+c0, i*tileColsMax
		if d.dst32 != nil {
			copy(d.dst32[at+from:at+to], d.w.normals[wait+from:])
		} else {
			copy(d.dst8[at+from:at+to], d.w.spins[wait+from:])
		}
	}
}

// draw runs the kernel under the high word of the columns.
func (d *drawing) draw(first int, high uint32) {
	x := &d.w.tile
	row4 := (d.row + uint64(first)) / 4
	for g := range x.rows / 4 {
		x.start[g] = philoxStart(row4+uint64(g), high, &x.keys)
	}
	x.call(d.kernel)
}

// widthOf returns the standard deviation of Gaussian units at an inverse temperature.
func widthOf(beta float32) float32 {
	return float32(1 / math.Sqrt(math.Max(float64(beta), 0x1p-100)))
}

func normalGeneric(b *byte) {
	t := tileOf(b)
	for g := range t.rows / 4 {
		for j := range t.columns {
			n := compute.Normals(philoxGeneric(t.column+uint32(j), &t.start[g], &t.keys))
			for i, x := range n {
				y := float32(t.row(4*g + i)[j] * t.factor)
				floats(t.dst[4*g+i], t.columns)[j] = y + float32(t.scale[4*g+i]*x)
			}
		}
	}
}
