package cpu

import (
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"unsafe"

	"mattis/compute"
)

// A product of integers with signs, numbers that are exactly 1 or -1, is worked out as such. Every sum on the way is an integer
// of at most exactLimit, which float32 has exactly, so that it has the bits of the product in float32, in whatever order that one adds.
// Two products of sweeps are of this kind where patterns are signs:
//
//   - popcounts: overlaps, spins (0 for none) times transposed signs. Both are bits, 32 steps of the sum to a word, and what differs is counted.
//   - lookups: fields, integers of 16 bits times signs. Each five integers of a row have a table of their 32 sums with signs, and
//     each five signs of a column are a place in it; three places share a word of 16 bits. Sums have 16 bits too, in
//     blocks that are short enough (see boundaries).
//
// Whether a product is of this kind is seen in its numbers while they are packed. A few are looked at before: others are nearly
// always found there. What is not is multiplied in float32.

// signKernels are those of products with signs. The declarations of the assembly say what each does.
type signKernels struct {
	popcounts   [2][tileVectors]func(c *float32, a, b *uint32, steps uintptr) // by rows/4-1 and vectors-1
	lookups     [2][tileVectors]func(c *float32, tables *int16, b *uint16, steps, add uintptr)
	spinWords   func(dst, numbers *uint32, src *int8, srcStep, rows, n uintptr) (other uint32)
	signWords   func(dst *uint32, src *float32, dstStep, srcStep, rows, n uintptr) (other uint32)
	shorts      func(dst *int16, bounds *int32, src *float32, dstStep, srcStep, rows, steps, rest uintptr) (other uint32)
	signIndices func(dst *uint16, src *float32, dstStep, srcStep, rows, cols uintptr) (other uint32)
	tables      func(dst, src *int16, srcStep, rows, steps uintptr)
	fast        bool // faster than multiplying in float32
}

const (
	lookupSpan  = 5                        // signs that a place in a table stands for
	lookupParts = 3                        // places in a word
	lookupSteps = lookupParts * lookupSpan // signs in a word
	tableLen    = 1 << lookupSpan          // integers of a table
	shortLen    = lookupSteps + 1          // integers that meet a word, and a 0
	wordSteps   = 32                       // signs in a word of popcounts
	exactLimit  = 1 << 24                  // float32 has all integers up to here
	shortLimit  = 1<<15 - 1
	integerOps  = 1 << 15 // below this there is nothing to win
	packRows    = 64      // rows of a packed at once
)

// kinds of products with signs.
const (
	noIntegers = iota
	popcounts
	lookups
)

// Whether engines multiply integers as such: where kernels are fast and products large enough (auto), never, or always.
const (
	auto = iota
	off
	always
)

var integerModes = [...]string{auto: "auto", off: "off", always: "always"}

// integerMode is that of new engines. MATTIS_INTEGERS=off|always overrides auto.
func integerMode(name string) (int, error) {
	for i, n := range integerModes {
		if n == name {
			return i, nil
		}
	}
	return auto, fmt.Errorf("no mode %q of integers, want auto, off or always", name)
}

// Integers makes new engines work out products of integers with signs as such where that is faster (auto, as it is), never (off) or
// always, which tests take; results are the same bits. It returns the undo. The environment variable MATTIS_INTEGERS is what is asked for at first.
func Integers(mode string) (undo func(), err error) {
	m, err := integerMode(mode)
	if err != nil {
		return nil, err
	}
	current()
	chosen.Lock()
	defer chosen.Unlock()
	before := chosen.integers
	chosen.integers = m
	return func() {
		chosen.Lock()
		defer chosen.Unlock()
		chosen.integers = before
	}, nil
}

// chooseIntegers sets the mode that the environment asks for.
func chooseIntegers() {
	if name := os.Getenv("MATTIS_INTEGERS"); name != "" {
		var err error
		if chosen.integers, err = integerMode(name); err != nil && chosen.err == nil {
			chosen.err = fmt.Errorf("MATTIS_INTEGERS: %w", err)
		}
	}
}

