package cpu

import (
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// pairsCase runs Pairs on every arm and compares it with a sum of terms in float64.
func pairsCase(t *testing.T, rowsA, rowsB, spins int, size float64, counted bool, f compute.PairKind) map[string][]float64 {
	t.Helper()
	results := map[string][]float64{}
	for _, name := range Arms() {
		undo, err := Force(name)
		if err != nil {
			t.Fatal(err)
		}
		e := New(3)
		undo()
		guarded := func(typ compute.Type, rows, cols int) compute.Matrix { // a NaN column each side
			m := e.Alloc(typ, rows+2, cols+2)
			if typ == compute.Float32 {
				x := m.Float32s()
				for i := range x {
					x[i] = float32(math.NaN())
				}
			}
			return m.Slice(1, rows+1).Columns(1, cols+1)
		}
		a, b := guarded(compute.Float32, rowsA, spins), guarded(compute.Float32, rowsB, spins)
		for l, m := range []compute.Matrix{a, b} {
			for i := range m.Rows() {
				for j := range row32(m, i) {
					row32(m, i)[j] = float32(size * rng.Key(l).Normal(uint64(i), uint64(j)))
				}
			}
		}
		if rowsA > 1 && spins > 2 { // the worst cancellation: a = -b
			copy(row32(a, 1), row32(b, 0))
			for j := range row32(a, 1) {
				row32(a, 1)[j] *= -1
			}
		}
		var counts compute.Matrix
		if counted {
			counts = e.Alloc(compute.Float32, 1, spins)
			for j := range row32(counts, 0) {
				row32(counts, 0)[j] = float32(1 + j%5)
			}
		}
		dst := guarded(compute.Float64, rowsA, rowsB)
		for i := range dst.Rows() {
			for j := range row64(dst, i) {
				row64(dst, i)[j] = 10
			}
		}
		e.Pairs(dst, a, b, counts, f)
		for p := range rowsA {
			for q := range rowsB {
				want, scale := 10.0, 10.0
				for n, x := range row32(a, p) {
					y := math.Abs(float64(x) + float64(row32(b, q)[n]))
					if f == compute.PairLogCosh {
						y = compute.LogTwoCosh(y)
					}
					if counted {
						y *= float64(row32(counts, 0)[n])
					}
					want += y
					scale += math.Abs(float64(x)) + 1
				}
				got := row64(dst, p)[q]
				// Each factor is off by a few units of 2^-53; so is the sum of spins terms.
				if !(math.Abs(got-want) <= 4e-15*scale) {
					t.Errorf("%s: %dx%dx%d size %g: [%d,%d] = %.17g, want %.17g", name, rowsA, rowsB, spins, size, p, q, got, want)
				}
				results[name] = append(results[name], got)
			}
		}
		flat := dst.Buffer().F64
		for i, x := range flat {
			row, col := i/(rowsB+2)-1, i%(rowsB+2)-1
			if (row < 0 || row >= rowsA || col < 0 || col >= rowsB) && x != 0 {
				t.Errorf("%s: wrote %v outside the destination", name, x)
			}
		}
		e.Close()
	}
	return results
}

func TestPairs(t *testing.T) {
	for _, f := range []compute.PairKind{compute.PairLogCosh, compute.PairAbs} {
		for _, s := range [][3]int{{1, 1, 1}, {2, 3, 7}, {5, 4, 8}, {3, 17, 9}, {9, 33, 130}} {
			for _, size := range []float64{0, 1, 12, 90} { // 90: fields of some 300 leave room for two or three factors
				for _, counted := range []bool{false, true} {
					pairsCase(t, s[0], s[1], s[2], size, counted, f)
				}
			}
		}
	}
	pairsCase(t, 3, 4, 20, 3000, false, compute.PairLogCosh) // beyond the exponentials' range
}

// The wide arms multiply in one order, with the same fused operations.
func TestPairsSameBits(t *testing.T) {
	abs := pairsCase(t, 7, 21, 333, 3, true, compute.PairAbs)
	for arm, y := range abs {
		for i, x := range abs["generic"] {
			if y[i] != x {
				t.Fatalf("absolute values, entry %d: %s %v, generic %v", i, arm, y[i], x)
			}
		}
	}
	r := pairsCase(t, 7, 21, 333, 3, false, compute.PairLogCosh)
	if len(r["avx512"]) == 0 || len(r["avx2"]) == 0 {
		t.Skip("this processor or build has not both AVX2 and AVX-512")
	}
	for i, x := range r["avx512"] {
		if r["avx2"][i] != x {
			t.Fatalf("entry %d: avx512 %v, avx2 %v", i, x, r["avx2"][i])
		}
	}
}

// The factors are exponentials but for some units of 2^-53, over the whole range and near 0.
func TestPairFactors(t *testing.T) {
	x, dst := make([]float32, 8000), make([]float64, 16000)
	for i := range x {
		x[i] = float32(i-4000) / 4000 * pairBounds
		if i%2 == 0 {
			x[i] /= 500
		}
	}
	for _, k := range arms() {
		k.pairFactors(&dst[0], &x[0], uintptr(len(x)))
		for i, v := range x {
			at := i/8*16 + i%8
			up, down := math.Exp(float64(v)), math.Exp(-float64(v))
			if !(math.Abs(dst[at]/up-1) < 5e-16 && math.Abs(dst[at+8]/down-1) < 5e-16) {
				t.Fatalf("%s: exp(%v) = %v, exp(%v) = %v, want %v and %v", k.name, v, dst[at], -v, dst[at+8], up, down)
			}
		}
	}
}

func TestPairsOfNaN(t *testing.T) {
	e := New(1)
	defer e.Close()
	a, b, dst := e.Alloc(compute.Float32, 1, 9), e.Alloc(compute.Float32, 2, 9), e.Alloc(compute.Float64, 1, 2)
	row32(b, 1)[4] = float32(math.NaN())
	for _, f := range []compute.PairKind{compute.PairLogCosh, compute.PairAbs} {
		dst.Float64s()[0], dst.Float64s()[1] = 0, 0
		e.Pairs(dst, a, b, compute.Matrix{}, f)
		if d := row64(dst, 0); math.IsNaN(d[0]) || !math.IsNaN(d[1]) {
			t.Errorf("kind %d: %v, want a number and NaN", f, d)
		}
	}
}

func TestPairsOfInfinities(t *testing.T) {
	e := New(1)
	defer e.Close()
	a, b, dst := e.Alloc(compute.Float32, 1, 9), e.Alloc(compute.Float32, 2, 9), e.Alloc(compute.Float64, 1, 2)
	row32(b, 1)[4] = float32(math.Inf(-1))
	for _, f := range []compute.PairKind{compute.PairLogCosh, compute.PairAbs} {
		dst.Float64s()[0], dst.Float64s()[1] = 0, 0
		e.Pairs(dst, a, b, compute.Matrix{}, f)
		if d := row64(dst, 0); math.IsInf(d[0], 0) || !math.IsInf(d[1], 1) {
			t.Errorf("kind %d: %v, want a number and +Inf", f, d)
		}
	}
}

func TestPairsAllocatesNothing(t *testing.T) {
	e := New(2)
	defer e.Close()
	a, b, dst := e.Alloc(compute.Float32, 20, 50), e.Alloc(compute.Float32, 30, 50), e.Alloc(compute.Float64, 20, 30)
	for _, f := range []compute.PairKind{compute.PairLogCosh, compute.PairAbs} {
		if n := testing.AllocsPerRun(20, func() { e.Pairs(dst, a, b, compute.Matrix{}, f) }); n != 0 {
			t.Errorf("kind %d: %v allocations", f, n)
		}
	}
}

func BenchmarkPairs(b *testing.B) {
	for _, name := range Arms() {
		for f, of := range []string{compute.PairLogCosh: "log2cosh", compute.PairAbs: "abs"} {
			b.Run(name+"/"+of, func(b *testing.B) {
				undo, _ := Force(name)
				e := New(1)
				undo()
				defer e.Close()
				x, y, dst := e.Alloc(compute.Float32, 128, 1000), e.Alloc(compute.Float32, 256, 1000), e.Alloc(compute.Float64, 128, 256)
				for b.Loop() {
					e.Pairs(dst, x, y, compute.Matrix{}, compute.PairKind(f))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(128*256*1000), "ns/term")
			})
		}
	}
}
