package run

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mattis/tensorfile"
)

// snapshot returns the path, size, time and bytes of all that is in a folder.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = ""
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = info.ModTime().String() + string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBeside: whatever a training does with a Writer of Beside, the directory stays as it is, locked
// or not; every method of Writer has to be here.
func TestBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	file := &tensorfile.File{Tensors: []tensorfile.Tensor{{Name: "x", Shape: []int{1}, Data: []float32{1}}}}
	picture := tensorfile.Tensor{Shape: []int{1}, Data: []int8{1}}
	for _, err := range []error{
		w.WriteEnvironment(Environment{}), w.WriteRecipe([]byte("old")), w.Save(1, file), w.Save(2, file), w.SaveDraw(2, file),
		w.SavePictures(2, picture), w.WriteBest(&Best{Step: 1}), w.Append(Metric{Step: 1, Name: "a"}, Metric{Step: 2, Name: "a"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b := Beside(dir)
	write := func(out io.Writer) error { _, err := out.Write([]byte("new")); return err }
	read := map[string]bool{}
	for m := range reflect.TypeFor[*Directory]().Methods() {
		read[m.Name] = true
	}
	calls := map[string]func() error{
		"WriteEnvironment": func() error { return b.WriteEnvironment(Environment{Seed: 7}) },
		"AppendSession":    func() error { return b.AppendSession(Session{Version: "x"}) },
		"WriteRecipe":      func() error { return b.WriteRecipe([]byte("new")) },
		"WriteFigure":      func() error { return b.WriteFigure("f.png", write) },
		"Save":             func() error { return b.Save(3, file) },
		"Keep":             func() error { return b.Keep(1) },
		"SaveDraw":         func() error { return b.SaveDraw(3, file) },
		"DropDraw":         func() error { return b.DropDraw() },
		"SavePictures":     func() error { return b.SavePictures(3, picture) },
		"CutPictures":      func() error { return b.CutPictures(0) },
		"WriteBest":        func() error { return b.WriteBest(nil) },
		"Append":           func() error { return b.Append(Metric{Step: 3, Name: "a"}) },
		"SyncMetrics":      b.SyncMetrics,
		"LostMetrics":      func() error { b.LostMetrics(); return nil },
		"Follow":           func() error { _, err := b.Follow(); return err },
		"ReadMetrics": func() error {
			n := 0
			cut, err := b.ReadMetrics(1, func(Metric) { n++ })
			if err == nil && n != 1 {
				t.Errorf("read %d metrics up to step 1, want 1", n)
			}
			if err == nil {
				err = cut.Apply()
			}
			return err
		},
		"NewReport": func() error { b.NewReport(State{State: Training}).Close(Ended, ""); return nil },
		"Close":     b.Close,
	}
	before := snapshot(t, dir)
	for m := range reflect.TypeFor[*Writer]().Methods() {
		call := calls[m.Name]
		if call == nil {
			if !read[m.Name] {
				t.Errorf("nobody tries %s", m.Name)
			}
			continue
		}
		if err := call(); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if after := snapshot(t, dir); !reflect.DeepEqual(before, after) {
			t.Errorf("%s has changed the directory:\n%v\nit was\n%v", m.Name, after, before)
			before = after
		}
	}
	if c, _, err := b.Newest(); err != nil || c.Step != 2 {
		t.Errorf("the newest checkpoint: %v, %v", c, err)
	}
}
