package rng

import (
	"fmt"
	"math"
	"testing"
)

// The known answers of Random123's tests/kat_vectors for philox 4x32 10.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		ctr  [4]uint32
		key  [2]uint32
		want [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}, [2]uint32{^uint32(0), ^uint32(0)},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(c.ctr, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, want %x", c.ctr, c.key, got, c.want)
		}
	}
}

// The counter is (col low, col high, row/4 low, row/4 high), the word row%4:
// the third known answer read through the public functions.
func TestPlaceOfANumber(t *testing.T) {
	k := Key(0x299f31d0a4093822)
	col, row4 := uint64(0x85a308d3243f6a88), uint64(0x0370734413198a2e)
	for w, want := range [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1} {
		if got := k.Uint32(4*(row4&(1<<62-1))+uint64(w), col); got != k.Block(row4&(1<<62-1), col)[w] {
			t.Errorf("Uint32 word %d = %x, not the block's", w, got)
		}
		if got := k.Block(row4, col)[w]; got != want {
			t.Errorf("Block word %d = %x, want %x", w, got, want)
		}
	}
}

func TestFoldSeparates(t *testing.T) {
	seen := map[Key]string{}
	for _, k := range []Key{0, 1, 1 << 32, math.MaxUint64} {
		for id := range uint64(1000) {
			c := k.Fold(id)
			name := fmt.Sprintf("%x.Fold(%d)", uint64(k), id)
			if other, ok := seen[c]; ok {
				t.Fatalf("%s = %s", name, other)
			}
			seen[c] = name
		}
	}
}

// A chi-square over 64 bins of 2^16 draws: 63 degrees of freedom, standard
// deviation sqrt(126) = 11.2. The bound of 130 is six deviations above the
// mean; the key is fixed, so the test cannot flake.
func TestUniformIsFlat(t *testing.T) {
	const draws, bins = 1 << 16, 64
	var n [bins]float64
	var sum float64
	for i := range uint64(draws) {
		u := Key(7).Uniform(i%251, i/251)
		if u <= 0 || u >= 1 {
			t.Fatalf("Uniform = %v outside (0,1)", u)
		}
		n[int(u*bins)]++
		sum += float64(u)
	}
	var chi float64
	for _, x := range n {
		d := x - draws/bins
		chi += d * d / (draws / bins)
	}
	if chi > 130 {
		t.Errorf("chi-square %.1f over 63 degrees of freedom", chi)
	}
}

func TestNormalMoments(t *testing.T) {
	const n = 1 << 16
	var m1, m2, m4 float64
	for i := range uint64(n) {
		x := Key(3).Normal(i, 5)
		m1, m2, m4 = m1+x/n, m2+x*x/n, m4+x*x*x*x/n
	}
	// Five standard errors: 1/256, sqrt(2)/256, sqrt(96)/256.
	if math.Abs(m1) > 5/256. || math.Abs(m2-1) > 5*math.Sqrt2/256 || math.Abs(m4-3) > 5*math.Sqrt(96)/256 {
		t.Errorf("moments %v %v %v, want 0 1 3", m1, m2, m4)
	}
}

// All 24 orders of four entries, 24000 shuffles: 23 degrees of freedom,
// standard deviation 6.8; the bound is six deviations above the mean.
func TestPermuteIsFair(t *testing.T) {
	n := map[[4]int32]float64{}
	for i := range uint64(24000) {
		p := [4]int32{0, 1, 2, 3}
		Key(11).Fold(i).Permute(p[:])
		n[p]++
	}
	var chi float64
	for _, x := range n {
		chi += (x - 1000) * (x - 1000) / 1000
	}
	if len(n) != 24 || chi > 64 {
		t.Errorf("%d orders, chi-square %.1f over 23 degrees of freedom", len(n), chi)
	}
}

func ExampleKey_Fold() {
	step := Key(1).Fold(42)
	fmt.Println(step.Uniform(0, 0) == Key(1).Fold(42).Uniform(0, 0))
	fmt.Println(step.Uniform(0, 0) == Key(1).Fold(43).Uniform(0, 0))
	// Output:
	// true
	// false
}
