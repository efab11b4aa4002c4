package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mattis/rng"
	"mattis/tensorfile"
)

// idxFile returns an IDX file of unsigned bytes.
func idxFile(values []byte, shape ...uint32) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, d := range shape {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, values...)
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func pngFile(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// grey returns an image of the given rows of grey values.
func grey(rows ...[]uint8) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, len(rows[0]), len(rows)))
	for y, row := range rows {
		for x, v := range row {
			img.SetGray(x, y, color.Gray{Y: v})
		}
	}
	return img
}

// npyFile returns an npy file.
func npyFile[E tensorfile.Element](data []E, shape ...int) []byte {
	var b bytes.Buffer
	if err := tensorfile.WriteNPY(&b, tensorfile.New("", data, shape...)); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// folder writes files, named by their paths, into a new folder.
func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func threshold(t float64) Binarize { return Binarize{Threshold: &t} }

// check fails unless s has the given spins, written as + and -, and labels.
func check(t *testing.T, s *Set, spins string, labels ...int32) {
	t.Helper()
	if got := signs(s.Spins); got != spins || !slices.Equal(s.Labels, labels) || s.Rows*s.Visible != len(spins) {
		t.Errorf("%s: %dx%d spins %s, labels %v, want %s, %v", s.Name, s.Rows, s.Visible, got, s.Labels, spins, labels)
	}
}

func TestIDX(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"a":      idxFile([]byte{0, 76, 77, 255, 3, 200}, 3, 1, 2),
		"a.gz":   gzipped(idxFile([]byte{0, 76, 77, 255, 3, 200}, 3, 1, 2)),
		"l":      idxFile([]byte{9, 0, 255}, 3),
		"zero":   idxFile([]byte{0, 1, 1, 0}, 2, 2),
		"test":   idxFile([]byte{255, 255}, 1, 1, 2),
		"testl":  idxFile([]byte{4}, 1),
		"narrow": idxFile([]byte{255}, 1, 1, 1),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "a.gz"} {
		s, err := IDX(Options{Path: in(name), Labels: in("l"), TestPath: in("test"), TestLabels: in("testl"), Binarize: threshold(0.3)})
		if err != nil {
			t.Fatal(err)
		}
		check(t, s.Train, "--++-+", 9, 0, 255) // 76/255 < 0.3 < 77/255
		check(t, s.Test, "++", 4)
		if s.Train.Height != 1 || s.Train.Width != 2 || s.Train.Name != "idx train" {
			t.Errorf("%+v", s.Train)
		}
	}
	s, err := IDX(Options{Path: in("zero"), Height: 2, Width: 1})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "-++-")
	if s.Train.Height != 2 || s.Test != nil {
		t.Errorf("%+v", s)
	}
	// 0/1 bytes are not 0..255 bytes, whatever the rule.
	if s, err = IDX(Options{Path: in("zero"), Binarize: threshold(0.3)}); err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "-++-")
}

