package cpu

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"mattis/compute"
	"mattis/rng"
)

// Bounds on the errors of the kernels' functions in units in the last place of
// float32, the half unit of rounding included. The scans of all numbers
// (BenchmarkWholeRange) found at most 2.54 for tanh and 1.82 for log 2cosh.
const (
	tanhUlps = 3
	coshUlps = 2
)

// ulps returns |got-want| in units in the last place of a float32 next to want.
func ulps(got, want float64) float64 {
	if got == want || got != got && want != want {
		return 0
	}
	_, e := math.Frexp(want)
	return math.Abs(got-want) / math.Ldexp(1, max(e-24, -149))
}

// functions evaluates the epilogue kernels of an arm number by number.
type functions struct {
	k       *kernels
	y, dst  [tileMax]float32
	sums    [8 * tileRowsMax]float64
	t       tile
	columns int
}

func newFunctions(k *kernels, columns int) *functions {
	f := &functions{k: k, columns: columns}
	f.t = tile{y: unsafe.Pointer(&f.y), rows: k.rows, columns: columns, factor: 1, cosh: &f.sums[0]}
	for i := range k.rows {
		f.t.dst[i] = unsafe.Pointer(&f.dst[i*columns])
	}
	return f
}

func (f *functions) size() int { return f.k.rows * f.columns }

// set puts the numbers into the tile's rows.
func (f *functions) set(x []float32) {
	for i := range f.k.rows {
		copy(f.y[i*f.k.cols():], x[i*f.columns:][:f.columns])
	}
}

func (f *functions) tanh(x []float32) []float32 {
	f.set(x)
	f.t.call(f.k.tanh)
	return f.dst[:f.size()]
}

// logCosh evaluates the eight columns whose sums are apart.
func (f *functions) logCosh(x []float32) []float64 {
	f.set(x)
	clear(f.sums[:])
	for c := range 8 {
		f.t.mask[c] = 1<<32 - 1
	}
	f.t.call(f.k.cosh)
	return f.sums[:]
}

// worst scans the non-negative float32 (and NaN) of the given distance and
// returns the largest errors of tanh and log 2cosh; it fails the test where
// tanh is not odd bit for bit.
func worst(t testing.TB, k *kernels, step uint64) (tanh, cosh float64, tanhAt, coshAt float32) {
	f, g := newFunctions(k, k.lanes), newFunctions(k, k.lanes)
	x, negative := make([]float32, f.size()), make([]float32, f.size())
	for at := uint64(0); at < 1<<31; at += step * uint64(len(x)) {
		for i := range x {
			x[i] = math.Float32frombits(uint32(min(at+step*uint64(i), 1<<31-1)))
			negative[i] = -x[i]
		}
		up, down := f.tanh(x), g.tanh(negative)
		for i, v := range up {
			if math.Float32bits(v)^math.Float32bits(down[i]) != 1<<31 && v == v {
				t.Fatalf("tanh(%v) = %v, tanh(%v) = %v", x[i], v, negative[i], down[i])
			}
			if u := ulps(float64(v), math.Tanh(float64(x[i]))); !(u <= tanh) {
				tanh, tanhAt = u, x[i]
			}
		}
		sums := f.logCosh(x)
		for i := range k.rows {
			for c := range 8 {
				v := x[i*f.columns+c]
				if u := ulps(sums[8*i+c], compute.LogTwoCosh(float64(v))); !(u <= cosh) {
					cosh, coshAt = u, v
				}
			}
		}
	}
	return tanh, cosh, tanhAt, coshAt
}

// Every 4999th float32 from 0 over the infinity to the NaNs, and their negatives.
func TestFunctionsAreAccurate(t *testing.T) {
	for _, k := range arms() {
		tanh, cosh, tanhAt, coshAt := worst(t, k, 4999)
		t.Logf("%s: tanh off by %.3f ulps at %v, log 2cosh by %.3f at %v", k.name, tanh, tanhAt, cosh, coshAt)
		if !(tanh <= tanhUlps) {
			t.Errorf("%s: tanh(%v) is off by %.3f ulps, want at most %d", k.name, tanhAt, tanh, tanhUlps)
		}
		if !(cosh <= coshUlps) {
			t.Errorf("%s: log 2cosh(%v) is off by %.3f ulps, want at most %d", k.name, coshAt, cosh, coshUlps)
		}
	}
}

