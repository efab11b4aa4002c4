package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The delimiters that are no single character.
const (
	tab        = "tab"
	whitespace = "whitespace" // runs of blanks and tabs
	none       = "none"       // every character is a value
)

// CheckDelimiter returns what is wrong with a delimiter, "" for none.
func CheckDelimiter(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	if text == tab || text == whitespace || text == none || n > 0 && n == len(text) && r != utf8.RuneError && !strings.ContainsRune("\"\r\n", r) {
		return ""
	}
	return fmt.Sprintf("%q is no delimiter, want one character, tab, whitespace (runs of blanks) or none (each character is a value)", text)
}

// table gives the records of a text one after the other. Fields are valid until the next call; line
// is where the record begins, from 1; the error at the end is io.EOF.
type table interface {
	next() (fields []string, line int, err error)
}

// openTable returns the records of a text between the delimiter, one of Options.Delimiter. With
// comments, lines that begin with # are none.
func openTable(b *bufio.Reader, delimiter string, comments bool) table {
	mark := rune(0)
	if comments {
		mark = '#'
	}
	switch delimiter {
	case whitespace, none:
		return &lineTable{b: b, comments: comments, each: delimiter == none}
	case tab:
		delimiter = "\t"
	}
	comma, _ := utf8.DecodeRuneInString(delimiter)
	r := csv.NewReader(&lineGuard{r: b, mark: byte(mark)})
	r.Comma, r.Comment = comma, mark
	r.ReuseRecord = true
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = comma != ' ' && comma != '\t'
	return &csvTable{r, comments}
}

// csvTable is a table between one character, with the quotes of RFC 4180.
type csvTable struct {
	r        *csv.Reader
	comments bool
}

func (t *csvTable) next() ([]string, int, error) {
	for {
		record, err := t.r.Read()
		if err != nil {
			var parse *csv.ParseError
			var long *lineError
			if errors.As(err, &parse) && !errors.As(err, &long) {
				return nil, 0, fmt.Errorf("line %d, byte %d: %w", parse.Line, parse.Column, parse.Err)
			}
			return nil, 0, err
		}
		if len(record) == 1 && strings.TrimSpace(record[0]) == "" {
			continue
		}
		line, _ := t.r.FieldPos(0)
		if t.comments {
			record = withoutComment(record)
		}
		return record, line, nil
	}
}

// withoutComment returns a record without what follows a # behind a value and a blank; a # in a
// text is a part of it.
func withoutComment(record []string) []string {
	for i, field := range record {
		k := strings.IndexByte(field, '#')
		if k < 1 || field[k-1] != ' ' && field[k-1] != '\t' {
			continue
		}
		if _, _, ok := valueOf(field[:k]); ok && strings.TrimSpace(field[:k]) != "" {
			record[i] = field[:k]
			return record[:i+1]
		}
	}
	return record
}

// mostLine bounds a line in bytes, so that no file of one line takes many times its size in fields.
const mostLine = 8 << 20

type lineError struct{ line int }

func (e *lineError) Error() string {
	return fmt.Sprintf("line %d: more than %d MiB without an end: no table of rows", e.line, mostLine>>20)
}

// lineGuard passes a text on, and fails in a line that is too long; line ends within quotes do not
// count.
type lineGuard struct {
	r       io.Reader
	mark    byte // begins comments, in which quotes mean nothing; 0 for none
	length  int  // of the line so far
	ends    int  // lines
	quoted  bool
	comment bool
}

func (g *lineGuard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	for _, c := range p[:n] {
		switch {
		case c == '\n' && !g.quoted:
			g.length, g.comment = -1, false
			g.ends++
		case c == g.mark && g.length == 0 && c != 0:
			g.comment = true
		case c == '"' && !g.comment:
			g.quoted = !g.quoted
		}
		if g.length++; g.length > mostLine {
			return 0, &lineError{g.ends + 1}
		}
	}
	return n, err
}

// lineTable is a table of fields between runs of blanks and tabs or, with each, of single
// characters 0 and 1, or + and -, and ? where one is missing; between signs, which are no numbers,
// blanks, tabs, commas and semicolons mean nothing.
type lineTable struct {
	b              *bufio.Reader
	comments, each bool
	line           int
	text           []byte
	fields         []string
	first          byte // of the first line, with each
}

func (t *lineTable) next() ([]string, int, error) {
	for {
		if err := t.read(); err != nil {
			return nil, 0, err
		}
		text := bytes.TrimSpace(t.text)
		if len(text) == 0 || t.comments && text[0] == '#' {
			continue
		}
		t.fields = t.fields[:0]
		if !t.each {
			for field := range strings.FieldsSeq(string(text)) {
				if t.comments && field[0] == '#' {
					break
				}
				if n := len(field); n > 1 && field[0] == '"' && field[n-1] == '"' {
					field = field[1 : n-1]
				}
				t.fields = append(t.fields, field)
			}
			return t.fields, t.line, nil
		}
		if k := bytes.Index(text, []byte(" #")); t.comments && k >= 0 {
			text = bytes.TrimSpace(text[:k])
		}
		for i, c := range text {
			if bytes.IndexByte(between, c) >= 0 && t.first != '0' && t.first != '1' && i > 0 {
				continue
			}
			field, ok := "", false
			if field, ok = characters[c]; !ok {
				return nil, 0, fmt.Errorf("line %d, column %d: %q is none of 0 and 1, or + and -", t.line, i+1, rune(c))
			}
			if signed := c == '+' || c == '-'; c != '?' && t.first == 0 {
				t.first = c
			} else if c != '?' && signed != (t.first == '+' || t.first == '-') {
				return nil, 0, fmt.Errorf("line %d, column %d: %q where the text begins with %q: want 0 and 1 alone, or + and - alone", t.line, i+1, rune(c), rune(t.first))
			}
			t.fields = append(t.fields, field)
		}
		return t.fields, t.line, nil
	}
}

