package cpu

import (
	"fmt"
	"math"
	"unsafe"

	"mattis/compute"
)

// pairTask is Pairs.
//
// Without counts, log 2cosh is summed by products: 2cosh(a+b) = e^a e^b + e^-a e^-b has no
// cancellation, its exponentials are those of the rows alone, and the logarithm of a product is
// that of its mantissa and its binary exponent. A pair and a spin then cost two multiplications and
// a multiply-add. Every product runs in eight interleaved parts, so that all arms have the same
// bits but for rounding.
//
// Absolute values are summed by |a+b| = 2 max(a,-b) - a + b, the last two terms once for each row:
// a pair and a spin cost a maximum and an addition, in eight sums and with the same bits on all
// arms. Counts are factors of a and b.
type pairTask struct {
	e                 *Engine
	dst, a, b, counts compute.Matrix
	f                 compute.PairKind
	stage             pairStage
	x, y              []float64 // the factors of a and b: for each eight spins e^x, then e^-x; or counts*a and -counts*b
	ofX, ofY          []float64 // sums of the rows of x and y
	step              int       // of a row of factors
	per               int       // factors whose product stays below 2^1000
	block             int       // rows of b that one piece works on
	out               []pairOut // of each worker
}

// pairOut is what one call of the kernel gives for up to four rows of b.
type pairOut struct {
	mantissas [4 * pairLanes]float64
	exponents [4 * pairLanes]int64
}

type pairStage uint8

const (
	pairTerms    pairStage = iota // one term after the other; a piece is a row of dst
	pairFactors                   // the factors of a row of a or b
	pairProducts                  // a piece is a block of columns of dst
	pairTerm                      // the row of x or y that a row of a or b gives
	pairMaxima                    // a piece is a block of columns of dst
)

const (
	pairLanes   = 8
	pairBlock   = 16  // rows of b whose factors stay in the second cache
	pairMaxRows = 4   // rows of y that pairMaxima works on
	pairBounds  = 340 // the largest field whose exponential and its products stay finite
)

// Pairs sets dst[p,q] += sum_n counts[n] * f(a[p,n] + b[q,n]).
func (e *Engine) Pairs(dst, a, b, counts compute.Matrix, f compute.PairKind) {
	if dst.Rows() != a.Rows() || dst.Cols() != b.Rows() || a.Cols() != b.Cols() || dst.Type() != compute.Float64 ||
		a.Type() != compute.Float32 || b.Type() != compute.Float32 ||
		(!counts.IsNone() && (counts.Rows() != 1 || counts.Cols() != a.Cols() || counts.Type() != compute.Float32)) {
		panic(fmt.Sprintf("cpu: Pairs of %v and %v (counts %v) to %v", a, b, counts, dst))
	}
	if dst.Len() == 0 || a.Cols() == 0 {
		return
	}
	t := &e.pairs
	if t.out == nil {
		t.out = make([]pairOut, e.pool.threads)
	}
	*t = pairTask{e: e, dst: dst, a: a, b: b, counts: counts, f: f, out: t.out}
	mark := e.Mark()
	defer e.Release(mark)
	rows := round(b.Rows(), pairMaxRows)
	largest := e.largestField(a) + e.largestField(b)
	if f == compute.PairAbs && largest <= math.MaxFloat64 { // of infinite fields a difference would be left
		t.step = round(a.Cols(), pairLanes)
		t.x = e.Scratch(compute.Float64, a.Rows(), t.step).Float64s()
		t.y = e.Scratch(compute.Float64, rows, t.step).Float64s()
		t.ofX = e.Scratch(compute.Float64, a.Rows(), 1).Float64s()
		t.ofY = e.Scratch(compute.Float64, rows, 1).Float64s()
		t.stage = pairTerm
		e.pool.run(t, a.Rows()+rows, e.pool.threads)
		t.stage, t.block = pairMaxima, pairMaxRows // which leaves the first cache room for rows of x
		e.pool.run(t, ceil(b.Rows(), t.block)*t.rowBlocks(), e.pool.threads)
		return
	}
	if f == compute.PairAbs || !counts.IsNone() || !(largest <= pairBounds) {
		e.pool.run(t, dst.Rows(), e.pool.threads)
		return
	}
	// A factor is at most 2 e^largest, and the product starts below 2.
	t.per = int(1000 / (largest/math.Ln2 + 1))
	t.step = 2 * round(a.Cols(), pairLanes)
	t.x = e.Scratch(compute.Float64, a.Rows(), t.step).Float64s()
	t.y = e.Scratch(compute.Float64, rows, t.step).Float64s()
	t.stage = pairFactors
	e.pool.run(t, a.Rows()+rows, e.pool.threads)
	t.stage, t.block = pairProducts, pairBlock
	e.pool.run(t, ceil(b.Rows(), t.block)*t.rowBlocks(), e.pool.threads)
}

