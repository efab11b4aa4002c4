package cpu

import (
	"fmt"

	"mattis/compute"
)

// mulTask is one product: what Mul was asked, how it is cut, and the slices
// that its kernels work on.
type mulTask struct {
	plan
	e         *Engine
	phase     func(t *mulTask, worker, piece int)
	dst, a, b compute.Matrix
	op        compute.Op
	n, m, l   int // dst is n x m, the sum runs over l
	factor    float32
	keys      [10][2]uint32

	aOp, bOp                                          operand
	dst32                                             []float32
	dst8, clamp                                       []int8
	weights, add, bias, scale, base                   []float32 // nil for none
	betas                                             []float32 // Scale of Normal, which does not scale
	logCosh                                           []float64
	dstStride, clampStride, weightStride, scaleStride int
	addStride                                         int

	work       []float32 // workStride entries a worker
	workStride int
	packedB    []float32 // the slivers of b, block by block of the sum
	partial    []float32 // the tiles of each split
	coshWork   []float64 // eight sums for each row of a worker's piece
	coshParts  []float64 // n x colBlocks: the row sums of each column block
	integers   integers
}

// Mul sets dst to the epilogue of the product; see compute.Op.
func (e *Engine) Mul(dst, a, b compute.Matrix, op compute.Op) {
	t := &e.mul
	t.e, t.dst, t.a, t.b, t.op = e, dst, a, b, op
	t.check()
	if t.n == 0 || t.m == 0 {
		return
	}
	mark := e.Mark()
	t.makePlan()
	t.slices()
	if threads := t.threads(e.pool.threads); !t.multiplyIntegers(threads) {
		t.multiplyFloats(threads)
	}
	if t.logCosh != nil {
		stride := op.Then.LogCosh.Stride()
		for i := range t.n {
			var s float64
			for _, x := range t.coshParts[i*t.colBlocks:][:t.colBlocks] {
				s += x
			}
			t.logCosh[i*stride] += s
		}
	}
	e.Release(mark)
}

// multiplyFloats works the product out as the plan has it.
func (t *mulTask) multiplyFloats(threads int) {
	t.scratch(threads)
	if t.packB {
		t.run((*mulTask).packAll, t.sums*t.slivers, threads)
	}
	if t.thin {
		t.run((*mulTask).packThin, t.sums, threads)
		t.run((*mulTask).multiplyThin, t.pieces(), threads)
	} else {
		t.run((*mulTask).multiply, t.pieces(), threads)
	}
	if t.splits > 1 {
		t.run((*mulTask).join, t.panels*t.colBlocks, threads)
	}
}

// threads returns how many threads the product is worth.
func (t *mulTask) threads(threads int) int {
	if t.ops < sharedOps {
		return 1
	}
	return threads
}

func (t *mulTask) run(phase func(t *mulTask, worker, piece int), pieces, threads int) {
	t.phase = phase
	t.e.pool.run(t, pieces, threads)
}

func (t *mulTask) do(worker, piece int) { t.phase(t, worker, piece) }

// slices sets the host slices of the operands.
func (t *mulTask) slices() {
	th := &t.op.Then
	t.dstStride, t.clampStride = t.dst.Stride(), th.Clamp.Stride()
	t.weightStride, t.scaleStride, t.addStride = t.op.Weights.Stride(), th.Scale.Stride(), th.Add.Stride()
	t.dst32, t.dst8, t.clamp = nil, nil, nil
	switch th.Kind {
	case compute.Store, compute.Tanh:
		t.dst32 = t.dst.Float32s()
	case compute.Normal:
		t.dst32 = t.dst.Float32s()
		t.keys = philoxKeys(uint64(th.Key))
	case compute.Spin:
		t.dst8 = t.dst.Int8s()
		t.keys = philoxKeys(uint64(th.Key))
		if !th.Clamp.IsNone() {
			t.clamp = th.Clamp.Int8s()
		}
	}
	t.weights, t.add, t.bias = present(t.op.Weights), present(th.Add), present(th.Bias)
	t.scale, t.base, t.betas = present(th.Scale), present(th.Base), nil
	if th.Kind == compute.Normal {
		t.scale, t.betas = nil, t.scale
	}
	t.logCosh = nil
	if !th.LogCosh.IsNone() {
		t.logCosh = th.LogCosh.Float64s()
	}
	t.aOp, t.bOp = hostOperand(t.a, t.op.TransA), hostOperand(t.b, t.op.TransB)
	var logGain float32
	if !t.op.LogGain.IsNone() {
		logGain = t.op.LogGain.Float32s()[0]
	}
	t.factor = compute.Factor(t.op.Alpha, logGain)
}

func present(m compute.Matrix) []float32 {
	if m.IsNone() || m.Len() == 0 {
		return nil
	}
	return m.Float32s()
}

