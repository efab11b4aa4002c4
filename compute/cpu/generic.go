package cpu

import (
	"math"
	"runtime"
	"unsafe"

	"mattis/compute"
)

// generic is the arm in plain Go. Its tiles have the shape of the AVX2 arm's;
// it rounds products and sums apart and evaluates the functions in float64.
var generic = &kernels{
	name: "generic", rows: 4, lanes: 8,
	micro: [2][2][tileVectors]micro{
		{{microGeneric(byRows, 1), microGeneric(byRows, 2), microGeneric(byRows, 3)}},
		{{microGeneric(byColumns, 1), microGeneric(byColumns, 2), microGeneric(byColumns, 3)}},
	},
	outer: outerGeneric, field: fieldGeneric, store: storeGeneric, tanh: tanhGeneric, cosh: coshGeneric, spin: spinGeneric, normal: normalGeneric,
	copyRect: copyRectGeneric, widenRect: widenRectGeneric, panels: panelsGeneric[float32], panels8: panelsGeneric[int8],
	transpose: [2]func(dst, src *float32, dstStep, srcStep, squares uintptr){transposeGeneric(genericLanes), transposeGeneric(genericLanes / 2)},
	addTo:     addToGeneric, peak: peakGeneric,
	scanBlock: scanBlockGeneric, turn: turnGeneric,
	pairRows: 1, pairFactors: pairFactorsGeneric, pairProducts: pairProductsGeneric, pairMaxima: pairMaximaGeneric,
	pairRatios: pairRatiosGeneric, pairMeans: [2]pairMeansKernel{pairMeansGeneric(fieldMean), pairMeansGeneric(ratioMean)},
	bf16: newBF16Generic(4, genericLanes), signs: newSignsGeneric(4, genericLanes),
}

const genericLanes, genericCols = 8, 8 * tileVectors

func floatAt(p *float32, bytes uintptr) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}

// microGeneric returns the micro-kernel of 4 rows and so many vectors: blocks of
// 4 rows and 2 columns, whose sums fit the registers.
func microGeneric(layout, vectors int) micro {
	return func(c, a, b *float32, aStep, bStep, steps, add uintptr, _, _ *float32, _ uintptr) {
		aRow := aStep
		if layout == byRows {
			aStep = 4
		} else {
			aRow = 4
		}
		out := unsafe.Slice(c, 4*genericCols)
		for j := 0; j < vectors*genericLanes; j += 2 {
			var s00, s01, s10, s11, s20, s21, s30, s31 float32
			pa, pb := unsafe.Pointer(a), unsafe.Add(unsafe.Pointer(b), 4*j)
			for range steps {
				y := (*[2]float32)(pb)
				y0, y1 := y[0], y[1]
				x := *(*float32)(pa)
				s00 += float32(x * y0)
				s01 += float32(x * y1)
				x = *(*float32)(unsafe.Add(pa, aRow))
				s10 += float32(x * y0)
				s11 += float32(x * y1)
				x = *(*float32)(unsafe.Add(pa, 2*aRow))
				s20 += float32(x * y0)
				s21 += float32(x * y1)
				x = *(*float32)(unsafe.Add(pa, 3*aRow))
				s30 += float32(x * y0)
				s31 += float32(x * y1)
				pa, pb = unsafe.Add(pa, aStep), unsafe.Add(pb, bStep)
			}
			if add != 0 {
				s00, s01 = s00+out[j], s01+out[j+1]
				s10, s11 = s10+out[genericCols+j], s11+out[genericCols+j+1]
				s20, s21 = s20+out[2*genericCols+j], s21+out[2*genericCols+j+1]
				s30, s31 = s30+out[3*genericCols+j], s31+out[3*genericCols+j+1]
			}
			out[j], out[j+1] = s00, s01
			out[genericCols+j], out[genericCols+j+1] = s10, s11
			out[2*genericCols+j], out[2*genericCols+j+1] = s20, s21
			out[3*genericCols+j], out[3*genericCols+j+1] = s30, s31
		}
	}
}

// outerGeneric sets a tile to the products of few steps, or adds them: see outerTile of the assembly.
func outerGeneric(dst, a, b *float32, dstStep, bStep, steps, add uintptr, factor float32) {
	x := unsafe.Slice(a, 4*steps)
	for i := range 4 {
		d := unsafe.Slice(floatAt(dst, uintptr(i)*dstStep), genericCols)
		for j := range d {
			var s float32
			for l := range steps {
				s += float32(x[4*l+uintptr(i)] * *floatAt(b, l*bStep+4*uintptr(j)))
			}
			old := d[j]
			if add == 0 {
				old = 0
			}
			d[j] = float32(s*factor) + old
		}
	}
}

