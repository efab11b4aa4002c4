package data

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Tally counts the values of a file as they are, before anything is made of them.
type Tally struct {
	Values      int64   // numbers that were met, missing entries not among them
	Missing     int64   // entries that are missing
	Infinite    int64   // numbers that are not finite
	Truths      bool    // the numbers are those of true and false
	Whole       bool    // all are whole numbers
	Least, Most float64 // of the finite ones
	Many        bool    // there are more than mostDistinct different ones, which are not all counted

	bytes  [256]int64 // of whole numbers from 0 to 255
	others map[float64]int64
}

// mostDistinct bounds the different values that are counted beside the whole numbers up to 255.
const mostDistinct = 4096

// Count is how often a value occurs.
type Count struct {
	Value float64 `json:"value"`
	Count int64   `json:"count"`
}

// meet counts a value; NaN is a missing entry.
func (t *Tally) meet(x float64) {
	switch {
	case x != x:
		t.Missing++
		return
	case math.IsInf(x, 0):
		t.Infinite++
		return
	}
	if t.Values == 0 {
		t.Least, t.Most, t.Whole = x, x, true
	}
	t.Values++
	t.Least, t.Most = min(t.Least, x), max(t.Most, x)
	if x >= 0 && x <= 255 && x == math.Trunc(x) {
		t.bytes[int(x)]++
		return
	}
	t.Whole = t.Whole && x == math.Trunc(x)
	if _, known := t.others[x]; !known && len(t.others) == mostDistinct {
		t.Many = true
		return
	}
	if t.others == nil {
		t.others = make(map[float64]int64)
	}
	t.others[x]++
}

// Counts returns the different values in their order, and how often each occurs.
func (t *Tally) Counts() []Count {
	var counts []Count
	for i, n := range t.bytes {
		if n > 0 {
			counts = append(counts, Count{float64(i), n})
		}
	}
	for _, x := range slices.Sorted(maps.Keys(t.others)) {
		counts = append(counts, Count{x, t.others[x]})
	}
	slices.SortFunc(counts, func(a, b Count) int {
		switch {
		case a.Value < b.Value:
			return -1
		case a.Value > b.Value:
			return 1
		}
		return 0
	})
	return counts
}

// Reading is what values are, and what makes spins of them.
type Reading struct {
	Kind     string // 0/1, -1/1, true/false, 0/X, -X/X, greys 0..X, or of what is no data of spins classes, continuous or none
	White    float64
	Binarize Binarize
	Problem  string // why the values are no spins, and what to do; empty where they are
}

// fewestGreys is how many different whole numbers are levels of grey, and fewer classes.
const fewestGreys = 9

// Reading returns what the values are.
func (t *Tally) Reading() Reading {
	counts := t.Counts()
	within := func(values ...float64) bool {
		return !slices.ContainsFunc(counts, func(c Count) bool { return !slices.Contains(values, c.Value) })
	}
	half := 0.5
	greys := func(white float64) Reading {
		return Reading{Kind: fmt.Sprintf("greys 0..%v", white), White: white, Binarize: Binarize{Threshold: &half}}
	}
	problem := func(kind, format string, args ...any) Reading {
		return Reading{Kind: kind, Problem: fmt.Sprintf(format, args...)}
	}
	span := fmt.Sprintf("values from %.4g to %.4g, %s different", t.Least, t.Most, t.different())
	switch {
	case t.Infinite > 0:
		return problem("none", "%d values are not finite: leave their rows out, or put in their place what they stand for", t.Infinite)
	case t.Values == 0:
		return problem("none", "there is no value that is not missing")
	case t.Truths && within(0, 1):
		return Reading{Kind: "true/false"}
	case t.Truths:
		return problem("none", "true and false stand beside numbers, %s: write 0 and 1 alone", span)
	case within(0, 1):
		return Reading{Kind: "0/1"}
	case within(-1, 1):
		return Reading{Kind: "-1/1"}
	case t.Most > 0 && within(0, t.Most):
		return Reading{Kind: fmt.Sprintf("0/%v", t.Most), White: t.Most}
	case t.Least < 0 && within(t.Least, -t.Least):
		return Reading{Kind: fmt.Sprintf("%v/%v", t.Least, -t.Least), White: -t.Least}
	case t.Least >= 0 && t.Most <= 1:
		return greys(1)
	case t.Whole && t.Least >= 0 && t.Most <= 255 && len(counts) >= fewestGreys && t.Most > 127:
		return greys(255)
	case t.Whole && t.Least >= 0 && t.Most <= 255 && len(counts) >= fewestGreys:
		return greys(t.Most)
	case t.Whole && len(counts) < fewestGreys && !t.Many:
		return problem("classes", "%s: whole numbers that are classes and no spins: write a column of 0/1 for each class, or what divides them into two as 0/1; if they are greys, set data.white to that of white and data.binarize", span)
	}
	return problem("continuous", "%s: measurements and no spins: cut each column where that has a meaning, such as at 0 or at its median, and write 0/1; if they are greys, set data.white to that of white and data.binarize", span)
}

func (t *Tally) different() string {
	n := len(t.Counts())
	if t.Many {
		return fmt.Sprintf("more than %d", n)
	}
	return fmt.Sprint(n)
}

// String returns the values in one line: which they are and how often each occurs, or from where to
// where they go.
func (t *Tally) String() string {
	counts := t.Counts()
	if len(counts) > fewestGreys || t.Many {
		whole := ""
		if t.Whole {
			whole = "whole numbers "
		}
		return fmt.Sprintf("%sfrom %.4g to %.4g, %s different", whole, t.Least, t.Most, t.different())
	}
	var words []string
	for _, c := range counts {
		name := fmt.Sprint(c.Value)
		if t.Truths {
			name = map[float64]string{0: "false", 1: "true"}[c.Value]
		}
		words = append(words, fmt.Sprintf("%s x %d", name, c.Count))
	}
	return strings.Join(words, ", ")
}
