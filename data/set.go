// Package data implements data sets of spins: Bars and BAS as the paper makes
// them, MNIST and other IDX files, NPY, CSV and folders of images, with their
// binarisation, splits, batches and masks.
package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Set is a data set of spins, one pattern of the visible layer a row.
type Set struct {
	Name    string
	Rows    int
	Visible int      // spins in a row
	Height  int      // rows of an image; 0 for plain rows
	Width   int      // columns of an image; 0 for plain rows
	Spins   []int8   // Rows x Visible, each -1 or +1, row after row
	Greys   *Greys   // of the training set where they are drawn anew for each epoch; nil elsewhere
	Labels  []int32  // one a row, or nil
	Classes []string // the words that Labels number, or nil where labels are numbers themselves
	// LabelNames are the labels that the last spins of a row tell, one spin each: +1 for the row's
	// label, -1 for the others. Nil where labels are no spins.
	LabelNames []string
	Keep       Region // what reconstruction knows of an image
	// Notes are what users should know of how the rows were read, a line each.
	Notes []string

	transparent []string // images with transparent pixels
}

// Region names the part of a pattern that reconstruction starts from.
type Region uint8

const (
	Half      Region = iota // the top half of an image, the first half of a plain row
	FirstRow                // the first row of an image (Bars)
	FirstLine               // the first row of bars, the first column of stripes (BAS)
)

// Row returns the spins of row i, a view of length Visible.
func (s *Set) Row(i int) []int8 {
	return s.Spins[i*s.Visible : (i+1)*s.Visible : (i+1)*s.Visible]
}

// Known sets mask, of length Visible, to true where reconstruction of row i
// knows the spin: the first row of bars, the first column of stripes, the top
// half of other images, the first half of plain rows. Halves round down, but
// at least one row or spin is known. Label spins are unknown.
func (s *Set) Known(i int, mask []bool) {
	if len(mask) != s.Visible {
		panic(fmt.Sprintf("data: Known of a mask of %d for rows of %d spins", len(mask), s.Visible))
	}
	clear(mask)
	known := mask[:max(1, s.Pixels()/2)]
	if s.Height > 0 {
		known = mask[:s.Width*max(1, s.Height/2)]
	}
	switch {
	case s.Keep == FirstRow:
		known = mask[:s.Width]
	case s.Keep == FirstLine && repeatsColumn(s.Row(i), s.Width):
		for p := 0; p < s.Visible; p += s.Width {
			mask[p] = true
		}
		return
	case s.Keep == FirstLine:
		known = mask[:s.Width]
	}
	for p := range known {
		known[p] = true
	}
}

// Digest returns the SHA-256, in hexadecimal, of the set's shape, spins and
// labels. The name, the words of the labels and the kept region do not enter.
func (s *Set) Digest() string {
	h := sha256.New()
	block := make([]byte, 0, 1<<16)
	flush := func() { h.Write(block); block = block[:0] }
	for _, n := range []int{s.Rows, s.Visible, s.Height, s.Width, len(s.Labels)} {
		block = binary.LittleEndian.AppendUint64(block, uint64(n))
	}
	for _, v := range s.Spins {
		if block = append(block, byte(v)); len(block) == cap(block) {
			flush()
		}
	}
	flush()
	for _, l := range s.Labels {
		if block = binary.LittleEndian.AppendUint32(block, uint32(l)); len(block) == cap(block) {
			flush()
		}
	}
	flush()
	return hex.EncodeToString(h.Sum(nil))
}

// Take returns a new set of the given rows of s, in that order.
func (s *Set) Take(rows []int32) *Set {
	t := *s
	t.Rows = len(rows)
	t.Greys = s.Greys.take(rows)
	t.Spins = make([]int8, 0, len(rows)*s.Visible)
	t.Labels = nil
	for _, r := range rows {
		t.Spins = append(t.Spins, s.Row(int(r))...)
		if s.Labels != nil {
			t.Labels = append(t.Labels, s.Labels[r])
		}
	}
	return &t
}

// span returns the rows from a to b-1 as a set of that name, a view of s.
func (s *Set) span(a, b int, name string) *Set {
	t := *s
	t.Name, t.Rows = name, b-a
	t.Greys = s.Greys.span(a, b)
	t.Spins = s.Spins[a*s.Visible : b*s.Visible : b*s.Visible]
	if s.Labels != nil {
		t.Labels = s.Labels[a:b:b]
	}
	return &t
}

// limit returns the first n rows of s, or s itself where it has no more or n
// is 0. The rest of the memory can be freed.
func (s *Set) limit(n int) *Set {
	if n == 0 || n >= s.Rows {
		return s
	}
	t := s.span(0, n, s.Name)
	t.Spins, t.Labels = slices.Clone(t.Spins), slices.Clone(t.Labels)
	return t
}

// shape sets the image shape that a source or the options name.
func (s *Set) shape(path string, o Options) error {
	if o.Height == 0 && o.Width == 0 {
		return nil
	}
	if o.Height < 1 || o.Width < 1 {
		return fmt.Errorf("data.height %d, data.width %d: both must be at least 1, or both absent", o.Height, o.Width)
	}
	if err := s.suits(o); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.Height, s.Width = o.Height, o.Width
	return nil
}

// suits returns an error where rows of this shape are none that the options ask for. Readers ask
// before they look at values: whatever these are, the file is another one than was meant. The error
// names no file.
func (s *Set) suits(o Options) error {
	if o.Height > 0 && o.Width > 0 {
		if s.Height != 0 && (s.Height != o.Height || s.Width != o.Width) {
			return fmt.Errorf("images of %dx%d pixels, where data.height and data.width say %dx%d", s.Height, s.Width, o.Height, o.Width)
		}
		if o.Width > s.Visible || o.Height != s.Visible/o.Width || s.Visible%o.Width != 0 {
			return fmt.Errorf("rows of %d values are no images of data.height %d x data.width %d", s.Visible, o.Height, o.Width)
		}
	}
	if len(o.Widths) > 0 && !slices.Contains(o.Widths, s.Visible) {
		return &WidthError{s.Visible, o.Widths}
	}
	return nil
}

// WidthError says that rows have another number of values than those that are wanted.
type WidthError struct {
	Width int
	Want  []int
}

func (e *WidthError) Error() string {
	return fmt.Sprintf("rows of %d values, where %v are wanted", e.Width, e.Want)
}

// agree returns an error unless rows of s and of t, read from the two paths,
// have one shape.
func (s *Set) agree(t *Set, path, other string) error {
	if s.Visible != t.Visible || s.Height != t.Height || s.Width != t.Width {
		return fmt.Errorf("%s: rows of %s, where those of %s have %s", other, t.rowShape(), path, s.rowShape())
	}
	return nil
}

func (s *Set) rowShape() string {
	if s.Height > 0 {
		return fmt.Sprintf("%dx%d pixels", s.Height, s.Width)
	}
	return fmt.Sprintf("%d values", s.Visible)
}
