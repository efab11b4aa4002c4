package data

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"mattis/tensorfile"
)

// Parquet reads a table of flat columns, one a spin, of numbers, booleans or texts of them, and a
// column of labels if one is named. The columns in which pandas keeps an index are left out.
func Parquet(o Options) (*Split, error) {
	if err := o.only("parquet"); err != nil {
		return nil, err
	}
	return o.readFiles("parquet", func(p part, words *words) (*Set, error) {
		p.labels = o.Labels // one column in both files
		f, size, err := o.open(p.path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		s, err := o.decodeParquet(f, size, p, words)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.path, err)
		}
		return s, nil
	})
}

// parquetTable is a parquet file that parquetGuard let pass, of flat columns.
type parquetTable struct {
	file    *parquet.File
	names   []string
	columns []int // those that are read, by their numbers in the file
	rows    int
	left    []string // names of columns that are left out
}

// openParquet returns the table of a file of size bytes.
func openParquet(r io.ReaderAt, size int64) (t *parquetTable, err error) {
	defer func() { // what the guard lets pass and the module does not expect
		if p := recover(); p != nil {
			err = fmt.Errorf("the metadata are damaged: %v", p)
		}
	}()
	if err := checkFooter(r, size); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("the metadata are damaged: %w", err)
	}
	t = &parquetTable{file: f}
	columns := f.Root().Columns()
	for i, c := range columns {
		if !c.Leaf() || c.Repeated() {
			return nil, fmt.Errorf("column %q is nested: want a column of single values for each spin, and other columns left out", c.Name())
		}
		if strings.HasPrefix(c.Name(), "__index_level_") {
			t.left = append(t.left, c.Name())
			continue
		}
		t.columns = append(t.columns, i)
		t.names = append(t.names, c.Name())
	}
	guard := newParquetGuard(r, size)
	for _, g := range f.Metadata().RowGroups {
		if len(g.Columns) != len(columns) || g.NumRows < 0 || g.NumRows > math.MaxInt32 {
			return nil, fmt.Errorf("a group of %d rows and %d columns, where the file has %d columns", g.NumRows, len(g.Columns), len(columns))
		}
		t.rows += int(g.NumRows)
		for _, i := range t.columns {
			m := &g.Columns[i].MetaData
			if kind := columns[i].Type().Kind(); m.Type != format.Type(kind) {
				return nil, fmt.Errorf("column %q is %v in its pages and %v in the schema", columns[i].Name(), m.Type, format.Type(kind))
			}
			if err := guard.chunk(m, g.NumRows, columns[i].Optional()); err != nil {
				return nil, fmt.Errorf("column %q: %w", columns[i].Name(), err)
			}
		}
	}
	return t, nil
}

// number returns what a value of the column is in numbers, or an error where it is none.
func (t *parquetTable) number(column int) (func(v parquet.Value) (x float64, truth, ok bool), error) {
	c := t.file.Root().Columns()[column]
	logical := ""
	unsigned := false
	if l := c.Type().LogicalType(); l != nil {
		switch l := l.Value.(type) {
		case *format.IntType:
			unsigned = !l.IsSigned
		case *format.StringType, *format.EnumType, *format.Float16Type, nil:
		default:
			logical = l.String()
		}
	}
	plain := func(f func(v parquet.Value) float64) func(v parquet.Value) (float64, bool, bool) {
		return func(v parquet.Value) (float64, bool, bool) { return f(v), false, true }
	}
	kind := c.Type().Kind()
	switch {
	case logical != "":
	case kind == parquet.Boolean:
		return func(v parquet.Value) (float64, bool, bool) {
			if v.Boolean() {
				return 1, true, true
			}
			return 0, true, true
		}, nil
	case kind == parquet.Int32 && unsigned:
		return plain(func(v parquet.Value) float64 { return float64(v.Uint32()) }), nil
	case kind == parquet.Int32:
		return plain(func(v parquet.Value) float64 { return float64(v.Int32()) }), nil
	case kind == parquet.Int64 && unsigned:
		return plain(func(v parquet.Value) float64 { return float64(v.Uint64()) }), nil
	case kind == parquet.Int64:
		return plain(func(v parquet.Value) float64 { return float64(v.Int64()) }), nil
	case kind == parquet.Float:
		return plain(func(v parquet.Value) float64 { return float64(v.Float()) }), nil
	case kind == parquet.Double:
		return plain(func(v parquet.Value) float64 { return v.Double() }), nil
	case kind == parquet.FixedLenByteArray && c.Type().Length() == 2:
		return plain(func(v parquet.Value) float64 {
			b := v.ByteArray()
			return float64(tensorfile.Half(uint16(b[0]) | uint16(b[1])<<8).Float32())
		}), nil
	case kind == parquet.ByteArray:
		return func(v parquet.Value) (float64, bool, bool) { return valueOf(string(v.ByteArray())) }, nil
	}
	return nil, fmt.Errorf("column %q holds values of the type %s, want numbers or booleans; leave the column out", c.Name(), strings.TrimSpace(logical+" "+kind.String()))
}

