package data

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mnist returns MNIST, or skips the test with the line that says how to get it.
func mnist(t *testing.T, o Options) *Split {
	t.Helper()
	if _, err := FindMNIST(""); err != nil {
		t.Skip(err)
	}
	s, err := MNIST(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMNIST(t *testing.T) {
	s := mnist(t, Options{})
	if s.Train.Rows != 60000 || s.Test.Rows != 10000 || s.Train.Visible != 784 || s.Train.Height != 28 {
		t.Fatalf("%d + %d rows of %d", s.Train.Rows, s.Test.Rows, s.Train.Visible)
	}
	// The numbers of training images of each digit, from the description of the
	// data set.
	want := [10]int{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}
	var got [10]int
	for _, l := range s.Train.Labels {
		got[l]++
	}
	if got != want {
		t.Errorf("digits %v, want %v", got, want)
	}
	if s.Train.Labels[0] != 5 || s.Test.Labels[0] != 7 {
		t.Errorf("the first labels are %d and %d, want 5 and 7", s.Train.Labels[0], s.Test.Labels[0])
	}
	up := 0
	for _, v := range s.Train.Spins {
		if v == 1 {
			up++
		}
	}
	// About a seventh of all pixels is ink above 0.3.
	if share := float64(up) / float64(len(s.Train.Spins)); share < 0.13 || share > 0.16 {
		t.Errorf("a share of %v is +1", share)
	}
	v := mnist(t, Options{Validation: 3000})
	if v.Train.Rows != 57000 || v.Validation.Rows != 3000 || v.Validation.Labels[2999] != s.Train.Labels[59999] {
		t.Errorf("%d + %d rows", v.Train.Rows, v.Validation.Rows)
	}
}

func TestMNISTFilesAreTheKnownOnes(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 55 MB")
	}
	paths, err := FindMNIST("")
	if err != nil {
		t.Skip(err)
	}
	for i, file := range mnistFiles {
		if other := paths[(i+1)%4]; file.verify(other) == nil {
			t.Errorf("%s passes for %s", other, file.name)
		}
		if err := file.verify(paths[i]); err != nil {
			t.Errorf("%s: %v", paths[i], err)
		}
	}
}

func TestMNISTPlaces(t *testing.T) {
	small := map[string][]byte{
		"train-images-idx3-ubyte":    idxFile(make([]byte, 784), 1, 28, 28),
		"train-labels-idx1-ubyte.gz": gzipped(idxFile([]byte{3}, 1)),
		"t10k-images-idx3-ubyte.gz":  gzipped(idxFile(make([]byte, 784), 1, 28, 28)),
		"t10k-labels-idx1-ubyte":     idxFile([]byte{4}, 1),
	}
	dir := folder(t, small)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
	t.Setenv("MATTIS_DATA", "")
	_, err := MNIST(Options{})
	if err == nil || !strings.Contains(err.Error(), "mattis data fetch mnist") || !strings.Contains(err.Error(), "MATTIS_DATA") {
		t.Errorf("no mnist anywhere: %v", err)
	}
	for _, s := range Sources() {
		if s.Name == "mnist" && !strings.Contains(s.Where(), "not found") {
			t.Errorf("list says %s", s.Where())
		}
	}
	s, err := MNIST(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if s.Train.Labels[0] != 3 || s.Test.Labels[0] != 4 || s.Train.Name != "mnist train" {
		t.Errorf("%+v", s)
	}
	cache, err := MNISTCache()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(cache), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(cache, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	paths, err := FindMNIST("")
	if err != nil || filepath.Dir(paths[0]) != cache {
		t.Errorf("in the cache: %s, %v", paths[0], err)
	}
	root := t.TempDir()
	t.Setenv("MATTIS_DATA", root)
	if err := os.CopyFS(filepath.Join(root, "mnist"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if paths, err = FindMNIST(""); err != nil || filepath.Dir(paths[0]) != filepath.Join(root, "mnist") {
		t.Errorf("in MATTIS_DATA, before the cache: %s, %v", paths[0], err)
	}
	if err := os.Remove(filepath.Join(root, "mnist", "t10k-labels-idx1-ubyte")); err != nil {
		t.Fatal(err)
	}
	if _, err = FindMNIST(""); err == nil || !strings.Contains(err.Error(), "t10k-labels-idx1-ubyte (or .gz) is missing") {
		t.Errorf("one file of four missing: %v", err)
	}
	small["t10k-images-idx3-ubyte.gz"] = gzipped(idxFile(make([]byte, 100), 1, 10, 10))
	if _, err = MNIST(Options{Dir: folder(t, small)}); err == nil || !strings.Contains(err.Error(), "28x28") {
		t.Errorf("images of 10x10: %v", err)
	}
}