// IntegerProducts returns how many products the engine has worked out as those of integers with signs.
func (e *Engine) IntegerProducts() int { return e.mul.integers.done }

// integers is what a product with signs has beside the product.
type integers struct {
	kind    int
	words   int // of the sum: of wordSteps or lookupSteps
	aStride int // entries of packedA (of 32 bits) of a panel, or of a row
	strips  int // pairs of slivers of a column block
	tasks   int // that pack a

	packedA []float32
	bounds  []float32 // words of each task that packs a
	ends    []int     // of the blocks of the sum, in words
	refused atomic.Bool
	done    int
	doubts  [8]doubt
	next    int // of doubts to be replaced
}

// doubt is of signs that were others when all of them were packed: so many products with them are not tried.
type doubt struct {
	signs uintptr // where they lie; other signs that come to lie there wait for nothing worse
	kind  int
	left  int
}

// doubted is how many products wait after one was packed in vain.
const doubted = 31

// doubtful returns the doubt about the product's signs, or nil.
func (t *mulTask) doubtful() *doubt {
	x := &t.integers
	for i := range x.doubts {
		if d := &x.doubts[i]; d.signs == uintptr(unsafe.Pointer(&t.bOp.f32[0])) && d.kind == x.kind {
			return d
		}
	}
	return nil
}

// hopeful reports whether the product is worth packing: what was in vain is tried anew now and then.
func (t *mulTask) hopeful() bool {
	d := t.doubtful()
	if d == nil || d.left == 0 || t.e.integers == always {
		return true
	}
	d.left--
	return false
}

// doubt remembers that the product was packed in vain.
func (t *mulTask) doubt() {
	x, d := &t.integers, t.doubtful()
	if d == nil {
		d = &x.doubts[x.next]
		x.next = (x.next + 1) % len(x.doubts)
	}
	*d = doubt{uintptr(unsafe.Pointer(&t.bOp.f32[0])), x.kind, doubted}
}

// cutIntegers decides whether the product may be one with signs, by its shape alone, and cuts it. The column blocks
// of row sums stay: these are added up by them.
func (t *mulTask) cutIntegers() bool {
	k, p, x := t.e.kernels, &t.plan, &t.integers
	x.kind = noIntegers
	if t.e.integers == off || t.e.integers == auto && (!k.signs.fast || p.ops < integerOps) ||
		t.op.Precision != compute.Single || t.op.TransA || !t.op.Weights.IsNone() || t.b.Type() != compute.Float32 || t.l == 0 {
		return false
	}
	switch of := t.a.Type(); {
	case of == compute.Int8 && t.op.TransB && t.l <= exactLimit:
		x.kind, x.words = popcounts, ceil(t.l, wordSteps)
		x.aStride = 2 * k.rows * (x.words + 1)
	case of == compute.Float32 && !t.op.TransB:
		x.kind, x.words = lookups, ceil(t.l, lookupSteps)
		x.aStride = x.words * shortLen / 2
	default:
		return false
	}
	p.thin, p.packB, p.directA, p.directB = false, false, false, false
	p.sums, p.splits, p.splitSums = 1, 1, 1
	p.blockPanels = max(1, min(p.panels/fewPieces, tileRowsMax*2/k.rows*4))
	if t.op.Then.LogCosh.IsNone() {
		p.blockSlivers = 2 * ceil(p.slivers, 2)
		if p.panels < fewPieces {
			p.blockSlivers = 2 * ceil(ceil(p.slivers, 2), ceil(fewPieces, p.panels))
		}
	}
	p.rowBlocks, p.colBlocks = ceil(p.panels, p.blockPanels), ceil(p.slivers, p.blockSlivers)
	x.strips = ceil(p.blockSlivers, 2)
	x.tasks = ceil(t.n, packRows)
	return true
}

// The scratch matrices of a product with signs.
const (
	needSigns = iota // of workers
	needSignsA
	needSignsB
	needBounds
	needSignsCosh
	needSignsParts
)

