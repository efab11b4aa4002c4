package eval

// SetPartSpins bounds the spins held at once, and returns the undo.
func SetPartSpins(n int) (undo func()) {
	old := partSpins
	partSpins = n
	return func() { partSpins = old }
}
