package tensorfile

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// An npz may inflate to maxInflated bytes and maxRatio times its own size
// before it is refused as a bomb; deflate itself reaches 1032 times.
const (
	maxInflated = 256 << 20
	maxRatio    = 128
)

// endRecord is the length of the record that ends a zip without comment.
const endRecord = 22

// ReadNPZ returns the arrays of an npz file of size bytes: a zip of NAME.npy
// entries, stored or deflated. Its metadata are the JSON object in the array
// __metadata__ of bytes, where there is one.
func ReadNPZ(r io.ReaderAt, size int64) (*File, error) {
	return readNPZ(r, size, max(maxInflated, maxRatio*size))
}

// readNPZ refuses a file that inflates to more than left bytes.
func readNPZ(r io.ReaderAt, size, left int64) (*File, error) {
	if size < endRecord {
		return nil, broken(0, "no npz file: %d bytes hold no zip", size)
	}
	var end [endRecord]byte
	if _, err := r.ReadAt(end[:], size-endRecord); err != nil && err != io.EOF {
		return nil, err
	}
	if string(end[:4]) != "PK\x05\x06" {
		return nil, broken(size-endRecord, "no npz file: it does not end as a zip without comment does; it is truncated, has data after the end, or is something else")
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, broken(0, "no npz file: %v", err)
	}
	f := &File{}
	seen := map[string]bool{}
	for _, entry := range z.File {
		name, isNPY := strings.CutSuffix(entry.Name, ".npy")
		place := fmt.Sprintf("(%s)", entry.Name)
		if !isNPY {
			return nil, &FormatError{Path: place, Reason: "the entry is no array, want a name that ends in .npy"}
		}
		if name != metadataKey {
			if err := checkName(name); err != nil {
				return nil, &FormatError{Path: place, Reason: err.Error()}
			}
		}
		if seen[name] {
			return nil, &FormatError{Path: place, Reason: "the entry is there twice"}
		}
		seen[name] = true
		t, used, err := readEntry(entry, left)
		if err != nil {
			return nil, located(place, err)
		}
		left -= used
		t.Name = name
		if name != metadataKey {
			f.Tensors = append(f.Tensors, t)
			continue
		}
		text, ok := t.Data.([]uint8)
		if !ok || len(t.Shape) != 1 {
			return nil, &FormatError{Path: place, Reason: fmt.Sprintf("metadata are a row of bytes, not %v %v", t.Type(), t.Shape)}
		}
		if f.Metadata, err = parseMetadata(text); err != nil {
			return nil, located(place, err)
		}
	}
	f.Tensors = f.sorted()
	return f, nil
}

// readEntry returns the array of one entry and the bytes it inflated to, at
// most left.
func readEntry(entry *zip.File, left int64) (Tensor, int64, error) {
	if entry.Method != zip.Store && entry.Method != zip.Deflate {
		return Tensor{}, 0, broken(0, "compression method %d, want 0 (stored) or 8 (deflated)", entry.Method)
	}
	if entry.Flags&1 != 0 {
		return Tensor{}, 0, broken(0, "the entry is encrypted")
	}
	in, err := entry.Open()
	if err != nil {
		return Tensor{}, 0, broken(0, "%v", err)
	}
	defer in.Close()
	s := &source{r: &bounded{r: in, left: left}, size: -1}
	t, err := readNPY(s)
	var f *FormatError
	if err != nil && !errors.As(err, &f) {
		err = broken(s.off, "%v", err)
	}
	return t, s.off, err
}

// bounded reads until more than left bytes have come, then fails.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, fmt.Errorf("a bomb: the file inflates to more than %d times its size and %d MiB", maxRatio, maxInflated>>20)
	}
	return n, err
}

// WriteNPZ writes the arrays of f as a zip of stored entries NAME.npy, sorted
// by name and without times. Metadata go into the array __metadata__: the
// bytes of a JSON object of strings.
func WriteNPZ(w io.Writer, f *File) error {
	if err := f.check(); err != nil {
		return err
	}
	entries := f.sorted()
	if len(f.Metadata) > 0 {
		text, err := marshal(f.Metadata)
		if err != nil {
			return err
		}
		entries = append([]Tensor{New(metadataKey, text, len(text))}, entries...)
	}
	z := zip.NewWriter(w)
	for _, t := range entries {
		sum := crc32.NewIEEE()
		if err := WriteNPY(sum, t); err != nil {
			return err
		}
		size := uint64(len(npyHeader(t))) + uint64(t.Len())*uint64(t.Type().Size())
		out, err := z.CreateRaw(&zip.FileHeader{
			Name:               t.Name + ".npy",
			Method:             zip.Store,
			Flags:              1 << 11, // names are UTF-8
			CRC32:              sum.Sum32(),
			CompressedSize64:   size,
			UncompressedSize64: size,
		})
		if err != nil {
			return err
		}
		if err := WriteNPY(out, t); err != nil {
			return err
		}
	}
	return z.Close()
}

// marshal returns v as JSON with sorted keys and without the escapes that
// HTML needs.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
