package data

import (
	"bytes"
	"image/jpeg"
	"strings"
	"testing"

	"mattis/rng"
	"mattis/tensorfile"
)

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
