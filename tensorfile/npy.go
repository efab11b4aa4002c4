package tensorfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The magic bytes of an npy file.
const npyMagic = "\x93NUMPY"

// maxNPYHeader is the longest header that is read, in bytes. The longest that
// three keys and 64 dimensions need is about 2 KiB.
const maxNPYHeader = 1 << 16

// ReadNPY returns the array of an npy file of version 1.0, 2.0 or 3.0; it has
// no name. Big-endian and column-major files are turned into the row-major
// arrays of this machine. The file ends where its array ends.
func ReadNPY(r io.Reader) (Tensor, error) {
	return readNPY(&source{r: r, size: -1}, nil)
}

// ReadSizedNPY is ReadNPY of a file of size bytes: what is shorter than its header says is refused
// before it is read.
func ReadSizedNPY(r io.Reader, size int64) (Tensor, error) {
	return readNPY(&source{r: r, size: size}, nil)
}

// ReadNPYOf is ReadNPY of an array whose type and shape check likes: it is asked before the array
// takes memory.
func ReadNPYOf(r io.Reader, check func(kind Type, shape []int) error) (Tensor, error) {
	return readNPY(&source{r: r, size: -1}, check)
}

func readNPY(s *source, check func(kind Type, shape []int) error) (Tensor, error) {
	h, at, err := readNPYHead(s)
	if err == nil && check != nil {
		err = check(h.kind, h.shape)
	}
	if err != nil {
		return Tensor{}, err
	}
	t := Tensor{Shape: h.shape}
	elems, ok := count(h.shape, h.kind.Size())
	if !ok {
		return Tensor{}, broken(at, "the impossible shape %v", h.shape)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h.big {
		order = binary.BigEndian
	}
	what := fmt.Sprintf("the data of %v %v", h.kind, h.shape)
	if t.Data, err = s.values(h.kind, elems, order, what); err != nil {
		return Tensor{}, err
	}
	if h.fortran {
		t.Data = rowMajor(t.Data, h.shape)
	}
	return t, s.end()
}

// readNPYHead returns what the header says, and the byte at which its text begins.
func readNPYHead(s *source) (h npyFields, at int64, err error) {
	var head [8]byte
	if err := s.fill(head[:], "the npy magic"); err != nil {
		return h, 0, err
	}
	if string(head[:6]) != npyMagic {
		return h, 0, broken(0, "no npy file: it begins with %q, want %q", head[:6], npyMagic)
	}
	var n int64
	switch major, minor := head[6], head[7]; {
	case minor == 0 && major == 1:
		var b [2]byte
		if err := s.fill(b[:], "the header's length"); err != nil {
			return h, 0, err
		}
		n = int64(binary.LittleEndian.Uint16(b[:]))
	case minor == 0 && (major == 2 || major == 3):
		var b [4]byte
		if err := s.fill(b[:], "the header's length"); err != nil {
			return h, 0, err
		}
		n = int64(binary.LittleEndian.Uint32(b[:]))
	default:
		return h, 0, broken(6, "npy version %d.%d, want 1.0, 2.0 or 3.0", major, minor)
	}
	if n > maxNPYHeader {
		return h, 0, broken(8, "the header has %d bytes, want at most %d", n, maxNPYHeader)
	}
	at = s.off
	text, err := s.bytes(n, "the header")
	if err != nil {
		return h, 0, err
	}
	h, err = parseNPYHeader(string(text), at)
	return h, at, err
}

// WriteNPY writes t as an npy file of version 1.0, row-major and little-endian.
// The format has no place for the name.
func WriteNPY(w io.Writer, t Tensor) error {
	if err := t.check(); err != nil {
		return err
	}
	if _, err := io.WriteString(w, npyHeader(t)); err != nil {
		return err
	}
	return writeValues(w, t)
}

// npyHeader returns everything before the data, padded to 64 bytes.
func npyHeader(t Tensor) string {
	order := "<"
	if t.Type().Size() == 1 {
		order = "|"
	}
	var shape strings.Builder
	for i, d := range t.Shape {
		if i > 0 {
			shape.WriteString(", ")
		}
		shape.WriteString(strconv.Itoa(d))
	}
	if len(t.Shape) == 1 {
		shape.WriteByte(',')
	}
	dict := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }",
		order, elements[t.Type()].descr, shape.String())
	const before = len(npyMagic) + 4
	pad := (64 - (before+len(dict)+1)%64) % 64
	n := len(dict) + pad + 1
	return npyMagic + string([]byte{1, 0, byte(n), byte(n >> 8)}) + dict + strings.Repeat(" ", pad) + "\n"
}

// npyFields is what an npy header says.
type npyFields struct {
	kind         Type
	big, fortran bool
	shape        []int
}

