package mattis_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mattis/internal/experiment"
)

// Every picture of a figure in docs/figures has its numbers beside it, docs/results.md shows the one and links the other, and
// no data are left of a figure that is gone. Other pictures are shown by the README.
func TestPicturesHaveTheirData(t *testing.T) {
	text := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	results, readme := text("docs/results.md"), text("README.md")
	pictures, err := filepath.Glob("docs/figures/*.png")
	if err != nil || len(pictures) < 10 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	for _, path := range pictures {
		path = filepath.ToSlash(path)
		name := strings.TrimSuffix(filepath.Base(path), ".png")
		if !slices.Contains(experiment.Names(), name) {
			if !strings.Contains(readme, "("+path+")") {
				t.Errorf("%s is of no figure, and the README does not show it", path)
			}
			continue
		}
		for _, link := range []string{"](figures/" + name + ".png)", "[data](figures/" + name + ".csv)"} {
			if !strings.Contains(results, link) {
				t.Errorf("docs/results.md has no %s", link)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(text("docs/figures/" + name + ".csv"))).ReadAll()
		if err != nil || len(rows) < 2 || strings.Join(rows[0], ",") != "series,x,mean,sd,n" {
			t.Errorf("%s.csv: %d rows, %v", name, len(rows), err)
			continue
		}
		for _, row := range rows[1:] {
			if _, err := strconv.ParseFloat(row[2], 64); err != nil || row[0] == "" {
				t.Errorf("%s.csv: %q", name, row)
			}
		}
	}
	data, err := filepath.Glob("docs/figures/*.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range data {
		if name := filepath.Base(path); name != experiment.PeersFile && !slices.Contains(pictures, strings.TrimSuffix(path, ".csv")+".png") {
			t.Errorf("%s is beside no picture", path)
		}
	}
}