// BenchmarkWholeRange scans every float32: -bench WholeRange -benchtime 1x takes some minutes.
func BenchmarkWholeRange(b *testing.B) {
	for _, k := range arms() {
		b.Run(k.name, func(b *testing.B) {
			for range b.N {
				tanh, cosh, _, _ := worst(b, k, 1)
				b.ReportMetric(tanh, "tanh-ulps")
				b.ReportMetric(cosh, "log2cosh-ulps")
			}
		})
	}
}

// spinsIn returns rows x cols spins in equal fields.
func spinsIn(e *Engine, x float32, rows, cols int, key rng.Key) []int8 {
	bias, dst := e.Alloc(compute.Float32, 1, cols), e.Alloc(compute.Int8, rows, cols)
	for j := range cols {
		bias.Float32s()[j] = x
	}
	e.Mul(dst, e.Alloc(compute.Float32, rows, 0), e.Alloc(compute.Float32, 0, cols), compute.Op{Alpha: 1,
		Then: compute.Epilogue{Kind: compute.Spin, Key: key, Bias: bias}})
	return dst.Int8s()
}

var spinFields = []float32{0, 0.001, -0.1, 0.25, -0.5, 0.8, 1, -1.5, 2, -2.7, 3.3, 4}

// Flips have the probability sigma(-2|x|): a chi-square over fields and the
// four words of a block, 48 degrees of freedom. Its mean is 48 and its standard deviation 9.8;
// the bound is six of them above the mean (error probability below 1e-6), the key is fixed.
func TestSpinFrequencies(t *testing.T) {
	onArms(t, func(t *testing.T) {
		e := newEngine(t, 1)
		if chi, n := spinChiSquare(e, 240, 480, 7); chi > 48+6*9.8 {
			t.Errorf("chi-square %.1f over %d degrees of freedom", chi, n)
		}
	})
}

func spinChiSquare(e *Engine, rows, cols int, key rng.Key) (chi float64, degrees int) {
	for id, x := range spinFields {
		var up [4]float64
		for i, s := range spinsIn(e, x, rows, cols, key.Fold(uint64(id))) {
			if s > 0 {
				up[i/cols%4]++
			}
		}
		p, n := 1/(1+math.Exp(-2*float64(x))), float64(rows/4*cols)
		for _, u := range up {
			chi += (u - n*p) * (u - n*p) / (n * p * (1 - p))
			degrees++
		}
	}
	return chi, degrees
}

// BenchmarkSpinFrequencies draws 1e9 spins under each of two keys with -benchtime 1x and reports the chi-squares over 48
// degrees of freedom.
func BenchmarkSpinFrequencies(b *testing.B) {
	for _, k := range arms() {
		b.Run(k.name, func(b *testing.B) {
			undo, err := Force(k.name)
			if err != nil {
				b.Fatal(err)
			}
			defer undo()
			e := newEngine(b, 1)
			for range b.N {
				for _, key := range []rng.Key{11, 12} {
					chi, _ := spinChiSquare(e, 8700, 9600, key)
					b.ReportMetric(chi, fmt.Sprintf("chi-square-%d", key))
				}
			}
		})
	}
}

// A spin in the field -x is the negative of the spin in the field x, draw by draw.
func TestSpinsAreOdd(t *testing.T) {
	onArms(t, func(t *testing.T) {
		e := newEngine(t, 1)
		for _, x := range []float32{1e-40, 0.001, 0.25, 0.8, 1.5, 2.7, 4, 7, 10.9, 11.2, 50, float32(math.Inf(1))} {
			up, down := spinsIn(e, x, 13, 999, 3), spinsIn(e, -x, 13, 999, 3)
			for i := range up {
				if up[i] != -down[i] {
					t.Fatalf("spin %d is %d in the field %v and %d in %v", i, up[i], x, down[i], -x)
				}
			}
		}
	})
}