// parseNPYHeader returns the fields of a header that begins at byte at: a
// Python literal of a dictionary with exactly the keys descr, fortran_order
// and shape, then spaces and a newline.
func parseNPYHeader(text string, at int64) (npyFields, error) {
	var h npyFields
	p := &literal{text: text, at: at}
	seen := map[string]bool{}
	if err := p.want('{'); err != nil {
		return h, err
	}
	for !p.next('}') {
		start := p.place()
		key, err := p.str()
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, broken(start, "the key %q is there twice", key)
		}
		seen[key] = true
		if err := p.want(':'); err != nil {
			return h, err
		}
		start = p.place()
		switch key {
		case "descr":
			if p.next('[') {
				return h, broken(start, "structured arrays are not supported, want one of <f4, <f8, |i1, |u1, |b1, ...")
			}
			var descr string
			if descr, err = p.str(); err == nil {
				h.kind, h.big, err = parseDescr(descr, start)
			}
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.tuple()
		default:
			err = broken(start, "the unknown key %q, want descr, fortran_order and shape", key)
		}
		if err != nil {
			return h, err
		}
		if !p.next(',') {
			if err := p.want('}'); err != nil {
				return h, err
			}
			break
		}
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return h, broken(at, "the header has no key %q", key)
		}
	}
	if rest := p.text[p.i:]; strings.Trim(rest, " ") != "\n" || !strings.HasSuffix(rest, "\n") {
		return h, broken(at+int64(p.i), "the header ends in %.20q, want spaces and a newline", rest)
	}
	return h, nil
}

// parseDescr returns the element type and byte order of an npy descriptor.
func parseDescr(descr string, at int64) (kind Type, big bool, err error) {
	if descr != "" && strings.ContainsRune("<>|", rune(descr[0])) {
		for t := Bool; t <= F64; t++ {
			if e := elements[t]; e.descr == descr[1:] && (e.size == 1 || descr[0] != '|') {
				return t, descr[0] == '>', nil
			}
		}
	}
	return Invalid, false, broken(at, "the element type %q is not supported, want < or > (| for one byte) and f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or b1", descr)
}

// literal reads the subset of Python literals that npy headers are made of.
type literal struct {
	text string
	i    int
	at   int64 // place of text in its file
}

func (p *literal) place() int64 {
	p.skip()
	return p.at + int64(p.i)
}

func (p *literal) skip() {
	for p.i < len(p.text) && p.text[p.i] == ' ' {
		p.i++
	}
}

// next steps over c and reports true where c comes next.
func (p *literal) next(c byte) bool {
	p.skip()
	if p.i < len(p.text) && p.text[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *literal) want(c byte) error {
	if p.next(c) {
		return nil
	}
	return p.wrong(strconv.QuoteRune(rune(c)))
}

func (p *literal) wrong(want string) error {
	at := p.place()
	if p.i == len(p.text) {
		return broken(at, "the header ends, want %s", want)
	}
	return broken(at, "the header goes on with %.10q, want %s", p.text[p.i:], want)
}

func (p *literal) str() (string, error) {
	p.skip()
	for _, quote := range []byte{'\'', '"'} {
		if p.next(quote) {
			n := strings.IndexByte(p.text[p.i:], quote)
			if n < 0 || strings.ContainsAny(p.text[p.i:p.i+n], "\\\n") {
				return "", p.wrong("a string without escapes")
			}
			s := p.text[p.i : p.i+n]
			p.i += n + 1
			return s, nil
		}
	}
	return "", p.wrong("a string")
}

func (p *literal) boolean() (bool, error) {
	p.skip()
	for word, value := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.text[p.i:], word) {
			p.i += len(word)
			return value, nil
		}
	}
	return false, p.wrong("True or False")
}

// tuple returns the sizes in (), (3,) or (3, 4).
func (p *literal) tuple() ([]int, error) {
	if err := p.want('('); err != nil {
		return nil, err
	}
	shape := []int{}
	comma := false
	for !p.next(')') {
		if len(shape) > 0 && !comma {
			return nil, p.wrong("',' or ')'")
		}
		at := p.place()
		n := p.i
		for n < len(p.text) && p.text[n] >= '0' && p.text[n] <= '9' {
			n++
		}
		if n == p.i {
			return nil, p.wrong("a size of the shape")
		}
		d, err := strconv.ParseInt(p.text[p.i:n], 10, 64)
		if err != nil || d > math.MaxInt {
			return nil, broken(at, "the size %.30s in the shape is too large", p.text[p.i:n])
		}
		p.i = n
		if len(shape) == maxDims {
			return nil, broken(at, "a shape of more than %d dimensions", maxDims)
		}
		shape = append(shape, int(d))
		comma = p.next(',')
	}
	if len(shape) == 1 && !comma {
		return nil, broken(p.place(), "(%d) is no tuple, want (%d,)", shape[0], shape[0])
	}
	return shape, nil
}

// rowMajor returns the elements of a column-major array in row-major order.
func rowMajor(data any, shape []int) any {
	switch d := data.(type) {
	case []bool:
		return transpose(d, shape)
	case []uint8:
		return transpose(d, shape)
	case []int8:
		return transpose(d, shape)
	case []uint16:
		return transpose(d, shape)
	case []int16:
		return transpose(d, shape)
	case []uint32:
		return transpose(d, shape)
	case []int32:
		return transpose(d, shape)
	case []uint64:
		return transpose(d, shape)
	case []int64:
		return transpose(d, shape)
	case []Half:
		return transpose(d, shape)
	case []float32:
		return transpose(d, shape)
	case []float64:
		return transpose(d, shape)
	}
	return data
}

func transpose[E Element](in []E, shape []int) []E {
	out := make([]E, len(in))
	if len(in) == 0 {
		return out
	}
	stride := make([]int, len(shape)) // of the column-major input
	s := 1
	for k, d := range shape {
		stride[k] = s
		s *= d
	}
	index := make([]int, len(shape))
	from := 0
	for i := range out {
		out[i] = in[from]
		for k := len(shape) - 1; k >= 0; k-- {
			index[k]++
			from += stride[k]
			if index[k] < shape[k] {
				break
			}
			from -= index[k] * stride[k]
			index[k] = 0
		}
	}
	return out
}
