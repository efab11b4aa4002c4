package cpu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mattis/compute"
	"mattis/rng"
)

func onArmsB(b *testing.B, bench func(b *testing.B, e *Engine)) {
	for _, name := range Arms() {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", name, threads), func(b *testing.B) {
				undo, err := Force(name)
				if err != nil {
					b.Fatal(err)
				}
				defer undo()
				e := New(threads)
				defer e.Close()
				bench(b, e)
			})
		}
	}
}

// random returns a matrix of numbers in (-1,1) or of spins.
func random(e *Engine, kind compute.Type, rows, cols int, key rng.Key) compute.Matrix {
	m := e.Alloc(kind, rows, cols)
	if kind == compute.Int8 {
		e.Spins(m, key, 0, 0)
		return m
	}
	x := m.Float32s()
	for i := range x {
		x[i] = 2*key.Uniform(0, uint64(i)) - 1
	}
	return m
}

func gflops(b *testing.B, e *Engine, ops float64) {
	f := 2 * ops * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(f, "GFLOP/s")
}

func BenchmarkPeak(b *testing.B) {
	for _, name := range Arms() {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/%d", name, threads), func(b *testing.B) {
				undo, err := Force(name)
				if err != nil {
					b.Fatal(err)
				}
				defer undo()
				var f float64
				for range b.N {
					f = Peak(compute.Single, threads, 100*time.Millisecond)
				}
				b.ReportMetric(f, "GFLOP/s")
			})
		}
	}
}

// The micro-kernel alone, its columns in the first, second or third cache, as a
// part of the peak in the rounds before and after; and the peak's loop in the fifth of a millisecond right after
// the kernel as a part of the same: the clock that the kernel has run at.
func BenchmarkMicro(b *testing.B) {
	const long = 100 * time.Millisecond
	for _, name := range Arms()[1:] {
		for _, c := range []struct {
			cache                  string
			panels, steps, slivers int
		}{{"first", 1, 128, 1}, {"second", 16, 512, 1}, {"third", 16, 512, 88}} {
			b.Run(name+"/"+c.cache, func(b *testing.B) {
				undo, err := Force(name)
				if err != nil {
					b.Fatal(err)
				}
				defer undo()
				k := current()
				stride, width := padStride(c.steps), k.cols()
				x, y, sums := aligned[float32](c.panels*k.rows*stride), aligned[float32](c.slivers*c.steps*width), aligned[float32](tileMax)
				for i := range y {
					x[i%len(x)], y[i] = float32(i%13)-6, float32(i%11)-5
				}
				rate := func(turn func() (adds int), long time.Duration) float64 {
					adds, start := 0, time.Now()
					for time.Since(start) < long {
						adds += turn()
					}
					return 2 * float64(adds) / time.Since(start).Seconds() / 1e9
				}
				var part, clock []float64
				before := Peak(compute.Single, 1, long)
				for range b.N {
					sliver := 0
					r := rate(func() int {
						at := &y[sliver*c.steps*width]
						sliver = (sliver + 1) % c.slivers
						next := y[sliver*c.steps*width:]
						for i := range 16 {
							p := i % c.panels
							k.micro[byRows][k.rows/4-1][tileVectors-1](&sums[0], &x[p*k.rows*stride], at, 4*uintptr(stride), 4*uintptr(width), uintptr(c.steps), 0, &next[i*aheadLen*c.steps%(c.steps*width)], &sums[0], 4*uintptr(width))
						}
						return 16 * c.steps * k.rows * width
					}, long)
					short := rate(func() int { k.peak(500); return 500 * peakAdds * k.lanes }, long/500)
					after := Peak(compute.Single, 1, long)
					part, clock = append(part, 2*r/(before+after)), append(clock, 2*short/(before+after))
					before = after
				}
				slices.Sort(part)
				slices.Sort(clock)
				b.ReportMetric(part[b.N/2], "of-peak")
				b.ReportMetric(clock[b.N/2], "clock-of-peak")
			})
		}
	}
}

