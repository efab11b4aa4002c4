package cpu

import "mattis/compute"

// tile computes the tile of dst whose first row is i0 and whose columns are
// those of column tile jt:
//
//	for each block of the sum: acc[i,j] += sum_l a[i,l] * b[l,j]
//
// and hands it to the epilogue.
func (t *mulTask) tile(worker, i0, jt int) {
	j0 := jt * tileCols
	rows, cols := min(tileRows, t.n-i0), min(tileCols, t.m-j0)
	work := t.work.Slice(worker, worker+1).Float32s()
	acc, work := work[:tileRows*tileCols], work[tileRows*tileCols:]
	sum, work := work[:tileRows*tileCols], work[tileRows*tileCols:]
	pa, pb := work[:tileRows*tileSum], work[tileRows*tileSum:]
	clear(acc)
	for l0 := 0; l0 < t.l; l0 += tileSum {
		ls := min(tileSum, t.l-l0)
		pack(pa, tileSum, t.a, t.op.TransA, i0, l0, rows, ls)
		pack(pb, tileCols, t.b, t.op.TransB, l0, j0, ls, cols)
		if !t.op.Weights.IsNone() {
			w, stride := t.op.Weights.Float32s(), t.op.Weights.Stride()
			for l := range ls {
				f := w[(l0+l)*stride]
				for j := range pb[l*tileCols:][:cols] {
					pb[l*tileCols+j] *= f
				}
			}
		}
		for i := range rows {
			s := sum[i*tileCols:][:cols]
			clear(s)
			for l, x := range pa[i*tileSum:][:ls] {
				row := pb[l*tileCols:][:cols]
				for j := range s {
					s[j] += x * row[j]
				}
			}
			for j, x := range s {
				acc[i*tileCols+j] += x
			}
		}
	}
	for i := range rows {
		t.finish(acc[i*tileCols:][:cols], i0+i, j0, jt)
	}
}

// pack sets dst (rows x cols, with the given stride) to the block of m, or of
// its transpose, at (r0, c0), widened to float32.
func pack(dst []float32, stride int, m compute.Matrix, trans bool, r0, c0, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	if m.Type() == compute.Int8 {
		packFrom(dst, stride, m.Int8s(), m.Stride(), trans, r0, c0, rows, cols)
	} else {
		packFrom(dst, stride, m.Float32s(), m.Stride(), trans, r0, c0, rows, cols)
	}
}

func packFrom[T int8 | float32](dst []float32, stride int, src []T, srcStride int, trans bool, r0, c0, rows, cols int) {
	if trans {
		for c := range cols {
			for r, x := range src[(c0+c)*srcStride+r0:][:rows] {
				dst[r*stride+c] = float32(x)
			}
		}
		return
	}
	for r := range rows {
		for c, x := range src[(r0+r)*srcStride+c0:][:cols] {
			dst[r*stride+c] = float32(x)
		}
	}
}
