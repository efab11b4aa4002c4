package cpu

import (
	"fmt"
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// meansCase runs PairMeans on every arm, inside guards of NaN, and compares it with sums in float64.
func meansCase(t *testing.T, rowsA, rowsB, columns int, size float64, threads int) map[string][]float32 {
	t.Helper()
	results := map[string][]float32{}
	for _, name := range Arms() {
		undo, err := Force(name)
		if err != nil {
			t.Fatal(err)
		}
		e := New(threads)
		undo()
		drawn := func(key rng.Key, rows, cols int, size float64) compute.Matrix {
			m := e.Alloc(compute.Float32, rows+2, cols+2)
			for i := range m.Float32s() {
				m.Float32s()[i] = float32(math.NaN())
			}
			m = m.Slice(1, rows+1).Columns(1, cols+1)
			for i := range rows {
				for j := range row32(m, i) {
					row32(m, i)[j] = float32(size * key.Normal(uint64(i), uint64(j)))
				}
			}
			return m
		}
		a, b, w := drawn(1, rowsA, columns, size), drawn(2, rowsB, columns, size), drawn(3, rowsA, rowsB, 1)
		dst := [2]compute.Matrix{drawn(4, rowsA, columns, 1), drawn(5, rowsB, columns, 1)}
		want, scale := [2][][]float64{}, float64(rowsA+rowsB+4)
		for k, m := range dst {
			for i := range m.Rows() {
				want[k] = append(want[k], nil)
				for _, x := range row32(m, i) {
					want[k][i] = append(want[k][i], float64(x))
				}
			}
		}
		for p := range rowsA {
			for q := range rowsB {
				for n := range columns {
					y := float64(row32(w, p)[q]) * math.Tanh(float64(row32(a, p)[n]+row32(b, q)[n]))
					want[0][p][n] += y
					want[1][q][n] += y
				}
			}
		}
		e.PairMeans(dst[0], dst[1], a, b, w)
		for k, m := range dst {
			for i := range m.Rows() {
				for j, got := range row32(m, i) {
					// tanh is off by three units of 2^-24, and so is each of as many sums as there are rows.
					if !(math.Abs(float64(got)-want[k][i][j]) <= 4*0x1p-24*scale) {
						t.Errorf("%s: %dx%dx%d: sum %d [%d,%d] = %v, want %v", name, rowsA, rowsB, columns, k, i, j, got, want[k][i][j])
					}
					results[name] = append(results[name], got)
				}
			}
			guards := 0
			for _, x := range m.Buffer().F32 {
				if x != x {
					guards++
				}
			}
			if want := 2*(m.Cols()+2) + 2*m.Rows(); guards != want {
				t.Errorf("%s: %d guards are left of %d", name, guards, want)
			}
		}
		e.Close()
	}
	return results
}

func TestPairMeans(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {2, 3, 7}, {5, 4, 8}, {3, 17, 33}, {9, 33, 130}} {
		for _, size := range []float64{0, 0.01, 1, 50} {
			meansCase(t, s[0], s[1], s[2], size, 3)
		}
	}
	meansCase(t, 3, 4, 20, 1e4, 1)
	e := New(1)
	defer e.Close()
	e.PairMeans(e.Alloc(compute.Float32, 0, 3), e.Alloc(compute.Float32, 2, 3), e.Alloc(compute.Float32, 0, 3), e.Alloc(compute.Float32, 2, 3), e.Alloc(compute.Float32, 0, 2))
}

// At the bounds of exponentials, beyond them, and of what is no number, on every arm.
func TestPairMeansOfLargeFields(t *testing.T) {
	const half = meansBounds / 2
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range [][2]float64{
		{half, half}, {half, -half}, {-half, half}, {-half, -half}, {meansBounds, 0}, {0, -meansBounds},
		{half, half + 0.5}, {-half, -half - 0.5}, {1e30, -1e30}, {3e38, 3e38}, {inf, 1}, {1, -inf}, {nan, 1}, {1, nan},
	} {
		for _, name := range Arms() {
			undo, err := Force(name)
			if err != nil {
				t.Fatal(err)
			}
			e := New(1)
			undo()
			one := func(x float64) compute.Matrix {
				m := e.Alloc(compute.Float32, 1, 1)
				m.Float32s()[0] = float32(x)
				return m
			}
			sum, other := one(0), one(0)
			e.PairMeans(sum, other, one(c[0]), one(c[1]), one(1))
			want := math.Tanh(float64(float32(c[0]) + float32(c[1])))
			for _, m := range []compute.Matrix{sum, other} {
				if got := float64(m.Float32s()[0]); !(math.Abs(got-want) <= 0x1p-22 || math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("%s: tanh(%v%+v) = %v, want %v", name, c[0], c[1], got, want)
				}
			}
			e.Close()
		}
	}
}

// Threads share out columns, and the wide arms add in one order; of exponentials they take the reciprocal in two ways.
func TestPairMeansSameBits(t *testing.T) {
	for _, size := range []float64{2, 30} { // by exponentials and by tanh
		meansSameBits(t, size)
	}
}

func meansSameBits(t *testing.T, size float64) {
	one, three := meansCase(t, 7, 21, 333, size, 1), meansCase(t, 7, 21, 333, size, 3)
	for arm := range one {
		for i, x := range one[arm] {
			if three[arm][i] != x {
				t.Fatalf("%s, entry %d: %v on one thread, %v on three", arm, i, x, three[arm][i])
			}
		}
	}
	if len(one["avx512"]) == 0 || len(one["avx2"]) == 0 || size < 10 {
		return
	}
	for i, x := range one["avx512"] {
		if one["avx2"][i] != x {
			t.Fatalf("entry %d: avx512 %v, avx2 %v", i, x, one["avx2"][i])
		}
	}
}

func TestPairMeansAllocatesNothing(t *testing.T) {
	e := New(2)
	defer e.Close()
	a, b, w := e.Alloc(compute.Float32, 20, 50), e.Alloc(compute.Float32, 30, 50), e.Alloc(compute.Float32, 20, 30)
	x, y := e.Alloc(compute.Float32, 20, 50), e.Alloc(compute.Float32, 30, 50)
	if n := testing.AllocsPerRun(20, func() { e.PairMeans(x, y, a, b, w) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPairMeans(b *testing.B) {
	for _, name := range Arms() {
		for _, size := range []float64{1, 50} { // by exponentials and by tanh
			b.Run(fmt.Sprintf("%s/%g", name, size), func(b *testing.B) {
				undo, _ := Force(name)
				e := New(1)
				undo()
				defer e.Close()
				drawn := func(key rng.Key, rows, cols int, size float64) compute.Matrix {
					m := e.Alloc(compute.Float32, rows, cols)
					for i := range m.Float32s() {
						m.Float32s()[i] = float32(size * key.Normal(uint64(i), 0))
					}
					return m
				}
				const p, q, n = 128, 256, 1000
				x, y, w := drawn(1, p, n, size), drawn(2, q, n, size), drawn(3, p, q, 1)
				sums, others := e.Alloc(compute.Float32, p, n), e.Alloc(compute.Float32, q, n)
				for b.Loop() {
					e.PairMeans(sums, others, x, y, w)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(p*q*n), "ns/term")
			})
		}
	}
}
