package recipe

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"mattis/data"
)

// The rules of Suit, which docs/data.md states.
const (
	suitRows     = 100   // rows from which on a fifth of them tests
	suitMany     = 10000 // rows from which on it is a tenth
	suitUpdates  = 6000  // about so many in all
	suitEpochs   = 400   // at most
	suitLooks    = 20    // measurements
	suitPatience = 5     // of them that are no better, in a row
	suitNLL      = 1 << 14
)

// Suit returns the text of a complete recipe that suits the rows of the file, with the reasons as
// comments: sizes by rules that look at the rows alone. path is where the recipe names them.
func (l *Look) Suit(path string) ([]byte, error) {
	d := l.Data()
	d.Path = &path
	all, err := l.recipe.load(l.Options)
	if err != nil {
		return nil, err
	}
	closed := all.Train.Rows == all.Survey().Complements && balanced(all.Train)
	few := 2*distinct(all.Train) <= all.Train.Rows
	if all.Test == nil && d.Split == nil && all.Train.Rows >= suitRows && !few {
		share := 0.2
		if all.Train.Rows >= suitMany {
			share = 0.1
		}
		o := l.Options
		o.Split, o.Test, o.Closed = "random", share, closed
		d.Split, d.Test = &o.Split, &o.Test
		if closed {
			d.Closed = &o.Closed
		}
		if all, err = l.recipe.load(o); err != nil {
			return nil, err
		}
	}
	if side := int(math.Sqrt(float64(all.Train.Pixels()))); side*side == all.Train.Pixels() && side >= 8 && all.Train.Height == 0 && d.Binarize != nil && d.Height == nil {
		d.Height, d.Width = &side, &side // greys in a square are an image
	}
	return []byte(suited(d, all, closed)), nil
}

// distinct returns the number of different rows.
func distinct(s *data.Set) int {
	rows := map[string]bool{}
	for r := range s.Rows {
		b := make([]byte, s.Visible)
		for j, x := range s.Row(r) {
			b[j] = byte(x)
		}
		rows[string(b)] = true
	}
	return len(rows)
}

// balanced reports whether all spins are up in half of the rows, within three standard errors:
// where there are as many rows as states each row's negative is there, whatever the means are.
func balanced(s *data.Set) bool {
	sum := make([]int, s.Visible)
	for r := range s.Rows {
		for j, x := range s.Row(r) {
			sum[j] += int(x)
		}
	}
	return !slices.ContainsFunc(sum, func(m int) bool { return m*m > 9*s.Rows })
}

// suited returns the recipe of data whose parts are known.
func suited(d Data, parts *data.Split, closed bool) string {
	rows, spins := parts.Train.Rows, parts.Train.Visible
	hidden := min(max(rows/20, 16), max(spins, 32), 500)
	batch := min(max(rows/32, 10), 100)
	steps := (rows + batch - 1) / batch
	epochs := min(max((suitUpdates+steps-1)/steps, 10), suitEpochs)
	every := max(epochs/suitLooks, 1)
	factor := math.Round(math.Pow(0.1, 1/float64(epochs))*1e4) / 1e4
	biases, offset, why := "both", "mean", "biases and an offset take up the means of the spins"
	if closed {
		biases, offset, why = "none", "none", "every row's negative is there, so that no bias is needed"
	}
	measures := "test: [pseudo_likelihood], train: [pseudo_likelihood]"
	stop := fmt.Sprintf(", best: {measure: pseudo_likelihood, split: test}, stop: {patience: %d}", suitPatience)
	end := "; the test set ends them where it gets no better"
	if parts.Test == nil {
		measures, stop, end = "test: [], train: [pseudo_likelihood]", "", ""
	}
	last := "last: []"
	if spins*hidden <= suitNLL {
		last = "last: [nll]"
	}
	var fields []string
	for _, f := range d.Fields() {
		fields = append(fields, f.Name+": "+f.Text)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# For %s by mattis init: %d rows of %d spins to train on", filepath.Base(*d.Path), rows, spins)
	if parts.Test != nil {
		fmt.Fprintf(&b, ", %d to test", parts.Test.Rows)
	}
	fmt.Fprintf(&b, ". Rules and what to try next: docs/data.md.\n")
	fmt.Fprintf(&b, "seed: 1\n")
	fmt.Fprintf(&b, "data: {%s}\n", strings.Join(fields, ", "))
	if v := parts.Survey(); v.Missing > 0 {
		fmt.Fprintf(&b, "# %d entries are missing, in %d rows: chains of the training draw them (positive: {kind: clamped}).\n", v.Missing, v.Gappy)
	}
	fmt.Fprintf(&b, "# As many hidden spins as visible ones, from 16 to 500, and no more than the rows allow; %s.\n", why)
	fmt.Fprintf(&b, "machine: {kind: rbm, hidden: %d, biases: %s, offset: %s}\n", hidden, biases, offset)
	fmt.Fprintf(&b, "couplings: {kind: dense, init: {normal: 0.01}}\n")
	fmt.Fprintf(&b, "# Persistent chains follow the machine, which is what a good likelihood takes.\n")
	fmt.Fprintf(&b, "negative: {kind: pcd, steps: 5, chains: 100}\n")
	fmt.Fprintf(&b, "# The rate falls to a tenth over the epochs.\n")
	fmt.Fprintf(&b, "optimizer: {kind: adam, rate: 0.003, decay: {factor: %v, after: 0, floor: 0.0003}}\n", factor)
	fmt.Fprintf(&b, "# About %d updates%s.\n", epochs*steps, end)
	fmt.Fprintf(&b, "train: {epochs: %d, batch: %d%s}\n", epochs, batch, stop)
	fmt.Fprintf(&b, "measure: {every: %d, %s, %s}\n", every, measures, last)
	return b.String()
}
