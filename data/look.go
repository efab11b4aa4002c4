package data

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Look is what a file holds before anything is made of it, and what reads it.
type Look struct {
	Kind    string   // name of the source
	Form    string   // how the file holds its rows, in words
	Options Options  // that read it: those that were given, and what the file shows
	Tally   Tally    // of all its values
	Reading Reading  // what they are; its rule is in Options unless one was given
	Notes   []string // what may be another thing than it is taken for, a line each
}

// LookAt looks at the file at path, or the folder of images, of the kind, a source's name, or of
// any for "". What the options say is kept; what they leave open (a line of names, a column of
// labels, what makes spins of the values) is what the file shows. Where the values are no spins
// Reading says why, and there is no error.
func LookAt(kind, path string, o Options) (*Look, error) {
	o.piped = map[string][]byte{}
	return lookAt(kind, path, o)
}

func lookAt(kind, path string, o Options) (*Look, error) {
	var err error
	if kind == "" {
		if kind, err = KindOf(path); err != nil {
			return nil, err
		}
	}
	s, ok := Named(kind)
	if !ok || !s.takes("path") {
		return nil, fmt.Errorf("data.name: %s is no kind of file, want one of %s", kind, strings.Join(fileKinds(), ", "))
	}
	o.Path = path
	l := &Look{Kind: kind, Form: kind, Options: o}
	switch kind {
	case "csv":
		err = l.text()
	case "parquet":
		err = l.columns()
	case "npy":
		err = l.array()
	case "images":
		l.Form = "images"
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	counted := l.Options // both files whole: a split is another matter
	counted.Split, counted.Closed, counted.Test, counted.Validation, counted.LabelsVisible = "", false, 0, 0, false
	counted.Binarize, counted.White, counted.Limit, counted.tally = Binarize{}, 0, 0, &l.Tally
	if _, err := s.Load(counted); err != nil {
		return nil, err
	}
	l.Reading = l.Tally.Reading()
	if l.Tally.Missing > 0 && l.Options.Missing == "" && s.takes("missing") {
		l.Options.Missing = Allow
	}
	if w := l.Reading.White; w != 0 && w != 1 && l.Options.White == 0 && !l.Options.Binarize.given() && s.takes("white") && !(kind == "idx" && w == 255) {
		l.Options.White = w
	}
	if !l.Options.Binarize.given() {
		l.Options.Binarize = l.Reading.Binarize
	}
	return l, nil
}

// Problem returns why what the file holds is no data of spins, nil where it is or where the options
// say what makes spins of it.
func (l *Look) Problem() error {
	if l.Reading.Problem == "" || l.Options.White != 0 || l.Options.Binarize != l.Reading.Binarize {
		return nil
	}
	o := l.Options
	s, _ := Named(l.Kind)
	if s.takes("missing") {
		o.Missing = Allow
	}
	_, err := s.Load(o)                                                                 // which names a place
	if grey := (*GreyError)(nil); err == nil || errors.As(err, &grey) && grey.Greys() { // as far as it looked
		return fmt.Errorf("%s: %s", o.Path, l.Reading.Problem)
	}
	return err
}

// array says what an npy file holds, or which arrays an npz file has.
func (l *Look) array() error {
	o := l.Options
	a, closing, err := o.openArchive(o.Path)
	if err != nil {
		return nil // whoever reads it says so, with the path
	}
	if a == nil {
		if t, err := o.openArray(o.Path); err == nil {
			l.Form = fmt.Sprintf("npy, %v %v", t.Type(), t.Shape)
		}
		return nil
	}
	defer closing()
	names := []string{o.Array}
	if p := a.pair(); o.Array == "" && p != nil {
		names = p[:2]
	} else if o.Array == "" {
		names[0], _, _ = a.rows(false)
	}
	l.Form = "npz"
	for _, name := range names {
		if kind, shape, err := a.Head(name); err == nil {
			l.Form += fmt.Sprintf(", array %s (%v %v)", name, kind, shape)
		}
	}
	if n := len(a.Names()) - len(names); n > 0 {
		l.Form += fmt.Sprintf(" and %d more", n)
	}
	return nil
}

// sampled is how many rows of a table are looked at for names and labels.
const sampled = 1000

// text finds the delimiter, the line of names and the column of labels of a text.
func (l *Look) text() error {
	o := &l.Options
	f, size, err := o.open(o.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	plain := *o
	plain.Header = false
	records, delimiter, err := plain.text(f, size, part{path: o.Path, labels: o.Labels})
	if err != nil {
		return err
	}
	var sample [][]string
	for len(sample) < sampled {
		record, _, err := records.next()
		if err != nil { // whoever reads it says so
			break
		}
		sample = append(sample, slices.Clone(record))
	}
	if o.Delimiter == "" && delimiter == "," && len(sample) > 0 && len(sample[0]) == 1 { // another character, in all lines alike
		for _, d := range []string{";", "|"} {
			n := strings.Count(sample[0][0], d)
			if n > 0 && !slices.ContainsFunc(sample, func(r []string) bool { return len(r) != 1 || strings.Count(r[0], d) != n }) {
				o.Delimiter, delimiter = d, d
				for i, r := range sample {
					sample[i] = strings.Split(r[0], d)
				}
			}
		}
	}
	how := map[string]string{whitespace: "blanks", none: "nothing", tab: "tabs", ",": "commas"}[delimiter]
	if how == "" {
		how = strconv.Quote(delimiter)
	}
	l.Form = "text with " + how + " between values"
	if delimiter == none && o.Delimiter == "" {
		l.Form = "text, a character a value"
	}
	if len(sample) == 0 {
		return nil
	}
	if !o.Header {
		o.Header = namesFirst(sample)
	}
	var names []string
	if o.Header {
		names, sample = sample[0], sample[1:]
		l.Form += ", a line of names"
	}
	return l.labels(names, sample)
}

// columns finds the column of labels of a parquet table.
func (l *Look) columns() error {
	f, size, err := l.Options.open(l.Options.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	at, size, err := whole(f, size)
	if err != nil {
		return err
	}
	t, err := openParquet(at, size)
	if err != nil {
		return err
	}
	sample := make([][]string, min(sampled, t.rows))
	for i := range sample {
		sample[i] = make([]string, len(t.columns))
	}
	for i, column := range t.columns {
		if err := t.texts(column, sample, i); err != nil {
			return err
		}
	}
	return l.labels(t.names, sample)
}

// labels finds the column of labels among columns that have names or none, by their first rows.
func (l *Look) labels(names []string, sample [][]string) error {
	if len(sample) == 0 {
		return nil
	}
	var worded, odd, whole, distinct []int // columns of words, of more than two values, of whole numbers, of others in every row
	name := func(j int) string {
		if j < len(names) && names[j] != "" && !slices.Contains(names[:j], names[j]) {
			return names[j]
		}
		return strconv.Itoa(j + 1)
	}
	word := map[int]string{} // the first one of a column
	for j := range sample[0] {
		words, two, ints, counting := 0, true, true, len(sample) > 2
		seen := map[string]bool{}
		for i, record := range sample {
			if j >= len(record) {
				return nil // whoever reads it says so
			}
			x, _, ok := valueOf(record[j])
			seen[strings.TrimSpace(record[j])] = true
			if !ok {
				words++
				if words == 1 {
					word[j] = strings.TrimSpace(record[j])
				}
			}
			two = two && (x != x || x == 0 || x == 1 || x == -1)
			ints = ints && x == float64(int32(x))
			counting = counting && x == float64(i)
		}
		if counting && j == 0 && (len(names) == 0 || names[0] == "" || strings.HasPrefix(names[0], "Unnamed")) {
			return fmt.Errorf("column 1 counts the rows, which is no value of them: leave it out (pandas: to_csv with index=False)")
		}
		if words > 0 && 2*words < len(sample) && l.Options.Labels == "" {
			return fmt.Errorf("column %s: %q is no number, as most of that column are; put one in its place, or set data.labels to %s if the column holds labels", name(j), word[j], name(j))
		}
		if len(seen) == len(sample) && len(sample) > 2 {
			distinct = append(distinct, j)
		}
		switch {
		case words > 0:
			worded = append(worded, j)
		case !two:
			odd = append(odd, j)
		}
		if ints && words == 0 {
			whole = append(whole, j)
		}
	}
	given := l.Options.Labels != ""
	if !given && len(sample[0]) > 1 {
		switch {
		case len(worded) > 1:
			return fmt.Errorf("columns %s and %s hold words (%q, %q): one at most can be labels (set data.labels); leave the others out, or write a column of 0/1 for each word",
				name(worded[0]), name(worded[1]), word[worded[0]], word[worded[1]])
		case len(worded) == 1:
			l.Options.Labels = name(worded[0])
		case len(odd) == 1 && len(sample[0]) > 2 && slices.Contains(whole, odd[0]):
			l.Options.Labels = name(odd[0])
		default:
			for _, j := range whole {
				if j < len(names) && slices.Contains([]string{"label", "labels", "class", "target", "digit"}, strings.ToLower(strings.TrimSpace(names[j]))) {
					l.Options.Labels = name(j)
				}
			}
		}
	}
	if l.Options.Labels != "" {
		l.Form += ", labels in column " + l.Options.Labels
	}
	for _, j := range distinct {
		if !given && name(j) == l.Options.Labels {
			l.Notes = append(l.Notes, fmt.Sprintf("column %s has another value in every row: it is taken as labels, but may number the rows; leave it out then", name(j)))
		}
	}
	return nil
}

// namesFirst reports whether the first record holds names: words above numbers, or the numbers 0,
// 1, 2, ... of pandas.
func namesFirst(sample [][]string) bool {
	if len(sample) < 2 {
		return false
	}
	first, numbered := sample[0], len(sample[0]) > 2
	for j, text := range first {
		if x, err := strconv.Atoi(strings.TrimSpace(text)); (err != nil || x != j) && (err != nil || x != j-1 || first[0] != "") && (j > 0 || text != "") {
			numbered = false
		}
		if _, _, ok := valueOf(text); ok {
			continue
		}
		numbers := true
		for _, record := range sample[1:] {
			if j >= len(record) {
				return false
			}
			_, _, ok := valueOf(record[j])
			numbers = numbers && ok
		}
		if numbers {
			return true
		}
	}
	return numbered
}
