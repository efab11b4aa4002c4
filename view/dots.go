package view

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// DotsPanel is a table as a part of a picture: a line for each name from top to bottom, and on it
// one mark a series. X of a series counts the names from 1; its deviations are bars.
type DotsPanel struct {
	Title  string
	Value  Axis
	Names  []string
	Series []Series
}

func (k DotsPanel) draw(area draw.Canvas) error {
	var r interval
	names := make([]string, len(k.Series))
	for i, s := range k.Series {
		names[i] = s.Name
		if len(s.Mean) != len(s.X) || s.Deviation != nil && len(s.Deviation) != len(s.X) {
			return fmt.Errorf("series %q has %d x, %d means and %d deviations; their numbers have to agree", s.Name, len(s.X), len(s.Mean), len(s.Deviation))
		}
		for j, y := range s.Mean {
			if s.X[j] < 1 || s.X[j] > float64(len(k.Names)) {
				return fmt.Errorf("series %q has a mark at line %v of %d", s.Name, s.X[j], len(k.Names))
			}
			if !k.Value.finite(y) {
				continue
			}
			k.Value.meet(&r, y)
			if s.Deviation == nil {
				continue
			}
			for _, end := range []float64{y - s.Deviation[j], y + s.Deviation[j]} {
				if k.Value.finite(end) {
					k.Value.meet(&r, end)
				}
			}
		}
	}
	if !r.any && !r.zero {
		return fmt.Errorf("%q has no mark to draw", k.Title)
	}
	n := float64(len(k.Names))
	chart := Chart{Title: k.Title, X: k.Value, Y: Axis{Min: 0.5, Max: n + 0.5}}
	p := newPlot()
	if err := setAxes(p, chart, r, interval{}, 0.05); err != nil {
		return err
	}
	p.Y.Tick.Marker = plot.TickerFunc(func(_, _ float64) []plot.Tick {
		var t []plot.Tick
		for i, name := range k.Names {
			t = append(t, plot.Tick{Value: n - float64(i), Label: name})
		}
		return t
	})
	p.Y.Tick.Length = 0
	p.Add(grid{x: true, y: true})
	look := inks(names)
	marks := make([]mark, len(k.Series))
	for i := range k.Series {
		marks[i] = dots{points{curve{&k.Series[i], look[i], chart}}, n}
	}
	if len(k.Series) == 1 {
		names[0] = "" // one kind of mark needs no legend
	}
	return drawChart(area, chart, p, names, marks)
}

// dots draws the marks of a series on n lines, and their bars.
type dots struct {
	points
	n float64
}

func (k dots) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	s := k.series
	for j, line := range s.X {
		y := toY(k.n + 1 - line)
		if !k.chart.X.finite(s.Mean[j]) {
			continue
		}
		if s.Deviation != nil && !math.IsNaN(s.Deviation[j]) {
			low, high := max(s.Mean[j]-s.Deviation[j], p.X.Min), min(s.Mean[j]+s.Deviation[j], p.X.Max)
			c.StrokeLine2(draw.LineStyle{Color: k.ink.colour, Width: 1.2}, toX(low), y, toX(high), y)
		}
		g := k.glyph()
		g.Radius = 4
		c.DrawGlyphNoClip(g, vg.Point{X: toX(s.Mean[j]), Y: y})
	}
}

func (k dots) Thumbnail(c *draw.Canvas) {
	g := k.glyph()
	g.Radius = 4
	c.DrawGlyphNoClip(g, c.Center())
}
