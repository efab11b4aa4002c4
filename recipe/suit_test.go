package recipe

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suitOf returns the recipe that suits the rows, written as 0 and 1.
func suitOf(t *testing.T, rows [][]int) string {
	t.Helper()
	var b strings.Builder
	for _, row := range rows {
		for _, x := range row {
			fmt.Fprint(&b, x)
		}
		b.WriteByte('\n')
	}
	path := filepath.Join(t.TempDir(), "rows.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	look, err := LookAt(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := look.Suit(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("suit", text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// drawn returns rows of independent spins that are up with probability p.
func drawn(rows, spins int, p float64) [][]int {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([][]int, rows)
	for r := range all {
		all[r] = make([]int, spins)
		for j := range all[r] {
			if random.Float64() < p {
				all[r][j] = 1
			}
		}
	}
	return all
}

// All states of a few spins are in many rows, so that each row's negative is there: that says nothing of the means, and a
// test set of states that training never sees would say nothing of the machine.
func TestSuitOfFewStates(t *testing.T) {
	skewed := drawn(5000, 4, 0.3)
	text := suitOf(t, skewed)
	for _, want := range []string{"biases: both, offset: mean", "data: {name: csv, path: ", "# About 6000 updates.\n", "test: [], train: [pseudo_likelihood]"} {
		if !strings.Contains(text, want) {
			t.Errorf("skewed rows of few states: no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "split") || strings.Contains(text, "best:") {
		t.Errorf("a test set of rows of few states:\n%s", text)
	}
	var even [][]int
	for range 300 {
		for s := range 16 {
			even = append(even, []int{s & 1, s >> 1 & 1, s >> 2 & 1, s >> 3})
		}
	}
	if text := suitOf(t, even); !strings.Contains(text, "biases: none, offset: none") {
		t.Errorf("rows and their negatives, equally often:\n%s", text)
	}
}

// Rows most of which are there once are split.
func TestSuitOfManyStates(t *testing.T) {
	text := suitOf(t, drawn(400, 20, 0.3))
	for _, want := range []string{"split: random, test: 0.2", "best: {measure: pseudo_likelihood, split: test}", "the test set ends them where it gets no better"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
