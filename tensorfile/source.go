package tensorfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unsafe"
)

// chunk is the number of bytes that are read, decoded or written at a time.
const chunk = 64 << 10

// source reads a file from front to back and knows how far it has come.
type source struct {
	r    io.Reader
	off  int64 // bytes read
	size int64 // bytes in all, -1 where that is unknown
}

func truncated(offset int64, what string, want, left int64) error {
	return broken(offset, "truncated: %s needs %d bytes, %d are left", what, want, left)
}

// claim returns an error where what needs more bytes than are left.
func (s *source) claim(n int64, what string) error {
	if s.size >= 0 && n > s.size-s.off {
		return truncated(s.off, what, n, s.size-s.off)
	}
	return nil
}

// fill sets every byte of b.
func (s *source) fill(b []byte, what string) error {
	start := s.off
	n, err := io.ReadFull(s.r, b)
	s.off += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return truncated(start, what, int64(len(b)), int64(n))
	}
	return err
}

// bytes returns the next n bytes; memory grows with what is there.
func (s *source) bytes(n int64, what string) ([]byte, error) {
	if err := s.claim(n, what); err != nil {
		return nil, err
	}
	start := s.off
	var b bytes.Buffer
	got, err := io.CopyN(&b, s.r, n)
	s.off += got
	if err == io.EOF {
		return nil, truncated(start, what, n, got)
	}
	return b.Bytes(), err
}

// end returns an error where bytes are left.
func (s *source) end() error {
	var b [1]byte
	n, err := io.ReadFull(s.r, b[:])
	if n > 0 {
		return broken(s.off, "data after the end")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// values returns n elements of type t as a slice for Tensor.Data.
func (s *source) values(t Type, n int, order binary.ByteOrder, what string) (any, error) {
	switch t {
	case Bool:
		return values[bool](s, n, t, order, what)
	case U8:
		return values[uint8](s, n, t, order, what)
	case I8:
		return values[int8](s, n, t, order, what)
	case U16:
		return values[uint16](s, n, t, order, what)
	case I16:
		return values[int16](s, n, t, order, what)
	case U32:
		return values[uint32](s, n, t, order, what)
	case I32:
		return values[int32](s, n, t, order, what)
	case U64:
		return values[uint64](s, n, t, order, what)
	case I64:
		return values[int64](s, n, t, order, what)
	case F16:
		bits, err := values[uint16](s, n, t, order, what) // as which they are decoded fast
		return unsafe.Slice((*Half)(unsafe.SliceData(bits)), len(bits)), err
	case F32:
		return values[float32](s, n, t, order, what)
	default:
		return values[float64](s, n, t, order, what)
	}
}

func values[E Element](s *source, n int, t Type, order binary.ByteOrder, what string) ([]E, error) {
	size := t.Size()
	if err := s.claim(int64(n)*int64(size), what); err != nil {
		return nil, err
	}
	room := n
	if s.size < 0 {
		room = min(n, chunk/size)
	}
	begin := s.off
	out := make([]E, 0, room)
	buf := make([]byte, min(chunk, n*size))
	for len(out) < n {
		m := min(n-len(out), chunk/size)
		b := buf[:m*size]
		start := s.off
		got, err := io.ReadFull(s.r, b)
		s.off += int64(got)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, truncated(begin, what, int64(n)*int64(size), s.off-begin)
		}
		if err != nil {
			return nil, err
		}
		if t == Bool {
			for i, x := range b {
				if x > 1 {
					return nil, broken(start+int64(i), "%s holds the byte %d, want 0 or 1", what, x)
				}
			}
		}
		if cap(out)-len(out) < m {
			grown := make([]E, len(out), min(n, 2*len(out)+m))
			copy(grown, out)
			out = grown
		}
		out = out[:len(out)+m]
		if _, err := binary.Decode(b, order, out[len(out)-m:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writeValues writes the elements of t in little-endian order.
func writeValues(w io.Writer, t Tensor) error {
	switch d := t.Data.(type) {
	case []bool:
		return write(w, d)
	case []uint8:
		return write(w, d)
	case []int8:
		return write(w, d)
	case []uint16:
		return write(w, d)
	case []int16:
		return write(w, d)
	case []uint32:
		return write(w, d)
	case []int32:
		return write(w, d)
	case []uint64:
		return write(w, d)
	case []int64:
		return write(w, d)
	case []Half:
		return write(w, d)
	case []float32:
		return write(w, d)
	case []float64:
		return write(w, d)
	case Stream:
		return writeStream(w, t.Name, d)
	}
	return t.check()
}

func writeStream(w io.Writer, name string, s Stream) error {
	left := s.Count
	err := s.Parts(func(part any) error {
		t := Tensor{Name: name, Data: part}
		if t.Type() != s.Kind || t.Len() > left {
			return fmt.Errorf("tensor %q: a part of %d %v, where %d %v are left to write", name, t.Len(), t.Type(), left, s.Kind)
		}
		left -= t.Len()
		return writeValues(w, t)
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("tensor %q: %d elements are missing", name, left)
	}
	return err
}

func write[E Element](w io.Writer, d []E) error {
	const step = chunk / 8
	var buf []byte
	for len(d) > 0 {
		m := min(len(d), step)
		var err error
		if buf, err = binary.Append(buf[:0], binary.LittleEndian, d[:m]); err != nil {
			return err
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		d = d[m:]
	}
	return nil
}
