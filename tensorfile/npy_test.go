package tensorfile

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// numpyFiles were written by numpy 1.24.2:
//
//	def npy(a, version=None):
//	    b = io.BytesIO(); np.lib.format.write_array(b, a, version=version); return base64.b64encode(b.getvalue())
var numpyFiles = []struct {
	name, base64 string
	want         Tensor
}{
	{"npy(np.array([[1.5,-2,0],[np.inf,1e-3,7]], '<f4'))",
		"k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAMA/AAAAwAAAAAAAAIB/bxKDOgAA4EA=",
		New("", []float32{1.5, -2, 0, float32(math.Inf(1)), 1e-3, 7}, 2, 3)},
	{"npy(np.asfortranarray(np.arange(6,dtype='<i4').reshape(2,3)))",
		"k05VTVBZAQB2AHsnZGVzY3InOiAnPGk0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAwAAAAEAAAAEAAAAAgAAAAUAAAA=",
		New("", []int32{0, 1, 2, 3, 4, 5}, 2, 3)},
	{"npy(np.array([1,-2,300],'>i2'), (2,0))",
		"k05VTVBZAgB0AAAAeydkZXNjcic6ICc+aTInLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAf/+ASw=",
		New("", []int16{1, -2, 300}, 3)},
	{"npy(np.array(True), (3,0))",
		"k05VTVBZAwB0AAAAeydkZXNjcic6ICd8YjEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoB",
		New("", []bool{true})},
	{"npy(np.array([[0.3,-2,65504],[np.inf,6e-8,-0.0]], '<f2'))",
		"k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIArNNADA/3sAfAEAAIA=",
		New("", []Half{0x34cd, 0xc000, 0x7bff, 0x7c00, 1, 0x8000}, 2, 3)},
	{"npy(np.asfortranarray(np.array([[0.3,1],[0.25,1e-3]], '>f2')))",
		"k05VTVBZAQB2AHsnZGVzY3InOiAnPmYyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo0zTQAPAAUGQ==",
		New("", []Half{0x34cd, 0x3c00, 0x3400, 0x1419}, 2, 2)},
	{"npy(np.zeros((0,3),'<f8'))",
		"k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDAsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo=",
		New("", []float64{}, 0, 3)},
}

