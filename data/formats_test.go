package data

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mattis/tensorfile"
)

// Texts of the rows [1 0 1] [0 1 0]; those of savetxt and to_csv as numpy 1.24.2 and pandas 1.5.3 write them.
var texts = []struct {
	name, text string
	o          Options
}{
	{"savetxt(a)", "1.000000000000000000e+00 0.000000000000000000e+00 1.000000000000000000e+00\n0.000000000000000000e+00 1.000000000000000000e+00 0.000000000000000000e+00\n", Options{}},
	{"savetxt fmt=%d", "1 0 1\n0 1 0\n", Options{}},
	{"savetxt fmt=%5.1f", "  1.0   0.0   1.0\n  0.0   1.0   0.0\n", Options{}},
	{"savetxt with a header and a footer", "# a b c\n1 0 1\n0 1 0\n# end\n", Options{}},
	{"savetxt with a header that is read", "# a b c\n1 0 1\n0 1 0\n# end\n", Options{Header: true}},
	{"savetxt with commas and a header", "# a, b, c\n1, 0, 1\n0, 1, 0\n", Options{}},
	{"savetxt with commas and a header that is read", "# a, b, c\n1, 0, 1\n0, 1, 0\n", Options{Header: true}},
	{"savetxt with blanks at the end of lines", "1  0  1 \r\n0  1  0 \r\n", Options{}},
	{"savetxt with signs and tabs", "+1\t+0\t+1\n+0\t+1\t+0\n", Options{}},
	{"to_csv of truths", "a,b,c\nTrue,False,True\nFalse,True,False\n", Options{Header: true}},
	{"blanks and tabs in runs", "\t 1 \t 0  1\t\n\n 0 1\t\t0", Options{}},
	{"asked for", "1 0 1\n0 1 0\n", Options{Delimiter: "whitespace"}},
	{"tabs, where one is named", "1\t0\t1\n0\t1\t0\n", Options{Delimiter: "tab"}},
	{"quoted names", "\"a\" \"b\" \"c\"\n1 0 1\n0 1 0\n", Options{Header: true}},
	{"signs of R", "-1 -1 -1\n", Options{}},
	{"characters 0 and 1", "101\n010\n", Options{}},
	{"characters + and -", " +-+\r\n-+-", Options{}},
	{"characters, asked for", "101\n010\n", Options{Delimiter: "none"}},
	{"characters below a comment", "# sampled\n101\n010\n", Options{}},
	{"words of truth between blanks", "true false TRUE\nFalse True false\n", Options{}},
}

func TestTexts(t *testing.T) {
	for _, c := range texts {
		want := "+-+-+-"
		if c.name == "signs of R" {
			want = "---"
		}
		for _, text := range []string{c.text, "\ufeff" + c.text, string(gzipped([]byte(c.text)))} {
			var w words
			s, err := c.o.decodeCSV(strings.NewReader(text), int64(len(text)), part{path: "x.txt"}, &w)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if got := signs(s.Spins); got != want || s.Visible != 3 {
				t.Errorf("%s: rows of %d, %s, want %s", c.name, s.Visible, got, want)
			}
		}
	}
	// A column of labels stays one, with and without names, and a # in it is no comment where it is the first.
	for text, o := range map[string]Options{
		"a 1 0 1\nb 0 1 0\n":               {Labels: "1"},
		"1 0 1 a\n0 1 0 b\n":               {Labels: "4"},
		"kind x y z\na 1 0 1\nb 0 1 0\n":   {Labels: "kind", Header: true},
		"#a,1,0,1\n#b,0,1,0\n":             {Labels: "1"},
		"kind,x,y,z\n#a,1,0,1\n#b,0,1,0\n": {Labels: "1", Header: true},
	} {
		var w words
		s, err := o.decodeCSV(strings.NewReader(text), int64(len(text)), part{path: "x.csv", labels: o.Labels}, &w)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		w.number(s)
		check(t, s, "+-+-+-", 0, 1)
	}
}