// integerNeeds returns the scratch that the product takes as cutIntegers has cut it.
func (t *mulTask) integerNeeds(threads int, logCosh bool) (n [6]need) {
	k, x := t.e.kernels, &t.integers
	work := 3 * tileMax
	if x.kind == popcounts {
		n[needSignsA] = need{compute.Float32, t.panels, x.aStride}
		n[needSignsB] = need{compute.Float32, t.slivers, x.words * k.cols()}
	} else {
		work += x.words * t.tablesLen()
		n[needSignsA] = need{compute.Float32, t.n, x.aStride}
		n[needSignsB] = need{compute.Float32, t.colBlocks * x.strips, x.words * k.cols()}
		n[needBounds] = need{compute.Float32, x.tasks, round(x.words, 16)}
	}
	n[needSigns] = need{compute.Float32, threads, work}
	if logCosh {
		n[needSignsCosh] = need{compute.Float64, threads, t.blockPanels * k.rows * 8}
		n[needSignsParts] = need{compute.Float64, t.n, t.colBlocks}
	}
	return n
}

// tablesLen returns the entries, of 32 bits, of the tables of a panel that meet a word.
func (t *mulTask) tablesLen() int { return lookupParts * t.e.kernels.rows * tableLen / 2 }

// multiplyIntegers works the product out as one of integers with signs, or does nothing and returns false.
func (t *mulTask) multiplyIntegers(threads int) bool {
	plan, mark := t.plan, t.e.Mark()
	if !t.cutIntegers() {
		return false
	}
	x, n := &t.integers, t.integerNeeds(threads, t.logCosh != nil)
	take := func(i int) []float32 {
		if n[i].rows == 0 {
			return nil
		}
		return t.e.Scratch(compute.Float32, n[i].rows, n[i].cols).Float32s()
	}
	t.workStride = n[needSigns].cols
	t.work, x.packedA, t.packedB, x.bounds = take(needSigns), take(needSignsA), take(needSignsB), take(needBounds)
	if t.logCosh != nil {
		t.coshWork = t.e.Scratch(compute.Float64, n[needSignsCosh].rows, n[needSignsCosh].cols).Float64s()
		t.coshParts = t.e.Scratch(compute.Float64, n[needSignsParts].rows, n[needSignsParts].cols).Float64s()
	}
	if t.likely() && t.hopeful() {
		if !t.packIntegers(threads) {
			t.doubt()
			t.plan = plan
			t.e.Release(mark)
			return false
		}
		phase := (*mulTask).multiplyPopcounts
		if x.kind == lookups {
			phase = (*mulTask).multiplyLookups
		}
		t.run(phase, t.pieces(), threads)
		x.done++
		return true
	}
	t.plan = plan
	t.e.Release(mark)
	return false
}

// looks is how many numbers of a factor are looked at before it is packed.
const looks = 32

// likely reports whether some of the numbers of b are signs, and of a, where it is not of spins, integers.
func (t *mulTask) likely() bool {
	for i := range looks {
		r, c := i*(t.b.Rows()-1)/(looks-1), i*7%looks*(t.b.Cols()-1)/(looks-1)
		if s := t.bOp.f32[r*t.bOp.stride+c]; s != 1 && s != -1 {
			return false
		}
		if t.integers.kind == lookups {
			r, c = i*(t.n-1)/(looks-1), i*7%looks*(t.l-1)/(looks-1)
			if s := float64(t.aOp.f32[r*t.aOp.stride+c]); s != math.Trunc(s) {
				return false
			}
		}
	}
	return true
}

// packIntegers packs both factors and reports whether all numbers are as they have to be.
func (t *mulTask) packIntegers(threads int) bool {
	x := &t.integers
	x.refused.Store(false)
	tasks := t.slivers
	phase := (*mulTask).packPopcounts
	if x.kind == lookups {
		tasks, phase = t.colBlocks*x.strips, (*mulTask).packLookups
	}
	t.run(phase, x.tasks+tasks, threads)
	return !x.refused.Load() && (x.kind == popcounts || t.boundaries())
}