// cut returns the type that the values of a column are compared with a threshold in.
func (t *parquetTable) cut(column int) tensorfile.Type {
	switch c := t.file.Root().Columns()[column]; c.Type().Kind() {
	case parquet.Float:
		return tensorfile.F32
	case parquet.FixedLenByteArray:
		return tensorfile.F16
	}
	return tensorfile.F64
}

// each calls f with the values of a column, row after row.
func (t *parquetTable) each(column int, f func(row int, v parquet.Value) error) (err error) {
	name := t.file.Root().Columns()[column].Name()
	var inner error // of f
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("column %q: damaged pages: %v", name, p)
		}
		if inner != nil {
			err = inner
		}
	}()
	row := 0
	values := make([]parquet.Value, 1024)
	for _, g := range t.file.RowGroups() {
		pages := g.ColumnChunks()[column].Pages()
		defer pages.Close()
		first := row
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("column %q: damaged pages: %w", name, err)
			}
			for reader := page.Values(); ; {
				n, err := reader.ReadValues(values)
				for _, v := range values[:n] {
					if row >= t.rows {
						return fmt.Errorf("column %q: more values than the %d rows", name, t.rows)
					}
					if inner = f(row, v); inner != nil {
						return inner
					}
					row++
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return fmt.Errorf("column %q: damaged pages: %w", name, err)
				}
			}
			parquet.Release(page)
		}
		if n := row - first; n != int(g.NumRows()) {
			return fmt.Errorf("column %q: %d values, where the group has %d rows", name, n, g.NumRows())
		}
	}
	return nil
}

