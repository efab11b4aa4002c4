package run

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseState(t *testing.T) {
	const good = `{"state":"training","step":3,"epoch":1,"epochs":9,"seconds":2.5,"host":"a","pid":7,"updated":"2026-01-02T03:04:05Z","message":"m"}`
	got, err := ParseState([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := State{Training, 3, 1, 9, 2.5, "a", 7, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "m"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct{ text, want string }{
		{`{"state":"resting"}`, `state is "resting", want training, ended, interrupted, diverged or failed`},
		{`{"state":"killed"}`, `state is "killed"`}, // readers say that, no writer
		{`{"state":"ended","step":-1}`, "want numbers that are not negative"},
		{`{"state":"ended","seconds":-1}`, "want numbers that are not negative"},
		{`{"state":`, "unexpected end"},
		{``, "unexpected end"},
	} {
		_, err := ParseState([]byte(c.text))
		wantError(t, err, c.want)
	}
}

// The seconds of an earlier step are its part; of a later one, and of runs of former versions, nothing is known.
func TestSecondsAt(t *testing.T) {
	for step, want := range map[int]float64{0: 0, 3: 1.5, 6: 3, 7: 0} {
		if got := (State{Step: 6, Seconds: 3}).SecondsAt(step); got != want {
			t.Errorf("update %d after %v s, want %v", step, got, want)
		}
	}
	if got := (State{Step: 6}).SecondsAt(3); got != 0 {
		t.Errorf("without seconds %v", got)
	}
}

// Fails where a reader takes the word of a dead process, or that of a living one on a host that it cannot ask.
func TestStateNow(t *testing.T) {
	now := time.Now()
	dead := exec.Command(os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    State
		want string
	}{
		{"alive here", State{State: Training, Host: "here", PID: os.Getpid(), Updated: now}, Training},
		{"alive and silent here", State{State: Training, Host: "here", PID: os.Getpid(), Updated: now.Add(time.Hour)}, Training},
		{"dead here", State{State: Training, Host: "here", PID: dead.Process.Pid, Updated: now}, Killed},
		{"no process", State{State: Training, Host: "here", Updated: now}, Killed},
		{"its number is another's now", State{State: Training, Host: "here", PID: os.Getpid(), Updated: now.Add(-1000 * time.Hour)}, Killed},
		{"elsewhere", State{State: Training, Host: "there", PID: dead.Process.Pid, Updated: now.Add(-59 * time.Second)}, Training},
		{"elsewhere and silent", State{State: Training, Host: "there", PID: os.Getpid(), Updated: now.Add(-61 * time.Second)}, Killed},
		{"ended", State{State: Ended, Host: "here", PID: dead.Process.Pid}, Ended},
		{"diverged", State{State: Diverged, Host: "there"}, Diverged},
	} {
		if _, ok := processStart(os.Getpid()); !ok && c.name == "its number is another's now" {
			continue // this system does not tell when a process began
		}
		if got := c.s.Now("here", now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRemove(t *testing.T) {
	w := create(t)
	if err := w.WriteRecipe([]byte("seed: 1\n")); err != nil {
		t.Fatal(err)
	}
	save(t, w, 1)
	if _, err := Remove(w.Path()); !errors.Is(err, ErrLocked) {
		t.Fatalf("a run that is being written: %v, want ErrLocked", err)
	}
	if _, err := w.Checkpoint(1); err != nil {
		t.Fatalf("the refused removal took something away: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	put(t, outside, "stays")
	if err := os.MkdirAll(filepath.Join(w.Path(), FiguresFolder), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(w.Path(), FiguresFolder, "link")); err != nil {
		t.Skip(err)
	}
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(w.Path(), alias); err != nil {
		t.Fatal(err)
	}
	failed := func(path, want string) {
		t.Helper()
		_, err := Remove(path)
		wantError(t, err, want)
	}
	failed(alias, "is a link")
	// What is no run's stays, and the folder with it.
	put(t, filepath.Join(w.Path(), "thesis.tex"), "mine")
	left, err := Remove(w.Path())
	if err != nil || len(left) != 1 || left[0] != "thesis.tex" {
		t.Fatalf("left %q, %v", left, err)
	}
	if rest, err := os.ReadDir(w.Path()); err != nil || len(rest) != 1 {
		t.Errorf("%v, %v: want thesis.tex alone", rest, err)
	}
	failed(w.Path(), "is no run directory")
	put(t, filepath.Join(w.Path(), RecipeFile), "package: {name: foo}\n") // another program's
	failed(w.Path(), "no run was written there")
	if rest, err := os.ReadDir(w.Path()); err != nil || len(rest) != 2 {
		t.Errorf("%v, %v: want both files", rest, err)
	}
	whole := create(t)
	if err := whole.WriteRecipe([]byte("seed: 1\n")); err != nil {
		t.Fatal(err)
	}
	save(t, whole, 1)
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := Remove(whole.Path()); err != nil || len(left) > 0 {
		t.Fatalf("left %q, %v", left, err)
	}
	if _, err := os.Lstat(whole.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != "stays" {
		t.Errorf("what a link leads to: %q, %v", b, err)
	}
	failed(outside, "is a file")
	failed(filepath.Dir(outside), "is no run directory")
}
