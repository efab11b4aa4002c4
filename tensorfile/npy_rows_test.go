package tensorfile

import (
	"bytes"
	"testing"
)

// An array written part by part is the file that is written at once.
func TestNPYWriterParts(t *testing.T) {
	values := []float32{1, 2, 3, 4, 5, 6}
	var whole, parts bytes.Buffer
	if err := WriteNPY(&whole, New("x", values, 3, 2)); err != nil {
		t.Fatal(err)
	}
	w, err := NewNPYWriter[float32](&parts, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]float32{values[:2], nil, values[2:]} {
		if err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(whole.Bytes(), parts.Bytes()) {
		t.Errorf("parts give\n%q\nthe whole\n%q", parts.Bytes(), whole.Bytes())
	}
}

// A header that claims another number of elements than were written is an error.
func TestNPYWriterCount(t *testing.T) {
	var b bytes.Buffer
	w, err := NewNPYWriter[int8](&b, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]int8, 3)); err != nil {
		t.Fatal(err)
	}
	if w.Close() == nil {
		t.Error("a short array is closed without an error")
	}
	if w.Write(make([]int8, 2)) == nil {
		t.Error("a fifth element of four is written without an error")
	}
	if _, err := NewNPYWriter[int8](&b, -1); err == nil {
		t.Error("a negative size is no error")
	}
}
