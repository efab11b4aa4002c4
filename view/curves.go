// Package view implements drawing for people: learning curves with bands,
// spectra, tiles of images and reconstructions as PNG and SVG, and small images,
// tables and a progress line as text.
package view

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is one learning curve: the mean over instances at each X.
type Series struct {
	// Name stands in the legend and chooses colour and dash: a name that starts
	// with a method's ("pid", "cd-10", "exact, train") looks the same in every picture.
	Name string
	X    []float64
	Mean []float64
	// Deviation is half the height of the band at each X, one standard deviation
	// by custom; nil draws none.
	Deviation []float64
}

// Chart is what is drawn beside the curves.
type Chart struct {
	Title string
	X, Y  Axis
}

// Curves writes a chart of the series to path, a .png or .svg. A value that is
// NaN, infinite or has no place on a logarithmic axis leaves a gap. Equal series give equal bytes.
func Curves(path string, c Chart, series []Series) error {
	return writeChart(path, CurvesPanel{c, series})
}

// CurvesPanel is a chart of curves as a part of a picture.
type CurvesPanel struct {
	Chart  Chart
	Series []Series
}

func (k CurvesPanel) draw(area draw.Canvas) error {
	c, series := k.Chart, k.Series
	var x, y interval
	names := make([]string, len(series))
	for i, s := range series {
		names[i] = s.Name
		if len(s.Mean) != len(s.X) || s.Deviation != nil && len(s.Deviation) != len(s.X) {
			return fmt.Errorf("series %q has %d x, %d means and %d deviations; their numbers have to agree", s.Name, len(s.X), len(s.Mean), len(s.Deviation))
		}
		for j := range s.X {
			if !c.X.finite(s.X[j]) || !c.Y.finite(s.Mean[j]) {
				continue
			}
			c.X.meet(&x, s.X[j])
			c.Y.meet(&y, s.Mean[j])
			if s.Deviation != nil {
				for _, end := range []float64{s.Mean[j] - s.Deviation[j], s.Mean[j] + s.Deviation[j]} {
					// A band that reaches 0 runs off a logarithmic axis' lower end.
					if c.Y.finite(end) {
						c.Y.meet(&y, end)
					}
				}
			}
		}
	}
	if !x.any && !x.zero {
		return fmt.Errorf("none of the %d series has a point that the axes %q and %q can show", len(series), c.X.Label, c.Y.Label)
	}
	p := newPlot()
	if err := setAxes(p, c, x, y, 0); err != nil {
		return err
	}
	p.Add(grid{x: true, y: true})
	look := inks(names)
	for i := range series { // bands lie under all lines
		p.Add(band{&series[i], look[i], c})
	}
	marks := make([]mark, len(series))
	for i := range series {
		marks[i] = curve{&series[i], look[i], c}
	}
	return drawChart(area, c, p, names, marks)
}

// setAxes gives the plot the chart's axes; margin is what is left free on either side in x.
func setAxes(p *plot.Plot, c Chart, x, y interval, margin float64) error {
	for _, a := range []struct {
		axis   Axis
		to     *plot.Axis
		r      interval
		margin float64
	}{{c.X, &p.X, x, margin}, {c.Y, &p.Y, y, 0.04}} {
		lo, hi := a.axis.Min, a.axis.Max
		given, err := a.axis.fixed()
		if err != nil {
			return err
		}
		if !given {
			lo, hi = a.axis.bounds(a.r, a.margin)
		}
		a.axis.set(a.to, lo, hi, a.r.zero)
	}
	return nil
}

const curveWidth = vg.Length(1.6)

// curve draws a series' line.
type curve struct {
	series *Series
	ink    ink
	chart  Chart
}

func (k curve) style() draw.LineStyle {
	return draw.LineStyle{Color: k.ink.colour, Width: curveWidth, Dashes: k.ink.dashes}
}

func (k curve) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for run := range k.series.runs(k.chart) {
		line := make([]vg.Point, 0, len(run))
		for _, j := range run {
			line = append(line, vg.Point{X: toX(k.series.X[j]), Y: toY(k.series.Mean[j])})
		}
		if len(k.series.X) == 1 && c.Contains(line[0]) { // a point to be seen among curves
			c.DrawGlyphNoClip(draw.GlyphStyle{Color: k.ink.colour, Radius: 4, Shape: k.ink.glyph}, line[0])
			continue
		}
		if len(line) == 1 { // a value between two gaps
			if c.Contains(line[0]) {
				c.DrawGlyphNoClip(draw.GlyphStyle{Color: k.ink.colour, Radius: curveWidth, Shape: draw.CircleGlyph{}}, line[0])
			}
			continue
		}
		c.StrokeLines(k.style(), c.ClipLinesXY(line)...)
	}
}

func (k curve) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	if len(k.series.X) == 1 {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: k.ink.colour, Radius: 4, Shape: k.ink.glyph}, c.Center())
		return
	}
	if k.series.Deviation != nil {
		h := c.Size().Y / 3
		c.FillPolygon(pale(k.ink.colour), []vg.Point{{X: c.Min.X, Y: y - h}, {X: c.Max.X, Y: y - h}, {X: c.Max.X, Y: y + h}, {X: c.Min.X, Y: y + h}})
	}
	c.StrokeLine2(k.style(), c.Min.X, y, c.Max.X, y)
}

// band draws the surroundings of a series' line.
type band struct {
	series *Series
	ink    ink
	chart  Chart
}

func (b band) Plot(c draw.Canvas, p *plot.Plot) {
	s := b.series
	if s.Deviation == nil {
		return
	}
	toX, toY := p.Transforms(&c)
	y := func(v float64) vg.Length { // far values would overflow the canvas' numbers
		return toY(min(max(v, p.Y.Min), p.Y.Max))
	}
	for run := range s.runs(b.chart) {
		var upper, lower []vg.Point
		for _, j := range run {
			d := s.Deviation[j]
			if d != d { // no deviation known: the band shrinks to the line
				d = 0
			}
			x := toX(s.X[j])
			upper = append(upper, vg.Point{X: x, Y: y(s.Mean[j] + d)})
			lower = append(lower, vg.Point{X: x, Y: y(s.Mean[j] - d)})
		}
		slices.Reverse(lower)
		if len(upper) > 1 {
			c.FillPolygon(pale(b.ink.colour), c.ClipPolygonX(append(upper, lower...)))
		}
	}
}

// runs yields the numbers of the points between two gaps.
func (s *Series) runs(c Chart) func(yield func([]int) bool) {
	return func(yield func([]int) bool) {
		var run []int
		for j := range s.X {
			if c.X.finite(s.X[j]) && c.Y.finite(s.Mean[j]) {
				run = append(run, j)
				continue
			}
			if len(run) > 0 && !yield(run) {
				return
			}
			run = nil
		}
		if len(run) > 0 {
			yield(run)
		}
	}
}