// rowBlocks returns the blocks of rows of a: more than one where b gives few pieces.
func (t *pairTask) rowBlocks() int {
	return max(1, min(t.a.Rows(), 16/ceil(t.b.Rows(), t.block)))
}

// largestField returns the largest absolute entry of m; NaN counts as larger
// than all, as its bits do.
func (e *Engine) largestField(m compute.Matrix) float64 {
	var top uint32
	v, whole := e.whole(m.Cols())
	for i := range m.Rows() {
		row := row32(m, i)
		if whole > 0 {
			top = max(top, v.largest(&row[0], uintptr(whole)))
		}
		for _, x := range row[whole:] {
			top = max(top, math.Float32bits(x)&^(1<<31))
		}
	}
	return float64(math.Float32frombits(top))
}

func (t *pairTask) do(worker, piece int) {
	switch t.stage {
	case pairTerms:
		t.terms(piece)
	case pairFactors:
		t.factors(piece)
	case pairTerm:
		t.term(piece)
	case pairProducts, pairMaxima:
		blocks := t.rowBlocks()
		rows := ceil(t.a.Rows(), blocks)
		first, q0 := piece%blocks*rows, piece/blocks*t.block
		end := min(first+rows, t.a.Rows())
		if t.stage == pairMaxima {
			t.maxima(&t.out[worker], first, end, q0)
			return
		}
		t.products(&t.out[worker], first, end, q0)
	}
}

// terms sums the terms of row p of dst one by one.
func (t *pairTask) terms(p int) {
	a, d := row32(t.a, p), row64(t.dst, p)
	for q := range d {
		b := row32(t.b, q)
		var sum float64
		for n, x := range a {
			x := float64(x) + float64(b[n])
			if t.f == compute.PairAbs {
				x = math.Abs(x)
			} else {
				x = compute.LogTwoCosh(x)
			}
			if !t.counts.IsNone() {
				x *= float64(t.counts.Float32s()[n])
			}
			sum += x
		}
		d[q] += sum
	}
}

// factors sets the factors of row i of a, or of the row of b behind a's. Spins
// and rows that fill up have the factor 1.
func (t *pairTask) factors(i int) {
	m, dst := t.a, t.x
	if i >= t.a.Rows() {
		m, dst, i = t.b, t.y, i-t.a.Rows()
	}
	row := dst[i*t.step:][:t.step]
	var x []float32
	if i < m.Rows() {
		x = row32(m, i)
	}
	whole := len(x) &^ (pairLanes - 1)
	if whole > 0 {
		t.e.kernels.pairFactors(&row[0], &x[0], uintptr(whole))
	}
	for n := whole; n < t.step/2; n++ {
		up, down := 1.0, 0.0
		if n < len(x) {
			up = math.Exp(float64(x[n]))
			down = 1 / up
		}
		at := n/pairLanes*2*pairLanes + n%pairLanes
		row[at], row[at+pairLanes] = up, down
	}
}

