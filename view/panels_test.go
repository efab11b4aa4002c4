package view_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mattis/view"
)

func panels() [][]view.Panel {
	x := []float64{1, 2, 3}
	return [][]view.Panel{
		{view.CurvesPanel{Chart: view.Chart{Title: "curves", X: view.Axis{Label: "epoch"}, Y: view.Axis{Label: "NLL (nats)"}},
			Series: []view.Series{{Name: "rapid", X: x, Mean: []float64{3, 2, 1}}, {Name: "a point", X: []float64{2}, Mean: []float64{2.5}}}},
			view.SpectraPanel{Title: "spectra", Spectra: []view.Spectrum{{Name: "exact", Values: []float64{5, 2, 0.1}}}}},
		{view.DotsPanel{Title: "dots", Value: view.Axis{Label: "accuracy (%)"}, Names: []string{"one sample", "pixels"},
			Series: []view.Series{{Name: "train", X: []float64{1, 2}, Mean: []float64{95, 92}, Deviation: []float64{0.5, 0.2}}, {Name: "test", X: []float64{1, 2}, Mean: []float64{93, 91}}}},
			view.ImagesPanel{Title: "images", Images: [][]float32{{1, -1, 0.5, -1}, {1, 1, -1, -1}}, Sheet: view.Sheet{Height: 2, Width: 2, Borders: nil},
				Frames: []view.Frame{{Border: view.BorderTest, Label: "test"}, {Label: "neither"}}}},
	}
}

// Equal panels give equal bytes, a page has the size of its panels, and what cannot be drawn is named.
func TestPanels(t *testing.T) {
	dir := t.TempDir()
	for _, ext := range []string{".png", ".svg"} {
		var files [2][]byte
		for i := range files {
			path := filepath.Join(dir, "x"+ext)
			if err := view.Panels(path, panels()...); err != nil {
				t.Fatal(err)
			}
			files[i], _ = os.ReadFile(path)
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("%s: other bytes at the second time", ext)
		}
		if ext == ".png" {
			c, err := png.DecodeConfig(bytes.NewReader(files[0]))
			if err != nil || c.Width < 1890 || c.Width > 1910 || c.Height < 1115 || c.Height > 1130 { // 2 x 6.6 and 2 x 3.9 inches at 144
				t.Errorf("%dx%d pixels, %v", c.Width, c.Height, err)
			}
		}
	}
	for _, c := range []struct {
		rows [][]view.Panel
		want string
	}{
		{nil, "x.png: no panel to draw"},
		{[][]view.Panel{{view.ImagesPanel{Title: "t"}}}, `x.png: "t" has no image to draw`},
		{[][]view.Panel{{view.ImagesPanel{Title: "t", Images: [][]float32{{1}}, Sheet: view.Sheet{Height: 1, Width: 2}}}}, `x.png: "t": image 0: 1 pixels, want 1 x 2 = 2`},
		{[][]view.Panel{{view.DotsPanel{Title: "t"}}}, `x.png: "t" has no mark to draw`},
		{[][]view.Panel{{view.DotsPanel{Names: []string{"a"}, Series: []view.Series{{Name: "s", X: []float64{2}, Mean: []float64{1}}}}}}, `x.png: series "s" has a mark at line 2 of 1`},
	} {
		if err := view.Panels(filepath.Join(dir, "x.png"), c.rows...); err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
