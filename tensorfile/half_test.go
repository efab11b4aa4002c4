package tensorfile

import (
	"math"
	"testing"
)

// numpyHalves are numpy.float32(x).astype("f2").view("u2") of numpy 1.24.2: ties, the largest, what overflows, subnormal numbers and what vanishes.
var numpyHalves = []struct {
	x    float32
	bits Half
}{
	{0.3, 0x34cd}, {65504, 0x7bff}, {65519.996, 0x7bff}, {65520, 0x7c00}, {6e-8, 1}, {2.9802322e-08, 0}, {2.98023242e-08, 1}, {6.1e-5, 0x3ff},
	{0.1, 0x2e66}, {-1.0 / 3, 0xb555}, {1e-10, 0}, {2049, 0x6800}, {2051, 0x6802},
}

func TestHalfOfNumpy(t *testing.T) {
	for _, c := range numpyHalves {
		if got := HalfOf(c.x); got != c.bits {
			t.Errorf("%v is %#x, want %#x", c.x, got, c.bits)
		}
	}
}

// Every half is the half of its own float32, and float32 keeps their order: a wrong exponent or a lost sign shows.
func TestHalfRoundTrip(t *testing.T) {
	before := math.Inf(-1)
	for i := range 1 << 16 {
		h := Half(i)
		x := h.Float32()
		if x != x {
			if got := HalfOf(x); got.Float32() == got.Float32() {
				t.Errorf("%#x is no number, and %#x is", h, got)
			}
			continue
		}
		if got := HalfOf(x); got != h {
			t.Fatalf("%#x is %v, which is %#x", h, x, got)
		}
		if i < 0x7c00 {
			if before = max(before, -1); float64(x) <= before {
				t.Fatalf("%#x is %v, not above %v", h, x, before)
			}
			before = float64(x)
			if neg := (h | 0x8000).Float32(); neg != -x || math.Signbit(float64(neg)) != true {
				t.Fatalf("%#x is %v, want %v", h|0x8000, neg, -x)
			}
		}
	}
}
