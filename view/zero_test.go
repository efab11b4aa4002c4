package view_test

import (
	"path/filepath"
	"strings"
	"testing"

	"mattis/view"
)

// TestZeroOnLogAxis fails for an axis that leaves 0 out, or has it elsewhere than where half the smallest other value stands.
func TestZeroOnLogAxis(t *testing.T) {
	curve := func(name string, axis view.Axis, x ...float64) (line, page string) {
		path := filepath.Join(t.TempDir(), name)
		if err := view.Curves(path, view.Chart{X: axis}, []view.Series{{Name: "pid", X: x, Mean: []float64{3, 2, 1}}}); err != nil {
			t.Fatal(err)
		}
		page = string(read(t, path))
		for _, part := range strings.Split(page, "\n") {
			if strings.HasPrefix(part, `<path d="M`) && strings.Count(part, "L") == 2 && strings.Contains(part, "fill:none") {
				line = part
			}
		}
		if line == "" {
			t.Fatalf("%s has no curve of three points:\n%s", name, page)
		}
		return line, page
	}
	zero, page := curve("zero.svg", view.Axis{Log: true, Zero: true}, 0, 2, 20)
	one, _ := curve("one.svg", view.Axis{Log: true}, 1, 2, 20)
	if zero != one {
		t.Errorf("the curve from 0 over 2 to 20 is\n%s\nwant that from 1,\n%s", zero, one)
	}
	if !strings.Contains(page, ">0</text>") {
		t.Errorf("no tick is labelled 0:\n%s", page)
	}
	bounded, _ := curve("bounded.svg", view.Axis{Log: true, Zero: true, Min: 1, Max: 20}, 0, 2, 20)
	if want, _ := curve("want.svg", view.Axis{Log: true, Min: 1, Max: 20}, 1, 2, 20); bounded != want {
		t.Errorf("with bounds the curve is\n%s\nwant\n%s", bounded, want)
	}
}
