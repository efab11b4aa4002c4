package data

import (
	"errors"
	"fmt"
	"math"

	"mattis/tensorfile"
)

// NPY reads an array of rows x values, or of rows x height x width, from an npy or npz file, and
// labels from a second one, or from the same npz, with an integer a row. Elements are bytes,
// integers, floats or booleans. An npz of training and test arrays is both (see Options.Array),
// unless the split wants one of them alone.
func NPY(o Options) (*Split, error) {
	if err := o.only("npy"); err != nil {
		return nil, err
	}
	if o.piped == nil {
		o.piped = map[string][]byte{}
	}
	if o.TestPath == "" && (o.Split == "" || o.Split == "files") && o.Path != "" {
		a, closing, err := o.openArchive(o.Path)
		if err != nil {
			return nil, err
		}
		if a != nil {
			defer closing()
			if o.Array == "" && len(a.pair()) > 0 {
				o.TestPath = o.Path
			}
		}
	}
	return o.readFiles("npy", o.readNPY)
}

// readNPY reads one array of rows and one of labels.
func (o Options) readNPY(p part, _ *words) (*Set, error) {
	a, closing, err := o.openArchive(p.path)
	if err != nil {
		return nil, err
	}
	if a != nil {
		defer closing()
		return o.readArchive(a, p)
	}
	if o.Array != "" {
		return nil, fmt.Errorf("data.array: %s is an npy file of one array, which has no name: leave it out", p.path)
	}
	t, err := o.openArray(p.path)
	if err != nil {
		return nil, err
	}
	s, err := o.decodeArray(t, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	if p.labels == "" {
		return s, nil
	}
	if t, err = o.openArray(p.labels); err != nil {
		return nil, err
	}
	if err := s.label(t); err != nil {
		return nil, fmt.Errorf("%s: %w (the rows are those of %s)", p.labels, err, p.path)
	}
	return s, nil
}

// label takes the labels of the rows from an array.
func (s *Set) label(t tensorfile.Tensor) error {
	if len(t.Shape) != 1 || t.Shape[0] != s.Rows {
		return fmt.Errorf("labels of shape %v, where %d rows want [%d]", t.Shape, s.Rows, s.Rows)
	}
	at := element(t)
	s.Labels = make([]int32, s.Rows)
	for i := range s.Labels {
		x := at(i)
		if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
			return fmt.Errorf("label %d is %v, where integers are wanted", i+1, x)
		}
		s.Labels[i] = int32(x)
	}
	return nil
}

// openArray reads the one array of the npy file at path.
func (o Options) openArray(path string) (tensorfile.Tensor, error) {
	none := tensorfile.Tensor{}
	f, size, err := o.open(path)
	if err != nil {
		return none, err
	}
	defer f.Close()
	b, zipped, err := gunzip(f, size)
	if err == nil {
		if zipped {
			size = -1
		}
		var t tensorfile.Tensor
		if t, err = tensorfile.ReadSizedNPY(b, size); err == nil {
			return t, nil
		}
	}
	return none, fmt.Errorf("%s: %w", path, err)
}

// decodeArray returns the rows of an array as spins.
func (o Options) decodeArray(t tensorfile.Tensor, p part) (*Set, error) {
	s := &Set{Visible: 1}
	if len(t.Shape) != 2 && len(t.Shape) != 3 {
		return nil, fmt.Errorf("an array of shape %v, where [rows values] or [rows height width] is wanted", t.Shape)
	}
	for _, d := range t.Shape {
		if d < 1 {
			return nil, fmt.Errorf("an array of shape %v holds nothing", t.Shape)
		}
	}
	s.Rows = t.Shape[0]
	for _, d := range t.Shape[1:] {
		s.Visible *= d
	}
	if len(t.Shape) == 3 {
		s.Height, s.Width = t.Shape[1], t.Shape[2]
	}
	if err := s.suits(o); err != nil {
		return nil, err
	}
	place := func(i int) string { return fmt.Sprintf("row %d, value %d", i/s.Visible+1, i%s.Visible+1) }
	if values, ok := t.Data.([]uint8); ok {
		return s, o.bytes(s, values, p.stream, place)
	}
	at := element(t)
	bin := o.binarizer(p.stream)
	bin.cut = bin.cutOf(t.Type())
	if o.Former {
		bin.cut = nil
	}
	if _, truth := t.Data.([]bool); truth && o.tally != nil {
		o.tally.Truths = true
	}
	s.Spins = make([]int8, s.Rows*s.Visible)
	for i := range s.Spins {
		spin, err := bin.spin(at(i), i/s.Visible, i%s.Visible)
		if err != nil {
			if grey := (*GreyError)(nil); errors.As(err, &grey) {
				for j := i; j < min(i+lookedAt, len(s.Spins)); j++ {
					grey.meet(at(j))
				}
			}
			return nil, fmt.Errorf("%s: %w", place(i), err)
		}
		s.Spins[i] = spin
	}
	bin.finish(s)
	return s, nil
}

// cutOf returns the threshold as values of the type have it, nil for those that are compared in
// float64.
func (b *binarizer) cutOf(t tensorfile.Type) *float32 {
	if b.rule.Threshold == nil || t != tensorfile.F32 && t != tensorfile.F16 {
		return nil
	}
	cut := float32(*b.rule.Threshold * b.white)
	if t == tensorfile.F16 {
		cut = tensorfile.HalfOf(cut).Float32()
	}
	return &cut
}

// element returns what gives element i of an array, so that no copy of it as
// floats is made.
func element(t tensorfile.Tensor) func(i int) float64 {
	switch d := t.Data.(type) {
	case []bool:
		return func(i int) float64 {
			if d[i] {
				return 1
			}
			return 0
		}
	case []uint8:
		return number(d)
	case []int8:
		return number(d)
	case []uint16:
		return number(d)
	case []int16:
		return number(d)
	case []uint32:
		return number(d)
	case []int32:
		return number(d)
	case []uint64:
		return number(d)
	case []int64:
		return number(d)
	case []tensorfile.Half:
		return func(i int) float64 { return float64(d[i].Float32()) }
	case []float32:
		return number(d)
	case []float64:
		return number(d)
	}
	panic(fmt.Sprintf("data: an array of %v", t.Type()))
}

func number[E uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64](d []E) func(i int) float64 {
	return func(i int) float64 { return float64(d[i]) }
}
