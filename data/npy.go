package data

import (
	"errors"
	"fmt"
	"math"
	"os"

	"mattis/tensorfile"
)

// NPY reads an array of rows x values, or of rows x height x width, from an npy
// file, and labels from a second one with an integer a row. Elements are bytes,
// integers, floats or booleans.
func NPY(o Options) (*Split, error) {
	if err := o.only("npy", "labels_visible", "path", "test_path", "labels", "test_labels", "height", "width", "white", "binarize", "validation", "limit"); err != nil {
		return nil, err
	}
	return o.readFiles("npy", o.readNPY)
}

// readNPY reads one array of rows and one of labels.
func (o Options) readNPY(p part, _ *words) (*Set, error) {
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
	if len(t.Shape) != 1 || t.Shape[0] != s.Rows {
		return nil, fmt.Errorf("%s: labels of shape %v, where the %d rows of %s want [%d]", p.labels, t.Shape, s.Rows, p.path, s.Rows)
	}
	at := element(t)
	s.Labels = make([]int32, s.Rows)
	for i := range s.Labels {
		x := at(i)
		if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
			return nil, fmt.Errorf("%s: label %d is %v, where integers are wanted", p.labels, i+1, x)
		}
		s.Labels[i] = int32(x)
	}
	return s, nil
}

// openArray reads the one array of the file at path.
func (o Options) openArray(path string) (tensorfile.Tensor, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		r, _, err := o.open(path)
		if err != nil {
			return tensorfile.Tensor{}, err
		}
		defer r.Close()
		t, err := tensorfile.ReadNPY(r)
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return t, err
	}
	f, err := tensorfile.Read(path)
	if err != nil {
		return tensorfile.Tensor{}, err
	}
	if len(f.Tensors) != 1 {
		return tensorfile.Tensor{}, fmt.Errorf("%s: %d arrays, where one is wanted", path, len(f.Tensors))
	}
	return f.Tensors[0], nil
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
		var err error
		s.Spins, err = o.bytes(values, s.Visible, p.stream, place)
		return s, err
	}
	at := element(t)
	bin := o.binarizer(p.stream)
	_, single := t.Data.([]float32)
	bin.single = single && !o.Former
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
	bin.finish(s.Spins)
	return s, nil
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
