package view

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"

	"mattis/run"
)

// Pixel is the type of an image's entries: spins, or means and continuous
// patterns.
type Pixel interface{ int8 | float32 | float64 }

// Sheet says how images are laid out on a page. +1 is black and -1 white, what
// lies between is grey; an unknown pixel of spins, 0, is tinted.
type Sheet struct {
	Height, Width int           // pixels of an image
	Columns       int           // images side by side; 0 makes the page about square
	Scale         int           // screen pixels along a pixel's side; 0 makes images about 84 high
	Ink           float64       // the value drawn black, its negative white; 0 means 1
	Borders       []color.Color // frame of each image; nil, or a nil entry, is a thin grey one
}

// Frames for images that belong to a group, apart in colour and in grey.
var (
	BorderTrain = color.Color(sky)       // an image of the training set
	BorderTest  = color.Color(vermilion) // an image of the test set
	BorderSeed  = color.Color(black)     // where sampling started
)

var (
	unknown   = color.NRGBA{R: 0xF2, G: 0xDC, B: 0xA8, A: 255}
	thinFrame = color.Gray{Y: 150}
)

// Tiles writes the images as one PNG, row after row.
func Tiles[P Pixel](path string, images [][]P, s Sheet) error {
	return writePNG(path, func(w io.Writer) error { return EncodeTiles(w, images, s) })
}

// EncodeTiles is Tiles to a writer.
func EncodeTiles[P Pixel](w io.Writer, images [][]P, s Sheet) error {
	if len(images) == 0 {
		return errors.New("no image to draw")
	}
	s.fit(len(images))
	if err := s.check(len(images)); err != nil {
		return err
	}
	page, err := tiles(images, s)
	if err != nil {
		return err
	}
	return png.Encode(w, page)
}

// fit chooses the columns where they are left open: as many as make the page of n images square.
func (s *Sheet) fit(n int) {
	if s.Columns == 0 {
		s.Columns = int(math.Ceil(math.Sqrt(float64(n*s.Height) / float64(max(1, s.Width)))))
		s.Columns = min(max(1, s.Columns), n)
	}
}

// tiles returns the page of the images.
func tiles[P Pixel](images [][]P, s Sheet) (*image.NRGBA, error) {
	scale, gap := s.scale(), s.gap()
	w, h := s.Width*scale+gap, s.Height*scale+gap
	rows := (len(images) + s.Columns - 1) / s.Columns
	page := image.NewNRGBA(image.Rect(0, 0, s.Columns*w+gap, rows*h+gap))
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src)
	for i, x := range images {
		at := image.Pt(gap+i%s.Columns*w, gap+i/s.Columns*h)
		if err := paint(page, at, x, s, s.border(i)); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	return page, nil
}

// Reconstructions writes three labelled rows of images as one PNG: what was
// given (unknown pixels 0), what the machine made of it, and the original. With more
// images than s.Columns (12 if that is 0) the three rows repeat.
func Reconstructions[P Pixel](path string, given [][]int8, result [][]P, original [][]int8, s Sheet) error {
	return writePNG(path, func(w io.Writer) error { return EncodeReconstructions(w, given, result, original, s) })
}

// EncodeReconstructions is Reconstructions to a writer.
func EncodeReconstructions[P Pixel](out io.Writer, given [][]int8, result [][]P, original [][]int8, s Sheet) error {
	if len(given) == 0 || len(given) != len(result) || len(given) != len(original) {
		return fmt.Errorf("%d images given, %d results and %d originals; there has to be one of each", len(given), len(result), len(original))
	}
	if s.Columns == 0 {
		s.Columns = 12
	}
	s.Columns = min(s.Columns, len(given))
	if err := s.check(len(given)); err != nil {
		return err
	}
	scale, gap := s.scale(), s.gap()
	w, h := s.Width*scale+gap, s.Height*scale+gap
	labels := []string{"given", "result", "original"}
	const dpi, letter = 96, 10.5 // points
	style := labelStyle(letter, text.XRight, text.YCenter)
	margin := int(math.Ceil(float64(style.Width("original"))*dpi/72)) + 2*gap
	h = max(h, int(letter*dpi/72)+gap) // small images leave room for their label
	blocks := (len(given) + s.Columns - 1) / s.Columns
	apart := 2 * gap // between two blocks of three rows
	width, height := margin+s.Columns*w+gap, blocks*(3*h+apart)-apart+gap
	points := func(pixels int) vg.Length { return vg.Length(pixels) * 72 / dpi }
	canvas := vgimg.NewWith(vgimg.UseWH(points(width), points(height)), vgimg.UseDPI(dpi))
	page := canvas.Image()

	for i := range given {
		top := gap + i/s.Columns*(3*h+apart)
		left := margin + i%s.Columns*w
		for row := range labels {
			at := image.Pt(left, top+row*h)
			var err error
			switch row {
			case 0:
				err = paint(page, at, given[i], s, s.border(i))
			case 1:
				err = paint(page, at, result[i], s, s.border(i))
			case 2:
				err = paint(page, at, original[i], s, s.border(i))
			}
			if err != nil {
				return fmt.Errorf("%s image %d: %w", labels[row], i, err)
			}
			if i%s.Columns == 0 {
				middle := height - (at.Y + s.Height*scale/2) // the canvas counts from below
				style.Handler.Draw(canvas, labels[row], style, vg.Point{X: points(margin - gap), Y: points(middle)})
			}
		}
	}
	return png.Encode(out, page)
}

