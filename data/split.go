package data

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mattis/rng"
)

// Split is a data set in its parts.
type Split struct {
	Train      *Set
	Test       *Set   // or nil
	Validation *Set   // the last rows of the training file, or nil
	Family     Family // all images of Bars or BAS; nil for other sets
}

// Sets are the names of the sets of a split.
var Sets = []string{"train", "test", "validation"}

// Set returns the set of that name, nil where the split has none or is nil.
func (s *Split) Set(name string) *Set {
	switch {
	case s == nil:
	case name == "train":
		return s.Train
	case name == "test":
		return s.Test
	case name == "validation":
		return s.Validation
	}
	return nil
}

// Random returns the rows of s in two new sets: a test set with the given
// fraction of the rows, in (0,1), chosen by the key, and the rest. Closed keeps
// equal rows, and rows that are each other's negative, on one side; the
// fraction is then met as nearly as the groups allow. Both sets keep the order
// of s.
func (s *Set) Random(fraction float64, closed bool, key rng.Key) (train, test *Set, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("data.test: %v is not a fraction in (0,1), such as 0.2", fraction)
	}
	group, groups := s.groups(closed) // row -> group
	size := make([]int, groups)
	for _, g := range group {
		size[g]++
	}
	order := make([]int32, groups)
	Order(order, key)
	want := fraction * float64(s.Rows)
	held := make([]bool, groups)
	n := 0
	for _, g := range order {
		if math.Abs(float64(n+size[g])-want) <= math.Abs(float64(n)-want) {
			held[g] = true
			n += size[g]
		}
	}
	if n == 0 || n == s.Rows {
		return nil, nil, fmt.Errorf("data.test: a fraction of %v of %d rows (groups that stay together: %d) leaves one side empty", fraction, s.Rows, groups)
	}
	var rows [2][]int32
	for r, g := range group {
		side := 0
		if held[g] {
			side = 1
		}
		rows[side] = append(rows[side], int32(r))
	}
	return s.Take(rows[0]).named(s.Name + " train"), s.Take(rows[1]).named(s.Name + " test"), nil
}

// groups returns the group of each row and the number of groups. Without
// closed each row is a group of its own.
func (s *Set) groups(closed bool) (group []int32, n int) {
	group = make([]int32, s.Rows)
	if !closed {
		for r := range group {
			group[r] = int32(r)
		}
		return group, s.Rows
	}
	seen := make(map[string]int32)
	bits := make([]byte, (s.Visible+7)/8)
	for r := range group {
		row := s.Row(r)
		clear(bits)
		for j, v := range row {
			if v != row[0] { // the same for a row and its negative
				bits[j/8] |= 1 << (j % 8)
			}
		}
		g, ok := seen[string(bits)]
		if !ok {
			g = int32(len(seen))
			seen[string(bits)] = g
		}
		group[r] = g
	}
	return group, len(seen)
}

func (s *Set) named(name string) *Set {
	s.Name = name
	return s
}

// fraction returns the fraction of rows in the test set of a random split.
func (o Options) fraction() float64 {
	if o.Test == 0 {
		return 0.2
	}
	return o.Test
}

// splitFamily splits all images of a made set at random, or not at all.
func (o Options) splitFamily(all *Set, f Family) (*Split, error) {
	switch o.Split {
	case "", "paper", "random":
		train, test, err := all.Random(o.fraction(), o.Closed, o.Key.Fold(streamSplit))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", all.Name, err)
		}
		return &Split{Train: train, Test: test, Family: f}, nil
	case "all":
		return &Split{Train: all, Family: f}, nil
	}
	return nil, fmt.Errorf("data.split: %q is none of paper, random, all", o.Split)
}

// splitFiles makes the parts of what was read: test is nil where there is no
// test file.
func (o Options) splitFiles(train, test *Set) (*Split, error) {
	train = train.limit(o.Limit)
	if test != nil {
		test = test.limit(o.Limit)
	}
	switch o.Split {
	case "":
	case "files":
		if test == nil {
			return nil, fmt.Errorf("data.split: files needs a test file: set data.test_path, or take random or all")
		}
	case "random":
		if test != nil {
			return nil, fmt.Errorf("data.split: random, where there is a test file already: take files")
		}
		var err error
		name := train.Name
		if train, test, err = train.Random(o.fraction(), o.Closed, o.Key.Fold(streamSplit)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	case "all":
		if test != nil {
			return nil, fmt.Errorf("data.split: all, where there is a test file: take files, or leave data.test_path out")
		}
	default:
		return nil, fmt.Errorf("data.split: %q is none of files, random, all", o.Split)
	}
	s := &Split{Train: train, Test: test}
	if o.Validation > 0 {
		if o.Validation >= train.Rows {
			return nil, fmt.Errorf("data.validation: %d rows cannot be taken from %d rows of training", o.Validation, train.Rows)
		}
		cut := train.Rows - o.Validation
		s.Validation = train.span(cut, train.Rows, strings.TrimSuffix(train.Name, " train")+" validation")
		s.Train = train.span(0, cut, train.Name)
	}
	if o.LabelsVisible {
		if err := appendLabels(s.Train, s.Test, s.Validation); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// part is one file, or pair of files, of a source: what reads it, and where.
type part struct {
	path, labels string
	stream       uint64
}

// readFiles reads the training and, if there is one, the test part of a source
// by read, numbers the labels of both alike, and splits.
func (o Options) readFiles(source string, read func(p part, words *words) (*Set, error)) (*Split, error) {
	if o.Path == "" {
		return nil, fmt.Errorf("data.path: no file to read %s from", source)
	}
	if !slices.Contains([]string{"", "files", "random", "all"}, o.Split) {
		return nil, fmt.Errorf("data.split: %q is none of files, random, all", o.Split)
	}
	var words words
	train, err := read(part{o.Path, o.Labels, streamTrain}, &words)
	if err != nil {
		return nil, err
	}
	if err := train.shape(o.Path, o); err != nil {
		return nil, err
	}
	train.Name = o.rename(source)
	sets := []*Set{train}
	var test *Set
	if o.TestPath != "" {
		if test, err = read(part{o.TestPath, o.TestLabels, streamTest}, &words); err != nil {
			return nil, err
		}
		if err := test.shape(o.TestPath, o); err != nil {
			return nil, err
		}
		if err := train.agree(test, o.Path, o.TestPath); err != nil {
			return nil, err
		}
		train.Name, test.Name = train.Name+" train", train.Name+" test"
		sets = append(sets, test)
	}
	words.number(sets...)
	return o.splitFiles(train, test)
}