// between is what may stand between signs.
var between = []byte(" \t,;")

// characters are the values of a text without delimiters.
var characters = map[byte]string{'0': "0", '1': "1", '+': "1", '-': "-1", '?': "?"}

// read sets text to the next line, without its end.
func (t *lineTable) read() error {
	t.text = t.text[:0]
	t.line++
	for {
		part, err := t.b.ReadSlice('\n')
		t.text = append(t.text, part...)
		switch {
		case len(t.text) > mostLine:
			return &lineError{t.line}
		case err == nil || err == io.EOF && len(t.text) > 0:
			return nil
		case err != bufio.ErrBufferFull:
			return err
		}
	}
}

// gaps are what stands for a missing entry, in small letters.
var gaps = []string{"", "?", "nan", "na", "n/a", "null", "none"}

// valueOf returns the number that a field holds, NaN where it says that the entry is missing; true
// and false are 1 and 0.
func valueOf(text string) (x float64, truth, ok bool) {
	text = strings.TrimSpace(text)
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return x, false, true
	}
	if len(text) > 5 {
		return 0, false, false
	}
	switch small := strings.ToLower(text); {
	case small == "true":
		return 1, true, true
	case small == "false":
		return 0, true, true
	case slices.Contains(gaps, small):
		return math.NaN(), false, true
	}
	return 0, false, false
}

// lookedLines is how many lines of a text are looked at for its form.
const lookedLines = 50

// firstLines returns the first lines of a text that are whole and hold something; where there are
// comments, without them.
func firstLines(start []byte, comments bool) (lines []string) {
	start = bytes.TrimPrefix(start, []byte("\ufeff"))
	for line := range bytes.Lines(start) {
		ends := line[len(line)-1] == '\n'
		if len(lines) == lookedLines || !ends && len(start) >= peekable {
			break
		}
		whole := strings.TrimRight(string(line), "\r\n")
		if k := strings.Index(whole, " #"); comments && k > 0 {
			whole = strings.TrimRight(whole[:k], " \t")
		}
		if text := strings.TrimSpace(whole); text != "" && !(comments && text[0] == '#') {
			lines = append(lines, whole)
		}
	}
	return lines
}

// showsValues reports whether the beginning of a file is that of a text of values: most fields of
// its first lines are.
func showsValues(start []byte) bool {
	if !utf8.Valid(start[:max(0, len(start)-utf8.UTFMax)]) || bytes.IndexByte(start, 0) >= 0 {
		return false
	}
	delimiter := seenDelimiter(start, false, true)
	if delimiter == none {
		return true
	}
	fields, known := 0, 0
	for _, line := range firstLines(start, true) {
		for _, field := range splitBy(line, delimiter) {
			fields++
			if _, _, ok := valueOf(field); ok {
				known++
			}
		}
	}
	return known > 0 && 2*known >= fields
}

// splitBy returns the fields of a line, without regard to quotes.
func splitBy(line, delimiter string) []string {
	switch delimiter {
	case whitespace:
		return strings.Fields(line)
	case none:
		return strings.Split(strings.TrimSpace(line), "")
	case tab:
		delimiter = "\t"
	}
	return strings.Split(line, delimiter)
}

// areSigns reports whether the lines hold signs, and between them nothing or what means nothing.
func areSigns(lines []string) bool {
	some := false
	for _, line := range lines {
		if strings.Trim(line, "+-? \t,;") != "" {
			return false
		}
		some = some || len(strings.Trim(line, "? \t,;")) > 1
	}
	return some
}

// seenDelimiter returns the delimiter that the first lines of a text show: a comma where one
// occurs, none where all characters are 0 and 1 or + and -, whitespace or tabs where they divide
// all lines into equally many fields of which most are values, else a comma. The first line, a
// comment or not, is passed over where it holds names.
func seenDelimiter(start []byte, header, comments bool) string {
	lines := firstLines(start, comments && !header)
	if header && len(lines) > 0 {
		lines = lines[1:]
	}
	binary, long := len(lines) > 0, false
	fields, values, least, most := 0, 0, math.MaxInt, 0
	tabs := len(lines) > 0 // single ones divide all lines, and nothing else does
	width := 0
	if areSigns(lines) {
		return none
	}
	for i, line := range lines {
		if strings.Contains(line, ",") {
			return ","
		}
		text := strings.TrimSpace(line)
		binary = binary && strings.Trim(text, "01?") == ""
		long = long || len(text) > 1
		parts := strings.Fields(line)
		least, most = min(least, len(parts)), max(most, len(parts))
		for _, part := range parts {
			if _, _, ok := valueOf(part); ok {
				values++
			}
		}
		fields += len(parts)
		cells := strings.Split(line, "\t")
		if i == 0 {
			width = len(cells)
		}
		tabs = tabs && len(cells) > 1 && len(cells) == width && text == line && !strings.Contains(line, " ")
	}
	switch {
	case binary && long:
		return none
	case tabs:
		return tab
	case least > 1 && 2*values >= fields:
		return whitespace
	}
	return ","
}