func (o Options) decodeParquet(f io.ReadCloser, size int64, p part, words *words) (*Set, error) {
	at, size, err := whole(f, size)
	if err != nil {
		return nil, err
	}
	t, err := openParquet(at, size)
	if err != nil {
		return nil, err
	}
	if t.rows == 0 || len(t.columns) == 0 {
		return nil, fmt.Errorf("a table of %d rows and %d columns holds nothing", t.rows, len(t.columns))
	}
	label, err := labelColumn(p.labels, len(t.columns), t.names)
	if err != nil {
		return nil, err
	}
	s := &Set{Rows: t.rows, Visible: len(t.columns)}
	if label >= 0 {
		s.Visible--
	}
	if s.Visible == 0 {
		return nil, errors.New("no column of values beside the labels")
	}
	if err := s.suits(o); err != nil {
		return nil, err
	}
	if t.left != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: the index of the table, %s, is left out", p.path, strings.Join(t.left, ", ")))
	}
	s.Spins = make([]int8, s.Rows*s.Visible)
	bin := o.binarizer(p.stream)
	place := func(row, i int) string { return fmt.Sprintf("row %d, column %d (%s)", row+1, i+1, t.names[i]) }
	var numbers []func(parquet.Value) (float64, bool, bool) // of all columns before any is read: what is no number at all is said first
	for i, column := range t.columns {
		number, err := t.number(column)
		if err != nil && i != label {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	col := 0
	for i, column := range t.columns {
		if i == label {
			if err := s.labelsOf(t, column, words, func(row int) string { return place(row, i) }); err != nil {
				return nil, err
			}
			continue
		}
		bin.cut = bin.cutOf(t.cut(column))
		err := t.each(column, func(row int, v parquet.Value) error {
			x, truth, ok := math.NaN(), false, true
			if !v.IsNull() {
				x, truth, ok = numbers[i](v)
			}
			if !ok && t.spinTexts(column) {
				return fmt.Errorf("%s: %w", place(row, i), errSpinTexts)
			} else if !ok {
				return fmt.Errorf("%s: %q is no number; set data.labels to %q if the column holds labels", place(row, i), v.ByteArray(), t.names[i])
			}
			if truth && o.tally != nil {
				o.tally.Truths = true
			}
			spin, err := bin.spin(x, row, col)
			if gap := (*MissingError)(nil); errors.As(err, &gap) && v.IsNull() {
				gap.Text = "null"
			}
			if grey := (*GreyError)(nil); errors.As(err, &grey) && t.spinTexts(column) {
				err = errSpinTexts
			} else if grey != nil {
				t.meet(grey, column, row, numbers[i])
			}
			if err != nil {
				return fmt.Errorf("%s: %w", place(row, i), err)
			}
			s.Spins[row*s.Visible+col] = spin
			return nil
		})
		if err != nil {
			return nil, err
		}
		col++
	}
	bin.finish(s)
	return s, nil
}

// errSpinTexts is what is wrong with a column of texts such as 0110, which are rows.
var errSpinTexts = errors.New("the column holds rows of spins as texts: write it to a text file, a row a line")

// spinTexts reports whether a column's first values are texts of some characters, as many in each,
// that are all 0 and 1 or all + and -.
func (t *parquetTable) spinTexts(column int) bool {
	if t.file.Root().Columns()[column].Type().Kind() != parquet.ByteArray {
		return false
	}
	width := 0
	err := t.each(column, func(row int, v parquet.Value) error {
		if row >= lookedAt {
			return errEnough
		}
		text := string(v.ByteArray())
		if v.IsNull() {
			return nil
		}
		if width == 0 {
			width = len(text)
		}
		if len(text) != width || width < 2 || strings.Trim(text, "01") != "" && strings.Trim(text, "+-") != "" {
			return errSpinTexts
		}
		return nil
	})
	return width > 0 && (err == nil || err == errEnough)
}

// errEnough ends a walk over a column.
var errEnough = errors.New("enough")

// texts sets field i of the sampled records to the values of the column, as a text has them.
func (t *parquetTable) texts(column int, sample [][]string, i int) error {
	number, err := t.number(column)
	if err != nil {
		return err
	}
	texts := t.file.Root().Columns()[column].Type().Kind() == parquet.ByteArray
	err = t.each(column, func(row int, v parquet.Value) error {
		switch {
		case row >= len(sample):
			return errEnough
		case v.IsNull():
		case texts:
			sample[row][i] = string(v.ByteArray())
		default:
			x, _, _ := number(v)
			sample[row][i] = strconv.FormatFloat(x, 'g', -1, 64)
		}
		return nil
	})
	if err == errEnough {
		return nil
	}
	return err
}

// meet shows the error the values of the column from the row on.
func (t *parquetTable) meet(e *GreyError, column, from int, number func(parquet.Value) (float64, bool, bool)) {
	t.each(column, func(row int, v parquet.Value) error {
		if row >= from+lookedAt {
			return errEnough
		}
		if row >= from && !v.IsNull() {
			if x, _, ok := number(v); ok && x == x {
				e.meet(x)
			}
		}
		return nil
	})
}

// labelsOf takes the labels of the rows from a column of whole numbers or texts.
func (s *Set) labelsOf(t *parquetTable, column int, words *words, place func(row int) string) error {
	number, err := t.number(column)
	if err != nil {
		return err
	}
	texts := t.file.Root().Columns()[column].Type().Kind() == parquet.ByteArray
	return t.each(column, func(row int, v parquet.Value) error {
		text := ""
		switch {
		case v.IsNull():
		case texts:
			text = strings.TrimSpace(string(v.ByteArray()))
		default:
			x, truth, _ := number(v)
			text = strconv.FormatFloat(x, 'g', -1, 64)
			if truth {
				text = strconv.FormatBool(x == 1)
			}
		}
		if text == "" {
			return fmt.Errorf("%s: no label", place(row))
		}
		s.Labels = append(s.Labels, words.add(text))
		return nil
	})
}
