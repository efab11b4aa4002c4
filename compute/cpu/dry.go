package cpu

import (
	"fmt"
	"runtime"

	"mattis/compute"
	"mattis/rng"
)

// Dry is an engine that computes nothing and counts the memory that an Engine of as many threads
// takes for the same calls: what is allocated, counted as if none of it were given back, and the
// arena at its largest. Its matrices have shapes and no entries: Read leaves its destination as it
// is, and Finite is always true.
type Dry struct {
	engine    Engine // for its kernels, which decide how products are cut
	threads   int
	allocated float64      // bytes
	chunks    [3][]int     // entries of the arena's chunks, see arena
	at        compute.Mark // as in arena
}

var _ compute.Engine = (*Dry)(nil)

// NewDry returns the engine; 0 threads are one a core.
func NewDry(threads int) *Dry {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return &Dry{engine: Engine{kernels: current(), integers: modeOfIntegers()}, threads: threads}
}

// Bytes returns what an Engine would have taken by now.
func (d *Dry) Bytes() float64 {
	sum := d.allocated
	for i, chunks := range d.chunks {
		for _, n := range chunks {
			sum += float64(n) * float64((compute.Float32 + compute.Type(i)).Size())
		}
	}
	return sum
}

// Alloc counts a matrix.
func (d *Dry) Alloc(t compute.Type, rows, cols int) compute.Matrix {
	d.allocated += float64(checkedLen(rows, cols)) * float64(t.Size())
	return compute.Over(&compute.Buffer{}, t, rows, cols, 0)
}

// Scratch counts a matrix in the arena, which grows as that of an Engine does.
func (d *Dry) Scratch(t compute.Type, rows, cols int) compute.Matrix {
	need := round(checkedLen(rows, cols), lineBytes/t.Size())
	at := place(&d.at, t)
	chunks := &d.chunks[t-compute.Float32]
	for {
		if at[0] == len(*chunks) {
			*chunks = append(*chunks, max(need, chunkBytes/t.Size()))
		}
		switch n := (*chunks)[at[0]]; {
		case at[1]+need <= n:
			at[1] += need
			return compute.Over(&compute.Buffer{}, t, rows, cols, 0)
		case at[1] == 0:
			(*chunks)[at[0]] = need
		default:
			*at = [2]int{at[0] + 1, 0}
		}
	}
}

// Mark returns the arena's height.
func (d *Dry) Mark() compute.Mark { return d.at }

// Release gives scratch back.
func (d *Dry) Release(m compute.Mark) { d.at = m }

// Mul counts the scratch of a product.
func (d *Dry) Mul(dst, a, b compute.Matrix, op compute.Op) {
	t := &d.engine.mul
	t.e, t.dst, t.a, t.b, t.op = &d.engine, dst, a, b, op
	t.check()
	if t.n == 0 || t.m == 0 {
		return
	}
	t.makePlan()
	threads, logCosh := t.threads(d.threads), !op.Then.LogCosh.IsNone()
	take := func(needs ...need) {
		mark := d.Mark()
		for _, x := range needs {
			if x.rows > 0 {
				d.Scratch(x.kind, x.rows, x.cols)
			}
		}
		d.Release(mark)
	}
	if plan := t.plan; t.cutIntegers() {
		n := t.integerNeeds(threads, logCosh)
		take(n[:]...)
		t.plan = plan
	}
	n := t.needs(threads, logCosh)
	take(n[:]...)
}

// Rowwise sets how products are cut, as Engine.Rowwise does.
func (d *Dry) Rowwise(on bool) (before bool) { return d.engine.Rowwise(on) }

// Scan counts the scratch of a scan.
func (d *Dry) Scan(s compute.Matrix, op compute.ScanOp) {
	t := &d.engine.scan
	*t = scanTask{e: &d.engine, s: s, op: op}
	t.check()
	if s.Len() == 0 {
		return
	}
	mark := d.Mark()
	defer d.Release(mark)
	if op.Order == compute.AtOnce {
		u := d.Scratch(compute.Float32, op.Overlap.Rows(), op.Overlap.Cols())
		then := op.Then
		if !op.Offset.IsNone() {
			then.Bias = d.Scratch(compute.Float32, 1, s.Cols())
		}
		d.Mul(s, u, op.Patterns, compute.Op{Alpha: 1, Then: then})
		d.overlapOf(s, &op)
		return
	}
	threads := t.threads(d.threads)
	t.plan(threads)
	for _, x := range t.needs(threads) {
		if x.rows > 0 {
			d.Scratch(x.kind, x.rows, x.cols)
		}
	}
}

