package cpu

import (
	"math"
	"unsafe"

	"mattis/compute"
)

// scanBlock is what the kernels of Scan get of a block and a group of rows: matrices with a row
// for each of scanSpins positions and a column for each lane. The kernels know the offsets.
type scanBlock struct {
	y         *float32 // fields, as the product gives them
	delta     *float32 // factor * what the spins have changed by
	couplings *float32 // J of the block, scanSpins x scanSpins
	perSpin   *float32
	bounds    *float32 // where |x| is below it the spin flips: about log((1-u)/u)/2
	uniform   *float32 // u itself, which decides where the two are close
	add       *float32 // nil for none
	scale     *float32 // by lane, nil for none
	spins     *int8    // old ones come, new ones go; tileColsMax lanes
	clamp     *int8    // nil for none
	start     *uint32  // see begin
	offsets   *uint32  // of the columns of four positions, see scanOffsets
	vectors   int
	factor    float32
	column    uint32 // the low word of position 0's place in the random stream
	four      uint32 // what four positions add to it
	keys      [10][2]uint32
}

func (b *scanBlock) call(kernel func(*byte)) { kernel((*byte)(unsafe.Pointer(b))) }

// scanOffsets holds the columns of four positions less that of the first, forward and backward, as
// the low words of 64-bit lanes: a lane a group of four rows of one parity, positions slowest.
var scanOffsets = [2][2][16]uint32{scanOffsetsOf(8), scanOffsetsOf(16)}

func scanOffsetsOf(lanes int) (o [2][16]uint32) {
	for m := range lanes / 2 {
		position := uint32(m / (lanes / 8))
		o[0][2*m], o[1][2*m] = position, -position
	}
	return o
}

// lanesOf is a group of rows in a worker's lanes.
type lanesOf struct {
	t              *scanTask
	s              scanSpace
	b              *scanBlock
	first          int // row of lane 0, below 0 before the first row
	lo, hi         int // the lanes that have rows
	lanes, vectors int
	start          *[tileVectors * 8 * 16]uint32
	high           uint32 // of the columns that start is made for
	started        bool
}

// spinAt returns the spin at position 0 of a block, and how many the block has.
func (t *scanTask) spinAt(block int) (spin, width int) {
	from := block * scanSpins
	width = min(scanSpins, t.spinsN-from)
	if t.op.Order == compute.Backward {
		return from + width - 1, width
	}
	return from, width
}

// direction is 1 forward and -1 backward.
func (t *scanTask) direction() int {
	if t.op.Order == compute.Backward {
		return -1
	}
	return 1
}

// pack prepares a block: its columns of X, its J and what its spins have.
func (t *scanTask) pack(worker, block int) {
	spin, width := t.spinAt(block)
	step := t.direction()
	j := t.couplings[block*scanSpins*scanSpins:][:scanSpins*scanSpins]
	if t.isDense {
		clear(j)
		for p := range width {
			row := t.dense[(spin+step*p)*t.denseStride:]
			for q := range width {
				j[p*scanSpins+q] = row[spin+step*q]
			}
		}
	} else {
		x := t.packed[block*t.sumRows*scanSpins:][:t.sumRows*scanSpins]
		clear(x[t.k*scanSpins:])
		if step > 0 && width == scanSpins {
			t.e.kernels.rect(x, scanSpins, &operand{f32: t.patterns, stride: t.patternStride}, 0, spin, t.k, width)
		} else {
			t.packEdge(x, spin, width)
		}
		y := t.space(worker).y
		t.times(y, &x[0], byColumns, 4*scanSpins, x, 4*scanSpins, scanSpins/t.lanes)
		for p := range scanSpins {
			copy(j[p*scanSpins:][:scanSpins], y[p*t.cols:])
		}
	}
	spins := t.perSpin[block*scanPerSpin:][:scanPerSpin]
	clear(spins)
	for p := range width {
		i := spin + step*p
		self := t.factor * j[p*scanSpins+p]
		spins[scanSelf+p] = self
		if t.bias != nil {
			spins[scanBias+p] = t.bias[i]
		}
		if t.offset != nil {
			spins[scanBias+p] += float32(self * t.offset[i])
		}
		if t.base != nil {
			spins[scanBase+p] = t.base[i]
		}
	}
}

