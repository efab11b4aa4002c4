package view_test

import (
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mattis/view"
)

// TestWrongInput fails for a program that panics, draws nonsense or does not
// say what is wrong.
func TestWrongInput(t *testing.T) {
	dir := t.TempDir()
	png, line := filepath.Join(dir, "x.png"), []view.Series{{Name: "pid", X: []float64{1, 2}, Mean: []float64{1, 2}}}
	images := [][]int8{make([]int8, 16)}
	sheet := view.Sheet{Height: 4, Width: 4}
	for _, c := range []struct {
		err  error
		want string
	}{
		{view.Curves(filepath.Join(dir, "x.pdf"), view.Chart{}, line), `x.pdf: pictures are written as .png or .svg, not ".pdf"`},
		{view.Curves(filepath.Join(dir, "none", "x.png"), view.Chart{}, line), "no such file or directory"},
		{view.Curves(png, view.Chart{}, []view.Series{{Name: "pid", X: []float64{1}}}), `series "pid" has 1 x, 0 means and 0 deviations`},
		{view.Curves(png, view.Chart{}, []view.Series{{Name: "pid", X: []float64{1}, Mean: []float64{math.NaN()}}}), "none of the 1 series has a point"},
		{view.Curves(png, view.Chart{Y: view.Axis{Label: "NLL", Log: true}}, []view.Series{{X: []float64{1}, Mean: []float64{-1}}}), `has a point that the axes "" and "NLL" can show`},
		{view.Curves(png, view.Chart{}, nil), "none of the 0 series"},
		{view.Curves(png, view.Chart{Y: view.Axis{Label: "NLL", Log: true, Min: -1, Max: 2}}, line), `axis "NLL": -1 to 2 is no range of a logarithmic axis`},
		{view.Curves(png, view.Chart{X: view.Axis{Label: "epoch", Min: 3, Max: 2}}, line), `axis "epoch": 3 to 2 is no range of a linear axis`},
		{view.Curves(png, view.Chart{}, []view.Series{{Name: strings.Repeat("long ", 30), X: []float64{1}, Mean: []float64{1}}}), "leaves no room for the curves"},
		{view.Spectra(png, "", []view.Spectrum{{Name: "pid", Values: []float64{0, 0}}}), "none of the 1 spectra has a value above 0"},
		{view.Spectra(png, "", []view.Spectrum{{Name: "pid", Values: []float64{1}, Deviation: []float64{}}}), `spectrum "pid" has 1 values and 0 deviations`},
		{view.Tiles[int8](png, nil, sheet), "no image to draw"},
		{view.Tiles(filepath.Join(dir, "x.jpg"), images, sheet), `images are written as .png, not ".jpg"`},
		{view.Tiles(png, images, view.Sheet{Height: 4, Width: 5}), "image 0: 16 pixels, want 4 x 5 = 20"},
		{view.Tiles(png, images, view.Sheet{}), "images of 0 x 0 pixels cannot be drawn; plain rows have no picture"},
		{view.Tiles(png, images, view.Sheet{Height: 4, Width: 4, Scale: 100000}), "make a page of 1.6e+11 pixels"},
		{view.Tiles(png, images, view.Sheet{Height: 4, Width: 4, Borders: make([]color.Color, 2)}), "2 borders for 1 images"},
		{view.Tiles(png, images, view.Sheet{Height: 4, Width: 4, Columns: -1}), "columns -1, scale 0 and ink 0 have to be 0 or more"},
		{view.Tiles(png, [][]float64{{0, math.NaN()}}, view.Sheet{Height: 1, Width: 2}), "image 0: pixel (0,1) is NaN"},
		{view.Reconstructions(png, images, images, nil, sheet), "1 images given, 1 results and 0 originals"},
		{view.Reconstructions(png, images, [][]int8{{1}}, images, sheet), "result image 0: 1 pixels, want 4 x 4 = 16"},
		{view.Text(&strings.Builder{}, images, 3, 4, 0), "image 0 has 16 pixels, want 3 x 4 = 12"},
		{view.Text(&strings.Builder{}, images, 0, 0, 0), "plain rows have no picture"},
		{view.Table{Header: []string{"a"}, Rows: [][]string{{"1", "2"}}}.Write(&strings.Builder{}), "row 0 of the table has 2 entries under a header of 1"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", c.err, c.want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("refused pictures left %v behind", left)
	}
}

// TestOnePoint fails for a program that cannot draw a curve of one value, or
// values beyond what the axis shows.
func TestOnePoint(t *testing.T) {
	for _, s := range []view.Series{
		{X: []float64{3}, Mean: []float64{2}},
		{X: []float64{0, 1, 2}, Mean: []float64{0, 1e300, math.Inf(1)}, Deviation: []float64{0, 1e308, math.NaN()}},
		{X: []float64{0, 1}, Mean: []float64{5, 5}, Deviation: []float64{0, math.NaN()}},
	} {
		for _, ext := range []string{".png", ".svg"} {
			if err := view.Curves(filepath.Join(t.TempDir(), "x"+ext), view.Chart{}, []view.Series{s}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestTextRows fails for an odd height that drops its last row, and for images
// wider than the terminal that are not shown.
func TestTextRows(t *testing.T) {
	var b strings.Builder
	if err := view.Text(&b, [][]int8{{1, 1, 1, -1, 1, 1}, {0, 0, 0, 1, -1, 0}}, 3, 2, 1); err != nil {
		t.Fatal(err)
	}
	want := "┌──┐\n│█▀│\n│▀▀│\n└──┘\n┌──┐\n│░▄│\n│  │\n└──┘\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestProgressOnTerminal fails for a line that is not rewritten in place, that wraps,
// that floods the terminal, or that counts what was done before a resume.
func TestProgressOnTerminal(t *testing.T) {
	now := time.Unix(0, 0)
	var b strings.Builder
	p := view.NewProgress(&b, view.ProgressOptions{Label: "train", Unit: "epochs", Total: 200, Start: 100, TTY: true, Width: 50, Now: func() time.Time { return now }})
	for e := 101; e <= 200; e++ {
		now = now.Add(2 * time.Second)
		p.Update(e, "")
		p.Update(e, "too soon")
		if e == 101 {
			p.Println("checkpoint 101")
		}
	}
	p.Finish("a note that is much too long for the line")
	lines := strings.Split(b.String(), "\r")
	if want := "train  101/200  50%  30/min  ETA 3:18\x1b[K"; lines[1] != want {
		t.Errorf("the first line is %q, want %q", lines[1], want)
	}
	if lines[2] != "\x1b[Kcheckpoint 101\n" {
		t.Errorf("a line between is written as %q", lines[2])
	}
	if len(lines) != 1+100+1+1 {
		t.Errorf("%d lines for 100 updates, an inserted line and the end", len(lines)-1)
	}
	if strings.Contains(b.String(), "too soon") {
		t.Error("rewritten more than ten times a second")
	}
	if last := lines[len(lines)-1]; last != "train  200/200  100%  30/min  in 3:20\x1b[K\n" {
		t.Errorf("the last line is %q", last)
	}
}

// TestProgressOfWork fails for a rate of the work that counts what came between, measures of a training, and for a
// time left that leaves it out.
func TestProgressOfWork(t *testing.T) {
	now := time.Unix(0, 0)
	var b strings.Builder
	p := view.NewProgress(&b, view.ProgressOptions{Label: "bars", Unit: "updates", Total: 200, Now: func() time.Time { return now }})
	now = now.Add(100 * time.Second)
	p.Worked(20)
	p.Update(100, "")
	if want := "bars  100/200 updates  50%  5 updates/s  ETA 1:40\n"; b.String() != want {
		t.Errorf("the line is %q, want %q", b.String(), want)
	}
}

// TestProgressFits fails for a line that wraps, and for one that cuts a number in two, drops the time left
// before the rate, or says less than there is room for.
func TestProgressFits(t *testing.T) {
	for _, c := range []struct {
		width int
		want  string
	}{
		{100, "bars  50/200 updates  25%  5 updates/s  ETA 0:30  epoch 5  hamming 0.25"},
		{72, "bars  50/200 updates  25%  5 updates/s  ETA 0:30  epoch 5  hamming 0.25"},
		{71, "bars  50/200  25%  5/s  ETA 0:30  epoch 5  hamming 0.25"},
		{55, "bars  50/200  25%  ETA 0:30  epoch 5  hamming 0.25"},
		{50, "bars  25%  ETA 0:30  epoch 5  hamming 0.25"},
		{40, "bars  50/200  25%  5/s  ETA 0:30"},
		{30, "bars  50/200  25%  ETA 0:30"},
		{20, "bars  25%  ETA 0:30"},
		{10, "bars  25%"},
	} {
		now := time.Unix(0, 0)
		var b strings.Builder
		p := view.NewProgress(&b, view.ProgressOptions{Label: "bars", Unit: "updates", Total: 200, TTY: true, Width: c.width, Now: func() time.Time { return now }})
		now = now.Add(10 * time.Second)
		p.Update(50, "epoch 5  hamming 0.25")
		if got := b.String(); got != "\r"+c.want+"\x1b[K" {
			t.Errorf("%d columns: %q, want %q", c.width, got, c.want)
		}
	}
}

// TestProgressUnits covers rates below one a second, long times and unknown totals.
func TestProgressUnits(t *testing.T) {
	for _, c := range []struct {
		total, done int
		passed      time.Duration
		want        string
	}{
		{10, 1, time.Minute, "1/10 x  10%  1 x/min  ETA 9:00\n"},
		{10, 1, 2 * time.Hour, "1/10 x  10%  0.5 x/h  ETA 18:00:00\n"},
		{100, 1, time.Hour, "1/100 x  1%  1 x/h  ETA 4d 03:00\n"},
		{0, 3_000_000, time.Second, "3000000 x  3M x/s\n"},
		{5e5, 25_000, time.Second, "25000/500000 x  5%  25k x/s  ETA 0:19\n"},
		{10, 0, time.Minute, "0/10 x  0%\n"},
		{10, 10, 3723 * time.Second, "10/10 x  100%  9.67 x/h  in 1:02:03\n"},
	} {
		now := time.Unix(0, 0)
		var b strings.Builder
		p := view.NewProgress(&b, view.ProgressOptions{Unit: "x", Total: c.total, Every: time.Second, Now: func() time.Time { return now }})
		now = now.Add(c.passed)
		p.Update(c.done, "")
		if b.String() != c.want {
			t.Errorf("%d of %d after %v: %q, want %q", c.done, c.total, c.passed, b.String(), c.want)
		}
	}
}
