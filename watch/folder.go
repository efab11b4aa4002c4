package watch

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mattis/run"
)

// How far a search for run directories goes. Figures keep theirs three folders deep.
const (
	mostDepth   = 5
	mostEntries = 50_000
	mostRuns    = 5_000
)

// root is a folder that was named: a run, or one with runs in it.
type root struct {
	path  string // absolute, links in it followed: who names a link means what it leads to
	label string // how it was named
}

// newRoot returns the root of a path that has to be a folder.
func newRoot(dir string) (root, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return root{}, fmt.Errorf("%s: no such folder: %w", dir, fs.ErrNotExist)
	}
	if err != nil {
		return root{}, err
	}
	if !info.IsDir() {
		return root{}, fmt.Errorf("%s: is a file, want a run directory or a folder of them", dir)
	}
	p, err := filepath.EvalSymlinks(dir)
	if err == nil {
		p, err = filepath.Abs(p)
	}
	return root{p, filepath.Clean(dir)}, err
}

// find returns the run directories under the root as paths with slashes, "." for the root itself,
// sorted, and what was left out. Links are not followed, and folders whose names begin with a dot
// are passed over.
func (r root) find() (runs []string, notices []string, err error) {
	folder, err := os.OpenRoot(r.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, []string{fmt.Sprintf("%s: the folder is gone", r.label)}, nil
		}
		return nil, nil, err
	}
	defer folder.Close()
	seen, full := 0, false
	var walk func(dir string, depth int)
	walk = func(dir string, depth int) {
		if len(runs) >= mostRuns || seen >= mostEntries {
			full = true
			return
		}
		if info, err := folder.Lstat(path.Join(dir, run.RecipeFile)); err == nil && !info.IsDir() {
			// a link in the place of the recipe is said where the recipe is read
			runs = append(runs, dir)
			return
		}
		d, err := folder.Open(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				notices = append(notices, err.Error())
			}
			return
		}
		entries, err := d.ReadDir(mostEntries)
		d.Close()
		if err != nil && len(entries) == 0 && !errors.Is(err, fs.ErrNotExist) && err.Error() != "EOF" {
			notices = append(notices, fmt.Sprintf("%s: %v", dir, err))
		}
		seen += len(entries)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case strings.HasPrefix(e.Name(), "."):
			case e.Type()&fs.ModeSymlink != 0:
				if info, err := os.Stat(filepath.Join(r.path, filepath.FromSlash(name))); err == nil && info.IsDir() {
					notices = append(notices, fmt.Sprintf("%s: a link is not followed; name what it leads to to see it", name))
				}
			case e.IsDir() && depth < mostDepth:
				walk(name, depth+1)
			}
		}
	}
	walk(".", 0)
	if full {
		notices = append(notices, fmt.Sprintf("%s: the search ended at %d runs in %d files and folders; name a folder further inside", r.label, len(runs), seen))
	}
	if len(notices) > 20 {
		notices = append(notices[:20], fmt.Sprintf("and %d more of the kind", len(notices)-20))
	}
	return runs, notices, nil
}

// display returns the name of a run for people.
func (r root) display(rel string, several bool) string {
	base := filepath.Base(r.path)
	switch {
	case rel == ".":
		return base
	case several:
		return base + "/" + rel
	}
	return rel
}

// natural compares names such that bars-9 comes before bars-10.
func natural(a, b string) int {
	for a != "" && b != "" {
		i, j := digits(a), digits(b)
		if i > 0 && j > 0 {
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns the length of the number that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// listing are the names in a folder under root whose form keep likes, sorted, at most so many.
func listing(r *os.Root, dir string, most int, keep func(name string) bool) []string {
	d, err := r.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(100_000)
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && keep(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	if len(names) > most {
		names = names[len(names)-most:]
	}
	return names
}

// stamp tells whether a file has changed.
type stamp struct {
	size int64
	time time.Time
}

func stampOf(info os.FileInfo) stamp { return stamp{info.Size(), info.ModTime()} }
