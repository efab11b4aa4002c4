package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

var nan = math.NaN()

// The longest string of an option in a body.
const (
	mostText = 1024 // bytes
)

// numbered names an entry of a list.
func numbered(place string, i int) string { return fmt.Sprintf("%s[%d]", place, i) }

// scanner reads one JSON object of options and rows from a body without holding it. What an option
// may hold says how deep the body goes: there is nothing to recurse into.
type scanner struct {
	r    io.Reader
	buf  []byte
	i, n int
	at   int64 // bytes before buf
	err  error
	text [mostText]byte
}

// errEnd is the end of the body where there should be more.
var errEnd = errors.New("the body ends too soon")

func (s *scanner) reset(r io.Reader) { *s = scanner{r: r, buf: s.buf} }

// fill reads more; it returns false at the end.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	s.at += int64(s.n)
	s.i, s.n = 0, 0
	for s.n == 0 && s.err == nil {
		s.n, s.err = s.r.Read(s.buf)
	}
	return s.n > 0
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i == s.n && !s.fill() {
		return 0
	}
	return s.buf[s.i]
}

// blank returns the next byte that is no white space, without taking it.
func (s *scanner) blank() byte {
	for {
		switch c := s.peek(); c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
}

// bad returns the error of a body that is no JSON, or of reading it.
func (s *scanner) bad(want string) error {
	if s.i == s.n && s.err != nil {
		if s.err == io.EOF || s.err == io.ErrUnexpectedEOF {
			return refused(400, "byte %d of the body: %v, want %s", s.at+int64(s.i), errEnd, want)
		}
		return s.err
	}
	return refused(400, "byte %d of the body: %s, want %s", s.at+int64(s.i)+1, strconv.QuoteRune(rune(s.buf[s.i])), want)
}

// take takes the byte c after white space, or returns an error.
func (s *scanner) take(c byte) error {
	if s.blank() != c {
		return s.bad(strconv.QuoteRune(rune(c)))
	}
	s.i++
	return nil
}

// more takes the comma before another entry, or the closing byte, of which it returns false.
func (s *scanner) more(closing byte) (bool, error) {
	switch s.blank() {
	case ',':
		s.i++
		return true, nil
	case closing:
		s.i++
		return false, nil
	}
	return false, s.bad("a comma or " + strconv.QuoteRune(rune(closing)))
}

// scalar returns the next string, number or word.
func (s *scanner) scalar(place string) (text string, quoted bool, err error) {
	b := s.text[:0]
	switch c := s.blank(); c {
	case '"':
		b = append(b, c)
		s.i++
		for escaped := false; ; {
			c := s.peek()
			if s.i == s.n || c < ' ' {
				return "", false, s.bad("the end of a string")
			}
			if len(b) == mostText {
				return "", false, wrong(place, "a string of more than %d bytes", mostText)
			}
			b = append(b, c)
			s.i++
			if c == '"' && !escaped {
				break
			}
			escaped = c == '\\' && !escaped
		}
		if err := json.Unmarshal(b, &text); err != nil {
			return "", false, refused(400, "byte %d of the body: a string that is none: %v", s.at+int64(s.i), err)
		}
		return text, true, nil
	case '[', '{':
		return "", false, wrong(place, "a list or an object, want one value")
	}
	for {
		c := s.peek()
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.') {
			break
		}
		if len(b) == 64 {
			return "", false, wrong(place, "a number or word of more than 64 bytes")
		}
		b = append(b, c)
		s.i++
	}
	if len(b) == 0 {
		return "", false, s.bad("a value")
	}
	if text = string(b); !jsonScalar(text) {
		return "", false, wrong(place, "%s is no JSON", shown(text, false))
	}
	return text, false, nil
}

// jsonScalar reports whether a text is a number, true, false or null of JSON.
func jsonScalar(text string) bool {
	switch text {
	case "true", "false", "null":
		return true
	}
	return json.Valid([]byte(text))
}

// object reads the whole body.
func (s *scanner) object(op *operation, service *Service, o *options, t *table) error {
	if err := s.take('{'); err != nil {
		return err
	}
	if s.blank() == '}' {
		s.i++
		return s.end()
	}
	for more := true; more; {
		if s.blank() != '"' {
			return s.bad("the name of an option")
		}
		name, _, err := s.scalar("body")
		if err != nil {
			return err
		}
		if err := s.take(':'); err != nil {
			return err
		}
		id, err := op.option(name, "body.")
		if err != nil {
			return err
		}
		if err := s.value(op, service, id, o, t); err != nil {
			return err
		}
		if more, err = s.more('}'); err != nil {
			return err
		}
	}
	return s.end()
}

