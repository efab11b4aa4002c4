package compute

import "mattis/rng"

// Memory is where matrices live.
type Memory interface {
	// Alloc returns a zeroed matrix that lives as long as it is referred to.
	Alloc(t Type, rows, cols int) Matrix
	// Scratch returns a matrix of undefined content from the arena. It is gone
	// when the arena is released to a mark taken before.
	Scratch(t Type, rows, cols int) Matrix
	// Mark returns the arena's present height.
	Mark() Mark
	// Release gives back all scratch taken since the mark.
	Release(Mark)
	// Write sets dst from a slice of its type, row by row; compute.Write is what callers use.
	Write(dst Matrix, src Host)
	// Read sets a slice of src's type from src, row by row; compute.Read is what callers use.
	Read(dst Host, src Matrix)
	// Fill sets every entry of dst to x.
	Fill(dst Matrix, x float64)
	// Copy sets dst to src, of the same shape and type.
	Copy(dst, src Matrix)
	// Gather sets row i of dst to row rows[i] of src. The types agree.
	Gather(dst, src Matrix, rows []int32)
	// Sync waits for all work and returns the first fault of the device since
	// the last Sync.
	Sync() error
}

// Mark is a height of an engine's arena.
type Mark struct{ Float32, Float64, Int8 [2]int }

// Arithmetic is what is computed on matrices. A wrong shape or type panics
// with the shapes. No method keeps a reference to its arguments; dst may not
// overlap another argument unless said.
type Arithmetic interface {
	// Rowwise sets whether products are cut without a look at how many rows they have, and returns
	// what was set before. Each row of a product then has the same bits whatever rows stand beside
	// it; few rows with long sums are slower.
	Rowwise(on bool) (before bool)
	// Mul sets dst to the epilogue of the product a*b; see Op. a and b are
	// Float32 or Int8, dst what Op.Then asks for.
	Mul(dst, a, b Matrix, op Op)
	// Scan draws the Int8 spins s of a layer that is coupled with itself, given the others; see
	// ScanOp.
	Scan(s Matrix, op ScanOp)
	// RowDot adds to dst: dst[i] += alpha * sum_j x[i,j]*y[i,j], summed in float64. dst is Bx1
	// Float64. x and y are of any type; a view from Repeat serves for a row.
	RowDot(dst Matrix, alpha float64, x, y Matrix)
	// Pairs adds to dst: dst[p,q] += sum_n Counts[n] * f(a[p,n] + b[q,n]) in float64, f being log
	// 2cosh or the absolute value. dst is PxQ Float64, a PxN and b QxN Float32, counts 1xN Float32
	// and not negative, or none (all 1). Sums over all states of a layer are made of it: a and b
	// are the fields of the two halves of the spins.
	Pairs(dst, a, b, counts Matrix, f PairKind)
	// PairMeans adds to dstA and dstB the weighted tanh of all pairs of rows: with t[p,q,n] =
	// tanh(a[p,n] + b[q,n]),
	//
	//	dstA[p,n] += sum_q weights[p,q] * t[p,q,n]     dstB[q,n] += sum_p weights[p,q] * t[p,q,n]
	//
	// dstA and a are PxN, dstB and b QxN, weights PxQ, all Float32. Gradients of sums over all
	// states of a layer are made of it, as the sums are of Pairs.
	PairMeans(dstA, dstB, a, b, weights Matrix)
	// Axpby sets dst = a*x + b*dst. A factor of zero skips its operand, whatever it
	// holds. dst is Float32 or Float64, x of any type.
	Axpby(dst Matrix, a float64, x Matrix, b float64)
	// Hadamard sets dst = x o y, entry by entry. dst is Float32, x and y are Float32 or Int8 and
	// may be dst; y may also be Bx1, a factor of each row, or a Repeat of one row.
	Hadamard(dst, x, y Matrix)
	// Adam sets m = beta1*m + (1-beta1)*g, s = beta2*s + (1-beta2)*g*g and
	// dst -= step * m / (sqrt(s/correction) + eps): one step of Kingma and Ba's
	// method whose first bias correction is part of step and whose second is correction.
	Adam(dst, grad, m, s Matrix, beta1, beta2, step, correction, eps float32)
	// Descend makes the moves of rows x cols parameters on the gradient that is the sum of the
	// terms, in their order: as Mul adds them, one after the other, to a matrix of zeros and Do moves by it, but the
	// gradient is formed for some rows at a time and never as a whole. Sums of terms have at most ShortSum
	// steps: A is LxROWS with TransA, B LxCOLS. It reports whether what the last move has moved is finite.
	Descend(rows, cols int, terms []Outer, moves []Move) (finite bool)
	// Clip sets every entry of the Float32 dst to the nearest in [-bound, bound]; NaN stays.
	Clip(dst Matrix, bound float32)
	// Sign sets dst (Int8 or Float32; it may be src) to -1 where the Float32 src is below 0 and to
	// +1 elsewhere.
	Sign(dst, src Matrix)
	// Spins sets dst (Int8) to fair coins: the spins of field 0 of the stream at (row+i, col+j).
	Spins(dst Matrix, key rng.Key, row, col uint64)
	// Normals sets dst (Float32) to standard normal numbers: entry (i,j) is number (row+i)%4 of
	// compute.Normals of the key's block ((row+i)/4, col+j), the same bits on every engine.
	Normals(dst Matrix, key rng.Key, row, col uint64)
	// Finite reports whether no entry of the Float32 or Float64 x is NaN or infinite.
	Finite(x Matrix) bool
}

