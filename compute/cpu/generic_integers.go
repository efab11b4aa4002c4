package cpu

import (
	"math/bits"
	"unsafe"
)

// newSignsGeneric returns the kernels in plain Go for tiles of an arm.
func newSignsGeneric(rows, lanes int) signKernels {
	k := signKernels{spinWords: spinWordsGeneric(rows), signWords: signWordsGeneric, shorts: shortsGeneric, signIndices: signIndicesGeneric, tables: tablesGeneric(rows)}
	for groups := range rows / 4 {
		for vectors := range tileVectors {
			k.popcounts[groups][vectors] = popcountsGeneric(rows, 4*(groups+1), (vectors+1)*lanes, tileVectors*lanes)
			k.lookups[groups][vectors] = lookupsGeneric(rows, 4*(groups+1), 2*(vectors+1)*lanes, tileVectors*lanes)
		}
	}
	return k
}

// popcountsGeneric returns the kernel of tiles of so many rows and columns, those of the arm being of
// high rows and stride columns.
func popcountsGeneric(high, rows, cols, stride int) func(c *float32, a, b *uint32, steps uintptr) {
	return func(c *float32, a, b *uint32, steps uintptr) {
		out := unsafe.Slice(c, (rows-1)*stride+cols)
		x, y := unsafe.Slice(a, (int(steps)+1)*2*high), unsafe.Slice(b, int(steps)*stride)
		for i := range rows {
			for j := range cols {
				ones := 0
				for l := range int(steps) {
					at := 2*high*(l+1) + i
					ones += bits.OnesCount32((x[at] ^ y[l*stride+j]) & x[at+high])
				}
				out[i*stride+j] = float32(int32(x[i]) - 2*int32(ones))
			}
		}
	}
}

// lookupsGeneric returns the kernel of two tiles of so many rows, of which so many columns.
func lookupsGeneric(high, rows, cols, stride int) func(c *float32, tables *int16, b *uint16, steps, add uintptr) {
	return func(c *float32, tables *int16, b *uint16, steps, add uintptr) {
		out := unsafe.Slice(c, 2*high*stride)
		x, y := unsafe.Slice(tables, int(steps)*lookupParts*high*tableLen), unsafe.Slice(b, int(steps)*2*stride)
		for i := range rows {
			for j := range cols {
				var s int16
				for l := range int(steps) {
					w := y[l*2*stride+j]
					for g := range lookupParts {
						s += x[((l*lookupParts+g)*high+i)*tableLen+int(w>>(lookupSpan*g)%tableLen)]
					}
				}
				at := (j/stride*high+i)*stride + j%stride
				if add != 0 {
					out[at] += float32(s)
				} else {
					out[at] = float32(s)
				}
			}
		}
	}
}

func rowOf[T any](p *T, bytes uintptr, n uintptr) []T {
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(p), bytes)), n)
}

func spinWordsGeneric(high int) func(dst, numbers *uint32, src *int8, srcStep, rows, n uintptr) (other uint32) {
	return func(dst, numbers *uint32, src *int8, srcStep, rows, n uintptr) (other uint32) {
		words := int(n+31) / 32
		for i := range rows {
			number := uint32(0)
			row := rowOf(src, i*srcStep, n)
			for l := range words {
				var sign, mask uint32
				for b, s := range row[32*l : min(32*l+32, len(row))] {
					if s < 0 {
						sign |= 1 << b
					}
					if s != 0 {
						mask |= 1 << b
					}
					if s < -1 || s > 1 {
						other = 1
					}
				}
				d := unsafe.Slice(dst, 2*high*words)[2*high*l:]
				d[i], d[uintptr(high)+i] = sign, mask
				number += uint32(bits.OnesCount32(mask))
			}
			unsafe.Slice(numbers, rows)[i] = number
		}
		return other
	}
}

func signWordsGeneric(dst *uint32, src *float32, dstStep, srcStep, rows, n uintptr) (other uint32) {
	for i := range rows {
		row := rowOf(src, i*srcStep, n)
		for l := range int(n+31) / 32 {
			var sign uint32
			for b, x := range row[32*l : min(32*l+32, len(row))] {
				if x < 0 {
					sign |= 1 << b
				}
				if x != 1 && x != -1 {
					other = 1
				}
			}
			rowOf(dst, uintptr(l)*dstStep, rows)[i] = sign
		}
	}
	return other
}

func shortsGeneric(dst *int16, bounds *int32, src *float32, dstStep, srcStep, rows, steps, rest uintptr) (other uint32) {
	n := steps*lookupSteps + rest
	m := unsafe.Slice(bounds, (n+lookupSteps-1)/lookupSteps)
	for i := range rows {
		row := rowOf(src, i*srcStep, n)
		d := rowOf(dst, i*dstStep, uintptr(len(m))*shortLen)
		clear(d)
		for l := range m {
			var sum int32
			for j, x := range row[l*lookupSteps : min((l+1)*lookupSteps, len(row))] {
				s := int16(max(-1<<15, min(x, 1<<15-1)))
				if float32(s) != x || s == -1<<15 {
					other = 1
				}
				d[l*shortLen+j] = s
				sum += max(int32(s), -int32(s))
			}
			m[l] = max(m[l], sum)
		}
	}
	return other
}

func signIndicesGeneric(dst *uint16, src *float32, dstStep, srcStep, rows, cols uintptr) (other uint32) {
	for l := uintptr(0); l*lookupSteps < rows; l++ {
		d := rowOf(dst, l*dstStep, cols)
		clear(d)
		for b := range min(lookupSteps, rows-l*lookupSteps) {
			for j, x := range rowOf(src, (l*lookupSteps+b)*srcStep, cols) {
				if x < 0 {
					d[j] |= 1 << b
				}
				if x != 1 && x != -1 {
					other = 1
				}
			}
		}
	}
	return other
}

func tablesGeneric(high int) func(dst, src *int16, srcStep, rows, steps uintptr) {
	return func(dst, src *int16, srcStep, rows, steps uintptr) {
		all := unsafe.Slice(dst, int(steps)*lookupParts*high*tableLen)
		for i := range int(rows) {
			row := rowOf(src, uintptr(i)*srcStep, steps*shortLen)
			for g := range int(steps) * lookupParts {
				x := row[g/lookupParts*shortLen+g%lookupParts*lookupSpan:][:lookupSpan]
				for c := range tableLen {
					var s int16
					for b, y := range x {
						if c>>b&1 == 1 {
							y = -y
						}
						s += y
					}
					all[(g*high+i)*tableLen+c] = s
				}
			}
		}
	}
}