// Every element type of numpy that is a number, in both byte orders and both orders of rows and columns.
func TestEveryElementType(t *testing.T) {
	for _, descr := range []string{"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"} {
		for _, order := range []string{"<", ">"} {
			for _, fortran := range []bool{false, true} {
				if strings.HasSuffix(descr, "1") && order == "<" {
					order = "|"
				}
				var enc binary.ByteOrder = binary.LittleEndian
				if order == ">" {
					enc = binary.BigEndian
				}
				var body []byte
				values := []int{1, 0, 1, 0, 1, 0} // [1 0 1] [0 1 0]
				if fortran {
					values = []int{1, 0, 0, 1, 1, 0}
				}
				for _, v := range values {
					body = append(body, element1(descr, v, enc)...)
				}
				shape := "(2, 3)"
				head := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': %s, 'shape': %s, }\n", order, descr, map[bool]string{false: "False", true: "True"}[fortran], shape)
				file := append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(head)), 0})+head), body...)
				path := filepath.Join(t.TempDir(), "x.npy")
				if err := os.WriteFile(path, file, 0o666); err != nil {
					t.Fatal(err)
				}
				s, err := Read(path, Options{})
				if err != nil {
					t.Errorf("%s%s, fortran %v: %v", order, descr, fortran, err)
					continue
				}
				check(t, s, "+-+-+-")
			}
		}
	}
}

// element1 returns 0 or 1 as the type has it.
func element1(descr string, v int, order binary.ByteOrder) []byte {
	size := int(descr[1] - '0')
	bits := uint64(v)
	if descr[0] == 'f' && v == 1 {
		bits = map[int]uint64{2: 0x3c00, 4: 0x3f800000, 8: 0x3ff0000000000000}[size]
	}
	b := make([]byte, 8)
	if order == binary.BigEndian {
		binary.BigEndian.PutUint64(b, bits)
		return b[8-size:]
	}
	binary.LittleEndian.PutUint64(b, bits)
	return b[:size]
}

// A grey of 0.3 is not above the threshold 0.3 in any type: its float16 is above the float64.
func TestThresholdInTheTypeOfTheValues(t *testing.T) {
	third := tensorfile.HalfOf(0.3)
	dir := folder(t, map[string][]byte{"half.npy": npyFile([]tensorfile.Half{third, third + 1, third - 1, 0x3c00}, 2, 2)})
	s, err := NPY(Options{Path: filepath.Join(dir, "half.npy"), Binarize: threshold(0.3)})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "-+-+")
}

// npzFile returns an npz of the arrays, which are npy files after their names.
func npzFile(t testing.TB, entries ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i].(string) + ".npy", Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(entries[i+1].([]byte))
	}
	z.Close()
	return b.Bytes()
}

