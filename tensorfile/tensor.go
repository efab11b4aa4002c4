// Package tensorfile implements strict readers and writers of named arrays in
// the formats npy, npz and safetensors.
//
// Readers trust no size that a file declares: they take memory only for bytes
// that are there, and refuse what a format forbids with a [FormatError] that
// holds path and byte offset. Writers give equal bytes for equal content.
package tensorfile

import (
	"fmt"
	"math"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Element is the set of Go types that an array can hold.
type Element interface {
	bool | uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | Half | float32 | float64
}

// Type is the element type of an array.
type Type uint8

// The element types. Invalid is the type of a Tensor whose Data is no slice of
// an Element.
const (
	Invalid Type = iota
	Bool
	U8
	I8
	U16
	I16
	U32
	I32
	U64
	I64
	F16
	F32
	F64
)

// elements gives the name of each type in safetensors, its npy descriptor
// without the byte order, and its size in bytes.
var elements = [...]struct {
	name, descr string
	size        int
}{
	Invalid: {"invalid", "", 0},
	Bool:    {"BOOL", "b1", 1},
	U8:      {"U8", "u1", 1},
	I8:      {"I8", "i1", 1},
	U16:     {"U16", "u2", 2},
	I16:     {"I16", "i2", 2},
	U32:     {"U32", "u4", 4},
	I32:     {"I32", "i4", 4},
	U64:     {"U64", "u8", 8},
	I64:     {"I64", "i8", 8},
	F16:     {"F16", "f2", 2},
	F32:     {"F32", "f4", 4},
	F64:     {"F64", "f8", 8},
}

// String returns the name of the type in safetensors: "F32", "I8".
func (t Type) String() string { return elements[t].name }

// Size returns the bytes that one element takes.
func (t Type) Size() int { return elements[t].size }

// Tensor is a named array in row-major order. A nil or empty Shape is a scalar
// with one element.
type Tensor struct {
	Name  string
	Shape []int
	Data  any // []E of an Element E, as long as the product of Shape, or for writing a Stream of as many
}

// Stream is the data of a tensor that is written and never held as a whole.
type Stream struct {
	Kind  Type
	Count int // elements
	// Parts calls write with slices of the elements, []E of an Element E of the kind, from the
	// first to the last. It may be called more than once, and gives the same elements each time.
	Parts func(write func(part any) error) error
}

// New returns the tensor that holds data, not a copy, under the given shape.
// It panics where their sizes differ.
func New[E Element](name string, data []E, shape ...int) Tensor {
	t := Tensor{Name: name, Shape: shape, Data: data}
	if err := t.check(); err != nil {
		panic("tensorfile: " + err.Error())
	}
	return t
}

// Type returns the type of the elements.
func (t Tensor) Type() Type {
	switch d := t.Data.(type) {
	case []bool:
		return Bool
	case []uint8:
		return U8
	case []int8:
		return I8
	case []uint16:
		return U16
	case []int16:
		return I16
	case []uint32:
		return U32
	case []int32:
		return I32
	case []uint64:
		return U64
	case []int64:
		return I64
	case []Half:
		return F16
	case []float32:
		return F32
	case []float64:
		return F64
	case Stream:
		return d.Kind
	}
	return Invalid
}

// Len returns the number of elements in Data.
func (t Tensor) Len() int {
	switch d := t.Data.(type) {
	case []bool:
		return len(d)
	case []uint8:
		return len(d)
	case []int8:
		return len(d)
	case []uint16:
		return len(d)
	case []int16:
		return len(d)
	case []uint32:
		return len(d)
	case []int32:
		return len(d)
	case []uint64:
		return len(d)
	case []int64:
		return len(d)
	case []Half:
		return len(d)
	case []float32:
		return len(d)
	case []float64:
		return len(d)
	case Stream:
		return d.Count
	}
	return 0
}

// Values returns the elements of t, not a copy, or an error where their type
// is not E.
func Values[E Element](t Tensor) ([]E, error) {
	d, ok := t.Data.([]E)
	if !ok {
		return nil, fmt.Errorf("tensor %q holds %v, want %v", t.Name, t.Type(), Tensor{Data: []E(nil)}.Type())
	}
	return d, nil
}

// Floats returns a copy of the elements of t as numbers of type F, in row-major
// order; true is 1 and false is 0. It returns nil where Data is no array.
func Floats[F float32 | float64](t Tensor) []F {
	switch d := t.Data.(type) {
	case []bool:
		out := make([]F, len(d))
		for i, x := range d {
			if x {
				out[i] = 1
			}
		}
		return out
	case []uint8:
		return convert[F](d)
	case []int8:
		return convert[F](d)
	case []uint16:
		return convert[F](d)
	case []int16:
		return convert[F](d)
	case []uint32:
		return convert[F](d)
	case []int32:
		return convert[F](d)
	case []uint64:
		return convert[F](d)
	case []int64:
		return convert[F](d)
	case []Half:
		out := make([]F, len(d))
		for i, x := range d {
			out[i] = F(x.Float32())
		}
		return out
	case []float32:
		return convert[F](d)
	case []float64:
		return convert[F](d)
	}
	return nil
}

func convert[F float32 | float64, E uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64 | float32 | float64](in []E) []F {
	out := make([]F, len(in))
	for i, x := range in {
		out[i] = F(x)
	}
	return out
}

// check returns an error where the elements of t do not fill its shape.
func (t Tensor) check() error {
	if t.Type() == Invalid {
		return fmt.Errorf("tensor %q holds a %T, want a slice of bool, integers or floats", t.Name, t.Data)
	}
	n, ok := count(t.Shape, t.Type().Size())
	if !ok {
		return fmt.Errorf("tensor %q has the impossible shape %v", t.Name, t.Shape)
	}
	if n != t.Len() {
		return fmt.Errorf("tensor %q has shape %v, that is %d elements, and %d values", t.Name, t.Shape, n, t.Len())
	}
	return nil
}

// maxDims is the most dimensions that a shape may have; numpy's bound is 64.
const maxDims = 64

// count returns the number of elements of a shape. It reports false for a
// negative size, too many dimensions, and where the non-zero sizes multiply to
// more bytes than an int can hold.
func count(shape []int, size int) (int, bool) {
	if len(shape) > maxDims {
		return 0, false
	}
	n, empty := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, false
		case d == 0:
			empty = true
		case n > math.MaxInt/size/d:
			return 0, false
		default:
			n *= d
		}
	}
	if empty {
		return 0, true
	}
	return n, true
}

// checkName returns an error where a name cannot be kept by every format.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a tensor has no name")
	case name == metadataKey:
		return fmt.Errorf("the name %q belongs to the metadata", name)
	case !utf8.ValidString(name) || slices.ContainsFunc([]rune(name), unicode.IsControl):
		return fmt.Errorf("the name %q holds control characters or bytes that are not UTF-8", name)
	}
	return nil
}
