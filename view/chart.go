package view

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"mattis/run"
)

// The size of a chart and the resolution of its PNG (pixels an inch).
const (
	chartWidth  = 6.6 * vg.Inch
	chartHeight = 3.9 * vg.Inch
	chartDPI    = 144
	edge        = 8 // points that stay white on all sides
)

// mark is one entry of a chart: what it draws and how the legend shows it.
type mark interface {
	plot.Plotter
	plot.Thumbnailer
}

// canvas returns an empty page for the picture's format, named by path's extension.
func canvas(path string, width, height vg.Length) (vg.CanvasWriterTo, error) {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png":
		return vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(chartDPI))}, nil
	case ".svg":
		return vgsvg.New(width, height), nil
	default:
		return nil, fmt.Errorf("%s: pictures are written as .png or .svg, not %q", path, ext)
	}
}

func sans(size vg.Length) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// newPlot returns a plot with the house's letters and lines. It has no title and
// no axis labels: drawChart writes them, as gonum misplaces those of logarithmic axes.
func newPlot() *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Tick.Label.Font = sans(9.5)
		a.LineStyle.Width, a.Tick.LineStyle.Width = 0.7, 0.7
		a.Padding = 0
	}
	return p
}

// grid draws a light line at every labelled tick.
type grid struct{ x, y bool }

func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	style := draw.LineStyle{Color: color.Gray{Y: 225}, Width: 0.5}
	toX, toY := p.Transforms(&c)
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if g.x && t.Label != "" {
			c.StrokeLine2(style, toX(t.Value), c.Min.Y, toX(t.Value), c.Max.Y)
		}
	}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if g.y && t.Label != "" {
			c.StrokeLine2(style, c.Min.X, toY(t.Value), c.Max.X, toY(t.Value))
		}
	}
}

// drawChart draws the plot with its title and labels and a legend of the named
// marks beside it, where it cannot cover anything.
func drawChart(area draw.Canvas, chart Chart, p *plot.Plot, names []string, marks []mark) error {
	for _, m := range marks {
		p.Add(m)
	}
	legend := plot.NewLegend()
	legend.TextStyle.Font = sans(10)
	legend.Left, legend.Top = true, true
	legend.ThumbnailWidth = 30
	legend.Padding = 3
	any := false
	for i, m := range marks {
		if names[i] != "" {
			legend.Add(names[i], m)
			any = true
		}
	}
	title, label := labelStyle(12, text.XCenter, text.YTop), labelStyle(11, text.XCenter, text.YBottom)
	const gap = 10
	around := area
	if any {
		size := legend.Rectangle(area).Size()
		if whole := area.Size(); size.X > (whole.X+2*edge)/2 || size.Y > whole.Y-4*edge {
			return fmt.Errorf("a legend of %d names, the longest of %d letters, leaves no room for the curves; draw fewer or name them shorter", len(names), longest(names))
		}
		around.Max.X -= size.X + gap
	}
	if chart.Title != "" {
		around.Max.Y -= title.Height(chart.Title) + gap
	}
	if chart.X.Label != "" {
		around.Min.Y += label.Height(chart.X.Label) + gap/2
	}
	if chart.Y.Label != "" {
		around.Min.X += label.Height(chart.Y.Label) + gap/2
	}
	p.Draw(around)
	inside := p.DataCanvas(around)

	fit := func(style text.Style, words string, room vg.Length) text.Style {
		if w := style.Width(words); w > room {
			style.Font.Size *= room / w
		}
		return style
	}
	area.FillText(fit(title, chart.Title, around.Size().X), vg.Point{X: around.Center().X, Y: area.Max.Y}, chart.Title)
	area.FillText(fit(label, chart.X.Label, around.Size().X), vg.Point{X: inside.Center().X, Y: area.Min.Y}, chart.X.Label)
	label = fit(label, chart.Y.Label, around.Size().Y)
	label.Rotation, label.YAlign = math.Pi/2, text.YTop
	area.FillText(label, vg.Point{X: area.Min.X, Y: inside.Center().Y}, chart.Y.Label)
	if any {
		beside := area
		beside.Min.X, beside.Max.Y = around.Max.X+gap, inside.Max.Y
		legend.Draw(beside)
	}
	return nil
}

func longest(names []string) int {
	n := 0
	for _, s := range names {
		n = max(n, len([]rune(s)))
	}
	return n
}

// writePicture writes the page to the file, whole or not at all.
func writePicture(path string, page io.WriterTo) error {
	return run.WriteFile(path, func(w io.Writer) error {
		_, err := page.WriteTo(w)
		return err
	})
}

// labelStyle returns the style of small words beside images.
func labelStyle(size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{Color: color.Black, Font: sans(size), XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}
