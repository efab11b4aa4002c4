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
	Test       *Set     // or nil
	Validation *Set     // the last rows of the training file that have no copy before them, or nil
	Family     Family   // all images of Bars or BAS; nil for other sets
	Lattice    *Lattice // of Ising configurations; nil for other sets
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
// fraction of the rows, in (0,1), chosen by the key, and the rest. Equal rows
// stay on one side, and with closed those that are each other's negative too; the
// fraction is then met as nearly as the groups allow. Both sets keep the order
// of s.
func (s *Set) Random(fraction float64, closed bool, key rng.Key) (train, test *Set, err error) {
	return s.random(fraction, Options{Closed: closed}.together(), key)
}

// together says which rows of a set stay on one side of a split.
type together uint8

const (
	copies    together = iota // equal ones
	negatives                 // equal ones and each other's negatives
	alone                     // none
)

func (o Options) together() together {
	switch {
	case o.Closed:
		return negatives
	case o.Former:
		return alone
	}
	return copies
}

func (s *Set) random(fraction float64, t together, key rng.Key) (train, test *Set, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("data.test: %v is not a fraction in (0,1), such as 0.2", fraction)
	}
	group, size := s.groups(t) // row -> group -> its rows
	groups := len(size)
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
	train, test = s.sides(group, held)
	return train.named(s.Name + " train"), test.named(s.Name + " test"), nil
}

// sides returns the rows of the groups that are not held and of those that are, in their order.
func (s *Set) sides(group []int32, held []bool) (rest, taken *Set) {
	var rows [2][]int32
	for r, g := range group {
		side := 0
		if held[g] {
			side = 1
		}
		rows[side] = append(rows[side], int32(r))
	}
	return s.Take(rows[0]), s.Take(rows[1])
}

// last returns the last n rows of s as a validation set, and the rest. Rows that stay together are
// taken from the last on, and left where taking all of them would miss n by more; n is then met as
// nearly as that allows.
func (s *Set) last(n int, t together) (rest, validation *Set, err error) {
	group, size := s.groups(t)
	held, looked := make([]bool, len(size)), make([]bool, len(size))
	taken := 0
	for r := s.Rows - 1; r >= 0 && taken != n; r-- {
		g := group[r]
		if !looked[g] && math.Abs(float64(taken+size[g]-n)) <= math.Abs(float64(taken-n)) {
			held[g] = true
			taken += size[g]
		}
		looked[g] = true
	}
	if taken == 0 || taken == s.Rows {
		return nil, nil, fmt.Errorf("data.validation: %d rows cannot be taken from %d rows of training: equal ones stay together, and there are %d different", n, s.Rows, len(size))
	}
	cut := s.Rows - taken
	if !slices.ContainsFunc(group[:cut], func(g int32) bool { return held[g] }) { // the last ones: views do
		return s.span(0, cut, s.Name), s.span(cut, s.Rows, s.Name), nil
	}
	rest, validation = s.sides(group, held)
	return rest, validation, nil
}

// groups returns the group of each row and the number of rows of each, numbered in the order of
// their first rows.
func (s *Set) groups(t together) (group []int32, size []int) {
	group = make([]int32, s.Rows)
	if t == alone {
		size = make([]int, s.Rows)
		for r := range group {
			group[r], size[r] = int32(r), 1
		}
		return group, size
	}
	seen := make(map[string]int32)
	bits := s.room()
	for r := range group {
		s.bits(bits, r, t)
		g, ok := seen[string(bits)]
		if !ok {
			g = int32(len(seen))
			seen[string(bits)] = g
			size = append(size, 0)
		}
		group[r] = g
		size[g]++
	}
	return group, size
}

// room returns what bits writes to.
func (s *Set) room() []byte { return make([]byte, 2*((s.Visible+7)/8)) }

// bits sets b to what is the same in rows that stay together, and only in those: a bit a spin, and
// behind them one that says that it is missing.
func (s *Set) bits(b []byte, r int, t together) {
	row := s.Row(r)
	low := int8(-1)
	if t == negatives { // the same for a row and its negative
		if known := slices.IndexFunc(row, func(v int8) bool { return v != 0 }); known >= 0 {
			low = row[known]
		}
	}
	clear(b)
	missing := b[len(b)/2:]
	for j, v := range row {
		switch v {
		case 0:
			missing[j/8] |= 1 << (j % 8)
		case -low:
			b[j/8] |= 1 << (j % 8)
		}
	}
}

// Copies returns how many rows of the named set have an equal row in the training set.
func (s *Split) Copies(name string) int {
	set := s.Set(name)
	if set == nil || s.Train == nil || set.Visible != s.Train.Visible {
		return 0
	}
	bits := set.room()
	seen := make(map[string]bool)
	for r := range s.Train.Rows {
		s.Train.bits(bits, r, copies)
		seen[string(bits)] = true
	}
	n := 0
	for r := range set.Rows {
		if set.bits(bits, r, copies); seen[string(bits)] {
			n++
		}
	}
	return n
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

// takes returns an error if data.test or data.closed is set where the split has no use for it.
func (o Options) takes(test, closed bool, split string) error {
	switch {
	case o.Former:
	case o.Test != 0 && !test:
		return fmt.Errorf("data.test: %v has no meaning for data.split %s, which takes no share of the rows: leave it out, or take random", o.Test, split)
	case o.Closed && !closed:
		return fmt.Errorf("data.closed: it has no meaning for data.split %s without data.validation, which divides no rows: leave it out, or take random", split)
	}
	return nil
}

// splitFamily splits all images of a made set at random, or not at all.
func (o Options) splitFamily(all *Set, f Family) (*Split, error) {
	switch o.Split {
	case "", "paper", "random":
		train, test, err := all.random(o.fraction(), o.together(), o.Key.Fold(streamSplit))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", all.Name, err)
		}
		return &Split{Train: train, Test: test, Family: f}, nil
	case "all":
		if err := o.takes(false, false, o.Split); err != nil {
			return nil, err
		}
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
		if train, test, err = train.random(o.fraction(), o.together(), o.Key.Fold(streamSplit)); err != nil {
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
		together := o.together()
		if o.Former {
			together = alone
		}
		var err error
		if s.Train, s.Validation, err = train.last(o.Validation, together); err != nil {
			return nil, err
		}
		s.Validation.Name = strings.TrimSuffix(train.Name, " train") + " validation"
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
	if o.Split != "random" {
		split := o.Split
		switch {
		case split == "" && o.TestPath == "":
			split = "all"
		case split == "":
			split = "files"
		}
		if err := o.takes(false, o.Validation > 0, split); err != nil {
			return nil, err
		}
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