// overlapOf counts the scratch of an overlap.
func (d *Dry) overlapOf(s compute.Matrix, op *compute.ScanOp) {
	plain := compute.Op{TransB: true, Alpha: 1}
	if !op.Offset.IsNone() {
		plain.Then.Bias = d.Scratch(compute.Float32, 1, op.Patterns.Rows())
		d.Mul(plain.Then.Bias, op.Offset, op.Patterns, compute.Op{TransB: true, Alpha: -1})
	}
	d.Mul(op.Overlap, s, op.Patterns, plain)
}

// Pairs counts the scratch of its factors.
func (d *Dry) Pairs(_, a, b, _ compute.Matrix, _ compute.PairKind) {
	mark := d.Mark()
	step := 2 * round(a.Cols(), pairLanes)
	d.Scratch(compute.Float64, a.Rows(), step)
	d.Scratch(compute.Float64, round(b.Rows(), pairMaxRows), step)
	d.Release(mark)
}

// PairMeans counts the scratch of its workers.
func (d *Dry) PairMeans(_, _, a, b, _ compute.Matrix) {
	mark := d.Mark()
	d.Scratch(compute.Float32, d.threads, 2*d.engine.kernels.lanes*(a.Rows()+b.Rows()))
	d.Release(mark)
}

// Copy and Gather want what those of an Engine want.
func (d *Dry) Copy(dst, src compute.Matrix) {
	if !dst.SameShape(src) || dst.Type() != src.Type() {
		panic(fmt.Sprintf("cpu: Copy of %v to %v", src, dst))
	}
}

// Gather does nothing.
func (d *Dry) Gather(compute.Matrix, compute.Matrix, []int32) {}

// Write does nothing.
func (d *Dry) Write(compute.Matrix, compute.Host) {}

// Read does nothing.
func (d *Dry) Read(compute.Host, compute.Matrix) {}

// Fill does nothing.
func (d *Dry) Fill(compute.Matrix, float64) {}

// Sync returns nil.
func (d *Dry) Sync() error { return nil }

// RowDot does nothing.
func (d *Dry) RowDot(compute.Matrix, float64, compute.Matrix, compute.Matrix) {}

// Axpby does nothing.
func (d *Dry) Axpby(compute.Matrix, float64, compute.Matrix, float64) {}

// Hadamard does nothing.
func (d *Dry) Hadamard(_, _, _ compute.Matrix) {}

// Adam does nothing.
func (d *Dry) Adam(_, _, _, _ compute.Matrix, _, _, _, _, _ float32) {}

// Descend counts its scratch. What products in bfloat16 take in the engines of the threads is small.
func (d *Dry) Descend(rows, cols int, terms []compute.Outer, moves []compute.Move) (finite bool) {
	checkDescend(rows, cols, terms, moves)
	if rows == 0 || cols == 0 {
		return true
	}
	t := &d.engine.descend
	t.cut(&d.engine, rows, cols, terms, moves)
	threads := d.threads
	if rows*cols < sharedEntries {
		threads = 1
	}
	mark := d.Mark()
	d.Scratch(compute.Float32, max(1, t.long), t.width)
	d.Scratch(compute.Float32, threads, t.workLen())
	d.Release(mark)
	return true
}

// Clip does nothing.
func (d *Dry) Clip(compute.Matrix, float32) {}

// Sign does nothing.
func (d *Dry) Sign(_, _ compute.Matrix) {}

// Spins does nothing.
func (d *Dry) Spins(compute.Matrix, rng.Key, uint64, uint64) {}

// Normals does nothing.
func (d *Dry) Normals(compute.Matrix, rng.Key, uint64, uint64) {}

// Finite returns true.
func (d *Dry) Finite(compute.Matrix) bool { return true }
