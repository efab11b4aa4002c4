package data

import (
	"math"
	"slices"
	"strconv"
)

// words collects the labels of one or more sets as text and numbers them once
// all are known. Its zero value is ready to use.
type words struct {
	list []string
	id   map[string]int32
}

// add returns the provisional number of a label.
func (w *words) add(label string) int32 {
	if n, ok := w.id[label]; ok {
		return n
	}
	if w.id == nil {
		w.id = make(map[string]int32)
	}
	label = string(append([]byte(nil), label...)) // a copy that does not hold the line it was cut from
	n := int32(len(w.list))
	w.list = append(w.list, label)
	w.id[label] = n
	return n
}

// number replaces the provisional numbers in the sets' labels: by the labels
// themselves where all of them are integers, or else by their place in
// alphabetical order, and Classes is set to the words in that order.
func (w *words) number(sets ...*Set) {
	if len(w.list) == 0 {
		return
	}
	value := make([]int32, len(w.list))
	whole := true
	for i, label := range w.list {
		x, err := strconv.ParseFloat(label, 64)
		if err != nil || x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
			whole = false
			break
		}
		value[i] = int32(x)
	}
	var classes []string
	if !whole {
		classes = slices.Sorted(slices.Values(w.list))
		for i, label := range w.list {
			n, _ := slices.BinarySearch(classes, label)
			value[i] = int32(n)
		}
	}
	for _, s := range sets {
		for i, l := range s.Labels {
			s.Labels[i] = value[l]
		}
		s.Classes = classes
	}
}
