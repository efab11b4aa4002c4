package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The examples of docs/serve.md run as they stand there, against a service on another port.
func TestServeExamples(t *testing.T) {
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	dir := filepath.Join(folder, "bars-1")
	mattis(t, "train", "bars", "--run", dir, "--set", "train.epochs=2", "--set", "machine.hidden=20", "--set", "measure.last=[]")
	address, _ := serving(t, dir)
	ran := 0
	for _, c := range []struct{ kind, file, program, says string }{
		{"sh", "example.sh", "curl", `"free_energy":\[.*"rows":\[\[.*"value":`},
		{"python", "example.py", "python3", `(?m)^[+-]{16} log P = -`},
		{"go", "example.go", "go", `^update 8 completes it to \[1 1 1 1 -1 -1 -1 -1 `},
	} {
		found := regexp.MustCompile("(?ms)^```"+c.kind+"\n(.*?)^```").FindAllSubmatch(text, -1)
		if len(found) != 1 {
			t.Fatalf("docs/serve.md has %d examples in %s, want one", len(found), c.kind)
		}
		if _, err := exec.LookPath(c.program); err != nil {
			t.Logf("skip: no %s here", c.program)
			continue
		}
		example := strings.ReplaceAll(string(found[0][1]), "http://127.0.0.1:8080", address)
		if example == string(found[0][1]) {
			t.Fatalf("the example in %s asks nobody", c.kind)
		}
		if err := os.WriteFile(filepath.Join(folder, c.file), []byte(example), 0o666); err != nil {
			t.Fatal(err)
		}
		args := map[string][]string{"sh": {"sh", "-e", c.file}, "python": {"python3", c.file}, "go": {"go", "run", c.file}}[c.kind]
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile("(?s)"+c.says).Match(out) {
			t.Errorf("the example in %s: %v: %.1000s", c.kind, err, out)
		}
		ran++
	}
	if ran == 0 {
		t.Skip("none of curl, python3 and go is here")
	}
	b, err := os.ReadFile(filepath.Join(folder, "samples.png"))
	if _, have := exec.LookPath("curl"); have == nil && (err != nil || !strings.HasPrefix(string(b), "\x89PNG")) {
		t.Errorf("no picture was drawn: %v", err)
	}
}
