package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// IDX reads images, and labels if they are named, from IDX files of unsigned
// bytes, gzipped or not: a header of two zeros, the type 0x08, the number of
// dimensions and each dimension as a big-endian 32-bit number, then the values.
// Three dimensions are images, two are plain rows.
func IDX(o Options) (*Split, error) {
	if err := o.only("idx"); err != nil {
		return nil, err
	}
	return o.readFiles("idx", o.readIDX)
}

// readIDX reads one file of images and one of labels.
func (o Options) readIDX(p part, _ *words) (*Set, error) {
	shape, values, err := o.openIDX(p.path, 2, 3)
	if err != nil {
		return nil, err
	}
	s := &Set{Rows: shape[0], Visible: shape[1]}
	if len(shape) == 3 {
		s.Height, s.Width = shape[1], shape[2]
		s.Visible = s.Height * s.Width
	}
	if err := s.suits(o); err != nil {
		return nil, fmt.Errorf("%s: %w", p.path, err)
	}
	head := 4 + 4*len(shape)
	err = o.bytes(s, values, p.stream, func(i int) string {
		return fmt.Sprintf("%s: offset %d (row %d, value %d)", p.path, head+i, i/s.Visible+1, i%s.Visible+1)
	})
	if err != nil {
		return nil, err
	}
	if p.labels == "" {
		return s, nil
	}
	shape, values, err = o.openIDX(p.labels, 1)
	if err != nil {
		return nil, err
	}
	if shape[0] != s.Rows {
		return nil, fmt.Errorf("%s: %d labels, where %s has %d rows", p.labels, shape[0], p.path, s.Rows)
	}
	s.Labels = make([]int32, s.Rows)
	for i, v := range values {
		s.Labels[i] = int32(v)
	}
	return s, nil
}

// openIDX reads the IDX file at path, of one of the given numbers of
// dimensions.
func (o Options) openIDX(path string, ranks ...int) (shape []int, values []byte, err error) {
	f, size, err := o.open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	shape, values, err = decodeIDX(f, size, ranks...)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return shape, values, nil
}

// decodeIDX returns the shape and the values of an IDX file of size bytes. It
// allocates no more than a small multiple of what r holds, whatever the header
// claims: of a gzipped file, whose length is not known before its end, first
// 32 times its size, and more only as the values arrive.
func decodeIDX(r io.Reader, size int64, ranks ...int) (shape []int, values []byte, err error) {
	b, zipped, err := gunzip(r, size)
	if err != nil {
		return nil, nil, err
	}
	held := size
	if zipped {
		held = 32*size + 1<<16
	}
	var head [4]byte
	if n, err := io.ReadFull(b, head[:]); err != nil {
		return nil, nil, idxEnd(err, n, "4 of its magic number")
	}
	wanted := make([]string, len(ranks))
	known := false
	for i, rank := range ranks {
		wanted[i] = fmt.Sprintf("00 00 08 %02x", rank)
		known = known || head == [4]byte{0, 0, 8, byte(rank)}
	}
	if !known {
		return nil, nil, fmt.Errorf("offset 0: magic number % x, where IDX with unsigned bytes has %s", head, strings.Join(wanted, " or "))
	}
	count, offset := 1, 4
	for i := range int(head[3]) {
		var dim [4]byte
		if n, err := io.ReadFull(b, dim[:]); err != nil {
			return nil, nil, idxEnd(err, offset+n, fmt.Sprintf("%d of its header", 4+4*int(head[3])))
		}
		d := int(binary.BigEndian.Uint32(dim[:]))
		const most = 1<<31 - 1
		if d < 1 || d > most || count > most/d {
			return nil, nil, fmt.Errorf("offset %d: dimension %d is %d, where sizes start at 1 and the values number less than 2^31", offset, i+1, d)
		}
		count *= d
		shape = append(shape, d)
		offset += 4
	}
	end := offset + count
	claim := fmt.Sprintf("%d that its shape %v calls for", end, shape)
	if !zipped && size < int64(end) {
		return nil, nil, idxEnd(io.ErrUnexpectedEOF, int(size), claim)
	}
	values = make([]byte, 0, min(int64(count), held))
	for len(values) < count {
		if len(values) == cap(values) {
			grown := make([]byte, len(values), min(count, 2*len(values)))
			copy(grown, values)
			values = grown
		}
		n, err := io.ReadFull(b, values[len(values):cap(values)])
		values = values[:len(values)+n]
		if err != nil {
			return nil, nil, idxEnd(err, offset+len(values), claim)
		}
	}
	switch _, err := b.ReadByte(); err {
	case io.EOF:
		return shape, values, nil
	case nil:
		return nil, nil, fmt.Errorf("offset %d: more bytes follow the %s", end, claim)
	default:
		return nil, nil, fmt.Errorf("offset %d: %w", end, err)
	}
}

// idxEnd explains a failed read at an offset, of a file that should have the
// wanted number of bytes.
func idxEnd(err error, offset int, wanted string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("offset %d: the file ends, short of the %s", offset, wanted)
	}
	return fmt.Errorf("offset %d: %w", offset, err)
}
