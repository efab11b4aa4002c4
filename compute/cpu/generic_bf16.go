package cpu

import (
	"math"
	"unsafe"

	"mattis/compute"
)

// newBF16Generic returns the kernels in plain Go for tiles of an arm. They define the sums of
// products in bfloat16: every arm has their bits.
func newBF16Generic(rows, lanes int) bf16Kernels {
	k := bf16Kernels{round: roundGeneric[float32], roundSpins: roundGeneric[int8], pair: pairGeneric[float32], pairSpins: pairGeneric[int8],
		panels: panelsBF16Generic[float32](rows), panelsSpins: panelsBF16Generic[int8](rows)}
	for layout := range 2 {
		for groups := range rows / 4 {
			for vectors := range tileVectors {
				k.micro[layout][groups][vectors] = microBF16Generic(layout, 4*(groups+1), (vectors+1)*lanes, tileVectors*lanes)
			}
		}
	}
	return k
}

func wordAt(p *float32, bytes uintptr) *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Pointer(p), bytes))
}

// halves returns the two bfloat16 of a word.
func halves(w uint32) [2]uint16 { return [2]uint16{uint16(w), uint16(w >> 16)} }

// microBF16Generic returns the micro-kernel of tiles of so many rows and columns, c having stride
// columns.
func microBF16Generic(layout, rows, cols, stride int) micro {
	return func(c, a, b *float32, aStep, bStep, steps, add uintptr, _, _ *float32, _ uintptr) {
		rowStep, wordStep := aStep, uintptr(4)
		if layout == byColumns {
			rowStep, wordStep = 4, aStep
		}
		out := unsafe.Slice(c, (rows-1)*stride+cols)
		for i := range uintptr(rows) {
			for j := range uintptr(cols) {
				var s float32
				for l := range steps {
					x, y := *wordAt(a, i*rowStep+l*wordStep), *wordAt(b, l*bStep+4*j)
					s = addWords(s, x, y)
				}
				if at := int(i)*stride + int(j); add != 0 {
					out[at] = float32(out[at] + s)
				} else {
					out[at] = s
				}
			}
		}
	}
}

// addWords is compute.AddProductsBF16 of two words that hold no subnormal numbers, as packing
// leaves them.
func addWords(s float32, x, y uint32) float32 {
	sum := float64(s) + float64(math.Float32frombits(x&0xffff0000))*float64(math.Float32frombits(y&0xffff0000)) // a product is exact, fused or not
	if sum != 0 && delicate(sum) {
		return compute.AddProductsBF16(s, halves(x), halves(y))
	}
	first := float32(sum)
	sum = float64(first) + float64(math.Float32frombits(x<<16))*float64(math.Float32frombits(y<<16))
	if sum != 0 && delicate(sum) {
		return compute.AddProductsBF16(s, halves(x), halves(y))
	}
	return float32(sum)
}

// delicate reports whether rounding a sum to float32 takes more than to convert it: it is half way
// between two of them, or near where they become zero.
func delicate(sum float64) bool {
	return math.Float64bits(sum)&(1<<29-1) == 1<<28 || math.Abs(sum) < 0x1p-120
}

// wordOf returns the word of two numbers.
func wordOf(low, high float32) uint32 {
	return uint32(compute.RoundBF16(low)) | uint32(compute.RoundBF16(high))<<16
}

func roundGeneric[T float32 | int8](dst *float32, src *T, dstStep, srcStep, rows, cols uintptr) {
	for i := range rows {
		s := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(src), i*srcStep)), cols)
		for j := 0; j < len(s); j += 2 {
			var high float32
			if j+1 < len(s) {
				high = float32(s[j+1])
			}
			*wordAt(dst, i*dstStep+2*uintptr(j)) = wordOf(float32(s[j]), high)
		}
	}
}

func pairGeneric[T float32 | int8](dst *float32, src *T, dstStep, srcStep, steps, cols uintptr) {
	for l := uintptr(0); l < steps; l += 2 {
		low := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(src), l*srcStep)), cols)
		for j, x := range low {
			var high float32
			if l+1 < steps {
				high = float32(unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(src), (l+1)*srcStep)), cols)[j])
			}
			*wordAt(dst, l/2*dstStep+4*uintptr(j)) = wordOf(float32(x), high)
		}
	}
}

func panelsBF16Generic[T float32 | int8](rows int) func(dst *float32, src *T, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr) {
	return func(dst *float32, src *T, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr) {
		n := uintptr(rows)
		for l := uintptr(0); l < steps; l += 2 {
			for c := range n * panels {
				at := func(l uintptr) float32 {
					if l >= steps {
						return 0
					}
					s := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(src), l*srcStep)), n*panels)
					return float32(*floatAt(weights, l*weightStep) * float32(s[c]))
				}
				*wordAt(dst, c/n*dstStep+4*(l/2*n+c%n)) = wordOf(at(l), at(l+1))
			}
		}
	}
}
