package data

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mattis/rng"
)

// Memories are fair coins of the key alone: as many as asked for, another set under another key, rows that overlap
// as independent ones do.
func TestMemories(t *testing.T) {
	s, err := Memories(Options{Size: 500, Count: 40, Key: 3})
	if err != nil || s.Test != nil || s.Train.Rows != 40 || s.Train.Visible != 500 || s.Train.Height != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	again, _ := Memories(Options{Size: 500, Count: 40, Key: 3})
	other, _ := Memories(Options{Size: 500, Count: 40, Key: 4})
	if s.Train.Digest() != again.Train.Digest() || s.Train.Digest() == other.Train.Digest() {
		t.Error("the rows are no function of the key")
	}
	sum, worst := 0, 0.0
	for i := range 40 {
		for j := range i + 1 {
			dot := 0
			for k, x := range s.Train.Row(i) {
				if i == j {
					sum += int(x)
				}
				dot += int(x) * int(s.Train.Row(j)[k])
			}
			if i != j {
				worst = max(worst, math.Abs(float64(dot)))
			}
		}
	}
	if math.Abs(float64(sum)) > 5*math.Sqrt(20000) || worst > 5*math.Sqrt(500) || worst < math.Sqrt(500) { // of 780 pairs, five deviations
		t.Errorf("the spins add up to %d, two rows overlap by up to %v", sum, worst)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Size: -1}, "data.size: -1 is out of range for memories: 1 to 65536"},
		{Options{Count: -2}, "data.count: -2 is out of range for memories: 1 to 65536"},
		{Options{Size: 65536, Count: 65536}, "data.count: 65536 rows of 65536 spins are more than the 16777216 that are made at most"},
		{Options{Test: 0.2}, "data.test has no meaning for memories: leave it out"},
	} {
		if _, err := Memories(c.o); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.o, err, c.want)
		}
	}
	if _, err := Bars(Options{Size: 17}); err == nil || !strings.Contains(err.Error(), "2 to 16") {
		t.Errorf("bars of 17: %v", err)
	}
}

// Flip turns exactly the nearest number of spins to the share, others under another key, and each place under some.
func TestFlip(t *testing.T) {
	src := make([]int8, 30)
	for i := range src {
		src[i] = int8(i%2*2 - 1)
	}
	for share, want := range map[float64]int{0: 0, 0.1: 3, 0.5: 13, 1: 25} { // of 25
		seen := make([]bool, 25)
		for key := range rng.Key(100) {
			dst, flipped := make([]int8, 25), 0
			Flip(dst, src, share, key)
			for i := range dst {
				if dst[i] == -src[i] {
					flipped++
					seen[i] = true
				}
			}
			if flipped != want {
				t.Fatalf("%v of 25: %d flipped, want %d", share, flipped, want)
			}
		}
		if slices.Contains(seen, want == 0) { // that one of 100 keys leaves a place out of 3 flips has a chance of 1e-4
			t.Errorf("%v of 25: flipped are %v", share, seen)
		}
	}
}
