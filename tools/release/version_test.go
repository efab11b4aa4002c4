package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersion has every rule of how a release is called.
func TestVersion(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	for _, c := range []struct {
		name, tag, named string
		git, dirty       bool
		program, python  string // COMMIT stands for twelve letters of it
		fault            string
	}{
		{name: "tag", git: true, tag: "v0.3.0", program: "0.3.0", python: "0.3.0"},
		{name: "commit", git: true, program: "0.3.0-dev-COMMIT", python: "0.3.0.dev0+gCOMMIT"},
		{name: "named", git: true, named: "0.3.0", program: "0.3.0", python: "0.3.0"},
		{
			name: "changed", git: true, dirty: true,
			program: "0.3.0-dev-COMMIT+changes", python: "0.3.0.dev0+gCOMMIT.changes",
		},
		{
			name: "tagged and changed", git: true, tag: "v0.3.0", dirty: true,
			program: "0.3.0-dev-COMMIT+changes", python: "0.3.0.dev0+gCOMMIT.changes",
		},
		{name: "other tag", git: true, tag: "v0.4.0", fault: "tagged v0.4.0, but python/pyproject.toml has 0.3.0"},
		{name: "other name", git: true, named: "0.4.0", fault: "-version 0.4.0: python/pyproject.toml has 0.3.0"},
		{name: "no git", fault: "name it with -version 0.3.0"},
		{name: "no git, named", named: "0.3.0", program: "0.3.0", python: "0.3.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a"), "a")
			commit := ""
			if c.git {
				git := func(args ...string) string {
					args = append([]string{"-C", dir, "-c", "user.name=n", "-c", "user.email=n@n"}, args...)
					cmd := exec.Command("git", args...)
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Fatalf("git %v: %v\n%s", args, err, out)
					}
					return strings.TrimSpace(string(out))
				}
				git("init", "-q")
				git("add", "a")
				git("commit", "-q", "-m", "a", "--date=2026-01-02T03:04:05Z")
				commit = git("rev-parse", "HEAD")
				if c.tag != "" {
					git("tag", c.tag)
				}
				if c.dirty {
					write(t, filepath.Join(dir, "a"), "b")
				}
			}
			v, err := versionOf(context.Background(), dir, c.named, project{Version: "0.3.0"})
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("error %v, want %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := func(text string) string {
				return strings.ReplaceAll(text, "COMMIT", (commit + strings.Repeat(" ", 12))[:12])
			}
			if v.program != want(c.program) || v.python != want(c.python) {
				t.Errorf("%s and %s, want %s and %s", v.program, v.python, want(c.program), want(c.python))
			}
			if strings.TrimSuffix(v.revision, changes) != commit || strings.HasSuffix(v.revision, changes) != c.dirty {
				t.Errorf("revision %q of %q", v.revision, commit)
			}
		})
	}
}

// TestProject reads the package's own file, and wants its two places of the version to agree.
func TestProject(t *testing.T) {
	p, err := readProject("../..")
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "mattis" || p.RequiresPython == "" || len(p.Dependencies) == 0 || len(p.Optional) == 0 {
		t.Errorf("read %+v", p)
	}
	dir := t.TempDir()
	toml := "[project]\nname = \"mattis\"\nversion = \"1.2.3\"\n"
	write(t, filepath.Join(dir, "python", "pyproject.toml"), toml)
	write(t, filepath.Join(dir, "python", "mattis", "__init__.py"), "__version__ = \"1.2.4\"\n")
	if _, err := readProject(dir); err == nil || !strings.Contains(err.Error(), `want __version__ = "1.2.3"`) {
		t.Errorf("two versions: %v", err)
	}
}

// TestOldestMacOS reads from a program of darwin what its wheel's tag says.
func TestOldestMacOS(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module a\n")
	write(t, filepath.Join(dir, "a.go"), "package main\n\nfunc main() {}\n")
	cmd := exec.Command("go", "build", "-o", "a", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=darwin", "GOARCH=arm64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	tags, err := tagsOf(system{"darwin", "arm64"}, program)
	want := "macosx_12_0_arm64" // of Go 1.25 and 1.26
	if err != nil || len(tags) != 1 || tags[0] != want {
		t.Errorf("tags %v, error %v, want %s", tags, err, want)
	}
	if _, err := tagsOf(system{"darwin", "arm64"}, []byte("no program")); err == nil {
		t.Error("a tag for what is no program")
	}
}

func TestChosen(t *testing.T) {
	if all, err := chosen(""); err != nil || len(all) != 6 {
		t.Errorf("%v, %v", all, err)
	}
	_, err := chosen("linux/amd64,plan9/mips")
	if err == nil || !strings.Contains(err.Error(), `"plan9/mips" is none of`) {
		t.Errorf("error %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
