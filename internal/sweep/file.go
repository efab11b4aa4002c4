// Package sweep implements sweeps: one recipe trained many times, on a grid of settings, on settings
// drawn at random, and on several seeds, each in a run directory of its own, and one table of them all.
package sweep

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mattis/eval"
	"mattis/recipe"
	"mattis/rng"
)

// File is what a sweep's YAML file holds.
type File struct {
	Recipe string           `yaml:"recipe"` // a file, or a built-in name
	Grid   map[string][]any `yaml:"grid"`   // the values of a path of the recipe; all combinations are trained
	Random *Random          `yaml:"random"` // and all of them with each of these draws
	Seeds  int              `yaml:"seeds"`  // of every combination, from the recipe's seed on; 0 is 1
	Best   *Best            `yaml:"best"`   // what tells good combinations from bad ones
}

// Random draws combinations.
type Random struct {
	Count int            `yaml:"count"`
	Seed  uint64         `yaml:"seed"`
	Draw  map[string]any `yaml:"draw"` // of a path: {log: [a, b]}, {uniform: [a, b]} or a list of values
}

// Best is the measure by which combinations are compared: its value at the end, as a mean over seeds.
type Best struct {
	Measure string `yaml:"measure"`
	Split   string `yaml:"split"`
	Goal    string `yaml:"goal"` // min or max; empty takes the measure's own
}

const mostPoints = 100_000

// Read reads a sweep and returns it with its points.
func Read(path string) (*Sweep, error) {
	var f File
	if err := recipe.Decode(path, &f); err != nil {
		return nil, err
	}
	s := &Sweep{File: f}
	if err := s.plan(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// plan finds the recipe and makes the points.
func (s *Sweep) plan(path string) error {
	if s.Recipe == "" {
		return errors.New("recipe is missing: want a file or a built-in name")
	}
	if _, builtin := recipe.Builtin(s.Recipe); !builtin && !filepath.IsAbs(s.Recipe) {
		beside := filepath.Join(filepath.Dir(path), s.Recipe)
		if _, err := os.Stat(s.Recipe); err != nil {
			if _, err := os.Stat(beside); err == nil {
				s.Recipe = beside
			}
		}
	}
	base, err := recipe.Load(s.Recipe)
	if err != nil {
		return err
	}
	if s.Seeds == 0 {
		s.Seeds = 1
	}
	if s.Seeds < 1 || s.Seeds > mostPoints {
		return fmt.Errorf("seeds: %d is out of range, want 1 to %d", s.Seeds, mostPoints)
	}
	if err := s.checkBest(base); err != nil {
		return err
	}
	combinations, err := s.combinations()
	if err != nil {
		return err
	}
	s.Points = points(s.Paths, combinations, s.Seeds, base.Seed)
	return s.check()
}

// check finds the points that are no recipes before any is trained. A sweep of which none is one is
// refused: then it is the sweep that is wrong.
func (s *Sweep) check() error {
	wrong := 0
	for i := range s.Points {
		p := &s.Points[i]
		if _, err := recipe.Load(s.Recipe, p.settings...); err != nil {
			p.fault = strings.ReplaceAll(strings.ReplaceAll(err.Error(), "--set ", ""), "\n", "; ")
			wrong++
		}
	}
	if wrong > 0 && wrong == len(s.Points) {
		return fmt.Errorf("no point is a recipe: %s: %s", s.Points[0].Key, s.Points[0].fault)
	}
	return nil
}

func (s *Sweep) checkBest(base *recipe.Recipe) error {
	b := s.Best
	if b == nil {
		return nil
	}
	m, err := eval.Named(b.Measure)
	if err != nil {
		return fmt.Errorf("best.measure: %w", err)
	}
	switch {
	case b.Goal == "min":
		s.goal = eval.Least
	case b.Goal == "max":
		s.goal = eval.Greatest
	case b.Goal != "":
		return fmt.Errorf("best.goal: %q, want min or max", b.Goal)
	case m.Goal == eval.NoGoal:
		return fmt.Errorf("best.goal is missing: of %s neither small nor great values are better", b.Measure)
	default:
		s.goal = m.Goal
	}
	if m.Data != eval.NeedsData {
		if b.Split != "" {
			return fmt.Errorf("best.split: %q has no meaning for %s, a measure of the machine alone", b.Split, b.Measure)
		}
		return nil
	}
	if b.Split == "" {
		b.Split = "test"
	}
	if b.Split != "test" && b.Split != "train" {
		return fmt.Errorf("best.split: %q, want test or train", b.Split)
	}
	return nil
}

// combinations returns the values of Paths, which it sets, of every point without its seed.
func (s *Sweep) combinations() ([][]value, error) {
	list := [][]value{nil}
	for _, path := range slices.Sorted(maps.Keys(s.Grid)) {
		if err := s.path(path); err != nil {
			return nil, fmt.Errorf("grid: %w", err)
		}
		values, err := valuesOf(s.Grid[path])
		if err != nil {
			return nil, fmt.Errorf("grid.%s: %w", path, err)
		}
		if list, err = product(list, values); err != nil {
			return nil, err
		}
	}
	if s.Random == nil {
		return s.sorted(list), nil
	}
	draws, err := s.draws()
	if err != nil {
		return nil, fmt.Errorf("random: %w", err)
	}
	if len(list)*len(draws) > mostPoints {
		return nil, fmt.Errorf("more than %d points", mostPoints)
	}
	var all [][]value
	for _, a := range list {
		for _, b := range draws {
			all = append(all, slices.Concat(a, b))
		}
	}
	return s.sorted(all), nil
}

// path adds a path that the sweep sets.
func (s *Sweep) path(path string) error {
	if path == "seed" {
		return errors.New("seed is set by seeds: N")
	}
	if slices.Contains(s.Paths, path) {
		return fmt.Errorf("%s is in grid and in random", path)
	}
	s.Paths = append(s.Paths, path)
	return nil
}

// sorted orders the values of every combination as the paths are ordered by name.
func (s *Sweep) sorted(list [][]value) [][]value {
	order := make([]int, len(s.Paths))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(s.Paths[a], s.Paths[b]) })
	for k, c := range list {
		again := make([]value, len(c))
		for i, from := range order {
			again[i] = c[from]
		}
		list[k] = again
	}
	slices.Sort(s.Paths)
	return list
}

