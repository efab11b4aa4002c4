package cpu

import (
	"fmt"
	"math"

	"mattis/compute"
)

// pairTask is Pairs; a piece is a row of dst.
type pairTask struct {
	dst, a, b, counts compute.Matrix
	f                 compute.PairKind
}

// Pairs sets dst[p,q] += sum_n counts[n] * f(a[p,n] + b[q,n]).
func (e *Engine) Pairs(dst, a, b, counts compute.Matrix, f compute.PairKind) {
	if dst.Rows() != a.Rows() || dst.Cols() != b.Rows() || a.Cols() != b.Cols() || dst.Type() != compute.Float64 ||
		(!counts.IsNone() && (counts.Rows() != 1 || counts.Cols() != a.Cols())) {
		panic(fmt.Sprintf("cpu: Pairs of %v and %v (counts %v) to %v", a, b, counts, dst))
	}
	if dst.Len() == 0 {
		return
	}
	e.pairs = pairTask{dst: dst, a: a, b: b, counts: counts, f: f}
	e.pool.run(&e.pairs, dst.Rows(), e.pool.threads)
}

func (t *pairTask) do(_, p int) {
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
