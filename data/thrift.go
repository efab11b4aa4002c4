package data

import (
	"encoding/binary"
	"errors"
)

// thrift walks over values in Thrift's compact protocol, which parquet files hold. It believes no
// size that the bytes do not bear out.
type thrift struct {
	b        []byte
	at       int
	elements int // of lists, so far
}

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// mostDeep bounds structures within structures.
const mostDeep = 32

var errThrift = errors.New("the metadata are damaged")

// fields are the numbers and the structures that a structure holds, by their numbers.
type fields struct {
	numbers    map[int]int64
	structures map[int]fields
}

func (t *thrift) byte() (byte, error) {
	if t.at >= len(t.b) {
		return 0, errThrift
	}
	t.at++
	return t.b[t.at-1], nil
}

func (t *thrift) uvarint() (uint64, error) {
	x, n := binary.Uvarint(t.b[t.at:])
	if n <= 0 {
		return 0, errThrift
	}
	t.at += n
	return x, nil
}

func (t *thrift) skip(n uint64) error {
	if n > uint64(len(t.b)-t.at) {
		return errThrift
	}
	t.at += int(n)
	return nil
}

// structure walks over one, whose fields are numbered upwards. With keep it returns the fields.
func (t *thrift) structure(deep int, keep bool) (f fields, err error) {
	if deep > mostDeep {
		return f, errThrift
	}
	if keep {
		f = fields{map[int]int64{}, map[int]fields{}}
	}
	id := int64(0)
	for {
		head, err := t.byte()
		if err != nil || head == 0 {
			return f, err
		}
		before := id
		if delta := head >> 4; delta != 0 {
			id += int64(delta)
		} else {
			x, err := t.uvarint()
			if err != nil {
				return f, err
			}
			id = int64(x>>1) ^ -int64(x&1)
		}
		if id <= before || id > 1<<15 {
			return f, errThrift
		}
		number, inner, err := t.value(head&15, deep, keep, false)
		if err != nil {
			return f, err
		}
		if keep {
			f.numbers[int(id)] = number
			if head&15 == thriftStruct {
				f.structures[int(id)] = inner
			}
		}
	}
}

// value walks over a value of the type, of a list or of a field.
func (t *thrift) value(kind byte, deep int, keep, listed bool) (number int64, inner fields, err error) {
	switch kind {
	case thriftTrue, thriftFalse:
		if listed {
			return 0, inner, t.skip(1)
		}
		return int64(2 - kind), inner, nil
	case thriftByte:
		return 0, inner, t.skip(1)
	case 4, 5, 6: // integers
		x, err := t.uvarint()
		return int64(x>>1) ^ -int64(x&1), inner, err
	case thriftDouble:
		return 0, inner, t.skip(8)
	case thriftUUID:
		return 0, inner, t.skip(16)
	case thriftBinary:
		n, err := t.uvarint()
		if err != nil {
			return 0, inner, err
		}
		return 0, inner, t.skip(n)
	case thriftList, thriftSet:
		head, err := t.byte()
		if err != nil {
			return 0, inner, err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = t.uvarint(); err != nil {
				return 0, inner, err
			}
		}
		return 0, inner, t.each(n, deep, head&15)
	case thriftMap:
		n, err := t.uvarint()
		if err != nil || n == 0 {
			return 0, inner, err
		}
		kinds, err := t.byte()
		if err != nil {
			return 0, inner, err
		}
		return 0, inner, t.each(n, deep, kinds>>4, kinds&15)
	case thriftStruct:
		inner, err = t.structure(deep+1, keep)
		return 0, inner, err
	}
	return 0, inner, errThrift
}

// each walks over n elements, each of the kinds one after the other. There is memory for as many
// elements as have 8 bytes each, and some.
func (t *thrift) each(n uint64, deep int, kinds ...byte) error {
	if n > uint64(len(t.b)-t.at) || deep > mostDeep {
		return errThrift
	}
	if t.elements += int(n); t.elements > len(t.b)/8+1000 {
		return errThrift
	}
	for range n {
		for _, kind := range kinds {
			if _, _, err := t.value(kind, deep+1, false, true); err != nil {
				return err
			}
		}
	}
	return nil
}