func TestNPZ(t *testing.T) {
	rows, other := npyFile([]uint8{1, 0, 0, 1}, 2, 2), npyFile([]uint8{0, 0}, 1, 2)
	labels := npyFile([]int64{4, 5}, 2)
	words := []byte("\x93NUMPY\x01\x00\x3c\x00{'descr': '|O', 'fortran_order': False, 'shape': (2,), }   \n00")
	dir := folder(t, map[string][]byte{
		"pair.npz":    npzFile(t, "x_train", rows, "y_train", labels, "x_test", other, "y_test", npyFile([]int32{7}, 1)),
		"short.npz":   npzFile(t, "train", rows, "test", other),
		"one.npz":     npzFile(t, "names", words, "spins", rows, "y", labels, "scale", npyFile([]float64{2}, 1)),
		"two.npz.gz":  gzipped(npzFile(t, "a", rows, "b", other, "kinds", labels)),
		"renamed":     npzFile(t, "spins", rows),
		"mislabelled": npzFile(t, "train", rows, "test", other, "train_labels", npyFile([]float64{1.5, 2}, 2), "test_labels", labels),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		file        string
		o           Options
		train, test string
		labels      []int32
	}{
		{"pair.npz", Options{}, "+--+", "--", []int32{4, 5}},
		{"pair.npz", Options{Split: "files"}, "+--+", "--", []int32{4, 5}},
		{"pair.npz", Options{Split: "all"}, "+--+", "", []int32{4, 5}},
		{"pair.npz", Options{Array: "x_test"}, "--", "", nil},
		{"pair.npz", Options{Array: "x_train", Labels: "y_train"}, "+--+", "", []int32{4, 5}},
		{"pair.npz", Options{TestPath: in("pair.npz")}, "+--+", "--", []int32{4, 5}},
		{"short.npz", Options{}, "+--+", "--", nil},
		{"one.npz", Options{}, "+--+", "", []int32{4, 5}},
		{"two.npz.gz", Options{Array: "a", Labels: "kinds"}, "+--+", "", []int32{4, 5}},
		{"renamed", Options{}, "+--+", "", nil},
		{"mislabelled", Options{}, "+--+", "--", nil}, // such as are no labels are none
	} {
		c.o.Path = in(c.file)
		s, err := NPY(c.o)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		check(t, s.Train, c.train, c.labels...)
		if (s.Test != nil) != (c.test != "") || s.Test != nil && signs(s.Test.Spins) != c.test {
			t.Errorf("%s, %+v: test %+v, want %s", c.file, c.o, s.Test, c.test)
		}
		if c.file == "pair.npz" && s.Test != nil && (len(s.Test.Labels) != 1 || s.Test.Labels[0] != 7) {
			t.Errorf("%s: labels of test %v", c.file, s.Test.Labels)
		}
	}
	if s, err := Read(in("pair.npz"), Options{}); err != nil || signs(s.Spins) != "+--+" {
		t.Errorf("the rows of one file: %v", err)
	}
}

// What every reader reads it reads gzipped too, under a name that ends in .gz and one that does not.
func TestGzippedFiles(t *testing.T) {
	for name, b := range map[string][]byte{
		"x.npy": npyFile([]int8{1, -1, -1, 1}, 2, 2), "x.npz": npzFile(t, "spins", npyFile([]int8{1, -1, -1, 1}, 2, 2)), "x.csv": []byte("1,0\n0,1\n"), "x.tsv": []byte("1\t0\n0\t1\n"),
		"x.txt": []byte("10\n01\n"), "x.idx": idxFile([]byte{1, 0, 0, 1}, 2, 2), "x-ubyte": idxFile([]byte{1, 0, 0, 1}, 2, 2), "x.dat": []byte("1 0\n0 1\n"), "x.bits": idxFile([]byte{1, 0, 0, 1}, 2, 2),
		"x.parquet": parquetFile(t, []struct {
			A, B int32
		}{{1, 0}, {0, 1}}),
	} {
		dir := folder(t, map[string][]byte{name: b, name + ".gz": gzipped(b), "plain/" + name: gzipped(b)})
		for _, file := range []string{name, name + ".gz", "plain/" + name} {
			s, err := Read(filepath.Join(dir, file), Options{})
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if got := signs(s.Spins); got != "+--+" {
				t.Errorf("%s: %s", file, got)
			}
		}
	}
}

func TestFolderOfTrainAndTest(t *testing.T) {
	black, white := pngFile(grey([]uint8{0, 0})), pngFile(grey([]uint8{255, 255}))
	dir := folder(t, map[string][]byte{
		"train/7/a.png": black, "train/9/b.png": white, "test/9/c.png": white, "val/7/d.png": black, ".git/x.png": black,
	})
	s, err := Images(Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "--++", 7, 9)
	check(t, s.Test, "++", 9)
	if n := s.Train.Notes; len(n) != 1 || n[0] != "the images in "+filepath.Join(dir, "val")+" are not read" {
		t.Errorf("notes %q", n)
	}
	for _, o := range []Options{{Split: "all"}, {TestPath: filepath.Join(dir, "val")}} {
		o.Path = dir
		s, err := Images(o)
		if err != nil || s.Train.Rows != 2 || (s.Test != nil) != (o.TestPath != "") {
			t.Errorf("%+v: %+v, %v", o, s, err)
		}
	}
	// As first versions read it: subfolders are labels. They are with a third one as well.
	flat := folder(t, map[string][]byte{"train/a.png": black, "test/b.png": white})
	if s, err = Images(Options{Path: flat, Former: true}); err != nil || s.Train.Rows != 2 || s.Test != nil {
		t.Errorf("formerly: %+v, %v", s, err)
	}
	three := folder(t, map[string][]byte{"train/a.png": black, "test/b.png": white, "plane/c.png": white})
	if s, err = Images(Options{Path: three}); err != nil || s.Train.Rows != 3 || s.Train.Classes[0] != "plane" {
		t.Errorf("three labels: %+v, %v", s, err)
	}
}

// Missing entries are found in every format that can have them: as spins 0 where they are taken.
func TestMissingEntries(t *testing.T) {
	nan := float32(nan())
	for name, b := range map[string][]byte{
		"x.npy": npyFile([]float32{1, nan, 0, 1}, 2, 2), "h.npy": npyFile([]tensorfile.Half{0x3c00, 0x7e00, 0, 0x3c00}, 2, 2), "e.csv": []byte("1,\n0,1\n"), "q.csv": []byte("1,?\n0,1\n"),
		"n.txt": []byte("1 nan\n0 1\n"), "w.txt": []byte("TRUE NA\nFALSE TRUE\n"), "s.txt": []byte("+-?\n-+-\n"), "x.parquet": parquetFile(t, []struct {
			A int32
			B *int32 `parquet:",optional"`
		}{{1, nil}, {0, func() *int32 { one := int32(1); return &one }()}}),
	} {
		dir := folder(t, map[string][]byte{name: b})
		path := filepath.Join(dir, name)
		kind, err := KindOf(path)
		if err != nil {
			t.Error(err)
			continue
		}
		source, _ := Named(kind)
		split, err := source.Load(Options{Path: path, Missing: Allow})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		missing := 0
		for _, s := range split.Train.Spins {
			if s == 0 {
				missing++
			}
		}
		if missing != 1 {
			t.Errorf("%s: %d missing entries in %v, want 1", name, missing, split.Train.Spins)
		}
		if _, err = source.Load(Options{Path: path}); err == nil || !strings.Contains(err.Error(), "a missing entry (") || !strings.Contains(err.Error(), "1, ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each wrong file of a new format is refused by a line that names file and place.
func TestWrongFormats(t *testing.T) {
	square := npyFile([]int8{1, -1, -1, 1}, 2, 2)
	zeros := npyFile(make([]uint8, 1<<20), 1<<10, 1<<10)
	dir := folder(t, map[string][]byte{
		"ragged.txt": []byte("1 0 1\n0 1\n"), "word.txt": []byte("1 0 1\n0 x 1\n"), "empty.txt": nil, "comment.txt": []byte("# nothing\n"), "long.txt": bytes.Repeat([]byte("1 "), 5<<20),
		"long.csv": bytes.Repeat([]byte("1,"), 5<<20), "bits.txt": []byte("0101\n011\n"), "mixed.txt": []byte("0101\n01+1\n"), "twos.txt": []byte("0101\n0121\n"), "measured.txt": []byte("3.2 -1.7\n0.1 4\n"),
		"trailing.csv": []byte("1,0,\n0,1,\n"), "cut.txt.gz": gzipped(bytes.Repeat([]byte("1 0 1\n"), 1000))[:30], "sum.csv.gz": func() []byte { z := gzipped([]byte("1,0\n0,1\n")); z[len(z)-6] ^= 1; return z }(),
		"nogzip.csv.gz": append([]byte{0x1f, 0x8b}, "1,0\n"...), "bomb.csv.gz": gzipped(bytes.Repeat(append(bytes.Repeat([]byte("#"), 1<<20), '\n'), 260)), // comments, which take no memory
		"huge.npy": []byte("\x93NUMPY\x02\x00\xff\xff\xff\x7f{'descr'"), "claim.npy.gz": gzipped([]byte("\x93NUMPY\x01\x00\x46\x00{'descr': '|i1', 'fortran_order': False, 'shape': (100000,100000), } \n01")),
		"complex.npy": []byte("\x93NUMPY\x01\x00\x3a\x00{'descr': '<c8', 'fortran_order': False, 'shape': (1,1), }\n00000000"), "cut.npy": square[:130],
		"two.npz": npzFile(t, "a", square, "b", square), "none.npz": npzFile(t), "flat.npz": npzFile(t, "a", npyFile([]int8{1, -1}, 2)), "objects.npz": npzFile(t, "a", []byte("\x93NUMPY\x01\x00\x39\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,1), }\n00")),
		"cut.npz": npzFile(t, "a", square)[:60], "words.npz": []byte("hello"), "labels.npz": npzFile(t, "x", square, "three", npyFile([]int8{1, 2, 3}, 3)), "inside.npz": npzFile(t, "a", square[:130]),
		"bomb.npz": npzFile(t, "x_train", npyFile(make([]uint8, 300<<20), 300, 1<<20), "x_test", zeros),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		from func(Options) (*Split, error)
		file string
		o    Options
		want []string
	}{
		{CSV, "ragged.txt", Options{}, []string{"line 2: 2 columns, where line 1 has 3"}},
		{CSV, "word.txt", Options{}, []string{`line 2, column 2: "x" is no number`}},
		{CSV, "empty.txt", Options{}, []string{in("empty.txt"), "no rows of values"}},
		{CSV, "comment.txt", Options{}, []string{"no rows of values"}},
		{CSV, "long.txt", Options{Delimiter: "whitespace"}, []string{"line 1: more than 8 MiB without an end"}},
		{CSV, "long.csv", Options{}, []string{"line 1: more than 8 MiB without an end"}},
		{CSV, "bits.txt", Options{}, []string{"line 2: 3 columns, where line 1 has 4"}},
		{CSV, "mixed.txt", Options{Delimiter: "none"}, []string{"line 2, column 3: '+' where the text begins with '0'"}},
		{CSV, "twos.txt", Options{Delimiter: "none"}, []string{"line 2, column 3: '2' is none of 0 and 1, or + and -"}},
		{CSV, "measured.txt", Options{}, []string{"line 1, column 1: the value 3.2 is neither of two", "values from -1.7 to 4", "cut each column where that has a meaning"}},
		{CSV, "trailing.csv", Options{}, []string{`line 1, column 3: a missing entry ("")`, "a delimiter at the end of a line begins another column"}},
		{CSV, "cut.txt.gz", Options{}, []string{in("cut.txt.gz"), " rows: the gzipped file is truncated"}},
		{CSV, "sum.csv.gz", Options{}, []string{"after 2 rows: the gzipped file is damaged: gzip: invalid checksum"}},
		{CSV, "nogzip.csv.gz", Options{}, []string{"gzip header: unexpected EOF"}},
		{CSV, "bomb.csv.gz", Options{}, []string{"a bomb: the file inflates to more than 128 times its size and 256 MiB"}},
		{CSV, "ragged.txt", Options{Delimiter: "blank"}, []string{`data.delimiter: "blank" is no delimiter, want one character, tab, whitespace`}},
		{NPY, "huge.npy", Options{}, []string{in("huge.npy"), "byte 8: the header has 2147483647 bytes, want at most 65536"}},
		{NPY, "claim.npy.gz", Options{}, []string{"truncated: the data of I8 [100000 100000] needs 10000000000 bytes, 2 are left"}},
		{NPY, "complex.npy", Options{}, []string{`the element type "<c8" is not supported`}},
		{NPY, "cut.npy", Options{}, []string{"truncated"}},
		{NPY, "cut.npy", Options{Array: "x"}, []string{"data.array: ", "an npy file of one array"}},
		{NPY, "two.npz", Options{}, []string{in("two.npz"), "name it by data.array, one of a (I8 [2 2]), b (I8 [2 2])"}},
		{NPY, "two.npz", Options{Array: "c"}, []string{`data.array: there is no "c" in ` + in("two.npz") + ", only a, b"}},
		{NPY, "none.npz", Options{}, []string{"an npz file without arrays"}},
		{NPY, "flat.npz", Options{}, []string{"one of a (I8 [2])"}},
		{NPY, "flat.npz", Options{Array: "a"}, []string{in("flat.npz") + "(a.npy): an array of shape [2], where [rows values]"}},
		{NPY, "objects.npz", Options{Array: "a"}, []string{in("objects.npz") + `(a.npy): byte 20: the element type "|O" is not supported`}},
		{NPY, "cut.npz", Options{}, []string{"no npz file: it does not end as a zip"}},
		{NPY, "words.npz", Options{}, []string{"5 bytes hold no zip"}},
		{NPY, "inside.npz", Options{Array: "a"}, []string{in("inside.npz") + "(a.npy)", "truncated"}},
		{NPY, "labels.npz", Options{Labels: "y"}, []string{`data.labels: there is no "y" in`, "only x, three"}},
		{NPY, "labels.npz", Options{Labels: "three"}, []string{"(three.npy): labels of shape [3], where 2 rows want [2]"}},
		{NPY, "bomb.npz", Options{}, []string{"(x_train.npy)", "a bomb: the file inflates to more than 128 times its size and 256 MiB"}},
		{reads(in("empty.txt")), "empty.txt", Options{}, []string{"no known kind of data"}},
		{reads(in("nogzip.csv.gz")), "", Options{}, []string{"gzip header"}},
	} {
		if c.o.Path = in(c.file); c.file == "" {
			c.o.Path = ""
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.from(c.o)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", c.file)
			continue
		}
		t.Logf("%s | %s", c.file, strings.ReplaceAll(err.Error(), dir+"/", ""))
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s:\n got %v\nwant %s", c.file, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", c.file, err)
		}
		// Of a bomb all that may be inflated is held: twice, while a slice grows, and the spins of it.
		if took := after.TotalAlloc - before.TotalAlloc; took > 2<<30 {
			t.Errorf("%s: took %d MiB", c.file, took>>20)
		}
	}
}

func FuzzNPZ(f *testing.F) {
	rows := npyFile([]uint8{1, 0, 0, 1}, 2, 2)
	f.Add(npzFile(f, "x_train", rows, "x_test", rows, "y_train", npyFile([]int64{4, 5}, 2)), "", "", true)
	f.Add(npzFile(f, "a", rows, "b", rows), "a", "", false)
	f.Add(npzFile(f, "a", rows, "y", npyFile([]int16{4, 5}, 2)), "a", "y", false)
	f.Fuzz(func(t *testing.T, file []byte, array, labels string, test bool) {
		npz, err := tensorfile.OpenNPZ(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		p := part{path: "x.npz", labels: labels}
		if test {
			p.stream = streamTest
		}
		if s, err := (Options{Array: array}).readArchive(&archive{npz, "x.npz"}, p); err == nil {
			wellFormed(t, s)
		}
	})
}
