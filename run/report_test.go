package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mattis/tensorfile"
)

// stateOf returns the content of state.json.
func stateOf(t *testing.T, w *Writer) State {
	t.Helper()
	s, err := w.State()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Fails where a state is not on disk once it is said, where it names another process or host, or where a temporary file stays.
func TestReport(t *testing.T) {
	w := create(t)
	if _, err := w.State(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before there is one: %v", err)
	}
	begun := time.Now().Add(-time.Second)
	r := w.NewReport(State{State: Training, Step: 3, Epoch: 1, Epochs: 9})
	host, _ := os.Hostname()
	s := stateOf(t, w)
	if s.Updated.Before(begun) || s.Updated.After(time.Now().Add(time.Second)) {
		t.Errorf("written at %v", s.Updated)
	}
	s.Updated = time.Time{}
	if want := (State{State: Training, Step: 3, Epoch: 1, Epochs: 9, Host: host, PID: os.Getpid()}); s != want {
		t.Errorf("at first %+v, want %+v", s, want)
	}
	if now := stateOf(t, w).Now(host, time.Now()); now != Training {
		t.Errorf("a reader sees %s", now)
	}
	r.At(6, 2, 1.5)
	r.Say(Diverged, "it runs away")
	if s := stateOf(t, w); s.Step != 6 || s.Epoch != 2 || s.Seconds != 1.5 || s.State != Diverged || s.Message != "it runs away" {
		t.Errorf("later %+v", s)
	}
	r.At(8, 2, 2)
	r.Close(Ended, "")
	if s := stateOf(t, w); s.Step != 8 || s.State != Ended || s.Message != "" || s.Epochs != 9 {
		t.Errorf("at the end %+v", s)
	}
	if err := r.Failure(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.Path(), ".*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	put(t, filepath.Join(w.Path(), StateFile), `{"state":"resting"}`)
	_, err := w.State()
	wantError(t, err, StateFile, `state is "resting"`)
}

// What cannot be written is told once and hurts nothing.
func TestReportOfFullDisk(t *testing.T) {
	w := create(t)
	if err := os.MkdirAll(filepath.Join(w.Path(), StateFile, "x"), 0o777); err != nil { // no file can replace it
		t.Fatal(err)
	}
	r := w.NewReport(State{State: Training})
	wantError(t, r.Failure(), "state.json is not up to date", StateFile)
	r.Close(Ended, "")
	if err := r.Failure(); err != nil {
		t.Errorf("told again: %v", err)
	}
}

// A directory that is gone does not come back, one that was moved gets its state, and another one at the old path is left alone.
func TestReportFollows(t *testing.T) {
	w := create(t)
	old, now := w.Path(), filepath.Join(t.TempDir(), "now")
	r := w.NewReport(State{State: Training})
	if err := os.Rename(old, now); err != nil {
		t.Skip(err)
	}
	r.Say(Training, "nowhere")
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the old path is there again: %v", err)
	}
	other, err := Create(old)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r.Say(Training, "of another")
	if s, err := other.State(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other run has the state %+v, %v", s, err)
	}
	r.Moved(now)
	r.Close(Ended, "moved")
	if s, err := (&Directory{now}).State(); err != nil || s.Message != "moved" {
		t.Errorf("%+v, %v", s, err)
	}
	if err := r.Failure(); err != nil {
		t.Error(err)
	}
}

func TestBest(t *testing.T) {
	w := create(t)
	if b, err := w.Best(); b != nil || err != nil {
		t.Errorf("before there is one: %v, %v", b, err)
	}
	if err := w.WriteBest(nil); err != nil {
		t.Error(err)
	}
	want := Best{Step: 12, Epoch: 3, Measure: "hamming", Split: "test", Value: 0.1}
	if err := w.WriteBest(&want); err != nil {
		t.Fatal(err)
	}
	if b, err := w.Best(); err != nil || *b != want {
		t.Errorf("%+v, %v", b, err)
	}
	for _, c := range []struct{ text, want string }{
		{`{"measure":"hamming"}`, "step is missing or negative"}, {`{"step":-3}`, "step is missing or negative"}, {`{"step":`, "unexpected end"}, {"", "unexpected end"},
	} {
		put(t, w.bestPath(), c.text)
		_, err := w.Best()
		wantError(t, err, BestFile, c.want)
	}
	if err := w.WriteBest(nil); err != nil {
		t.Fatal(err)
	}
	if b, err := w.Best(); b != nil || err != nil {
		t.Errorf("after it was removed: %v, %v", b, err)
	}
	save(t, w, 1, 2, 3, 4, 5)
	if err := w.Keep(2, 2); err != nil {
		t.Fatal(err)
	}
	wantSteps(t, w, 2, 4, 5)
	if err := w.Keep(2, 9); err != nil { // a step that is not there
		t.Fatal(err)
	}
	wantSteps(t, w, 4, 5)
}

func TestPictures(t *testing.T) {
	w := create(t)
	wantPictures := func(want ...int) {
		t.Helper()
		steps, err := w.Pictures()
		if err != nil || len(steps) != len(want) {
			t.Fatalf("steps %v, %v, want %v", steps, err, want)
		}
		for i := range want {
			if steps[i] != want[i] {
				t.Fatalf("steps %v, want %v", steps, want)
			}
		}
	}
	wantPictures()
	if err := w.CutPictures(0); err != nil { // there is no folder
		t.Fatal(err)
	}
	for _, step := range []int{0, 10, 200, 123456789} {
		if err := w.SavePictures(step, tensorfile.Tensor{Shape: []int{1, 2}, Data: []int8{-1, int8(step % 2)}}); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(w.Path(), PicturesFolder)
	for _, name := range []string{"notes.txt", "10.npy", "-0000001.npy", ".00000010.npy.999999999.tmp"} {
		put(t, filepath.Join(folder, name), "x")
	}
	wantPictures(0, 10, 200, 123456789)
	put(t, w.picturePath(10), "") // as a crash of the system leaves it
	if err := w.CutPictures(200); err != nil {
		t.Fatal(err)
	}
	wantPictures(0, 200)
	w = resume(t, w)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 5 {
		t.Errorf("%v: want the pictures, the files of others, and no temporary one", entries)
	}
}
