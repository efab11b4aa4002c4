package tensorfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// safetensorsBytes returns a file with the given header and data.
func safetensorsBytes(header, data string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+data...)
}

// A file written by hand from the format's description.
func TestReadSafetensorsKnownAnswer(t *testing.T) {
	f, err := ReadSafetensors(bytes.NewReader([]byte("\x88\x00\x00\x00\x00\x00\x00\x00" +
		`{ "b":{"data_offsets":[8,10], "dtype":"I8","shape":[1,2]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}` +
		"\x00\x00\x80\x3f\x00\x00\x00\xc0" + "\xff\x01")))
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Tensors:  []Tensor{New("a", []float32{1, -2}, 2), New("b", []int8{-1, 1}, 1, 2)},
		Metadata: map[string]string{"k": "v"},
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteSafetensorsKnownAnswer(t *testing.T) {
	got := encode(t, func(w io.Writer) error {
		return WriteSafetensors(w, &File{
			Tensors:  []Tensor{New("b", []int8{-1, 1}, 1, 2), New("a", []float32{1, -2}, 2)},
			Metadata: map[string]string{"k": "v", "a": "<"},
		})
	})
	header := `{"__metadata__":{"a":"<","k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[1,2],"data_offsets":[8,10]}}`
	header += strings.Repeat(" ", (8-len(header)%8)%8)
	want := safetensorsBytes(header, "\x00\x00\x80\x3f\x00\x00\x00\xc0\xff\x01")
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// independent reads the F32 tensors and the metadata of a safetensors file from
// nothing but the format's description: 8 bytes of length, JSON, data.
func independent(b []byte) (tensors map[string][]float32, metadata map[string]string, err error) {
	n := 8 + binary.LittleEndian.Uint64(b)
	entries := map[string]json.RawMessage{}
	if err := json.Unmarshal(b[8:n], &entries); err != nil {
		return nil, nil, err
	}
	tensors = map[string][]float32{}
	for name, raw := range entries {
		if name == "__metadata__" {
			err = json.Unmarshal(raw, &metadata)
			continue
		}
		var e struct {
			Dtype string
			Ends  [2]uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil || e.Dtype != "F32" {
			return nil, nil, fmt.Errorf("%s: %v %v", name, e.Dtype, err)
		}
		for at := n + e.Ends[0]; at < n+e.Ends[1]; at += 4 {
			tensors[name] = append(tensors[name], math.Float32frombits(binary.LittleEndian.Uint32(b[at:])))
		}
	}
	return tensors, metadata, err
}

func TestSafetensorsByIndependentReader(t *testing.T) {
	want := map[string][]float32{"patterns.visible": {1, -1, 1, 1, -1, -1}, "patterns.hidden": {0.25, -0.5, 3, 1e-30}, `a "quoted" name`: {7}}
	f := &File{Metadata: map[string]string{"recipe": "line\n\"two\" é"}}
	for name, d := range want {
		f.Tensors = append(f.Tensors, New(name, d, len(d)))
	}
	b := encode(t, func(w io.Writer) error { return WriteSafetensors(w, f) })
	tensors, metadata, err := independent(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, tensors); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(f.Metadata, metadata); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Fails where reader and writer disagree on a type, where the order of tensors
// changes the bytes, and where a tensor is not aligned to its elements.
func TestSafetensorsRoundTrip(t *testing.T) {
	f := everything()
	first := encode(t, func(w io.Writer) error { return WriteSafetensors(w, f) })
	got, err := ReadSafetensors(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&File{f.sorted(), f.Metadata}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	slices.Reverse(f.Tensors)
	if second := encode(t, func(w io.Writer) error { return WriteSafetensors(w, f) }); !bytes.Equal(first, second) {
		t.Error("the order of the tensors changes the bytes")
	}
	n := binary.LittleEndian.Uint64(first)
	if n%8 != 0 {
		t.Errorf("the data begin at byte %d, want a multiple of 8", 8+n)
	}
	spans, _, err := parseHeader(first[8 : 8+n])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range spans {
		if e.begin%int64(e.kind.Size()) != 0 {
			t.Errorf("tensor %q of %v begins at %d", e.name, e.kind, e.begin)
		}
	}
}

// entry returns a header of one tensor named x.
func entry(dtype, shape, offsets string) string {
	return fmt.Sprintf(`{"x":{"dtype":%s,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
}

var wrongSafetensors = []struct {
	name   string
	data   []byte
	offset int64
	want   string
}{
	{"empty", nil, 0, "truncated: the header's length needs 8 bytes, 0 are left"},
	{"half a length", []byte("\x02\x00\x00"), 0, "truncated: the header's length"},
	{"header of nothing", safetensorsBytes("", ""), 0, "the header has 0 bytes"},
	{"header of 2^63 bytes", []byte("\x00\x00\x00\x00\x00\x00\x00\x80{}"), 0, "the header has 9223372036854775808 bytes, want 2 to 100000000"},
	{"header longer than the file", []byte("\x00\x00\x00\x05\x00\x00\x00\x00{}"), 8, "truncated: the header needs 83886080 bytes, 2 are left"},
	{"no object", safetensorsBytes("[1]", ""), 8, `the header begins with "["`},
	{"space before the object", safetensorsBytes(" {}", ""), 8, `the header begins with " "`},
	{"no UTF-8", safetensorsBytes("{\"\xff\":1}", ""), 10, "not UTF-8"},
	{"broken JSON", safetensorsBytes(`{"x":}`, ""), 13, "JSON is damaged"},
	{"unclosed JSON", safetensorsBytes(`{"x":{"dtype":"F32"`, ""), 27, "the JSON ends too early"},
	{"more after the JSON", safetensorsBytes("{} \n", ""), 11, "want spaces"},
	{"tensor that is no object", safetensorsBytes(`{"x":3}`, ""), 14, "want {"},
	{"two tensors of one name", safetensorsBytes(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, ""), 64, `the key "x" is there twice`},
	{"escaped spelling of one name", safetensorsBytes(`{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0078":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, ""), 69, `the key "x" is there twice`},
	{"two shapes", safetensorsBytes(`{"x":{"shape":[0],"shape":[0]}}`, ""), 33, `the key "shape" is there twice`},
	{"nameless tensor", safetensorsBytes(`{"":{}}`, ""), 11, "a tensor has no name"},
	{"unknown key", safetensorsBytes(`{"x":{"strides":[1]}}`, ""), 23, `unknown key "strides"`},
	{"no shape", safetensorsBytes(`{"x":{"dtype":"U8","data_offsets":[0,1]}}`, "x"), 48, `tensor "x" has no shape`},
	{"unknown dtype", safetensorsBytes(entry(`"BF16"`, "[1]", "[0,2]"), "xx"), 21, `tensor "x" has the dtype BF16`},
	{"dtype that is no string", safetensorsBytes(entry("3", "[1]", "[0,2]"), "xx"), 21, "has the dtype 3"},
	{"dtype invalid", safetensorsBytes(entry(`"invalid"`, "[1]", "[0,2]"), "xx"), 21, "has the dtype invalid"},
	{"negative size", safetensorsBytes(entry(`"U8"`, "[-1]", "[0,1]"), "x"), 38, "want a whole number"},
	{"fractional size", safetensorsBytes(entry(`"U8"`, "[1.0]", "[0,1]"), "x"), 39, "want a whole number"},
	{"size as string", safetensorsBytes(entry(`"U8"`, `["1"]`, "[0,1]"), "x"), 39, "want a whole number"},
	{"size above 2^63", safetensorsBytes(entry(`"U8"`, "[9223372036854775808]", "[0,1]"), "x"), 55, "want a whole number below 2^63"},
	{"product above 2^63", safetensorsBytes(entry(`"U8"`, "[4294967296,4294967296]", "[0,0]"), ""), 12, "impossible shape"},
	{"product above 2^63 times 0", safetensorsBytes(entry(`"U8"`, "[4294967296,0,4294967296]", "[0,0]"), ""), 12, "impossible shape"},
	{"one offset", safetensorsBytes(entry(`"U8"`, "[1]", "[1]"), "x"), 53, "has 1 data_offsets, want 2"},
	{"three offsets", safetensorsBytes(entry(`"U8"`, "[1]", "[0,1,2]"), "x"), 60, "more than 2 numbers in its data_offsets"},
	{"end before begin", safetensorsBytes(entry(`"U8"`, "[1]", "[0,-1]"), "x"), 59, "want a whole number"},
	{"shape and offsets differ", safetensorsBytes(entry(`"F32"`, "[2]", "[0,4]"), "xxxx"), 12, "data_offsets [0,4], but F32 [2] takes 8 bytes"},
	{"hole before the first", safetensorsBytes(entry(`"U8"`, "[1]", "[1,2]"), "xx"), 12, `the data of tensor "x" begin at 1, want 0: a hole or an overlap`},
	{"overlap", safetensorsBytes(`{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "xyz"), 64, `the data of tensor "y" begin at 1, want 2`},
	{"hole between", safetensorsBytes(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, "xyz"), 64, `the data of tensor "y" begin at 2, want 1`},
	{"short data", safetensorsBytes(entry(`"F32"`, "[2]", "[0,8]"), "xxxxxxx"), 62, `truncated: tensor "x" needs 8 bytes, 7 are left`},
	{"a petabyte declared", safetensorsBytes(entry(`"U8"`, "[1000000000000000]", "[0,1000000000000000]"), "x"), 91, `truncated: tensor "x"`},
	{"long data", safetensorsBytes(entry(`"U8"`, "[1]", "[0,1]"), "xy"), 62, "data after the end"},
	{"bool of 3", safetensorsBytes(entry(`"BOOL"`, "[1]", "[0,1]"), "\x03"), 63, "holds the byte 3"},
	{"metadata of numbers", safetensorsBytes(`{"__metadata__":{"k":3}}`, ""), 28, `the metadata entry "k" is 3, want a string`},
	{"metadata twice", safetensorsBytes(`{"__metadata__":{},"__metadata__":{}}`, ""), 41, "twice"},
	{"metadata null", safetensorsBytes(`{"__metadata__":null}`, ""), 28, "want {"},
}

func TestReadSafetensorsRefuses(t *testing.T) {
	for _, c := range wrongSafetensors {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadSafetensors(bytes.NewReader(c.data))
			wantFormatError(t, err, c.offset, c.want)
		})
	}
}

// Fails for a reader that overlooks where a file ends: every shorter file is
// refused.
func TestReadSafetensorsRefusesEveryPrefix(t *testing.T) {
	b := encode(t, func(w io.Writer) error { return WriteSafetensors(w, everything()) })
	for n := range b {
		if _, err := ReadSafetensors(bytes.NewReader(b[:n])); err == nil {
			t.Fatalf("%d of %d bytes were read as a file", n, len(b))
		}
	}
}

func FuzzReadSafetensors(f *testing.F) {
	f.Add(encode(f, func(w io.Writer) error { return WriteSafetensors(w, everything()) }))
	for _, c := range wrongSafetensors {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ReadSafetensors(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 8 + binary.LittleEndian.Uint64(data)
		if !json.Valid(data[8:n]) {
			t.Fatalf("the header %q was taken for JSON", data[8:n])
		}
		size := 0
		for _, x := range got.Tensors {
			size += x.Len() * x.Type().Size()
		}
		if size != len(data)-int(n) {
			t.Fatalf("%d bytes of elements from %d bytes of data", size, len(data)-int(n))
		}
		first := encode(t, func(w io.Writer) error { return WriteSafetensors(w, got) })
		again, err := ReadSafetensors(bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		if second := encode(t, func(w io.Writer) error { return WriteSafetensors(w, again) }); !bytes.Equal(first, second) {
			t.Fatal("a file that was written and read is written differently")
		}
	})
}

func ExampleWriteSafetensors() {
	var file bytes.Buffer
	err := WriteSafetensors(&file, &File{
		Tensors:  []Tensor{New("patterns.visible", []float32{1, -1, -1, 1}, 2, 2)},
		Metadata: map[string]string{"step": "300"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := ReadSafetensors(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	xv, _ := f.Tensor("patterns.visible")
	fmt.Println(f.Metadata["step"], xv.Shape, xv.Data)
	// Output: 300 [2 2] [1 -1 -1 1]
}
