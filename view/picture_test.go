package view_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var regen = flag.Bool("regen", false, "rewrite the pictures in testdata")

// TestMain gives the examples a folder of their own, unless the pictures are
// to be rewritten.
func TestMain(m *testing.M) {
	flag.Parse()
	if *regen {
		os.Exit(m.Run())
	}
	folder, err := os.MkdirTemp("", "view")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	pictures = folder
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// TestPictures compares what the examples draw with testdata: it fails for a
// program that draws anything else, and for one whose bytes change from one call to the next.
func TestPictures(t *testing.T) {
	for _, p := range []struct {
		file string
		draw func()
	}{
		{"curves.png", ExampleCurves},
		{"logarithmic.png", ExampleCurves_logarithmic},
		{"curves.svg", ExampleCurves_svg},
		{"spectra.png", ExampleSpectra},
		{"bars.png", ExampleTiles},
		{"patterns.png", ExampleTiles_continuous},
		{"reconstructions.png", ExampleReconstructions},
	} {
		t.Run(p.file, func(t *testing.T) {
			path := filepath.Join(pictures, p.file)
			silent(t, p.draw)
			first := read(t, path)
			silent(t, p.draw)
			if !bytes.Equal(first, read(t, path)) {
				t.Errorf("%s: two calls wrote different bytes", p.file)
			}
			want := read(t, filepath.Join("testdata", p.file))
			if filepath.Ext(p.file) == ".svg" {
				if !bytes.Equal(first, want) {
					t.Errorf("%s differs from testdata; look at both, and -regen if the new one is right", p.file)
				}
				return
			}
			if err := samePicture(first, want); err != nil {
				t.Errorf("%s differs from testdata: %v; look at both, and -regen if the new one is right", p.file, err)
			}
		})
	}
}

// silent calls an example with its standard output closed to the test's.
func silent(t *testing.T, draw func()) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	out := os.Stdout
	os.Stdout = null
	defer func() { os.Stdout = out }()
	draw()
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// samePicture compares pixels, as the compression may change with Go's version.
// One part in 64 is the freedom of a processor that fuses multiply and add
// where the rim of a line is blended.
func samePicture(a, b []byte) error {
	x, err := png.Decode(bytes.NewReader(a))
	if err != nil {
		return err
	}
	y, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if x.Bounds() != y.Bounds() {
		return fmt.Errorf("%v, want %v", x.Bounds().Size(), y.Bounds().Size())
	}
	for p := range points(x.Bounds()) {
		r0, g0, b0, _ := x.At(p.X, p.Y).RGBA()
		r1, g1, b1, _ := y.At(p.X, p.Y).RGBA()
		for _, d := range []int{int(r0) - int(r1), int(g0) - int(g1), int(b0) - int(b1)} {
			if d > 1024 || d < -1024 {
				return fmt.Errorf("pixel %v is %v, want %v", p, x.At(p.X, p.Y), y.At(p.X, p.Y))
			}
		}
	}
	return nil
}

func points(r image.Rectangle) func(yield func(image.Point) bool) {
	return func(yield func(image.Point) bool) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if !yield(image.Pt(x, y)) {
					return
				}
			}
		}
	}
}
