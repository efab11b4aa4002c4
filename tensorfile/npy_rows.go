package tensorfile

import (
	"fmt"
	"io"
)

// NPYWriter writes an npy file part by part, for arrays that are not held in
// memory at once.
type NPYWriter[E Element] struct {
	w     io.Writer
	shape []int
	left  int // elements that are still to come
}

// NewNPYWriter writes the header of an array of the given shape to w and
// returns what writes its elements.
func NewNPYWriter[E Element](w io.Writer, shape ...int) (*NPYWriter[E], error) {
	t := Tensor{Shape: shape, Data: []E(nil)}
	n, ok := count(shape, t.Type().Size())
	if !ok {
		return nil, fmt.Errorf("an npy file of the impossible shape %v", shape)
	}
	if _, err := io.WriteString(w, npyHeader(t)); err != nil {
		return nil, err
	}
	return &NPYWriter[E]{w: w, shape: shape, left: n}, nil
}

// Write writes the next elements in row-major order.
func (n *NPYWriter[E]) Write(elements []E) error {
	if len(elements) > n.left {
		return fmt.Errorf("%d elements for the last %d of an npy file of shape %v", len(elements), n.left, n.shape)
	}
	n.left -= len(elements)
	return write(n.w, elements)
}

// Close returns an error unless the array is complete. It leaves w open.
func (n *NPYWriter[E]) Close() error {
	if n.left > 0 {
		return fmt.Errorf("the last %d elements of an npy file of shape %v were not written", n.left, n.shape)
	}
	return nil
}
