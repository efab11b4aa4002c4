package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"

	"mattis/tensorfile"
)

// The module that reads parquet files believes them: it takes the memory that a header asks for,
// and decompresses what no header bounds. parquetGuard looks at a file first and refuses what
// cannot be right: sizes that the bytes do not bear out, and bombs.

const (
	mostFooter  = 16 << 20 // bytes of a parquet file's metadata
	mostPage    = 1 << 26  // values of one page
	mostPadding = 1 << 10  // values that fill the last run of a page: the format wants up to 7, DuckDB writes up to 255
	pageHead    = 1 << 16  // bytes of a page's header
)

// plainDictionary is the encoding that older writers name for dictionaries; the library has it as
// deprecated, files still have it.
const plainDictionary = format.Encoding(2)

// checkFooter returns an error unless a file of size bytes begins and ends as parquet files do,
// with metadata that are whole.
func checkFooter(r io.ReaderAt, size int64) error {
	if size < 12 {
		return fmt.Errorf("no parquet file: %d bytes", size)
	}
	var head [4]byte
	var tail [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return err
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil && err != io.EOF {
		return err
	}
	switch {
	case string(head[:]) == "PARE" || string(tail[4:]) == "PARE":
		return errors.New("an encrypted parquet file")
	case string(head[:]) != "PAR1":
		return fmt.Errorf("no parquet file: it begins with %q, want %q", head, "PAR1")
	case string(tail[4:]) != "PAR1":
		return fmt.Errorf("offset %d: the file ends with %q, where parquet files end with %q: it is truncated", size-4, tail[4:], "PAR1")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	switch {
	case length > size-12:
		return fmt.Errorf("offset %d: the metadata have %d bytes, where the file has %d", size-8, length, size)
	case length > mostFooter:
		return fmt.Errorf("offset %d: the metadata have %d bytes, want at most %d", size-8, length, mostFooter)
	}
	footer := make([]byte, length)
	if _, err := r.ReadAt(footer, size-8-length); err != nil {
		return err
	}
	t := thrift{b: footer}
	if _, err := t.structure(0, false); err != nil || t.at != len(footer) {
		return fmt.Errorf("offset %d: %w", size-8-length+int64(t.at), errThrift)
	}
	return nil
}

// parquetGuard looks at the pages of a file.
type parquetGuard struct {
	r      io.ReaderAt
	end    int64 // where pages end
	bytes  int64 // that may still be inflated
	values int64 // that there may still be
}

func newParquetGuard(r io.ReaderAt, size int64) *parquetGuard {
	return &parquetGuard{r, size - 8, tensorfile.Inflated(size), tensorfile.Inflated(size)}
}

// chunk returns an error where the pages of a column are not what their headers say, or are not of
// so many values.
func (g *parquetGuard) chunk(m *format.ColumnMetaData, rows int64, optional bool) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 4 || m.TotalCompressedSize < 0 || at > g.end || m.TotalCompressedSize > g.end-at {
		return fmt.Errorf("offset %d: %d bytes of pages, where the file has %d", at, m.TotalCompressedSize, g.end+8)
	}
	if g.values -= rows; rows < 0 || g.values < 0 {
		return fmt.Errorf("a bomb: %d rows in a file of %d bytes", rows, g.end+8)
	}
	seen := int64(0)
	for end := at + m.TotalCompressedSize; at < end; {
		head := make([]byte, min(pageHead, end-at))
		if _, err := g.r.ReadAt(head, at); err != nil {
			return fmt.Errorf("offset %d: %w", at, err)
		}
		t := thrift{b: head}
		f, err := t.structure(0, true)
		if err != nil {
			return fmt.Errorf("offset %d: the header of a page is damaged", at+int64(t.at))
		}
		p := page{f: f, at: at + int64(t.at), packed: f.numbers[3], plain: f.numbers[2], codec: m.Codec, optional: optional, kind: m.Type}
		if p.packed < 0 || p.packed > end-p.at {
			return fmt.Errorf("offset %d: a page of %d bytes, where %d are left", at, p.packed, end-p.at)
		}
		if g.bytes -= p.plain; p.plain < 0 || g.bytes < 0 {
			return fmt.Errorf("offset %d: a bomb: the pages inflate to %d bytes and more, from a file of %d", at, tensorfile.Inflated(g.end+8)-g.bytes, g.end+8)
		}
		body := make([]byte, p.packed)
		if _, err := g.r.ReadAt(body, p.at); err != nil {
			return fmt.Errorf("offset %d: %w", p.at, err)
		}
		n, err := p.check(body)
		if err != nil {
			return fmt.Errorf("offset %d: %w", at, err)
		}
		if seen += n; seen > rows {
			return fmt.Errorf("offset %d: pages of %d values, where there are %d rows", at, seen, rows)
		}
		at = p.at + p.packed
	}
	if seen != rows {
		return fmt.Errorf("offset %d: pages of %d values, where there are %d rows: the file is damaged", at, seen, rows)
	}
	return nil
}

// page is what its header says of a page.
type page struct {
	f             fields
	at            int64
	packed, plain int64
	codec         format.CompressionCodec
	kind          format.Type
	optional      bool
}

// check returns the number of the page's values, or what is wrong with its content.
func (p page) check(body []byte) (values int64, err error) {
	switch format.PageType(p.f.numbers[1]) {
	case format.DictionaryPage:
		h, ok := p.f.structures[7]
		n := h.numbers[1]
		data, err := p.inflate(body, p.plain)
		switch e := format.Encoding(h.numbers[2]); {
		case err != nil:
			return 0, err
		case !ok || n < 0 || n > int64(len(data)):
			return 0, fmt.Errorf("a dictionary of %d values in %d bytes", n, len(data))
		case e != format.Plain && e != plainDictionary:
			return 0, fmt.Errorf("a dictionary in the encoding %v, want PLAIN", e)
		}
		return 0, p.whole(data, n)
	case format.DataPage:
		h, ok := p.f.structures[5]
		if !ok {
			return 0, errors.New("the header of a page is damaged")
		}
		data, err := p.inflate(body, p.plain)
		if err != nil {
			return 0, err
		}
		values, known := h.numbers[1], h.numbers[1]
		if values < 0 || values > mostPage {
			return 0, fmt.Errorf("a page of %d values, want at most %d", values, mostPage)
		}
		if p.optional {
			levels, rest, err := lengthy(data)
			if err != nil {
				return 0, err
			}
			if format.Encoding(h.numbers[3]) != format.RLE {
				return 0, fmt.Errorf("levels in the encoding %v, want RLE", format.Encoding(h.numbers[3]))
			}
			if known, err = runs(levels, 1, values, true); err != nil {
				return 0, err
			}
			data = rest
		}
		return values, p.encoded(data, format.Encoding(h.numbers[2]), known)
	case format.DataPageV2:
		h, ok := p.f.structures[8]
		values, nulls, definitions, repetitions := h.numbers[1], h.numbers[2], h.numbers[5], h.numbers[6]
		switch {
		case !ok || values < 0 || nulls < 0 || nulls > values || definitions < 0 || repetitions != 0 || definitions > int64(len(body)) || definitions > p.plain:
			return 0, errors.New("the header of a page is damaged")
		case values > mostPage:
			return 0, fmt.Errorf("a page of %d values, want at most %d", values, mostPage)
		case !p.optional && (definitions > 0 || nulls > 0) || p.optional && definitions == 0 && values > 0:
			return 0, errors.New("levels where there are none, or none where there are some")
		}
		if p.optional {
			known, err := runs(body[:definitions], 1, values, true)
			if err != nil {
				return 0, err
			}
			if known != values-nulls {
				return 0, fmt.Errorf("%d missing values, where the header says %d", values-known, nulls)
			}
		}
		data := body[definitions:]
		if packed, said := h.numbers[7]; !said || packed == 1 {
			if data, err = p.inflate(data, p.plain-definitions); err != nil {
				return 0, err
			}
		}
		return values, p.encoded(data, format.Encoding(h.numbers[4]), values-nulls)
	}
	return 0, nil // of another kind, which holds no values
}

// whole returns an error where n values that stand as they are need more bytes than there are, or
// texts less. The module reads what there is.
func (p page) whole(data []byte, n int64) error {
	need := sizes[p.kind] * n
	switch p.kind {
	case format.Boolean:
		need = (n + 7) / 8
	case format.ByteArray:
		for i := range n {
			_, rest, err := lengthy(data)
			if err != nil {
				return fmt.Errorf("a page that ends in text %d of %d", i+1, n)
			}
			data = rest
		}
		if len(data) > 0 {
			return fmt.Errorf("a page of %d texts and %d bytes more", n, len(data))
		}
	}
	if int64(len(data)) < need {
		return fmt.Errorf("a page of %d bytes for %d values", len(data), n)
	}
	return nil
}

// sizes are the bytes of numbers.
var sizes = map[format.Type]int64{format.Int32: 4, format.Int64: 8, format.Float: 4, format.Double: 8}

// encoded returns what is wrong with n values in the encoding.
func (p page) encoded(data []byte, e format.Encoding, n int64) (err error) {
	switch e {
	case format.Plain:
		return p.whole(data, n)
	case plainDictionary, format.RLEDictionary:
		if len(data) == 0 {
			if n == 0 {
				return nil
			}
			return errors.New("a page of no indices")
		}
		if data[0] > 32 {
			return fmt.Errorf("indices of %d bits, want at most 32", data[0])
		}
		_, err = runs(data[1:], int(data[0]), n, false)
		return err
	case format.RLE:
		if p.kind == format.Boolean {
			if data, _, err = lengthy(data); err == nil {
				_, err = runs(data, 1, n, false)
			}
			return err
		}
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		return deltas(data, n)
	case format.ByteStreamSplit:
		if size := sizes[p.kind]; size > 0 && int64(len(data)) != size*n {
			return fmt.Errorf("a page of %d bytes for %d values of %d bytes", len(data), n, size)
		}
		return nil
	}
	return fmt.Errorf("values in the encoding %v, want PLAIN, RLE, a dictionary, DELTA_BINARY_PACKED or BYTE_STREAM_SPLIT", e)
}

// deltas returns an error where packed differences begin with another number of values than n.
func deltas(data []byte, n int64) error {
	wrong := errors.New("a page whose differences do not have its number of values")
	for i := range 3 { // the size of a block, the parts of one, the values
		x, k := binary.Uvarint(data)
		if k <= 0 || i < 2 && (x == 0 || x > 1<<16) || i == 2 && x != uint64(n) {
			return wrong
		}
		data = data[k:]
	}
	return nil
}

// lengthy returns the bytes whose number stands before them, and the rest.
func lengthy(data []byte) (part, rest []byte, err error) {
	if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, nil, errors.New("a page that ends within what it says it has")
	}
	n := 4 + int(binary.LittleEndian.Uint32(data))
	return data[4:n], data[n:], nil
}

