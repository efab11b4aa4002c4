package view

import (
	"image/color"
	"slices"
	"testing"
)

// TestInkOfMethods fails for a program that gives a method another colour in
// another picture, or two curves of one picture the same look.
func TestInkOfMethods(t *testing.T) {
	for _, c := range []struct {
		name, as string
	}{
		{"pid", "pid"}, {"RAPID", "rapid"}, {"cd-10", "cd"}, {"pcd-10, test", "pcd"}, {"pid-gibbs-10", "pid-gibbs"},
		{"pid-literal", "pid-literal"}, {"exact (Adam)", "exact"}, {"test", "test"},
	} {
		for _, names := range [][]string{{c.name}, {"something", c.name, "else"}, {c.name, c.name}} {
			at := slices.Index(names, c.name)
			if got := inks(names)[at]; got.colour != methods[c.as].colour || len(got.dashes) != len(methods[c.as].dashes) {
				t.Errorf("%q in %q is drawn as %v, want %s's %v", c.name, names, got, c.as, methods[c.as])
			}
		}
	}
	if k, ok := method("cdx"); ok {
		t.Errorf("cdx is drawn as a method's %v", k)
	}
	for _, names := range [][]string{
		{"pid train", "pid test", "pid all"},
		{"a", "b", "c", "d", "e", "f", "g", "h"},
		{"a", "pid", "b", "cd", "c", "pcd"},
	} {
		look := inks(names)
		for i := range look {
			for j := range i {
				if look[i].colour == look[j].colour && slices.Equal(look[i].dashes, look[j].dashes) {
					t.Errorf("%q and %q of %q look the same", names[j], names[i], names)
				}
			}
		}
	}
}

// luminance is the relative luminance of WCAG 2, 0 for black and 1 for white.
func luminance(c color.NRGBA) float64 {
	linear := func(x uint8) float64 { v := float64(x) / 255; return v * v } // gamma 2
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// TestColoursOnPaper fails for a colour too pale for white paper: a contrast
// below 1.9 (orange and sky, the palest of Okabe and Ito's that are used, have 2.0 and 2.3).
func TestColoursOnPaper(t *testing.T) {
	for name, k := range methods {
		if contrast := 1.05 / (luminance(k.colour) + 0.05); contrast < 1.9 {
			t.Errorf("%s: contrast %.2f to white", name, contrast)
		}
	}
}