func product(list [][]value, values []value) ([][]value, error) {
	if len(list)*len(values) > mostPoints {
		return nil, fmt.Errorf("more than %d points", mostPoints)
	}
	var all [][]value
	for _, c := range list {
		for _, v := range values {
			all = append(all, append(slices.Clip(c), v))
		}
	}
	return all, nil
}

// draws returns the values of every draw. What is drawn for a path depends on the seed, the path and
// the number of the draw alone.
func (s *Sweep) draws() ([][]value, error) {
	r := s.Random
	if r.Count < 1 || r.Count > mostPoints {
		return nil, fmt.Errorf("count: %d is out of range, want 1 to %d", r.Count, mostPoints)
	}
	if len(r.Draw) == 0 {
		return nil, errors.New("draw is missing: want paths and what is drawn for them")
	}
	list := make([][]value, r.Count)
	for _, path := range slices.Sorted(maps.Keys(r.Draw)) {
		if err := s.path(path); err != nil {
			return nil, err
		}
		draw, err := drawer(r.Draw[path])
		if err != nil {
			return nil, fmt.Errorf("draw.%s: %w", path, err)
		}
		key := rng.Key(r.Seed).Fold(nameKey(path))
		for k := range list {
			list[k] = append(list[k], draw(key.Uniform64(uint64(k), 0)))
		}
	}
	return list, nil
}

// drawer returns the law of a path: the value at a number that is uniform on (0,1).
func drawer(law any) (func(u float64) value, error) {
	if list, ok := law.([]any); ok {
		values, err := valuesOf(list)
		if err != nil {
			return nil, err
		}
		return func(u float64) value { return values[int(u*float64(len(values)))] }, nil
	}
	want := errors.New("want {log: [a, b]}, {uniform: [a, b]} or a list of values")
	m, ok := law.(map[string]any)
	if !ok || len(m) != 1 {
		return nil, want
	}
	for name, ends := range m {
		pair, ok := ends.([]any)
		if !ok || len(pair) != 2 || name != "log" && name != "uniform" {
			return nil, want
		}
		a, wholeA, okA := number(pair[0])
		b, wholeB, okB := number(pair[1])
		switch {
		case !okA || !okB || !(a < b):
			return nil, fmt.Errorf("%s: want two numbers, the smaller one first", name)
		case name == "log" && a <= 0:
			return nil, fmt.Errorf("log: %v has no logarithm, want numbers above 0", a)
		}
		return func(u float64) value {
			x := a + u*(b-a)
			if wholeA && wholeB {
				x = a + u*(b-a+1) - 0.5
			}
			if name == "log" {
				x = math.Exp(math.Log(a) + u*(math.Log(b)-math.Log(a)))
			}
			return rounded(min(max(x, a), b), wholeA && wholeB)
		}, nil
	}
	return nil, want
}
