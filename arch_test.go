// Package mattis_test holds the tests of the project as a whole.
package mattis_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "mattis"

// What tests may import beside what their package may.
var (
	testPackages = []string{"internal/check", "compute/cpu", "exact"}
	testModules  = []string{"github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "gonum.org/v1/gonum"}
)

// allowed is a row of ARCHITECTURE.md's table: the packages of this module and
// the other modules that a package may import.
type allowed struct{ packages, modules []string }

// TestImports fails for an import that ARCHITECTURE.md's table does not allow,
// a package that has no row, and a row that has no package.
func TestImports(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := parseTable(string(text))
	if err != nil {
		t.Fatalf("ARCHITECTURE.md: %v", err)
	}
	faults, err := checkImports(os.DirFS("."), table)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// parseTable returns the rows of the table whose header is
// | package | ... | imports | modules |.
func parseTable(text string) (map[string]allowed, error) {
	table := map[string]allowed{}
	inside := false
	for n, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			if inside {
				break
			}
			continue
		}
		var cells []string
		for _, c := range strings.Split(strings.Trim(line, "| "), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		switch {
		case !inside:
			inside = len(cells) == 4 && cells[0] == "package" && cells[2] == "imports" && cells[3] == "modules"
		case strings.HasPrefix(cells[0], "---"):
		case len(cells) != 4:
			return nil, fmt.Errorf("line %d: %d cells, want 4: package, what lives there, imports, modules", n+1, len(cells))
		default:
			if _, ok := table[cells[0]]; ok {
				return nil, fmt.Errorf("line %d: package %s has a row already", n+1, cells[0])
			}
			table[cells[0]] = allowed{names(cells[2]), names(cells[3])}
		}
	}
	if len(table) == 0 {
		return nil, fmt.Errorf("no table of packages: | package | what lives there | imports | modules |")
	}
	for p, a := range table {
		for _, q := range a.packages {
			if _, ok := table[q]; !ok {
				return nil, fmt.Errorf("package %s may import %s, which has no row", p, q)
			}
		}
	}
	return table, nil
}

// names returns the entries of a list "a, b, c"; "-" is the empty one.
func names(cell string) []string {
	if cell == "-" {
		return nil
	}
	list := strings.Split(cell, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// checkImports returns what in the tree is against the table, sorted. Files of
// all systems count. Folders that Go ignores and other modules are left out; the root
// holds tests of the whole, which may import anything.
func checkImports(tree fs.FS, table map[string]allowed) ([]string, error) {
	var faults []string
	found := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := fs.Stat(tree, path.Join(file, "go.mod"))
			if file != "." && (strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata" || err == nil) {
				return fs.SkipDir
			}
			return nil
		}
		test := strings.HasSuffix(file, "_test.go")
		dir := path.Dir(file)
		if path.Ext(file) != ".go" || dir == "." && test {
			return nil
		}
		row, ok := table[dir]
		if !ok && !found[dir] {
			faults = append(faults, fmt.Sprintf("package %s has no row in the table", dir))
		}
		found[dir] = true
		if !ok {
			return nil
		}
		source, err := fs.ReadFile(tree, file)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if fault := row.refuses(dir, imported, test); fault != "" {
				faults = append(faults, file+" "+fault)
			}
		}
		return nil
	})
	for p := range table {
		if !found[p] {
			faults = append(faults, fmt.Sprintf("the table has a row for %s, which is no package", p))
		}
	}
	slices.Sort(faults)
	return faults, err
}

// refuses says what is wrong with an import by a file of package dir; "" if nothing is.
func (a allowed) refuses(dir, imported string, test bool) string {
	packages, modules := a.packages, a.modules
	if test {
		packages = append(append(slices.Clone(packages), testPackages...), dir)
		modules = append(slices.Clone(modules), testModules...)
	}
	within := func(m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }
	switch ours, isOurs := strings.CutPrefix(imported, module+"/"); {
	case imported == "C":
		return "imports C: the build has no cgo"
	case isOurs:
		if !slices.Contains(packages, ours) {
			return fmt.Sprintf("imports %s; the table allows %v", imported, packages)
		}
	case strings.Contains(strings.Split(imported, "/")[0], "."):
		if !slices.ContainsFunc(modules, within) {
			return fmt.Sprintf("imports %s; the table allows the modules %v", imported, modules)
		}
	}
	return ""
}

