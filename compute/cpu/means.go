package cpu

import (
	"fmt"
	"math"
	"unsafe"

	"mattis/compute"
)

// meansTask is PairMeans. A piece is one vector of columns of all four matrices, copied together so
// that it lies in the first cache; sums run over q and then p in order, whatever the vector's
// width.
//
// tanh(a+b) = 2/(1+xy) - 1 with x = exp(-2a), y = exp(-2b), which are those of the rows alone: a
// pair costs a reciprocal. It is off by a unit of 2^-23, which is what a sum of such terms is off
// by anyway. Fields whose exponentials are too large go by tanh.
type meansTask struct {
	e                         *Engine
	dstA, dstB, a, b, weights compute.Matrix
	work                      []float32 // of each worker: columns of a, dstA, b and dstB
	stride                    int
	ratios                    bool
}

// meansBounds is the largest sum of the largest fields of a and b that goes by exponentials:
// exp(84) is a float32, and so is its inverse.
const meansBounds = 42

// PairMeans adds to dstA and dstB the weighted tanh of all pairs of rows.
func (e *Engine) PairMeans(dstA, dstB, a, b, weights compute.Matrix) {
	fits := dstA.Rows() == a.Rows() && dstB.Rows() == b.Rows() && weights.Rows() == a.Rows() && weights.Cols() == b.Rows()
	for _, m := range [...]compute.Matrix{dstA, dstB, a, b, weights} {
		fits = fits && m.Type() == compute.Float32
	}
	for _, m := range [...]compute.Matrix{dstA, dstB, b} {
		fits = fits && m.Cols() == a.Cols()
	}
	if !fits {
		panic(fmt.Sprintf("cpu: PairMeans of %v and %v (weights %v) to %v and %v", a, b, weights, dstA, dstB))
	}
	if weights.Len() == 0 || a.Cols() == 0 {
		return
	}
	mark := e.Mark()
	defer e.Release(mark)
	t := &e.means
	lanes := e.kernels.lanes
	*t = meansTask{e: e, dstA: dstA, dstB: dstB, a: a, b: b, weights: weights, stride: 2 * lanes * (a.Rows() + b.Rows()),
		ratios: e.largestField(a)+e.largestField(b) <= meansBounds}
	t.work = e.Scratch(compute.Float32, e.pool.threads, t.stride).Float32s()
	e.pool.run(t, ceil(a.Cols(), lanes), e.pool.threads)
}

func (t *meansTask) do(worker, piece int) {
	lanes := t.e.kernels.lanes
	first := piece * lanes
	width := min(lanes, t.a.Cols()-first)
	x := t.work[worker*t.stride:][:t.stride]
	cut := func(m compute.Matrix) []float32 {
		y := x[:m.Rows()*lanes]
		x = x[len(y):]
		if width < lanes {
			clear(y)
		}
		from := hostOperand(m, false)
		t.e.kernels.rect(y, lanes, &from, 0, first, m.Rows(), width)
		return y
	}
	a, sums, b, others := cut(t.a), cut(t.dstA), cut(t.b), cut(t.dstB)
	kernel := t.e.kernels.pairMeans[0]
	if t.ratios {
		t.e.kernels.pairRatios(&a[0], uintptr(len(a)))
		t.e.kernels.pairRatios(&b[0], uintptr(len(b)))
		kernel = t.e.kernels.pairMeans[1]
	}
	for p := range t.a.Rows() {
		kernel(&sums[p*lanes], &others[0], &a[p*lanes], &b[0], &row32(t.weights, p)[0], uintptr(t.b.Rows()))
	}
	t.e.kernels.rect(t.dstA.Float32s()[first:], t.dstA.Stride(), &operand{f32: sums, stride: lanes}, 0, 0, t.a.Rows(), width)
	t.e.kernels.rect(t.dstB.Float32s()[first:], t.dstB.Stride(), &operand{f32: others, stride: lanes}, 0, 0, t.b.Rows(), width)
}

// pairMeansGeneric returns the kernel of a mean.
func pairMeansGeneric(mean func(x, y float32) float32) pairMeansKernel {
	return func(sum, other, a, b, weights *float32, steps uintptr) {
		sums, x := unsafe.Slice(sum, genericLanes), unsafe.Slice(a, genericLanes)
		others, y := unsafe.Slice(other, genericLanes*steps), unsafe.Slice(b, genericLanes*steps)
		for q, w := range unsafe.Slice(weights, steps) {
			for j := range sums {
				t := float32(w * mean(x[j], y[genericLanes*q+j]))
				sums[j] += t
				others[genericLanes*q+j] += t
			}
		}
	}
}

func fieldMean(a, b float32) float32 { return tanhOf(a + b) }

func ratioMean(x, y float32) float32 { return 2/(1+float32(x*y)) - 1 } // rounded apart, on all processors

func pairRatiosGeneric(x *float32, n uintptr) {
	for i, v := range unsafe.Slice(x, n) {
		unsafe.Slice(x, n)[i] = float32(math.Exp(-2 * float64(v)))
	}
}
