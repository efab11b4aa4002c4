package tensorfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReadWriteByExtension(t *testing.T) {
	dir := t.TempDir()
	one := &File{Tensors: []Tensor{New("rows", []int8{1, -1}, 1, 2)}}
	for name, f := range map[string]*File{
		"rows.npy": one, "a.npz": everything(), "a.safetensors": everything(), "B.SafeTensors": one,
	} {
		path := filepath.Join(dir, name)
		if err := Write(path, f); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&File{f.sorted(), f.Metadata}, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Fails for errors that do not name the file.
func TestReadErrorsNamePath(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "d.npy"), 0o777); err != nil {
		t.Fatal(err)
	}
	petabyte := npyBytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000)}\n", "0000")
	for path, want := range map[string]string{
		put("a.txt", nil):                 `a.txt: the extension ".txt" names no array format, want .npy, .npz or .safetensors`,
		put("a.npy", []byte("what")):      "a.npy: byte 0: truncated: the npy magic needs 8 bytes, 4 are left",
		put("big.npy", petabyte):          "big.npy: byte 83: truncated: the data of F64 [1000000000 1000000] needs 8000000000000000 bytes, 4 are left",
		put("a.npz", make([]byte, 30)):    "a.npz: byte 8: no npz file",
		put("a.safetensors", []byte("x")): "a.safetensors: byte 0: truncated",
		put("b.npz", zipOf(t, 0, "x.npy", string(npyBytes(header1, "")))): "b.npz(x.npy): byte 66: truncated",
		filepath.Join(dir, "d.npy"):                                       "d.npy: is a directory, want a .npy file",
	} {
		_, err := Read(path)
		if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, want)) {
			t.Errorf("got %v, want %s", err, filepath.Join(dir, want))
		}
	}
	if _, err := Read(filepath.Join(dir, "none.npz")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want a missing file", err)
	}
}

// Fails for a writer that truncates the old file before it looks at the new
// content.
func TestWriteRefusesBeforeTouching(t *testing.T) {
	x := New("x", []float32{1}, 1)
	for _, c := range []struct {
		name string
		f    *File
		want string
	}{
		{"a.npy", everything(), "an npy holds one array and no metadata, not 13 arrays and 3 entries; use .npz or .safetensors"},
		{"a.npy", &File{Tensors: []Tensor{{Name: "x", Shape: []int{2}, Data: []int8{1}}}}, `tensor "x" has shape [2], that is 2 elements, and 1 values`},
		{"a.npz", &File{Tensors: []Tensor{x, x}}, `two tensors are named "x"`},
		{"a.npz", &File{Tensors: []Tensor{{Name: "s", Data: []string{"a"}}}}, `tensor "s" holds a []string`},
		{"a.safetensors", &File{Tensors: []Tensor{New("", []int8{1}, 1)}}, "a tensor has no name"},
		{"a.safetensors", &File{Tensors: []Tensor{New("__metadata__", []int8{1}, 1)}}, `the name "__metadata__" belongs to the metadata`},
		{"a.safetensors", &File{Tensors: []Tensor{New("a\x00b", []int8{1}, 1)}}, "control characters"},
		{"a.safetensors", &File{Tensors: []Tensor{{Name: "n", Shape: []int{-1}, Data: []int8{}}}}, `tensor "n" has the impossible shape [-1]`},
		{"a.safetensors", &File{Metadata: map[string]string{"k": "\xff"}}, `the metadata entry "k" is not UTF-8`},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, c.f); err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q after the path", err, c.want)
		}
		if b, _ := os.ReadFile(path); string(b) != "old" {
			t.Errorf("%s: the refused content replaced the file", c.want)
		}
	}
}

func TestValuesAndFloats(t *testing.T) {
	x := New("x", []int8{-1, 1}, 2)
	if _, err := Values[float32](x); err == nil || err.Error() != `tensor "x" holds I8, want F32` {
		t.Errorf("got %v", err)
	}
	if d, err := Values[int8](x); err != nil || len(d) != 2 {
		t.Errorf("got %v, %v", d, err)
	}
	if diff := cmp.Diff([]float32{-1, 1}, Floats[float32](x)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{1, 0}, Floats[float64](New("b", []bool{true, false}, 2))); diff != "" {
		t.Error(diff)
	}
	defer func() {
		if recover() == nil {
			t.Error("New took 2 values for the shape [3]")
		}
	}()
	New("x", []int8{1, 2}, 3)
}
