package cpu

import (
	"fmt"

	"mattis/compute"
)

// scanTask is one Scan: the spins of a layer that is coupled with itself, drawn one after the
// other.
//
// A group of rows is taken through all spins, in blocks of scanSpins. Its rows lie side by side in
// the lanes of vectors: Z (KxR) holds f*A + R of its rows or, with dense couplings, f*(s-m) itself.
// The fields of a block are one product, X_block^T Z. Inside the block the kernel draws a spin in
// all lanes, and adds what its flips change to the fields of the block's later spins, by the
// block's own J. Then the block's flips D go into Z: Z += X_block D. These are the micro-kernels of
// Mul, on packed blocks of X that all groups share.
//
// Everything is arranged in the order of the scan: position p of a block is its first or its last
// spin, so that the kernels know no direction.
type scanTask struct {
	e  *Engine
	s  compute.Matrix
	op compute.ScanOp
	scanPlan
	phase func(t *scanTask, worker, piece int)

	factor                       float32
	keys                         [10][2]uint32
	patterns, overlap, rest      []float32
	dense, offset, bias, base    []float32
	add, scale                   []float32
	spins, clamp                 []int8
	packed, couplings, perSpin   []float32 // by block: scanSpins columns of X, their J, and see scanPerSpin
	work                         []float32 // workLen entries a worker
	work8                        []int8
	restStride, addStride        int
	clampStride, scaleStride     int
	patternStride, overlapStride int
	spinStride, denseStride      int
}

// scanPlan is how a scan is cut. Blocks depend on the shape alone; groups of rows, which do not
// meet, on the number of threads too.
type scanPlan struct {
	n, spinsN   int // rows, and spins of the layer
	isDense     bool
	k           int // patterns, 0 of dense couplings
	sum         int // length of the sum of a field: patterns or spins
	sumRows     int // rows of Z: the sum filled up to whole tiles
	lead        int // lanes before the first row, so that lanes hold whole groups of four rows
	blocks      int
	vectors     int // of rows
	groups      int
	cols, lanes int
}

const (
	scanSpins = 16  // of a block
	scanSum   = 256 // longest part of the sum of a field
)

// What perSpin holds of a block, each scanSpins numbers: f*d, what goes with a spin's own value;
// the bias, with f*d*m; the base.
const (
	scanSelf = iota * scanSpins
	scanBias
	scanBase
	scanPerSpin
)

func (t *scanTask) plan(threads int) {
	k := t.e.kernels
	p := scanPlan{n: t.s.Rows(), spinsN: t.s.Cols(), k: t.op.Patterns.Rows(), lanes: k.lanes, cols: k.cols()}
	p.sum, p.isDense = p.k, !t.op.Dense.IsNone()
	if p.isDense {
		p.sum = p.spinsN
	}
	p.sumRows = round(max(1, p.sum), 16)
	p.lead = int(t.op.Then.Row % 4)
	p.blocks = ceil(p.spinsN, scanSpins)
	p.vectors = ceil(p.lead+p.n, p.lanes)
	p.groups = min(p.vectors, round(ceil(p.vectors, tileVectors), threads))
	t.scanPlan = p
}

// group returns the first vector of a group and how many it has.
func (p *scanPlan) group(i int) (first, vectors int) {
	each, more := p.vectors/p.groups, p.vectors%p.groups
	return i*each + min(i, more), each + min(1, max(0, more-i))
}

// The scratch matrices of a scan.
const (
	scanNeedPacked = iota
	scanNeedCouplings
	scanNeedPerSpin
	scanNeedWork
	scanNeedWork8
)

func (t *scanTask) needs(threads int) (n [5]need) {
	if !t.isDense {
		n[scanNeedPacked] = need{compute.Float32, t.blocks, t.sumRows * scanSpins}
	}
	n[scanNeedCouplings] = need{compute.Float32, t.blocks, scanSpins * scanSpins}
	n[scanNeedPerSpin] = need{compute.Float32, t.blocks, scanPerSpin}
	n[scanNeedWork] = need{compute.Float32, threads, t.workLen()}
	n[scanNeedWork8] = need{compute.Int8, threads, scanWork8}
	return n
}

// scanSpace is a worker's scratch, cut to its uses; matrices of a block have scanSpins rows of cols
// lanes.
type scanSpace struct {
	z, y, delta, bounds, uniform, add []float32
	scale                             []float32 // cols
	stage                             []float32 // lanes rows of sumRows, or 16 rows of a block's fields
	edge                              []float32 // dense couplings: the rows of a last block that is not whole
	spins, clamp, stage8              []int8
}

const (
	scanWork8  = 3 * scanSpins * tileColsMax
	scanAheads = 16 // of the stage: rows may lie side by side
)

func (t *scanTask) workLen() int {
	n := t.sumRows*t.cols + 5*scanSpins*t.cols + t.cols + t.lanes*max(t.stageStride(), scanSpins)
	if t.isDense {
		n += scanSpins * t.sumRows
	}
	return round(n, 16)
}

// stageStride returns the entries between rows of the stage, which keeps them out of each other's
// cache lines.
func (t *scanTask) stageStride() int {
	if t.isDense {
		return scanSpins
	}
	return t.sumRows + scanAheads
}

func (t *scanTask) space(w int) (s scanSpace) {
	x := t.work[w*t.workLen():][:t.workLen()]
	cut := func(n int) []float32 {
		y := x[:n:n]
		x = x[n:]
		return y
	}
	block := scanSpins * t.cols
	s.z, s.y, s.delta = cut(t.sumRows*t.cols), cut(block), cut(block)
	s.bounds, s.uniform, s.add, s.scale = cut(block), cut(block), cut(block), cut(t.cols)
	s.stage = cut(t.lanes * max(t.stageStride(), scanSpins))
	s.edge = x
	x8 := t.work8[w*scanWork8:][:scanWork8]
	part := scanWork8 / 3
	s.spins, s.clamp, s.stage8 = x8[:part], x8[part:2*part], x8[2*part:]
	return s
}

