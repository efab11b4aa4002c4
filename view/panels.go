package view

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Panel is a part of a picture: a CurvesPanel, a SpectraPanel, a DotsPanel or an ImagesPanel.
type Panel interface {
	draw(area draw.Canvas) error
}

// Panels writes a picture of several panels to path, a .png or .svg: rows of
// panels side by side, each as large as a picture of its own. Equal panels give equal bytes.
func Panels(path string, rows ...[]Panel) error {
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	if columns == 0 {
		return fmt.Errorf("%s: no panel to draw", path)
	}
	width, height := vg.Length(columns)*chartWidth, vg.Length(len(rows))*chartHeight
	page, err := canvas(path, width, height)
	if err != nil {
		return err
	}
	whole := draw.NewCanvas(page, width, height)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	for r, row := range rows {
		top := height - vg.Length(r)*chartHeight
		each := width / vg.Length(max(1, len(row)))
		for c, panel := range row {
			area := whole
			area.Min = vg.Point{X: vg.Length(c) * each, Y: top - chartHeight}
			area.Max = vg.Point{X: vg.Length(c+1) * each, Y: top}
			if err := panel.draw(draw.Crop(area, edge, -edge, edge, -edge)); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return writePicture(path, page)
}

// writeChart writes a picture of one panel.
func writeChart(path string, p Panel) error { return Panels(path, []Panel{p}) }

// ImagesPanel is a page of images as a part of a picture.
type ImagesPanel struct {
	Title  string
	Images [][]float32 // +1 is black, -1 white
	Sheet  Sheet
	Frames []Frame // what the borders mean, written below
}

// Frame says what a border means.
type Frame struct {
	Border color.Color // nil is the thin grey one
	Label  string
}

func (k ImagesPanel) draw(area draw.Canvas) error {
	s := k.Sheet
	if len(k.Images) == 0 {
		return fmt.Errorf("%q has no image to draw", k.Title)
	}
	s.fit(len(k.Images))
	if err := s.check(len(k.Images)); err != nil {
		return fmt.Errorf("%q: %w", k.Title, err)
	}
	page, err := tiles(k.Images, s)
	if err != nil {
		return fmt.Errorf("%q: %w", k.Title, err)
	}
	title := labelStyle(12, text.XCenter, text.YTop)
	if w := title.Width(k.Title); w > area.Size().X {
		title.Font.Size *= area.Size().X / w
	}
	area.FillText(title, vg.Point{X: area.Center().X, Y: area.Max.Y}, k.Title)
	const gap = 10
	area.Max.Y -= title.Height(k.Title) + gap
	if len(k.Frames) > 0 {
		area.Min.Y += k.frames(area) + gap
	}
	room, size := area.Size(), page.Bounds().Size()
	scale := min(room.X/vg.Length(size.X), room.Y/vg.Length(size.Y))
	half := vg.Point{X: vg.Length(size.X) * scale / 2, Y: vg.Length(size.Y) * scale / 2}
	middle := area.Center()
	area.DrawImage(vg.Rectangle{Min: middle.Sub(half), Max: middle.Add(half)}, page)
	return nil
}

// frames writes what the borders mean along the area's lower edge and returns the height that it
// takes.
func (k ImagesPanel) frames(area draw.Canvas) vg.Length {
	style := labelStyle(10, text.XLeft, text.YCenter)
	const box, space = 10, 6
	width := vg.Length(-2 * space)
	for _, f := range k.Frames {
		width += box + space + style.Width(f.Label) + 2*space
	}
	x, y := area.Center().X-width/2, area.Min.Y+box/2
	for _, f := range k.Frames {
		border, line := f.Border, vg.Length(2)
		if border == nil {
			border, line = thinFrame, 0.7
		}
		area.StrokeLines(draw.LineStyle{Color: border, Width: line}, []vg.Point{
			{X: x, Y: y - box/2}, {X: x + box, Y: y - box/2}, {X: x + box, Y: y + box/2}, {X: x, Y: y + box/2}, {X: x, Y: y - box/2}})
		area.FillText(style, vg.Point{X: x + box + space, Y: y}, f.Label)
		x += box + space + style.Width(f.Label) + 2*space
	}
	return box
}