// Products as they come up in training and sampling.
func BenchmarkMul(b *testing.B) {
	type shape struct {
		name       string
		n, m, l    int
		a, b       compute.Type
		transA     bool
		transB     bool
		kind       compute.Kind
		accumulate bool
	}
	f, s := compute.Float32, compute.Int8
	for _, c := range []shape{
		{name: "square2048", n: 2048, m: 2048, l: 2048, a: f, b: f},
		{name: "square512", n: 512, m: 512, l: 512, a: f, b: f},
		{name: "overlap8000x200x784", n: 8000, m: 200, l: 784, a: s, b: f, transB: true},
		{name: "field8000x3000x200", n: 8000, m: 3000, l: 200, a: f, b: f},
		{name: "tanh8000x3000x200", n: 8000, m: 3000, l: 200, a: f, b: f, kind: compute.Tanh},
		{name: "spin8000x3000x200", n: 8000, m: 3000, l: 200, a: f, b: f, kind: compute.Spin},
		{name: "back8000x200x3000", n: 8000, m: 200, l: 3000, a: f, b: f, transB: true},
		{name: "grad200x3000x8000", n: 200, m: 3000, l: 8000, a: f, b: f, transA: true, accumulate: true},
		{name: "grad200x784x8000", n: 200, m: 784, l: 8000, a: f, b: s, transA: true, accumulate: true},
		{name: "spin190x3000x190", n: 190, m: 3000, l: 190, a: f, b: f, kind: compute.Spin},
		{name: "overlap190x190x784", n: 190, m: 190, l: 784, a: s, b: f, transB: true},
		{name: "back190x190x3000", n: 190, m: 190, l: 3000, a: s, b: f, transB: true},
		{name: "bars3x8x16", n: 3, m: 8, l: 16, a: s, b: f, transB: true},
		{name: "bars3x1000x8", n: 3, m: 1000, l: 8, a: f, b: f, kind: compute.Tanh},
		{name: "bars3x8x1000", n: 3, m: 8, l: 1000, a: f, b: f, transB: true},
		{name: "bars8x16x3", n: 8, m: 16, l: 3, a: f, b: s, transA: true, accumulate: true},
		{name: "bars8x1000x3", n: 8, m: 1000, l: 3, a: f, b: f, transA: true, accumulate: true},
		{name: "grad8x16x32768", n: 8, m: 16, l: 32768, a: f, b: s, transA: true, accumulate: true},
		{name: "row1x3000x784", n: 1, m: 3000, l: 784, a: s, b: f},
		{name: "column8000x1x784", n: 8000, m: 1, l: 784, a: s, b: f},
	} {
		b.Run(c.name, func(b *testing.B) {
			onArmsB(b, func(b *testing.B, e *Engine) {
				x, y := random(e, c.a, c.n, c.l, 1), random(e, c.b, c.l, c.m, 2)
				if c.transA {
					x = random(e, c.a, c.l, c.n, 1)
				}
				if c.transB {
					y = random(e, c.b, c.m, c.l, 2)
				}
				dst := e.Alloc(f, c.n, c.m)
				if c.kind == compute.Spin {
					dst = e.Alloc(s, c.n, c.m)
				}
				op := compute.Op{TransA: c.transA, TransB: c.transB, Accumulate: c.accumulate, Alpha: 0.07, Then: compute.Epilogue{Kind: c.kind}}
				e.Mul(dst, x, y, op)
				for b.Loop() {
					e.Mul(dst, x, y, op)
				}
				gflops(b, e, float64(c.n)*float64(c.m)*float64(c.l))
			})
		})
	}
}

// The epilogues alone: a product over one step.
func BenchmarkEpilogue(b *testing.B) {
	for name, kind := range map[string]compute.Kind{"store": compute.Store, "tanh": compute.Tanh, "spin": compute.Spin, "logcosh": compute.Discard} {
		b.Run(name, func(b *testing.B) {
			onArmsB(b, func(b *testing.B, e *Engine) {
				const n, m = 1000, 960
				x, y := random(e, compute.Float32, n, 1, 1), random(e, compute.Float32, 1, m, 2)
				dst := e.Alloc(compute.Float32, n, m)
				op := compute.Op{Alpha: 1, Then: compute.Epilogue{Kind: kind}}
				switch kind {
				case compute.Spin:
					dst = e.Alloc(compute.Int8, n, m)
				case compute.Discard:
					op.Then.LogCosh = e.Alloc(compute.Float64, n, 1)
				}
				for b.Loop() {
					e.Mul(dst, x, y, op)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/(n*m), "ns/entry")
			})
		})
	}
}

// One Gibbs sweep of factored couplings, v -> h -> v.
func BenchmarkSweep(b *testing.B) {
	for _, chains := range []int{190, 2000} {
		b.Run(fmt.Sprint(chains), func(b *testing.B) {
			onArmsB(b, func(b *testing.B, e *Engine) {
				const V, H, K = 784, 3000, 200
				xv, xh := random(e, compute.Float32, K, V, 1), random(e, compute.Float32, K, H, 2)
				v, h := random(e, compute.Int8, chains, V, 3), e.Alloc(compute.Int8, chains, H)
				a := e.Alloc(compute.Float32, chains, K)
				spin := compute.Op{Alpha: 0.07, Then: compute.Epilogue{Kind: compute.Spin, Key: 5}}
				for b.Loop() {
					e.Mul(a, v, xv, compute.Op{TransB: true, Alpha: 1})
					e.Mul(h, a, xh, spin)
					e.Mul(a, h, xh, compute.Op{TransB: true, Alpha: 1})
					e.Mul(v, a, xv, spin)
				}
				gflops(b, e, float64(chains)*2*K*(V+H))
			})
		})
	}
}