func (s Sheet) check(images int) error {
	switch {
	case s.Height < 1 || s.Width < 1:
		return fmt.Errorf("images of %d x %d pixels cannot be drawn; plain rows have no picture", s.Height, s.Width)
	case s.Columns < 0 || s.Scale < 0 || s.Ink < 0:
		return fmt.Errorf("columns %d, scale %d and ink %v have to be 0 or more", s.Columns, s.Scale, s.Ink)
	case s.Borders != nil && len(s.Borders) != images:
		return fmt.Errorf("%d borders for %d images", len(s.Borders), images)
	}
	// A page beyond 2^27 pixels takes more memory than a picture is worth.
	rows := (images + s.Columns - 1) / s.Columns
	pixels := float64(s.Columns) * float64(s.Width*s.scale()+s.gap()) * float64(rows) * float64(s.Height*s.scale()+s.gap())
	if pixels > 1<<27 {
		return fmt.Errorf("%d images of %d x %d pixels at scale %d make a page of %.3g pixels, at most %d can be drawn; draw fewer or lower the scale", images, s.Height, s.Width, s.scale(), pixels, 1<<27)
	}
	return nil
}

func (s Sheet) scale() int {
	if s.Scale > 0 {
		return s.Scale
	}
	return max(1, (84+max(s.Height, s.Width)/2)/max(s.Height, s.Width))
}

// gap is the white space between images; frames lie in it.
func (s Sheet) gap() int { return 8 }

func (s Sheet) border(i int) color.Color {
	if s.Borders == nil {
		return nil
	}
	return s.Borders[i]
}

// paint draws one image with its frame, the image's corner lying at the given place.
func paint[P Pixel](page draw.Image, at image.Point, x []P, s Sheet, border color.Color) error {
	if len(x) != s.Height*s.Width {
		return fmt.Errorf("%d pixels, want %d x %d = %d", len(x), s.Height, s.Width, s.Height*s.Width)
	}
	ink := s.Ink
	if ink == 0 {
		ink = 1
	}
	scale := s.scale()
	box := image.Rect(at.X, at.Y, at.X+s.Width*scale, at.Y+s.Height*scale)
	frame := 1
	if border == nil {
		border = thinFrame
	} else {
		frame = 3
	}
	draw.Draw(page, box.Inset(-frame), image.NewUniform(border), image.Point{}, draw.Src)
	for i, p := range x {
		v := float64(p)
		if v != v {
			return fmt.Errorf("pixel (%d,%d) is NaN", i/s.Width, i%s.Width)
		}
		corner := at.Add(image.Pt(i%s.Width*scale, i/s.Width*scale))
		draw.Draw(page, image.Rectangle{corner, corner.Add(image.Pt(scale, scale))}, image.NewUniform(shade(p, v/ink)), image.Point{}, draw.Src)
	}
	return nil
}

// shade returns the colour of a pixel, v being its value in [-1,1].
func shade[P Pixel](p P, v float64) color.Color {
	if _, spin := any(p).(int8); spin && p == 0 {
		return unknown
	}
	v = min(max(v, -1), 1)
	return color.Gray{Y: uint8(math.Round(255 * (1 - v) / 2))}
}

// writePNG writes the picture to the file, whole or not at all.
func writePNG(path string, draw func(w io.Writer) error) error {
	if ext := strings.ToLower(filepath.Ext(path)); ext != ".png" {
		return fmt.Errorf("%s: images are written as .png, not %q", path, ext)
	}
	var drawing error
	err := run.WriteFile(path, func(w io.Writer) error {
		drawing = draw(w)
		return drawing
	})
	if drawing != nil {
		return fmt.Errorf("%s: %w", path, drawing)
	}
	return err
}
