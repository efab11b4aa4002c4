package tensorfile

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Written by numpy 1.24.2: np.savez_compressed(b, x=np.arange(4,dtype='i1')-2, y=np.array([[0.5]],'f8'))
const numpyDeflated = "UEsDBBQAAAAIAAAAIQDXgL36SAAAAIQAAAAFABQAeC5ucHkBABAAhAAAAAAAAABIAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF6Taaiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GiY6mjoKtQoUAK5//xkYAVBLAwQUAAAACAAAACEA2vUJZksAAACIAAAABQAUAHkubnB5AQAQAIgAAAAAAAAASwAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2ahrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RqGOgqGmjoKtQpkAy4GMHhgDwBQSwECFAMUAAAACAAAACEA14C9+kgAAACEAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECFAMUAAAACAAAACEA2vUJZksAAACIAAAABQAAAAAAAAAAAAAAgAF/AAAAeS5ucHlQSwUGAAAAAAIAAgBmAAAAAQEAAAAA"

// Written by numpy 1.24.2: np.savez(b, u=np.array([2**64-1],'u8'))
const numpyStored = "UEsDBBQAAAAAAAAAIQByydg+iAAAAIgAAAAFABQAdS5ucHkBABAAiAAAAAAAAACIAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzx1OCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgxLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAK//////////9QSwECFAMUAAAAAAAAACEAcsnYPogAAACIAAAABQAAAAAAAAAAAAAAgAEAAAAAdS5ucHlQSwUGAAAAAAEAAQAzAAAAvwAAAAAA"

func unzip(b []byte) (*File, error) { return ReadNPZ(bytes.NewReader(b), int64(len(b))) }

