package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mattis/tensorfile"
)

// create returns a new run directory with a recipe.
func create(t *testing.T) *Writer {
	t.Helper()
	w, err := Create(filepath.Join(t.TempDir(), "runs", "bars-1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	if err := w.WriteRecipe([]byte("seed: 1\n")); err != nil {
		t.Fatal(err)
	}
	return w
}

// resume closes w and opens its directory for writing again.
func resume(t *testing.T, w *Writer) *Writer {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Resume(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want %q in it", err, part)
		}
	}
}

func TestCreateRefusesExisting(t *testing.T) {
	w := create(t)
	_, err := Create(w.Path())
	wantError(t, err, w.Path()+": file already exists; give a new directory, or resume this one")
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v is not fs.ErrExist", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "")
	_, err = Create(filepath.Join(file, "run"))
	wantError(t, err, file, "not a directory")
}

// A directory that is empty, or that has what a run leaves that ended before it began, becomes a run directory; one
// that holds anything else is refused and left alone.
func TestCreateInUnused(t *testing.T) {
	for _, c := range []struct {
		files  []string // an empty one ends in /
		unused bool
	}{
		{nil, true},
		{[]string{".lock"}, true},
		{[]string{".lock", "env.json", ".recipe.yaml.77.tmp", "checkpoints/"}, true},
		{[]string{"checkpoints/.00000001.safetensors.77.tmp"}, true},
		{[]string{"note"}, false},
		{[]string{".lock", "recipe.yaml"}, false},
		{[]string{"metrics.jsonl"}, false},
		{[]string{"checkpoints/00000001.safetensors"}, false},
		{[]string{"figures/"}, false},
	} {
		path := filepath.Join(t.TempDir(), "run")
		if err := os.Mkdir(path, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.files {
			if err := os.MkdirAll(filepath.Join(path, filepath.Dir(f+"x")), 0o777); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(f, "/") {
				if err := os.WriteFile(filepath.Join(path, f), []byte("{}"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		}
		w, err := Create(path)
		if (err == nil) != c.unused || err != nil && !errors.Is(err, fs.ErrExist) {
			t.Errorf("%v: %v", c.files, err)
		}
		if err == nil {
			if _, err := Create(path); !errors.Is(err, ErrLocked) {
				t.Errorf("%v: a second process gets %v", c.files, err)
			}
			w.Close()
			continue
		}
		for _, f := range c.files {
			if _, err := os.Stat(filepath.Join(path, f)); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCreateNext(t *testing.T) {
	root := filepath.Join(t.TempDir(), "runs")
	for _, want := range []string{"bars-7", "bars-7-2", "bars-7-3"} {
		w, err := CreateNext(root, "bars", 7)
		if err != nil {
			t.Fatal(err)
		}
		if w.Path() != filepath.Join(root, want) {
			t.Errorf("got %s, want %s", w.Path(), want)
		}
		w.Close()
	}
	for _, name := range []string{"", "a/b", `a\b`, ".hidden", "..", "a\x00"} {
		_, err := CreateNext(root, name, 7)
		wantError(t, err, "is no name for a run directory")
	}
	put(t, filepath.Join(root, "file"), "")
	_, err := CreateNext(filepath.Join(root, "file"), "bars", 7)
	wantError(t, err, "not a directory")
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "")
	for path, want := range map[string]string{
		"none": "none: no such run directory",
		"file": "file: is a file, want a run directory",
		".":    "is no run directory: it has no recipe.yaml",
	} {
		_, err := Open(filepath.Join(dir, path))
		wantError(t, err, want)
		_, err = Resume(filepath.Join(dir, path))
		wantError(t, err, want)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("Resume of what is no run directory left %v there", entries)
	}
}

// Fails for a writer that leaves temporary files behind, writes over the old
// file in place, or removes what is not its own.
func TestWriteFile(t *testing.T) {
	w := create(t)
	failure := errors.New("half way")
	err := WriteFile(filepath.Join(w.Path(), RecipeFile), func(out io.Writer) error {
		io.WriteString(out, "seed: ")
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	if b, err := w.Recipe(); err != nil || string(b) != "seed: 1\n" {
		t.Errorf("the recipe is %q, %v", b, err)
	}
	if names, _ := filepath.Glob(filepath.Join(w.Path(), ".*.tmp")); len(names) > 0 {
		t.Errorf("a failed write left %v", names)
	}
	if err := w.WriteFigure("curve.svg", func(out io.Writer) error { _, err := io.WriteString(out, "<svg/>"); return err }); err != nil {
		t.Fatal(err)
	}
	leftovers := []string{".recipe.yaml.99.tmp", "checkpoints/.00000001.safetensors.99.tmp", "figures/.curve.svg.99.tmp"}
	for _, name := range leftovers {
		put(t, filepath.Join(w.Path(), name), "half")
	}
	put(t, filepath.Join(w.Path(), "notes.tmp"), "mine")
	if _, err := Open(w.Path()); err != nil { // reading changes nothing
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(w.Path(), leftovers[0])); err != nil {
		t.Error("Open removed a temporary file of a writer")
	}
	w = resume(t, w)
	var names []string
	filepath.WalkDir(w.Path(), func(path string, e fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(w.Path(), path); err == nil && !e.IsDir() {
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if diff := cmp.Diff([]string{".lock", "figures/curve.svg", "metrics.jsonl", "notes.tmp", "recipe.yaml"}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Fails for a file that is written over in place, where a crash would leave
// half of it: a file that was replaced is another file than before.
func TestFilesAreReplaced(t *testing.T) {
	w := create(t)
	figure := func(out io.Writer) error { _, err := io.WriteString(out, "<svg/>"); return err }
	for name, write := range map[string]func() error{
		"recipe.yaml":                      func() error { return w.WriteRecipe([]byte("seed: 2\n")) },
		"env.json":                         func() error { return w.WriteEnvironment(Environment{}) },
		"checkpoints/00000001.safetensors": func() error { return w.Save(1, weights(1)) },
		"figures/a.svg":                    func() error { return w.WriteFigure("a.svg", figure) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(w.Path(), name)
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if after, err := os.Stat(path); err != nil || os.SameFile(before, after) {
			t.Errorf("%s was written over in place: %v", name, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	w := create(t)
	if none, err := w.Environment(); err != nil || none.Known() {
		t.Errorf("without a file: %+v, %v, want none known and no error", none, err)
	}
	first := Session{Version: "v1", Go: "go1.26", OS: "linux", Arch: "amd64", CPU: []string{"avx2"}, Arm: "avx2", Threads: 2,
		Start: time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC), Command: []string{"mattis", "train", "<bars>"}}
	if err := w.WriteEnvironment(Environment{Session: first, Seed: 1<<64 - 1, Data: "ab"}); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Arm, second.Step = "generic", 12
	if err := w.AppendSession(second); err != nil {
		t.Fatal(err)
	}
	got, err := w.Environment()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Environment{Session: first, Seed: 1<<64 - 1, Data: "ab", Resumes: []Session{second}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Last().Arm != "generic" {
		t.Errorf("the last session is %v", got.Last())
	}
	put(t, filepath.Join(w.Path(), "env.json"), `{"seed": "one"}`)
	_, err = w.Environment()
	wantError(t, err, "env.json: ", "seed")
}

// TestMain lets the test binary stand for another process that writes: with
// MATTIS_TEST_WRITE it writes steps into that directory until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("MATTIS_TEST_WRITE"); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func writeForever(path string) error {
	w, err := Resume(path)
	if err != nil {
		return err
	}
	step := 0
	if c, refused, err := w.Newest(); err == nil && len(refused) == 0 {
		step = c.Step
	} else if !errors.Is(err, ErrNoCheckpoint) || len(refused) > 0 {
		return fmt.Errorf("refused %v: %w", refused, err)
	}
	cut, err := w.ReadMetrics(step, func(Metric) {})
	if err != nil {
		return err
	}
	if err := cut.Apply(); err != nil {
		return err
	}
	for {
		step++
		if err := w.Append(Metric{Step: step, Name: "a"}, Metric{Step: step, Name: "b"}); err != nil {
			return err
		}
		if err := w.Save(step, weights(float32(step))); err != nil {
			return err
		}
		if err := w.Keep(3); err != nil {
			return err
		}
		fmt.Println(step)
	}
}

// weights returns the tensors of a small training at x.
func weights(x float32) *tensorfile.File {
	return &tensorfile.File{
		Tensors:  []tensorfile.Tensor{tensorfile.New("weights", []float32{x, -x, x, 1}, 2, 2), tensorfile.New("chains.visible", []int8{1, -1}, 1, 2)},
		Metadata: map[string]string{"recipe": "ab", "key": "7"},
	}
}

// startWriter starts another process that writes path, and returns its output
// line by line.
func startWriter(t *testing.T, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "MATTIS_TEST_WRITE="+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// Fails where two processes can write at once, where a killed one leaves the
// directory locked, and where a kill leaves a checkpoint that is not whole or
// metrics that lag behind it. The process is killed in the middle of whatever
// follows its line.
func TestLockAndKill(t *testing.T) {
	if _, err := exec.LookPath(os.Args[0]); err != nil {
		t.Skip("cannot start the test binary again")
	}
	w := create(t)
	w.Close()
	done := 0
	for round := range 6 {
		cmd, lines := startWriter(t, w.Path())
		for range 2 + round {
			if !lines.Scan() {
				t.Fatal("the writer ended by itself")
			}
		}
		if round == 0 {
			_, err := Resume(w.Path())
			if !errors.Is(err, ErrLocked) {
				t.Errorf("got %v, want ErrLocked", err)
			}
			wantError(t, err, fmt.Sprintf("%s: the run directory is being written by process %d", w.Path(), cmd.Process.Pid))
			d, err := Open(w.Path())
			if err != nil {
				t.Fatalf("a reader is kept out: %v", err)
			}
			if _, _, err := d.Newest(); err != nil {
				t.Error(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		said := 0
		if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
			t.Fatalf("the writer said %q", lines.Text())
		}
		w, err := Resume(w.Path())
		if err != nil {
			t.Fatal(err)
		}
		c, refused, err := w.Newest()
		if err != nil || len(refused) > 0 {
			t.Fatalf("refused %v: %v", refused, err)
		}
		if c.Step < said || c.Step <= done {
			t.Errorf("the newest checkpoint is %d, the writer said %d, and had %d before", c.Step, said, done)
		}
		done = c.Step
		cutAbove(t, w, c.Step)
		metrics, err := w.Metrics()
		if err != nil {
			t.Fatal(err)
		}
		if len(metrics) != 2*c.Step {
			t.Errorf("%d lines of metrics up to step %d", len(metrics), c.Step)
		}
		w.Close()
	}
}

func TestLockWithinProcess(t *testing.T) {
	w := create(t)
	if _, err := Resume(w.Path()); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	resume(t, w)
}

func ExampleCreateNext() {
	root, err := os.MkdirTemp("", "runs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	w, err := CreateNext(root, "bars", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	if err := errors.Join(
		w.WriteRecipe([]byte("seed: 1\n")),
		w.Append(Metric{Step: 30, Epoch: 10, Seconds: 0.5, Name: "hamming", Split: "test", Value: 0.25, Stderr: 0.01}),
		w.Save(30, &tensorfile.File{Tensors: []tensorfile.Tensor{tensorfile.New("log_gain", []float32{0}, 1)}}),
	); err != nil {
		fmt.Println(err)
		return
	}
	c, refused, err := w.Newest()
	fmt.Println(filepath.Base(w.Path()), filepath.Base(c.Path), c.Step, refused, err)
	line, err := os.ReadFile(filepath.Join(w.Path(), "metrics.jsonl"))
	fmt.Print(string(line))
	fmt.Println(err)
	// Output:
	// bars-1 00000030.safetensors 30 [] <nil>
	// {"step":30,"epoch":10,"seconds":0.5,"name":"hamming","split":"test","value":0.25,"stderr":0.01,"detail":{}}
	// <nil>
}
