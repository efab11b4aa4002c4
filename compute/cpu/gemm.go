package cpu

import "unsafe"

// worker is what one thread of a product owns.
type worker struct {
	tile       tile
	bias, base [tileColsMax]float32
	spins      [tileMax]int8 // a tile that does not fit the destination
	normals    [tileMax]float32
	sums       [8]float64
	scan       scanBlock
	start      [tileVectors * 8 * 16]uint32 // see lanesOf.starts
}

// space is a worker's scratch, cut to its uses.
type space struct {
	sums, staged []float32 // one tile each
	a            []float32 // the packed panels of a row block
	b, stage     []float32 // a packed sliver, and rows that wait to be turned
	partial      []float32 // tiles of a piece between blocks of the sum
	cosh         []float64 // eight sums for each row of a piece
}

// spaceLen returns the entries of a worker's scratch.
func (t *mulTask) spaceLen() int {
	n := 2*tileMax + round(t.blockPanels*t.panelLen(), 16) + round(t.sliverLen(), 16) + t.stageLen()
	if t.thin {
		n += t.thinLen()
	} else if t.sums > 1 && t.splits == 1 {
		n += t.blockPanels * t.blockSlivers * t.tileLen()
	}
	return n
}

// stageLen returns the entries of 16 rows of a block of the sum, kept apart.
func (t *mulTask) stageLen() int { return 16 * (round(t.sum, 16) + 16) }

func (t *mulTask) tileLen() int { return t.e.kernels.rows * t.e.kernels.cols() }

func (t *mulTask) space(w int) (s space) {
	x := t.work[w*t.workStride:][:t.workStride]
	cut := func(n int) []float32 {
		y := x[:n:n]
		x = x[n:]
		return y
	}
	s.sums, s.staged = cut(tileMax), cut(tileMax)
	s.a = cut(round(t.blockPanels*t.panelLen(), 16))
	s.b = cut(round(t.sliverLen(), 16))
	s.stage = cut(t.stageLen())
	s.partial = x
	if t.logCosh != nil {
		n := t.blockPanels * t.e.kernels.rows * 8
		s.cosh = t.coshWork[w*n:][:n]
	}
	return s
}

// multiply computes a piece of the product:
//
//	for each block of the sum: pack a's panels
//		for each sliver of b: for each panel: a tile of sums, and at the end its epilogue
//
// With splits the tiles wait for each other, and join finishes them.
func (t *mulTask) multiply(worker, number int) {
	k, w, s, q := t.e.kernels, &t.e.workers[worker], t.space(worker), t.piece(number)
	micros := t.micros()
	t.begin(w)
	clear(s.cosh)
	for block := range q.sums {
		l0 := (q.sum0 + block) * t.sum
		ls := min(t.sum, t.l-l0)
		last := block == q.sums-1 && t.splits == 1
		var add uintptr
		if block > 0 {
			add = 1
		}
		if !t.directA {
			t.packPanels(s.a, s.stage, &q, l0, ls)
		}
		for j := range q.slivers {
			b, bStep := t.sliver(s.b, s.stage, q.sliver0+j, q.sum0+block, l0, ls)
			vectors := t.packedWidth(q.sliver0+j) / k.lanes
			for p := range q.panels {
				a, layout, aStep := t.panel(s.a, q.panel0, p, l0, ls)
				c := &s.sums[0]
				if t.splits > 1 {
					c = &t.partial[((q.split*t.panels+q.panel0+p)*t.slivers+q.sliver0+j)*t.tileLen()]
				} else if t.sums > 1 {
					c = &s.partial[(p*t.blockSlivers+j)*t.tileLen()]
				}
				out, outStep := t.output(c, q.panel0+p, q.sliver0+j)
				micros[layout][t.groups(q.panel0+p)-1][vectors-1](c, a, b, aStep, bStep, uintptr(t.words(ls)), add, t.ahead(&q, block, j, p, ls, b), out, outStep)
				if last {
					t.finish(w, &s, q.panel0+p, q.sliver0+j, p, unsafe.Pointer(c))
				}
			}
		}
	}
	if t.splits == 1 {
		t.foldCosh(&s, q.panel0, q.panels, q.colBlock)
	}
	w.tile = tile{}
}

// output returns the address and the step in bytes of the rows that are touched once a tile's
// products are summed: those of the destination, or the tile c itself where it waits for other
// blocks of the sum.
func (t *mulTask) output(c *float32, p, j int) (out *float32, outStep uintptr) {
	k := t.e.kernels
	first := p*k.rows - t.lead
	if t.sums > 1 || t.dst32 == nil || first < 0 {
		return c, 4 * uintptr(k.cols())
	}
	return &t.dst32[first*t.dstStride+j*k.cols()], 4 * uintptr(t.dstStride)
}

// ahead returns the address of what the kernels fetch beside panel p of sliver
// j: a part of the packed sliver that comes next.
func (t *mulTask) ahead(q *piece, block, j, p, ls int, b *float32) *float32 {
	if !t.packB {
		return b
	}
	next := (q.sum0+block)*t.slivers + q.sliver0 + j + 1
	if j+1 == q.slivers && block+1 < q.sums {
		next += t.slivers - q.slivers
	}
	if at := next*t.sliverLen() + p*aheadLen*t.words(ls); at < len(t.packedB) {
		return &t.packedB[at]
	}
	return b
}

// aheadLen is how many entries a micro-kernel fetches ahead for each step.
const aheadLen = 4

// groups returns the groups of four rows that panel p uses: 1 or 2.
func (t *mulTask) groups(p int) int {
	if r := t.e.kernels.rows; r == 8 && t.lead+t.n-p*r > 4 {
		return 2
	}
	return 1
}

// join adds up the splits of one panel and one column block and applies the epilogue.
func (t *mulTask) join(worker, number int) {
	k, w, s := t.e.kernels, &t.e.workers[worker], t.space(worker)
	p, c := number/t.colBlocks, number%t.colBlocks
	t.begin(w)
	clear(s.cosh)
	for j := c * t.blockSlivers; j < min((c+1)*t.blockSlivers, t.slivers); j++ {
		at := (p*t.slivers + j) * t.tileLen()
		for split := 1; split < t.splits; split++ {
			k.addTo(&t.partial[at], &t.partial[at+split*t.panels*t.slivers*t.tileLen()], uintptr(t.tileLen()))
		}
		t.finish(w, &s, p, j, 0, unsafe.Pointer(&t.partial[at]))
	}
	t.foldCosh(&s, p, 1, c)
	w.tile = tile{}
}

// packAll packs one sliver of b over one block of the sum.
func (t *mulTask) packAll(worker, number int) {
	s, j := number/t.slivers, number%t.slivers
	l0 := s * t.sum
	t.packSliver(t.packedB[number*t.sliverLen():][:t.sliverLen()], t.space(worker).stage, j, l0, min(t.sum, t.l-l0))
}