func TestReadNPZOfNumpy(t *testing.T) {
	for _, c := range []struct {
		base64 string
		want   []Tensor
	}{
		{numpyDeflated, []Tensor{New("x", []int8{-2, -1, 0, 1}, 4), New("y", []float64{0.5}, 1, 1)}},
		{numpyStored, []Tensor{New("u", []uint64{1<<64 - 1}, 1)}},
	} {
		f, err := unzip(decode64(t, c.base64))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, f.Tensors); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// everything returns a file with a tensor of each type, in no order.
func everything() *File {
	return &File{
		Tensors: []Tensor{
			New("w.f32", []float32{1, -2.5, 3e-38, 4, 5, 6}, 3, 2),
			New("b", []bool{true, false, true}, 3),
			New("ü/i64", []int64{-1 << 63, 1<<63 - 1}, 2),
			New("a.u8", []uint8{0, 255, 7}, 1, 3),
			New("half", []Half{0x3c00, 0xfe00}, 2),
			New("scalar", []float64{-0.1}),
			New("c.i8", []int8{-128, 127}, 2, 1),
			New("d.u16", []uint16{65535}, 1),
			New("e.i16", []int16{-32768}, 1),
			New("f.u32", []uint32{1<<32 - 1}, 1),
			New("g.i32", []int32{-1 << 31}, 1),
			New("h.u64", []uint64{1<<64 - 1}, 1),
			New("empty", []float32{}, 0, 7),
		},
		Metadata: map[string]string{"recipe": "seed: 1\n<&>\u2028", "": "no key", "z": ""},
	}
}

// Fails for a writer that depends on the order of the tensors or of a map, and
// for a reader and writer that do not agree.
func TestNPZRoundTrip(t *testing.T) {
	f := everything()
	first := encode(t, func(w io.Writer) error { return WriteNPZ(w, f) })
	got, err := unzip(first)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&File{f.sorted(), f.Metadata}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	slices.Reverse(f.Tensors)
	if second := encode(t, func(w io.Writer) error { return WriteNPZ(w, f) }); !bytes.Equal(first, second) {
		t.Error("the order of the tensors changes the bytes")
	}
}

// zipOf returns a zip of the named entries, in order.
func zipOf(t testing.TB, method uint16, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i], Method: method})
		if err == nil {
			_, err = io.WriteString(w, entries[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const header1 = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}\n"

func TestReadNPZRefuses(t *testing.T) {
	one := string(npyBytes(header1, "x"))
	good := zipOf(t, zip.Store, "x.npy", one)
	flipped := bytes.Clone(good)
	flipped[bytes.Index(good, []byte(one))+len(one)-1] ^= 1 // the one element: only the CRC can tell
	encrypted := bytes.Clone(good)
	encrypted[bytes.Index(good, []byte("PK\x01\x02"))+8] |= 1
	bzip := bytes.Clone(good)
	bzip[bytes.Index(good, []byte("PK\x01\x02"))+10] = 12
	for _, c := range []struct {
		name string
		data []byte
		path string
		want string
	}{
		{"empty", nil, "", "0 bytes hold no zip"},
		{"npy", npyBytes(header1, "x"), "", "no npz file"},
		{"truncated", good[:len(good)-1], "", "no npz file"},
		{"data after the end", append(bytes.Clone(good), 'x'), "", "no npz file"},
		{"entry that is no array", zipOf(t, zip.Store, "readme.txt", "hello"), "(readme.txt)", "no array"},
		{"nameless", zipOf(t, zip.Store, ".npy", one), "(.npy)", "no name"},
		{"twice", zipOf(t, zip.Store, "x.npy", one, "x.npy", one), "(x.npy)", "twice"},
		{"damaged element", flipped, "(x.npy)", "checksum"},
		{"encrypted", encrypted, "(x.npy)", "encrypted"},
		{"other compression", bzip, "(x.npy)", "compression method 12"},
		{"entry with more", zipOf(t, zip.Deflate, "x.npy", one+"y"), "(x.npy)", "data after the end"},
		{"entry with less", zipOf(t, zip.Deflate, "x.npy", one[:len(one)-1]), "(x.npy)", "truncated"},
		{"metadata of floats", zipOf(t, zip.Store, "__metadata__.npy", string(npyBytes(strings.Replace(header1, "|u1", "<f4", 1), "0000"))), "(__metadata__.npy)", "metadata are a row of bytes"},
		{"metadata that are no object", zipOf(t, zip.Store, "__metadata__.npy", one), "(__metadata__.npy)", "JSON is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := unzip(c.data)
			f, ok := err.(*FormatError)
			if !ok || f.Path != c.path || !strings.Contains(f.Reason, c.want) {
				t.Errorf("got %v, want %q in %q", err, c.want, c.path)
			}
		})
	}
}

// Fails for a reader that inflates whatever it is given, in one entry or in
// many: 300 kB of zeros, declared as such, against a bound of 250 kB.
func TestReadNPZRefusesBomb(t *testing.T) {
	header := "{'descr': '|u1', 'fortran_order': False, 'shape': (%d,)}\n"
	half := string(npyBytes(fmt.Sprintf(header, 150_000), strings.Repeat("\x00", 150_000)))
	whole := string(npyBytes(fmt.Sprintf(header, 300_000), strings.Repeat("\x00", 300_000)))
	for _, b := range [][]byte{zipOf(t, zip.Deflate, "x.npy", whole), zipOf(t, zip.Deflate, "x.npy", half, "y.npy", half)} {
		if _, err := readNPZ(bytes.NewReader(b), int64(len(b)), 250_000); err == nil || !strings.Contains(err.Error(), "a bomb: the file inflates to more") {
			t.Errorf("got %v, want a refusal", err)
		}
		if _, err := readNPZ(bytes.NewReader(b), int64(len(b)), 301_000); err != nil {
			t.Errorf("got %v for a file within the bound", err)
		}
	}
}

func FuzzReadNPZ(f *testing.F) {
	f.Add(decode64(f, numpyDeflated))
	f.Add(decode64(f, numpyStored))
	f.Add(encode(f, func(w io.Writer) error { return WriteNPZ(w, everything()) }))
	f.Add(zipOf(f, zip.Deflate, "x.npy", string(npyBytes(header1, "x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := unzip(data)
		if err != nil {
			return
		}
		first := encode(t, func(w io.Writer) error { return WriteNPZ(w, got) })
		again, err := unzip(first)
		if err != nil {
			t.Fatal(err)
		}
		if second := encode(t, func(w io.Writer) error { return WriteNPZ(w, again) }); !bytes.Equal(first, second) {
			t.Fatal("a file that was written and read is written differently")
		}
	})
}

// Fails for an archive that reads an array of another name, that reads all of them, or that counts its bound anew for each.
func TestArchive(t *testing.T) {
	one := string(npyBytes(header1, "x"))
	text := string(npyBytes("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n", "00"))
	b := zipOf(t, zip.Deflate, "b.npy", one, "words.npy", text, metadataKey+".npy", one, "a.npy", one)
	a, err := OpenNPZ(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if names := a.Names(); !slices.Equal(names, []string{"b", "words", "a"}) {
		t.Errorf("arrays %q", names)
	}
	if kind, shape, err := a.Head("a"); err != nil || kind != U8 || !slices.Equal(shape, []int{1}) {
		t.Errorf("a is %v %v, %v", kind, shape, err)
	}
	if x, err := a.Array("a"); err != nil || x.Name != "a" || x.Data.([]uint8)[0] != 'x' {
		t.Errorf("a is %v, %v", x, err)
	}
	for name, want := range map[string]string{"words": "(words.npy): byte 20: the element type", "c": `no array "c" among b, words, a`} {
		_, _, head := a.Head(name)
		_, err := a.Array(name)
		for _, err := range []error{head, err} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
	}
	big := string(npyBytes("{'descr': '|u1', 'fortran_order': False, 'shape': (150000,)}\n", strings.Repeat("\x00", 150_000)))
	b = zipOf(t, zip.Deflate, "x.npy", big, "y.npy", big)
	if a, err = openNPZ(bytes.NewReader(b), int64(len(b)), 250_000); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Array("x"); err != nil {
		t.Error(err)
	}
	if _, err := a.Array("y"); err == nil || !strings.Contains(err.Error(), "(y.npy)") || !strings.Contains(err.Error(), "a bomb") {
		t.Errorf("got %v, want a refusal", err)
	}
}
