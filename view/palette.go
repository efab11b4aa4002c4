package view

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ink is how a method looks in every picture.
type ink struct {
	colour color.NRGBA
	dashes []vg.Length
	glyph  draw.GlyphDrawer
}

// The colours keep apart for all kinds of colour blindness (Okabe and Ito,
// 2008; its yellow, too pale for white paper, is a brown here); dashes and
// glyphs keep them apart in grey.
var (
	black     = color.NRGBA{A: 255}
	blue      = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 255}
	orange    = color.NRGBA{R: 0xE6, G: 0x9F, B: 0x00, A: 255}
	green     = color.NRGBA{R: 0x00, G: 0x9E, B: 0x73, A: 255}
	vermilion = color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 255}
	sky       = color.NRGBA{R: 0x56, G: 0xB4, B: 0xE9, A: 255}
	purple    = color.NRGBA{R: 0xCC, G: 0x79, B: 0xA7, A: 255}
	brown     = color.NRGBA{R: 0x6B, G: 0x4A, B: 0x1B, A: 255}
)

var (
	solid    []vg.Length
	dashed   = []vg.Length{7, 3}
	dotted   = []vg.Length{1.5, 2}
	dashDot  = []vg.Length{7, 2.5, 1.5, 2.5}
	longDash = []vg.Length{12, 3}
	twoDots  = []vg.Length{7, 2, 1.5, 2, 1.5, 2}

	patterns = [][]vg.Length{solid, dashed, dotted, dashDot, longDash, twoDots}
)

// methods is the one place where a name gets its ink. A name not listed takes
// the ink of the longest listed name that starts it at a word's end: "cd-10" is drawn as "cd".
var methods = map[string]ink{
	"pid":         {blue, solid, draw.CircleGlyph{}},
	"rapid":       {blue, solid, draw.CircleGlyph{}},
	"pid-gibbs":   {sky, longDash, draw.RingGlyph{}},
	"pid-literal": {purple, twoDots, draw.PlusGlyph{}},
	"cd":          {orange, dashed, draw.SquareGlyph{}},
	"pcd":         {green, dashDot, draw.TriangleGlyph{}},
	"exact":       {black, dotted, draw.CrossGlyph{}},
	"tempering":   {vermilion, longDash, draw.PyramidGlyph{}},
	"glass":       {vermilion, dashDot, draw.PyramidGlyph{}},
	"data":        {black, dotted, draw.CrossGlyph{}},
	"annealing":   {brown, twoDots, draw.BoxGlyph{}},
	"train":       {blue, solid, draw.CircleGlyph{}},
	"test":        {vermilion, dashed, draw.SquareGlyph{}},
	"axons":       {blue, solid, draw.CircleGlyph{}},

	"train, reverse": {blue, dotted, draw.RingGlyph{}},
	"test, reverse":  {vermilion, twoDots, draw.BoxGlyph{}},

	"dense":   {orange, dashed, draw.SquareGlyph{}},
	"normal":  {orange, dashed, draw.SquareGlyph{}},
	"uniform": {green, dashDot, draw.TriangleGlyph{}},
}

// others are the inks of names that no method starts, in the order of use.
var others = []ink{
	{blue, solid, draw.CircleGlyph{}},
	{vermilion, dashed, draw.SquareGlyph{}},
	{green, dashDot, draw.TriangleGlyph{}},
	{purple, longDash, draw.CrossGlyph{}},
	{orange, twoDots, draw.BoxGlyph{}},
	{black, dotted, draw.PlusGlyph{}},
	{sky, longDash, draw.RingGlyph{}},
	{brown, twoDots, draw.PyramidGlyph{}},
}

// inks returns the ink of each name in one picture: the method's own, and for
// further names of the same method its colour with another dash.
func inks(names []string) []ink {
	out := make([]ink, len(names))
	known := make([]bool, len(names))
	taken := map[color.NRGBA][][]vg.Length{}
	take := func(i int, k ink) {
		for _, d := range append([][]vg.Length{k.dashes}, patterns...) {
			if !holds(taken[k.colour], d) {
				k.dashes = d
				break
			}
		}
		taken[k.colour] = append(taken[k.colour], k.dashes)
		out[i] = k
	}
	for i, n := range names {
		if k, ok := method(n); ok {
			known[i] = true
			take(i, k)
		}
	}
	next := 0
	for i := range names {
		if known[i] {
			continue
		}
		for range others { // a colour that no method of this picture has, while there is one
			if len(taken[others[next%len(others)].colour]) == 0 {
				break
			}
			next++
		}
		take(i, others[next%len(others)])
		next++
	}
	return out
}

// Ink is how a name looks, for those who draw with other means: the page of mattis watch.
type Ink struct {
	Colour string    `json:"colour"` // #rrggbb
	Dashes []float64 `json:"dashes"` // points drawn, points left out, ...; empty for a solid line
	Glyph  string    `json:"glyph"`  // circle, square, triangle, cross, box, plus, ring or pyramid
}

// Inks returns the ink of each name in one picture, as the figures have it.
func Inks(names ...string) []Ink {
	out := make([]Ink, len(names))
	for i, k := range inks(names) {
		glyph := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", k.glyph), "draw."), "Glyph")
		out[i] = Ink{fmt.Sprintf("#%02x%02x%02x", k.colour.R, k.colour.G, k.colour.B), []float64{}, strings.ToLower(glyph)}
		for _, d := range k.dashes {
			out[i].Dashes = append(out[i].Dashes, d.Points())
		}
	}
	return out
}

func method(name string) (ink, bool) {
	name = strings.ToLower(name)
	var best string
	for m := range methods {
		if len(m) > len(best) && strings.HasPrefix(name, m) {
			if rest := name[len(m):]; rest == "" || !letter(rest[0]) {
				best = m
			}
		}
	}
	k, ok := methods[best]
	return k, ok
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func holds(list [][]vg.Length, d []vg.Length) bool {
	for _, x := range list {
		if len(x) == len(d) && (len(d) == 0 || x[0] == d[0] && x[1] == d[1]) {
			return true
		}
	}
	return false
}

// pale returns c as a band's filling.
func pale(c color.NRGBA) color.NRGBA {
	c.A = 46
	return c
}
