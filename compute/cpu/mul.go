package cpu

import (
	"fmt"

	"mattis/compute"
)

// mulTask is one product: tiles of dst are its pieces.
type mulTask struct {
	e         *Engine
	dst, a, b compute.Matrix
	op        compute.Op
	factor    float32
	n, m, l   int // dst is n x m, the sum runs over l
	colTiles  int
	partial   compute.Matrix // n x colTiles Float64: the row sums of each column tile
	work      compute.Matrix // one row of workspace a worker
}

// Tiles of the generic kernel. The row tile is a multiple of the four rows
// that share a block of random numbers.
const (
	tileRows, tileCols, tileSum = 64, 256, 256
	tileWork                    = 2*tileRows*tileCols + tileRows*tileSum + tileSum*tileCols
)

// Mul sets dst to the epilogue of the product; see compute.Op.
func (e *Engine) Mul(dst, a, b compute.Matrix, op compute.Op) {
	t := &e.mul
	*t = mulTask{e: e, dst: dst, a: a, b: b, op: op}
	t.check()
	if t.n == 0 || t.m == 0 {
		return
	}
	mark := e.Mark()
	defer e.Release(mark)
	var logGain float32
	if !op.LogGain.IsNone() {
		logGain = op.LogGain.Float32s()[0]
	}
	t.factor = compute.Factor(op.Alpha, logGain)
	t.colTiles = (t.m + tileCols - 1) / tileCols
	t.work = e.Scratch(compute.Float32, e.pool.threads, tileWork)
	if !op.Then.LogCosh.IsNone() {
		t.partial = e.Scratch(compute.Float64, t.n, t.colTiles)
	}
	e.pool.run(t, (t.n+tileRows-1)/tileRows*t.colTiles)
	if !op.Then.LogCosh.IsNone() {
		sum, part := op.Then.LogCosh.Float64s(), t.partial.Float64s()
		for i := range t.n {
			var s float64
			for _, x := range part[i*t.colTiles:][:t.colTiles] {
				s += x
			}
			sum[i*op.Then.LogCosh.Stride()] += s
		}
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

func (t *mulTask) do(worker, piece int) {
	t.tile(worker, piece/t.colTiles*tileRows, piece%t.colTiles)
}