// boundaries cuts the sum of lookups in blocks whose sums have 16 bits for every row, and reports whether that can be and whether all
// sums are exact in float32.
func (t *mulTask) boundaries() bool {
	x, stride := &t.integers, round(t.integers.words, 16)
	bounds := words[int32](x.bounds)
	x.ends = x.ends[:0]
	var block, all int
	for l := range x.words {
		most := 0
		for task := range x.tasks {
			most = max(most, int(bounds[task*stride+l]))
		}
		if block, all = block+most, all+most; block > shortLimit {
			if most > shortLimit {
				return false
			}
			x.ends, block = append(x.ends, l), most
		}
	}
	x.ends = append(x.ends, x.words)
	return all <= exactLimit
}

// words returns scratch as integers.
func words[T int16 | int32 | uint16 | uint32](x []float32) []T {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&x[0])), len(x)*4/int(unsafe.Sizeof(T(0))))
}

// packPopcounts packs some rows of a, or a sliver of b.
func (t *mulTask) packPopcounts(_, number int) {
	k, x := t.e.kernels, &t.integers
	if x.refused.Load() {
		return
	}
	var other uint32
	if number < x.tasks {
		a := words[uint32](x.packedA)
		for i := number * packRows; i < min(number*packRows+packRows, t.n); {
			p, slot := (i+t.lead)/k.rows, (i+t.lead)%k.rows
			rows := min(k.rows-slot, t.n-i, number*packRows+packRows-i)
			at := i * t.aOp.stride
			_ = t.aOp.i8[at+(rows-1)*t.aOp.stride+t.l-1]
			panel := a[p*x.aStride:][:x.aStride]
			other |= k.signs.spinWords(&panel[2*k.rows+slot], &panel[slot], &t.aOp.i8[at], uintptr(t.aOp.stride), uintptr(rows), uintptr(t.l))
			i += rows
		}
	} else {
		j := number - x.tasks
		c := j * k.cols()
		rows, at := min(k.cols(), t.m-c), c*t.bOp.stride
		_ = t.bOp.f32[at+(rows-1)*t.bOp.stride+t.l-1]
		b := words[uint32](t.packedB)[j*x.words*k.cols():][:x.words*k.cols()]
		other = k.signs.signWords(&b[0], &t.bOp.f32[at], 4*uintptr(k.cols()), 4*uintptr(t.bOp.stride), uintptr(rows), uintptr(t.l))
	}
	if other != 0 {
		x.refused.Store(true)
	}
}

// packLookups packs some rows of a, or a strip of b.
func (t *mulTask) packLookups(_, number int) {
	k, x := t.e.kernels, &t.integers
	if x.refused.Load() {
		return
	}
	var other uint32
	if number < x.tasks {
		i := number * packRows
		rows, at, stride := min(packRows, t.n-i), i*t.aOp.stride, round(x.words, 16)
		bounds := words[int32](x.bounds)[number*stride:][:stride]
		clear(bounds)
		_ = t.aOp.f32[at+(rows-1)*t.aOp.stride+t.l-1]
		_ = x.packedA[(i+rows)*x.aStride-1]
		other = k.signs.shorts(&words[int16](x.packedA)[2*i*x.aStride], &bounds[0], &t.aOp.f32[at], 4*uintptr(x.aStride), 4*uintptr(t.aOp.stride),
			uintptr(rows), uintptr(t.l/lookupSteps), uintptr(t.l%lookupSteps))
	} else if first, slivers := t.strip(number - x.tasks); slivers > 0 {
		c := first * k.cols()
		cols := min(slivers*k.cols(), t.m-c)
		_ = t.bOp.f32[(t.l-1)*t.bOp.stride+c+cols-1]
		other = k.signs.signIndices(t.stripOf(number-x.tasks), &t.bOp.f32[c], 4*uintptr(k.cols()), 4*uintptr(t.bOp.stride), uintptr(t.l), uintptr(cols))
	}
	if other != 0 {
		x.refused.Store(true)
	}
}