func TestLimitAndValidation(t *testing.T) {
	const width = 5
	values, labels := make([]byte, 20*width), make([]byte, 20)
	for i := range labels {
		labels[i] = byte(i)
		for j := range width { // all rows differ
			values[i*width+j] = byte(i >> j & 1)
		}
	}
	is := func(s *Set, want ...int32) {
		t.Helper()
		if !slices.Equal(s.Labels, want) {
			t.Errorf("%s: labels %v, want %v", s.Name, s.Labels, want)
		}
		for r, l := range want {
			for j, x := range s.Row(r) {
				if x != int8(l>>j&1)*2-1 {
					t.Errorf("%s: row %d is %v with the label %d", s.Name, r, s.Row(r), l)
				}
			}
		}
	}
	dir := folder(t, map[string][]byte{"v": idxFile(values, 20, width), "l": idxFile(labels, 20)})
	o := Options{Path: filepath.Join(dir, "v"), Labels: filepath.Join(dir, "l"), Limit: 10, Validation: 3}
	s, err := IDX(o)
	if err != nil {
		t.Fatal(err)
	}
	is(s.Train, 0, 1, 2, 3, 4, 5, 6)
	is(s.Validation, 7, 8, 9)
	o.TestPath, o.TestLabels = o.Path, o.Labels
	if s, err = IDX(o); err != nil {
		t.Fatal(err)
	}
	is(s.Test, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if s.Copies("test") != 7 || s.Copies("validation") != 0 {
		t.Errorf("%d rows of test and %d of validation are in train", s.Copies("test"), s.Copies("validation"))
	}
	o.TestPath, o.TestLabels = "", ""
	o.Split, o.Test, o.Key = "random", 0.5, 1
	if s, err = IDX(o); err != nil {
		t.Fatal(err)
	}
	first := s.Test.Digest()
	o.Key = 2
	if again, err := IDX(o); err != nil || again.Test.Digest() == first {
		t.Errorf("another key gives the same split, or %v", err)
	}
	if s.Train.Rows != 2 || s.Validation.Rows != 3 || s.Test.Rows != 5 || s.Train.Name != "idx train" || s.Validation.Name != "idx validation" {
		t.Errorf("%s %d, %s %d, %s %d", s.Train.Name, s.Train.Rows, s.Validation.Name, s.Validation.Rows, s.Test.Name, s.Test.Rows)
	}
}

// No row that is validated or tested on has a copy in train, nor, where the split is closed, a negative: of 40 different rows and of a
// second half that repeats them, of negatives, and of one row that fills half of the file. A cut at the last rows has 40 of 40 copies in train. Rows that
// all differ are split as before, bit for bit.
func TestSplitsKeepCopiesTogether(t *testing.T) {
	const visible, different = 12, 40
	set := func(row func(i int) (code int, sign int8)) *Set {
		s := &Set{Name: "x", Rows: 2 * different, Visible: visible, Spins: make([]int8, 2*different*visible)}
		for i := range s.Rows {
			code, sign := row(i)
			for j := range visible {
				s.Row(i)[j] = sign * (int8(code>>j&1)*2 - 1)
			}
		}
		return s
	}
	twice := set(func(i int) (int, int8) { return 7 * (i % different), 1 })
	turned := set(func(i int) (int, int8) { return 7 * (i % different), int8(1 - 2*(i/different)) })
	crowd := set(func(i int) (int, int8) { return 7 * max(0, i-different), 1 }) // row 0 is there 41 times
	leaks := func(s *Split, name string, closed bool) (n int) {
		for r := range s.Set(name).Rows {
			row := s.Set(name).Row(r)
			if has(s.Train, row) || closed && has(s.Train, negative(row)) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name       string
		s          *Set
		o          Options
		validation int // rows
	}{
		{"copies", twice, Options{Validation: 40}, 40},
		{"an odd number", twice, Options{Validation: 39}, 40}, // as near as 38, and taken first
		{"copies, random", twice, Options{Split: "random", Validation: 20, Key: 3}, 20},
		{"negatives", turned, Options{Validation: 40, Closed: true}, 40},
		{"negatives, random", turned, Options{Split: "random", Validation: 20, Closed: true, Key: 3}, 20},
		{"a crowd", crowd, Options{Validation: 30}, 30},
		{"a crowd, random", crowd, Options{Split: "random", Test: 0.25, Key: 1}, 0},
	} {
		s, err := c.o.splitFiles(c.s, nil)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rows := s.Train.Rows
		for _, name := range []string{"validation", "test"} {
			if s.Set(name) == nil {
				continue
			}
			rows += s.Set(name).Rows
			if n := leaks(s, name, c.o.Closed); n > 0 || s.Copies(name) > 0 {
				t.Errorf("%s: %d of %d rows of %s leak, %d are copies", c.name, n, s.Set(name).Rows, name, s.Copies(name))
			}
		}
		if rows != c.s.Rows || c.validation > 0 && s.Validation.Rows != c.validation {
			t.Errorf("%s: %d rows in all, %+v", c.name, rows, s.Validation)
		}
		c.o.Former = true
		if s, err = c.o.splitFiles(c.s, nil); err != nil {
			t.Errorf("%s, formerly: %v", c.name, err)
		} else if c.validation == 40 && leaks(s, "validation", c.o.Closed) < 39 || c.validation == 0 && s.Copies("test") == 0 {
			t.Errorf("%s: nothing leaked before, so nothing is tested", c.name)
		}
	}
	distinct := set(func(i int) (int, int8) { return 7 * i, 1 })
	for _, o := range []Options{{Validation: 17}, {Split: "random", Key: 3}, {Split: "random", Key: 5, Validation: 9}} {
		s, err := o.splitFiles(distinct, nil)
		o.Former = true
		before, errBefore := o.splitFiles(distinct, nil)
		if err != nil || errBefore != nil {
			t.Fatal(err, errBefore)
		}
		for _, name := range Sets {
			if x := s.Set(name); x != nil && x.Digest() != before.Set(name).Digest() {
				t.Errorf("%+v: the %s set of rows that all differ has changed", o, name)
			}
		}
	}
}

func TestNPY(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"signs.npy":  npyFile([]int8{1, -1, -1, 1}, 2, 2),
		"bool.npy":   npyFile([]bool{true, false, false, true}, 2, 1, 2),
		"float.npy":  npyFile([]float32{0.3, 0.5, 1, 0}, 2, 2),
		"above.npy":  npyFile([]float32{0.30000004, 0.3, 1, 0}, 2, 2),
		"white.npy":  npyFile([]float32{76.5, 76.50001, 0, 255}, 2, 2),
		"double.npy": npyFile([]float64{0.3, 0.30000001, 1, 0}, 2, 2),
		"bytes.npy":  npyFile([]uint8{0, 76, 77, 255}, 2, 2),
		"black.npy":  npyFile([]uint8{0, 255, 255, 0}, 2, 2),
		"wide.npy":   npyFile([]int64{0, 100, 255, 30}, 2, 2),
		"labels.npy": npyFile([]int64{-3, 7}, 2),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		file  string
		o     Options
		spins string
	}{
		{"signs.npy", Options{}, "+--+"},
		{"bool.npy", Options{}, "+--+"},
		{"float.npy", Options{Binarize: threshold(0.4)}, "-++-"},
		{"float.npy", Options{Binarize: threshold(0.3)}, "-++-"}, // the float32 of 0.3 is 0.300000012
		{"float.npy", Options{Binarize: threshold(0.3), Former: true}, "+++-"},
		{"above.npy", Options{Binarize: threshold(0.3)}, "+-+-"},
		{"white.npy", Options{Binarize: threshold(0.3), White: 255}, "-+-+"},
		{"double.npy", Options{Binarize: threshold(0.3)}, "-++-"},
		{"bytes.npy", Options{Binarize: threshold(0.3)}, "--++"},
		{"black.npy", Options{}, "-++-"},
		{"wide.npy", Options{Binarize: threshold(0.3), White: 255}, "-++-"},
	} {
		c.o.Path, c.o.Labels = in(c.file), in("labels.npy")
		s, err := NPY(c.o)
		if err != nil {
			t.Error(err)
			continue
		}
		check(t, s.Train, c.spins, -3, 7)
	}
}

func TestCSV(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"plain.csv":  []byte("1,0, 1\n\n0,1,0\n"),
		"tab.tsv":    []byte("1\t0\t1\r\n0\t1\t0\r\n"),
		"space.csv":  []byte("1 0 1\n0 1 0"),
		"named.csv":  []byte("\ufeffa,\"the, kind\",b,c\n1,cat,0,1\n  \n0,\"an \"\"ant\"\"\",1,0\n"),
		"test.csv":   []byte("a,\"the, kind\",b,c\n1,bee,1,1\n"),
		"marked.csv": []byte("\ufeffkind,a,b,c\n5,1,0,1\n3,0,1,0\n"), // a byte-order mark
		"number.csv": []byte("5,1,0,1\n3.0,0,1,0\n"),
		"signs.csv":  []byte("1,-1,1\n-1,1,-1\n"),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		file   string
		o      Options
		labels []int32
	}{
		{"plain.csv", Options{}, nil},
		{"tab.tsv", Options{}, nil},
		{"tab.tsv", Options{Delimiter: "tab"}, nil},
		{"space.csv", Options{Delimiter: " "}, nil},
		{"named.csv", Options{Header: true, Labels: "the, kind"}, []int32{1, 0}},
		{"named.csv", Options{Header: true, Labels: "2", Height: 3, Width: 1}, []int32{1, 0}},
		{"marked.csv", Options{Header: true, Labels: "kind"}, []int32{5, 3}},
		{"number.csv", Options{Labels: "1"}, []int32{5, 3}},
		{"signs.csv", Options{}, nil},
	} {
		c.o.Path = in(c.file)
		s, err := CSV(c.o)
		if err != nil {
			t.Error(err)
			continue
		}
		check(t, s.Train, "+-+-+-", c.labels...)
	}
	s, err := CSV(Options{Path: in("named.csv"), TestPath: in("test.csv"), Header: true, Labels: "the, kind"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "+-+-+-", 2, 0) // numbered with the words of both files
	check(t, s.Test, "+++", 1)
	if want := []string{`an "ant"`, "bee", "cat"}; !slices.Equal(s.Train.Classes, want) || !slices.Equal(s.Test.Classes, want) {
		t.Errorf("classes %q, want %q", s.Train.Classes, want)
	}
}

func TestImages(t *testing.T) {
	colour := image.NewNRGBA(image.Rect(5, 5, 7, 6)) // bounds that do not start at 0
	colour.SetNRGBA(5, 5, color.NRGBA{G: 255, A: 255})
	colour.SetNRGBA(6, 5, color.NRGBA{A: 100}) // black, nearly transparent: 155/255 on white
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, grey([]uint8{250, 10}), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string][]byte{
		"2.png":       pngFile(grey([]uint8{0, 255})),
		"10.PNG":      pngFile(colour),
		"3.jpg":       photo.Bytes(),
		"notes.txt":   []byte("left alone"),
		".hidden.png": []byte("left alone"),
	})
	s, err := Images(Options{Path: dir, Binarize: threshold(0.5)})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "++-++-") // 10, 2, 3
	if want := "1 of 3 images have transparent pixels, which lie on white (the first: " + filepath.Join(dir, "10.PNG") + ")"; len(s.Train.Notes) != 1 || s.Train.Notes[0] != want {
		t.Errorf("notes %q, want %q", s.Train.Notes, want)
	}
	if s, err := Images(Options{Path: dir, Binarize: threshold(0.62)}); err != nil || s.Train.Spins[1] != -1 { // 0.61 is not above it
		t.Errorf("a nearly transparent black pixel on white: %v", err)
	}
	if s.Train.Height != 1 || s.Train.Width != 2 {
		t.Errorf("images of %dx%d", s.Train.Height, s.Train.Width)
	}
	labelled := folder(t, map[string][]byte{
		"7/a.png": pngFile(grey([]uint8{0, 255})),
		"7/b.png": pngFile(grey([]uint8{255, 255})),
		"1/c.png": pngFile(grey([]uint8{0, 0})),
	})
	if s, err = Images(Options{Path: labelled}); err != nil {
		t.Fatal(err)
	}
	check(t, s.Train, "---+++", 1, 7, 7)
	one, err := Read(filepath.Join(labelled, "7", "a.png"), Options{Height: 1, Width: 2, Labels: "elsewhere", Header: true})
	if err != nil {
		t.Fatal(err)
	}
	check(t, one, "-+")
}