// TestCheckImports shows that every kind of fault is found, on a made-up tree.
func TestCheckImports(t *testing.T) {
	const text = `
| other | table |
|---|---|
| x | y |

| package | what lives there | imports | modules |
|---|---|---|---|
| base | the ground | - | - |
| house | the rooms | base | example.org/brick |
| compute/cpu | the engine | base | - |
| internal/check | the suites | base, house | - |
`
	table, err := parseTable(text)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, imports ...string) *fstest.MapFile {
		s := "package " + name + "\n"
		for _, i := range imports {
			s += "import " + strconv.Quote(i) + "\n"
		}
		return &fstest.MapFile{Data: []byte(s)}
	}
	good := fstest.MapFS{
		"all_test.go":          file("all_test", "mattis/house", "example.org/any"),
		"base/a.go":            file("base", "fmt", "math/bits"),
		"base/a_test.go":       file("base_test", "mattis/base", "mattis/internal/check", "mattis/compute/cpu", "github.com/google/go-cmp/cmp"),
		"base/testdata/a.go":   file("a", "mattis/anything"),
		"base/_asm/main.go":    file("main", "github.com/mmcloughlin/avo/build"),
		"house/h_windows.go":   file("house", "mattis/base", "example.org/brick/red"),
		"compute/cpu/cpu.go":   file("cpu", "mattis/base"),
		"internal/check/c.go":  file("check", "testing", "mattis/house"),
		"tools/go.mod":         &fstest.MapFile{Data: []byte("module mattis/tools")},
		"tools/tools.go":       file("tools", "honnef.co/go/tools/cmd/staticcheck"),
		".hidden/x.go":         file("x", "C"),
		"house/README.md":      &fstest.MapFile{},
		"documents/format.txt": &fstest.MapFile{},
	}
	for _, c := range []struct {
		name string
		file *fstest.MapFile // nil removes it
		want string          // "" for none
	}{
		{"house/h_windows.go", good["house/h_windows.go"], ""},
		{"base/up.go", file("base", "mattis/house"), "base/up.go imports mattis/house; the table allows []"},
		{"base/up_test.go", file("base", "mattis/house"), "base/up_test.go imports mattis/house; the table allows [internal/check compute/cpu exact base]"},
		{"base/check.go", file("base", "mattis/internal/check"), "base/check.go imports mattis/internal/check; the table allows []"},
		{"base/engine.go", file("base", "mattis/compute/cpu"), "base/engine.go imports mattis/compute/cpu; the table allows []"},
		{"base/m.go", file("base", "example.org/brick"), "base/m.go imports example.org/brick; the table allows the modules []"},
		{"house/m.go", file("house", "example.org/bricks"), "house/m.go imports example.org/bricks; the table allows the modules [example.org/brick]"},
		{"house/c_arm64.go", file("house", "C"), "house/c_arm64.go imports C: the build has no cgo"},
		{"house/attic/a.go", file("attic"), "package house/attic has no row in the table"},
		{"main.go", file("main"), "package . has no row in the table"},
		{"house/h_windows.go", nil, "the table has a row for house, which is no package"},
	} {
		tree := maps.Clone(good)
		if tree[c.name] = c.file; c.file == nil {
			delete(tree, c.name)
		}
		faults, err := checkImports(tree, table)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(faults, "; "); got != c.want {
			t.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"no table here", "no table of packages"},
		{text + "| base | again | - | - |\n", "package base has a row already"},
		{text + "| hut | small | tent | - |\n", "package hut may import tent, which has no row"},
		{text + "| hut | small | - |\n", "3 cells, want 4"},
	} {
		if _, err := parseTable(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}
