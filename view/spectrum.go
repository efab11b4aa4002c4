package view

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Spectrum is the singular values of one machine's couplings, or their means
// over instances.
type Spectrum struct {
	Name      string    // as Series.Name
	Values    []float64 // from the largest to the smallest
	Deviation []float64 // half the length of the bar at each value; nil draws none
}

// negligible is the ratio to the largest singular value below which a value
// is float32 rounding: a rank of K shows as K points.
const negligible = 1e-6

// Spectra writes the singular values of each spectrum against their rank to
// path, a .png or .svg, on a logarithmic axis. Values below 1e-6 of a
// spectrum's largest are left out: they are rounding. Equal spectra give equal bytes.
func Spectra(path, title string, spectra []Spectrum) error {
	return writeChart(path, SpectraPanel{title, spectra})
}

// SpectraPanel is a chart of spectra as a part of a picture.
type SpectraPanel struct {
	Title   string
	Spectra []Spectrum
}

func (k SpectraPanel) draw(area draw.Canvas) error {
	title, spectra := k.Title, k.Spectra
	chart := Chart{Title: title, X: Axis{Label: "rank"}, Y: Axis{Label: "singular value", Log: true}}
	x, y := interval{}, interval{}
	names := make([]string, len(spectra))
	series := make([]Series, len(spectra))
	for i, s := range spectra {
		names[i] = s.Name
		if s.Deviation != nil && len(s.Deviation) != len(s.Values) {
			return fmt.Errorf("spectrum %q has %d values and %d deviations; their numbers have to agree", s.Name, len(s.Values), len(s.Deviation))
		}
		top := 0.0
		for _, v := range s.Values {
			top = max(top, v)
		}
		series[i] = Series{Name: s.Name, Deviation: s.Deviation}
		for j, v := range s.Values {
			if v < top*negligible {
				v = math.NaN()
			}
			series[i].X = append(series[i].X, float64(j+1))
			series[i].Mean = append(series[i].Mean, v)
			if !chart.Y.finite(v) {
				continue
			}
			x.add(float64(j + 1))
			y.add(v)
			if s.Deviation != nil && !math.IsNaN(s.Deviation[j]) {
				y.add(v + s.Deviation[j])
				if low := v - s.Deviation[j]; low > v/10 {
					y.add(low)
				}
			}
		}
	}
	if !x.any {
		return fmt.Errorf("none of the %d spectra has a value above 0", len(spectra))
	}
	p := newPlot()
	if err := setAxes(p, chart, interval{min: x.min, max: x.max, any: true}, y, 0.03); err != nil {
		return err
	}
	p.X.Min, p.X.Max = x.min-0.5, x.max+0.5
	p.X.Tick.Marker = plot.TickerFunc(rankTicks)
	p.Add(grid{y: true})
	look := inks(names)
	marks := make([]mark, len(series))
	for i := range series {
		marks[i] = points{curve{&series[i], look[i], chart}}
	}
	return drawChart(area, chart, p, names, marks)
}

// rankTicks returns whole numbers alone.
func rankTicks(lo, hi float64) []plot.Tick {
	var t []plot.Tick
	for _, k := range linearTicks(lo, hi) {
		if k.Value == math.Trunc(k.Value) && k.Value >= 1 {
			t = append(t, k)
		}
	}
	return t
}

// points draws a spectrum: a glyph a value, a thin line through them, and bars.
type points struct{ curve }

func (k points) glyph() draw.GlyphStyle {
	return draw.GlyphStyle{Color: k.ink.colour, Radius: 3, Shape: k.ink.glyph}
}

func (k points) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	thin := draw.LineStyle{Color: k.ink.colour, Width: 0.7, Dashes: k.ink.dashes}
	bar := draw.LineStyle{Color: k.ink.colour, Width: 0.7}
	s := k.series
	for run := range s.runs(k.chart) {
		line := make([]vg.Point, 0, len(run))
		for _, j := range run {
			line = append(line, vg.Point{X: toX(s.X[j]), Y: toY(s.Mean[j])})
			if s.Deviation != nil && !math.IsNaN(s.Deviation[j]) {
				low, high := max(s.Mean[j]-s.Deviation[j], p.Y.Min), min(s.Mean[j]+s.Deviation[j], p.Y.Max)
				c.StrokeLine2(bar, toX(s.X[j]), toY(low), toX(s.X[j]), toY(high))
			}
		}
		c.StrokeLines(thin, line)
		for _, at := range line {
			c.DrawGlyphNoClip(k.glyph(), at)
		}
	}
}

func (k points) Thumbnail(c *draw.Canvas) {
	c.StrokeLine2(draw.LineStyle{Color: k.ink.colour, Width: 0.7, Dashes: k.ink.dashes}, c.Min.X, c.Center().Y, c.Max.X, c.Center().Y)
	c.DrawGlyphNoClip(k.glyph(), c.Center())
}