func TestStochasticBinarisation(t *testing.T) {
	const rows, visible = 500, 8
	values := make([]byte, rows*visible)
	for i := range values {
		values[i] = []byte{0, 51, 102, 128, 204, 230, 254, 255}[i%visible]
	}
	dir := folder(t, map[string][]byte{"v": idxFile(values, rows, visible)})
	o := Options{Path: filepath.Join(dir, "v"), TestPath: filepath.Join(dir, "v"), Binarize: Binarize{Stochastic: true}, Key: 11}
	s, err := IDX(o)
	if err != nil {
		t.Fatal(err)
	}
	var up [visible]int
	for i, spin := range s.Train.Spins {
		if spin == 1 {
			up[i%visible]++
		}
		// The number is the one of the place: row of the file, spin.
		grey := float64(values[i]) / 255
		if want := float64(o.Key.Fold(streamTrain).Uniform(uint64(i/visible), uint64(i%visible))) < grey; want != (spin == 1) {
			t.Fatalf("spin %d is %d", i, spin)
		}
	}
	for j, n := range up {
		p := float64(values[j]) / 255
		// five standard deviations, at most sqrt(500)/2 each
		if d := float64(n) - rows*p; d > 56 || d < -56 || p == 0 && n > 0 || p == 1 && n < rows {
			t.Errorf("grey %v became +1 in %d of %d rows", p, n, rows)
		}
	}
	if s.Test.Digest() == s.Train.Digest() {
		t.Error("training and test file share their random numbers")
	}
	o.Limit, o.TestPath, o.Split = 100, "", "random"
	few, err := IDX(o)
	if err != nil {
		t.Fatal(err)
	}
	if !has(s.Train, few.Train.Row(0)) || !slices.Equal(few.Train.Row(few.Train.Rows-1), s.Train.Row(99)) && !slices.Equal(few.Test.Row(few.Test.Rows-1), s.Train.Row(99)) {
		t.Error("a limit or a split changes the spins of a row")
	}
}

