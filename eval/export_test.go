package eval

import (
	"context"
	"maps"
	"slices"

	"gonum.org/v1/gonum/integrate"

	"mattis/bm"
	"mattis/rng"
)

// Ultrametricity is what the measure says of the overlaps q of n samples.
func Ultrametricity(q []float32, n int, fold bool, key rng.Key) (ratio, stderr, k float64) {
	return distances{q, n, fold}.ultrametricity(key)
}

// SetPartSpins bounds the spins held at once, and returns the undo.
func SetPartSpins(n int) (undo func()) {
	old := partSpins
	partSpins = n
	return func() { partSpins = old }
}

// SetAffordableTerms bounds the exact sums that are taken unasked, and returns the undo.
func SetAffordableTerms(n int) (undo func()) {
	old := affordableTerms
	affordableTerms = n
	return func() { affordableTerms = old }
}

// ReaderKeys returns the groups and the options that measures are said to read.
func ReaderKeys() []string {
	keys := map[string]bool{}
	for _, m := range Measures {
		for _, name := range m.reads {
			keys[name] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// LogMean returns what weigh makes of log weights.
func LogMean(logs []float64) (value, stderr, ess float64, warnings []string) {
	w := weigh(logs)
	return w.logMean, w.stderr, w.ess, w.warn("AIS", len(logs))
}

// Bennett returns what bennett makes of log weights.
func Bennett(forward, reverse []float64) (d, stderr, overlap float64) {
	b := bennett(forward, reverse)
	return b.d, b.stderr, b.overlap
}

// Critical returns the inverse temperature at which spins begin to order.
var Critical = critical

// DrawStart returns n visible configurations of the start, row after row.
func DrawStart(s Start, n int, key rng.Key) ([]int8, error) {
	return s.draw(context.Background(), n, key)
}

// Integrals returns the integral of f over x by Simpson's rule, by the shifted one and by their mean.
func Integrals(x, f []float64) [3]float64 {
	return [3]float64{integrate.Simpsons(x, f), shifted(x, f), integral(x, f)}
}

// Groups returns the groups that rows of so many spins fall into, those of each source being one at first.
func Groups(sources [][]int8, spins int, fold bool) [][]int {
	var rows []int8
	var first [][]int
	n := 0
	for _, s := range sources {
		var members []int
		for range len(s) / spins {
			members = append(members, n)
			n++
		}
		first, rows = append(first, members), append(rows, s...)
	}
	return groupRows(pack(rows, spins), first, fold).groups
}

// WriteLeft sets the layers of the state on the left side of the data view to rows of them.
func WriteLeft(m *bm.Machine, s bm.State, rows []int8) { leftOf(m).write(s, rows) }
