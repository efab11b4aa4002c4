package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV reads a text of one row of values a line, between commas, another character, runs of blanks
// or nothing at all, with or without a line of names, and with a column of labels if one is named.
// Blank lines and lines that begin with # are passed over, true and false are 1 and 0, and quotes
// are those of RFC 4180.
func CSV(o Options) (*Split, error) {
	if err := o.only("csv"); err != nil {
		return nil, err
	}
	return o.readFiles("csv", func(p part, words *words) (*Set, error) {
		p.labels = o.Labels // one column in both files
		return o.readCSV(p, words)
	})
}

// readCSV reads one file.
func (o Options) readCSV(p part, words *words) (*Set, error) {
	f, size, err := o.open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := o.decodeCSV(f, size, p, words)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	return s, nil
}

// delimiter returns the delimiter of the columns of the text in b, which the file at path holds.
func (o Options) delimiter(b *bufio.Reader, path string, comments bool) (string, error) {
	switch {
	case o.Delimiter == "" && strings.HasSuffix(strings.TrimSuffix(path, ".gz"), ".tsv"):
		return tab, nil
	case o.Delimiter == "" && o.Former:
		return ",", nil
	case o.Delimiter == "":
		start, _ := b.Peek(peekable)
		return seenDelimiter(start, o.Header, comments), nil
	}
	if text := CheckDelimiter(o.Delimiter); text != "" {
		return "", fmt.Errorf("data.delimiter: %s", text)
	}
	return o.Delimiter, nil
}

// text returns the records of a text of size bytes, gzipped or not, and their delimiter.
func (o Options) text(f io.Reader, size int64, p part) (t table, delimiter string, err error) {
	b, _, err := gunzip(f, size)
	if err != nil {
		return nil, "", err
	}
	if mark, _ := b.Peek(3); string(mark) == "\ufeff" {
		b.Discard(3)
	}
	// Every second byte of UTF-16 is 0 where the text is in English, and numbers are.
	if start, _ := b.Peek(4); len(start) >= 2 && (string(start[:2]) == "\xff\xfe" || string(start[:2]) == "\xfe\xff" || (start[0] == 0) != (start[1] == 0)) {
		return nil, "", errors.New("the text is in UTF-16: save it as UTF-8")
	}
	if start, _ := b.Peek(peekable); bytes.IndexByte(start, '\n') < 0 && bytes.IndexByte(bytes.TrimRight(start, "\r"), '\r') >= 0 {
		return nil, "", errors.New("its lines end in CR alone and would be one: save it with LF or CR LF")
	}
	comments := p.labels != "1" // which the first column may look like
	if delimiter, err = o.delimiter(b, p.path, comments); err != nil {
		return nil, "", err
	}
	if start, _ := b.Peek(1); o.Header && string(start) == "#" { // numpy.savetxt has names in a comment
		b.Discard(1)
	}
	return openTable(b, delimiter, comments), delimiter, nil
}

func (o Options) decodeCSV(f io.Reader, size int64, p part, words *words) (*Set, error) {
	records, delimiter, err := o.text(f, size, p)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	bin := o.binarizer(p.stream)
	var names []string // of the columns, where the file has a header
	columns, first := 0, 0
	label := -1
	for {
		record, line, err := records.next()
		if err == io.EOF {
			break
		}
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("after %d rows: the gzipped file is truncated", s.Rows)
		case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
			return nil, fmt.Errorf("after %d rows: the gzipped file is damaged: %w", s.Rows, err)
		case err != nil:
			return nil, err
		}
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
				return nil, fmt.Errorf("line %d: no column of values beside the labels; data.delimiter is %q", line, delimiter)
			}
			if o.Header {
				continue
			}
		}
		if len(record) != columns {
			return nil, fmt.Errorf("line %d: %d columns, where line %d has %d", line, len(record), first, columns)
		}
		if s.Rows == 0 && areValues(record, label) { // else a name or a delimiter is in the way, which is said below
			if err := s.suits(o); err != nil {
				return nil, err
			}
		}
		col := 0
		place := func(i int) string { return csvPlace(line, i, names) }
		for i, text := range record {
			if i == label {
				if text = strings.TrimSpace(text); text == "" {
					return nil, fmt.Errorf("%s: no label", place(i))
				}
				s.Labels = append(s.Labels, words.add(text))
				continue
			}
			x, truth, ok := valueOf(text)
			if !ok {
				hint := ""
				if line == first {
					hint = csvHint(record, i, label >= 0)
				}
				return nil, fmt.Errorf("%s: %q is no number%s", place(i), strings.TrimSpace(text), hint)
			}
			if truth && o.tally != nil {
				o.tally.Truths = true
			}
			spin, err := bin.spin(x, s.Rows, col)
			if err != nil {
				where := place(i)
				if grey := (*GreyError)(nil); errors.As(err, &grey) {
					meetCSV(grey, records, record, i, label)
				}
				if gap := (*MissingError)(nil); errors.As(err, &gap) {
					gap.Text = fmt.Sprintf("%q", strings.TrimSpace(text))
					if i == columns-1 && text == "" {
						return nil, fmt.Errorf("%s: %w; a delimiter at the end of a line begins another column", where, err)
					}
				}
				return nil, fmt.Errorf("%s: %w", where, err)
			}
			s.Spins = append(s.Spins, spin)
			col++
		}
		s.Rows++
	}
	if s.Rows == 0 {
		return nil, fmt.Errorf("no rows of values")
	}
	bin.finish(s)
	return s, nil
}

// areValues reports whether all fields but that of the label are values.
func areValues(record []string, label int) bool {
	for i, text := range record {
		if _, _, ok := valueOf(text); !ok && i != label {
			return false
		}
	}
	return true
}

// meetCSV shows the error the values of the record from field i on, and of those that follow.
func meetCSV(e *GreyError, records table, record []string, i, label int) {
	for seen := 0; seen < lookedAt; i = 0 {
		for j, text := range record[i:] {
			if x, _, ok := valueOf(text); ok && x == x && i+j != label {
				e.meet(x)
			}
		}
		seen += len(record) - i
		var err error
		if record, _, err = records.next(); err != nil {
			return
		}
	}
}

// csvPlace names field i of the record of a line, its column from 1, and the column's name where
// there is one.
func csvPlace(line, i int, names []string) string {
	place := fmt.Sprintf("line %d, column %d", line, i+1)
	if i < len(names) {
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
		if _, _, ok := valueOf(field); ok {
			numbers++
		}
	}
	switch {
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
