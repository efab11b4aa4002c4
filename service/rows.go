package service

import (
	"net/http"
	"slices"

	"mattis/tensorfile"
)

// What stands for a value of a row until it is a spin.
const (
	zeroValue = 0
	unknown   = 2 // null or NaN
)

// table gathers the rows of a request, value by value, as their body is read. It grows with what is
// there, and stops at the first value that has no place.
type table struct {
	op     *operation
	widths [2]int // that rows may have: all visible spins, or the pixels
	most   int    // rows
	place  string // in errors

	values []int8    // 0, 1, -1 and unknown, as long as no value is another one
	greys  []float64 // all values, from the first one on that is another
	width  int       // of the first row
	rows   int
	cols   int // of the row under way
	minus  bool
	zero   bool
	single bool // greys are float32
}

// reset makes the table one of rows for the machine.
func (t *table) reset(op *operation, l *loaded, most int) {
	*t = table{op: op, widths: [2]int{l.Visible(), l.Pixels()}, most: most, place: "body.rows", values: t.values[:0], greys: t.greys[:0]}
}

// fits returns an error unless rows may have so many values.
func (t *table) fits(n int, row int) error {
	if t.width == 0 && slices.Contains(t.widths[:], n) {
		t.width = n
	}
	switch {
	case n == t.width && n > 0:
		return nil
	case t.width > 0 && row > 0:
		return wrong(numbered(t.place, row), "%d values, where the first row has %d", n, t.width)
	case t.widths[0] != t.widths[1]:
		return wrong(numbered(t.place, row), "%d values, the machine has %d visible spins and %d more that tell the label", n, t.widths[1], t.widths[0]-t.widths[1])
	}
	return wrong(numbered(t.place, row), "%d values, the machine has %d visible spins", n, t.widths[0])
}

// begin starts a row.
func (t *table) begin() error {
	if t.rows == t.most {
		return at(http.StatusRequestEntityTooLarge, t.place, "more than %d rows: send them in parts", t.most)
	}
	t.cols = 0
	return nil
}

// end ends a row.
func (t *table) end() error {
	if err := t.fits(t.cols, t.rows); err != nil {
		return err
	}
	t.rows++
	return nil
}

// room returns an error where the row under way has all the values that fit.
func (t *table) room() error {
	if most := t.width; t.cols >= t.widths[0] || most > 0 && t.cols >= most {
		if most == 0 {
			most = t.widths[0]
		}
		return wrong(numbered(t.place, t.rows), "more than %d values", most)
	}
	return nil
}

// add takes the next value.
func (t *table) add(x float64) error {
	if err := t.room(); err != nil {
		return err
	}
	t.cols++
	switch {
	case len(t.greys) > 0:
		t.greys = append(t.greys, x)
	case x == 1:
		t.values = append(t.values, 1)
	case x == 0:
		t.zero = true
		t.values = append(t.values, zeroValue)
	case x == -1:
		t.minus = true
		t.values = append(t.values, -1)
	case x != x:
		t.values = append(t.values, unknown)
	default:
		t.greys = slices.Grow(t.greys, len(t.values)+1)
		for _, v := range t.values {
			if v == unknown {
				t.greys = append(t.greys, nan)
			} else {
				t.greys = append(t.greys, float64(v))
			}
		}
		t.greys = append(t.greys, x)
	}
	return nil
}

// bit takes the next value where it is 0 or 1.
func (t *table) bit(x int8) error {
	if len(t.greys) > 0 {
		return t.add(float64(x))
	}
	if err := t.room(); err != nil {
		return err
	}
	t.cols++
	t.zero = t.zero || x == 0
	t.values = append(t.values, x)
	return nil
}

