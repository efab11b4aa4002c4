package compute_test

import (
	"math"
	"slices"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// normals returns the numbers of so many blocks, four a block.
func normals(key rng.Key, blocks int) []float32 {
	x := make([]float32, 0, 4*blocks)
	for i := range uint64(blocks) {
		n := compute.Normals(key.Block(i/1024, i%1024))
		x = append(x, n[:]...)
	}
	return x
}

// The law of 2^20 numbers: moments up to the fourth, and the largest distance of the distribution
// function from the normal one (Kolmogorov and Smirnov). A right program fails with a probability
// below 1e-5: each of the four moments within 5 standard errors (6e-7 each), sqrt(n)*D within 2.7
// (9e-7). A radius of sqrt(-log u), a missing quadrant or an angle in wrong units fails.
func TestNormalsLaw(t *testing.T) {
	x := normals(5, 1<<18)
	n := float64(len(x))
	var m [5]float64
	for _, v := range x {
		p := 1.0
		for k := range m {
			m[k] += p / n
			p *= float64(v)
		}
	}
	// The variances of x, x^2, x^3, x^4 are 1, 2, 15, 96.
	for k, c := range [][2]float64{1: {0, 1}, 2: {1, 2}, 3: {0, 15}, 4: {3, 96}} {
		if k > 0 && math.Abs(m[k]-c[0]) > 5*math.Sqrt(c[1]/n) {
			t.Errorf("moment %d is %v, want %v +- %.1g", k, m[k], c[0], math.Sqrt(c[1]/n))
		}
	}
	slices.Sort(x)
	d := 0.0
	for i, v := range x {
		p := math.Erfc(-float64(v)/math.Sqrt2) / 2
		d = max(d, p-float64(i)/n, float64(i+1)/n-p)
	}
	if d*math.Sqrt(n) > 2.7 {
		t.Errorf("sqrt(n) D = %v", d*math.Sqrt(n))
	}
}

// The tails of 2^24 numbers: how many lie beyond 3.5 to 5.5, each within 5 standard errors of
// Poisson's law (together below 1e-5), on both sides. A radius that 24 bits or a clipped uniform
// number cut off fails.
func TestNormalsTails(t *testing.T) {
	bounds := []float64{3.5, 4, 4.5, 5, 5.5}
	var up, down [5]float64
	const blocks = 1 << 22
	for i := range uint64(blocks) {
		for _, v := range compute.Normals(rng.Key(9).Block(i/4096, i%4096)) {
			for k, b := range bounds {
				if float64(v) > b {
					up[k]++
				} else if float64(v) < -b {
					down[k]++
				}
			}
		}
	}
	for k, b := range bounds {
		want := 4 * blocks * math.Erfc(b/math.Sqrt2) / 2
		for _, got := range []float64{up[k], down[k]} {
			if math.Abs(got-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("%v numbers beyond %v, want %.1f +- %.1f", got, b, want, math.Sqrt(want))
			}
		}
	}
	// The least uniform number: sqrt(64 log 2).
	if got := compute.Normals([4]uint32{0, 0, 1, 1 << 31}); math.Abs(float64(got[0])-math.Sqrt(64*math.Ln2)) > 1e-6 || got[2] >= 0 {
		t.Errorf("the largest numbers are %v", got)
	}
}

// Neighbours are independent: the four rows of a block, the blocks beside it and below it. Products
// of two numbers and of their squares have mean 0 within 5 standard errors, and the signs of pairs
// fall evenly: each of the 36 checks errs with 6e-7. A sine that takes its cosine's sign, words
// used twice and rows that share a pair's radius wrongly fail.
func TestNormalsNeighbours(t *testing.T) {
	const blocks, cols = 1 << 18, 1024
	at := func(row, col uint64) [4]float32 { return compute.Normals(rng.Key(3).Block(row, col)) }
	type sum struct{ xy, squares, signs float64 }
	var sums [12]sum
	for i := range uint64(blocks) {
		row, col := i/cols, i%cols
		x, right, below := at(row, col), at(row, col+1), at(row+1, col)
		pairs := [12][2]float32{{x[0], x[1]}, {x[0], x[2]}, {x[0], x[3]}, {x[1], x[2]}, {x[1], x[3]}, {x[2], x[3]},
			{x[0], right[0]}, {x[1], right[1]}, {x[0], right[1]}, {x[3], below[0]}, {x[0], below[0]}, {x[2], below[3]}}
		for k, p := range pairs {
			a, b := float64(p[0]), float64(p[1])
			sums[k].xy += a * b
			sums[k].squares += (a*a - 1) * (b*b - 1)
			sums[k].signs += math.Copysign(1, a) * math.Copysign(1, b)
		}
	}
	root := math.Sqrt(blocks)
	for k, s := range sums {
		if math.Abs(s.xy) > 5*root || math.Abs(s.squares) > 5*2*root || math.Abs(s.signs) > 5*root {
			t.Errorf("pair %d: standard errors %.1f, squares %.1f, signs %.1f", k, s.xy/root, s.squares/root/2, s.signs/root)
		}
	}
}

// The transform in float64: what float32 loses is a few units in the last place of the radius.
func TestNormalsAccuracy(t *testing.T) {
	for i := range uint64(1 << 16) {
		w := rng.Key(2).Block(i, 0)
		if i%4 == 0 { // small uniform numbers and those near 1
			w[0], w[2] = w[0]>>(i%32), w[2]|0xffffffff<<(i%32)
		}
		got := compute.Normals(w)
		for p := range 2 {
			u := float64(compute.SpinUniform(w[2*p]))
			r := math.Sqrt(-2 * math.Log(u))
			// The angle is that of an integer made odd, so that no quadrant is favoured.
			phi := math.Pi / 2 * float64(int64(uint64(w[2*p+1])&^1+1)) * 0x1p-30
			for k, want := range []float64{r * math.Cos(phi), r * math.Sin(phi)} {
				if g := float64(got[2*p+k]); math.Abs(g-want) > 4e-7*(r+1e-3) {
					t.Fatalf("words %x: number %d is %v, want %v", w, 2*p+k, g, want)
				}
			}
		}
	}
}