// runs returns an error where runs of so many bits a value, of which there are n, hold fewer or
// more. With count it returns how many of the values are 1.
func runs(data []byte, bits int, n int64, count bool) (ones int64, err error) {
	wrong := errors.New("a page whose runs do not have its number of values")
	total := int64(0)
	for len(data) > 0 {
		head, k := binary.Uvarint(data)
		if k <= 0 || head>>1 > mostPage {
			return 0, wrong
		}
		data = data[k:]
		length := int64(head >> 1)
		if head&1 == 1 {
			if size := length * int64(bits); size > int64(len(data)) {
				return 0, wrong
			} else if count {
				for i := range min(8*length, n-total) {
					ones += int64(data[i/8] >> (i % 8) & 1)
				}
				data = data[size:]
			} else {
				data = data[size:]
			}
			length *= 8
		} else {
			size := (bits + 7) / 8
			if size > len(data) {
				return 0, wrong
			}
			if count && data[0]&1 == 1 {
				ones += length
			}
			data = data[size:]
		}
		if total += length; total > n+mostPadding {
			return 0, wrong
		}
	}
	if total < n {
		return 0, wrong
	}
	return ones, nil
}

// inflate returns what a page holds, which is of size bytes.
func (p page) inflate(body []byte, size int64) ([]byte, error) {
	var r io.Reader
	switch p.codec {
	case format.Uncompressed:
		if int64(len(body)) != size {
			return nil, fmt.Errorf("a page of %d bytes, where its header says %d", len(body), size)
		}
		return body, nil
	case format.Snappy:
		n, k := binary.Uvarint(body)
		if k <= 0 || n != uint64(size) || size > 32*int64(len(body))+64 { // a copy of 64 bytes takes two or three
			return nil, fmt.Errorf("a page that inflates to %d bytes, where its header says %d", n, size)
		}
		data, err := snappy.Decode(nil, body)
		if err != nil {
			return nil, fmt.Errorf("a page that is damaged: %w", err)
		}
		return data, nil
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("a page that is damaged: %w", err)
		}
		r = z
	case format.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(size, 1<<20))), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, fmt.Errorf("a page that is damaged: %w", err)
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("pages compressed by %v, want snappy, gzip, zstd or none", p.codec)
	}
	var held bytes.Buffer
	n, err := io.Copy(&held, io.LimitReader(r, size+1))
	if err != nil {
		return nil, fmt.Errorf("a page that is damaged: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("a page that inflates to more or less than the %d bytes of its header", size)
	}
	return held.Bytes(), nil
}
