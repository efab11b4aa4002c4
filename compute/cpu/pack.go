package cpu

import "unsafe"

// operand is a factor of a product: a host matrix, perhaps transposed.
type operand struct {
	f32    []float32
	i8     []int8
	stride int
	trans  bool
}

// rect copies the stored entries (r0,c0) to (r0+rows,c0+cols) to dst, widened,
// with stride entries between rows.
func (k *kernels) rect(dst []float32, stride int, x *operand, r0, c0, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	_ = dst[(rows-1)*stride+cols-1]
	at := r0*x.stride + c0
	if x.i8 != nil {
		_ = x.i8[at+(rows-1)*x.stride+cols-1]
		k.widenRect(&dst[0], &x.i8[at], 4*uintptr(stride), uintptr(x.stride), uintptr(rows), uintptr(cols))
		return
	}
	_ = x.f32[at+(rows-1)*x.stride+cols-1]
	k.copyRect(&dst[0], &x.f32[at], 4*uintptr(stride), 4*uintptr(x.stride), uintptr(rows), uintptr(cols))
}

// A packed row panel of a is as it is stored: row by row, padStride(sum)
// entries apart, or, where a is transposed, the panel's rows side by side for
// each step of the sum.

// padStride keeps the rows of a panel out of each other's cache lines.
func padStride(sum int) int { return sum + 16 }

// panelLen returns the entries of a packed row panel.
func (t *mulTask) panelLen() int { return t.e.kernels.rows * padStride(t.words(t.sum)) }

// packPanels packs the panels of a piece over the steps [l0, l0+ls). stage has room for a panel.
func (t *mulTask) packPanels(dst, stage []float32, q *piece, l0, ls int) {
	rows, a := t.e.kernels.rows, &t.aOp
	from, to := q.panel0, q.panel0+q.panels
	if a.trans && ls > 0 { // the panels that are whole, together
		lo := min(max(from, ceil(t.lead, rows)), to)
		hi := max(lo, min(to, (t.lead+t.n)/rows))
		if hi > lo {
			t.e.kernels.panelsOf(t.per == 2, dst[(lo-from)*t.panelLen():], t.panelLen(), a, t.weights, t.weightStride, lo*rows-t.lead, hi-lo, l0, ls)
		}
		for p := hi; p < to; p++ {
			t.packA(dst[(p-from)*t.panelLen():], stage, p, l0, ls)
		}
		to = lo
	}
	for p := from; p < to; p++ {
		t.packA(dst[(p-from)*t.panelLen():], stage, p, l0, ls)
	}
}

var unweighted = [1]float32{1}

// packA packs panel p over the steps [l0, l0+ls). Rows outside a are 0: nothing
// reads their sums, but leftover denormals would slow the kernel down.
func (t *mulTask) packA(dst, stage []float32, p, l0, ls int) {
	if t.per == 2 {
		t.packBF16(dst, stage, p, l0, ls)
		return
	}
	k, a := t.e.kernels, &t.aOp
	first := p*k.rows - t.lead
	lo, hi := max(first, 0), min(first+k.rows, t.n)
	skip := lo - first
	if a.trans {
		if hi-lo < k.rows {
			clear(dst[:ls*k.rows])
		}
		k.rect(dst[skip:], k.rows, a, l0, lo, ls, hi-lo)
		if t.weights != nil {
			for l := range ls {
				w := t.weights[(l0+l)*t.weightStride]
				for i := range dst[l*k.rows:][:k.rows] {
					dst[l*k.rows+i] *= w
				}
			}
		}
		return
	}
	stride := padStride(t.sum)
	for i := range 4 * t.groups(p) {
		if i < skip || i >= skip+hi-lo {
			clear(dst[i*stride:][:ls])
		}
	}
	k.rect(dst[skip*stride:], stride, a, lo, l0, hi-lo, ls)
	if t.weights != nil {
		for i := skip; i < skip+hi-lo; i++ {
			for l := range dst[i*stride:][:ls] {
				dst[i*stride+l] *= t.weights[(l0+l)*t.weightStride]
			}
		}
	}
}