func decode64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Fails for a reader that mixes up byte order, row and column order, or the
// width of the header's length in versions 2 and 3.
func TestReadNPYOfNumpy(t *testing.T) {
	for _, c := range numpyFiles {
		got, err := ReadNPY(bytes.NewReader(decode64(t, c.base64)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Fails for a writer whose bytes are not those of np.save.
func TestWriteNPYEqualsNumpy(t *testing.T) {
	for _, i := range []int{0, 4} { // the little-endian, row-major files of version 1.0
		var b bytes.Buffer
		if err := WriteNPY(&b, numpyFiles[i].want); err != nil {
			t.Fatal(err)
		}
		if want := decode64(t, numpyFiles[i].base64); !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s: got\n%q\nwant\n%q", numpyFiles[i].name, b.Bytes(), want)
		}
	}
}

// npyBytes returns an npy file of version 1.0 with the given header and data.
func npyBytes(header, data string) []byte {
	n := len(header)
	return []byte(npyMagic + "\x01\x00" + string([]byte{byte(n), byte(n >> 8)}) + header + data)
}

// A column-major array of three dimensions, written by hand: byte k of the data
// belongs to the place (k%2, k/2%2, k/4).
func TestReadNPYColumnMajor(t *testing.T) {
	got, err := ReadNPY(bytes.NewReader(npyBytes("{'shape':(2,2,3),'descr':'|u1','fortran_order':True}\n",
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b")))
	if err != nil {
		t.Fatal(err)
	}
	want := []uint8{0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11}
	if diff := cmp.Diff(want, got.Data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// wrongNPY lists files that are refused, with a part of the message and the
// offset that must be named.
var wrongNPY = []struct {
	name   string
	data   []byte
	offset int64
	want   string
}{
	{"empty", nil, 0, "truncated: the npy magic needs 8 bytes, 0 are left"},
	{"other file", []byte("PK\x03\x04\x00\x00\x00\x00\x00"), 0, "no npy file"},
	{"version 4", []byte(npyMagic + "\x04\x00\x00\x00\x00\x00"), 6, "npy version 4.0, want 1.0, 2.0 or 3.0"},
	{"version 1.1", []byte(npyMagic + "\x01\x01\x00\x00"), 6, "npy version 1.1"},
	{"no header length", []byte(npyMagic + "\x01\x00\x00"), 8, "truncated: the header's length"},
	{"header of 4 GB", []byte(npyMagic + "\x02\x00\xff\xff\xff\xff{"), 8, "the header has 4294967295 bytes"},
	{"short header", []byte(npyMagic + "\x01\x00\x40\x00{'descr'"), 10, "truncated: the header needs 64 bytes, 8 are left"},
	{"no dictionary", npyBytes("[1]\n", ""), 10, "want '{'"},
	{"unknown key", npyBytes("{'descr': '<f4', 'colour': 3}\n", ""), 37, `the unknown key "colour"`},
	{"twice", npyBytes("{'descr': '<f4', 'descr': '<f4'}\n", ""), 27, `the key "descr" is there twice`},
	{"missing key", npyBytes("{'descr': '<f4', 'shape': (1,)}\n", "0000"), 10, `no key "fortran_order"`},
	{"float128", npyBytes("{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}\n", "0000000000000000"), 20, `the element type "<f16" is not supported`},
	{"complex", npyBytes("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}\n", "00000000"), 20, `the element type "<c8" is not supported`},
	{"texts", npyBytes("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}\n", "0000"), 20, `the element type "<U1" is not supported`},
	{"objects", npyBytes("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", "00"), 20, `the element type "|O" is not supported`},
	{"no byte order", npyBytes("{'descr': '|f4', 'fortran_order': False, 'shape': (1,)}\n", "0000"), 20, `the element type "|f4"`},
	{"structured", npyBytes("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}\n", "0000"), 20, "structured arrays are not supported"},
	{"order 0", npyBytes("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}\n", "0000"), 44, "want True or False"},
	{"shape no tuple", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1)}\n", "0000"), 63, "(1) is no tuple"},
	{"negative size", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}\n", "0000"), 61, "want a size of the shape"},
	{"size above 2^63", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}\n", "0000"), 61, "too large"},
	{"product above 2^63", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}\n", "0000"), 10, "impossible shape"},
	{"product times size above 2^63", npyBytes("{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}\n", ""), 10, "impossible shape"},
	{"no newline", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}   ", "0000"), 65, "want spaces and a newline"},
	{"more after the dictionary", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} 1\n", "0000"), 65, "want spaces and a newline"},
	{"short data", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}\n", "0000000"), 66, "truncated: the data of F32 [2] needs 8 bytes, 7 are left"},
	{"a petabyte declared", npyBytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000)}\n", "0000"), 83, "truncated: the data of F64"},
	{"long data", npyBytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n", "00000"), 70, "data after the end"},
	{"bool of 2", npyBytes("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}\n", "\x01\x02"), 67, "holds the byte 2, want 0 or 1"},
}

func wantFormatError(t *testing.T, err error, offset int64, part string) {
	t.Helper()
	var f *FormatError
	if !errors.As(err, &f) {
		t.Errorf("got %v, want a FormatError with %q", err, part)
		return
	}
	if f.Offset != offset || !strings.Contains(f.Reason, part) {
		t.Errorf("got %q at byte %d, want %q at byte %d", f.Reason, f.Offset, part, offset)
	}
}

func TestReadNPYRefuses(t *testing.T) {
	for _, c := range wrongNPY {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadNPY(bytes.NewReader(c.data))
			wantFormatError(t, err, c.offset, c.want)
		})
	}
}

// Fails for a reader that takes memory for what a header declares: a stream of
// unknown length that declares 8 PB must end at its real end.
func TestReadNPYMemory(t *testing.T) {
	data := npyBytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000)}\n", strings.Repeat("01234567", 100_000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadNPY(bytes.NewReader(data)); err == nil {
		t.Fatal("read a truncated file")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 8*uint64(len(data)) {
		t.Errorf("took %d bytes for a file of %d", got, len(data))
	}
}

// encode returns the bytes that write makes.
func encode(t testing.TB, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func FuzzReadNPY(f *testing.F) {
	for _, c := range numpyFiles {
		f.Add(decode64(f, c.base64))
	}
	for _, c := range wrongNPY {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadNPY(bytes.NewReader(data))
		if err != nil {
			return
		}
		if n := got.Len() * got.Type().Size(); n > len(data) {
			t.Fatalf("%d bytes of elements from a file of %d", n, len(data))
		}
		first := encode(t, func(w io.Writer) error { return WriteNPY(w, got) })
		again, err := ReadNPY(bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		if second := encode(t, func(w io.Writer) error { return WriteNPY(w, again) }); !bytes.Equal(first, second) {
			t.Fatalf("written as\n%q\nthen as\n%q", first, second)
		}
	})
}

func ExampleReadNPY() {
	var file bytes.Buffer
	if err := WriteNPY(&file, New("", []int8{1, -1, -1, 1, 1, -1}, 2, 3)); err != nil {
		fmt.Println(err)
		return
	}
	t, err := ReadNPY(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Type(), t.Shape, t.Data)
	// Output: I8 [2 3] [1 -1 -1 1 1 -1]
}
