package compute_test

import (
	"math"
	"math/big"
	"testing"

	"mattis/compute"
	"mattis/rng"
)

// RoundBF16 gives the nearest of the two neighbours, the even one of a tie, for numbers of every exponent, and
// zeros, infinities and NaNs as it says. Truncation, ties away from zero, or subnormal results would fail.
func TestRoundBF16(t *testing.T) {
	for i := range uint32(1 << 20) {
		b := i << 12
		if i%3 == 0 {
			b |= rng.Key(1).Uint32(0, uint64(i)) & 0xfff
		}
		x := math.Float32frombits(b)
		got := compute.RoundBF16(x)
		switch {
		case x != x:
			if f := compute.FloatOfBF16(got); f == f {
				t.Fatalf("NaN %08x becomes %v", b, f)
			}
			continue
		case math.Abs(float64(x)) < 0x1p-126:
			if got != uint16(b>>16)&0x8000 {
				t.Fatalf("%v becomes %04x, want a zero of its sign", x, got)
			}
			continue
		}
		down := b &^ 0xffff
		up := down + 1<<16
		a, c := math.Float32frombits(down), math.Float32frombits(up)
		want := uint16(down >> 16)
		if d, u := math.Abs(float64(x)-float64(a)), math.Abs(wide(c)-float64(x)); u < d || u == d && want&1 == 1 {
			want = uint16(up >> 16)
		}
		if math.IsInf(float64(x), 0) {
			want = uint16(b >> 16)
		}
		if got != want {
			t.Fatalf("%v (%08x) becomes %04x, want %04x", x, b, got, want)
		}
	}
}

// wide returns x, and for an infinity the number that would come after the largest.
func wide(x float32) float64 {
	if math.IsInf(float64(x), 0) {
		return math.Copysign(0x1p128, float64(x))
	}
	return float64(x)
}

// AddProductsBF16 against sums of any precision: random words, exponents near each other so that sums are half way
// between two float32, and sums near 2^-126.
func TestAddProductsBF16(t *testing.T) {
	key := rng.Key(5)
	for i := range uint64(60_000) {
		u := func(n uint64) uint32 { return key.Uint32(n, i) }
		acc, a, b := u(0), u(1), u(2)
		switch i % 4 {
		case 1:
			acc, a, b = acc&0x81ffffff|0x3e000000, a&0x83ff83ff|0x3c003c00, b&0x83ff83ff|0x3c003c00
		case 2: // one bit each: ties
			acc, a, b = acc&0xff800001, a&0x80818081|0x3f003f00, b&0x81818181|0x33003300
			acc = acc&0x807fffff | 0x3f800000
		case 3: // near the smallest
			acc, a, b = acc&0x80ffffff, a&0x80ff80ff|0x20002000, b&0x80ff80ff|0x1b001b00
		}
		x, y := [2]uint16{uint16(a), uint16(a >> 16)}, [2]uint16{uint16(b), uint16(b >> 16)}
		got := compute.AddProductsBF16(math.Float32frombits(acc), x, y)
		want, ok := oracleBF16(math.Float32frombits(acc), x, y)
		if ok && math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("%08x + %08x*%08x = %08x, want %08x", acc, a, b, math.Float32bits(got), math.Float32bits(want))
		}
	}
	// What lies at most half a step of 24 bits below 2^-126 becomes 2^-126, and what lies lower zero.
	least := math.Float32frombits(0x00800000)
	for _, c := range []struct {
		lost float64
		want float32
	}{{0x1p-24, 0}, {0x1.02p-25, 0}, {0x1p-25, least}, {0x1p-26, least}} {
		x := [2]uint16{0, compute.RoundBF16(float32(-c.lost * 0x1p-60))}
		y := [2]uint16{0, compute.RoundBF16(0x1p-66)}
		if got := compute.AddProductsBF16(least, x, y); got != c.want {
			t.Errorf("2^-126 * (1 - %v) becomes %v, want %v", c.lost, got, c.want)
		}
	}
}

// oracleBF16 adds two products by big.Float; ok is false where something is no number.
func oracleBF16(acc float32, a, b [2]uint16) (sum float32, ok bool) {
	zeroed := func(x float32) float64 {
		if math.Abs(float64(x)) < 0x1p-126 {
			return math.Copysign(0, float64(x))
		}
		return float64(x)
	}
	s := zeroed(acc)
	for _, l := range []int{1, 0} {
		x, y := zeroed(compute.FloatOfBF16(a[l])), zeroed(compute.FloatOfBF16(b[l]))
		if s-s != 0 || x*y-x*y != 0 {
			return 0, false
		}
		z := new(big.Float).SetPrec(2000).SetFloat64(x * y)
		z.Add(z, new(big.Float).SetPrec(2000).SetFloat64(s))
		r := new(big.Float).SetPrec(24).SetMode(big.ToNearestEven).Set(z)
		if z.Sign() == 0 {
			s = x*y + s // the sign of zero
			continue
		}
		f, _ := r.Float64()
		if s = zeroed(float32(f)); math.Abs(f) < 0x1p-126 {
			s = math.Copysign(0, f)
		}
	}
	return float32(s), s-s == 0
}
