package recipe

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mattis/run"
)

// places returns the fields of the data that name files and folders.
func (d *Data) places() map[string]*string {
	p := map[string]*string{"data.dir": d.Dir, "data.path": d.Path, "data.test_path": d.TestPath, "data.labels": d.Labels, "data.test_labels": d.TestLabels}
	if d.Name == "csv" { // a column
		delete(p, "data.labels")
	}
	maps.DeleteFunc(p, func(_ string, path *string) bool { return path == nil || *path == "" })
	return p
}

// set reports whether a setting gave the field its value.
func (o origin) set(path string) bool {
	return slices.ContainsFunc(o.sets, func(s setting) bool { return path == s.path || strings.HasPrefix(path, s.path+".") })
}

// at returns where the file or folder is that a field names. A relative path is tried where the run first found
// it, unless it is new, then from the shell's folder and then from the recipe's.
func (r *Recipe) at(field string) string {
	path := *r.Data.places()[field]
	if filepath.IsAbs(path) {
		return path
	}
	found := func(path string) bool { _, err := os.Stat(path); return err == nil }
	if was := r.origin.found[field]; was != "" && !r.origin.set(field) && found(was) {
		return was
	}
	if there := filepath.Join(filepath.Dir(r.origin.source), path); !found(path) && found(there) {
		return there
	}
	return path
}

// paths returns where the fields' files and folders are, absolute.
func (r *Recipe) paths() map[string]string {
	all := map[string]string{}
	for field := range r.Data.places() {
		if path, err := filepath.Abs(r.at(field)); err == nil {
			all[field] = path
		}
	}
	return all
}

// remember takes over where a run last found its data. A directory that does not say, as older ones, knows nothing.
func (r *Recipe) remember(d *run.Directory) {
	if env, err := d.Environment(); err == nil {
		r.origin.found = env.Last().Paths
	}
}

// missing returns an error that says where a file or folder of the data was looked for, if err is that one is not there.
func (r *Recipe) missing(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	places := r.Data.places()
	for _, field := range slices.Sorted(maps.Keys(places)) {
		path := *places[field]
		if _, statErr := os.Stat(r.at(field)); !errors.Is(statErr, fs.ErrNotExist) {
			continue
		}
		tried := []string{path}
		if !filepath.IsAbs(path) {
			tried = nil
			for _, dir := range []string{".", filepath.Dir(r.origin.source)} {
				if abs, err := filepath.Abs(filepath.Join(dir, path)); err == nil && !slices.Contains(tried, abs) {
					tried = append(tried, abs)
				}
			}
		}
		if was := r.origin.found[field]; was != "" && !r.origin.set(field) && !slices.Contains(tried, was) {
			tried = append(tried, was)
		}
		return r.origin.place(wrong(field, "there is no %s; give another place by --set %s=PATH", strings.Join(tried, ", nor "), field))
	}
	return err
}