// end returns an error where something follows the object.
func (s *scanner) end() error {
	if s.blank(); s.i < s.n {
		return s.bad("the end of the body")
	}
	if s.err != nil && s.err != io.EOF {
		return s.err
	}
	return nil
}

// value reads the value of an option.
func (s *scanner) value(op *operation, service *Service, id int, o *options, t *table) error {
	place := "body." + optionTable[id].name
	if o[id].given {
		return wrong(place, "is given twice")
	}
	switch {
	case id == optRows:
		o[id] = value{given: true, place: place}
		return s.rows(t)
	case id == optKnown && s.blank() == '[':
		return s.mask(&o[id], place, t)
	}
	text, quoted, err := s.scalar(place)
	if err != nil {
		return err
	}
	return o.set(op, service, id, place, text, quoted, false)
}

// mask reads a list of 0 and 1, or false and true.
func (s *scanner) mask(v *value, place string, t *table) error {
	s.i++
	*v = value{given: true, place: place}
	if s.blank() == ']' {
		s.i++
		return wrong(place, "an empty list, want 1 or 0 for each spin of a row")
	}
	for more := true; more; {
		x, quoted, err := s.scalar(place)
		if err != nil {
			return err
		}
		known := x == "1" || x == "true"
		if quoted || !known && x != "0" && x != "false" {
			return wrong(numbered(place, len(v.mask)), "%s, want 1 or 0", shown(x, quoted))
		}
		if len(v.mask) >= t.widths[0] {
			return wrong(place, "more than %d values, want one for each spin of a row", t.widths[0])
		}
		v.mask = append(v.mask, known)
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}

// rows reads a list of rows.
func (s *scanner) rows(t *table) error {
	if s.blank() != '[' {
		return s.notRows(t.place, "a list of rows")
	}
	s.i++
	if s.blank() == ']' {
		s.i++
		return nil
	}
	for more := true; more; {
		if s.blank() != '[' {
			return s.notRows(numbered(t.place, t.rows), "a list of values")
		}
		s.i++
		if err := t.begin(); err != nil {
			return err
		}
		if err := s.row(t); err != nil {
			return err
		}
		var err error
		if more, err = s.more(']'); err != nil {
			return err
		}
	}
	return nil
}

// notRows returns the error of something else in the place of rows.
func (s *scanner) notRows(place, want string) error {
	if s.i < s.n && s.buf[s.i] != ']' && s.buf[s.i] != ',' && s.buf[s.i] != '}' {
		return wrong(place, "want %s", want)
	}
	return s.bad(want)
}

// row reads the values of a row and its closing bracket.
func (s *scanner) row(t *table) error {
	if s.blank() == ']' {
		s.i++
		return t.end()
	}
	for {
		// most rows are digits and commas
		for s.i+1 < s.n && s.buf[s.i]&^1 == '0' && s.buf[s.i+1] == ',' {
			if err := t.bit(int8(s.buf[s.i] & 1)); err != nil {
				return err
			}
			s.i += 2
		}
		if err := s.cell(t); err != nil {
			return err
		}
		more, err := s.more(']')
		if err != nil {
			return err
		}
		if !more {
			return t.end()
		}
	}
}

// cell reads a value of a row.
func (s *scanner) cell(t *table) error {
	place := numberedCell{t.place, t.rows, t.cols}
	switch c := s.blank(); c {
	case '[', '{', '"':
		return wrong(place.String(), "want 0 and 1, or -1 and +1")
	}
	var b [64]byte
	n := 0
	for {
		c := s.peek()
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.') {
			break
		}
		if n == len(b) {
			return wrong(place.String(), "a number of more than %d bytes", len(b))
		}
		b[n] = c
		n++
		s.i++
	}
	text := b[:n]
	switch {
	case n == 0:
		return s.bad("a value of a row")
	case n == 1 && (text[0] == '0' || text[0] == '1'):
		return t.bit(int8(text[0] & 1))
	case string(text) == "-1":
		return t.add(-1)
	case string(text) == "null":
		return t.add(nan)
	case string(text) == "true":
		return t.bit(1)
	case string(text) == "false":
		return t.bit(0)
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !json.Valid(text) {
		return wrong(place.String(), "%s, want 0 and 1, or -1 and +1", shown(string(text), false))
	}
	return t.add(x)
}

// numberedCell is the place of a value, written out where there is an error alone.
type numberedCell struct {
	place    string
	row, col int
}

func (c numberedCell) String() string { return numbered(numbered(c.place, c.row), c.col) }
