package tensorfile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSafetensorsHeader is the format's bound on the header, in bytes.
const maxSafetensorsHeader = 100_000_000

// ReadSafetensors returns the arrays and metadata of a safetensors file. The
// file ends where its last array ends.
func ReadSafetensors(r io.Reader) (*File, error) {
	return readSafetensors(&source{r: r, size: -1})
}

// ReadSafetensorsOf is ReadSafetensors of a file whose size in bytes is known: what its header
// claims beyond that is refused before memory is taken for it.
func ReadSafetensorsOf(r io.Reader, size int64) (*File, error) {
	return readSafetensors(&source{r: r, size: size})
}

// span is one entry of the header: an array and the bytes it takes, counted
// from the end of the header.
type span struct {
	name       string
	kind       Type
	shape      []int
	begin, end int64
	at         int64 // place of the entry in the file
}

func readSafetensors(s *source) (*File, error) {
	var head [8]byte
	if err := s.fill(head[:], "the header's length"); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n < 2 || n > maxSafetensorsHeader {
		return nil, broken(0, "no safetensors file: the header has %d bytes, want 2 to %d", n, maxSafetensorsHeader)
	}
	text, err := s.bytes(int64(n), "the header")
	if err != nil {
		return nil, err
	}
	spans, metadata, err := parseHeader(text)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	place := int64(0)
	for _, e := range spans {
		elems, ok := count(e.shape, e.kind.Size())
		if !ok {
			return nil, broken(e.at, "tensor %q has the impossible shape %v", e.name, e.shape)
		}
		if e.begin != place {
			return nil, broken(e.at, "the data of tensor %q begin at %d, want %d: a hole or an overlap", e.name, e.begin, place)
		}
		if want := int64(elems) * int64(e.kind.Size()); e.end < e.begin || e.end-e.begin != want {
			return nil, broken(e.at, "tensor %q has data_offsets [%d,%d], but %v %v takes %d bytes", e.name, e.begin, e.end, e.kind, e.shape, want)
		}
		place = e.end
	}
	if err := s.claim(place, "the data of all tensors"); err != nil {
		return nil, err
	}
	f := &File{Metadata: metadata}
	for _, e := range spans {
		elems, _ := count(e.shape, e.kind.Size())
		data, err := s.values(e.kind, elems, binary.LittleEndian, fmt.Sprintf("tensor %q", e.name))
		if err != nil {
			return nil, err
		}
		f.Tensors = append(f.Tensors, Tensor{Name: e.name, Shape: e.shape, Data: data})
	}
	f.Tensors = f.sorted()
	return f, s.end()
}

// WriteSafetensors writes f. Tensors lie in the order of falling element size
// and then of their names, so that each is aligned to its elements; the header
// lists them in that order and is padded with spaces to 8 bytes.
func WriteSafetensors(w io.Writer, f *File) error {
	if err := f.check(); err != nil {
		return err
	}
	tensors := slices.Clone(f.Tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.Type().Size(), a.Type().Size()), cmp.Compare(a.Name, b.Name))
	})
	var h bytes.Buffer
	h.WriteByte('{')
	if len(f.Metadata) > 0 {
		text, err := marshal(f.Metadata)
		if err != nil {
			return err
		}
		fmt.Fprintf(&h, "%q:%s", metadataKey, text)
	}
	place := 0
	for _, t := range tensors {
		if h.Len() > 1 {
			h.WriteByte(',')
		}
		name, err := marshal(t.Name)
		if err != nil {
			return err
		}
		shape := make([]string, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = strconv.Itoa(d)
		}
		end := place + t.Len()*t.Type().Size()
		fmt.Fprintf(&h, `%s:{"dtype":"%v","shape":[%s],"data_offsets":[%d,%d]}`, name, t.Type(), strings.Join(shape, ","), place, end)
		place = end
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ')
	}
	if h.Len() > maxSafetensorsHeader {
		return fmt.Errorf("names and metadata take %d bytes, a safetensors header at most %d", h.Len(), maxSafetensorsHeader)
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(h.Len()))); err != nil {
		return err
	}
	if _, err := w.Write(h.Bytes()); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := writeValues(w, t); err != nil {
			return err
		}
	}
	return nil
}

// headerParser reads a JSON header strictly: no key is there twice, none is
// unknown, none is missing.
type headerParser struct {
	dec *json.Decoder
	at  int64 // place of the text in its file
}