// packEdge packs a block whose order is not that of the patterns, or that is not whole.
func (t *scanTask) packEdge(x []float32, spin, width int) {
	from := min(spin, spin+(width-1)*t.direction())
	for k := range t.k {
		d := x[k*scanSpins:][:scanSpins]
		clear(d[width:])
		for p, v := range t.patterns[k*t.patternStride+from:][:width] {
			if t.op.Order == compute.Backward {
				p = width - 1 - p
			}
			d[p] = v
		}
	}
}

// times sets scanSpins rows of a tile's columns to the product of a, aStep bytes between its rows
// or steps, and b (sum x vectors*lanes, bStep bytes apart), in parts of the sum.
func (t *scanTask) times(y []float32, a *float32, layout int, aStep uintptr,
	b []float32, bStep uintptr, vectors int) {
	k := t.e.kernels
	micro := k.micro[layout][k.rows/4-1][vectors-1]
	for from := 0; from == 0 || from < t.sum; from += scanSum {
		steps := uintptr(min(scanSum, t.sum-from))
		var add uintptr
		if from > 0 {
			add = 1
		}
		at := floatAt(a, uintptr(from)*aStep)
		if layout == byRows {
			at = floatAt(a, 4*uintptr(from))
		}
		bAt := floatAt(&b[0], uintptr(from)*bStep)
		for h := 0; h < scanSpins; h += k.rows {
			part := floatAt(at, 4*uintptr(h))
			if layout == byRows {
				part = floatAt(at, uintptr(h)*aStep)
			}
			c := &y[h*t.cols]
			micro(c, part, bAt, aStep, bStep, steps, add, bAt, c, 4*uintptr(t.cols))
		}
	}
}

// draw takes a group of rows through all blocks.
func (t *scanTask) draw(worker, group int) {
	k, w := t.e.kernels, &t.e.workers[worker]
	g := lanesOf{t: t, s: t.space(worker), b: &w.scan, start: &w.start}
	vector, vectors := t.group(group)
	g.first, g.vectors, g.lanes = vector*t.lanes-t.lead, vectors, vectors*t.lanes
	g.lo, g.hi = max(0, -g.first), min(g.lanes, t.n-g.first)
	g.begin()
	for i := range t.blocks {
		block := i
		if t.op.Order == compute.Backward {
			block = t.blocks - 1 - i
		}
		spin, width := t.spinAt(block)
		g.fields(block, spin, width)
		g.numbers(spin)
		g.turnIn(g.s.spins, t.spins, t.spinStride, spin, width)
		if t.clamp != nil {
			g.turnIn(g.s.clamp, t.clamp, t.clampStride, spin, width)
		}
		if t.add != nil {
			g.addends(spin, width)
		}
		g.b.couplings = &t.couplings[block*scanSpins*scanSpins]
		g.b.perSpin = &t.perSpin[block*scanPerSpin]
		g.b.call(k.scanBlock)
		g.turnOut(spin, width)
		g.update(block, spin, width)
	}
	if t.k > 0 && t.factor != 0 {
		g.storeOverlap()
	}
	*g.b = scanBlock{}
}

