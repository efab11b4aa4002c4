package data_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mattis/data"
)

// Labels of all parts become spins behind the pixels, in one order for all parts.
func TestLabelsVisible(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	train, test := write("train.csv", "1,0,1,0,10\n0,1,1,0,2\n1,1,1,1,2\n"), write("test.csv", "0,0,0,1,7\n")
	o := data.Options{Path: train, TestPath: test, Labels: "5", LabelsVisible: true, Height: 2, Width: 2, Validation: 1}
	s, err := data.CSV(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		set  *data.Set
		row  int
		want []int8
	}{
		{s.Train, 0, []int8{1, -1, 1, -1, -1, -1, 1}}, // labels 2, 7, 10 by number, not as words
		{s.Train, 1, []int8{-1, 1, 1, -1, 1, -1, -1}},
		{s.Validation, 0, []int8{1, 1, 1, 1, 1, -1, -1}},
		{s.Test, 0, []int8{-1, -1, -1, 1, -1, 1, -1}},
	} {
		if got := p.set.Row(p.row); !slices.Equal(got, p.want) || p.set.Visible != 7 || p.set.Pixels() != 4 || p.set.Height != 2 || !slices.Equal(p.set.LabelNames, []string{"2", "7", "10"}) {
			t.Errorf("%s row %d: %v, labels %q", p.set.Name, p.row, got, p.set.LabelNames)
		}
	}
	known := make([]bool, 7)
	s.Train.Known(0, known)
	if !slices.Equal(known, []bool{true, true, false, false, false, false, false}) {
		t.Errorf("known %v: the first row of the image alone", known)
	}
	if one := s.Train.Take([]int32{1}); one.Pixels() != 4 {
		t.Errorf("%d pixels of a choice of rows", one.Pixels())
	}

	o.LabelsVisible, o.Height, o.Width, o.Validation = false, 0, 0, 0
	if s, err = data.CSV(o); err != nil {
		t.Fatal(err)
	}
	with, err := s.Test.WithLabels([]string{"2", "7"})
	if err != nil || !slices.Equal(with.Row(0), []int8{-1, -1, -1, 1, -1, 1}) || s.Test.Visible != 4 {
		t.Errorf("%v %v", with, err)
	}
	if _, err := s.Train.WithLabels([]string{"2", "7"}); err == nil || !strings.HasSuffix(err.Error(), "row 1 has the label 10, which is none of 2 that the machine knows") {
		t.Error(err)
	}
	s.Test.Labels = nil
	if with, err = s.Test.WithLabels([]string{"2", "7"}); err != nil || !slices.Equal(with.Row(0), []int8{-1, -1, -1, 1, 0, 0}) {
		t.Errorf("without labels: %v %v", with, err)
	}
	two := write("two.csv", "1,0,1,0\n0,1,1,0\n")
	for options, want := range map[*data.Options]string{
		{Path: two, LabelsVisible: true}:                             "data.labels_visible: the rows of csv have no labels",
		{Path: two, LabelsVisible: true, Labels: "3"}:                "data.labels_visible: 1 different labels cannot be told by spins, want 2 to 4096",
		{Path: two, LabelsVisible: true, Labels: "5", Split: "rand"}: "data.split",
	} {
		if _, err := data.CSV(*options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := data.Bars(data.Options{LabelsVisible: true}); err == nil || err.Error() != "data.labels_visible has no meaning for bars: leave it out" {
		t.Error(err)
	}
}
