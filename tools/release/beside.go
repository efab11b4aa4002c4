package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// file is one in an archive.
type file struct {
	name    string // with slashes
	content []byte
	mode    os.FileMode // 0o644 or 0o755
}

// Where files beside the program lie in an archive.
const (
	licenseName    = "LICENSE"
	thirdPartyName = "THIRD-PARTY.txt"
)

// completions are the names of the files, by shell.
var completions = map[string]string{
	"bash": "mattis.bash", "zsh": "_mattis", "fish": "mattis.fish", "powershell": "mattis.ps1",
}

// beside returns what goes with the program: license, notices of what is linked in, README, changes,
// manual pages and completions, sorted by name.
func (r *release) beside(ctx context.Context) ([]file, error) {
	var files []file
	for _, name := range []string{licenseName, "README.md", "CHANGELOG.md"} {
		b, err := os.ReadFile(filepath.Join(r.source, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, b, 0o644})
	}
	notices, err := r.notices(ctx)
	if err != nil {
		return nil, err
	}
	files = append(files, file{thirdPartyName, notices, 0o644})

	host, err := r.host(ctx)
	if err != nil {
		return nil, err
	}
	pages := filepath.Join(r.scratch, "man1")
	if out, err := exec.CommandContext(ctx, host, "man", pages).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mattis man: %w: %s", err, out)
	}
	names, err := os.ReadDir(pages)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(pages, n.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{"man/man1/" + n.Name(), b, 0o644})
	}
	for shell, name := range completions {
		out, err := exec.CommandContext(ctx, host, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("mattis completion %s: %w", shell, err)
		}
		files = append(files, file{"completions/" + name, out, 0o644})
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	return files, nil
}

// notices returns the licenses of everything that is linked into the programs: Go, the modules, and
// the code of others that the source holds (files *-LICENSE.txt).
func (r *release) notices(ctx context.Context) ([]byte, error) {
	type part struct{ name, folder string }
	parts := []part{{"Go " + strings.TrimPrefix(r.tool.version, "go"), r.tool.root}}
	for _, s := range r.systems {
		const module = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
		lines, err := r.goList(ctx, s, "-deps", "-f", module, "./cmd/mattis")
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if name, folder, ok := strings.Cut(line, "\t"); ok {
				parts = append(parts, part{name, folder})
			}
		}
	}
	slices.SortFunc(parts[1:], func(a, b part) int { return cmp.Compare(a.name, b.name) })
	parts = slices.Compact(parts)

	var text strings.Builder
	text.WriteString("The program holds code of others under these licenses.\n")
	add := func(name, file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rule, b := strings.Repeat("=", 78), bytes.TrimSpace(b)
		fmt.Fprintf(&text, "\n%s\n%s: %s\n\n%s\n", rule, name, filepath.Base(file), b)
		return nil
	}
	for _, p := range parts {
		files, err := licenses(p.folder)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s has no license in %s", p.name, p.folder)
		}
		for _, f := range files {
			if err := add(p.name, f); err != nil {
				return nil, err
			}
		}
	}
	held, err := filepath.Glob(filepath.Join(r.source, "*", "*", "*-LICENSE.txt"))
	if err != nil {
		return nil, err
	}
	for _, f := range held {
		name, err := filepath.Rel(r.source, f)
		if err != nil {
			return nil, err
		}
		if err := add(path.Dir(filepath.ToSlash(name)), f); err != nil {
			return nil, err
		}
	}
	return []byte(text.String()), nil
}

// licenses returns the files of a module that say what may be done with it, those in folders of licenses too.
func licenses(folder string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(folder, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.ToUpper(d.Name())
		one := false
		for _, word := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS", "THIRD_PARTY"} {
			one = one || strings.HasPrefix(name, word)
		}
		inside, _ := filepath.Rel(folder, file)
		deep := strings.Count(inside, string(filepath.Separator))
		switch {
		case d.IsDir() && inside != "." && !one:
			return filepath.SkipDir
		case !d.IsDir() && path.Ext(name) != ".GO" && (one || deep > 0):
			files = append(files, file)
		}
		return nil
	})
	return files, err
}
