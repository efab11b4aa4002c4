package eval_test

import (
	"slices"
	"testing"

	"mattis/eval"
	"mattis/rng"
)

// noisy returns n copies of the row, each spin turned with a chance.
func noisy(row []int8, n int, chance float64, key rng.Key) []int8 {
	x := slices.Repeat(row, n)
	for i := range x {
		if float64(key.Uniform(uint64(i), 0)) < chance {
			x[i] = -x[i]
		}
	}
	return x
}

// What is told apart and what is not: clouds round two states, also where each source has some of
// both; a state and its negative, but where they are one; a narrow cloud in the midst of fair
// coins, whose overlaps with these are those of coins among themselves; and not the two halves of a
// family with a continuous parameter.
func TestGroups(t *testing.T) {
	const v = 400
	rows := randomRows(2, v, 1)
	a, b := rows[0], rows[1]
	minus := make([]int8, v)
	for i, x := range a {
		minus[i] = -x
	}
	var coins, bars []int8
	for _, r := range randomRows(40, v, 2) {
		coins = append(coins, r...)
	}
	for i := range 40 { // the first spins up, the others down: any number of them
		up := rng.Key(3).Intn(v, 0, uint64(i))
		bar := make([]int8, v)
		for j := range bar {
			bar[j] = -1
			if j < up {
				bar[j] = 1
			}
		}
		bars = append(bars, noisy(bar, 1, 0.05, rng.Key(50+i))...)
	}
	for _, c := range []struct {
		name    string
		sources [][]int8
		fold    bool
		want    []int // sizes of the groups
	}{
		{"two states", [][]int8{noisy(a, 20, 0.1, 4), noisy(b, 12, 0.1, 5)}, false, []int{20, 12}},
		{"two states in each source", [][]int8{append(noisy(a, 10, 0.1, 4), noisy(b, 8, 0.1, 5)...), append(noisy(b, 4, 0.1, 6), noisy(a, 9, 0.1, 7)...)}, false, []int{19, 12}},
		{"one state in two sources", [][]int8{noisy(a, 20, 0.2, 4), noisy(a, 12, 0.2, 5)}, false, []int{32}},
		{"a state and its negative", [][]int8{noisy(a, 20, 0.1, 4), noisy(minus, 12, 0.1, 5)}, false, []int{20, 12}},
		{"the same where they are one", [][]int8{noisy(a, 20, 0.1, 4), noisy(minus, 12, 0.1, 5)}, true, []int{32}},
		{"a state among coins", [][]int8{coins, noisy(a, 30, 0.1, 4)}, false, []int{40, 30}},
		{"a family", [][]int8{bars[:20*v], bars[20*v:]}, false, []int{40}},
		{"all equal", [][]int8{slices.Repeat(a, 9), slices.Repeat(b, 3)}, false, []int{9, 3}},
		{"one row", [][]int8{a, nil}, false, []int{1}},
	} {
		var sizes []int
		for _, g := range eval.Groups(c.sources, v, c.fold) {
			sizes = append(sizes, len(g))
		}
		if !slices.Equal(sizes, c.want) {
			t.Errorf("%s: groups of %v, want %v", c.name, sizes, c.want)
		}
	}
}
