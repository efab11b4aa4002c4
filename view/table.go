package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Table is rows of words and numbers under a header, for a terminal.
type Table struct {
	Header []string
	Rows   [][]string // each as long as Header; "" where there is nothing
}

// Write writes the table with aligned columns two spaces apart. A column
// whose entries are all numbers (a "±" and a unit may follow) stands to the right.
func (t Table) Write(w io.Writer) error {
	widths := make([]int, len(t.Header))
	right := make([]bool, len(t.Header))
	for c, h := range t.Header {
		widths[c] = utf8.RuneCountInString(h)
		right[c] = len(t.Rows) > 0
	}
	for i, row := range t.Rows {
		if len(row) != len(t.Header) {
			return fmt.Errorf("row %d of the table has %d entries under a header of %d", i, len(row), len(t.Header))
		}
		for c, cell := range row {
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
			right[c] = right[c] && (cell == "" || cell == "-" || numeric(cell))
		}
	}
	var b strings.Builder
	line := func(row []string) {
		var l strings.Builder
		for c, cell := range row {
			if c > 0 {
				l.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if right[c] {
				l.WriteString(pad + cell)
			} else {
				l.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	line(t.Header)
	for _, row := range t.Rows {
		line(row)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func numeric(s string) bool {
	first, _, _ := strings.Cut(s, " ")
	_, err := strconv.ParseFloat(strings.TrimSuffix(first, "%"), 64)
	return err == nil
}