// Scan draws a layer that is coupled with itself; see compute.ScanOp.
func (e *Engine) Scan(s compute.Matrix, op compute.ScanOp) {
	t := &e.scan
	*t = scanTask{e: e, s: s, op: op}
	t.check()
	if s.Len() == 0 {
		return
	}
	var logGain float32
	if !op.LogGain.IsNone() {
		logGain = op.LogGain.Float32s()[0]
	}
	t.factor = compute.Factor(op.Alpha, logGain)
	mark := e.Mark()
	if op.Order == compute.AtOnce {
		e.scanAtOnce(s, &t.op, t.factor)
	} else {
		t.run()
	}
	e.Release(mark)
}

func (t *scanTask) run() {
	threads := t.threads(t.e.pool.threads)
	t.plan(threads)
	t.slices()
	n := t.needs(threads)
	take := func(i int) compute.Matrix { return t.e.Scratch(n[i].kind, n[i].rows, n[i].cols) }
	if !t.isDense {
		t.packed = take(scanNeedPacked).Float32s()
	}
	t.couplings, t.perSpin = take(scanNeedCouplings).Float32s(), take(scanNeedPerSpin).Float32s()
	t.work, t.work8 = take(scanNeedWork).Float32s(), take(scanNeedWork8).Int8s()
	t.phase = (*scanTask).pack
	t.e.pool.run(t, t.blocks, threads)
	t.phase = (*scanTask).draw
	t.e.pool.run(t, t.groups, threads)
	if t.k > 0 && t.factor == 0 { // Z has not seen the flips
		t.e.overlapOf(t.s, &t.op)
	}
}

// threads returns how many threads the scan is worth.
func (t *scanTask) threads(threads int) int {
	k := t.op.Patterns.Rows()
	if !t.op.Dense.IsNone() {
		k = t.s.Cols()
	}
	if t.s.Len()*(k+scanSpins) < smallOps {
		return 1
	}
	return threads
}

func (t *scanTask) do(worker, piece int) { t.phase(t, worker, piece) }

// slices sets the host slices of the operands.
func (t *scanTask) slices() {
	op, th := &t.op, &t.op.Then
	t.spins, t.spinStride = t.s.Int8s(), t.s.Stride()
	t.patterns, t.overlap, t.rest = present(op.Patterns), present(op.Overlap), present(op.Rest)
	t.patternStride, t.overlapStride, t.restStride = op.Patterns.Stride(), op.Overlap.Stride(), op.Rest.Stride()
	t.dense, t.denseStride = present(op.Dense), op.Dense.Stride()
	t.offset, t.bias, t.base = present(op.Offset), present(th.Bias), present(th.Base)
	t.add, t.addStride = present(th.Add), th.Add.Stride()
	t.scale, t.scaleStride = present(th.Scale), th.Scale.Stride()
	if t.scale == nil {
		t.base = nil
	}
	if !th.Clamp.IsNone() {
		t.clamp, t.clampStride = th.Clamp.Int8s(), th.Clamp.Stride()
	}
	t.keys = philoxKeys(uint64(th.Key))
}

func (t *scanTask) check() {
	op, th := &t.op, &t.op.Then
	n, m, k := t.s.Rows(), t.s.Cols(), op.Patterns.Rows()
	fail := func(what string) { panic(fmt.Sprintf("cpu: Scan of %v: %s", t.s, what)) }
	switch {
	case t.s.Type() != compute.Int8:
		fail("want spins")
	case th.Kind != compute.Spin:
		fail("want an epilogue of kind Spin")
	case !th.LogCosh.IsNone():
		fail("LogCosh")
	case op.Dense.IsNone() == op.Patterns.IsNone():
		fail("want patterns or dense couplings")
	case op.Patterns.IsNone() && !(op.Overlap.IsNone() && op.Rest.IsNone()):
		fail("overlaps without patterns")
	case !op.Patterns.IsNone() && op.Overlap.IsNone():
		fail("patterns without their overlap")
	case op.Order == compute.AtOnce && op.Patterns.IsNone():
		fail("AtOnce wants patterns")
	case op.Order > compute.AtOnce:
		fail(fmt.Sprintf("order %d", op.Order))
	}
	for _, x := range [...]struct {
		name       string
		m          compute.Matrix
		rows, cols int
		kind       compute.Type
	}{
		{"Patterns", op.Patterns, k, m, compute.Float32},
		{"Overlap", op.Overlap, n, k, compute.Float32},
		{"Rest", op.Rest, n, k, compute.Float32},
		{"Dense", op.Dense, m, m, compute.Float32},
		{"Offset", op.Offset, 1, m, compute.Float32},
		{"LogGain", op.LogGain, 1, 1, compute.Float32},
		{"Add", th.Add, n, m, compute.Float32},
		{"Bias", th.Bias, 1, m, compute.Float32},
		{"Scale", th.Scale, n, 1, compute.Float32},
		{"Base", th.Base, 1, m, compute.Float32},
		{"Clamp", th.Clamp, n, m, compute.Int8},
	} {
		if !x.m.IsNone() && (x.m.Rows() != x.rows || x.m.Cols() != x.cols || x.m.Type() != x.kind) {
			panic(fmt.Sprintf("cpu: Scan: %s is %v, want %dx%d %v", x.name, x.m, x.rows, x.cols, x.kind))
		}
	}
}
