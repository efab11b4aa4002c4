package cpu

import "mattis/compute"

// bf16Kernels are what products in bfloat16 take in place of the kernels of float32. Panels of a
// and slivers of b are the same but for their steps: a word of 32 bits is not a float32 but two
// bfloat16, of steps 2k (its low half) and 2k+1 of the sum.
type bf16Kernels struct {
	micro [2][2][tileVectors]micro // as those of float32, steps being words
	// round rounds rows: word j of row i is of src[i,2j] and src[i,2j+1].
	round      func(dst, src *float32, dstStep, srcStep, rows, cols uintptr)
	roundSpins func(dst *float32, src *int8, dstStep, srcStep, rows, cols uintptr)
	// pair rounds rows in pairs: word j of row i is of src[2i,j] and src[2i+1,j].
	pair      func(dst, src *float32, dstStep, srcStep, steps, cols uintptr)
	pairSpins func(dst *float32, src *int8, dstStep, srcStep, steps, cols uintptr)
	// panels is pair of panels of as many columns as a tile has rows, side by side, after rows have been
	// multiplied by weights.
	panels      func(dst, src, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr)
	panelsSpins func(dst *float32, src *int8, weights *float32, dstStep, srcStep, weightStep, steps, panels uintptr)
	peak        func(turns uintptr) // nil: plain Go
}

// micro returns the micro-kernels of the product.
func (t *mulTask) micros() *[2][2][tileVectors]micro {
	if t.per == 2 {
		return &t.e.kernels.bf16.micro
	}
	return &t.e.kernels.micro
}

// words returns how many words steps of the sum take.
func (p *plan) words(steps int) int { return ceil(steps, p.per) }

// roundRect sets the words of rows of the stored entries (r0,c0) to (r0+rows,c0+cols), with stride
// words between rows.
func (k *kernels) roundRect(dst []float32, stride int, x *operand, r0, c0, rows, cols int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	_ = dst[(rows-1)*stride+ceil(cols, 2)-1]
	at := r0*x.stride + c0
	if x.i8 != nil {
		_ = x.i8[at+(rows-1)*x.stride+cols-1]
		k.bf16.roundSpins(&dst[0], &x.i8[at], 4*uintptr(stride), uintptr(x.stride), uintptr(rows), uintptr(cols))
		return
	}
	_ = x.f32[at+(rows-1)*x.stride+cols-1]
	k.bf16.round(&dst[0], &x.f32[at], 4*uintptr(stride), 4*uintptr(x.stride), uintptr(rows), uintptr(cols))
}

// pairRect sets the words of pairs of rows.
func (k *kernels) pairRect(dst []float32, stride int, x *operand, r0, c0, steps, cols int) {
	if steps <= 0 || cols <= 0 {
		return
	}
	_ = dst[(ceil(steps, 2)-1)*stride+cols-1]
	at := r0*x.stride + c0
	if x.i8 != nil {
		_ = x.i8[at+(steps-1)*x.stride+cols-1]
		k.bf16.pairSpins(&dst[0], &x.i8[at], 4*uintptr(stride), uintptr(x.stride), uintptr(steps), uintptr(cols))
		return
	}
	_ = x.f32[at+(steps-1)*x.stride+cols-1]
	k.bf16.pair(&dst[0], &x.f32[at], 4*uintptr(stride), 4*uintptr(x.stride), uintptr(steps), uintptr(cols))
}

// panelsOf packs whole panels of a transposed matrix over ls steps from row l0 on, from column first on.
func (k *kernels) panelsOf(bf16 bool, dst []float32, step int, x *operand, weights []float32, weightStride, first, panels, l0, ls int) {
	w, weightStep := &unweighted[0], 0
	if weights != nil {
		w, weightStep = &weights[l0*weightStride], 4*weightStride
		_ = weights[(l0+ls-1)*weightStride]
	}
	at := l0*x.stride + first
	last := at + (ls-1)*x.stride + panels*k.rows - 1
	steps := ls
	float, spins := k.panels, k.panels8
	if bf16 {
		float, spins, steps = k.bf16.panels, k.bf16.panelsSpins, ceil(ls, 2)
	}
	_ = dst[(panels-1)*step+steps*k.rows-1]
	if x.i8 != nil {
		_ = x.i8[last]
		spins(&dst[0], &x.i8[at], w, 4*uintptr(step), uintptr(x.stride), uintptr(weightStep), uintptr(ls), uintptr(panels))
		return
	}
	_ = x.f32[last]
	float(&dst[0], &x.f32[at], w, 4*uintptr(step), 4*uintptr(x.stride), uintptr(weightStep), uintptr(ls), uintptr(panels))
}

// packBF16 is packA of words; stage has room for a panel of ls steps as it is stored.
func (t *mulTask) packBF16(dst, stage []float32, p, l0, ls int) {
	if ls == 0 {
		return
	}
	k, a := t.e.kernels, &t.aOp
	first := p*k.rows - t.lead
	lo, hi := max(first, 0), min(first+k.rows, t.n)
	skip, words := lo-first, t.words(ls)
	if a.trans {
		clear(stage[:ls*k.rows])
		k.rect(stage[skip:], k.rows, a, l0, lo, ls, hi-lo)
		staged := operand{f32: stage, stride: k.rows, trans: true}
		var weights []float32
		if t.weights != nil {
			weights = t.weights[l0*t.weightStride:]
		}
		k.panelsOf(true, dst, t.panelLen(), &staged, weights, t.weightStride, 0, 1, 0, ls)
		return
	}
	stride := padStride(t.words(t.sum))
	for i := range 4 * t.groups(p) {
		if i < skip || i >= skip+hi-lo {
			clear(dst[i*stride:][:words])
		}
	}
	if t.weights == nil {
		k.roundRect(dst[skip*stride:], stride, a, lo, l0, hi-lo, ls)
		return
	}
	for i := lo; i < hi; i++ {
		k.rect(stage, ls, a, i, l0, 1, ls)
		for l := range stage[:ls] {
			stage[l] = float32(stage[l] * t.weights[(l0+l)*t.weightStride])
		}
		staged := operand{f32: stage[:ls], stride: ls}
		k.roundRect(dst[(i-first)*stride:], stride, &staged, 0, 0, 1, ls)
	}
}

// packSliverBF16 is packSliver of words.
func (t *mulTask) packSliverBF16(dst, stage []float32, j, l0, ls int) {
	k, b := t.e.kernels, &t.bOp
	c0 := j * k.cols()
	width := t.packedWidth(j)
	valid := min(width, t.m-c0)
	words := t.words(ls)
	if !b.trans {
		if valid < width {
			clear(dst[:words*width])
		}
		k.pairRect(dst, width, b, l0, c0, ls, valid)
		return
	}
	stride := round(words, k.lanes) + k.lanes // rows of a multiple of 4096 bytes would meet in the cache
	for c := 0; c < width; c += k.lanes {
		rows := max(0, min(k.lanes, valid-c))
		k.roundRect(stage, stride, b, c0+c, l0, rows, ls)
		clear(stage[rows*stride : k.lanes*stride])
		whole := words / k.lanes
		if whole > 0 {
			k.transpose[0](&dst[c], &stage[0], 4*uintptr(width), 4*uintptr(stride), uintptr(whole))
		}
		for w := whole * k.lanes; w < words; w++ {
			for i := range k.lanes {
				dst[w*width+c+i] = stage[i*stride+w]
			}
		}
	}
}

// entriesPerWord returns how many entries of the sum a packed word holds.
func entriesPerWord(p compute.Precision) int {
	if p == compute.BF16 {
		return 2
	}
	return 1
}