// Sums of at most ShortSum steps are added up in one block whatever the product's shape. Up to LongSum,
// left out, their order depends on their length alone, and not on how many rows there are.
const (
	ShortSum = 256
	LongSum  = 2048
)

// Engine is hardware: the memory and the arithmetic on it. One goroutine at a
// time may use an engine.
type Engine interface {
	Memory
	Arithmetic
}

// Op says how Mul multiplies:
//
//	y[i,j] = Alpha * exp(LogGain) * sum_l a[i,l] * Weights[l] * b[l,j]  (+ dst[i,j] if Accumulate)
//
// and then what becomes of y. The factor before the sum is rounded to float32
// once (see Factor). The sum over l runs in blocks whose size depends on the shape alone,
// never on the number of threads. The zero Op with Alpha 1 is the plain product.
//
// With Precision BF16 a[i,l]*Weights[l], rounded to float32, and b[l,j] are rounded by RoundBF16, and the
// products of steps 2k+1 and 2k are added as AddProductsBF16 does, to a sum that starts at 0 in each
// block; an odd last step goes with zeros. Factor, sums of blocks and the epilogue are those of float32.
type Op struct {
	TransA, TransB bool    // a is stored LxN_i, b is stored N_jxL
	Accumulate     bool    // add what dst holds; Then.Kind has to be Store
	Alpha          float64 // factor of the product
	LogGain        Matrix  // 1x1 Float32 or none
	Weights        Matrix  // Lx1 Float32 or none
	Precision      Precision
	Then           Epilogue
}

// Kind says what is stored of each entry of a product.
type Kind uint8

const (
	Store   Kind = iota // y itself, Float32
	Tanh                // tanh y, Float32
	Spin                // a spin in the field y, Int8; see compute.Spin
	Normal              // a Gaussian number of mean y, Float32; see Epilogue.Scale
	Discard             // nothing: only the row sums are wanted; dst gives the shape alone and may be a view with no buffer
)

// PairKind is the function that Pairs sums.
type PairKind uint8

const (
	PairLogCosh PairKind = iota // log 2cosh x
	PairAbs                     // |x|, the limit of zero temperature
)

// Epilogue is applied to each entry of a product while it is at hand:
//
//	y  = y + Add[i,j]
//	y  = y + Bias[j]
//	y  = Scale[i]*y + (1-Scale[i])*Base[j]
//	LogCosh[i] += sum_j log 2cosh y[i,j]
//	dst[i,j] = Clamp[i,j] where that is not 0, else Kind(y[i,j])
//
// A missing matrix leaves its line out (a missing Base counts as 0).
//
// A Normal draws the units of a Gaussian layer, whose energy is z^2/2 - y z with y their field, at
// the inverse temperature Scale[i], with n the number that Normals has at its place:
//
//	dst[i,j] = y[i,j] + n[i,j] / sqrt(Scale[i])
//
// y is not scaled, and there is no Base. This is z/sqrt(beta) of the z ~ N(sqrt(beta) y, 1) that
// belongs to spins in the field beta*b + sqrt(beta)*(z W^T): as their neighbour it is what other
// neighbours are, in a field beta*(b + dst W^T). Where Scale is below 2^-100, 2^-100 stands for it:
// the neighbour's own Scale of 0 makes nothing of what is finite.
type Epilogue struct {
	Kind     Kind
	Key      rng.Key // Spin, Normal: the stream
	Row, Col uint64  // Spin, Normal: the place of entry (0,0), so that shards and views draw the numbers of the whole
	Add      Matrix  // BxN Float32: the fields of other neighbours of a layer; not beside Accumulate
	Bias     Matrix  // 1xN Float32
	Scale    Matrix  // Bx1 Float32: inverse temperature of each row
	Base     Matrix  // 1xN Float32: field at Scale 0
	Clamp    Matrix  // BxN Int8 (a Repeat of one row too); Spin only
	LogCosh  Matrix  // Bx1 Float64
}