func tileOf(t *byte) *tile { return (*tile)(unsafe.Pointer(t)) }

// row returns the sums of row i.
func (t *tile) row(i int) []float32 { return floats(unsafe.Add(t.y, 4*i*genericCols), t.columns) }

func fieldGeneric(b *byte) {
	t := tileOf(b)
	for i := range t.rows {
		y := t.row(i)
		for j := range y {
			y[j] *= t.factor
		}
		if t.add != 0 {
			for j, x := range floats(t.dst[i], t.columns) {
				y[j] += x
			}
		}
		if t.bias != nil {
			for j, x := range unsafe.Slice(t.bias, t.columns) {
				y[j] += x
			}
		}
		if t.scaled == 0 {
			continue
		}
		for j := range y {
			y[j] *= t.scale[i]
		}
		if t.base != nil {
			for j, x := range unsafe.Slice(t.base, t.columns) {
				y[j] += float32((1 - t.scale[i]) * x)
			}
		}
	}
}

func storeGeneric(b *byte) {
	t := tileOf(b)
	for i := range t.rows {
		d := floats(t.dst[i], t.columns)
		for j, x := range t.row(i) {
			if x = float32(x * t.factor); t.add != 0 {
				x += d[j]
			}
			d[j] = x
		}
	}
}

// expm1Generic returns s and p with exp(-2t) = s*(1+p), s a power of two, for
// 0 <= t <= 43 or NaN; p is off by less than 2e-9 of its value.
func expm1Generic(t float64) (s, p float64) {
	const shift = 0x1.8p52
	z := t*(-2/math.Ln2) + shift
	n := z - shift
	s = math.Float64frombits(math.Float64bits(z)<<52 + 1023<<52)
	r := -2*t - n*math.Ln2
	q := ((((1.0/5040*r+1.0/720)*r+1.0/120)*r+1.0/24)*r+1.0/6)*r + 0.5
	return s, r + r*r*q
}

func tanhGeneric(b *byte) {
	t := tileOf(b)
	for i := range t.rows {
		d := floats(t.dst[i], t.columns)
		for j, x := range t.row(i) {
			d[j] = tanhOf(x * t.factor)
		}
	}
}

func tanhOf(x float32) float32 {
	s, p := expm1Generic(min(math.Abs(float64(x)), 43))
	m := s*p + (s - 1)
	return float32(math.Copysign(m/(2+m), float64(x)))
}

func coshGeneric(b *byte) {
	t := tileOf(b)
	sums := unsafe.Slice(t.cosh, 8*t.rows)
	for i := range t.rows {
		for j, x := range t.row(i) {
			if t.mask[j] != 0 {
				sums[8*i+j%8] += compute.LogTwoCosh(float64(x * t.factor))
			}
		}
	}
}

func spinGeneric(b *byte) {
	t := tileOf(b)
	for g := range t.rows / 4 {
		for j := range t.columns {
			words := philoxGeneric(t.column+uint32(j), &t.start[g], &t.keys)
			for i, r := range words {
				x := t.row(4*g + i)[j] * t.factor
				*(*int8)(unsafe.Add(t.dst[4*g+i], j)) = spinGenericOf(x, compute.SpinUniform(r))
			}
		}
	}
}

func spinGenericOf(x, u float32) int8 {
	s := int8(1)
	if math.Signbit(float64(x)) {
		s = -1
	}
	f, p := expm1Generic(min(math.Abs(float64(x)), 43))
	if e, u := f*p+f, float64(u); u*e+u < e {
		return -s
	}
	return s
}

