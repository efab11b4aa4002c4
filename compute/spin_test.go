package compute_test

import (
	"math"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// The rule is symmetric, never flips beyond 16 ln 2, and gives the law of Eq. B2: a rule that compares with
// sigma(2x), takes -0 for up or forgets the factor 2 fails.
func TestSpinOf(t *testing.T) {
	const n = 1 << 16
	for _, x := range []float32{0, 0.1, 0.7, 2} {
		up := 0
		for i := range uint64(n) {
			u := compute.SpinUniform(rng.Key(7).Uint32(i, 0))
			s := compute.SpinOf(x, u)
			if x != 0 && compute.SpinOf(-x, u) != -s {
				t.Fatalf("SpinOf(%v, %v) is %d, and SpinOf(%v, %v) the same", x, u, s, -x, u)
			}
			if s > 0 {
				up++
			}
		}
		p := 1 / (1 + math.Exp(-2*float64(x)))
		if z := (float64(up)/n - p) / math.Sqrt(p*(1-p)/n); math.Abs(z) > 5 {
			t.Errorf("field %v: %d of %d spins up, %.1f standard errors off", x, up, n, z)
		}
	}
	least, most := compute.SpinUniform(0), compute.SpinUniform(math.MaxUint32)
	if !(least > 0) || !(most <= 1) {
		t.Errorf("uniform numbers from %v to %v", least, most)
	}
	if compute.SpinOf(11.1, least) != 1 || compute.SpinOf(11, least) != -1 {
		t.Error("a spin in a field of 11.1 flips, or none in one of 11")
	}
	if compute.SpinOf(0, most) != 1 || compute.SpinOf(float32(math.Copysign(0, -1)), most) != -1 {
		t.Error("the sign bit of 0 does not decide")
	}
}

func TestLogTwoCosh(t *testing.T) {
	for _, c := range [][2]float64{{0, math.Ln2}, {1, math.Log(math.E + 1/math.E)}, {-1, math.Log(math.E + 1/math.E)}, {1e308, 1e308}, {math.Inf(-1), math.Inf(1)}} {
		if got := compute.LogTwoCosh(c[0]); got != c[1] && math.Abs(got-c[1]) > 1e-15*math.Abs(c[1]) {
			t.Errorf("log 2cosh(%v) is %v, want %v", c[0], got, c[1])
		}
	}
}