// strip returns the first sliver of a strip and how many it has: 2, 1 or, beyond the last column, none.
func (t *mulTask) strip(number int) (first, slivers int) {
	c, q := number/t.integers.strips, number%t.integers.strips
	first = c*t.blockSlivers + 2*q
	return first, max(0, min(2, t.blockSlivers-2*q, t.slivers-first))
}

// stripOf returns the packed words of a strip.
func (t *mulTask) stripOf(number int) *uint16 {
	n := t.integers.words * t.e.kernels.cols()
	return &words[uint16](t.packedB[number*n:][:n])[0]
}

// integerSpace returns a worker's scratch: two tiles of sums, one that is staged, and tables.
func (t *mulTask) integerSpace(w int) (s space, tables []int16) {
	x := t.work[w*t.workStride:][:t.workStride]
	s.sums, s.staged = x[:2*tileMax], x[2*tileMax:3*tileMax]
	if t.logCosh != nil {
		n := t.blockPanels * t.e.kernels.rows * 8
		s.cosh = t.coshWork[w*n:][:n]
		clear(s.cosh)
	}
	return s, words[int16](x[3*tileMax:])
}

// multiplyPopcounts computes a piece of the product.
func (t *mulTask) multiplyPopcounts(worker, number int) {
	k, x, w, q := t.e.kernels, &t.integers, &t.e.workers[worker], t.piece(number)
	s, _ := t.integerSpace(worker)
	a, b := words[uint32](x.packedA), words[uint32](t.packedB)
	t.begin(w)
	for j := q.sliver0; j < q.sliver0+q.slivers; j++ {
		for p := range q.panels {
			panel := q.panel0 + p
			k.signs.popcounts[t.groups(panel)-1][t.sliverWidth(j)/k.lanes-1](&s.sums[0], &a[panel*x.aStride], &b[j*x.words*k.cols()], uintptr(x.words))
			t.finish(w, &s, panel, j, p, unsafe.Pointer(&s.sums[0]))
		}
	}
	t.foldCosh(&s, q.panel0, q.panels, q.colBlock)
	w.tile = tile{}
}

// multiplyLookups computes a piece of the product, panel by panel, whose tables stay in the first cache.
func (t *mulTask) multiplyLookups(worker, number int) {
	k, x, w, q := t.e.kernels, &t.integers, &t.e.workers[worker], t.piece(number)
	s, tables := t.integerSpace(worker)
	a := words[int16](x.packedA)
	t.begin(w)
	for p := range q.panels {
		panel := q.panel0 + p
		first := panel*k.rows - t.lead
		lo, hi := max(0, first), min(first+k.rows, t.n)
		k.signs.tables(&tables[(lo-first)*tableLen], &a[2*lo*x.aStride], 4*uintptr(x.aStride), uintptr(hi-lo), uintptr(x.words))
		for i := range x.strips {
			strip := q.colBlock*x.strips + i
			j, slivers := t.strip(strip)
			if slivers == 0 {
				break
			}
			kernel := k.signs.lookups[t.groups(panel)-1][ceil(min(slivers*k.cols(), t.m-j*k.cols()), 2*k.lanes)-1]
			b := unsafe.Pointer(t.stripOf(strip))
			var from int
			var add uintptr
			for _, to := range x.ends {
				kernel(&s.sums[0], &tables[from*2*t.tablesLen()], (*uint16)(unsafe.Add(b, 4*from*k.cols())), uintptr(to-from), add)
				from, add = to, 1
			}
			for h := range slivers {
				t.finish(w, &s, panel, j+h, p, unsafe.Pointer(&s.sums[h*t.tileLen()]))
			}
		}
	}
	t.foldCosh(&s, q.panel0, q.panels, q.colBlock)
	w.tile = tile{}
}
