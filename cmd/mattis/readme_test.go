package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestReadme runs the five tasks of the README as they stand there, on the recipe that their first line makes.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tasks, _ := strings.Cut(string(text), "## Five common tasks\n")
	tasks, _, _ = strings.Cut(tasks, "\n## ")
	script := "exec mattis recipes bars\ncp stdout mine.yaml\n"
	n := 0
	for line := range strings.Lines(tasks) {
		command, _, _ := strings.Cut(line, "#")
		if strings.HasPrefix(command, "    mattis ") {
			script += "exec " + strings.TrimSpace(command) + "\n"
			n++
		}
	}
	if n != 5 {
		t.Fatalf("the README has %d tasks, want five", n)
	}
	script += "exists runs/mine-1/recipe.yaml s.png r.png\n"
	file := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(file, []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: []string{file}, RequireExplicitExec: true})
}
