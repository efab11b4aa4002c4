package data

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStochasticBinarisation(t *testing.T) {
	const rows, visible = 500, 8
	values := make([]byte, rows*visible)
	for i := range values {
		values[i] = []byte{0, 51, 102, 128, 204, 230, 254, 255}[i%visible]
	}
	dir := folder(t, map[string][]byte{"v": idxFile(values, rows, visible)})
	o := Options{Path: filepath.Join(dir, "v"), TestPath: filepath.Join(dir, "v"), Binarize: Binarize{Stochastic: true}, Key: 11}
	s, err := IDX(o)
	if err != nil {
		t.Fatal(err)
	}
	var up [visible]int
	for i, spin := range s.Train.Spins {
		if spin == 1 {
			up[i%visible]++
		}
		// The number is the one of the place: row of the file, spin.
		grey := float64(values[i]) / 255
		if want := float64(o.Key.Fold(streamTrain).Uniform(uint64(i/visible), uint64(i%visible))) < grey; want != (spin == 1) {
			t.Fatalf("spin %d is %d", i, spin)
		}
	}
	for j, n := range up {
		p := float64(values[j]) / 255
		// five standard deviations, at most sqrt(500)/2 each
		if d := float64(n) - rows*p; d > 56 || d < -56 || p == 0 && n > 0 || p == 1 && n < rows {
			t.Errorf("grey %v became +1 in %d of %d rows", p, n, rows)
		}
	}
	if s.Test.Digest() == s.Train.Digest() {
		t.Error("training and test file share their random numbers")
	}
	o.Limit, o.TestPath, o.Split = 100, "", "random"
	few, err := IDX(o)
	if err != nil {
		t.Fatal(err)
	}
	if !has(s.Train, few.Train.Row(0)) || !slices.Equal(few.Train.Row(few.Train.Rows-1), s.Train.Row(99)) && !slices.Equal(few.Test.Row(few.Test.Rows-1), s.Train.Row(99)) {
		t.Error("a limit or a split changes the spins of a row")
	}
}

// A stochastic spin depends on its place, not on the kind of file, nor on a
// column of labels before it.
func TestStochasticAlikeInAllReaders(t *testing.T) {
	const rows, visible = 20, 6
	values := make([]byte, rows*visible)
	floats := make([]float64, len(values))
	var plain, labelled strings.Builder
	for i := range values {
		values[i] = byte(40 + 30*(i%visible))
		floats[i] = float64(values[i])
		end := map[bool]string{true: "\n", false: ","}[i%visible == visible-1]
		if i%visible == 0 {
			labelled.WriteString("9,")
		}
		fmt.Fprint(&plain, values[i], end)
		fmt.Fprint(&labelled, values[i], end)
	}
	dir := folder(t, map[string][]byte{
		"v.idx":      idxFile(values, rows, visible),
		"v.npy":      npyFile(values, rows, visible),
		"f.npy":      npyFile(floats, rows, visible),
		"v.csv":      []byte(plain.String()),
		"labels.csv": []byte(labelled.String()),
	})
	want := ""
	for _, name := range []string{"v.idx", "v.npy", "f.npy", "v.csv", "labels.csv"} {
		o := Options{Binarize: Binarize{Stochastic: true}, White: 255, Key: 3}
		if name == "labels.csv" {
			o.Labels = "1"
		}
		s, err := Read(filepath.Join(dir, name), o)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = signs(s.Spins)
		}
		if got := signs(s.Spins); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
