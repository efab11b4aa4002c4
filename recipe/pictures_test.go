package recipe

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mattis/rng"
	"mattis/run"
	"mattis/tensorfile"
)

// readPictures returns the pictures of a step.
func readPictures(t *testing.T, dir string, step int) tensorfile.Tensor {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "pictures", fmt.Sprintf("%08d.npy", step)))
	if err != nil {
		t.Fatal(err)
	}
	x, err := tensorfile.ReadNPY(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Pictures hold samples, what is given, reconstructions and originals, of images, of plain rows and of rows with labels; the given spins
// stay, and the samples are no copies of each other.
func TestPicturesHoldWhatTheySay(t *testing.T) {
	cheapPictures(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.csv")
	var text strings.Builder
	for i := range 12 {
		for j := range 7 {
			if j > 0 {
				text.WriteString(",")
			}
			text.WriteString([]string{"-1", "1"}[rng.Key(3).Intn(2, uint64(i), uint64(j))])
		}
		text.WriteString("," + strconv.Itoa(2*(i%2)-1) + "\n")
	}
	if err := os.WriteFile(plain, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data          string
		height, width int
	}{
		"images":      {"{name: bas, size: 4}", 4, 4},
		"plain rows":  {"{name: csv, path: " + plain + "}", 1, 8},
		"with labels": {"{name: csv, path: " + plain + ", labels: \"7\", labels_visible: true, height: 7, width: 1}", 7, 1},
	} {
		s := begin(t, filepath.Join(t.TempDir(), "r"), "machine: {hidden: 6}\ncouplings: {patterns: 3}\nnegative: {kind: pid}\ndata: "+c.data+"\ntrain: {epochs: 6, batch: 4}\nmeasure: {pictures: {every: 3, count: 20}}\n")
		finish(t, s)
		steps, err := s.Dir.Pictures()
		n := s.Trainer.StepsPerEpoch()
		if err != nil || !slices.Equal(steps, []int{0, 3 * n, 6 * n}) {
			t.Fatalf("%s: pictures of the steps %v, %v", name, steps, err)
		}
		for _, step := range steps {
			x := readPictures(t, s.Dir.Path(), step)
			if !slices.Equal(x.Shape, []int{4, 20, c.height, c.width}) || x.Type() != tensorfile.I8 {
				t.Fatalf("%s: %v %v", name, x.Type(), x.Shape)
			}
			v := x.Data.([]int8)
			size := len(v) / 4
			samples, given, result, original := v[:size], v[size:2*size], v[2*size:3*size], v[3*size:]
			set := s.shown()
			for i := range 20 {
				row := set.Row(i * set.Rows / 20)[:set.Pixels()]
				if !slices.Equal(original[i*len(row):(i+1)*len(row)], row) {
					t.Fatalf("%s: original %d is not row %d of the set", name, i, i*set.Rows/20)
				}
			}
			known, distinct := 0, map[string]bool{}
			for i := range size {
				if samples[i]*samples[i] != 1 || result[i]*result[i] != 1 {
					t.Fatalf("%s: a spin that is none", name)
				}
				if given[i] != 0 {
					known++
					if given[i] != original[i] || result[i] != original[i] {
						t.Fatalf("%s: a given spin is not that of the original, or did not stay", name)
					}
				}
			}
			for row := range slices.Chunk(samples, size/20) {
				distinct[string(asBytes(row))] = true
			}
			if known == 0 || known == size || step == 0 && len(distinct) < 3 {
				t.Errorf("%s: %d of %d spins are given, %d samples differ", name, known, size, len(distinct))
			}
		}
		if a, b := s.pictures(0), s.pictures(1); slices.Equal(a.Data.([]int8), b.Data.([]int8)) {
			t.Errorf("%s: two steps have the same random numbers", name)
		}
	}
}

func asBytes(x []int8) []byte {
	b := make([]byte, len(x))
	for i, v := range x {
		b[i] = byte(v)
	}
	return b
}

// Pictures do not come more often than the training can pay for them, and a line says so; they change no bit of it.
func TestPicturesAreRareEnough(t *testing.T) {
	const text = "data: {name: bas, size: 4}\nmachine: {hidden: 6}\ncouplings: {kind: dense}\nnegative: {kind: pcd, chains: 10, steps: 1}\ntrain: {epochs: 5, batch: 5}\nmeasure: {every: 2, train: [hamming]}\n"
	root := t.TempDir()
	s := begin(t, filepath.Join(root, "dear"), text, "measure.pictures={every: 2, count: 4}")
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	every := s.picturesEvery()
	if every%2 != 0 || every < 100 {
		t.Errorf("every %d epochs, want a multiple of 2 that a machine of 16x6 spins can pay for", every)
	}
	finish(t, s)
	if steps, err := s.Dir.Pictures(); err != nil || !slices.Equal(steps, []int{0, s.Steps()}) {
		t.Errorf("pictures of the steps %v, %v", steps, err)
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "pictures are drawn every "+strconv.Itoa(every)+" epochs and not every 2") {
		t.Errorf("told %q", told)
	}
	none := begin(t, filepath.Join(root, "none"), text)
	finish(t, none)
	if steps, err := none.Dir.Pictures(); err != nil || len(steps) > 0 {
		t.Errorf("without pictures: %v, %v", steps, err)
	}
	if !bytes.Equal(lastCheckpoint(t, s.Dir.Path(), s.Steps()), lastCheckpoint(t, none.Dir.Path(), s.Steps())) {
		t.Error("pictures change the training")
	}
	// A machine whose updates take long pays for as many as are asked for.
	r, split := load(t, text, "negative={kind: pcd, chains: 100000, steps: 100}", "measure.pictures.every=2")
	b, err := r.Build(split, engine(t))
	if err != nil {
		t.Fatal(err)
	}
	if every := b.picturesEvery(); every != 2 {
		t.Errorf("every %d epochs where an update takes %d draws", every, 200*100000)
	}
}

// Pictures that cannot be written are told of once, and the training goes on to the same bits.
func TestPicturesOnAFullDisk(t *testing.T) {
	cheapPictures(t)
	const text = "machine: {hidden: 6}\ntrain: {epochs: 4, batch: 4}\nmeasure: {pictures: {every: 1}}\n"
	root := t.TempDir()
	s := begin(t, filepath.Join(root, "r"), text)
	if err := os.WriteFile(filepath.Join(s.Dir.Path(), "pictures"), nil, 0o666); err != nil { // where the folder should be
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.Dir.Path(), "state.json", "x"), 0o777); err != nil { // and where the file
		t.Fatal(err)
	}
	var told []string
	s.Told = func(line string) { told = append(told, line) }
	finish(t, s)
	if len(told) != 2 || !strings.Contains(told[0]+told[1], "pictures could not be written: ") || !strings.Contains(told[0]+told[1], "state.json is not up to date, for it could not be written: ") {
		t.Errorf("told %q", told)
	}
	good := begin(t, filepath.Join(root, "good"), text)
	finish(t, good)
	if !bytes.Equal(lastCheckpoint(t, s.Dir.Path(), s.Steps()), lastCheckpoint(t, good.Dir.Path(), s.Steps())) {
		t.Error("it is another training")
	}
	if state, err := good.Dir.State(); err != nil || state.State != run.Ended || state.Step != good.Steps() || state.Epoch != 4 || state.Epochs != 4 {
		t.Errorf("%+v, %v", state, err)
	}
}
