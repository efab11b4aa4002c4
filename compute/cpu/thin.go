package cpu

import (
	"unsafe"

	"mattis/compute"
)

// A thin product is one of few rows with a transposed b, such as the fields on the visible spins of ten
// chains. To pack b would take longer than to multiply by it, so it is multiplied the other way
// round, b times the rows of a side by side in the lanes of vectors: b is read row by row as it lies. The
// sums, each in the order of its steps and blocks, have the bits of the product itself; they are
// turned before the epilogue.

// thinRows is the largest height of a thin product: one vector of the wide arm, two of the other.
const thinRows = 16

// makeThin decides whether the product is thin. All of its rows are then one piece.
func (t *mulTask) makeThin(height int) {
	p := &t.plan
	p.thin = height <= thinRows && t.op.TransB && !t.op.TransA && t.op.Weights.IsNone() && p.per == 1 && p.splits == 1 &&
		t.b.Type() == compute.Float32 && t.m >= tileColsMax
	if p.thin {
		p.packB, p.directA, p.directB = false, false, false
		p.rowBlocks, p.blockPanels = 1, p.panels
		if t.op.Then.LogCosh.IsNone() { // whose sums are of the blocks of columns that there are
			p.colBlocks, p.blockSlivers = p.slivers, 1
		}
	}
}

// thinWidth returns the columns of the packed rows of a.
func (t *mulTask) thinWidth() int { return round(t.lead+t.n, t.e.kernels.lanes) }

// thinLen returns the entries of a worker's scratch: a sliver of sums as they come, the same turned, and
// rows of b at its end.
func (t *mulTask) thinLen() int {
	cols := t.e.kernels.cols()
	return tileColsMax*cols + thinRows*cols + t.e.kernels.rows*t.l
}

// packThin packs the rows of a over one block of the sum, side by side for each step.
func (t *mulTask) packThin(worker, block int) {
	k, l0, width := t.e.kernels, block*t.sum, t.thinWidth()
	ls := min(t.sum, t.l-l0)
	if ls <= 0 {
		return
	}
	stride := round(ls, k.lanes)
	dst := t.packedB[l0*width:][:stride*width]
	for c := 0; c < width; c += k.lanes {
		stage := t.space(worker).stage[:k.lanes*stride]
		clear(stage)
		lo, hi := max(0, c-t.lead), min(t.n, c+k.lanes-t.lead)
		k.rect(stage[(lo+t.lead-c)*stride:], stride, &t.aOp, lo, l0, hi-lo, ls)
		k.transpose[0](&dst[c], &stage[0], 4*uintptr(width), 4*uintptr(stride), uintptr(stride/k.lanes))
	}
}

// multiplyThin computes some slivers of the product.
func (t *mulTask) multiplyThin(worker, number int) {
	k, w, s, q := t.e.kernels, &t.e.workers[worker], t.space(worker), t.piece(number)
	t.begin(w)
	clear(s.cosh)
	cols, width := k.cols(), t.thinWidth()
	sums, turned, edge := s.partial[:tileColsMax*cols], s.partial[tileColsMax*cols:][:thinRows*cols], s.partial[(tileColsMax+thinRows)*cols:]
	for j := q.sliver0; j < q.sliver0+q.slivers; j++ {
		for c0 := j * cols; c0 < min(j*cols+t.sliverWidth(j), t.m); c0 += k.rows {
			b, bStep := unsafe.Pointer(&t.bOp.f32[c0*t.bOp.stride]), t.bOp.stride
			if rows := t.m - c0; rows < k.rows {
				clear(edge[:k.rows*t.l])
				k.rect(edge, t.l, &t.bOp, c0, 0, rows, t.l)
				b, bStep = unsafe.Pointer(&edge[0]), t.l
			}
			c := &sums[(c0-j*cols)*cols]
			for block := range t.sums {
				l0 := block * t.sum
				var add uintptr
				if block > 0 {
					add = 1
				}
				first := (*float32)(unsafe.Add(b, 4*l0))
				k.micro[byRows][k.rows/4-1][width/k.lanes-1](c, first, &t.packedB[l0*width], 4*uintptr(bStep), 4*uintptr(width), uintptr(min(t.sum, t.l-l0)), add, first, c, 4*uintptr(cols))
			}
		}
		for c := 0; c < t.sliverWidth(j); c += k.lanes {
			for v := 0; v < width; v += k.lanes {
				k.transpose[0](&turned[v*cols+c], &sums[c*cols+v], 4*uintptr(cols), 4*uintptr(cols), 1)
			}
		}
		for p := range t.panels {
			t.finish(w, &s, p, j, p, unsafe.Pointer(&turned[p*k.rows*cols]))
		}
	}
	t.foldCosh(&s, 0, t.panels, q.colBlock)
	w.tile = tile{}
}
