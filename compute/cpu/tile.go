package cpu

import "unsafe"

// Tiles of a product: tileVectors vectors wide and at most tileRowsMax high.
const (
	tileVectors = 3
	tileRowsMax = 8
	tileColsMax = tileVectors * 16
	tileMax     = tileRowsMax * tileColsMax
)

// tile is what an epilogue kernel gets: sums of products and what is to become
// of them. The kernels know the offsets.
type tile struct {
	y       unsafe.Pointer // rows of tileVectors vectors
	rows    int            // a multiple of 4
	columns int            // a multiple of the lanes
	bias    *float32       // nil for none
	base    *float32       // nil for none
	cosh    *float64       // eight sums a row
	factor  float32
	add     uint32 // 1: dst is added
	column  uint32 // the low word of the first column's place in the random stream
	scaled  uint32 // 1: scale and base apply
	keys    [10][2]uint32
	start   [2][4]uint32 // by group of four rows; see philoxStart
	scale   [tileRowsMax]float32
	dst     [tileRowsMax]unsafe.Pointer
	mask    [tileColsMax]uint32 // all ones for the columns that cosh counts
}

func (t *tile) call(kernel func(*byte)) { kernel((*byte)(unsafe.Pointer(t))) }

// The constants of Philox4x32 (package rng).
const (
	philoxMult0, philoxMult1 = 0xD2511F53, 0xCD9E8D57
	philoxWeyl0, philoxWeyl1 = 0x9E3779B9, 0xBB67AE85
)

// philoxKeys returns the keys of the ten rounds.
func philoxKeys(key uint64) (k [10][2]uint32) {
	k0, k1 := uint32(key), uint32(key>>32)
	for r := range k {
		k[r] = [2]uint32{k0, k1}
		k0, k1 = k0+philoxWeyl0, k1+philoxWeyl1
	}
	return k
}

// philoxStart returns what the first two rounds need beside the low word of the
// column: the words that the second multiplication of round 1 and the first of
// round 2 give, which depend on the group of rows and the high word of the
// column alone, with the round keys in.
func philoxStart(row4 uint64, colHigh uint32, k *[10][2]uint32) [4]uint32 {
	p1 := philoxMult1 * uint64(uint32(row4))
	c0 := uint32(p1>>32) ^ colHigh ^ k[0][0]
	c1 := uint32(p1)
	p0 := philoxMult0 * uint64(c0)
	return [4]uint32{uint32(row4>>32) ^ k[0][1], c1 ^ k[1][0], uint32(p0>>32) ^ k[1][1], uint32(p0)}
}
