package cpu

import "mattis/compute"

// How spins and fields of rows come into lanes and back.

// turnIn sets dst, a row of lanes for each position, to the block's columns of spins.
func (g *lanesOf) turnIn(dst, spins []int8, stride, spin, width int) {
	turn := g.t.e.kernels.turn
	at, step := g.positions(dst)
	from := g.from(spin, width)
	if g.whole(width) {
		for r := range g.turns() {
			r = min(16*r, g.lanes-16)
			turn(&at[r], &spins[(g.first+r)*stride+from], step, uintptr(stride))
		}
		return
	}
	for r := range g.lanes {
		d := g.s.stage8[r*scanSpins:][:scanSpins]
		clear(d)
		if r >= g.lo && r < g.hi {
			copy(d[g.skip(width):], spins[(g.first+r)*stride+from:][:width])
		}
	}
	for r := 0; r < g.lanes; r += 16 {
		turn(&at[r], &g.s.stage8[r*scanSpins], step, scanSpins)
	}
}

// turnOut sets the block's columns to the spins that have been drawn.
func (g *lanesOf) turnOut(spin, width int) {
	t := g.t
	turn := t.e.kernels.turn
	at, step := g.positions(g.s.spins)
	from := g.from(spin, width)
	if g.whole(width) {
		for r := range g.turns() {
			r = min(16*r, g.lanes-16)
			turn(&t.spins[(g.first+r)*t.spinStride+from], &at[r], uintptr(t.spinStride), step)
		}
		return
	}
	for r := 0; r < g.lanes; r += 16 {
		turn(&g.s.stage8[r*scanSpins], &at[r], scanSpins, step)
	}
	for r := g.lo; r < g.hi; r++ {
		copy(t.spins[(g.first+r)*t.spinStride+from:][:width], g.s.stage8[r*scanSpins+g.skip(width):])
	}
}

// whole reports whether the block's spins can be turned as they lie: squares of 16.
func (g *lanesOf) whole(width int) bool {
	return width == scanSpins && g.lo == 0 && g.hi == g.lanes && g.lanes >= 16
}

// turns returns how many squares of 16 rows cover the lanes.
func (g *lanesOf) turns() int { return ceil(g.lanes, 16) }

// positions returns where the first column of a block lies in a matrix of positions, and the bytes
// to the next one.
func (g *lanesOf) positions(m []int8) (at []int8, step uintptr) {
	step = tileColsMax
	if g.t.op.Order == compute.Backward {
		return m[(scanSpins-1)*tileColsMax:], -step
	}
	return m, step
}

// from returns the first column of a block.
func (g *lanesOf) from(spin, width int) int {
	if g.t.op.Order == compute.Backward {
		return spin + 1 - width
	}
	return spin
}

// skip returns how many columns are missing before those of a block that is not whole.
func (g *lanesOf) skip(width int) int {
	if g.t.op.Order == compute.Backward {
		return scanSpins - width
	}
	return 0
}

// addends turns the block's columns of Add.
func (g *lanesOf) addends(spin, width int) {
	t := g.t
	from := g.from(spin, width)
	at, step := g.s.add, 4*uintptr(t.cols)
	if t.op.Order == compute.Backward {
		at, step = g.s.add[(scanSpins-1)*t.cols:], -step
	}
	for v := range g.vectors {
		src, stride := &g.s.stage[0], scanSpins
		if g.whole(width) {
			src, stride = &t.add[(g.first+v*t.lanes)*t.addStride+from], t.addStride
		} else {
			clear(g.s.stage[:t.lanes*scanSpins])
			for l := max(0, g.lo-v*t.lanes); l < min(t.lanes, g.hi-v*t.lanes); l++ {
				copy(g.s.stage[l*scanSpins+g.skip(width):], t.add[(g.first+v*t.lanes+l)*t.addStride+from:][:width])
			}
		}
		t.e.kernels.transpose[0](&at[v*t.lanes], src, step, 4*uintptr(stride), uintptr(scanSpins/t.lanes))
	}
}
