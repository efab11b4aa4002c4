package cpu

import "mattis/compute"

// plan is how a product is cut. It depends on the shape alone, and for spins and Gaussian numbers
// on the first row's place in its group of four: never on threads or data. Of an engine that works
// rowwise what is added in which order does not depend on the rows either.
//
// The sum runs in blocks of at most blockSum. Within a block the products of an entry are
// added in order, starting from 0; then the blocks are added in order. Where
// the destination is small and the sum long, groups of blocks are added apart
// (splits) and their sums added in order.
type plan struct {
	lead                 int // rows before the first, so that tiles hold whole groups of four
	panels, slivers      int // rows and columns of tiles
	blockPanels          int // panels of a row block
	blockSlivers         int // slivers of a column block
	rowBlocks, colBlocks int
	sum, sums            int // length and number of the blocks of the sum
	per                  int // entries of the sum in a packed word: 2 bfloat16 or 1 float32
	splits, splitSums    int // groups of blocks of the sum, and blocks in a group
	ops                  int // multiply-adds
	thin                 bool
	directA, directB     bool
	packB                bool // all of b is packed once, before the pieces
}

const (
	blockSum     = 512             // a column panel of this length is twice the first cache, which streams it from the second
	blockSumLong = 256             // where the sum is what is split
	blockRows    = 128             // a row block of a then fills an eighth of the second cache
	blockRowsBig = 384             // where every row block packs b for itself
	blockCols    = 1056            // sums of a row block: half a megabyte
	longSum      = compute.LongSum // and few rows: split the sum rather than the rows
	fewPieces    = 8               // fewer are cut smaller
	packLimit    = 8 << 20         // entries of b that are packed at once
	smallOps     = 1 << 18         // from here on products are cut for threads
	sharedOps    = 1 << 20         // below this a thread costs more than it gives: another core's cache holds what it needs
)

func ceil(a, b int) int  { return (a + b - 1) / b }
func round(a, b int) int { return ceil(a, b) * b }

func (t *mulTask) makePlan() {
	k, p := t.e.kernels, &t.plan
	*p = plan{ops: t.n * t.m * t.l, per: entriesPerWord(t.op.Precision)}
	if t.op.Then.Kind == compute.Spin || t.op.Then.Kind == compute.Normal {
		p.lead = int(t.op.Then.Row % 4)
	}
	height := p.lead + t.n
	cols := k.cols()
	p.panels, p.slivers = ceil(height, k.rows), ceil(t.m, cols)
	long := t.l >= longSum && t.n <= 2*blockRows && !t.e.rowwise
	block := blockSum
	if long {
		block = blockSumLong
	}
	block *= p.per
	p.sums, p.splits = max(1, ceil(t.l, block)), 1
	p.sum = max(16, round(ceil(t.l, p.sums), 16))
	p.sums = max(1, ceil(t.l, p.sum))

	f32 := t.a.Type() == compute.Float32 && p.per == 1
	// Rows of float32 serve as they lie; columns only where they are short and little used.
	p.directA = f32 && t.op.Weights.IsNone() && (!t.op.TransA || t.m <= 96 && t.l <= 64 || t.l <= 8)
	p.directB = t.b.Type() == compute.Float32 && p.per == 1 && !t.op.TransB && height <= 32

	// Blocks are counted in entries that every arm can cut: 8 rows, 48 columns.
	wide := ceil(t.m, tileColsMax)
	colBlocks := ceil(wide, blockCols/tileColsMax)
	rowBlocks := ceil(height, blockRows)
	p.packB = !p.directB && t.l*t.m <= packLimit
	if long {
		rowBlocks = 1
	} else if !p.packB && !p.directB {
		rowBlocks = ceil(height, blockRowsBig)
	}
	if p.ops >= smallOps && rowBlocks*colBlocks < fewPieces {
		if long {
			p.splits = min(p.sums/2, ceil(fewPieces, colBlocks))
		} else {
			rowBlocks = max(rowBlocks, min(ceil(height, 24), ceil(fewPieces, colBlocks)))
			// the row sums of LogCosh are added up by column blocks
			if rowBlocks*colBlocks < fewPieces && !(t.e.rowwise && !t.op.Then.LogCosh.IsNone()) {
				colBlocks = max(colBlocks, min(ceil(wide, 2), ceil(fewPieces, rowBlocks)))
			}
		}
	}
	if p.directB && !long && p.ops >= smallOps {
		p.splits = p.sums // each thread reads its own rows of b, as those do that go by its rows
	}
	rows := round(ceil(height, rowBlocks), tileRowsMax)
	width := ceil(wide, colBlocks) * tileColsMax
	p.blockPanels, p.blockSlivers = rows/k.rows, width/cols
	p.rowBlocks, p.colBlocks = ceil(p.panels, p.blockPanels), ceil(p.slivers, p.blockSlivers)
	p.splitSums = ceil(p.sums, p.splits)
	p.splits = ceil(p.sums, p.splitSums)
	p.packB = p.packB && p.rowBlocks > 1
	t.makeThin(height)
}

// pieces returns the number of pieces of the product.
func (p *plan) pieces() int { return p.rowBlocks * p.colBlocks * p.splits }

// piece is one block of rows, one of columns and one group of blocks of the sum.
type piece struct {
	panel0, panels   int
	sliver0, slivers int
	sum0, sums       int
	split, colBlock  int
}

func (p *plan) piece(i int) piece {
	s, i := i/(p.rowBlocks*p.colBlocks), i%(p.rowBlocks*p.colBlocks)
	r, c := i/p.colBlocks, i%p.colBlocks
	q := piece{panel0: r * p.blockPanels, sliver0: c * p.blockSlivers, sum0: s * p.splitSums, split: s, colBlock: c}
	q.panels = min(p.blockPanels, p.panels-q.panel0)
	q.slivers = min(p.blockSlivers, p.slivers-q.sliver0)
	q.sums = min(p.splitSums, p.sums-q.sum0)
	return q
}
