package eval

import "mattis/rng"

// Ultrametricity is what the measure says of the overlaps q of n samples.
func Ultrametricity(q []float32, n int, fold bool, key rng.Key) (ratio, k float64) {
	return distances{q, n, fold}.ultrametricity(key)
}

// SetPartSpins bounds the spins held at once, and returns the undo.
func SetPartSpins(n int) (undo func()) {
	old := partSpins
	partSpins = n
	return func() { partSpins = old }
}
