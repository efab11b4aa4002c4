package compute

import "mattis/rng"

// Order is the order in which Scan draws the spins of a layer.
type Order uint8

const (
	Forward  Order = iota // from the first spin to the last
	Backward              // from the last to the first: the kernel that Forward is the reverse of
	AtOnce                // all spins, given Gaussian auxiliaries; its own reverse
)

// ScanOp says how Scan draws a layer s (BxN) that is coupled with itself. With the factor
// f = Factor(Alpha, LogGain) the field on spin i of row b is
//
//	x[b,i] = f * sum over j != i of (s[b,j] - m[j]) * J[j,i]  +  sum_k R[b,k] * X[k,i]
//
// to which Then adds Add and Bias and applies Scale and Base, and Then draws the spin as it draws
// those of a product: the same numbers at the same place, the same rule, Clamp. The energy is
// -(f/2) (s-m) J (s-m)^T without the diagonal of J, which takes no part.
//
// J is X^T X with the K patterns X and the overlap A = (s-m) X^T, or a symmetric matrix.
//
// Forward and Backward draw one spin after the other, each in the field of those drawn before it as
// they are now and of the others as they were. Rows do not meet, so that parts of a batch are drawn
// as the whole. In exact arithmetic (patterns of +-1, a factor and R that are multiples of a power
// of two) the spins are those that a loop over the spins draws, each from the product for its
// field.
//
// AtOnce draws, for W = sqrt(f) X^T, the auxiliaries z[b,k] ~ N(sqrt(beta) (s-m) W, 1) with beta =
// Scale[b], and given these all spins, which are then independent:
//
//	x[b,i] = sqrt(f/beta) * z[b] X_i + sum_k R[b,k] * X[k,i] + f * d[i] * m[i]     d[i] = sum_k X[k,i]^2
//
// Its stationary law is that of the other two; it moves less where the machine is cold. It wants
// patterns and f >= 0.
type ScanOp struct {
	Patterns Matrix // X, KxN Float32
	Overlap  Matrix // A, BxK Float32: of s as it comes; set to that of the spins drawn
	Rest     Matrix // R, BxK Float32 or none: overlaps of other layers, with the factors of their pairs
	Dense    Matrix // J, NxN Float32, in place of the three above
	Offset   Matrix // m, 1xN Float32 or none
	Alpha    float64
	LogGain  Matrix // 1x1 Float32 or none
	Order    Order
	Normals  rng.Key  // AtOnce: that of the auxiliaries, whose places are (Then.Row+b, k)
	Then     Epilogue // of Kind Spin, without LogCosh
}