// panel returns the address of panel panel0+p over a block of the sum, how it lies and the bytes
// between its rows or steps. packed holds the panels from panel0 on; where a is used as it lies it
// is space for one that does not fit.
func (t *mulTask) panel(packed []float32, panel0, p, l0, ls int) (a *float32, layout int, aStep uintptr) {
	rows := t.e.kernels.rows
	at := p * t.panelLen()
	if t.directA {
		x, first := &t.aOp, (panel0+p)*rows-t.lead
		if first >= 0 && first+rows <= t.n && ls > 0 {
			if x.trans {
				return &x.f32[l0*x.stride+first], byColumns, 4 * uintptr(x.stride)
			}
			return &x.f32[first*x.stride+l0], byRows, 4 * uintptr(x.stride)
		}
		at = 0
		t.packA(packed, nil, panel0+p, l0, ls)
	}
	if t.aOp.trans {
		return &packed[at], byColumns, 4 * uintptr(rows)
	}
	return &packed[at], byRows, 4 * uintptr(padStride(t.words(t.sum)))
}

// sliverLen returns the words of a packed column panel of b: t.sum steps, each
// a row of the tile.
func (t *mulTask) sliverLen() int { return t.words(t.sum) * t.e.kernels.cols() }

// sliverWidth returns the columns of sliver j in whole vectors.
func (t *mulTask) sliverWidth(j int) int {
	k := t.e.kernels
	return round(min(k.cols(), t.m-j*k.cols()), k.lanes)
}

// packedWidth returns the columns of sliver j as it is packed and multiplied. In a large product a
// last sliver of two vectors takes longer than a whole one, so it is filled up with zeros; bits do
// not change.
func (t *mulTask) packedWidth(j int) int {
	width := t.sliverWidth(j)
	if k := t.e.kernels; t.packB && width == k.cols()-k.lanes {
		return k.cols()
	}
	return width
}

// packSliver packs column panel j over the steps [l0, l0+ls): for each step the
// panel's columns, filled up with zeros. stage has room for lanes rows of t.sum.
func (t *mulTask) packSliver(dst, stage []float32, j, l0, ls int) {
	if t.per == 2 {
		t.packSliverBF16(dst, stage, j, l0, ls)
		return
	}
	k, b := t.e.kernels, &t.bOp
	c0 := j * k.cols()
	width := t.packedWidth(j)
	valid := min(width, t.m-c0)
	if !b.trans {
		if valid < width {
			clear(dst[:ls*width])
		}
		k.rect(dst, width, b, l0, c0, ls, valid)
		return
	}
	for c := 0; c < width; c += k.lanes {
		rows := max(0, min(k.lanes, valid-c))
		whole := 0
		if (rows == k.lanes || rows == k.lanes/2) && b.i8 == nil {
			whole = ls / k.lanes
			if whole > 0 {
				at := (c0+c)*b.stride + l0
				_ = b.f32[at+(rows-1)*b.stride+whole*k.lanes-1]
				k.transpose[k.lanes/rows-1](&dst[c], &b.f32[at], 4*uintptr(width), 4*uintptr(b.stride), uintptr(whole))
			}
		}
		if done := whole * k.lanes; done < ls {
			rest := round(ls-done, k.lanes)
			clear(stage[rows*rest : k.lanes*rest])
			k.rect(stage, rest, b, c0+c, l0+done, rows, ls-done)
			_ = dst[(done+rest-1)*width+c+k.lanes-1]
			k.transpose[0](&dst[done*width+c], &stage[0], 4*uintptr(width), 4*uintptr(rest), uintptr(rest/k.lanes))
		}
	}
}

// sliver returns the address and the step in bytes of column panel j over block
// s of the sum; packed and stage are the space it takes if it has to be packed.
func (t *mulTask) sliver(packed, stage []float32, j, s, l0, ls int) (b *float32, bStep uintptr) {
	width := t.packedWidth(j)
	if t.packB {
		return &t.packedB[(s*t.slivers+j)*t.sliverLen()], 4 * uintptr(width)
	}
	if c0 := j * t.e.kernels.cols(); t.directB && c0+width <= t.m && ls > 0 {
		return &t.bOp.f32[l0*t.bOp.stride+c0], 4 * uintptr(t.bOp.stride)
	}
	t.packSliver(packed, stage, j, l0, ls)
	return &packed[0], 4 * uintptr(width)
}

func floats(p unsafe.Pointer, n int) []float32 { return unsafe.Slice((*float32)(p), n) }