// A stochastic spin depends on its place, not on the kind of file, nor on a
// column of labels before it.
func TestStochasticAlikeInAllReaders(t *testing.T) {
	const rows, visible = 20, 6
	values := make([]byte, rows*visible)
	floats := make([]float64, len(values))
	var plain, labelled strings.Builder
	for i := range values {
		values[i] = byte(40 + 30*(i%visible))
		floats[i] = float64(values[i])
		end := map[bool]string{true: "\n", false: ","}[i%visible == visible-1]
		if i%visible == 0 {
			labelled.WriteString("9,")
		}
		fmt.Fprint(&plain, values[i], end)
		fmt.Fprint(&labelled, values[i], end)
	}
	dir := folder(t, map[string][]byte{
		"v.idx":      idxFile(values, rows, visible),
		"v.npy":      npyFile(values, rows, visible),
		"f.npy":      npyFile(floats, rows, visible),
		"v.csv":      []byte(plain.String()),
		"labels.csv": []byte(labelled.String()),
	})
	want := ""
	for _, name := range []string{"v.idx", "v.npy", "f.npy", "v.csv", "labels.csv"} {
		o := Options{Binarize: Binarize{Stochastic: true}, White: 255, Key: 3}
		if name == "labels.csv" {
			o.Labels = "1"
		}
		s, err := Read(filepath.Join(dir, name), o)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = signs(s.Spins)
		}
		if got := signs(s.Spins); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// Each wrong input is refused by a line that names file, field or value, and
// place.
func TestWrongInputs(t *testing.T) {
	huge := pngFile(grey([]uint8{0, 255}))
	binary.BigEndian.PutUint32(huge[16:], 1<<20) // the width in IHDR, 8 bytes of signature and 8 of chunk head before it
	binary.BigEndian.PutUint32(huge[20:], 1<<10)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	var moving bytes.Buffer
	if err := gif.Encode(&moving, grey([]uint8{0, 255}), nil); err != nil {
		t.Fatal(err)
	}
	good := idxFile([]byte{0, 1, 1, 0}, 2, 1, 2)
	bars := pngFile(grey([]uint8{0, 255}))
	files := map[string][]byte{
		"good":             good,
		"empty":            nil,
		"magic":            append([]byte{0, 0, 0x0d, 3}, good[4:]...),
		"rank":             idxFile([]byte{1, 2}, 2),
		"header":           good[:9],
		"truncated":        good[:len(good)-1],
		"trailing":         append(slices.Clone(good), 7),
		"nothing":          idxFile(nil, 0, 28, 28),
		"overflow":         idxFile(nil, 1<<31-1, 1<<31-1, 1<<31-1),
		"claim.gz":         gzipped(idxFile([]byte{1}, 1000, 28, 28)),
		"trailing.gz":      gzipped(append(slices.Clone(good), 7)),
		"cut.gz":           gzipped(good)[:20],
		"crc.gz":           func() []byte { z := gzipped(good); z[len(z)-6] ^= 1; return z }(),
		"garbage.gz":       append(gzipped(good), "more"...),
		"labels3":          idxFile([]byte{1, 2, 3}, 3),
		"grey":             idxFile([]byte{0, 7, 255, 0}, 2, 1, 2),
		"wide":             idxFile([]byte{0, 1, 1}, 1, 1, 3),
		"same":             idxFile([]byte{0, 1, 0, 1}, 2, 2),
		"grey.npy":         npyFile([]float32{0, 1, 0.5, 1}, 2, 2),
		"mixed.npy":        npyFile([]int8{-1, 1, 0, 1}, 2, 2),
		"big.npy":          npyFile([]float32{0, 1, 130, 1}, 2, 2),
		"signs.npy":        npyFile([]int8{-1, 1, -1, 1}, 2, 2),
		"nan.npy":          npyFile([]float64{0, 1, nan(), 1}, 2, 2),
		"flat.npy":         npyFile([]int8{-1, 1}, 2),
		"none.npy":         npyFile([]int8{}, 0, 4),
		"cut.npy":          npyFile([]int8{-1, 1, -1, 1}, 2, 2)[:130],
		"part.npy":         npyFile([]float64{0.5, 1}, 2),
		"bad.csv":          []byte("1,0\n0,x\n"),
		"class.csv":        []byte("1,low\n0,high\n"),
		"semi.csv":         []byte("1;0\n0;1\n"),
		"names.csv":        []byte("a,b\n0,1\n"),
		"short.csv":        []byte("1,0\n\n0\n"),
		"long.csv":         []byte("1,0\n0,1,1\n"),
		"quote.csv":        []byte("1,0\n0,\"1\n"),
		"grey.csv":         []byte("h,k\n0,1\n1,0.5\n"),
		"gap.csv":          []byte("1,0\n,1\n"),
		"classes.csv":      []byte("0,1,a\n2,0,b\n3,5,c\n"),
		"scaled.csv":       []byte("0.5,0.1\n-1.25,1.5\n"),
		"classes.npy":      npyFile([]int16{0, 1, 2, 7}, 2, 2),
		"utf16le.csv":      append([]byte{0xff, 0xfe}, "1\x00,\x000\x00\n\x00"...),
		"utf16be.csv":      append([]byte{0xfe, 0xff}, "\x001\x00,\x000\x00\n"...),
		"utf16.csv":        []byte("1\x00,\x000\x00\n\x00"),
		"blank.csv":        []byte("\n \n"),
		"label.csv":        []byte("1,0\n1,\n"),
		"inf.csv":          []byte("1,0\n1,inf\n"),
		"one.csv":          []byte("1\n0\n"),
		"sizes/a.png":      bars,
		"sizes/b.png":      pngFile(grey([]uint8{0}, []uint8{255})),
		"huge/a.png":       huge,
		"both/a.png":       bars,
		"both/x/b.png":     bars,
		"cutpng/a.png":     bars[:len(bars)-20],
		"trailpng/a.png":   append(slices.Clone(bars), 1, 2),
		"text/a.png":       []byte("hello"),
		"gif/a.png":        moving.Bytes(),
		"greyimg/a.png":    pngFile(grey([]uint8{0, 128})),
		"noimages/a.txt":   []byte("hello"),
		"kind.xyz":         []byte("hello"),
		"small/mask.png":   bars,
		"array.npy":        npyFile([]bool{true, false, true}, 3),
		"signs3.npy":       npyFile([]int8{-1, 1, -1, 1, 1, 1}, 2, 3),
		"partlabels.npy":   npyFile([]float64{1, 1.5}, 2),
		"two.npz":          nil,
		"lonely/train.png": nil,
	}
	delete(files, "two.npz")
	delete(files, "lonely/train.png")
	dir := folder(t, files)
	in := func(name string) string { return filepath.Join(dir, name) }
	type source = func(Options) (*Split, error)
	one := func(name string) Options { return Options{Path: in(name)} }
	read := func(o Options) (*Split, error) { s, err := Read(o.Path, o); return &Split{Train: s}, err }
	with := func(o Options, change func(o *Options)) Options { change(&o); return o }
	for _, c := range []struct {
		name string
		from source
		o    Options
		want []string
	}{
		{"bars, size 1", Bars, Options{Size: 1}, []string{"data.size: 1", "2 to 16"}},
		{"bas, size 17", BAS, Options{Size: 17}, []string{"data.size: 17", "2 to 16"}},
		{"bars 5x5, paper's split", Bars, Options{Size: 5, Split: "paper"}, []string{"data.split", "size 4, not 5"}},
		{"bars, unknown split", Bars, Options{Split: "half"}, []string{`data.split: "half"`, "paper, random, all"}},
		{"bars, a path", Bars, Options{Path: "x"}, []string{"data.path has no meaning for bars"}},
		{"bars, test 1.5", Bars, Options{Split: "random", Test: 1.5}, []string{"data.test: 1.5", "(0,1)"}},
		{"bars 2x2, closed", Bars, Options{Size: 2}, []string{"bars 2x2", "leaves one side empty"}},

		{"csv, UTF-16 with a mark", CSV, one("utf16le.csv"), []string{in("utf16le.csv"), "the text is in UTF-16: save it as UTF-8"}},
		{"csv, UTF-16, big end first", CSV, one("utf16be.csv"), []string{"the text is in UTF-16: save it as UTF-8"}},
		{"csv, UTF-16 without a mark", CSV, one("utf16.csv"), []string{"the text is in UTF-16: save it as UTF-8"}},
		{"csv, classes", CSV, with(one("classes.csv"), func(o *Options) { o.Labels = "3" }), []string{"line 2, column 1: the value 2 is neither of two (0/1 or -1/+1), and there are values from 0 to 5: ", "if they are greys, set data.white to that of white, such as 5, and data.binarize; if they are classes"}},
		{"csv, scaled", CSV, one("scaled.csv"), []string{"line 1, column 1: the value 0.5 is neither of two (0/1 or -1/+1), and there are values from -1.25 to 1.5: measurements and no spins: cut each column"}},
		{"npy, classes", NPY, one("classes.npy"), []string{"row 2, value 1: the value 2 is neither of two (0/1 or -1/+1), and there are values from 2 to 7: if they are greys, set data.white"}},
		{"read csv, width before values", read, with(one("classes.csv"), func(o *Options) { o.Widths, o.Labels = []int{4, 5}, "3" }), []string{in("classes.csv"), "rows of 2 values, where [4 5] are wanted"}},
		{"read npy, width before values", read, with(one("grey.npy"), func(o *Options) { o.Widths = []int{3} }), []string{in("grey.npy"), "rows of 2 values, where [3] are wanted"}},
		{"read npy, shape before values", read, with(one("grey.npy"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{in("grey.npy"), "rows of 2 values are no images of data.height 2 x data.width 2"}},
		{"read image, shape before values", read, with(one("greyimg/a.png"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{"images of 1x2 pixels, where data.height and data.width say 2x2"}},
		{"read idx, shape before values", func(o Options) (*Split, error) { s, err := readAs("idx", o.Path, o); return &Split{Train: s}, err }, with(one("grey"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{in("grey") + ": images of 1x2 pixels"}},

		{"idx, no path", IDX, Options{}, []string{"data.path: no file to read idx from"}},
		{"idx, absent file", IDX, one("absent"), []string{in("absent"), "no such file"}},
		{"idx, a folder", IDX, one("sizes"), []string{in("sizes"), "is a folder, want a file"}},
		{"idx, empty", IDX, one("empty"), []string{in("empty"), "offset 0: the file ends, short of the 4"}},
		{"idx, float type", IDX, one("magic"), []string{in("magic"), "offset 0: magic number 00 00 0d 03", "00 00 08 02 or 00 00 08 03"}},
		{"idx, labels as images", IDX, one("rank"), []string{"magic number 00 00 08 01"}},
		{"idx, cut header", IDX, one("header"), []string{"offset 9: the file ends, short of the 16 of its header"}},
		{"idx, truncated", IDX, one("truncated"), []string{"offset 19: the file ends, short of the 20 that its shape [2 1 2]"}},
		{"idx, trailing byte", IDX, one("trailing"), []string{"offset 20: more bytes follow the 20"}},
		{"idx, no rows", IDX, one("nothing"), []string{"offset 4: dimension 1 is 0"}},
		{"idx, sizes overflow", IDX, one("overflow"), []string{"offset 8: dimension 2", "less than 2^31"}},
		{"idx.gz, claims more", IDX, one("claim.gz"), []string{"offset 17: the file ends, short of the 784016"}},
		{"idx.gz, trailing byte", IDX, one("trailing.gz"), []string{"offset 20: more bytes follow"}},
		{"idx.gz, truncated", IDX, one("cut.gz"), []string{in("cut.gz"), "the file ends"}},
		{"idx.gz, wrong CRC", IDX, one("crc.gz"), []string{"offset 20: gzip: invalid checksum"}},
		{"idx.gz, bytes after gzip", IDX, one("garbage.gz"), []string{"offset 20"}},
		{"idx, 3 labels of 2 rows", IDX, with(one("good"), func(o *Options) { o.Labels = in("labels3") }), []string{in("labels3"), "3 labels", in("good") + " has 2 rows"}},
		{"idx, greys without a rule", IDX, one("grey"), []string{"offset 17 (row 1, value 2): the value 7", "set data.binarize"}},
		{"idx, test of other shape", IDX, with(one("good"), func(o *Options) { o.TestPath = in("wide") }), []string{in("wide"), "1x3 pixels", in("good"), "1x2 pixels"}},
		{"idx, wrong height", IDX, with(one("good"), func(o *Options) { o.Height, o.Width = 2, 2 }), []string{in("good"), "1x2 pixels", "2x2"}},
		{"idx, files without a test file", IDX, with(one("good"), func(o *Options) { o.Split = "files" }), []string{"data.split: files needs", "data.test_path"}},
		{"idx, random with a test file", IDX, with(one("good"), func(o *Options) { o.Split, o.TestPath = "random", in("good") }), []string{"data.split: random, where there is a test file"}},
		{"idx, the paper's split", IDX, with(one("good"), func(o *Options) { o.Split = "paper" }), []string{`data.split: "paper" is none of files, random, all`}},
		{"idx, validation of all rows", IDX, with(one("good"), func(o *Options) { o.Validation = 2 }), []string{"data.validation: 2 rows cannot be taken from 2"}},
		{"idx, validation of copies", IDX, with(one("same"), func(o *Options) { o.Validation = 1 }), []string{"data.validation: 1 rows cannot be taken from 2 rows of training: equal ones stay together, and there are 1 different"}},
		{"idx, random of copies", IDX, with(one("same"), func(o *Options) { o.Split = "random" }), []string{"data.test: a fraction of 0.2 of 2 rows"}},
		{"idx, a share of nothing", IDX, with(one("good"), func(o *Options) { o.Test = 0.3 }), []string{"data.test: 0.3 has no meaning for data.split all", "take random"}},
		{"idx, a share of files", IDX, with(one("good"), func(o *Options) { o.Test, o.TestPath = 0.3, in("good") }), []string{"data.test: 0.3 has no meaning for data.split files"}},
		{"idx, closed without a split", IDX, with(one("good"), func(o *Options) { o.Closed = true }), []string{"data.closed: it has no meaning for data.split all without data.validation"}},
		{"bars, a share of the paper's split", Bars, Options{Test: 0.3}, []string{"data.test: 0.3 has no meaning for data.split paper"}},
		{"bars, a share of all", Bars, Options{Split: "all", Test: 0.3}, []string{"data.test: 0.3 has no meaning for data.split all"}},
		{"bas, closed where all are taken", BAS, Options{Split: "all", Closed: true}, []string{"data.closed: it has no meaning for data.split all"}},
		{"idx, negative limit", IDX, with(one("good"), func(o *Options) { o.Limit = -1 }), []string{"data.limit: -1"}},
		{"idx, a header", IDX, with(one("good"), func(o *Options) { o.Header = true }), []string{"data.header has no meaning for idx"}},
		{"threshold 1", IDX, with(one("good"), func(o *Options) { o.Binarize = threshold(1) }), []string{"data.binarize.threshold: 1 is not in [0,1)"}},
		{"threshold and stochastic", IDX, with(one("good"), func(o *Options) { o.Binarize = threshold(0); o.Binarize.Stochastic = true }), []string{"data.binarize", "set one"}},

		{"mnist, empty folder", MNIST, Options{Dir: in("noimages")}, []string{"data.dir: no mnist in " + in("noimages"), "train-images-idx3-ubyte"}},
		{"mnist, random split", MNIST, Options{Dir: in("noimages"), Split: "random"}, []string{`data.split: "random"`, "files"}},

		{"npy, greys without a rule", NPY, one("grey.npy"), []string{in("grey.npy"), "row 2, value 1: the value 0.5", "set data.binarize"}},
		{"npy, 0 and -1", NPY, one("mixed.npy"), []string{"row 2, value 1: the value 0 in data that hold both"}},
		{"npy, above 1", NPY, with(one("big.npy"), func(o *Options) { o.Binarize = threshold(0.3) }), []string{"row 2, value 1: the value 130", "data.white to 255"}},
		{"npy, spins with a rule", NPY, with(one("signs.npy"), func(o *Options) { o.Binarize = threshold(0.3) }), []string{"the value -1", "leave data.binarize out"}},
		{"npy, NaN", NPY, with(one("nan.npy"), func(o *Options) { o.Binarize = threshold(0.3) }), []string{"row 2, value 1: a missing entry (NaN): data.missing=allow takes rows with gaps"}},
		{"npy, one dimension", NPY, one("flat.npy"), []string{in("flat.npy"), "shape [2]", "[rows values]"}},
		{"npy, no rows", NPY, one("none.npy"), []string{in("none.npy"), "holds nothing"}},
		{"npy, truncated", NPY, one("cut.npy"), []string{in("cut.npy"), "truncated"}},
		{"npy, an idx file", NPY, one("good"), []string{in("good"), "no npy file: it begins with"}},
		{"npy, labels of wrong shape", NPY, with(one("signs.npy"), func(o *Options) { o.Labels = in("array.npy") }), []string{in("array.npy"), "shape [3]", "want [2]"}},
		{"npy, labels not integers", NPY, with(one("signs.npy"), func(o *Options) { o.Labels = in("partlabels.npy") }), []string{"label 2 is 1.5"}},
		{"npy, wrong width", NPY, with(one("signs.npy"), func(o *Options) { o.Height, o.Width = 2, 3 }), []string{"2 values", "data.height 2 x data.width 3"}},
		{"npy, height alone", NPY, with(one("signs.npy"), func(o *Options) { o.Height = 2 }), []string{"data.height 2, data.width 0"}},
		{"white -1", NPY, with(one("signs.npy"), func(o *Options) { o.White = -1 }), []string{"data.white: -1"}},

		{"csv, a word", CSV, one("bad.csv"), []string{in("bad.csv"), `line 2, column 2: "x" is no number`}},
		{"csv, names without header", CSV, one("names.csv"), []string{`line 1, column 1: "a" is no number; set data.header`}},
		{"csv, a short line", CSV, one("short.csv"), []string{"line 3: 1 columns, where line 1 has 2"}},
		{"csv, a long line", CSV, one("long.csv"), []string{"line 2: 3 columns, where line 1 has 2"}},
		{"csv, an open quote", CSV, one("quote.csv"), []string{in("quote.csv"), "line 2, byte", "quote"}},
		{"csv, greys without a rule", CSV, with(one("grey.csv"), func(o *Options) { o.Header = true }), []string{"line 3, column 2 (k): the value 0.5"}},
		{"csv, an empty field", CSV, one("gap.csv"), []string{`line 2, column 1: a missing entry (""): data.missing=allow takes rows with gaps`}},
		{"csv, blank lines alone", CSV, one("blank.csv"), []string{in("blank.csv"), "no rows"}},
		{"csv, no label", CSV, with(one("label.csv"), func(o *Options) { o.Labels = "2" }), []string{"line 2, column 2: no label"}},
		{"csv, label column 9", CSV, with(one("bad.csv"), func(o *Options) { o.Labels = "9" }), []string{"data.labels: no column 9", "1 to 2"}},
		{"csv, label column by absent name", CSV, with(one("names.csv"), func(o *Options) { o.Labels, o.Header = "kind", true }), []string{`data.labels: no column is called "kind"`}},
		{"csv, labels not named", CSV, one("class.csv"), []string{`"low" is no number; set data.labels to 2 if`}},
		{"csv, another delimiter", CSV, one("semi.csv"), []string{`"1;0" is no number; set data.delimiter to ";"`}},
		{"csv, label name without header", CSV, with(one("bad.csv"), func(o *Options) { o.Labels = "kind" }), []string{`data.labels: "kind"`, "data.header"}},
		{"csv, labels alone", CSV, with(one("one.csv"), func(o *Options) { o.Labels = "1" }), []string{"no column of values"}},
		{"csv, infinity", CSV, one("inf.csv"), []string{"line 2, column 2: the value +Inf is not finite"}},
		{"csv, delimiter of two characters", CSV, with(one("bad.csv"), func(o *Options) { o.Delimiter = "::" }), []string{`data.delimiter: "::"`}},

		{"images, two sizes", Images, one("sizes"), []string{in("sizes/b.png"), "2 pixels high, 1 wide, where 1 and 2", in("sizes/a.png")}},
		{"images, a claim of 2^30 pixels", Images, one("huge"), []string{in("huge/a.png"), "1024 pixels high, 1048576 wide", "1048576 pixels"}},
		{"images, here and in subfolders", Images, one("both"), []string{in("both"), "in subfolders"}},
		{"images, truncated", Images, one("cutpng"), []string{in("cutpng/a.png"), "damaged png image"}},
		{"images, trailing bytes", Images, one("trailpng"), []string{in("trailpng/a.png"), "2 bytes follow the end"}},
		{"images, a text", Images, one("text"), []string{in("text/a.png"), "no PNG or JPEG image"}},
		{"images, a GIF", Images, one("gif"), []string{in("gif/a.png"), "PNG or JPEG"}},
		{"images, greys without a rule", Images, one("greyimg"), []string{in("greyimg/a.png"), "pixel row 1, column 2: the value 0.50", "set data.binarize"}},
		{"images, none", Images, one("noimages"), []string{in("noimages"), "no .png"}},
		{"images, a file", Images, one("good"), []string{in("good"), "not a folder of images"}},

		{"read, unknown kind", reads(in("kind.xyz")), Options{}, []string{in("kind.xyz"), "no known kind of data: .npy, .npz, .csv"}},
		{"read, absent", reads(in("absent")), Options{}, []string{in("absent"), "no such file"}},
		{"read, image of other size", reads(in("sizes/b.png")), Options{Height: 1, Width: 2}, []string{in("sizes/b.png"), "2x1 pixels"}},

		{"known rows:0-1", masks("rows:0-1"), Options{}, []string{"rows:0-1", "numbered 1 to 4", "rows:1-2"}},
		{"known rows:3-2", masks("rows:3-2"), Options{}, []string{"rows:3-2"}},
		{"known spins:1-99", masks("spins:1-99"), Options{}, []string{"numbered 1 to 16"}},
		{"known, nonsense", masks("top"), Options{}, []string{`"top" names no known spins`}},
		{"known, image of other size", masks(in("small/mask.png")), Options{}, []string{in("small/mask.png"), "where 4 and 4 are wanted"}},
		{"known, array of other size", masks(in("array.npy")), Options{}, []string{in("array.npy"), "shape [3]", "[16] or [4 4]"}},
	} {
		_, err := c.from(c.o)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		t.Logf("%s | %s", c.name, strings.ReplaceAll(err.Error(), dir+"/", ""))
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s:\n got %v\nwant %s", c.name, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", c.name, err)
		}
	}
}

func nan() float64 {
	zero := 0.0
	return zero / zero
}

func reads(path string) func(Options) (*Split, error) {
	return func(o Options) (*Split, error) {
		s, err := Read(path, o)
		return &Split{Train: s}, err
	}
}

func masks(text string) func(Options) (*Split, error) {
	return func(Options) (*Split, error) {
		_, err := ParseMask(text, 16, 4, 4)
		return nil, err
	}
}

// A header's claim alone must not take memory: 2^31 bytes here, from files of
// a few.
func TestClaimsTakeNoMemory(t *testing.T) {
	claim := idxFile([]byte{1, 2, 3}, 1<<20-1, 32, 64)
	for name, file := range map[string][]byte{"plain": claim, "gzipped": gzipped(claim)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := decodeIDX(bytes.NewReader(file), int64(len(file)), 3)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes of file took %d bytes of memory", name, len(file), took)
		}
	}
}

func TestMasks(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"m.png": pngFile(grey([]uint8{255, 0}, []uint8{200, 90}, []uint8{0, 0})),
		"m.npy": npyFile([]bool{true, false, true, false, false, false}, 3, 2),
		"f.npy": npyFile([]uint8{1, 0, 9, 0, 0, 0}, 6),
	})
	for text, want := range map[string]string{
		"rows:1-2":                  "++++..",
		"rows:3":                    "....++",
		"spins:2-4":                 ".+++..",
		filepath.Join(dir, "m.png"): "+.+...",
		filepath.Join(dir, "m.npy"): "+.+...",
		filepath.Join(dir, "f.npy"): "+.+...",
	} {
		mask, err := ParseMask(text, 6, 3, 2)
		if err != nil {
			t.Error(err)
			continue
		}
		src := []int8{1, -1, 1, -1, 1, -1}
		dst := []int8{7, 7, 7, 7, 7, 7}
		Corrupt(dst, src, mask)
		for i, c := range want {
			if mask[i] != (c == '+') || mask[i] && dst[i] != src[i] || !mask[i] && dst[i] != 0 {
				t.Errorf("%s: mask %v makes %v of %v", text, mask, dst, src)
			}
		}
	}
	if _, err := ParseMask("rows:1-2", 6, 0, 0); err == nil || !strings.Contains(err.Error(), "plain rows of 6 spins") {
		t.Errorf("rows of plain rows: %v", err)
	}
}

func FuzzIDX(f *testing.F) {
	good := idxFile([]byte{0, 1, 1, 0}, 2, 1, 2)
	f.Add(good)
	f.Add(gzipped(good))
	f.Add(gzipped(good)[:20])
	f.Add(idxFile(nil, 1<<31-1, 1, 1))
	f.Fuzz(func(t *testing.T, file []byte) {
		shape, values, err := decodeIDX(bytes.NewReader(file), int64(len(file)), 1, 2, 3)
		if err != nil {
			return
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		if n != len(values) || n == 0 {
			t.Fatalf("%d values of shape %v", len(values), shape)
		}
		plain := []uint32{}
		for _, d := range shape {
			plain = append(plain, uint32(d))
		}
		if again := idxFile(values, plain...); file[0] == 0 && !bytes.Equal(again, file) {
			t.Fatalf("% x read as shape %v, values % x", file, shape, values)
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add("1,0\n0,1\n", false, "", "")
	f.Add("a,\"b\"\n0,1\n\n1,cat\n", true, "b", "")
	f.Add("1;0\n\"0\";1", false, "1", ";")
	for _, c := range texts {
		f.Add(c.text, c.o.Header, "", c.o.Delimiter)
	}
	f.Add(string(gzipped([]byte("1 0 a\n0 1 b\n"))), false, "3", "whitespace")
	f.Add("0?1\n110\n", false, "", "none")
	f.Fuzz(func(t *testing.T, text string, header bool, label, delimiter string) {
		var w words
		s, err := Options{Header: header, Delimiter: delimiter}.decodeCSV(strings.NewReader(text), int64(len(text)), part{path: "x.csv", labels: label}, &w)
		if err != nil {
			return
		}
		w.number(s)
		wellFormed(t, s)
		if (s.Labels != nil) != (label != "") {
			t.Fatalf("labels %v by column %q", s.Labels, label)
		}
	})
}

func FuzzImage(f *testing.F) {
	f.Add(pngFile(grey([]uint8{0, 255})))
	f.Add(pngFile(grey([]uint8{0, 255}))[:40])
	var photo bytes.Buffer
	jpeg.Encode(&photo, grey([]uint8{250, 10}), nil)
	f.Add(photo.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		img, err := decodeImage(file, 0, 0)
		if err != nil {
			return
		}
		if at := img.Bounds(); at.Empty() || at.Dx()*at.Dy() > maxPixels {
			t.Fatalf("an image of %v", at)
		}
	})
}

func FuzzNPY(f *testing.F) {
	f.Add(npyFile([]int8{-1, 1, -1, 1}, 2, 2), false)
	f.Add(npyFile([]float32{0, 1, 0.5, 0.25}, 1, 2, 2), true)
	f.Add(npyFile([]uint8{0, 255, 9, 1}, 2, 2), true)
	f.Fuzz(func(t *testing.T, file []byte, stochastic bool) {
		array, err := tensorfile.ReadNPY(bytes.NewReader(file))
		if err != nil {
			return
		}
		s, err := Options{Binarize: Binarize{Stochastic: stochastic}, Key: rng.Key(1)}.decodeArray(array, part{})
		if err == nil {
			wellFormed(t, s)
		}
	})
}

// wellFormed fails unless all sizes of s agree and its spins are spins.
func wellFormed(t *testing.T, s *Set) {
	t.Helper()
	if s.Rows < 1 || s.Visible < 1 || len(s.Spins) != s.Rows*s.Visible || s.Labels != nil && len(s.Labels) != s.Rows {
		t.Fatalf("%d rows of %d: %d spins, %d labels", s.Rows, s.Visible, len(s.Spins), len(s.Labels))
	}
	for i, v := range s.Spins {
		if v != 1 && v != -1 {
			t.Fatalf("spin %d is %d", i, v)
		}
	}
}
