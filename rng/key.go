// Package rng implements counter-based random numbers: the Philox4x32-10
// generator of Salmon et al. (SC 2011, "Parallel random numbers: as easy as
// 1, 2, 3") addressed by place.
//
// A Key is a value, not a source: the number at (row, col) of a key's stream
// is a pure function of the three, so the same numbers come out for any number
// of threads, on any engine, and after any interruption.
package rng

import (
	"math"
	"math/bits"
)

// Key names one stream of random numbers. Equal keys give equal streams; a new
// purpose (a step, a phase, a layer) takes a new key by Fold.
type Key uint64

// foldDomain separates the keys that Fold derives from the numbers that Block
// draws under the same key. It is the golden ratio in 64 bits.
const foldDomain = 0x9E3779B97F4A7C15

// Fold returns the child key number id. Children of one key are independent of
// each other and of the numbers drawn under the parent.
func (k Key) Fold(id uint64) Key {
	b := philox([4]uint32{uint32(id), uint32(id >> 32), 0, 0}, split(uint64(k)^foldDomain))
	return Key(uint64(b[0]) | uint64(b[1])<<32)
}

// Block returns four 32-bit words: word w belongs to place (4*row4+w, col).
// The numbering by groups of four rows lets a vector register hold neighbouring
// columns, whatever its width.
func (k Key) Block(row4, col uint64) [4]uint32 {
	return philox([4]uint32{uint32(col), uint32(col >> 32), uint32(row4), uint32(row4 >> 32)}, split(uint64(k)))
}

// Uint32 returns the 32 random bits at (row, col).
func (k Key) Uint32(row, col uint64) uint32 {
	return k.Block(row/4, col)[row%4]
}

// Uint64 returns 64 random bits at (row, col): the first two words of a block
// that no (row, col) of Uint32 under the same key should be read beside.
func (k Key) Uint64(row, col uint64) uint64 {
	b := k.Block(row, col)
	return uint64(b[0]) | uint64(b[1])<<32
}

// Uniform returns the number at (row, col), uniform on the 2^24 midpoints of
// (0,1): never 0 and never 1.
func (k Key) Uniform(row, col uint64) float32 {
	return (float32(k.Uint32(row, col)>>8) + 0.5) * 0x1p-24
}

// Uniform64 returns the number at (row, col) of Uint64, uniform on the 2^53 midpoints of (0,1).
func (k Key) Uniform64(row, col uint64) float64 {
	return (float64(k.Uint64(row, col)>>11) + 0.5) * 0x1p-53
}

// Normal returns the standard normal number at (row, col), by Box and Muller's
// transform of one block.
func (k Key) Normal(row, col uint64) float64 {
	b := k.Block(row, col)
	u := (float64(uint64(b[0])<<21^uint64(b[1])>>11) + 0.5) * 0x1p-53
	t := (float64(uint64(b[2])<<21^uint64(b[3])>>11) + 0.5) * 0x1p-53
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*t)
}

// Intn returns the integer at (row, col), uniform on [0,n) up to a bias of
// n/2^64. It panics if n <= 0.
func (k Key) Intn(n int, row, col uint64) int {
	if n <= 0 {
		panic("rng: Intn of a range that is not positive")
	}
	hi, _ := bits.Mul64(k.Uint64(row, col), uint64(n))
	return int(hi)
}

// Permute shuffles p in place by Fisher and Yates's method; every order of the
// entries is equally likely.
func (k Key) Permute(p []int32) {
	for i := len(p) - 1; i > 0; i-- {
		j := k.Intn(i+1, 0, uint64(i))
		p[i], p[j] = p[j], p[i]
	}
}
