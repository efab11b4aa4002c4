package cpu

import (
	"fmt"

	"mattis/compute"
)

// descendTask is one Descend. A piece is as many rows as one of elementwise work, so that a thread
// finds the rows that it has worked on in its core's cache. The gradient of a piece is made tile by tile
// where it stays in that cache, with the bits that Mul gives: sums are short, of one block. The moves are done by
// an engine of the worker's own, on one thread, and so are products in bfloat16.
type descendTask struct {
	e           *Engine
	rows, cols  int
	pieceRows   int
	terms       []compute.Outer
	moves       []compute.Move
	width       int       // the columns filled up to whole tiles
	b           []float32 // the rows of each term's B, width apart
	work        []float32 // workLen entries a worker
	panels, top int       // row panels of a piece, and the longest sum
	long        int       // of all sums together
}

// inner is what one thread does pieces of Descend with.
type inner struct {
	engine Engine
	moves  []compute.Move
}

// Descend moves parameters; see compute.Arithmetic.
func (e *Engine) Descend(rows, cols int, terms []compute.Outer, moves []compute.Move) (finite bool) {
	checkDescend(rows, cols, terms, moves)
	if rows == 0 || cols == 0 {
		return true
	}
	e.infinite.Store(false)
	if e.inner == nil {
		e.inner = make([]inner, e.pool.threads)
		for i := range e.inner {
			e.inner[i].engine = Engine{pool: newPool(1), kernels: e.kernels, workers: make([]worker, 1)}
		}
	}
	t := &e.descend
	t.cut(e, rows, cols, terms, moves)
	threads := e.pool.threads
	if rows*cols < sharedEntries {
		threads = 1
	}
	mark := e.Mark()
	t.b = e.Scratch(compute.Float32, max(1, t.long), t.width).Float32s()
	t.work = e.Scratch(compute.Float32, threads, t.workLen()).Float32s()
	at := 0
	for i := range terms {
		x := hostOperand(terms[i].B, false)
		l := terms[i].B.Rows()
		dst := t.b[at*t.width:]
		for r := range l {
			clear(dst[r*t.width+cols : (r+1)*t.width])
		}
		e.kernels.rect(dst, t.width, &x, 0, 0, l, cols)
		at += l
	}
	e.pool.run(t, ceil(rows, t.pieceRows), threads)
	e.Release(mark)
	*t = descendTask{}
	return !e.infinite.Load()
}

// cut sets what follows from the shapes.
func (t *descendTask) cut(e *Engine, rows, cols int, terms []compute.Outer, moves []compute.Move) {
	k := e.kernels
	*t = descendTask{e: e, rows: rows, cols: cols, terms: terms, moves: moves, pieceRows: min(round(rows, 4), max(4, pieceEntries/cols&^3))}
	t.width, t.panels = round(cols, k.cols()), ceil(t.pieceRows, k.rows)
	for i := range terms {
		l := terms[i].A.Rows()
		t.top, t.long = max(t.top, l), t.long+l
	}
}

// workLen returns the entries of a worker's scratch: the gradient of a piece and packed panels.
func (t *descendTask) workLen() int { return t.panels * t.e.kernels.rows * (t.width + t.top) }

func checkDescend(rows, cols int, terms []compute.Outer, moves []compute.Move) {
	for _, o := range terms {
		if th := o.Op.Then; !o.Op.TransA || o.Op.TransB || o.A.Cols() != rows || o.B.Cols() != cols || o.A.Rows() != o.B.Rows() ||
			o.A.Rows() > compute.ShortSum || th.Kind != compute.Store || !th.Add.IsNone() || !th.Bias.IsNone() || !th.Scale.IsNone() {
			panic(fmt.Sprintf("cpu: Descend of %dx%d by %v and %v", rows, cols, o.A, o.B))
		}
	}
	for _, m := range moves {
		if m.Dst.Rows() != rows || m.Dst.Cols() != cols {
			panic(fmt.Sprintf("cpu: Descend of %dx%d moves %v", rows, cols, m.Dst))
		}
	}
}

func (t *descendTask) do(worker, piece int) {
	in, k := &t.e.inner[worker], t.e.kernels
	e := &in.engine
	from := piece * t.pieceRows
	to := min(from+t.pieceRows, t.rows)
	mark := e.Mark()
	room := t.work[worker*t.workLen():][:t.workLen()]
	sums, panels := room[:t.panels*k.rows*t.width], room[t.panels*k.rows*t.width:]
	grad := e.over(sums, to-from, t.cols, t.width)
	at := 0
	for i := range t.terms {
		o := &t.terms[i]
		l := o.A.Rows()
		if o.Op.Precision != compute.Single {
			op := o.Op
			if op.Accumulate = true; i == 0 {
				clear(sums)
			}
			e.Mul(grad, o.A.Columns(from, to), o.B, op)
		} else {
			t.outer(sums, panels, t.b[at*t.width:], o, from, to, i > 0)
		}
		at += l
	}
	if len(t.terms) == 0 {
		clear(sums)
	}
	in.moves = in.moves[:0]
	for i := range t.moves {
		in.moves = append(in.moves, t.moves[i].Rows(from, to))
	}
	compute.Do(e, grad, in.moves)
	if n := len(in.moves); n > 0 && !e.finiteRows(in.moves[n-1].Dst) {
		t.e.infinite.Store(true)
	}
	clear(in.moves)
	e.Release(mark)
}

// outer sets the rows of sums to those of one term, or adds them.
func (t *descendTask) outer(sums, panels, b []float32, o *compute.Outer, from, to int, add bool) {
	k, l := t.e.kernels, o.A.Rows()
	if l == 0 {
		if !add {
			clear(sums)
		}
		return
	}
	x := hostOperand(o.A, true)
	weights, stride := present(o.Op.Weights), o.Op.Weights.Stride()
	whole := (to - from) / k.rows
	if whole > 0 {
		k.panelsOf(false, panels, k.rows*l, &x, weights, stride, from, whole, 0, l)
	}
	if rest := to - from - whole*k.rows; rest > 0 {
		last := panels[whole*k.rows*l:][:k.rows*l]
		clear(last)
		k.rect(last, k.rows, &x, 0, to-rest, l, rest)
		for r := range l {
			if weights != nil {
				for i := range rest {
					last[r*k.rows+i] *= weights[r*stride]
				}
			}
		}
	}
	var logGain float32
	if g := o.Op.LogGain; !g.IsNone() {
		logGain = g.Float32s()[0]
	}
	factor, step, adds := compute.Factor(o.Op.Alpha, logGain), 4*uintptr(t.width), uintptr(0)
	if add {
		adds = 1
	}
	_ = b[(l-1)*t.width+t.width-1]
	for p := range ceil(to-from, k.rows) {
		for c := 0; c < t.width; c += k.cols() {
			k.outer(&sums[p*k.rows*t.width+c], &panels[p*k.rows*l], &b[c], step, step, uintptr(l), adds, factor)
		}
	}
}

// over returns a matrix over entries that are the engine's own, stride apart. Nothing is allocated.
func (e *Engine) over(x []float32, rows, cols, stride int) compute.Matrix {
	e.lent.F32 = x
	return compute.Over(&e.lent, compute.Float32, rows, stride, 0).Columns(0, cols)
}
