package cpu

import "unsafe"

// drawing is a matrix of spins that are drawn tile by tile.
type drawing struct {
	k        *kernels
	w        *worker
	row, col uint64 // the place of entry (0,0) in the random stream
	m        int    // columns
	dst      []int8
	stride   int
}

// tile draws the spins of the worker's tile, whose first row and column are
// given, in the fields that the tile holds: rows [lo,hi) and the first valid columns
// of it lie in the matrix. first+row is a multiple of 4.
func (d *drawing) tile(lo, hi, first, c0, valid int) {
	x := &d.w.tile
	col := d.col + uint64(c0)
	high := uint32(col >> 32)
	x.column = uint32(col)
	wrap := 1<<32 - uint64(x.column) // columns until the low word starts anew
	if valid == x.columns && wrap >= uint64(valid) {
		for i := range x.rows {
			if i >= lo && i < hi {
				x.dst[i] = unsafe.Pointer(&d.dst[(first+i)*d.stride+c0])
			} else {
				x.dst[i] = unsafe.Pointer(&d.w.spins[i*tileColsMax])
			}
		}
		d.draw(first, high)
		return
	}
	for i := range x.rows {
		x.dst[i] = unsafe.Pointer(&d.w.spins[i*tileColsMax])
	}
	d.draw(first, high)
	before := min(valid, int(min(wrap, tileColsMax)))
	for i := lo; i < hi; i++ {
		copy(d.dst[(first+i)*d.stride+c0:], d.w.spins[i*tileColsMax:][:before])
	}
	if before < valid {
		d.draw(first, high+1)
		for i := lo; i < hi; i++ {
			copy(d.dst[(first+i)*d.stride+c0+before:], d.w.spins[i*tileColsMax+before:i*tileColsMax+valid])
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
	x.call(d.k.spin)
}
