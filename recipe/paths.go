package recipe

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"mattis/data"
	"mattis/run"
)

// places returns the fields of the data that name files and folders.
func (d *Data) places() map[string]*string {
	p := map[string]*string{}
	s, _ := data.Named(d.Name)
	archive := d.Path != nil && data.IsArchive(*d.Path) // labels are arrays of it
	d.fields(func(name string, field reflect.Value) {
		labels := strings.HasSuffix(name, "labels")
		if path, ok := field.Interface().(*string); ok && path != nil && *path != "" && slices.Contains(s.Files, name) && !(labels && archive) {
			p["data."+name] = path
		}
	})
	return p
}

// set reports whether a setting gave the field its value.
func (o origin) set(path string) bool {
	return slices.ContainsFunc(o.sets, func(s setting) bool { return path == s.path || strings.HasPrefix(path, s.path+".") })
}

// at returns where the file or folder is that a field names. A relative path is tried where the run
// first found it, unless it is new, then from the shell's folder and then from the recipe's.
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

// remember takes over the name of the recipe of a run and where that last found its data. A
// directory that does not say, as older ones, has its own name and knows nothing.
func (r *Recipe) remember(d *run.Directory) {
	var last run.Session
	if env, err := d.Environment(); err == nil {
		last = env.Last()
	}
	r.Name, r.origin.found = cmp.Or(last.Recipe, filepath.Base(d.Path())), last.Paths
}

// missing returns an error that says where a file or folder of the data was looked for, if err is
// that one is not there.
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
