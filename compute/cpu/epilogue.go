package cpu

import (
	"unsafe"

	"mattis/compute"
)

// begin prepares a worker's tile with what all tiles of the product share.
func (t *mulTask) begin(w *worker) {
	w.tile.factor = t.factor
	if t.op.Then.Kind == compute.Spin || t.op.Then.Kind == compute.Normal {
		w.tile.keys = t.keys
	}
}

// finish applies the epilogue to the sums y of panel p and sliver j. local is
// the panel's number within the piece.
func (t *mulTask) finish(w *worker, s *space, p, j, local int, y unsafe.Pointer) {
	k, x, th := t.e.kernels, &w.tile, &t.op.Then
	first := p*k.rows - t.lead
	lo, hi := max(0, -first), min(k.rows, t.n-first)
	c0 := j * k.cols()
	valid := min(k.cols(), t.m-c0)
	x.y, x.rows, x.columns = y, 4*t.groups(p), t.sliverWidth(j)
	x.factor = t.factor
	whole := valid == x.columns

	x.add = 0
	if t.add != nil {
		t.addTile(w, s, lo, hi, first, c0, valid)
	}
	if th.Kind == compute.Store || th.Kind == compute.Tanh {
		staged := &s.staged[0]
		for i := range x.rows {
			if whole && i >= lo && i < hi {
				x.dst[i] = unsafe.Pointer(&t.dst32[(first+i)*t.dstStride+c0])
				continue
			}
			x.dst[i] = unsafe.Add(unsafe.Pointer(staged), 4*i*tileColsMax)
			if t.op.Accumulate && i >= lo && i < hi {
				copy(s.staged[i*tileColsMax:], t.dst32[(first+i)*t.dstStride+c0:][:valid])
			}
		}
		if t.op.Accumulate {
			x.add = 1
		}
	}
	if (t.bias != nil || t.scale != nil) && t.add == nil {
		t.field(w, lo, hi, first, c0, valid)
	}
	if t.logCosh != nil {
		for c := range x.mask {
			x.mask[c] = 0
			if c < valid {
				x.mask[c] = 1<<32 - 1
			}
		}
		x.cosh = &s.cosh[local*k.rows*8]
		x.call(k.cosh)
	}
	switch th.Kind {
	case compute.Store:
		x.call(k.store)
	case compute.Tanh:
		x.call(k.tanh)
	case compute.Spin:
		t.spin(w, lo, hi, first, c0, valid)
	case compute.Normal:
		t.normal(w, lo, hi, first, c0, valid)
	}
	if !whole && (th.Kind == compute.Store || th.Kind == compute.Tanh) {
		for i := lo; i < hi; i++ {
			copy(t.dst32[(first+i)*t.dstStride+c0:][:valid], s.staged[i*tileColsMax:])
		}
	}
}

// addTile turns the tile's sums into fields that have Add in them. The kernel of fields adds what
// dst points at: the rows of Add as they lie, or a copy at an edge.
func (t *mulTask) addTile(w *worker, s *space, lo, hi, first, c0, valid int) {
	x := &w.tile
	x.add = 1
	for i := range x.rows {
		x.dst[i] = unsafe.Pointer(&s.staged[i*tileColsMax])
		if i < lo || i >= hi {
			continue
		}
		row := t.add[(first+i)*t.addStride+c0:][:valid]
		if valid == x.columns {
			x.dst[i] = unsafe.Pointer(&row[0])
		} else {
			copy(s.staged[i*tileColsMax:], row)
		}
	}
	t.field(w, lo, hi, first, c0, valid)
}

// field turns the tile's sums into fields. What follows takes them as they are.
func (t *mulTask) field(w *worker, lo, hi, first, c0, valid int) {
	x := &w.tile
	x.bias, x.base = nil, nil
	if t.bias != nil {
		x.bias = edge(t.bias[c0:][:valid], &w.bias, x.columns)
	}
	x.scaled = 0
	if t.scale != nil {
		x.scaled = 1
		for i := lo; i < hi; i++ {
			x.scale[i] = t.scale[(first+i)*t.scaleStride]
		}
		if t.base != nil {
			x.base = edge(t.base[c0:][:valid], &w.base, x.columns)
		}
	}
	x.call(t.e.kernels.field)
	x.factor, x.add = 1, 0
}

// edge returns the address of a row that may be read up to width: the row's own
// or that of a copy.
func edge(row []float32, copied *[tileColsMax]float32, width int) *float32 {
	if len(row) == width {
		return &row[0]
	}
	copy(copied[:], row)
	return &copied[0]
}

// spin draws the tile's spins and clamps them.
func (t *mulTask) spin(w *worker, lo, hi, first, c0, valid int) {
	th := &t.op.Then
	d := drawing{kernel: t.e.kernels.spin, w: w, row: th.Row, col: th.Col, dst8: t.dst8, stride: t.dstStride}
	d.tile(lo, hi, first, c0, valid)
	if t.clamp == nil {
		return
	}
	for i := lo; i < hi; i++ {
		d := t.dst8[(first+i)*t.dstStride+c0:][:valid]
		for c, v := range t.clamp[(first+i)*t.clampStride+c0:][:valid] {
			if v != 0 {
				d[c] = v
			}
		}
	}
}

// normal draws the tile's Gaussian numbers.
func (t *mulTask) normal(w *worker, lo, hi, first, c0, valid int) {
	x, th := &w.tile, &t.op.Then
	for i := range x.rows {
		x.scale[i] = 1
		if t.betas != nil && i >= lo && i < hi {
			x.scale[i] = widthOf(t.betas[(first+i)*t.scaleStride])
		}
	}
	d := drawing{kernel: t.e.kernels.normal, w: w, row: th.Row, col: th.Col, dst32: t.dst32, stride: t.dstStride}
	d.tile(lo, hi, first, c0, valid)
}

// foldCosh sets the row sums of the piece's panels in its column block.
func (t *mulTask) foldCosh(s *space, panel0, panels, colBlock int) {
	if t.logCosh == nil {
		return
	}
	rows := t.e.kernels.rows
	for r := range panels * rows {
		i := panel0*rows + r - t.lead
		if i < 0 || i >= t.n {
			continue
		}
		t.coshParts[i*t.colBlocks+colBlock] = foldSums((*[8]float64)(s.cosh[r*8:]))
	}
}