func hostOperand(m compute.Matrix, trans bool) operand {
	x := operand{stride: m.Stride(), trans: trans}
	if m.Type() == compute.Int8 {
		x.i8 = m.Int8s()
	} else {
		x.f32 = m.Float32s()
	}
	return x
}

// need is a scratch matrix of a product; one of no rows is not needed.
type need struct {
	kind       compute.Type
	rows, cols int
}

// The scratch matrices of a product.
const (
	needWork = iota
	needPackedB
	needPartial
	needCoshWork
	needCoshParts
)

// needs returns the scratch that the product takes as it is cut.
func (t *mulTask) needs(threads int, logCosh bool) (n [5]need) {
	n[needWork] = need{compute.Float32, threads, round(t.spaceLen(), 16)}
	if t.thin {
		n[needPackedB] = need{compute.Float32, t.sums * t.sum, t.thinWidth()}
	}
	if t.packB {
		n[needPackedB] = need{compute.Float32, t.sums * t.slivers, t.sliverLen()}
	}
	if t.splits > 1 {
		n[needPartial] = need{compute.Float32, t.splits, t.panels * t.slivers * t.tileLen()}
	}
	if logCosh {
		n[needCoshWork] = need{compute.Float64, threads, t.blockPanels * t.e.kernels.rows * 8}
		n[needCoshParts] = need{compute.Float64, t.n, t.colBlocks}
	}
	return n
}

// scratch takes the product's scratch from the arena.
func (t *mulTask) scratch(threads int) {
	n := t.needs(threads, t.logCosh != nil)
	take := func(i int) compute.Matrix { return t.e.Scratch(n[i].kind, n[i].rows, n[i].cols) }
	t.workStride = n[needWork].cols
	t.work = take(needWork).Float32s()
	if t.packB || t.thin {
		t.packedB = take(needPackedB).Float32s()
	}
	if t.splits > 1 {
		t.partial = take(needPartial).Float32s()
	}
	if t.logCosh != nil {
		t.coshWork, t.coshParts = take(needCoshWork).Float64s(), take(needCoshParts).Float64s()
	}
}

func (t *mulTask) check() {
	n, l, l2, m := t.a.Rows(), t.a.Cols(), t.b.Rows(), t.b.Cols()
	if t.op.TransA {
		n, l = l, n
	}
	if t.op.TransB {
		l2, m = m, l2
	}
	th := &t.op.Then
	want := compute.Float32
	if th.Kind == compute.Spin {
		want = compute.Int8
	}
	switch {
	case l != l2, t.dst.Rows() != n, t.dst.Cols() != m:
		t.fail("shapes")
	case t.a.Type() != compute.Float32 && t.a.Type() != compute.Int8,
		t.b.Type() != compute.Float32 && t.b.Type() != compute.Int8:
		t.fail("types of the operands")
	case th.Kind != compute.Discard && t.dst.Type() != want:
		t.fail("type of the destination")
	case t.op.Accumulate && th.Kind != compute.Store:
		t.fail("Accumulate without Store")
	case t.op.Accumulate && !th.Add.IsNone():
		t.fail("Accumulate with Add")
	case !th.Base.IsNone() && th.Kind == compute.Normal:
		t.fail("Base with Normal")
	case !th.Clamp.IsNone() && th.Kind != compute.Spin:
		t.fail("Clamp without Spin")
	}
	for _, x := range [...]struct {
		name       string
		m          compute.Matrix
		rows, cols int
		kind       compute.Type
	}{
		{"LogGain", t.op.LogGain, 1, 1, compute.Float32},
		{"Weights", t.op.Weights, l, 1, compute.Float32},
		{"Add", th.Add, n, m, compute.Float32},
		{"Bias", th.Bias, 1, m, compute.Float32},
		{"Scale", th.Scale, n, 1, compute.Float32},
		{"Base", th.Base, 1, m, compute.Float32},
		{"Clamp", th.Clamp, n, m, compute.Int8},
		{"LogCosh", th.LogCosh, n, 1, compute.Float64},
	} {
		if !x.m.IsNone() && (x.m.Rows() != x.rows || x.m.Cols() != x.cols || x.m.Type() != x.kind) {
			panic(fmt.Sprintf("cpu: Mul: %s is %v, want %dx%d %v", x.name, x.m, x.rows, x.cols, x.kind))
		}
	}
	t.n, t.m, t.l = n, m, l
}

func (t *mulTask) fail(what string) {
	panic(fmt.Sprintf("cpu: Mul: %s: %v = %v (transposed: %v) times %v (transposed: %v), kind %d",
		what, t.dst, t.a, t.op.TransA, t.b, t.op.TransB, t.op.Then.Kind))
}
