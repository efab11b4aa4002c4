package data

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestLimitAndValidation(t *testing.T) {
	const width = 5
	values, labels := make([]byte, 20*width), make([]byte, 20)
	for i := range labels {
		labels[i] = byte(i)
		for j := range width { // all rows differ
			values[i*width+j] = byte(i >> j & 1)
		}
	}
	is := func(s *Set, want ...int32) {
		t.Helper()
		if !slices.Equal(s.Labels, want) {
			t.Errorf("%s: labels %v, want %v", s.Name, s.Labels, want)
		}
		for r, l := range want {
			for j, x := range s.Row(r) {
				if x != int8(l>>j&1)*2-1 {
					t.Errorf("%s: row %d is %v with the label %d", s.Name, r, s.Row(r), l)
				}
			}
		}
	}
	dir := folder(t, map[string][]byte{"v": idxFile(values, 20, width), "l": idxFile(labels, 20)})
	o := Options{Path: filepath.Join(dir, "v"), Labels: filepath.Join(dir, "l"), Limit: 10, Validation: 3}
	s, err := IDX(o)
	if err != nil {
		t.Fatal(err)
	}
	is(s.Train, 0, 1, 2, 3, 4, 5, 6)
	is(s.Validation, 7, 8, 9)
	o.TestPath, o.TestLabels = o.Path, o.Labels
	if s, err = IDX(o); err != nil {
		t.Fatal(err)
	}
	is(s.Test, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if s.Copies("test") != 7 || s.Copies("validation") != 0 {
		t.Errorf("%d rows of test and %d of validation are in train", s.Copies("test"), s.Copies("validation"))
	}
	o.TestPath, o.TestLabels = "", ""
	o.Split, o.Test, o.Key = "random", 0.5, 1
	if s, err = IDX(o); err != nil {
		t.Fatal(err)
	}
	first := s.Test.Digest()
	o.Key = 2
	if again, err := IDX(o); err != nil || again.Test.Digest() == first {
		t.Errorf("another key gives the same split, or %v", err)
	}
	if s.Train.Rows != 2 || s.Validation.Rows != 3 || s.Test.Rows != 5 || s.Train.Name != "idx train" || s.Validation.Name != "idx validation" {
		t.Errorf("%s %d, %s %d, %s %d", s.Train.Name, s.Train.Rows, s.Validation.Name, s.Validation.Rows, s.Test.Name, s.Test.Rows)
	}
}

// No row that is validated or tested on has a copy in train, nor, where the split is closed, a negative: of 40 different rows and of a
// second half that repeats them, of negatives, and of one row that fills half of the file. A cut at the last rows has 40 of 40 copies in train. Rows that
// all differ are split as before, bit for bit.
func TestSplitsKeepCopiesTogether(t *testing.T) {
	const visible, different = 12, 40
	set := func(row func(i int) (code int, sign int8)) *Set {
		s := &Set{Name: "x", Rows: 2 * different, Visible: visible, Spins: make([]int8, 2*different*visible)}
		for i := range s.Rows {
			code, sign := row(i)
			for j := range visible {
				s.Row(i)[j] = sign * (int8(code>>j&1)*2 - 1)
			}
		}
		return s
	}
	twice := set(func(i int) (int, int8) { return 7 * (i % different), 1 })
	turned := set(func(i int) (int, int8) { return 7 * (i % different), int8(1 - 2*(i/different)) })
	crowd := set(func(i int) (int, int8) { return 7 * max(0, i-different), 1 }) // row 0 is there 41 times
	leaks := func(s *Split, name string, closed bool) (n int) {
		for r := range s.Set(name).Rows {
			row := s.Set(name).Row(r)
			if has(s.Train, row) || closed && has(s.Train, negative(row)) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name       string
		s          *Set
		o          Options
		validation int // rows
	}{
		{"copies", twice, Options{Validation: 40}, 40},
		{"an odd number", twice, Options{Validation: 39}, 40}, // as near as 38, and taken first
		{"copies, random", twice, Options{Split: "random", Validation: 20, Key: 3}, 20},
		{"negatives", turned, Options{Validation: 40, Closed: true}, 40},
		{"negatives, random", turned, Options{Split: "random", Validation: 20, Closed: true, Key: 3}, 20},
		{"a crowd", crowd, Options{Validation: 30}, 30},
		{"a crowd, random", crowd, Options{Split: "random", Test: 0.25, Key: 1}, 0},
	} {
		s, err := c.o.splitFiles(c.s, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rows := s.Train.Rows
		for _, name := range []string{"validation", "test"} {
			if s.Set(name) == nil {
				continue
			}
			rows += s.Set(name).Rows
			if n := leaks(s, name, c.o.Closed); n > 0 || s.Copies(name) > 0 {
				t.Errorf("%s: %d of %d rows of %s leak, %d are copies", c.name, n, s.Set(name).Rows, name, s.Copies(name))
			}
		}
		if rows != c.s.Rows || c.validation > 0 && s.Validation.Rows != c.validation {
			t.Errorf("%s: %d rows in all, %+v", c.name, rows, s.Validation)
		}
		c.o.Former = true
		if s, err = c.o.splitFiles(c.s, nil); err != nil {
			t.Errorf("%s, formerly: %v", c.name, err)
		} else if c.validation == 40 && leaks(s, "validation", c.o.Closed) < 39 || c.validation == 0 && s.Copies("test") == 0 {
			t.Errorf("%s: nothing leaked before, so nothing is tested", c.name)
		}
	}
	distinct := set(func(i int) (int, int8) { return 7 * i, 1 })
	for _, o := range []Options{{Validation: 17}, {Split: "random", Key: 3}, {Split: "random", Key: 5, Validation: 9}} {
		s, err := o.splitFiles(distinct, nil)
		o.Former = true
		before, errBefore := o.splitFiles(distinct, nil)
		if err != nil || errBefore != nil {
			t.Fatal(err, errBefore)
		}
		for _, name := range Sets {
			if x := s.Set(name); x != nil && x.Digest() != before.Set(name).Digest() {
				t.Errorf("%+v: the %s set of rows that all differ has changed", o, name)
			}
		}
	}
}