// begin prepares the lanes: Z, the temperatures, the kernels' block.
func (g *lanesOf) begin() {
	t, s := g.t, &g.s
	*g.b = scanBlock{y: &s.y[0], delta: &s.delta[0], bounds: &s.bounds[0], uniform: &s.uniform[0],
		spins: &s.spins[0], start: &g.start[0], vectors: g.vectors, factor: t.factor, four: uint32(4 * t.direction()), keys: t.keys}
	arm, back := 0, 0
	if t.lanes == 16 {
		arm = 1
	}
	if t.op.Order == compute.Backward {
		back = 1
	}
	g.b.offsets = &scanOffsets[arm][back][0]
	if t.clamp != nil {
		g.b.clamp = &s.clamp[0]
	}
	if t.add != nil {
		g.b.add = &s.add[0]
	}
	if t.scale != nil {
		g.b.scale = &s.scale[0]
		for r := range s.scale {
			s.scale[r] = 1
			if r >= g.lo && r < g.hi {
				s.scale[r] = t.scale[(g.first+r)*t.scaleStride]
			}
		}
	}
	if t.isDense {
		g.loadSpins()
	} else {
		g.loadOverlap()
	}
}

// loadOverlap sets Z to f*A + R, a row of A in a lane.
func (g *lanesOf) loadOverlap() {
	t, stage, stride := g.t, g.s.stage, g.t.stageStride()
	for v := range g.vectors {
		for l := range t.lanes {
			d, r := stage[l*stride:][:t.sumRows], v*t.lanes+l
			if r < g.lo || r >= g.hi {
				clear(d)
				continue
			}
			clear(d[t.k:])
			if t.k == 0 {
				continue
			}
			for k, a := range t.overlap[(g.first+r)*t.overlapStride:][:t.k] {
				d[k] = t.factor * a
			}
			if t.rest != nil {
				for k, x := range t.rest[(g.first+r)*t.restStride:][:t.k] {
					d[k] += x
				}
			}
		}
		t.e.kernels.transpose[0](&g.s.z[v*t.lanes], &stage[0],
			4*uintptr(t.cols), 4*uintptr(stride), uintptr(t.sumRows/t.lanes))
	}
}

// storeOverlap sets A to (Z - R)/f.
func (g *lanesOf) storeOverlap() {
	t, stage, stride := g.t, g.s.stage, g.t.stageStride()
	for v := range g.vectors {
		for k := 0; k < t.sumRows; k += t.lanes {
			t.e.kernels.transpose[0](&stage[k], &g.s.z[k*t.cols+v*t.lanes], 4*uintptr(stride), 4*uintptr(t.cols), 1)
		}
		for l := range t.lanes {
			r := v*t.lanes + l
			if r < g.lo || r >= g.hi {
				continue
			}
			d, z := t.overlap[(g.first+r)*t.overlapStride:][:t.k], stage[l*stride:]
			if t.rest == nil {
				for k := range d {
					d[k] = z[k] / t.factor
				}
				continue
			}
			for k, x := range t.rest[(g.first+r)*t.restStride:][:t.k] {
				d[k] = (z[k] - x) / t.factor
			}
		}
	}
}

// loadSpins sets Z to f*(s-m), a row of s in a lane.
func (g *lanesOf) loadSpins() {
	t := g.t
	for block := range t.blocks {
		from := block * scanSpins
		width := min(scanSpins, t.spinsN-from)
		for v := range g.vectors {
			clear(g.s.stage[:t.lanes*scanSpins])
			for l := max(0, g.lo-v*t.lanes); l < min(t.lanes, g.hi-v*t.lanes); l++ {
				for j, x := range t.spins[(g.first+v*t.lanes+l)*t.spinStride+from:][:width] {
					g.s.stage[l*scanSpins+j] = float32(x)
				}
			}
			t.e.kernels.transpose[0](&g.s.z[from*t.cols+v*t.lanes], &g.s.stage[0],
				4*uintptr(t.cols), 4*scanSpins, uintptr(scanSpins/t.lanes))
		}
		for p := range width {
			m := t.offsetOf(from + p)
			for r, x := range g.s.z[(from+p)*t.cols:][:g.lanes] {
				g.s.z[(from+p)*t.cols+r] = t.factor * (x - m)
			}
		}
	}
}

func (t *scanTask) offsetOf(spin int) float32 {
	if t.offset == nil {
		return 0
	}
	return t.offset[spin]
}

