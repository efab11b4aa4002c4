package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

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