// parseHeader returns what a safetensors header of the given text, which
// begins at byte 8, says.
func parseHeader(text []byte) ([]span, map[string]string, error) {
	p := newParser(text, 8)
	if text[0] != '{' {
		return nil, nil, broken(8, "the header begins with %q, want '{'", text[:1])
	}
	if i := invalidUTF8(text); i >= 0 {
		return nil, nil, broken(8+int64(i), "the header is not UTF-8")
	}
	var spans []span
	var metadata map[string]string
	err := p.object(func(key string, at int64) (err error) {
		if key == metadataKey {
			metadata, err = p.metadata()
			return err
		}
		if err := checkName(key); err != nil {
			return broken(at, "%v", err)
		}
		e, err := p.entry(key)
		e.at = at
		spans = append(spans, e)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	end := p.dec.InputOffset()
	if rest := bytes.TrimLeft(text[end:], " "); len(rest) > 0 {
		return nil, nil, broken(8+int64(len(text)-len(rest)), "the header ends in %.20q, want spaces", rest)
	}
	return spans, metadata, nil
}

// parseMetadata returns the JSON object of strings that text holds.
func parseMetadata(text []byte) (map[string]string, error) {
	if i := invalidUTF8(text); i >= 0 {
		return nil, broken(int64(i), "the metadata are not UTF-8")
	}
	p := newParser(text, 0)
	m, err := p.metadata()
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(text[p.dec.InputOffset():], " "); len(rest) > 0 {
		return nil, broken(p.place(), "the metadata end in %.20q", rest)
	}
	return m, nil
}

func newParser(text []byte, at int64) *headerParser {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &headerParser{dec, at}
}

func (p *headerParser) place() int64 { return p.at + p.dec.InputOffset() }

func (p *headerParser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == nil {
		return t, nil
	}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return nil, broken(p.at+syntax.Offset, "the JSON is damaged: %v", err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, broken(p.place(), "the JSON ends too early")
	}
	return nil, broken(p.place(), "the JSON is damaged: %v", err)
}

func (p *headerParser) delim(want json.Delim) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != want {
		return broken(p.place(), "the JSON goes on with %v, want %v", t, want)
	}
	return nil
}

// object calls each with every key of an object and the place after the key;
// each reads the value.
func (p *headerParser) object(each func(key string, at int64) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return broken(p.place(), "the JSON goes on with %v, want a key", t)
		}
		if seen[key] {
			return broken(p.place(), "the key %q is there twice", key)
		}
		seen[key] = true
		if err := each(key, p.place()); err != nil {
			return err
		}
	}
	return p.delim('}')
}

func (p *headerParser) metadata() (map[string]string, error) {
	m := map[string]string{}
	err := p.object(func(key string, at int64) error {
		t, err := p.token()
		if err != nil {
			return err
		}
		s, ok := t.(string)
		if !ok {
			return broken(at, "the metadata entry %q is %v, want a string", key, t)
		}
		m[key] = s
		return nil
	})
	return m, err
}

func (p *headerParser) entry(name string) (span, error) {
	e := span{name: name}
	seen := map[string]bool{}
	err := p.object(func(key string, at int64) error {
		seen[key] = true
		switch key {
		case "dtype":
			t, err := p.token()
			if err != nil {
				return err
			}
			for kind := Bool; kind <= F64; kind++ {
				if t == kind.String() {
					e.kind = kind
					return nil
				}
			}
			return broken(at, "tensor %q has the dtype %v, want one of F16 F32 F64 I8 I16 I32 I64 U8 U16 U32 U64 BOOL", name, t)
		case "shape":
			sizes, err := p.numbers(name, key, maxDims)
			e.shape = make([]int, len(sizes))
			for i, d := range sizes {
				if d > math.MaxInt {
					return broken(at, "tensor %q has the size %d in its shape, more than this machine can count", name, d)
				}
				e.shape[i] = int(d)
			}
			return err
		case "data_offsets":
			ends, err := p.numbers(name, key, 2)
			if err == nil && len(ends) != 2 {
				err = broken(at, "tensor %q has %d data_offsets, want 2", name, len(ends))
			}
			if err == nil {
				e.begin, e.end = ends[0], ends[1]
			}
			return err
		}
		return broken(at, "tensor %q has the unknown key %q, want dtype, shape and data_offsets", name, key)
	})
	if err != nil {
		return e, err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return e, broken(p.place(), "tensor %q has no %s", name, key)
		}
	}
	return e, nil
}

// numbers returns an array of at most most whole numbers that are not negative.
func (p *headerParser) numbers(name, key string, most int) ([]int64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	var out []int64
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		text, ok := t.(json.Number)
		n, err := strconv.ParseUint(string(text), 10, 63)
		if !ok || err != nil {
			return nil, broken(p.place(), "tensor %q has %v in its %s, want a whole number below 2^63", name, t, key)
		}
		if len(out) == most {
			return nil, broken(p.place(), "tensor %q has more than %d numbers in its %s", name, most, key)
		}
		out = append(out, int64(n))
	}
	return out, p.delim(']')
}

// invalidUTF8 returns the place of the first byte that is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// checkMetadata returns an error where JSON could not give m back.
func checkMetadata(m map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !utf8.ValidString(key) || !utf8.ValidString(m[key]) {
			return fmt.Errorf("the metadata entry %q is not UTF-8", key)
		}
	}
	return nil
}
