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

// A file may inflate to maxInflated bytes and maxRatio times its own size
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
	return readNPZ(r, size, Inflated(size))
}

// readNPZ refuses a file that inflates to more than left bytes.
func readNPZ(r io.ReaderAt, size, left int64) (*File, error) {
	a, err := openNPZ(r, size, left)
	if err != nil {
		return nil, err
	}
	f := &File{}
	for _, entry := range a.entries {
		t, err := a.read(entry)
		if err != nil {
			return nil, err
		}
		if t.Name != metadataKey {
			f.Tensors = append(f.Tensors, t)
			continue
		}
		place := entryPlace(entry)
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

// Archive is an npz file whose arrays are read one by one, so that one of a type that is not
// supported is in nobody's way.
type Archive struct {
	entries []*zip.File
	left    int64 // bytes that may still be inflated
}

// OpenNPZ returns the archive of an npz file of size bytes. No array is read yet.
func OpenNPZ(r io.ReaderAt, size int64) (*Archive, error) {
	return openNPZ(r, size, Inflated(size))
}

func openNPZ(r io.ReaderAt, size, left int64) (*Archive, error) {
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
	a := &Archive{entries: z.File, left: left}
	seen := map[string]bool{}
	for _, entry := range z.File {
		name, isNPY := strings.CutSuffix(entry.Name, ".npy")
		place := entryPlace(entry)
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
	}
	return a, nil
}

func entryPlace(entry *zip.File) string { return fmt.Sprintf("(%s)", entry.Name) }

// Names returns the names of the arrays in the order of the file, without that of the metadata.
func (a *Archive) Names() []string {
	var names []string
	for _, entry := range a.entries {
		if name := strings.TrimSuffix(entry.Name, ".npy"); name != metadataKey {
			names = append(names, name)
		}
	}
	return names
}

// Head returns the type and the shape that the named array declares, and reads none of its
// elements.
func (a *Archive) Head(name string) (Type, []int, error) {
	entry, err := a.entry(name)
	if err != nil {
		return Invalid, nil, err
	}
	in, err := openEntry(entry)
	if err != nil {
		return Invalid, nil, located(entryPlace(entry), err)
	}
	defer in.Close()
	h, _, err := readNPYHead(&source{r: in, size: -1})
	if err != nil {
		return Invalid, nil, located(entryPlace(entry), err)
	}
	return h.kind, h.shape, nil
}

// Array returns the named array.
func (a *Archive) Array(name string) (Tensor, error) {
	entry, err := a.entry(name)
	if err != nil {
		return Tensor{}, err
	}
	return a.read(entry)
}

func (a *Archive) entry(name string) (*zip.File, error) {
	for _, entry := range a.entries {
		if entry.Name == name+".npy" {
			return entry, nil
		}
	}
	return nil, fmt.Errorf("there is no array %q among %s", name, strings.Join(a.Names(), ", "))
}

func (a *Archive) read(entry *zip.File) (Tensor, error) {
	t, used, err := readEntry(entry, a.left)
	if err != nil {
		return Tensor{}, located(entryPlace(entry), err)
	}
	a.left -= used
	t.Name = strings.TrimSuffix(entry.Name, ".npy")
	return t, nil
}

func openEntry(entry *zip.File) (io.ReadCloser, error) {
	if entry.Method != zip.Store && entry.Method != zip.Deflate {
		return nil, broken(0, "compression method %d, want 0 (stored) or 8 (deflated)", entry.Method)
	}
	if entry.Flags&1 != 0 {
		return nil, broken(0, "the entry is encrypted")
	}
	in, err := entry.Open()
	if err != nil {
		return nil, broken(0, "%v", err)
	}
	return in, nil
}

// readEntry returns the array of one entry and the bytes it inflated to, at
// most left.
func readEntry(entry *zip.File, left int64) (Tensor, int64, error) {
	in, err := openEntry(entry)
	if err != nil {
		return Tensor{}, 0, err
	}
	defer in.Close()
	s := &source{r: &bounded{r: in, left: left}, size: -1}
	t, err := readNPY(s, nil)
	var f *FormatError
	if err != nil && !errors.As(err, &f) {
		err = broken(s.off, "%v", err)
	}
	return t, s.off, err
}

// Inflated returns to how many bytes a file of size bytes may inflate.
func Inflated(size int64) int64 { return max(maxInflated, maxRatio*size) }

// Bound returns a reader of what inflates from a file of size bytes, which fails once there is more
// than Inflated.
func Bound(r io.Reader, size int64) io.Reader { return &bounded{r: r, left: Inflated(size)} }

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
