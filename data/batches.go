package data

import "mattis/rng"

// Order sets dst to the numbers 0 to len(dst)-1 in an order chosen by the key,
// each order equally likely: the rows of one epoch.
func Order(dst []int32, key rng.Key) {
	for i := range dst {
		dst[i] = int32(i)
	}
	key.Permute(dst)
}

// Batches returns the number of batches in an epoch of rows, the short last
// one counted.
func Batches(rows, size int) int {
	if rows == 0 {
		return 0
	}
	return (rows-1)/size + 1
}

// Batch returns batch i of an order, a view of length size, or of what is left
// for the last.
func Batch(order []int32, size, i int) []int32 {
	rest := order[i*size:]
	return rest[:min(len(rest), size)]
}
