package rng

// The constants of Philox4x32 (Random123, philox.h).
const (
	mult0  = 0xD2511F53
	mult1  = 0xCD9E8D57
	weyl0  = 0x9E3779B9
	weyl1  = 0xBB67AE85
	rounds = 10
)

func split(k uint64) [2]uint32 { return [2]uint32{uint32(k), uint32(k >> 32)} }

// philox encrypts the counter c under the key k in ten rounds.
func philox(c [4]uint32, k [2]uint32) [4]uint32 {
	for range rounds {
		p0 := uint64(mult0) * uint64(c[0])
		p1 := uint64(mult1) * uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0)}
		k[0] += weyl0
		k[1] += weyl1
	}
	return c
}