// fields sets y to the products for the block.
func (g *lanesOf) fields(block, spin, width int) {
	t := g.t
	zStep := 4 * uintptr(t.cols)
	switch {
	case !t.isDense:
		t.times(g.s.y, &t.packed[block*t.sumRows*scanSpins], byColumns, 4*scanSpins, g.s.z, zStep, g.vectors)
	case width == scanSpins:
		step := 4 * t.denseStride * t.direction()
		t.times(g.s.y, &t.dense[spin*t.denseStride], byRows, uintptr(step), g.s.z, zStep, g.vectors)
	default:
		clear(g.s.edge[:scanSpins*t.sumRows])
		for p := range width {
			copy(g.s.edge[p*t.sumRows:], t.dense[(spin+p*t.direction())*t.denseStride:][:t.spinsN])
		}
		t.times(g.s.y, &g.s.edge[0], byRows, 4*uintptr(t.sumRows), g.s.z, zStep, g.vectors)
	}
}

// update takes the block's flips into Z.
func (g *lanesOf) update(block, spin, width int) {
	t, k := g.t, g.t.e.kernels
	if t.isDense {
		for p := range width {
			i := spin + p*t.direction()
			m, z := t.offsetOf(i), g.s.z[i*t.cols:][:g.lanes]
			for r, x := range g.s.spins[p*tileColsMax:][:g.lanes] {
				z[r] = t.factor * (float32(x) - m)
			}
		}
		return
	}
	micro := k.micro[byRows][k.rows/4-1][g.vectors-1]
	x := t.packed[block*t.sumRows*scanSpins:]
	step := 4 * uintptr(t.cols)
	for p := 0; p < t.k; p += k.rows {
		z := &g.s.z[p*t.cols]
		micro(z, &x[p*scanSpins], &g.s.delta[0], 4*scanSpins, step, scanSpins, 1, z, z, step)
	}
}

// numbers sets the random numbers of the block.
func (g *lanesOf) numbers(spin int) {
	t, k := g.t, g.t.e.kernels
	col, last := t.op.Then.Col+uint64(spin), uint64(scanSpins-1)
	high := uint32(col >> 32)
	end := col + last
	if t.op.Order == compute.Backward {
		end = col - last
	}
	if k.scanNumbers == nil || uint32(end>>32) != high {
		g.slowNumbers(col)
		return
	}
	if !g.started || g.high != high {
		g.starts(high)
	}
	g.b.column = uint32(col)
	g.b.call(k.scanNumbers)
}

// row4 returns the group of four rows that begins at a lane.
func (g *lanesOf) row4(lane int) uint64 {
	return (g.t.op.Then.Row - uint64(g.t.lead) + uint64(g.first+g.t.lead+lane)) / 4
}

// starts prepares the four words that the first rounds need of each group of four rows (see
// philoxStart), as the low words of 64-bit lanes: for each vector those of its even groups, then of
// its odd ones.
func (g *lanesOf) starts(high uint32) {
	g.started, g.high = true, high
	per := g.t.lanes / 8 // groups of one parity in a vector
	for v := range g.vectors {
		for odd := range 2 {
			for m := range g.t.lanes / 2 {
				group := 2*(m%per) + odd
				words := philoxStart(g.row4(v*g.t.lanes+4*group), high, &g.t.keys)
				for i, x := range words {
					g.start[((v*2+odd)*4+i)*g.t.lanes+2*m] = x
				}
			}
		}
	}
}

// slowNumbers sets the random numbers in plain Go.
func (g *lanesOf) slowNumbers(col uint64) {
	t := g.t
	for p := range scanSpins {
		for r := 0; r < g.lanes; r += 4 {
			for i, w := range t.op.Then.Key.Block(g.row4(r), col+uint64(p*t.direction())) {
				u := compute.SpinUniform(w)
				g.s.uniform[p*t.cols+r+i] = u
				if t.e.kernels.scanNumbers != nil {
					g.s.bounds[p*t.cols+r+i] = float32(math.Log((1-float64(u))/float64(u)) / 2)
				}
			}
		}
	}
}
