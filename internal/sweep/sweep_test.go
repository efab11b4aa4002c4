package sweep

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mattis/compute"
	"mattis/compute/cpu"
	"mattis/eval"
	"mattis/run"
)

func readSweep(t *testing.T, text string) (*Sweep, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return Read(path)
}

func mustRead(t *testing.T, text string) *Sweep {
	t.Helper()
	s, err := readSweep(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Values of each law lie between its ends and have its median: of 2000 draws, 1000 below it with a
// standard deviation of 22; 5 of them are exceeded with a probability of 6e-7.
func TestDraws(t *testing.T) {
	s := mustRead(t, `recipe: bars
random:
  count: 2000
  seed: 4
  draw:
    optimizer.rate: {log: [1.0e-4, 1.0]}
    optimizer.momentum: {uniform: [0.2, 0.8]}
    machine.hidden: {uniform: [3, 6]}
    train.epochs: {log: [10, 1000]}
    negative.kind: [cd, pcd]
`)
	laws := map[string]struct {
		low, high, median float64
		whole             bool
	}{
		"optimizer.rate":     {1e-4, 1, 1e-2, false},
		"optimizer.momentum": {0.2, 0.8, 0.5, false},
		"machine.hidden":     {3, 6, 4.5, true},
		"train.epochs":       {10, 1000, 100.5, true},
	}
	if len(s.Points) < 1990 { // a draw may be there twice
		t.Errorf("%d points of 2000 draws", len(s.Points))
	}
	seen := map[string]bool{}
	for i, path := range s.Paths {
		law, number := laws[path]
		below := 0
		for _, p := range s.Points {
			seen[p.Values[i]] = true
			x, err := strconv.ParseFloat(p.Values[i], 64)
			if !number {
				if p.Values[i] == "cd" {
					below++
				}
				continue
			}
			if err != nil || x < law.low || x > law.high || law.whole && x != math.Trunc(x) {
				t.Fatalf("%s = %s, %v, want from %v to %v", path, p.Values[i], err, law.low, law.high)
			}
			if x < law.median {
				below++
			}
		}
		if math.Abs(float64(below)-float64(len(s.Points))/2) > 112 {
			t.Errorf("%s: %d of %d are below the median %v", path, below, len(s.Points), law.median)
		}
	}
	for _, want := range []string{"3", "4", "5", "6", "10", "cd", "pcd"} {
		if !seen[want] {
			t.Errorf("%s is never drawn", want)
		}
	}
}

// Keys name one point each, whatever is in the values, and are names of directories.
func TestKeys(t *testing.T) {
	long := strings.Repeat("a", 200)
	var combinations [][]value
	for _, labels := range []any{long + "b", long + "c", "a/b", "a b", "ä", "a"} {
		for _, update := range []any{[]any{}, []any{"sign"}, []any{map[string]any{"clip": 1}}} {
			values, err := valuesOf([]any{labels, update})
			if err != nil {
				t.Fatal(err)
			}
			combinations = append(combinations, values)
		}
	}
	seen := map[string]bool{}
	for _, p := range points([]string{"data.labels", "project.update"}, combinations, 2, 1) {
		if seen[p.Key] || len(p.Key) > longestKey || strings.ContainsAny(p.Key, `/\ "{}[]:*?<>|`) {
			t.Errorf("key %q", p.Key)
		}
		seen[p.Key] = true
	}
	if len(seen) != 36 {
		t.Errorf("%d points, want 36", len(seen))
	}
}

// A ranking is by the mean over seeds, and has none of which a seed failed or was not measured.
func TestRanking(t *testing.T) {
	s := &Sweep{File: File{Seeds: 2, Best: &Best{Measure: "hamming", Split: "test"}}, Paths: []string{"a"}, goal: eval.Least}
	result := func(a string, seed uint64, value float64, state string) Result {
		return Result{Point: Point{Key: a, Values: []string{a}, Seed: seed}, State: state,
			Metrics: []run.Metric{{Name: "hamming", Split: "test", Value: value}}}
	}
	list := []Result{
		result("1", 1, 0.4, run.Ended), result("1", 2, 0.2, run.Ended),
		result("2", 1, 0, run.Ended), result("2", 2, 0, run.Failed),
		result("3", 1, 0.1, run.Ended), result("3", 2, 0.3, run.Diverged),
		result("4", 1, 0, run.Ended), result("4", 2, math.NaN(), run.Ended),
	}
	ranks, err := s.Ranking(list)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range ranks {
		order = append(order, r.Settings)
	}
	if !slices.Equal(order, []string{"a=3", "a=1"}) || math.Abs(ranks[0].Mean-0.2) > 1e-15 || math.Abs(ranks[0].Stderr-0.1) > 1e-15 {
		t.Errorf("%+v", ranks)
	}
	s.goal = eval.Greatest
	if ranks, _ = s.Ranking(list); ranks[0].Settings != "a=1" {
		t.Errorf("the greatest: %+v", ranks)
	}
	s.Best.Measure = "nll_exact"
	if _, err := s.Ranking(list); err == nil || !strings.Contains(err.Error(), "nll_exact test is not measured at the end") {
		t.Errorf("not measured: %v", err)
	}
}

// Points that are no recipes, out of range or impossible together, are told before anything is trained,
// whatever their order; the others are trained.
func TestPointsAreCheckedFirst(t *testing.T) {
	s := mustRead(t, "recipe: bars\ngrid: {train.epochs: [1, -3], machine.hidden: [0, 5], data.size: [4]}")
	var log []string
	_, err := s.Run(t.Context(), Options{
		Out: t.TempDir(), Threads: 1,
		Engine: func(int) compute.Engine { log = append(log, "trained"); return cpu.New(1) },
		Failed: func(p Point, message string) { log = append(log, p.Values[1]+" "+p.Values[2]+" "+message) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(log) != 4 || log[3] != "trained" {
		t.Fatalf("%q", log)
	}
	for i, want := range []string{"0 -3 ", "0 1 ", "5 -3 "} {
		if !strings.HasPrefix(log[i], want) || !strings.Contains(log[i], "out of range") {
			t.Errorf("%q, want %s... out of range", log[i], want)
		}
	}
	list, err := s.Look(t.TempDir())
	if err != nil || list[0].State != run.Failed || list[3].State != unbegun {
		t.Errorf("listed: %+v, %v", list, err)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"grid: {optimizer.rate: [1]}":                                                        "recipe is missing",
		"recipe: nothing":                                                                    `recipe "nothing" is neither a file nor built in`,
		"recipe: bars\nseeds: -1":                                                            "seeds: -1 is out of range",
		"recipe: bars\ngrid: {optimizer.rate: []}":                                           "grid.optimizer.rate: no values",
		"recipe: bars\ngrid: {optimizer.rate: [.nan]}":                                       "NaN is no value of a recipe",
		"recipe: bars\nrandom: {count: 0, draw: {a: [1]}}":                                   "random: count: 0 is out of range",
		"recipe: bars\nrandom: {count: 1}":                                                   "random: draw is missing",
		"recipe: bars\nrandom: {count: 1, draw: {a: {norm: [0, 1]}}}":                        "want {log: [a, b]}, {uniform: [a, b]} or a list",
		"recipe: bars\nrandom: {count: 1, draw: {a: {uniform: [1, 0]}}}":                     "want two numbers, the smaller one first",
		"recipe: bars\ngrid: {a: [1]}\nrandom: {count: 1, draw: {a: [1]}}":                   "a is in grid and in random",
		"recipe: bars\nbest: {measure: accuracy}":                                            `best.measure: "accuracy" is no measure`,
		"recipe: bars\nbest: {measure: hamming, goal: small}":                                `best.goal: "small", want min or max`,
		"recipe: bars\nbest: {measure: hamming, split: all}":                                 `best.split: "all", want test or train`,
		"recipe: bars\nbest: {measure: logz, goal: max, split: test}":                        "best.split: \"test\" has no meaning for logz",
		"recipe: bars\nrandom: {count: 100000, draw: {a: [1]}}\ngrid: {b: [1, 2]}":           "more than 100000 points",
		"recipe: bars\ngrid: {optimizer.rate: [0.1]}\nrandom: {count: 1, draw: {seed: [1]}}": "seed is set by seeds: N",
	} {
		if _, err := readSweep(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
