package data

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CSV reads a file of one row of values a line, with or without a line of
// names, and with a column of labels if one is named. Blank lines are skipped;
// quotes are those of RFC 4180.
func CSV(o Options) (*Split, error) {
	if err := o.only("csv", "labels_visible", "path", "test_path", "labels", "height", "width", "white", "binarize", "validation", "header", "delimiter", "limit"); err != nil {
		return nil, err
	}
	return o.readFiles("csv", func(p part, words *words) (*Set, error) {
		p.labels = o.Labels // one column in both files
		return o.readCSV(p, words)
	})
}

// readCSV reads one file.
func (o Options) readCSV(p part, words *words) (*Set, error) {
	f, _, err := o.open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := o.decodeCSV(f, p, words)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return s, nil
}

// comma returns the delimiter of the columns of the file at path.
func (o Options) comma(path string) (rune, error) {
	switch {
	case o.Delimiter == "tab" || o.Delimiter == "" && strings.HasSuffix(path, ".tsv"):
		return '\t', nil
	case o.Delimiter == "":
		return ',', nil
	}
	r, n := utf8.DecodeRuneInString(o.Delimiter)
	if n != len(o.Delimiter) || r == utf8.RuneError || strings.ContainsRune("\"\r\n", r) {
		return 0, fmt.Errorf("data.delimiter: %q is no delimiter: one character, or tab", o.Delimiter)
	}
	return r, nil
}

func (o Options) decodeCSV(f io.Reader, p part, words *words) (*Set, error) {
	comma, err := o.comma(p.path)
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(f, 1<<16)
	if mark, _ := b.Peek(3); string(mark) == "\ufeff" {
		b.Discard(3)
	}
	// Every second byte of UTF-16 is 0 where the text is in English, and numbers are.
	if start, _ := b.Peek(4); len(start) >= 2 && (string(start[:2]) == "\xff\xfe" || string(start[:2]) == "\xfe\xff" || (start[0] == 0) != (start[1] == 0)) {
		return nil, errors.New("the text is in UTF-16: save it as UTF-8")
	}
	r := csv.NewReader(b)
	r.Comma = comma
	r.ReuseRecord = true
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = comma != ' ' && comma != '\t'
	s := &Set{}
	bin := o.binarizer(p.stream)
	var names []string // of the columns, where the file has a header
	columns, first := 0, 0
	label := -1
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				return nil, fmt.Errorf("line %d, byte %d: %w", parse.Line, parse.Column, parse.Err)
			}
			return nil, err
		}
		if len(record) == 1 && strings.TrimSpace(record[0]) == "" {
			continue
		}
		line, _ := r.FieldPos(0)
		if columns == 0 {
			columns, first = len(record), line
			if o.Header {
				names = append(names, record...)
			}
			if label, err = labelColumn(p.labels, columns, names); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			s.Visible = columns
			if label >= 0 {
				s.Visible--
			}
			if s.Visible == 0 {
				return nil, fmt.Errorf("line %d: no column of values beside the labels; data.delimiter is %q", line, comma)
			}
			if o.Header {
				continue
			}
		}
		if len(record) != columns {
			return nil, fmt.Errorf("line %d: %d columns, where line %d has %d", line, len(record), first, columns)
		}
		if s.Rows == 0 && areNumbers(record, label) { // else a name or a delimiter is in the way, which is said below
			if err := s.suits(o); err != nil {
				return nil, err
			}
		}
		col := 0
		for i, text := range record {
			text = strings.TrimSpace(text)
			if i == label {
				if text == "" {
					return nil, fmt.Errorf("%s: no label", csvPlace(r, i, names))
				}
				s.Labels = append(s.Labels, words.add(text))
				continue
			}
			x, err := strconv.ParseFloat(text, 64)
			if err != nil {
				hint := ""
				if line == first {
					hint = csvHint(record, i, label >= 0)
				}
				return nil, fmt.Errorf("%s: %q is no number%s", csvPlace(r, i, names), text, hint)
			}
			spin, err := bin.spin(x, s.Rows, col)
			if err != nil {
				place := csvPlace(r, i, names)
				if grey := (*GreyError)(nil); errors.As(err, &grey) {
					meetCSV(grey, r, record, i, label)
				}
				return nil, fmt.Errorf("%s: %w", place, err)
			}
			s.Spins = append(s.Spins, spin)
			col++
		}
		s.Rows++
	}
	if s.Rows == 0 {
		return nil, fmt.Errorf("no rows of values")
	}
	bin.finish(s.Spins)
	return s, nil
}

// areNumbers reports whether all fields but that of the label are numbers.
func areNumbers(record []string, label int) bool {
	for i, text := range record {
		if _, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil && i != label {
			return false
		}
	}
	return true
}

// meetCSV shows the error the values of the record from field i on, and of those that follow.
func meetCSV(e *GreyError, r *csv.Reader, record []string, i, label int) {
	for seen := 0; seen < lookedAt; i = 0 {
		for j, text := range record[i:] {
			if x, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && i+j != label {
				e.meet(x)
			}
		}
		seen += len(record) - i
		var err error
		if record, err = r.Read(); err != nil {
			return
		}
	}
}

// csvPlace names field i of the record last read: its line, its column from 1,
// and the column's name where there is one.
func csvPlace(r *csv.Reader, i int, names []string) string {
	line, _ := r.FieldPos(i)
	place := fmt.Sprintf("line %d, column %d", line, i+1)
	if names != nil {
		place += fmt.Sprintf(" (%s)", names[i])
	}
	return place
}

// csvHint says which option may be missing where field i of the first record is no number.
func csvHint(record []string, i int, labelled bool) string {
	text := record[i]
	if len(record) == 1 {
		for _, d := range []string{";", "\t", "|", " "} {
			if strings.Contains(strings.TrimSpace(text), d) {
				return fmt.Sprintf("; set data.delimiter to %q if that separates the columns", d)
			}
		}
	}
	numbers := 0
	for _, field := range record {
		if _, err := strconv.ParseFloat(strings.TrimSpace(field), 64); err == nil {
			numbers++
		}
	}
	switch {
	case strings.TrimSpace(text) == "":
		return ""
	case numbers > 0 && numbers == len(record)-1 && !labelled:
		return fmt.Sprintf("; set data.labels to %d if that column holds labels, or data.header to true if this line holds names", i+1)
	}
	return "; set data.header to true if this line holds names"
}

// labelColumn returns the index of the column that text names, by its name
// where the file has names, or else by its number from 1; -1 for no text.
func labelColumn(text string, columns int, names []string) (int, error) {
	if text == "" {
		return -1, nil
	}
	for i, name := range names {
		if strings.TrimSpace(name) == text {
			return i, nil
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case err == nil && n >= 1 && n <= columns:
		return n - 1, nil
	case err == nil:
		return 0, fmt.Errorf("data.labels: no column %d: columns are numbered 1 to %d", n, columns)
	case names == nil:
		return 0, fmt.Errorf("data.labels: %q is no column's number; set data.header to true if this line holds names", text)
	}
	return 0, fmt.Errorf("data.labels: no column is called %q", text)
}