// term sets the row of x that row i of a gives, or that of y for the row of b behind a's, and its
// sum.
func (t *pairTask) term(i int) {
	m, dst, of, sign := t.a, t.x, t.ofX, 1.0
	if i >= t.a.Rows() {
		m, dst, of, sign, i = t.b, t.y, t.ofY, -1, i-t.a.Rows()
	}
	row := dst[i*t.step:][:t.step]
	clear(row)
	var sum float64
	if i < m.Rows() {
		x := row32(m, i)
		if t.counts.IsNone() {
			for n, v := range x {
				row[n] = sign * float64(v)
			}
		} else {
			for n, c := range row32(t.counts, 0) {
				row[n] = sign * float64(c) * float64(x[n])
			}
		}
		for _, v := range row {
			sum += v
		}
	}
	of[i] = sum
}

// maxima adds the sums of rows first to last and of the columns of the block from q0 on.
func (t *pairTask) maxima(out *pairOut, first, last, q0 int) {
	for p := first; p < last; p++ {
		d := row64(t.dst, p)
		t.e.kernels.pairMaxima(&out.mantissas[0], &t.x[p*t.step], &t.y[q0*t.step], uintptr(8*t.step), uintptr(t.step/pairLanes))
		for r := range min(pairMaxRows, len(d)-q0) {
			s := out.mantissas[r*pairLanes:][:pairLanes]
			d[q0+r] += 2*((s[0]+s[1]+s[2]+s[3])+(s[4]+s[5]+s[6]+s[7])) - t.ofX[p] - t.ofY[q0+r]
		}
	}
}

// products adds the sums of rows first to last and of the columns of the block from q0 on.
func (t *pairTask) products(out *pairOut, first, last, q0 int) {
	k := t.e.kernels
	steps := t.step / 2 / pairLanes
	bias := int64(1023 * pairLanes * ceil(steps, t.per))
	for p := first; p < last; p++ {
		d := row64(t.dst, p)
		for q := q0; q < min(q0+t.block, len(d)); q += k.pairRows {
			k.pairProducts(&out.mantissas[0], &out.exponents[0], &t.x[p*t.step], &t.y[q*t.step], uintptr(8*t.step), uintptr(steps), uintptr(t.per))
			for r := range min(k.pairRows, len(d)-q) {
				product, exponent := 1.0, -bias
				for i := range pairLanes {
					product *= out.mantissas[r*pairLanes+i]
					exponent += out.exponents[r*pairLanes+i]
				}
				d[q+r] += math.Log(product) + math.Ln2*float64(exponent)
			}
		}
	}
}

func pairFactorsGeneric(dst *float64, x *float32, n uintptr) {
	d := unsafe.Slice(dst, 2*n)
	for i, v := range unsafe.Slice(x, n) {
		at := i/pairLanes*2*pairLanes + i%pairLanes
		d[at] = math.Exp(float64(v))
		d[at+pairLanes] = 1 / d[at]
	}
}

func pairProductsGeneric(mantissas *float64, exponents *int64, x, y *float64, _, steps, per uintptr) {
	xs, ys := unsafe.Slice(x, 16*steps), unsafe.Slice(y, 16*steps)
	out, exps := unsafe.Slice(mantissas, pairLanes), unsafe.Slice(exponents, pairLanes)
	for i := range out {
		product, exponent := 1.0, int64(0)
		for l := uintptr(0); l < steps; {
			for end := min(l+per, steps); l < end; l++ {
				at := 16*l + uintptr(i)
				product *= xs[at]*ys[at] + xs[at+pairLanes]*ys[at+pairLanes]
			}
			bits := math.Float64bits(product)
			exponent += int64(bits >> 52)
			product = math.Float64frombits(bits&(1<<52-1) | 1023<<52)
		}
		out[i], exps[i] = product, exponent
	}
}

func pairMaximaGeneric(sums, x, y *float64, yStep, steps uintptr) {
	xs, out := unsafe.Slice(x, pairLanes*steps), unsafe.Slice(sums, pairMaxRows*pairLanes)
	clear(out)
	for q := range uintptr(pairMaxRows) {
		ys := unsafe.Slice((*float64)(unsafe.Add(unsafe.Pointer(y), q*yStep)), len(xs))
		for n, v := range xs {
			out[q*pairLanes+uintptr(n)%pairLanes] += max(v, ys[n])
		}
	}
}