// shape takes the shape of an npy file, before its values are read.
func (t *table) shape(kind tensorfile.Type, shape []int) error {
	if len(shape) < 2 || len(shape) > 3 {
		return wrong(t.place, "an array of shape %v, want rows of values", shape)
	}
	n := 1
	for _, d := range shape[1:] {
		if n *= d; d < 0 || n > t.widths[0] {
			return wrong(t.place, "rows of shape %v, the machine has %d visible spins", shape[1:], t.widths[0])
		}
	}
	if shape[0] > t.most {
		return at(http.StatusRequestEntityTooLarge, t.place, "%d rows: send at most %d at a time", shape[0], t.most)
	}
	return t.fits(n, 0)
}

// array takes the rows of an npy file whose shape is right.
func (t *table) array(a tensorfile.Tensor) error {
	if a.Type() == tensorfile.I8 {
		t.rows = a.Shape[0]
		return t.spins(a.Data.([]int8))
	}
	t.single = a.Type() == tensorfile.F32 || a.Type() == tensorfile.F16
	for row := range slices.Chunk(tensorfile.Floats[float64](a), t.width) {
		t.cols = 0
		for _, v := range row {
			if err := t.add(v); err != nil {
				return err
			}
		}
		t.rows++
	}
	return nil
}

// spins takes rows that are int8 already.
func (t *table) spins(x []int8) error {
	for i, v := range x {
		switch v {
		case 0:
			t.zero = true
		case 1:
		case -1:
			t.minus = true
		default:
			return wrong(t.cell(i), "%d, want 0 and 1, or -1 and +1", v)
		}
	}
	t.values = append(t.values, x...)
	return nil
}

// cell names the place of a value.
func (t *table) cell(i int) string {
	w := max(1, t.width)
	return numbered(numbered(t.place, i/w), i%w)
}

// finish returns the rows as spins, 0 where they are not known, V of them a row; label spins that
// the rows lack are 0.
func (t *table) finish(o *options, visible int) ([]int8, error) {
	if t.rows == 0 {
		return nil, wrong(t.place, "no rows")
	}
	if err := t.binarize(o); err != nil {
		return nil, err
	}
	if t.zero && t.minus {
		i := slices.Index(t.values, -1)
		if z := slices.Index(t.values, zeroValue); z > i {
			i = z
		}
		return nil, wrong(t.cell(i), "%d in rows that hold both 0 and -1: want 0 and 1, or -1 and +1", t.values[i])
	}
	spins := make([]int8, t.rows*visible)
	for r := range t.rows {
		row := spins[r*visible:]
		for j, v := range t.values[r*t.width : (r+1)*t.width] {
			switch v {
			case zeroValue:
				v = -1
			case unknown:
				if v = 0; !t.op.gaps {
					return nil, wrong(t.cell(r*t.width+j), "is missing, want 0 and 1, or -1 and +1")
				}
			}
			row[j] = v
		}
	}
	return spins, nil
}

// binarize makes two values of greys.
func (t *table) binarize(o *options) error {
	threshold := o[optThreshold]
	if !threshold.given && len(t.greys) == 0 {
		return nil
	}
	if len(t.greys) == 0 {
		if t.minus {
			return wrong(threshold.place, "is for greys from 0 to 1, and the rows hold -1")
		}
		return nil // 0 and 1 are what they are at any threshold
	}
	t.values, t.zero, t.minus = t.values[:0], false, false
	cut := float32(threshold.real)
	for i, x := range t.greys {
		switch {
		case x != x:
			t.values = append(t.values, unknown)
			continue
		case !threshold.given:
			if x != 0 && x != 1 && x != -1 {
				hint := ""
				if x > 0 && x < 1 {
					hint = "; a threshold makes two values of greys"
				}
				return wrong(t.cell(i), "%v, want 0 and 1, or -1 and +1%s", x, hint)
			}
		case !(x >= 0 && x <= 1):
			return wrong(t.cell(i), "%v, want greys from 0 to 1 beside a threshold", x)
		}
		up := x > threshold.real
		if t.single {
			up = float32(x) > cut
		}
		if t.zero = t.zero || !up; up {
			t.values = append(t.values, 1)
		} else {
			t.values = append(t.values, zeroValue)
		}
	}
	return nil
}