// scanBlockGeneric draws a block: see scanBlock of the assembly.
func scanBlockGeneric(p *byte) {
	b := (*scanBlock)(unsafe.Pointer(p))
	matrix := func(p *float32) []float32 {
		if p == nil {
			return nil
		}
		return unsafe.Slice(p, scanSpins*genericCols)
	}
	y, delta, uniform, add := matrix(b.y), matrix(b.delta), matrix(b.uniform), matrix(b.add)
	j, spin := unsafe.Slice(b.couplings, scanSpins*scanSpins), unsafe.Slice(b.perSpin, scanPerSpin)
	spins := unsafe.Slice(b.spins, scanSpins*tileColsMax)
	for r := range b.vectors * genericLanes {
		for p := range scanSpins {
			at, at8 := p*genericCols+r, p*tileColsMax+r
			old := float32(spins[at8])
			x := y[at] - float32(spin[scanSelf+p]*old)
			x += spin[scanBias+p]
			if add != nil {
				x += add[at]
			}
			if b.scale != nil {
				s := unsafe.Slice(b.scale, genericCols)[r]
				x = float32(s*x) + float32((1-s)*spin[scanBase+p])
			}
			s := spinGenericOf(x, uniform[at])
			if b.clamp != nil {
				if c := unsafe.Slice(b.clamp, scanSpins*tileColsMax)[at8]; c != 0 {
					s = c
				}
			}
			spins[at8] = s
			d := b.factor * (float32(s) - old)
			delta[at] = d
			if d == 0 {
				continue
			}
			for q := p + 1; q < scanSpins; q++ {
				y[q*genericCols+r] += float32(j[p*scanSpins+q] * d)
			}
		}
	}
}

// turnGeneric turns a square of 16: dst[l,i] = src[i,l].
func turnGeneric(dst, src *int8, dstStep, srcStep uintptr) {
	for l := range uintptr(16) {
		d := unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(dst), l*dstStep)), 16)
		for i := range d {
			d[i] = *(*int8)(unsafe.Add(unsafe.Pointer(src), uintptr(i)*srcStep+l))
		}
	}
}

// philoxGeneric returns the block of a column, from what philoxStart gave.
func philoxGeneric(col uint32, start *[4]uint32, k *[10][2]uint32) [4]uint32 {
	c3 := philoxMult0 * uint64(col)
	c1 := philoxMult1 * uint64(uint32(c3>>32)^start[0])
	c := [4]uint32{uint32(c1>>32) ^ start[1], uint32(c1), uint32(c3) ^ start[2], start[3]}
	for r := 2; r < 10; r++ {
		p0, p1 := philoxMult0*uint64(c[0]), philoxMult1*uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[r][0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[r][1], uint32(p0)}
	}
	return c
}

func copyRectGeneric(dst, src *float32, dstStep, srcStep, rows, cols uintptr) {
	for i := range rows {
		copy(unsafe.Slice(floatAt(dst, i*dstStep), cols), unsafe.Slice(floatAt(src, i*srcStep), cols))
	}
}

func widenRectGeneric(dst *float32, src *int8, dstStep, srcStep, rows, cols uintptr) {
	for i := range rows {
		d := unsafe.Slice(floatAt(dst, i*dstStep), cols)
		for j, x := range unsafe.Slice((*int8)(unsafe.Add(unsafe.Pointer(src), i*srcStep)), cols) {
			d[j] = float32(x)
		}
	}
}

func panelsGeneric[T float32 | int8](dst *float32, src *T, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr) {
	for l := range steps {
		w := *floatAt(weights, l*weightStep)
		s := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(src), l*srcStep)), 4*panels)
		for p := range panels {
			d := unsafe.Slice(floatAt(dst, p*dstStep+16*l), 4)
			for i := range d {
				d[i] = w * float32(s[4*p+uintptr(i)])
			}
		}
	}
}

func transposeGeneric(rows uintptr) func(dst, src *float32, dstStep, srcStep, squares uintptr) {
	return func(dst, src *float32, dstStep, srcStep, squares uintptr) {
		for l := range genericLanes * squares {
			d := unsafe.Slice(floatAt(dst, l*dstStep), genericLanes)
			clear(d[rows:])
			for i := range rows {
				d[i] = *floatAt(src, i*srcStep+4*l)
			}
		}
	}
}

func addToGeneric(dst, src *float32, n uintptr) {
	d := unsafe.Slice(dst, n)
	for i, x := range unsafe.Slice(src, n) {
		d[i] += x
	}
}

// peakGeneric does turns times 24 independent multiplications and additions.
func peakGeneric(turns uintptr) {
	var s0, s1, s2, s3 float32
	for range turns {
		for range peakAdds / 4 {
			s0 += s0 * s0
			s1 += s1 * s1
			s2 += s2 * s2
			s3 += s3 * s3
		}
	}
	runtime.KeepAlive(s0 + s1 + s2 + s3)
}
